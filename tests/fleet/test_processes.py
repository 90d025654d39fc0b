"""A real Redis, and workers that are processes: killed, told to end, cut off from each other."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from binance_dust import AccountReport, Credentials, NotSentError
from binance_dust.cli import main
from binance_dust.fleet import Fleet, FleetStream, Timing
from binance_dust.ledger import OPEN, Ledger
from binance_dust.sandbox import Sandbox, write_accounts
from binance_dust.sweeper import Outcome, SweepReport
from tests.fleet.conftest import WINDOW, StartWorker, until
from tests.redis_server import Server, a_server
from tests.systems import needs_address

ROOT = Path(__file__).parents[2]
ASSETS = "POST /sapi/v3/asset/getUserAsset"
DUST = "POST /sapi/v1/asset/dust"
TIMING = Timing(pulse=0.1, patience=3.0, gather=0.1, wait=30)
"""Patient: a worker that the machine had no time for is not lost."""

Start = Callable[..., subprocess.Popen[str]]


@dataclass(frozen=True, slots=True)
class QuickTiming(Timing):
    """For commands, which take the usual one: all workers are in this process."""

    pulse: float = 0.1
    patience: float = 3.0
    gather: float = 0.3
    wait: float = 30.0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with a_server() as server:
        yield server


@pytest.fixture
def url(server: Server) -> str:
    return server.url


@pytest.fixture
async def fleet(url: str, request: pytest.FixtureRequest) -> AsyncIterator[Fleet]:
    async with Fleet(url, name=request.node.name, timing=TIMING) as fleet:
        yield fleet


@pytest.fixture
def start(
    exchange: Sandbox, url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Start]:
    """Start `binance-dust worker`, with an address of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(accounts: list[Credentials], *options: str) -> subprocess.Popen[str]:
        number = len(started) + 1
        address = needs_address(f"127.0.0.{number}")
        path = write_accounts(tmp_path / f"{number}.toml", accounts)
        command = [
            *(sys.executable, "-m", "binance_dust", "worker"),
            *("--fleet", url, "--fleet-name", request.node.name, "--name", str(number)),
            *("--accounts", str(path), "--local-addr", address),
            *("--base-url", exchange.url, "--window", str(WINDOW), *options),
        ]
        environment = {key: value for key, value in os.environ.items() if "BINANCE" not in key}
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            command,
            env=environment | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.long
async def test_killing_a_worker_loses_no_account(
    exchange: Sandbox, fleet: Fleet, start: Start
) -> None:
    accounts = exchange.open_accounts(120)
    # So the killed worker has something in hand, however busy the machine is.
    stuck = exchange.faults.delay(600, endpoint=ASSETS, account=accounts[-1].name, times=1)
    victim = start(accounts)
    reading = asyncio.create_task(_accounts_of(fleet.scan()))

    await until(lambda: stuck.hits)
    victim.send_signal(signal.SIGKILL)
    start(accounts)
    found = await reading

    assert Counter(found) == Counter(account.name for account in accounts)
    assert exchange.refusals == 0


async def test_killing_a_worker_repeats_no_conversion(
    exchange: Sandbox, fleet: Fleet, start: Start, tmp_path: Path
) -> None:
    accounts = [exchange.open_account(f"account-{number}", ADA="6.21") for number in range(12)]
    exchange.accounts["account-3"].deposit("XRP", "2")
    rules = tmp_path / "rules.toml"
    rules.write_text('[account-3]\nkeep = ["XRP"]\n[account-99]\nkeep = ["ADA"]\n', "utf-8")
    books = ("--ledger", str(tmp_path / "books.db"), "--rules", str(rules))
    stuck = exchange.faults.delay(600, endpoint=DUST, account="account-7", times=1)
    victim = start(accounts, *books)
    reports = fleet.sweep(dry_run=False, cooldown=0)
    found = {report.account: report async for report in _some(reports, 11)}
    # It was carried out, and its answer never arrives.
    assert stuck.hits == 1
    victim.send_signal(signal.SIGKILL)
    exchange.faults.jump_clock(60)  # past the last moment at which it could be carried out
    start(accounts, *books)
    found |= {report.account: report async for report in reports}

    converted = Counter(each.account for each in exchange.conversions)
    assert converted == Counter(account.name for account in accounts)
    assert len(exchange.requests_of(DUST)) == 12
    assert {report.outcome for report in found.values()} == {Outcome.CONVERTED}
    # One answer was lost with its worker: that outcome was found out by reading.
    assert [name for name, report in found.items() if report.settled] == ["account-7"]
    assert {row.asset for each in exchange.conversions for row in each.rows} == {"ADA"}
    _, told = await asyncio.to_thread(victim.communicate)
    assert "rules.toml: no key here of account-99" in " ".join(told.split())
    async with Ledger(tmp_path / "books.db") as ledger:
        entries = [entry async for entry in ledger.entries()]
        assert Counter(entry.account for entry in entries) == converted
        assert {entry.status for entry in entries} == {"confirmed"}


async def _accounts_of(reports: FleetStream[AccountReport]) -> list[str]:
    """Read all reports: a fleet waits for a slow reader, and no account may wait for it here."""
    return [report.account async for report in reports]


async def _some(reports: FleetStream[SweepReport], count: int) -> AsyncIterator[SweepReport]:
    for _ in range(count):
        yield await anext(reports)


@pytest.mark.long
async def test_a_worker_that_is_told_to_end_gives_back_what_it_has(
    exchange: Sandbox, fleet: Fleet, start: Start
) -> None:
    accounts = exchange.open_accounts(60)
    stuck = exchange.faults.delay(600, endpoint=ASSETS, account=accounts[-1].name, times=1)
    leaver = start(accounts, "--grace", "0.2")
    reading = asyncio.create_task(_accounts_of(fleet.scan()))

    await until(lambda: stuck.hits)
    leaver.terminate()
    start(accounts)
    found = await reading

    assert Counter(found) == Counter(account.name for account in accounts)
    told, errors = await asyncio.to_thread(leaver.communicate, timeout=20)
    assert leaver.returncode == 0, errors
    assert told == ""
    assert "Traceback" not in errors
    assert "1 ends: " in errors


async def test_a_redis_that_comes_back_empty_loses_no_account(
    exchange: Sandbox, start_worker: StartWorker, url: str, server: Server
) -> None:
    accounts = exchange.open_accounts(80)
    for _ in range(2):
        await start_worker(accounts, room=10, fleet="phoenix")
    exchange.faults.delay(0.05, endpoint=ASSETS, times=None)
    async with Fleet(url, name="phoenix", timing=TIMING) as fleet:
        reports = fleet.scan(liabilities=False)
        found = [(await anext(reports)).account for _ in range(10)]

        server.kill()
        await asyncio.sleep(0.3)
        server.start()
        found += [report.account async for report in reports]

    assert Counter(found) == Counter(account.name for account in accounts)


async def test_the_scan_command_lets_a_fleet_do_it(
    exchange: Sandbox,
    start_worker: StartWorker,
    url: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    accounts = exchange.open_accounts(10)
    await start_worker(accounts, fleet="asked")
    asks = ("scan", "--fleet", url, "--fleet-name", "asked")

    async def run(*options: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(main, [*asks, *options])
        told = capfd.readouterr()
        return code, told.out, told.err

    code, out, _ = await run()
    assert code == 0
    assert "10 accounts. All dust would bring" in out
    assert "A rehearsal: the exchange is on this machine" in out
    _, out, _ = await run("--json")
    assert [json.loads(line)["rehearsal"] for line in out.splitlines()] == [True] * 10
    code, out, _ = await run("--estimate", "--account", accounts[0].name or "")
    assert code == 0
    assert out.startswith("1 account")
    code, _, err = await run("--local-addr", "127.0.0.1")
    assert (code, err) == (
        2,
        "binance-dust: with --fleet, --local-addr is an option of the workers\n",
    )


async def test_the_sweep_command_lets_a_fleet_do_it_and_status_names_the_workers(  # noqa: PLR0917
    exchange: Sandbox,
    start_worker: StartWorker,
    url: str,
    ledger: Ledger,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("binance_dust.fleet._fleet.Timing", QuickTiming)
    accounts = [exchange.open_account(name, ADA="6.21", XRP="2") for name in ("alice", "bob")]
    accounts.append(exchange.open_account("carol", debts={"ETH": "0.001", "XRP": "1"}))
    rules: Any = {"cooldown": 0}
    worker = await start_worker(
        accounts, name="two", fleet="swept", ledger=ledger, liabilities=True, rules=rules
    )

    async def run(*arguments: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(main, [*arguments, "--fleet", url, "--fleet-name", "swept"])
        told = capfd.readouterr()
        return code, told.out, told.err

    code, out, _ = await run("sweep", "--keep", "XRP")
    assert (code, exchange.conversions) == (0, ())
    assert "alice spot dust planned" in out
    assert "A rehearsal: the exchange is on this machine" in out
    assert "Nothing was converted. Add --yes to do it." in out
    code, out, err = await run(
        "sweep", "--yes", "--keep", "XRP", "--wallet", "spot", "--wallet", "margin", "--liabilities"
    )
    assert code == 0, err
    assert "carol margin liabilities converted" in out
    assert "bob margin dust nothing to convert" in out
    done = [(each.account, row.asset) for each in exchange.conversions for row in each.rows]
    assert sorted(done) == [("alice", "ADA"), ("bob", "ADA")]
    code, _, err = await run("sweep", "--ledger", str(tmp_path / "b.db"))
    assert (code, err) == (
        2,
        "binance-dust: with --fleet, --ledger is an option of the workers\n",
    )

    code, out, _ = await run("fleet", "status")
    assert code == 0
    (row,) = [line.split() for line in out.splitlines() if line.startswith("two ")]
    assert row[:6] == ["two", "3", "0", "reads", "and", "converts"]
    assert "1 worker, 3 accounts, 3 of them at one worker only." in out
    code, out, _ = await run("fleet", "status", "--json")
    assert json.loads(out)["accounts"] == ["alice", "bob", "carol"]
    await worker.close()
    code, _, err = await run("fleet", "status")
    assert code == 1
    assert "no worker is there" in err


@pytest.mark.long
async def test_a_sweep_whose_program_is_killed_is_taken_up_and_converts_each_account_once(
    exchange: Sandbox, start: Start, url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    accounts = [exchange.open_account(f"account-{number}", ADA="6.21") for number in range(150)]
    books = ("--ledger", str(tmp_path / "books.db"))
    start(accounts, *books)
    start(accounts, *books)
    exchange.faults.delay(0.1, endpoint=DUST, times=None)
    command = (
        *(sys.executable, "-m", "binance_dust", "sweep", "--yes", "--every", "7d", "--json"),
        *("--fleet", url, "--fleet-name", request.node.name),
    )

    def ask() -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own interpreter
            command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL
        )

    pauses: list[float] = []
    for killed_at in (20, 60, 100, 150):
        program, began, before = ask(), time.monotonic(), len(exchange.conversions)
        await until(lambda before=before: len(exchange.conversions) > before)  # type: ignore[misc]
        pauses.append(time.monotonic() - began)
        await until(lambda least=killed_at: len(exchange.conversions) >= least)  # type: ignore[misc]
        program.kill()
        program.wait()
        # The workers finish what they have in hand.
        while (done := len(exchange.conversions)) < 150:
            await asyncio.sleep(2)
            if len(exchange.conversions) == done:
                break

    converted = Counter(each.account for each in exchange.conversions)
    assert converted == Counter(account.name for account in accounts)
    async with Ledger(tmp_path / "books.db") as ledger, asyncio.timeout(60):
        # The workers read the last answers.
        while [entry async for entry in ledger.entries(status=OPEN)]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        entries = [entry async for entry in ledger.entries()]
    assert Counter(entry.account for entry in entries) == converted
    assert {entry.status for entry in entries} == {"confirmed"}
    assert len(exchange.requests_of(DUST)) == 150
    told = ", ".join(f"{pause:.1f}" for pause in pauses)
    print(f"seconds from each start to the next conversion: {told}")  # noqa: T201 - figures


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("worker",), "name the fleet's Redis"),
        (("worker", "--fleet", "memory://"), "memory:// is within one process"),
        (
            ("worker", "--fleet", "redis://x", "--local-addr", "a", "--local-addr", "b"),
            "one address",
        ),
        (("scan", "--fleet"), "name the fleet's Redis"),
    ],
)
def test_wrong_use_is_an_error(
    arguments: tuple[str, ...],
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BINANCE_DUST_FLEET", raising=False)
    assert main(arguments) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "secret", "says"),
    [("192.0.2.77", None, "no connection"), (None, "w" * 64, "-1022 Signature")],
    ids=("address", "secret"),
)
async def test_a_worker_that_can_not_work_ends_with_two_and_says_why(  # noqa: PLR0917
    exchange: Sandbox,
    url: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    address: str | None,
    secret: str | None,
    says: str,
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    given = alice if secret is None else Credentials(alice.api_key, secret, name="alice")
    keys = write_accounts(tmp_path / "accounts.toml", [given])
    where = ("--fleet", url, "--base-url", exchange.url, "--accounts", str(keys), "--attempts", "1")
    bind = ("--local-addr", address) if address else ()

    code = await asyncio.to_thread(main, ("worker", *where, *bind, "--name", "one"))

    assert code == 2
    said = capfd.readouterr().err
    assert f"one takes no work: GET /sapi/v1/account/apiRestrictions (alice): {says}" in said
    assert "w" * 64 not in said


async def test_an_unreachable_redis_is_an_error(tmp_path: Path) -> None:
    timing = Timing(pulse=0.05, patience=0.2, wait=0.2)
    async with Fleet(f"unix://{tmp_path}/nothing.sock", timing=timing) as fleet:
        with pytest.raises(NotSentError, match="can't be reached") as caught:
            await anext(fleet.scan())
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("url", ["redis://me:canary@[", "redis://h:port/0", "nonsense"])
def test_a_url_that_can_not_be_read_is_one_clear_line(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BINANCE_DUST_FLEET", url)

    assert main(("worker", "--sandbox")) == 2
    said = capsys.readouterr().err
    assert said.count("\n") <= 2
    assert "url" in said
    assert "canary" not in said
