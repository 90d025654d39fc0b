"""Many addresses asked as one, over real sockets, within one process."""

from __future__ import annotations

import asyncio
import pickle
from contextlib import AsyncExitStack
from typing import Any

import pytest

from binance_dust import (
    ConfigurationError,
    Credentials,
    CredentialsError,
    NotSentError,
    RateLimits,
    Session,
    estimate_scan,
    scan,
)
from binance_dust.fleet import Fleet, Timing, Worker
from binance_dust.fleet._memory import MemoryBroker
from binance_dust.fleet._messages import Errand
from binance_dust.fleet._post import Post, wait
from binance_dust.sandbox import Sandbox
from tests.fleet.conftest import TIMING, WINDOW, Hire, until

ASSETS = "POST /sapi/v3/asset/getUserAsset"
INFO = "GET /sapi/v1/account/info"


def at_work() -> list[str]:
    """Find what is left of any job."""
    names = ("Job.", "Round.", "AccountScan.", "_ScanRun.", "hearing", "Survey.")
    coroutines = [repr(task.get_coro()) for task in asyncio.all_tasks()]
    return [text for text in coroutines if any(name in text for name in names)]


async def settle(*workers: Worker) -> None:
    """Let what was told to end come to its end, however busy the machine is."""
    for _ in range(2000):
        if not at_work() and not any(worker.in_hand for worker in workers):
            return
        await asyncio.sleep(0.005)


async def test_a_fleet_reports_what_a_scan_does(
    exchange: Sandbox, hire: Hire, fleet: Fleet, stack: AsyncExitStack
) -> None:
    accounts = exchange.open_accounts(30)
    await hire(accounts, name="one")
    await hire(accounts, name="two")

    reports = fleet.scan(target="USDT")
    found = {report.account: report async for report in reports}

    session = await stack.enter_async_context(Session(base_url=exchange.url))
    clients = [session.client(account) for account in accounts]
    async for report in scan(clients, target="USDT"):
        theirs = found.pop(report.account)
        for part in ("target", "assets", "quote", "liabilities", "settled_by", "errors"):
            assert getattr(theirs, part) == getattr(report, part)
    assert found == {}
    progress = reports.progress
    assert (progress.done, progress.total, progress.failed) == (30, 30, 0)
    assert progress.seconds_left == 0.0
    assert {each.name for each in progress.workers} <= {"one", "two"}
    assert sum(each.done for each in progress.workers) == 30


async def test_each_account_is_asked_by_an_address_that_has_its_key(
    exchange: Sandbox, hire: Hire, fleet: Fleet
) -> None:
    accounts = exchange.open_accounts(12)
    await hire(accounts[:8])
    await hire(accounts[4:])

    assert len([report async for report in fleet.scan(liabilities=False)]) == 12

    names = [account.name for account in accounts]
    for seen in exchange.requests_of(ASSETS):
        mine = names[:8] if seen.address == "127.0.0.1" else names[4:]
        assert seen.account in mine


async def test_a_result_that_can_not_be_read_is_asked_for_again(
    exchange: Sandbox, hire: Hire, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of another version sent it, say."""
    send, spoilt = Worker._send, iter([True])

    async def other(self: Worker, errand: Errand, value: dict[str, Any]) -> None:
        await send(self, errand, {"of": "another version"} if next(spoilt, False) else value)

    monkeypatch.setattr(Worker, "_send", other)
    await hire(exchange.open_accounts(3))

    async with Fleet(url, timing=Timing(pulse=0.05, patience=0.5, gather=0.1, wait=5)) as fleet:
        found = [report async for report in fleet.scan(liabilities=False)]

    assert [report.ok for report in found] == [True] * 3


async def test_one_bad_account_does_not_end_it(exchange: Sandbox, hire: Hire, fleet: Fleet) -> None:
    accounts = [*exchange.open_accounts(5), Credentials("k" * 64, "s" * 64, name="stranger")]
    await hire(accounts)

    found = {report.account: report async for report in fleet.scan()}

    assert len(found) == 6
    assert [name for name, report in found.items() if not report.ok] == ["stranger"]
    assert isinstance(found["stranger"].errors["assets"], CredentialsError)


async def test_names_may_be_chosen_and_left_out_and_an_unknown_one_is_told(
    exchange: Sandbox, hire: Hire, fleet: Fleet
) -> None:
    accounts = exchange.open_accounts(6)
    await hire(accounts)

    names = [account.name or "" for account in accounts]
    found = {
        report.account: report
        async for report in fleet.scan([*names[:4], "nobody"], skip=names[:2], liabilities=False)
    }

    assert set(found) == {*names[2:4], "nobody"}
    assert set(found["nobody"].errors) == {"assets", "quote", "liabilities"}
    error = found["nobody"].errors["assets"]
    assert isinstance(error, NotSentError)
    assert "no worker has its key" in str(error)
    assert len(exchange.requests_of(ASSETS)) == 2


async def test_with_nobody_there_it_says_so(fleet: Fleet) -> None:
    with pytest.raises(NotSentError, match="no worker is there"):
        await anext(fleet.scan())
    with pytest.raises(NotSentError, match="no worker is there"):
        await fleet.estimate()
    (report,) = [report async for report in fleet.scan(["alice"])]
    assert not report.ok
    assert [report async for report in fleet.scan([])] == []


async def test_a_worker_that_comes_late_helps(exchange: Sandbox, hire: Hire, fleet: Fleet) -> None:
    accounts = exchange.open_accounts(40)
    await hire(accounts, room=4, concurrency=4)
    exchange.faults.delay(0.02, endpoint=ASSETS, times=None)

    reports = fleet.scan(liabilities=False)
    first = await anext(reports)
    await hire(accounts, name="late", room=4, concurrency=4)
    rest = [report async for report in reports]

    assert len({first.account, *(report.account for report in rest)}) == 40
    assert any(each.name == "late" and each.done > 3 for each in reports.progress.workers)


async def test_a_worker_that_ends_finishes_or_gives_back_what_it_has(
    exchange: Sandbox, hire: Hire, fleet: Fleet
) -> None:
    accounts = exchange.open_accounts(40)
    leaver = await hire(accounts, name="leaver", room=8, grace=0.1)
    stuck = exchange.faults.delay(30, endpoint=ASSETS, account=accounts[-1].name, times=1)
    reports = fleet.scan(liabilities=False)

    first = await anext(reports)
    await until(lambda: stuck.hits)
    await hire(accounts, name="stayer", room=8)
    await leaver.close()
    assert leaver.in_hand == 0
    rest = [report async for report in reports]

    assert len(rest) == 39
    assert all(report.ok for report in rest)
    assert accounts[-1].name in {report.account for report in (first, *rest)}
    assert not any(each.here for each in reports.progress.workers if each.name == "leaver")


async def kill(worker: Worker) -> None:
    """End a worker such that it says nothing more, and hears nothing more."""
    for line in worker._lines:
        line.cancel()
    await asyncio.gather(*worker._lines, return_exceptions=True)
    worker._lines.clear()
    await worker._post.close()
    for engagement in worker._engagements.values():
        await engagement.drop()


async def test_a_worker_that_dies_loses_no_account(exchange: Sandbox, hire: Hire, url: str) -> None:
    accounts = exchange.open_accounts(30)
    victim = await hire(accounts, name="victim", room=10)
    stuck = exchange.faults.delay(30, endpoint=ASSETS, times=10)
    async with Fleet(url, timing=Timing(pulse=0.05, patience=0.3, wait=5)) as fleet:
        reports = fleet.scan(liabilities=False)
        waiting = asyncio.ensure_future(anext(reports))
        await until(lambda: stuck.hits >= 10)
        await kill(victim)
        await hire(accounts, name="heir")
        found = {(await waiting).account, *[report.account async for report in reports]}

    assert found == {account.name for account in accounts}
    heir = [each for each in reports.progress.workers if each.name == "heir"]
    assert [each.done for each in heir] == [30]


async def test_a_report_that_comes_twice_is_dropped(
    exchange: Sandbox, hire: Hire, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Worker._send

    async def twice(self: Worker, errand: Errand, value: dict[str, Any]) -> None:
        await send(self, errand, value)
        await send(self, errand, value)

    monkeypatch.setattr(Worker, "_send", twice)
    await hire(exchange.open_accounts(10))

    assert len([report async for report in fleet.scan(liabilities=False)]) == 10


async def test_messages_that_are_lost_are_noticed(
    exchange: Sandbox, hire: Hire, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = exchange.open_accounts(20)
    await hire(accounts)
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


async def test_leaving_early_leaves_nothing_running(
    exchange: Sandbox, hire: Hire, fleet: Fleet
) -> None:
    accounts = exchange.open_accounts(40)
    worker = await hire(accounts)
    # The last one, for the first call of a budget goes alone.
    exchange.faults.delay(30, endpoint=INFO, account=accounts[-1].name, times=None)

    async with fleet.scan() as reports:
        async for _ in reports:
            break
    await settle(worker)

    assert at_work() == []
    assert worker.in_hand == 0
    # And it is there for the next.
    assert len([report async for report in fleet.scan(liabilities=False)]) == 40


async def test_a_cancelled_scan_leaves_nothing_running(
    exchange: Sandbox, hire: Hire, fleet: Fleet
) -> None:
    worker = await hire(exchange.open_accounts(10))
    slow = exchange.faults.delay(30, endpoint=ASSETS, times=None)

    async def consume() -> None:
        async for _ in fleet.scan():
            pass

    task = asyncio.create_task(consume())
    await until(lambda: slow.hits >= 10)
    assert at_work()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settle(worker)

    assert at_work() == []
    assert worker.in_hand == 0


async def test_a_fleet_that_dies_keeps_no_worker_busy(
    exchange: Sandbox, hire: Hire, url: str
) -> None:
    worker = await hire(exchange.open_accounts(10))
    slow = exchange.faults.delay(30, endpoint=ASSETS, times=None)
    async with Fleet(url, timing=Timing(pulse=0.02, patience=0.04, wait=5)) as fleet:
        reports = fleet.scan()
        waiting = asyncio.ensure_future(anext(reports))
        await until(lambda: slow.hits >= 10)
        # Killed: it calls no roll, and dismisses nobody.
        reports._job._post = type(reports._job._post)("memory://nowhere", "nobody")
        await reports._job._post.open()
        await until(lambda: not worker.in_hand)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await reports._job._post.close()
    assert worker.in_hand == 0


@pytest.mark.parametrize("ticks", range(4))
async def test_waiting_forgets_no_cancellation(ticks: int) -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(wait(event, 60))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    event.set()
    for _ in range(ticks):
        await asyncio.sleep(0)
    told = waiting.cancel()
    await asyncio.wait([waiting])

    assert waiting.cancelled() == told


async def test_two_fleets_share_their_workers(
    exchange: Sandbox, hire: Hire, fleet: Fleet, url: str
) -> None:
    await hire(exchange.open_accounts(20), room=8)

    async def read() -> int:
        async with Fleet(url, timing=TIMING) as another:
            return len([report async for report in another.scan(liabilities=False)])

    assert list(await asyncio.gather(read(), read(), read())) == [20, 20, 20]


async def test_who_is_busy_for_one_fleet_has_no_room_for_another(
    exchange: Sandbox, hire: Hire, fleet: Fleet, url: str
) -> None:
    worker = await hire(exchange.open_accounts(20), room=8)
    exchange.faults.delay(30, endpoint=ASSETS, times=None)
    first = fleet.scan(liabilities=False)
    waiting = [asyncio.ensure_future(anext(first))]
    await until(lambda: worker.in_hand == 8)
    async with Fleet(url, timing=TIMING) as another:
        second = another.scan(liabilities=False)
        waiting.append(asyncio.ensure_future(anext(second)))
        await until(lambda: len(worker._engagements) == 2)
        await asyncio.sleep(0.2)

        assert worker.in_hand == 8
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_while_the_post_is_away_nobody_is_blamed(
    exchange: Sandbox, hire: Hire, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hire(exchange.open_accounts(5))
    slow = exchange.faults.delay(1.0, endpoint=ASSETS, times=None)
    send, down = Post.send, asyncio.Event()

    async def unreachable(self: Post, queue: str, task: str, message: Any) -> None:
        if down.is_set() and task == "binance_dust.roll_call":
            raise NotSentError("the fleet's post can't be reached (ConnectionError)")
        await send(self, queue, task, message)

    monkeypatch.setattr(Post, "send", unreachable)
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


async def test_fleets_of_different_names_do_not_meet(
    exchange: Sandbox, hire: Hire, url: str
) -> None:
    await hire(exchange.open_accounts(2), fleet="theirs")
    async with Fleet(url, name="ours", timing=TIMING) as fleet:
        with pytest.raises(NotSentError, match="no worker is there"):
            await anext(fleet.scan())


async def test_a_slow_reader_is_waited_for(
    exchange: Sandbox, hire: Hire, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("binance_dust.fleet._job._UNREAD", 4)
    await hire(exchange.open_accounts(30), room=3, concurrency=2)
    reports = fleet.scan(liabilities=False)

    first = await anext(reports)
    await asyncio.sleep(0.1)
    # Four may wait, and those that were in hand by then.
    assert reports.progress.done <= 8
    rest = [report async for report in reports]
    assert len({first.account, *(report.account for report in rest)}) == 30


async def test_an_estimate_is_that_of_the_slowest_part(
    exchange: Sandbox, hire: Hire, fleet: Fleet, stack: AsyncExitStack
) -> None:
    accounts = [exchange.open_account(f"a{number}", margin=True) for number in range(500)]
    await hire(accounts, name="one")
    await hire(accounts, name="two")

    found = await fleet.estimate(liabilities=True)

    limits = RateLimits(window=WINDOW)
    session = await stack.enter_async_context(Session(base_url=exchange.url, limits=limits))
    half = estimate_scan([session.client(each) for each in accounts[:250]], liabilities=True)
    assert found.accounts == 500
    assert found.seconds == pytest.approx(half.seconds, rel=0.5)
    assert {lane.session for lane in found.lanes} == {0, 1}
    assert (
        sum(lane.weight for lane in found.lanes if lane.question == "small_liabilities") == 50_000
    )
    assert exchange.requests == ()


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda fleet: fleet.scan("alice"), TypeError),
        (lambda fleet: fleet.scan([1]), TypeError),
        (lambda fleet: fleet.scan(target=" "), ConfigurationError),
        (lambda fleet: fleet.scan(liabilities="never"), ConfigurationError),
        (lambda fleet: Fleet("http://example.org"), ConfigurationError),
        (lambda fleet: Fleet(name=" "), ConfigurationError),
        (lambda fleet: Fleet(timing=Timing(pulse=1, patience=1)), ConfigurationError),
        (lambda fleet: Timing(pulse=0), ConfigurationError),
        (lambda fleet: Worker([]), ConfigurationError),
        (lambda fleet: Worker(["alice"]), TypeError),  # type: ignore[list-item]
    ],
)
async def test_wrong_use_is_told_before_anything_is_sent(
    fleet: Fleet, wrong: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        wrong(fleet)


async def test_nothing_of_it_is_pickled_and_no_url_shows(
    exchange: Sandbox, hire: Hire, fleet: Fleet
) -> None:
    worker = await hire(exchange.open_accounts(1))
    for thing in (worker, fleet):
        with pytest.raises(TypeError):
            pickle.dumps(thing)
    assert "secret" not in repr(Fleet("redis://:secret@queue"))
    twice = [Session().client(Credentials("a", "b", name="alice")) for _ in range(2)]
    with pytest.raises(ConfigurationError, match="two accounts are called 'alice'"):
        Worker(twice)


async def test_only_names_travel(
    exchange: Sandbox, hire: Hire, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = exchange.open_accounts(3)
    sent: list[bytes] = []
    kick = MemoryBroker.kick

    async def overheard(self: MemoryBroker, message: Any) -> None:
        sent.append(message.message)
        await kick(self, message)

    monkeypatch.setattr(MemoryBroker, "kick", overheard)
    await hire(accounts)
    assert len([report async for report in fleet.scan()]) == 3

    everything = b"".join(sent)
    assert b"binance_dust.visit" in everything
    for account in accounts:
        assert (account.name or "").encode() in everything
        assert account.secret.reveal().encode() not in everything
        assert account.api_key.encode() not in everything


async def test_a_fleet_is_opened_once_and_again_after_it_was_closed(url: str) -> None:
    async with Fleet(url, timing=TIMING) as fleet:
        senders = fleet._post._sender, fleet._post._bulletin
        with pytest.raises(ConfigurationError, match="open already"):
            await fleet.open()
        assert (fleet._post._sender, fleet._post._bulletin) == senders

    async with fleet:
        assert [report.account async for report in fleet.scan(["alice"])] == ["alice"]
