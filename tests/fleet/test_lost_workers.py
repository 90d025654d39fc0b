"""Workers come, leave and die, and messages are lost: every account is reported, and once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from binance_dust import (
    AccountReport,
    NotSentError,
)
from binance_dust.fleet import Fleet, Timing, Worker
from binance_dust.fleet._messages import WorkItem
from binance_dust.fleet._queues import FleetQueues, MemoryBroker
from binance_dust.sandbox import Sandbox
from tests.fleet.conftest import ASSETS, StartWorker, until


async def kill(worker: Worker) -> None:
    """End a worker so that it sends and receives nothing more."""
    for task in worker._running:
        task.cancel()
    await asyncio.gather(*worker._running, return_exceptions=True)
    worker._running.clear()
    await worker._queues.close()
    for job in worker._jobs.values():
        await job.stop_reading()


async def test_a_worker_that_comes_late_helps(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet
) -> None:
    accounts = exchange.open_accounts(40)
    await start_worker(accounts, room=4, concurrency=4)
    exchange.faults.delay(0.02, endpoint=ASSETS, times=None)

    reports = fleet.scan(liabilities=False)
    first = await anext(reports)
    await start_worker(accounts, name="late", room=4, concurrency=4)
    rest = [report async for report in reports]

    assert len({first.account, *(report.account for report in rest)}) == 40
    assert any(each.name == "late" and each.done > 3 for each in reports.progress.workers)


async def test_a_worker_that_closes_finishes_its_accounts_or_gives_them_back(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet
) -> None:
    accounts = exchange.open_accounts(40)
    leaver = await start_worker(accounts, name="leaver", room=8, grace=0.1)
    stuck = exchange.faults.delay(30, endpoint=ASSETS, account=accounts[-1].name, times=1)
    reports = fleet.scan(liabilities=False)

    first = await anext(reports)
    await until(lambda: stuck.hits)
    await start_worker(accounts, name="stayer", room=8)
    await leaver.close()
    assert leaver.in_hand == 0
    rest = [report async for report in reports]

    assert len(rest) == 39
    assert all(report.ok for report in rest)
    assert accounts[-1].name in {report.account for report in (first, *rest)}
    assert not any(each.here for each in reports.progress.workers if each.name == "leaver")


async def test_a_worker_that_dies_loses_no_account(
    exchange: Sandbox, start_worker: StartWorker, url: str
) -> None:
    accounts = exchange.open_accounts(30)
    victim = await start_worker(accounts, name="victim", room=10)
    # All that the victim asks, or it reports some on a machine so busy that it is lost meanwhile.
    stuck = exchange.faults.delay(30, endpoint=ASSETS, times=None)
    async with Fleet(url, timing=Timing(pulse=0.05, patience=0.3, wait=60)) as fleet:
        reports = fleet.scan(liabilities=False)
        waiting = asyncio.ensure_future(anext(reports))
        await until(lambda: stuck.hits >= 10)
        await kill(victim)
        stuck.cancel()
        await start_worker(accounts, name="heir")
        found = {(await waiting).account, *[report.account async for report in reports]}

    assert found == {account.name for account in accounts}
    heir = [each for each in reports.progress.workers if each.name == "heir"]
    assert [each.done for each in heir] == [30]


async def test_a_report_that_comes_twice_counts_once(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Worker._send

    async def twice(self: Worker, item: WorkItem, value: dict[str, Any]) -> None:
        await send(self, item, value)
        await send(self, item, value)

    monkeypatch.setattr(Worker, "_send", twice)
    await start_worker(exchange.open_accounts(10))

    assert len([report async for report in fleet.scan(liabilities=False)]) == 10


async def test_messages_that_are_lost_are_noticed(
    exchange: Sandbox, start_worker: StartWorker, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = exchange.open_accounts(20)
    await start_worker(accounts)
    kick = MemoryBroker.kick
    lost = {
        "binance_dust.visit": iter([True, False] * 4),
        "binance_dust.result": iter([False, True, True] * 3),
    }

    async def lossy(self: MemoryBroker, message: Any) -> None:
        if not next(lost.get(message.task_name, iter(())), False):
            await kick(self, message)

    monkeypatch.setattr(MemoryBroker, "kick", lossy)
    async with Fleet(url, timing=Timing(pulse=0.05, patience=0.4, wait=5)) as fleet:
        found = [report.account async for report in fleet.scan(liabilities=False)]

    assert sorted(found) == sorted(account.name or "" for account in accounts)


async def test_a_result_that_can_not_be_read_is_asked_for_again(
    exchange: Sandbox, start_worker: StartWorker, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of another version sent it, say."""
    send, spoilt = Worker._send, iter([True])

    async def other(self: Worker, item: WorkItem, value: dict[str, Any]) -> None:
        await send(self, item, {"of": "another version"} if next(spoilt, False) else value)

    monkeypatch.setattr(Worker, "_send", other)
    await start_worker(exchange.open_accounts(3))

    async with Fleet(url, timing=Timing(pulse=0.05, patience=0.5, gather=0.1, wait=5)) as fleet:
        found = [report async for report in fleet.scan(liabilities=False)]

    assert [report.ok for report in found] == [True] * 3


async def test_a_report_that_is_too_new_is_an_error_of_its_account(
    exchange: Sandbox, start_worker: StartWorker, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = AccountReport.to_plain

    def newer(report: AccountReport) -> dict[str, Any]:
        return written(report) | ({"format": 2} if report.account == "bob" else {})

    monkeypatch.setattr(AccountReport, "to_plain", newer)
    await start_worker([exchange.open_account(name, ADA="6.21") for name in ("alice", "bob")])

    # It is not answered for, so it takes as long as an account is waited for.
    async with Fleet(url, timing=Timing(pulse=0.05, patience=0.2, gather=0.05, wait=0.5)) as fleet:
        found = {report.account: report async for report in fleet.scan()}

    assert found["alice"].ok
    assert set(found["bob"].errors) == {"assets", "quote", "liabilities"}
    assert isinstance(found["bob"].errors["assets"], NotSentError)


async def test_a_fleet_that_dies_keeps_no_worker_busy(
    exchange: Sandbox, start_worker: StartWorker, url: str
) -> None:
    worker = await start_worker(exchange.open_accounts(10))
    slow = exchange.faults.delay(30, endpoint=ASSETS, times=None)
    async with Fleet(url, timing=Timing(pulse=0.02, patience=0.04, wait=5)) as fleet:
        reports = fleet.scan()
        waiting = asyncio.ensure_future(anext(reports))
        await until(lambda: slow.hits >= 10)
        # Killed: it sends no status request, and does not end its job.
        reports._job._queues = FleetQueues("memory://nowhere", "nobody")
        await reports._job._queues.open()
        await until(lambda: not worker.in_hand)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await reports._job._queues.close()
    assert worker.in_hand == 0


async def test_while_the_queues_are_unreachable_no_worker_is_lost(
    exchange: Sandbox, start_worker: StartWorker, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start_worker(exchange.open_accounts(5))
    slow = exchange.faults.delay(1.0, endpoint=ASSETS, times=None)
    send, down = FleetQueues.send, asyncio.Event()

    async def unreachable(self: FleetQueues, queue: str, task: str, message: Any) -> None:
        if down.is_set() and task == "binance_dust.roll_call":
            raise NotSentError("the fleet's queues can't be reached (ConnectionError)")
        await send(self, queue, task, message)

    monkeypatch.setattr(FleetQueues, "send", unreachable)
    async with Fleet(url, timing=Timing(pulse=0.05, patience=0.3, wait=5)) as fleet:
        reports = fleet.scan(liabilities=False)
        waiting = asyncio.ensure_future(anext(reports))
        await until(lambda: slow.hits)
        down.set()
        await asyncio.sleep(0.6)
        down.clear()
        found = [await waiting, *[report async for report in reports]]

    assert len(found) == 5
    assert [each.here for each in reports.progress.workers] == [True]
    assert len(exchange.requests_of(ASSETS)) == 5
    assert [account.tries for account in reports._job.assignments._accounts] == [1] * 5
