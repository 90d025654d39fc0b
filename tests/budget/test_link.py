"""The link of one process to the log, by itself: batches, heartbeats, outages; a log in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from binance_dust import ConfigurationError
from binance_dust.budget import Charge, Feedback, Lane, RateLimits
from binance_dust.budget._redis._encoding import decode
from binance_dust.budget._redis._link import Link
from binance_dust.budget._redis._member import RedisAdmission
from binance_dust.budget._redis._settings import Settings
from binance_dust.budget._redis._store import AwayError
from tests.budget.test_member import LIST, LOG, LoopTime
from tests.budget.virtual import VirtualLoop, run
from tests.worlds.shared import MemoryLog

CHANNEL = "link:"


class LinkStore:
    """The way of one process to a log."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.way = 0.0
        self.calls: list[tuple[Any, ...]] = []
        self.opened: list[Any] = []
        """What is called when each connection is lost."""
        self.tries = 0
        self.error: Exception | None = None
        self.fails_after = False
        """Whether a call is done, and fails then."""
        self.closed = 0

    async def open(self, channel: str, hear: Any, lost: Any) -> None:
        self.tries += 1
        await asyncio.sleep(self.way)
        if self.error is not None:
            raise self.error
        self.opened.append(lost)
        self.log.channels[channel] = (asyncio.get_running_loop(), hear, self)

    async def call(self, function: str, *arguments: Any) -> Any:
        error = self.error
        if error is not None and not self.fails_after:
            raise error
        await asyncio.sleep(self.way / 2)
        self.calls.append((function, *arguments))
        now = 1_000.0 + asyncio.get_running_loop().time()
        result = getattr(self.log, function)(now, *arguments)
        await asyncio.sleep(self.way / 2)
        if error is not None:
            raise error
        return result

    async def close(self) -> None:
        self.closed += 1

    def said(self, function: str) -> list[tuple[Any, ...]]:
        return [call[1:] for call in self.calls if call[0] == function]

    @property
    def batches(self) -> list[list[Any]]:
        """Every batch that was added: the process, what it had read, and operations."""
        return [decode(call[-1]) for call in self.said("append")]


class LinkBench:
    """One process, its store, and what its budget is told."""

    def __init__(self, log: MemoryLog | None = None, lease: float = 6.0) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.loop = loop
        self.settings = Settings(LoopTime(), lambda _: None, 60.0)
        self.settings.limits = RateLimits(requests_per_second=1e6)
        self.settings.lease = lease
        self.store = LinkStore(log or MemoryLog())
        self.lost: list[str] = []
        self.unsent: list[tuple[str, str, float]] = []
        self.link = Link(
            self.store,
            CHANNEL,
            self.settings,
            on_lost=self.lost.append,
            on_unsent=lambda charge, status, wait: self.unsent.append((charge.pool, status, wait)),
        )
        loop.endings.append(self.link.close)

    def another(self) -> LinkBench:
        return LinkBench(self.store.log)

    async def admit(self, charge: Charge = LIST) -> RedisAdmission:
        return await self.link.member.admit(charge, None, Lane.CALL, self.loop.time())

    async def opened(self) -> LinkBench:
        """Have the first call answered."""
        (await self.admit()).settle(Feedback(200))
        await self.link.flush()
        return self

    @property
    def ops(self) -> list[list[Any]]:
        """All that was said, in order."""
        return [op for batch in self.store.batches for op in batch[-1]]


# --- batches -------------------------------------------------------------------------------------


def test_what_is_said_in_one_turn_goes_at_once_and_the_rest_in_the_next_batch() -> None:
    async def main() -> None:
        bench = LinkBench()
        bench.store.way = 1.0
        for number in range(3):
            bench.link.say("look", "ip", f"GET /{number}", None)
        await asyncio.sleep(4.5)  # it connects, finds no state, begins one, and loads that
        bench.link.say("look", "ip", "GET /3", None)
        bench.link.say("look", "ip", "GET /4", None)
        await bench.link.flush()

        first, second = bench.store.batches
        assert [len(first[-1]), len(second[-1])] == [3, 2]
        assert [first[:2], second[:2]] == [[bench.link.pid, 0], [bench.link.pid, 1]]
        assert len(bench.store.opened) == 1
        assert bench.loop.time() == 6.0

    run(main())


def test_a_batch_has_five_hundred_operations_at_the_most() -> None:
    async def main() -> None:
        bench = LinkBench()
        for _ in range(1_001):
            bench.link.say("look", "ip", "GET /x", None)
        await bench.link.flush()
        assert [len(batch[-1]) for batch in bench.store.batches] == [500, 500, 1]

    run(main())


def test_the_exchanges_time_goes_along_and_what_is_wanted_in_ages() -> None:
    async def main() -> None:
        bench = LinkBench()
        bench.settings.clock.server_time = lambda: 7.0  # type: ignore[method-assign]
        bench.store.way = 1.0
        await bench.admit()
        (batch,) = bench.store.batches
        assert batch[3:5] == [6.0, 7.0]
        ((name, _, *fields),) = batch[-1]
        assert name == "ask"
        assert fields == ["ip", "GET /list", None, 100, "call", 4.0, 0.0, None, 60.0]

    run(main())


def test_a_lease_follows_the_slowest_round_trip_for_a_while() -> None:
    async def main() -> None:
        bench = await LinkBench(lease=3.0).opened()
        assert bench.link.lease == 3.0
        bench.store.way = 2.0
        await bench.link.read()
        assert bench.link.lease == 12.0
        bench.store.way = 0.0
        await bench.link.read()
        assert bench.link.lease == pytest.approx(12.0 * 0.98)
        assert bench.link.member.alive_until == bench.loop.time() + 12.0
        await bench.link.read()
        assert bench.store.batches[-1][3] == pytest.approx(12.0 * 0.98)

    run(main())


def test_the_time_of_the_log_goes_on_between_entries() -> None:
    async def main() -> None:
        bench = LinkBench()
        bench.store.way = 1.0
        await bench.link.read()
        at = bench.loop.time()
        assert bench.link.time() == 1_000.0 + at - 0.5
        await asyncio.sleep(7.0)
        assert bench.link.time() == 1_000.0 + at + 6.5
        bench.settings.clock.monotonic = lambda: 0.0  # type: ignore[method-assign]
        assert bench.link.time() == 1_000.0 + at - 0.5
        later = bench.another()
        await later.link.connect()
        assert later.link.replica is later.link.member.replica
        assert later.link.time() == 1_000.0 + at - 0.5

    run(main())


def test_nothing_is_asked_if_there_is_nothing_to_say_or_read() -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        calls = len(bench.store.calls)
        await asyncio.sleep(60.0)
        assert len(bench.store.calls) == calls
        await bench.link.read()
        assert bench.loop.timers == 0

    run(main())


def test_a_grant_that_took_too_long_is_confirmed_at_once() -> None:
    async def main() -> None:
        bench = await LinkBench(lease=6.0).opened()
        await asyncio.sleep(2.5)  # no heartbeat is due any more
        began, bench.store.way = bench.loop.time(), 7.0
        asking = asyncio.ensure_future(bench.admit())
        await asyncio.sleep(5.0)
        bench.store.way = 0.0
        await asking
        assert bench.loop.time() == began + 7.0

    run(main())


def test_news_that_come_while_it_reads_are_read_next() -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        bench.store.way, count = 1.0, len(bench.store.batches)
        reading = asyncio.ensure_future(bench.link.read())
        await asyncio.sleep(0.7)
        bench.link._take_message(b"0")
        await reading
        assert len(bench.store.batches) == count + 2

    run(main())


# --- others --------------------------------------------------------------------------------------


def test_who_is_concerned_is_told_to_read_and_who_hears_nothing_is_given_up() -> None:
    async def main() -> None:
        one = await LinkBench().opened()
        other = one.another()
        first = await other.admit(LOG)
        waiting = asyncio.ensure_future(one.admit(LOG))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        first.settle(Feedback(200))
        await asyncio.sleep(0.1)
        assert waiting.done()
        assert other.store.said("tell")[-1] == (CHANNEL + one.link.pid, 0)

        replica = other.link.replica
        assert replica is not None
        read = replica.members[one.link.pid].position
        one.store.log.channels.clear()
        await other.link._tell({one.link.pid: 0, other.link.pid: 0, "nobody": 0}, replica)
        assert [op for op in other.ops if op[0] == "gone"] == []
        await other.link.flush()
        assert [op for op in other.ops if op[0] == "gone"] == [["gone", one.link.pid, read]]

    run(main())


def test_many_are_told_in_several_calls() -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        replica = bench.link.replica
        assert replica is not None
        await bench.link._tell({str(number): number for number in range(60)}, replica)
        told = bench.store.said("tell")
        assert [len(pairs) for pairs in told] == [50, 50, 20]
        assert told[0][2:4] == (CHANNEL + "1", 1)

    run(main())


@pytest.mark.parametrize("waiting", [0, 40])
@pytest.mark.parametrize("written", [False, True])
def test_a_snapshot_is_written_after_many_batches_and_by_another_if_it_was_not(
    waiting: int, *, written: bool
) -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        replica = bench.link.replica
        assert replica is not None
        replica.waiters.update({("x", number): None for number in range(waiting)})  # type: ignore[misc]
        saves: list[tuple[int, int, int]] = []

        async def note(replica: Any, at: int, kept: int) -> None:
            saves.append((replica.position, at, kept))
            if written:
                bench.store.log.state["@at"] = str(replica.position).encode()
            await asyncio.sleep(0)

        bench.link._lives.save = note  # type: ignore[method-assign, assignment]
        while replica.position < 2 * 256 + 64 + waiting:
            await bench.link.read()
        first = 256 + waiting // 4
        second = first + 256 + waiting // 4 if written else first + 64
        assert saves[:2] == [(first, 0, 1_024), (second, first if written else 0, 1_024)]
        replica.waiters.clear()

    run(main())


def test_a_state_that_differs_is_loaded_anew(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        replica = bench.link.replica
        assert replica is not None
        await bench.link.read()
        (pool,) = replica.pools
        pool.valve.shut(replica.clock.at + 3.0)
        waiting = asyncio.ensure_future(bench.admit())
        await asyncio.sleep(0.1)
        await bench.link._lives.save(replica, 0, 0)
        replica.look_at[pool] += 100.0  # as it believes
        bench.link.member._set_timer(replica, pool)
        replica.members[bench.link.pid].check += 1
        await bench.link.read()
        assert bench.link.replica is not replica
        assert bench.lost == []
        await asyncio.sleep(3.1)
        assert waiting.done()
        assert [op[0] for op in bench.ops].count("ask") == 2
        waiting.result().release()

    run(main())
    assert "loaded anew" in caplog.text


# --- heartbeats ----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [0.0, 0.75])
def test_it_gives_signs_of_life_while_a_call_is_in_flight(way: float) -> None:
    async def main() -> None:
        bench = await LinkBench(lease=6.0).opened()
        bench.store.way = way
        admission = await bench.admit()
        began, count = bench.loop.time(), len(bench.store.batches)
        await asyncio.sleep(7.0)
        assert len(bench.store.batches) - count == 3, "one every two seconds"
        beats = [pairs for pairs in bench.store.said("tell") if pairs[1] != 0]
        assert beats == [(CHANNEL + bench.link.pid, beat) for beat in (1, 2, 3)]
        assert bench.link.member.alive_until == began + 6.0 + 6.0 - (way and 0.75)
        admission.release()
        await asyncio.sleep(20.0)
        assert len(bench.store.batches) - count in (4, 5)
        assert bench.lost == []

    run(main())


def test_messages_that_do_not_come_back_are_an_outage() -> None:
    async def main() -> None:
        bench = await LinkBench(lease=6.0).opened()
        await bench.admit()
        began = bench.loop.time()
        loop, _, store = bench.store.log.channels[CHANNEL + bench.link.pid]
        bench.store.log.channels[CHANNEL + bench.link.pid] = (loop, lambda _: None, store)
        await asyncio.sleep(5.9)
        assert bench.lost == []
        await asyncio.sleep(0.2)
        assert bench.lost == ["its messages don't arrive"]
        assert bench.loop.time() == pytest.approx(began + 6.1)
        await asyncio.sleep(20.0)
        assert len(bench.lost) == 1
        assert bench.loop.timers == 0

        beats = len(bench.store.said("tell"))
        await bench.link.connect()
        await asyncio.sleep(20.0)
        assert len(bench.lost) == 1, "they are counted anew"
        assert len(bench.store.said("tell")) > beats + 5

    run(main())


def test_a_message_asks_to_read_or_is_a_heartbeat_and_nothing_after_an_outage() -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        count = len(bench.store.batches)
        bench.link._take_message(b"5")
        bench.link._take_message(b"4")
        await bench.link.flush()
        assert (len(bench.store.batches), bench.link._heard_beat) == (count, 5)
        bench.link._take_message(b"0")
        await bench.link.flush()
        assert len(bench.store.batches) == count + 1
        bench.link.lose("x")
        bench.link._take_message(b"0")
        await bench.link.connect()
        await bench.link.flush()
        assert len(bench.store.batches) == count + 2, "what is new is read, once"

    run(main())


# --- outages -------------------------------------------------------------------------------------


def test_an_outage_is_told_once_and_refuses_who_waits() -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        bench.store.error = AwayError("gone")
        waiting = asyncio.ensure_future(bench.admit())
        await asyncio.sleep(0.1)
        assert bench.lost == ["gone"]
        with pytest.raises(AwayError, match="gone"):
            await waiting
        assert bench.loop.timers == 0
        bench.link.lose("again")
        bench.store.opened[0]("by the one that listens")
        assert bench.lost == ["gone"]

        bench.store.error = None
        await bench.link.connect()
        await bench.link.flush()
        assert [op[0] for op in bench.ops].count("ask") == 1, "who was refused asks no more"
        bench.store.opened[0]("late news of the first connection")
        assert bench.lost == ["gone"]
        bench.store.opened[1]("of this one")
        assert bench.lost == ["gone", "of this one"]

    run(main())


def test_a_redis_that_never_was_there_is_an_outage() -> None:
    async def main() -> None:
        bench = LinkBench()
        bench.store.error = AwayError("gone")
        with pytest.raises(AwayError, match="gone"):
            await bench.admit()
        await asyncio.sleep(1.0)
        assert (bench.lost, bench.store.tries) == (["gone"], 1)

    run(main())


def test_what_is_kept_is_not_sent_before_redis_is_back() -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        admission = await bench.admit()
        bench.store.way = 1.0
        reading = asyncio.ensure_future(bench.link.read())
        await asyncio.sleep(0.6)
        bench.link.lose("x")
        admission.unknown()
        count = len(bench.store.batches)
        await reading
        assert len(bench.store.batches) == count
        await bench.link.connect()
        await bench.link.flush()
        assert [op for op in bench.ops if op[0] == "unknown"] == [["unknown", admission.number]]

    run(main())


def test_a_process_that_was_given_up_asks_once_more() -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        replica = bench.link.replica
        assert replica is not None
        replica.pools[0].valve.shut(replica.clock.at + 30.0)
        waiting = asyncio.ensure_future(bench.admit())
        await asyncio.sleep(0.1)
        await bench.link._lives.save(replica, 0, 0)
        other = bench.another()
        await other.link.read()
        other.link.say("gone", bench.link.pid, replica.position)
        await other.link.flush()
        assert [op[0] for op in bench.ops].count("ask") == 2

        await bench.link.connect()
        await bench.link.flush()
        assert [op[0] for op in bench.ops].count("ask") == 3
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    run(main())


def test_who_waits_asks_again_if_that_was_lost() -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        first = await bench.admit(LOG)
        waiting = asyncio.ensure_future(bench.admit(LOG))
        await asyncio.sleep(0.1)
        del bench.store.log.log[-1]  # in a failover

        await bench.link.connect()
        await bench.link.flush()
        first.settle(Feedback(200))
        await asyncio.sleep(7.0)

        assert waiting.done()
        waiting.result().release()

    run(main())


def test_how_calls_end_in_an_outage_is_said_after_it_without_headers() -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        calls = [await bench.admit() for _ in range(6)]
        banned, refused, again, good, unknown, copied = calls
        bench.link.lose("x")
        banned.settle(Feedback(418, used_ip=7, retry_after=50.0))
        refused.settle(Feedback(429, used_ip=7, retry_after=None))
        again.settle(Feedback(429, retry_after=7.0))
        good.settle(Feedback(200, used_ip=7))
        unknown.unknown()
        copied.sent(extra=2) if bench.link.member.alive else None
        bench.link.say("look", "ip", "GET /x", None)
        assert bench.unsent == [
            ("GET /list", "banned", 51.0),
            ("GET /list", "refused", 0.0),
            ("GET /list", "refused", 7.0),
        ]
        before = len(bench.ops)

        await bench.link.connect(lambda: [["ban", 9.0]])
        await bench.link.flush()

        said = bench.ops[before:]
        assert said[0] == ["ban", 9.0]
        assert [op[0] for op in said[1:]] == [*["settle"] * 4, "unknown", "copies"]
        assert said[1][2:] == [418, None, None, None, 50.0, None, False]
        assert said[4][2:] == [200, None, None, None, None, None, False]
        assert bench.store.said("tell") == []
        await asyncio.sleep(3.0)
        assert bench.store.said("tell") != [], "it gives signs of life again"
        copied.release()

    run(main())


@pytest.mark.parametrize("arrived", [False, True])
def test_a_batch_that_was_on_its_way_is_said_again_unless_it_had_arrived(*, arrived: bool) -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        admission, other = [await bench.admit() for _ in range(2)]
        bench.store.fails_after = arrived
        bench.store.error = AwayError("gone")
        asking = asyncio.ensure_future(bench.admit())
        await asyncio.sleep(0)
        admission.settle(Feedback(200, used_ip=200))
        with pytest.raises(AwayError):
            await asking
        assert bench.lost == ["gone"]
        bench.store.error = None
        await bench.link.connect()
        bench.link.lose("again")
        await bench.link.connect()
        await bench.link.flush()

        settled = [op for op in bench.ops if op[:2] == ["settle", admission.number]]
        assert len(settled) == (2 if arrived else 1)
        replica = bench.link.replica
        assert replica is not None
        assert (bench.link.pid, other.number) in replica.calls
        assert (bench.link.pid, admission.number) not in replica.calls
        other.release()

    run(main())


@pytest.mark.parametrize("arrived", [False, True])
def test_a_batch_is_said_again_in_the_next_life_if_it_was_not_in_this(*, arrived: bool) -> None:
    """The log forgets everything; whoever asks has to load, with a batch on its way."""

    async def main() -> None:
        bench = await LinkBench().opened()
        admission = await bench.admit()
        other = bench.another()
        await asyncio.sleep(1.0)
        await other.link.read()
        await asyncio.sleep(4.0)
        waiting = asyncio.ensure_future(other.admit())
        bench.store.log.state, bench.store.log.log = {}, []
        admission.settle(Feedback(200))
        await bench.link.flush()
        replica = bench.link.replica
        assert replica is not None
        assert not replica.calls
        assert replica.known
        if arrived:
            await other.link.read()
        await asyncio.sleep(7.0)
        assert [op[0] for op in other.ops if op[0] != "look"] == ["ask", "knew", "ask"]
        knew = next(op for op in other.ops if op[0] == "knew")
        assert knew[3] == pytest.approx(-4.0), "seconds since it has read anything"
        assert waiting.done()
        waiting.result().release()
        assert bench.lost == other.lost == []

    run(main())


def test_a_reply_to_an_earlier_connection_is_not_taken() -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        bench.store.way = 1.0
        reading = asyncio.ensure_future(bench.link.read())
        await asyncio.sleep(0.6)
        bench.link.lose("x")
        bench.store.way = 0.0
        await bench.link.connect()
        replica = bench.link.replica
        bench.link.say("look", "ip", "GET /x", None)
        await reading
        await bench.link.flush()
        assert bench.lost == ["x"]
        assert bench.link.replica is replica
        assert bench.ops[-1] == ["look", "ip", "GET /x", None]

    run(main())


def test_a_configuration_that_does_not_fit_is_told_to_who_waits() -> None:
    async def main() -> None:
        bench = LinkBench()
        bench.store.error = ConfigurationError("another version")
        bench.link.say("look", "ip", "GET /x", None)
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="another version"):
                await bench.admit()
        await asyncio.sleep(1.0)
        assert (bench.lost, bench.store.tries) == ([], 2)
        bench.store.error = None
        (await bench.admit()).release()
        assert [op[0] for op in bench.ops] == ["ask"]

    run(main())


def test_a_bug_of_ours_is_an_outage_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        bench.store.error = ZeroDivisionError("by zero")
        with pytest.raises(AwayError):
            await bench.admit()
        assert bench.lost == ["ZeroDivisionError: by zero"]
        bench.store.error = None

    run(main())
    assert "the shared budget failed" in caplog.text


def test_news_that_cannot_be_told_are_an_outage_of_that_connection_only() -> None:
    async def main() -> None:
        bench = await LinkBench().opened()

        async def fail(_: int) -> None:
            await asyncio.sleep(1.0)
            raise AwayError("aside")

        bench.link._do_aside(fail, 1)
        await asyncio.sleep(0.5)
        bench.link.lose("x")
        await bench.link.connect()
        await bench.link.flush()
        assert bench.lost == ["x"]
        bench.link._do_aside(fail, 2)
        await bench.link.flush()
        assert bench.lost == ["x", "aside"]
        assert not bench.link._aside

    run(main())


def test_what_was_granted_or_watched_in_an_outage_is_found_after_it() -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        replica = bench.link.replica
        assert replica is not None
        (pool,) = replica.pools
        pool.valve.shut(replica.clock.at + 3.0)
        waiting = asyncio.ensure_future(bench.admit())
        await asyncio.sleep(0.1)
        await bench.link._lives.save(replica, 0, 0)
        await bench.link.connect()  # as after a failover that nobody noticed
        await bench.link.flush()
        assert not waiting.done()
        await asyncio.sleep(3.1)
        assert waiting.done()
        waiting.result().release()

    run(main())


# --- the end -------------------------------------------------------------------------------------


def test_at_the_end_all_is_said_and_that_it_is_the_end() -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        admission, _ = await bench.admit(), await bench.admit()
        replica = bench.link.replica
        assert replica is not None
        replica.pools[0].valve.shut(replica.clock.at + 30.0)
        waiting = asyncio.ensure_future(bench.admit())
        await asyncio.sleep(0.1)
        admission.settle(Feedback(200))
        await bench.link.close()

        with pytest.raises(ConfigurationError, match="closed"):
            await waiting
        assert [op[0] for op in bench.ops[-3:]] == ["ask", "settle", "quit"]
        assert bench.store.said("append")[-1][5] == 1
        assert bench.store.closed == 1
        assert bench.loop.timers == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}
        bench.link.say("look", "ip", "GET /x", None)
        await bench.link.flush()
        assert bench.ops[-1] == ["quit"]

    run(main())


def test_at_the_end_all_batches_are_sent() -> None:
    async def main() -> None:
        bench = await LinkBench().opened()
        for _ in range(501):
            bench.link.say("look", "ip", "GET /x", None)
        await bench.link.close()
        assert [op[0] for op in bench.ops[-502:]] == [*["look"] * 501, "quit"]
        alone = [call[5] for call in bench.store.said("append")]
        assert alone == [*[0] * (len(alone) - 1), 1], "the last one says that nobody is left"
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())


@pytest.mark.parametrize("when", ["never opened", "lost", "lost in the end"])
def test_at_the_end_without_redis_nothing_is_said(when: str) -> None:
    async def main() -> None:
        bench = LinkBench()
        if when != "never opened":
            await bench.opened()
        if when == "lost":
            bench.link.lose("x")
        else:
            bench.store.error = AwayError("gone")
        await bench.link.close()
        assert bench.store.closed == 1
        assert [op for op in bench.ops if op[0] == "quit"] == []
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert bench.loop.timers == 0

    run(main())


def test_what_is_told_at_the_end_is_not_waited_for() -> None:
    async def main() -> None:
        bench = LinkBench()
        await bench.admit(LOG)
        other = bench.another()
        waiting = asyncio.ensure_future(other.admit(LOG))
        await asyncio.sleep(0.1)
        began, bench.store.way = bench.loop.time(), 1.0
        await bench.link.close()
        assert bench.loop.time() == began + 1.0
        assert asyncio.all_tasks() == {asyncio.current_task(), waiting}
        await other.link.read()
        (await waiting).release()

    run(main())
