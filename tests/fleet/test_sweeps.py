"""Sweeps by a fleet: funds move where the ledger is, and at most once."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from binance_dust import GuardError, NotSentError
from binance_dust.fleet import Fleet, Timing, Worker
from binance_dust.fleet._queues import MemoryBroker
from binance_dust.ledger import Ledger
from binance_dust.sandbox import Sandbox
from binance_dust.sweeper import Outcome, SweepReport
from tests.fleet.conftest import StartWorker, until

DUST = "POST /sapi/v1/asset/dust"
RULES: Any = {"dry_run": False, "cooldown": 0}


async def all_of(fleet: Fleet, *names: str, **rules: Any) -> dict[str, SweepReport]:
    reports = fleet.sweep(names or "all", **rules)
    return {report.account: report async for report in reports}


async def test_a_sweep_converts_every_account_once(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, ledger: Ledger
) -> None:
    accounts = [exchange.open_account(f"account-{number}", ADA="6.21") for number in range(20)]
    await start_worker(accounts, name="one", ledger=ledger)
    await start_worker(accounts, name="two", ledger=ledger)

    found = await all_of(fleet, **RULES)

    assert Counter(report.outcome for report in found.values()) == {Outcome.CONVERTED: 20}
    assert Counter(each.account for each in exchange.conversions) == Counter(list(found))
    for report in found.values():
        assert report.receipt is not None
        (line,) = report.receipt.lines
        (done,) = [each for each in exchange.conversions if each.account == report.account]
        assert (line.asset, line.amount) == ("ADA", Decimal("6.21"))
        assert line.transaction_id == done.transaction_id
    entries = [entry async for entry in ledger.entries(status="confirmed")]
    assert len(entries) == 20


async def test_it_is_a_dry_run_unless_told_otherwise(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, ledger: Ledger
) -> None:
    await start_worker([exchange.open_account("alice", ADA="6.21", XRP="1")], ledger=ledger)

    found = await all_of(fleet, keep=("XRP",), cooldown=timedelta(0), min_value=Decimal("0.0001"))

    assert found["alice"].outcome is Outcome.PLANNED
    assert found["alice"].quote is not None
    assert found["alice"].quote.assets == ("ADA",)
    assert exchange.conversions == ()


async def test_a_worker_has_rules_of_its_own_for_each_account(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, ledger: Ledger
) -> None:
    accounts = [exchange.open_account(name, ADA="6.21", XRP="1") for name in ("alice", "bob")]
    own = {"alice": {"keep": ["ADA"]}, "bob": {"account_types": ["MARGIN"]}}
    rules: Any = {"keep": ["XRP"], "cooldown": 0}
    await start_worker(accounts, ledger=ledger, rules=rules, each=lambda each: own[each.name])

    found = await all_of(fleet, dry_run=True, keep=("BTC",))

    assert found["alice"].quote is not None
    assert found["alice"].quote.assets == ("XRP",)
    assert found["bob"].outcome is Outcome.STOPPED
    assert "dust of MARGIN only" in str(found["bob"].error)


async def test_a_worker_without_a_ledger_moves_nothing(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet
) -> None:
    await start_worker([exchange.open_account("alice", ADA="6.21")])

    found = await all_of(fleet, **RULES)

    assert found["alice"].outcome is Outcome.FAILED
    assert isinstance(found["alice"].error, NotSentError)
    assert exchange.requests == ()


async def test_workers_with_different_ledgers_of_an_account_do_not_convert_it(  # noqa: PLR0917
    exchange: Sandbox,
    start_worker: StartWorker,
    url: str,
    ledger: Ledger,
    stack: AsyncExitStack,
    tmp_path: Path,
) -> None:
    alice, bob = exchange.open_account("alice", ADA="6"), exchange.open_account("bob", ADA="6")
    other = await stack.enter_async_context(Ledger(tmp_path / "other.db"))
    await start_worker([alice, bob], ledger=ledger)
    await start_worker([alice], ledger=other)

    timing = Timing(pulse=0.05, patience=2.0, gather=1.0, wait=0.5)
    async with Fleet(url, timing=timing) as fleet:
        found = await all_of(fleet, **RULES)

    assert found["bob"].outcome is Outcome.CONVERTED
    assert found["alice"].outcome is Outcome.FAILED
    assert "different ledgers" in str(found["alice"].error)
    assert [each.account for each in exchange.conversions] == ["bob"]


async def test_an_order_that_comes_twice_is_carried_out_once(
    exchange: Sandbox,
    start_worker: StartWorker,
    url: str,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accounts = [exchange.open_account(f"account-{number}", ADA="6.21") for number in range(5)]
    kick = MemoryBroker.kick
    orders: list[Any] = []

    async def twice(self: MemoryBroker, message: Any) -> None:
        await kick(self, message)
        await kick(self, message)
        if message.task_name == "binance_dust.convert":
            orders.append(message)

    monkeypatch.setattr(MemoryBroker, "kick", twice)
    await start_worker(accounts, ledger=ledger)
    # "nobody" is waited for, so that the job goes on for longer than the conversions take.
    timing = Timing(pulse=0.05, patience=2.0, gather=0.1, wait=3.0)
    names = [account.name or "" for account in accounts]
    async with Fleet(url, timing=timing) as fleet:
        reports = fleet.sweep([*names, "nobody"], **RULES)
        found = [await anext(reports) for _ in accounts]

        # Once more, now that it is done, and that there is dust again.
        for name in names:
            exchange.account(name).deposit("ADA", "1.5")
        for order in orders:
            await kick(fleet._queues._sender, order)  # type: ignore[arg-type]
        last = [report async for report in reports]

    assert {report.outcome for report in found} == {Outcome.CONVERTED}, found
    assert [report.account for report in last] == ["nobody"]
    assert len(exchange.requests_of(DUST)) == 5


async def test_the_outcome_of_a_conversion_with_a_lost_result_is_read_in_the_ledger(
    exchange: Sandbox,
    start_worker: StartWorker,
    url: str,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice = exchange.open_account("alice", ADA="6.21", XRP="2")
    send, lost = Worker._send, iter([True])

    async def lossy(self: Worker, item: Any, value: dict[str, Any]) -> None:
        if not next(lost, False):
            await send(self, item, value)
        else:
            # And there is new dust, which must not be converted.
            exchange.account("alice").deposit("ADA", "1.5")

    monkeypatch.setattr(Worker, "_send", lossy)
    await start_worker([alice], ledger=ledger)

    async with Fleet(url, timing=Timing(pulse=0.05, patience=0.5, gather=0.1, wait=5)) as fleet:
        found = await all_of(fleet, **RULES)

    assert found["alice"].outcome is Outcome.CONVERTED
    (entry,) = found["alice"].settled
    assert entry.status == "confirmed"
    assert sorted(line.asset for line in entry.lines) == ["ADA", "XRP"]
    assert len(exchange.requests_of(DUST)) == 1


async def test_an_order_that_was_lost_before_anything_was_sent_is_reported_so(
    exchange: Sandbox,
    start_worker: StartWorker,
    url: str,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    await start_worker([alice], ledger=ledger)
    lost = iter([True])
    kick = MemoryBroker.kick

    async def lossy(self: MemoryBroker, message: Any) -> None:
        if message.task_name != "binance_dust.convert" or not next(lost, False):
            await kick(self, message)

    monkeypatch.setattr(MemoryBroker, "kick", lossy)
    async with Fleet(url, timing=Timing(pulse=0.05, patience=0.5, gather=0.1, wait=5)) as fleet:
        found = await all_of(fleet, **RULES)

    assert found["alice"].outcome is Outcome.STOPPED
    assert isinstance(found["alice"].error, GuardError)
    assert "lost before it sent anything" in str(found["alice"].error)
    assert exchange.requests_of(DUST) == ()


async def test_an_order_that_comes_too_late_is_not_carried_out(
    exchange: Sandbox,
    start_worker: StartWorker,
    url: str,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    await start_worker([alice], ledger=ledger)
    kick = MemoryBroker.kick
    late: list[Any] = []

    async def slow(self: MemoryBroker, message: Any) -> None:
        if message.task_name == "binance_dust.convert" and not late:
            late.append(message)
            return
        await kick(self, message)

    monkeypatch.setattr(MemoryBroker, "kick", slow)
    async with Fleet(url, timing=Timing(pulse=0.05, patience=0.5, gather=0.1, wait=1)) as fleet:
        reports = fleet.sweep(["alice", "nobody"], **RULES)
        first = await anext(reports)
        # Its outcome was found out meanwhile: now it comes.
        await kick(fleet._queues._sender, late[0])  # type: ignore[arg-type]
        rest = [report async for report in reports]

    assert first.outcome is Outcome.STOPPED
    assert [report.account for report in rest] == ["nobody"]
    assert exchange.requests_of(DUST) == ()


async def test_a_worker_that_has_not_heard_its_fleet_for_long_moves_nothing(
    exchange: Sandbox, start_worker: StartWorker, url: str, ledger: Ledger
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    worker = await start_worker([alice], ledger=ledger)
    slow = exchange.faults.delay(0.6, endpoint="POST /sapi/v1/asset/dust-btc", times=None)
    async with Fleet(url, timing=Timing(pulse=0.05, patience=0.6, gather=0.1, wait=30)) as fleet:
        waiting = asyncio.ensure_future(all_of(fleet, **RULES))
        await until(lambda: slow.hits)
        # Cut off: the fleet's messages don't arrive, and it takes the worker for lost.
        for task in worker._running[:2]:
            task.cancel()
        await until(lambda: not worker.in_hand)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert exchange.requests_of(DUST) == ()


async def test_a_conversion_that_has_begun_is_waited_for_when_its_worker_ends(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, ledger: Ledger
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    slow = exchange.faults.delay(0.3, endpoint=DUST, times=None)
    worker = await start_worker([alice], ledger=ledger, grace=0.01)

    waiting = asyncio.ensure_future(all_of(fleet, **RULES))
    await until(lambda: slow.hits)
    await worker.close()

    found = await waiting
    assert found["alice"].outcome is Outcome.CONVERTED
    assert found["alice"].receipt is not None


async def test_a_conversion_that_has_begun_is_waited_for_when_its_fleet_leaves(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, ledger: Ledger
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    slow = exchange.faults.delay(0.3, endpoint=DUST, times=None)
    worker = await start_worker([alice], ledger=ledger, grace=0.01)

    waiting = asyncio.ensure_future(all_of(fleet, **RULES))
    await until(lambda: slow.hits)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await until(lambda: not worker._jobs)
    await worker.close()

    assert [entry.status async for entry in ledger.entries()] == ["confirmed"]
