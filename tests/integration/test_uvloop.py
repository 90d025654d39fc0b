"""The same on uvloop's event loop: reads, funds, faults, a deadline, an end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from binance_dust import (
    BudgetExceededError,
    Converter,
    Ledger,
    NoAnswerError,
    OutcomeUnknownError,
    RateLimits,
    RetryPolicy,
    Session,
    scan,
)
from binance_dust.cli import _loop_factory
from binance_dust.sandbox import Sandbox

uvloop = pytest.importorskip("uvloop")

Scene = Callable[[Sandbox], Coroutine[Any, Any, None]]


async def read_many(exchange: Sandbox) -> None:
    keys = [exchange.open_account(f"account-{n}", ADA="6.21") for n in range(20)]
    async with Session(base_url=exchange.url) as session:
        reports = [report async for report in scan(map(session.client, keys))]

    assert sorted(report.account for report in reports) == sorted(key.label for key in keys)
    assert all(report.ok for report in reports)


async def convert(exchange: Sandbox) -> None:
    async with Session(base_url=exchange.url) as session, Ledger(":memory:") as ledger:
        client = session.client(exchange.open_account("alice", ADA="6.21"))
        converter = Converter(client, ledger=ledger)
        await converter.convert(await converter.quote())

        assert [entry.status async for entry in ledger.entries()] == ["confirmed"]


async def lose_answers(exchange: Sandbox) -> None:
    retry = RetryPolicy(attempts=2, max_wait=0.01)
    async with Session(base_url=exchange.url, retry=retry) as session:
        client = session.client(exchange.open_account("alice", ADA="6.21"))
        exchange.faults.lose_answer(after_executing=True)
        await client.user_assets()  # asked again
        exchange.faults.lose_answer(after_executing=True)
        with pytest.raises(OutcomeUnknownError):
            await client.dust_transfer(["ADA"])


async def run_out_of_time(exchange: Sandbox) -> None:
    alice = exchange.open_account("alice", debts={"ETH": "0.0011"})
    exchange.faults.delay(30.0, endpoint="/sapi/v3/asset/getUserAsset")
    limits, retry = RateLimits(ip_weight=100, window=1e9), RetryPolicy(attempts=1)
    async with Session(base_url=exchange.url, limits=limits, retry=retry, timeout=0.1) as session:
        await session.client(alice).small_liabilities()
        with pytest.raises(BudgetExceededError):
            await session.client(alice, deadline=0.5).small_liabilities()
        with pytest.raises(NoAnswerError, match="timeout"):
            await session.client(alice).user_assets()


async def wait_in_short_windows(exchange: Sandbox) -> None:
    """Often a timer is due at once, which uvloop makes a handle without a time."""
    keys = [exchange.open_account(f"account-{n}", ADA="6.21") for n in range(60)]
    limits = RateLimits(ip_weight=20, window=0.002, requests_per_second=1e6)
    async with Session(base_url=exchange.url, limits=limits) as session:
        reports = [r async for r in scan(map(session.client, keys), liabilities=False)]

    assert all(report.ok for report in reports)


async def close_and_cancel(exchange: Sandbox) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    fault = exchange.faults.delay(30.0, endpoint="/sapi/v3/asset/getUserAsset")
    async with Session(base_url=exchange.url) as session:
        call = asyncio.create_task(session.client(alice).user_assets())
        while not fault.hits:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    assert call.cancelled()


@pytest.mark.parametrize(
    "scene",
    [
        read_many,
        convert,
        lose_answers,
        run_out_of_time,
        wait_in_short_windows,
        close_and_cancel,
    ],
)
def test_it_is_the_same_on_uvloop(scene: Scene) -> None:
    async def main() -> None:
        assert type(asyncio.get_running_loop()).__module__ == "uvloop"
        async with Sandbox() as exchange:
            await scene(exchange)

    uvloop.run(main())


def test_commands_run_on_uvloop_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _loop_factory() is uvloop.new_event_loop

    monkeypatch.setitem(sys.modules, "uvloop", None)

    assert _loop_factory() is None
