"""A process that shares a budget, by itself: what it says to all, and what it makes of the log."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from binance_dust import BudgetExceededError, NotSentError
from binance_dust.budget import Charge, Feedback, Lane, LimitKind, RateLimits
from binance_dust.budget._queue import MovedError
from binance_dust.budget._redis._member import OTHERS_LATER, RedisAdmission, SharedMember, Ticket
from binance_dust.budget._redis._settings import Settings
from binance_dust.events import Banned, Event, Refused, Waited
from tests.budget.test_replica import ReplicaLog, ask, good
from tests.budget.virtual import VirtualLoop, run

LIST = Charge("GET /list", LimitKind.IP, 100)
LOG = Charge("GET /log", LimitKind.IP, 1)


class LoopTime:
    """The loop's clock; the exchange's time is not known."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def server_time(self) -> float | None:
        return None

    now = monotonic


class MemberBench:
    """The process `a`, the log, and all that was said and heard."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.loop = loop
        self.events: list[Event] = []
        settings = Settings(LoopTime(), self.events.append, 60.0)
        settings.limits, settings.lease = RateLimits(requests_per_second=1e6), 5.0
        self.said: list[Any] = []
        self.member = SharedMember(settings, "a", self._say)
        self.log = ReplicaLog()
        self.began = self.log.at
        self.member.replica = self.log.replica
        self.member.alive_until = 1e9
        self.log.opened()

    def _say(self, *op: Any) -> None:
        self.said.append(op[0] if isinstance(op[0], Ticket) else list(op))

    def told(self) -> list[list[Any]]:
        """Take what was said since, as all hear it."""
        said, self.said = self.said, []
        now = self.loop.time()
        return [op.told(now, 60.0) if isinstance(op, Ticket) else op for op in said]

    def flush(self, ops: list[list[Any]] | None = None) -> None:
        """Let all hear it, and take what comes of it."""
        batch = self.told() if ops is None else ops
        self.say("a", *batch)
        self.member.acknowledged(batch)
        self.member.take(self.log.replica, self.loop.time())

    def say(self, pid: str, *ops: list[Any], lease: float = 1e6) -> None:
        self.log.at = max(self.log.at, self.began + self.loop.time())
        self.log.say(pid, *ops, after=0.0, lease=lease)

    async def ask(self, charge: Charge = LIST, **options: Any) -> asyncio.Task[RedisAdmission]:
        asked = self.loop.time()
        options = {"deadline": None, "lane": Lane.CALL} | options
        task = asyncio.ensure_future(self.member.admit(charge, asked=asked, **options))
        await asyncio.sleep(0)
        return task

    async def admitted(self, charge: Charge = LIST) -> RedisAdmission:
        task = await self.ask(charge)
        self.flush()
        return await task

    async def used_up(self) -> None:
        """Let another process spend all of a window."""
        self.say("b", *[ask(ticket) for ticket in range(1, 120)])
        self.say("b", *[good(ticket) for ticket in range(1, 120)])


# --- calls end -----------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["settle", "unknown", "release"])
def test_only_the_first_end_of_a_call_is_said(first: str) -> None:
    async def main() -> None:
        bench = MemberBench()
        call = await bench.admitted()
        ends = {
            "settle": lambda: call.settle(Feedback(200, used_ip=300)),
            "unknown": call.unknown,
            "release": call.release,
        }
        assert bench.member.busy
        assert bench.member.open_calls() == [[call.number, "ip", "GET /list", None, 100]]

        ends[first]()
        for end in ends.values():
            end()
        call.sent(extra=1)
        call.sent()

        (op,) = bench.told()
        assert op[:2] == [first, call.number]
        bench.flush([op])
        assert not bench.member.busy
        assert bench.member.charge_of(call.number) is None
        assert call.weight == 100

    run(main())


def test_copies_are_said_and_count_with_the_call() -> None:
    async def main() -> None:
        bench = MemberBench()
        call = await bench.admitted()
        call.sent(extra=1)
        call.sent(extra=2)

        assert bench.told() == [["copies", call.number, 1], ["copies", call.number, 2]]
        assert bench.member.open_calls()[0][-1] == 400
        bench.flush([["copies", call.number, 2]])
        assert bench.member.charge_of(call.number) is LIST

    run(main())


@pytest.mark.parametrize(
    ("answer", "news"),
    [
        (Feedback(200), []),
        (Feedback(429, retry_after=7.0), [["spent", "ip", "GET /list", None, [], 0, 7.0]]),
        (Feedback(429, retry_after=0.0), [["spent", "ip", "GET /list", None, [], 0, 60.0]]),
        (Feedback(418, retry_after=90.0), [["ban", 91.0]]),
    ],
)
def test_what_a_call_has_met_is_told_though_it_was_given_up(
    answer: Feedback, news: list[Any]
) -> None:
    """The others took this process for dead, and know nothing of its call any more."""

    async def main() -> None:
        bench = MemberBench()
        call = await bench.admitted()
        bench.say("b")
        bench.say("b", ["gone", "a", bench.log.replica.members["a"].position])
        assert not bench.log.replica.calls
        assert not bench.member.stopped(call)

        call.settle(answer)

        settled, *more = bench.told()
        assert settled[:3] == ["settle", call.number, answer.status]
        assert more == [[*op[:-1], pytest.approx(op[-1])] for op in news]

    run(main())


# --- a refusal that was met here -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "elsewhere"),
    [
        (Feedback(429, retry_after=7.0), False),
        (Feedback(418, retry_after=60.0), True),
        (Feedback(200, retry_after=60.0, banned_until=1.0), True),
        (Feedback(429, retry_after=60.0, banned_until=1.0), True),
        (Feedback(403, walled=True), True),
    ],
)
def test_calls_stop_at_a_refusal_before_and_after_the_others_know_it(
    answer: Feedback, *, elsewhere: bool
) -> None:
    async def main() -> None:
        bench = MemberBench()
        first, own, other = [await bench.admitted(each) for each in (LIST, LIST, LOG)]
        own.sent()
        first.settle(answer)
        for _ in range(2):
            assert bench.member.stopped(own)
            assert bench.member.stopped(other) is elsewhere
            bench.flush()
        assert [type(event) for event in bench.events] == (
            [] if answer.walled else [Banned if elsewhere else Refused]
        )
        with pytest.raises(NotSentError):
            own.sent()
        assert bench.told() == [["release", own.number]]

    run(main())


def test_a_good_answer_stops_nothing() -> None:
    async def main() -> None:
        bench = MemberBench()
        first, own = [await bench.admitted() for _ in range(2)]
        first.settle(Feedback(200))
        assert not bench.member.stopped(own)
        bench.member.replica = None
        assert not bench.member.stopped(own)

    run(main())


@pytest.mark.parametrize(
    ("refused", "answer", "stale"),
    [
        (LIST, Feedback(429, retry_after=7.0), True),
        (LOG, Feedback(429, retry_after=7.0), False),
        (LOG, Feedback(418, retry_after=30.0), True),
    ],
)
@pytest.mark.parametrize("known", [False, True])
def test_a_grant_from_before_a_refusal_is_given_back_and_asked_for_again(
    refused: Charge, answer: Feedback, *, stale: bool, known: bool
) -> None:
    """The others admitted a call, and heard of the refusal in the same batch or not at all yet."""

    async def main() -> None:
        bench = MemberBench()
        met = await bench.admitted(refused)
        task = await bench.ask()
        batch = bench.told()
        met.settle(answer)
        if known:
            batch += bench.told()
        bench.flush(batch)
        await asyncio.sleep(0)

        assert task.done() is not stale
        said = bench.told()
        asked = [op for op in said if op[0] != "settle"]
        if stale:
            number = batch[0][1]
            assert asked[0] == ["release", number]
            assert asked[1][0] == "ask"
            assert asked[1][1] not in (number, met.number)
            assert len(asked) == 2
            bench.flush(said)
            assert bench.member.busy
            assert bench.loop.timers == 1
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert bench.told()[-1][:2] == ["leave", asked[1][1]]
        else:
            assert asked == []
            task.result()
        assert bench.loop.timers == 0

    run(main())


def test_a_call_that_asks_again_is_granted_in_the_end() -> None:
    async def main() -> None:
        bench = MemberBench()
        met = await bench.admitted()
        task = await bench.ask()
        batch = bench.told()
        met.settle(Feedback(429, retry_after=7.0))
        bench.flush(batch)
        bench.flush()
        await asyncio.sleep(7.1)
        bench.flush()
        await asyncio.sleep(0)
        task.result().release()
        bench.flush()
        assert not bench.member.busy

    run(main())


def test_positions_of_a_log_that_begins_anew_are_not_those_of_the_old_one() -> None:
    async def main() -> None:
        bench = MemberBench()
        met = await bench.admitted()
        met.settle(Feedback(429, retry_after=7.0))
        bench.flush()
        anew = bench.log = ReplicaLog().opened()
        bench.member.replica = anew.replica
        assert bench.member.reconcile(anew.replica) == []

        await bench.admitted()

    run(main())


def test_a_grant_of_after_a_refusal_that_all_know_is_used() -> None:
    async def main() -> None:
        bench = MemberBench()
        met = await bench.admitted()
        met.settle(Feedback(429, retry_after=7.0))
        bench.flush()
        await asyncio.sleep(8.0)

        await bench.admitted()

    run(main())


# --- grants --------------------------------------------------------------------------------------


def test_a_grant_is_used_only_while_all_must_take_this_process_for_alive() -> None:
    async def main() -> None:
        bench = MemberBench()
        bench.member.alive_until = bench.loop.time()
        tasks = [await bench.ask(charge) for charge in (LIST, LOG)]
        assert not bench.member.alive
        bench.flush()
        assert bench.member.unsure
        assert not any(task.done() for task in tasks)

        ticket = next(iter(bench.log.replica.calls.values())).ticket
        bench.say("a", ["release", ticket])  # as others do with what a dead process was granted
        bench.member.alive_until += 1.0
        bench.member.take(bench.log.replica, bench.loop.time())
        await asyncio.sleep(0)

        assert not bench.member.unsure
        assert [task.done() for task in tasks] == [False, True]
        bench.member.alive_until = bench.loop.time()
        with pytest.raises(NotSentError, match="is void"):
            tasks[1].result().sent()
        assert bench.told() == [["release", tasks[1].result().number]]
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(main())


@pytest.mark.parametrize("seconds", [0.0, 0.5, 61.0])
def test_who_has_waited_is_told(seconds: float) -> None:
    async def main() -> None:
        bench = MemberBench()
        await asyncio.sleep(7.0)
        if seconds:
            bench.log.pool.valve.shut(bench.began + 7.0 + seconds)
        task = await bench.ask()
        bench.flush()
        await asyncio.sleep(seconds + 1e-3)
        bench.flush()
        await asyncio.sleep(0)

        assert task.done()
        told = [event.seconds for event in bench.events if isinstance(event, Waited)]
        assert told == ([pytest.approx(seconds, abs=0.01)] if seconds else [])

    run(main())


def test_a_call_that_is_said_to_be_granted_twice_is_granted_once() -> None:
    async def main() -> None:
        bench = MemberBench()
        call = await bench.admitted()
        bench.log.replica.granted = list(bench.log.replica.calls.values())
        bench.member.take(bench.log.replica, bench.loop.time())
        assert bench.told() == []
        call.release()

    run(main())


@pytest.mark.parametrize(
    "when", ["asked", "waiting", "granted", "granted meanwhile", "granted later"]
)
def test_a_call_that_is_cancelled_gives_back_what_it_had(when: str) -> None:
    async def main() -> None:
        bench = MemberBench()
        if when == "waiting":
            await bench.used_up()
        task = await bench.ask()
        number = bench.said[0].number
        if when == "granted meanwhile":
            batch = bench.told()
            task.cancel()
            bench.flush(batch)
        elif when == "granted later":
            batch = bench.told()
            task.cancel()
            await asyncio.sleep(0)
            assert bench.told() == [["leave", number]]
            bench.flush(batch)
        elif when != "asked":
            bench.flush()
            task.cancel()
        else:
            task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)

        assert isinstance(result, asyncio.CancelledError)
        end = "release" if when.startswith("granted") else "leave"
        assert [op for op in bench.told() if op[0] != "ask"] == [[end, number]]
        assert bench.loop.timers == 0

    run(main())


def test_a_call_that_was_refused_as_it_is_cancelled_gives_nothing_back() -> None:
    async def main() -> None:
        bench = MemberBench()
        task = await bench.ask()
        bench.told()
        bench.member.refuse_all(BudgetExceededError("x", pool="x", retry_after=1.0))
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(result, asyncio.CancelledError)
        assert bench.told() == []

    run(main())


def test_a_call_that_is_refused_just_after_it_was_cancelled_is_cancelled() -> None:
    async def main() -> None:
        bench = MemberBench()
        await bench.used_up()
        late, task = await bench.ask(deadline=-1.0), await bench.ask()
        batch = bench.told()
        late.cancel()
        await asyncio.sleep(0)
        bench.flush(batch)
        task.cancel()
        bench.member.refuse_all(BudgetExceededError("x", pool="x", retry_after=1.0))
        for result in await asyncio.gather(late, task, return_exceptions=True):
            assert isinstance(result, asyncio.CancelledError)

    run(main())


def test_waiters_are_refused_each_with_an_error_of_its_own() -> None:
    async def main() -> None:
        bench = MemberBench()
        await bench.used_up()
        tasks = [await bench.ask() for _ in range(2)]
        assert bench.member.busy
        bench.flush()
        assert bench.loop.timers == 1
        tasks.append(await bench.ask(LOG))
        bench.member.alive_until = 0.0
        bench.flush()
        assert bench.member.unsure
        error = BudgetExceededError("x", pool="x", retry_after=1.0)
        bench.member.refuse_all(error)
        results = await asyncio.gather(*tasks, return_exceptions=True)

        assert all(isinstance(each, BudgetExceededError) for each in results)
        assert len({id(each) for each in (error, *results)}) == 4
        assert not bench.member.unsure
        assert not bench.member.busy
        assert bench.loop.timers == 0

    run(main())


def test_a_refusal_by_all_is_for_the_waiter_that_it_names() -> None:
    async def main() -> None:
        bench = MemberBench()
        await bench.used_up()
        tasks = [await bench.ask(deadline=at) for at in (None, 2.0)]
        bench.flush()
        await asyncio.sleep(0)

        assert [task.done() for task in tasks] == [False, True]
        assert isinstance(tasks[1].exception(), BudgetExceededError)
        assert bench.log.replica.refused == []
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(main())


def test_only_those_who_wait_for_another_payers_pool_are_moved() -> None:
    async def main() -> None:
        bench = MemberBench()
        await bench.used_up()
        moved, kept = await bench.ask(), await bench.ask(Charge("GET /other", LimitKind.IP, 9))
        paid = await bench.ask(Charge("GET /list", LimitKind.UID, 100, "ann"))
        number = bench.said[0].number
        bench.told()

        bench.member.move("GET /list", LimitKind.UID)
        await asyncio.sleep(0)

        assert bench.told() == [["leave", number]]
        error = moved.exception()
        assert isinstance(error, MovedError)
        assert error.payer is LimitKind.UID
        for task in (kept, paid):
            assert not task.done()
            task.cancel()
        await asyncio.gather(kept, paid, return_exceptions=True)
        assert not bench.member.busy

    run(main())


# --- places --------------------------------------------------------------------------------------


def test_calls_of_one_moment_are_spaced_as_the_limit_allows() -> None:
    async def main() -> None:
        bench = MemberBench()
        await asyncio.sleep(7.0)
        tasks = [await bench.ask() for _ in range(3)]
        tasks += [await bench.ask(lane=Lane.SCAN), await bench.ask(LOG)]
        await asyncio.sleep(0.1)
        tasks.append(await bench.ask())
        await asyncio.sleep(5.0)
        tasks.append(await bench.ask(deadline=13.0))
        told = bench.told()

        waited, behind, left, patience = zip(*[op[-4:] for op in told], strict=True)
        assert waited == pytest.approx([5.1] * 5 + [5.0, 0.0])
        assert behind == pytest.approx([0.0, 0.5, 1.0, 0.0, 0.0, 0.9, 0.0])
        assert left == (*[None] * 6, pytest.approx(0.9))
        assert set(patience) == {60.0}
        assert [op[6] for op in told] == [*["call"] * 3, "scan", *["call"] * 3]
        bench.member.refuse_all(BudgetExceededError("x", pool="x", retry_after=1.0))
        await asyncio.gather(*tasks, return_exceptions=True)

    run(main())


# --- after an outage -----------------------------------------------------------------------------


def test_others_who_know_an_older_state_hear_what_is_true() -> None:
    async def main() -> None:
        bench = MemberBench()
        open_call = await bench.admitted()
        await bench.used_up()
        waits, unheard = await bench.ask(), await bench.ask()
        known, told_later = bench.told(), bench.said
        bench.say("a", known[0], ["ask", 77, *known[0][2:]])
        bench.say("b", ask(300), ["ask", known[1][1], "ip", "GET /log", None, 1, *known[1][6:]])
        assert ("b", known[1][1]) in bench.log.replica.calls
        bench.log.replica.calls["a", 88] = next(iter(bench.log.replica.calls.values()))
        assert told_later == []

        ops = bench.member.reconcile(bench.log.replica)

        assert ops[:2] == [["leave", 77], ["release", 88]]
        (again,) = ops[2:]
        assert isinstance(again, Ticket)
        assert again.number == known[1][1]
        assert not bench.member.unsure
        open_call.release()
        for task in (waits, unheard):
            task.cancel()
        await asyncio.gather(waits, unheard, return_exceptions=True)

    run(main())


def test_what_was_granted_in_an_outage_is_found() -> None:
    async def main() -> None:
        bench = MemberBench()
        task = await bench.ask()
        batch = bench.told()
        bench.say("b", ["ask", batch[0][1], *batch[0][2:]])
        bench.say("a", *batch)
        bench.log.replica.granted.clear()

        assert bench.member.reconcile(bench.log.replica) == []
        bench.member.take(bench.log.replica, bench.loop.time())
        await asyncio.sleep(0)

        task.result().release()
        assert bench.told() == [["release", batch[0][1]]]

    run(main())


def test_a_process_that_was_taken_for_dead_asks_again() -> None:
    async def main() -> None:
        bench = MemberBench()
        await bench.used_up()
        task = await bench.ask()
        batch = bench.told()
        bench.flush(batch)
        bench.say("b", ["gone", "a", bench.log.replica.members["a"].position])
        assert bench.log.replica.died
        bench.say("a", ["ask", 77, *batch[0][2:]])  # it was on its way, and then given up

        bench.member.take(bench.log.replica, bench.loop.time())

        assert bench.told() == [["leave", 77], *batch]
        bench.member.take(bench.log.replica, bench.loop.time())
        assert bench.told() == [], "once"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(main())


# --- timers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "lease", "later"),
    [("a", 5.0, 0.0), ("b", 5.0, 5.0 * OTHERS_LATER), ("b", 40.0, 40.0 * OTHERS_LATER)],
)
def test_a_queue_is_looked_at_in_time_and_later_if_its_head_is_anothers(
    owner: str, lease: float, later: float
) -> None:
    async def main() -> None:
        bench = MemberBench()
        bench.log.pool.valve.shut(bench.began + 3.0)
        if owner == "b":
            bench.say("b", ask(300), lease=lease)
            bench.flush()
            assert bench.loop.timers == 0, "nobody waits here"
        task = await bench.ask()
        bench.flush()
        (pool,) = bench.log.replica.look_at

        def due() -> float:
            return bench.log.replica.look_at[pool] - bench.log.replica.clock.at

        await asyncio.sleep(due() - 0.25)
        bench.flush([["look", "ip", "GET /list", None]])
        await asyncio.sleep(due() + later)
        assert bench.told() == []
        await asyncio.sleep(1e-5)
        assert bench.told() == [["look", "ip", "GET /list", None]]
        assert bench.loop.timers == 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(main())


def test_an_empty_queue_is_not_looked_at_though_a_call_is_on_its_way_there() -> None:
    async def main() -> None:
        bench = MemberBench()
        bench.log.pool.valve.shut(bench.began + 3.0)
        bench.say("b", ask(300))
        task = await bench.ask()
        bench.say("b", ["leave", 300])
        bench.member.take(bench.log.replica, bench.loop.time())
        assert bench.loop.timers == 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(main())
