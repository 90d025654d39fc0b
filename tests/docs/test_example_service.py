"""The service of the examples, on a real socket, judged by the exchange's books."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import service
from aiohttp import web

from binance_dust import Credentials, Ledger, LedgerError, RetryPolicy
from binance_dust.sandbox import Sandbox
from tests.docs.processes import EXAMPLES, end, read_until, running, unix

CONVERT = "POST /sapi/v1/asset/dust"
LIST_OF_DEBTS = "GET /sapi/v1/margin/exchange-small-liability"


def early_in_a_minute(seed: int = 0) -> Sandbox:
    """Open an exchange whose window of weight ends long after a test."""
    began = time.monotonic()
    return Sandbox(seed=seed, clock=lambda: 1_790_000_050.0 + time.monotonic() - began)


@asynccontextmanager
async def serving(
    credentials: Sequence[Credentials], sandbox: Sandbox, ledger: Path
) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve on a port that is free; a client that knows where it is."""
    app = service.service(credentials, base_url=sandbox.url, ledger=str(ledger))
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        # What the site calls itself has port 0 with an older aiohttp.
        host, port = runner.addresses[0][:2]
        async with aiohttp.ClientSession(f"http://{host}:{port}") as client:
            yield client
    finally:
        await runner.cleanup()


async def lines_of(client: aiohttp.ClientSession) -> list[Any]:
    async with client.get("/accounts") as response:
        assert response.status == 200
        return [json.loads(line) async for line in response.content]


async def check_books(file: Path, sandbox: Sandbox) -> None:
    """The ledger has what the exchange did, once and to the digit, and nothing is open."""
    async with Ledger(file) as ledger:
        entries = [entry async for entry in ledger.entries()]
    assert sorted((entry.transaction_id, entry.net) for entry in entries) == sorted(
        (conversion.transaction_id, conversion.net) for conversion in sandbox.conversions
    )


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what another task or thread does, and not for ever."""
    for _ in range(6000):
        if await happened():
            return
        await asyncio.sleep(0.005)
    pytest.fail("nothing happens")


async def test_accounts_come_as_lines_with_what_the_exchange_holds(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    # Too much to be dust: the sweep leaves it alone.
    names = [f"account-{n}" for n in range(12)]
    accounts = [sandbox.open_account(name, BTC=f"0.{n + 1}") for n, name in enumerate(names)]
    async with serving(accounts, sandbox, tmp_path / "dust.db") as client:
        *lines, last = await lines_of(client)

    assert last == {"done": 12, "with_errors": 0, "complete": True}
    assert sorted(line["account"] for line in lines) == sorted(names)
    for line in lines:
        (row,) = line["assets"]
        assert Decimal(row["free"]) == sandbox.account(line["account"]).free("BTC")
        assert not line["errors"]


async def test_a_line_comes_while_the_slowest_account_is_read_and_who_leaves_stops_that(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    accounts = [sandbox.open_account(name, ADA="6.21") for name in ("alice", "bob")]
    sandbox.faults.delay(600, account="bob", times=None)
    async with (
        serving(accounts, sandbox, tmp_path / "dust.db") as client,
        client.get("/accounts") as response,
    ):
        first = json.loads(await response.content.readline())
        response.close()

    assert first["account"] == "alice"


async def test_nobody_waits_for_weight_that_others_have_spent(tmp_path: Path) -> None:
    async with early_in_a_minute() as sandbox:
        accounts = [sandbox.open_account(debts={"ETH": "0.001"}, ADA="6.21") for _ in range(3)]
        async with serving(accounts, sandbox, tmp_path / "dust.db") as client:
            sandbox.faults.spend(LIST_OF_DEBTS, 12_000)
            *lines, last = await lines_of(client)

    assert last == {"done": 3, "with_errors": 3, "complete": False}
    for line in lines:
        assert list(line["errors"]) == ["liabilities"]
        assert line["assets"]
    assert len(sandbox.requests_of(LIST_OF_DEBTS)) == 1  # refused: it tells all the others


async def test_a_request_ends_in_time_and_says_that_this_is_not_all(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ONE_REQUEST", 0.2)
    accounts = [sandbox.open_account(name, ADA="6.21") for name in ("alice", "bob")]
    async with serving(accounts, sandbox, tmp_path / "dust.db") as client:
        sandbox.faults.delay(30, account="bob", on="request", times=None)
        lines = await lines_of(client)

    assert lines[-1] == {"done": len(lines) - 1, "with_errors": 0, "complete": False}


async def test_the_sweep_converts_what_health_tells(tmp_path: Path) -> None:
    health: dict[str, Any] = {}

    async def all_are_swept() -> bool:
        async with client.get("/health") as response:
            assert response.status == 200
            health.update(await response.json())
        return bool(sum(health["swept"].values()) == 4)

    async with early_in_a_minute(seed=7) as sandbox:
        accounts = sandbox.open_accounts(4)
        async with serving(accounts, sandbox, tmp_path / "dust.db") as client:
            await until(all_are_swept)

    assert health["swept"] == {"converted": 4}
    assert health["counts"]["answered 200"] >= 4
    pools = {pool["name"]: pool for pool in health["budget"]}
    # Twice an account: for the quote, and again just before it converts.
    assert pools["POST /sapi/v3/asset/getUserAsset"]["used"] == 4 * 2 * 5
    assert len(sandbox.conversions) == 4
    await check_books(tmp_path / "dust.db", sandbox)


@pytest.mark.long
async def test_many_accounts_are_all_swept_and_reported_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # More than a busy machine needs, and less than what is left of the window.
    monkeypatch.setattr(service, "ONE_CALL", RetryPolicy(deadline=45.0))
    monkeypatch.setattr(service, "ONE_REQUEST", 60.0)
    swept: dict[str, int] = {}

    async def all_are_swept() -> bool:
        async with client.get("/health") as response:
            swept.update((await response.json())["swept"])
        return sum(swept.values()) == 120

    async with early_in_a_minute(seed=7) as sandbox:
        accounts = sandbox.open_accounts(120)
        async with serving(accounts, sandbox, tmp_path / "dust.db") as client:
            *lines, last = await lines_of(client)
            await until(all_are_swept)

    assert last == {"done": 120, "with_errors": 0, "complete": True}, [
        line["errors"] for line in lines if line["errors"]
    ]
    assert "failed" not in swept
    assert len(sandbox.conversions) == swept["converted"]


async def test_health_fails_while_the_address_is_shut_out(sandbox: Sandbox, tmp_path: Path) -> None:
    alice = sandbox.open_account("alice", ADA="6.21")
    sandbox.faults.ban(600)
    async with serving([alice], sandbox, tmp_path / "dust.db") as client:
        *lines, _ = await lines_of(client)
        async with client.get("/health") as response:
            health = await response.json()

    assert response.status == 503
    assert health["shut_for"] > 0
    assert lines[0]["errors"]


async def test_health_fails_and_the_log_says_why_when_nobody_sweeps_any_more(
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object, **__: object) -> object:
        raise LedgerError("the disk is gone", path="dust.db")

    monkeypatch.setattr(service, "sweep", broken)
    async with (
        serving([], sandbox, tmp_path / "dust.db") as client,
        client.get("/health") as response,
    ):
        health = await response.json()

    assert response.status == 503
    assert health["sweeping"] is False
    assert "the disk is gone" in caplog.text


async def test_a_service_that_stops_finishes_the_conversions_under_way(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    alice = sandbox.open_account("alice", ADA="6.21")
    held_back = sandbox.faults.delay(0.3, endpoint=CONVERT)
    async with serving([alice], sandbox, tmp_path / "dust.db"):
        await until(lambda: asyncio.sleep(0, held_back.hits > 0))

    assert len(sandbox.conversions) == 1
    await check_books(tmp_path / "dust.db", sandbox)


@unix
def test_as_it_stands_it_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    port = a_free_port()
    with running(EXAMPLES / "service.py", cwd=tmp_path, PORT=str(port)) as process:
        read_until(process, "Running on")
        lines = asyncio.run(ask(f"http://127.0.0.1:{port}"))
        end(process, signal.SIGTERM)

    assert process.returncode == 0
    assert lines[-1] == {"done": 10, "with_errors": 0, "complete": True}
    assert list(tmp_path.iterdir()) == []


def a_free_port() -> int:
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return int(end.getsockname()[1])


async def ask(url: str) -> list[Any]:
    async with aiohttp.ClientSession(url) as client:
        return await lines_of(client)
