"""Somebody writes to a fleet's queues: nothing moves, nothing is told, and the work goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from taskiq.kicker import AsyncKicker

from binance_dust.fleet import Fleet, Worker
from binance_dust.fleet._messages import (
    CONVERT,
    END_JOB,
    ESTIMATE,
    READ,
    REQUEST_STATUS,
    RESULT,
    STATUS,
)
from binance_dust.fleet._queues import FleetQueues, MemoryBroker, _memory_queues
from binance_dust.ledger import Ledger
from binance_dust.sandbox import Sandbox
from binance_dust.sweeper import Outcome
from tests.fleet.conftest import TIMING, StartWorker, until

KEY = "a key that fleet and workers share"
JOB = {"job": "evil", "reply_to": "binance-dust:evil", "known": [], "rest": 0, "patience": 60.0}


class Intruder:
    """Writes to the queues, without the key, and reads what comes back."""

    def __init__(self, url: str) -> None:
        self._queues = FleetQueues(url, "binance-dust")
        self._url = url

    async def send(self, queue: str, task: str, message: dict[str, Any]) -> None:
        broker = MemoryBroker(_memory_queues(self._url), "")
        kicker: Any = AsyncKicker(task, broker, {"queue_name": f"binance-dust:{queue}"})
        await kicker.kiq(message)

    async def order(self, worker: Worker, task: str, account: str, **options: Any) -> None:
        now = asyncio.get_running_loop().time()
        item = {
            "job": "evil",
            "number": 0,
            "account": account,
            "reply_to": "binance-dust:evil",
            "asks": options,
            "tick": now,
        }
        await self.send("bulletin", REQUEST_STATUS, JOB)
        await asyncio.sleep(0.05)
        await self.send(worker._id, task, item)
        await asyncio.sleep(0.05)

    def answers(self) -> MemoryBroker:
        return MemoryBroker(_memory_queues(self._url), "binance-dust:evil")


@pytest.fixture
def intruder(url: str) -> Intruder:
    return Intruder(url)


async def test_with_a_key_nobody_else_is_believed_or_answered(  # noqa: PLR0917 - fixtures
    exchange: Sandbox,
    start_worker: StartWorker,
    url: str,
    ledger: Ledger,
    intruder: Intruder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    accounts = [exchange.open_account("alice", ADA="6.21")]
    worker = await start_worker(accounts, ledger=ledger, key=KEY, rules={"cooldown": 0})
    answers = intruder.answers()
    await answers.startup()

    await intruder.order(worker, CONVERT, "alice", dry_run=False)
    await intruder.order(worker, READ, "alice")
    await intruder.order(worker, ESTIMATE, "alice", accounts=["alice"])

    assert exchange.conversions == ()
    assert exchange.requests == ()
    assert answers._inbox is not None
    assert answers._inbox.empty(), "not even who is there is told"
    assert "not believed" in caplog.text
    await answers.shutdown()
    async with Fleet(url, timing=TIMING, key=KEY) as fleet:
        reports = [report async for report in fleet.sweep(dry_run=False)]
    assert [report.outcome for report in reports] == [Outcome.CONVERTED]


@pytest.mark.parametrize("keys", [(KEY, None), (None, KEY), (KEY, KEY + "!")])
async def test_fleet_and_workers_without_the_same_key_do_not_meet(
    exchange: Sandbox, start_worker: StartWorker, url: str, keys: tuple[Any, Any]
) -> None:
    await start_worker([exchange.open_account("alice", ADA="6.21")], key=keys[0])

    async with Fleet(url, timing=TIMING, key=keys[1]) as fleet:
        reports = [report async for report in fleet.scan(["alice"])]

    assert [report.ok for report in reports] == [False]
    assert exchange.requests == ()


@pytest.mark.parametrize(
    "options",
    [
        {"dry_run": False, "liabilities": True},
        {"dry_run": False, "keep": [], "max_fee_rate": "1", "cooldown": -5},
        {"dry_run": False, "every": -1},
        {"dry_run": False, "above": "convert"},
        {"dry_run": False, "cooldown": 1e300},
    ],
)
async def test_without_a_key_too_only_what_is_listed_is_done(
    exchange: Sandbox,
    start_worker: StartWorker,
    ledger: Ledger,
    intruder: Intruder,
    options: dict[str, Any],
) -> None:
    account = exchange.open_account("alice", ADA="6.21", margin=True)
    worker = await start_worker([account], ledger=ledger)

    await intruder.order(worker, CONVERT, "alice", **options)

    assert not [seen for seen in exchange.requests if seen.method == "POST" and "dust" in seen.path]
    assert exchange.conversions == ()


async def test_a_worker_keeps_to_its_own_rules(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, ledger: Ledger
) -> None:
    account = exchange.open_account("alice", ADA="6.21", XRP="1.5")
    await start_worker([account], ledger=ledger, rules={"keep": ["XRP"], "min_value": "0.00001"})

    reports = [report async for report in fleet.sweep(dry_run=False, keep=(), cooldown=0)]
    again = [report async for report in fleet.sweep(dry_run=False, keep=(), cooldown=0)]

    assert [report.outcome for report in reports] == [Outcome.CONVERTED]
    assert {row.asset for each in exchange.conversions for row in each.rows} == {"ADA"}
    assert again[0].outcome is not Outcome.CONVERTED


@pytest.mark.parametrize("patience", [1e9, 0, -1, float("nan"), float("inf"), "x"])
async def test_no_job_is_held_for_ever(
    exchange: Sandbox, start_worker: StartWorker, intruder: Intruder, patience: Any
) -> None:
    worker = await start_worker([exchange.open_account("alice")])

    await intruder.send("bulletin", REQUEST_STATUS, JOB | {"patience": patience})
    await asyncio.sleep(0.05)

    assert worker._jobs == {}


async def test_more_jobs_than_there_can_be_are_not_held(
    exchange: Sandbox, start_worker: StartWorker, intruder: Intruder
) -> None:
    worker = await start_worker([exchange.open_account("alice")])

    for number in range(400):
        await intruder.send("bulletin", REQUEST_STATUS, JOB | {"job": f"j{number}"})
    await until(lambda: len(worker._jobs) >= 256)
    await asyncio.sleep(0.05)

    assert len(worker._jobs) == 256


BAD_NUMBERS = (-1, 10**6, 2**40, 10**400, 1.5, "0", None)


async def test_a_bad_number_or_a_made_up_result_ends_no_job(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, intruder: Intruder
) -> None:
    accounts = [exchange.open_account(f"a{number}", ADA="6.21") for number in range(3)]
    slow = exchange.faults.delay(0.4, endpoint="/sapi/v3/asset/getUserAsset", times=None)
    worker = await start_worker(accounts)
    stream = fleet.scan()
    reading = asyncio.ensure_future(anext(stream))
    await until(lambda: slow.hits)
    job = stream._job.id
    report = {"account": "a1", "target": "BNB", "at": "2026-01-01T00:00:00Z", "format": 1}
    for number in BAD_NUMBERS:
        for value in ({}, report, {"account": "a1", "at": 10**30}):
            result = {"job": job, "number": number, "worker": "evil", "value": value}
            await intruder.send(job, RESULT, result)
    status = {"worker": "evil", "name": "evil", "room": 10**30, "clock": 1e300, "tick": 0.0}
    for change in ({}, {"room": -1}, {"room": 5, "clock": float("nan")}, {"holding": ["x"]}):
        await intruder.send(job, STATUS, status | change)
    await intruder.send(job, RESULT, {"job": job, "number": 0, "worker": "w", "value": report})

    reports = [await reading, *[report async for report in stream]]

    assert sorted(report.account for report in reports) == ["a0", "a1", "a2"]
    assert all(report.ok for report in reports)
    assert worker.in_hand == 0


async def test_the_end_of_a_job_is_believed_only_with_the_key(
    exchange: Sandbox, start_worker: StartWorker, url: str, intruder: Intruder
) -> None:
    slow = exchange.faults.delay(0.3, endpoint="/sapi/v3/asset/getUserAsset", times=None)
    await start_worker([exchange.open_account("alice", ADA="6.21")], key=KEY)
    async with Fleet(url, timing=TIMING, key=KEY) as fleet:
        stream = fleet.scan()
        reading = asyncio.ensure_future(anext(stream))
        await until(lambda: slow.hits)
        await intruder.send("bulletin", END_JOB, JOB | {"job": stream._job.id})

        assert (await reading).ok
        await stream.aclose()
        assert slow.hits <= 2
