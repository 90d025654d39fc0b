"""The lives of a log, one process after another: what is loaded, lost, begun anew and kept."""

from __future__ import annotations

import math
from typing import Any

import pytest

from binance_dust import ConfigurationError
from binance_dust.budget import RateLimits
from binance_dust.budget._redis._encoding import encode
from binance_dust.budget._redis._lives import AT, EPOCH, Lives
from binance_dust.budget._redis._script import layout
from binance_dust.budget._redis._settings import Settings
from binance_dust.budget._redis._store import AwayError
from binance_dust.budget._redis._stored import StoredReplica
from tests.budget.bench import StoppedClock
from tests.budget.test_replica import LIST, ask, good
from tests.worlds.shared import MemoryLog

BAN = [418, None, None, None, 60.0, None, False]


class LogStore:
    """A log in memory, with a clock that is set by hand."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.at = 1_000.0
        self.calls: list[tuple[Any, ...]] = []
        self.before_create: Any = lambda: None

    async def open(self, *_: Any) -> None: ...
    async def close(self) -> None: ...

    async def call(self, function: str, *arguments: Any) -> Any:
        self.calls.append((function, *arguments))
        if function == "create":
            self.before_create()
        return getattr(self.log, function)(self.at, *arguments)

    def said(self, function: str) -> tuple[Any, ...]:
        """Return the arguments of the last call of a function."""
        return next(call[1:] for call in reversed(self.calls) if call[0] == function)


class LivesBench:
    """One process at a log."""

    def __init__(self, store: LogStore, pid: str = "a", **limits: Any) -> None:
        self.store = store
        self.pid = pid
        self.settings = Settings(StoppedClock(), lambda _: None, math.inf)
        self.settings.limits = RateLimits(**{"requests_per_second": 1e6, **limits})
        self.settings.lease = 5.0
        self.lives = Lives(store, self.settings, pid)

    @property
    def replica(self) -> StoredReplica:
        return self.lives.loaded

    async def load(self, unread: float = 0.0, calls: Any = (), lease: float = 5.0) -> Any:
        return await self.lives.load(unread, list(calls), lease)

    async def say(self, *ops: list[Any], after: float = 0.25, last: bool = False) -> bool:
        """Add a batch and take what is new; return whether that went."""
        self.store.at += after
        replica = self.replica
        read = replica.position, replica.check
        batch = encode([self.pid, *read, 5.0, None, list(ops)])
        reply = await self.lives.append(batch, last=last)
        if reply is None:
            return False
        for at, entry in reply[1]:
            replica.step(at, entry)
        return True

    async def save(self) -> None:
        at = int(self.store.log.state[AT])
        await self.lives.save(self.replica, at, 0)

    @property
    def used(self) -> int:
        return sum(pool.used for pool in self.replica.snapshot(self.replica.clock.at).pools)


async def two() -> tuple[LivesBench, LivesBench]:
    """Two processes at a new log."""
    store = LogStore()
    benches = LivesBench(store, "a"), LivesBench(store, "b")
    for bench in benches:
        assert await bench.load() is None
    return benches


async def test_nothing_is_loaded_before_it_is() -> None:
    bench = LivesBench(LogStore())
    assert bench.lives.replica is None
    with pytest.raises(AwayError, match="not loaded"):
        await bench.say()


async def test_the_first_process_begins_and_the_second_finds_what_it_has_done() -> None:
    one, other = await two()
    assert one.replica.clock.at == 1_000.0
    assert one.store.log.state["@layout"].decode() == layout()
    await one.say(ask(1))
    await one.say(good(1), ask(2))
    await other.say(ask(1))
    assert (other.replica.position, other.used) == (3, 300)
    third = LivesBench(one.store, "c")
    await third.load()
    assert (third.replica.position, third.used) == (3, 300)
    assert third.replica.seen_at == one.store.at
    await one.say()
    assert one.replica.fields()[0] == other.replica.fields()[0] or one.used == 300


async def test_an_entry_is_read_once_and_what_is_expected_is_said() -> None:
    one, other = await two()
    await one.say(ask(1))
    assert one.store.said("append")[1:4] == (0, "", 60 * 60_000)
    await other.say(ask(1))
    await one.say(ask(2))
    _, since, last, *_ = one.store.said("append")
    assert (since, last) == (1, "1000.25")
    assert one.replica.position == 3


async def test_what_was_written_is_said_again_only_if_it_changed() -> None:
    one, _ = await two()
    await one.say(ask(1))
    await one.save()
    assert int(one.store.log.state[AT]) == 1
    _, at, position, entries, removed, *fields = one.store.said("save")
    assert (at, position, entries, removed) == (0, 1, 0, 0)
    assert set(fields[::2]) == {"pool ip GET /list", "rest", "limits"}
    assert one.replica._pools.changed

    other = ["ask", 9, "ip", "GET /log", None, 1, "call", 0.0, 0.0, None, 60.0]
    await one.say(other)
    assert list(one.replica._pools.changed) == one.replica.pools[1:], "the first is written"
    await one.save()
    assert set(one.store.said("save")[5::2]) == {"pool ip GET /log", "rest", "limits"}
    later = LivesBench(one.store, "c")
    await later.load()
    assert later.used == 101


async def test_accounts_that_are_gone_are_removed_from_what_is_written() -> None:
    one, _ = await two()
    await one.say(["ask", 1, "uid", "POST /x", "ann", 10, "call", 0.0, 0.0, None, 60.0])
    await one.say(["settle", 1, 200, None, 10, None, None, None, False])
    await one.save()
    await one.say(["ask", 2, "uid", "POST /x", "ben", 10, "call", 0.0, 0.0, None, 60.0], after=99.0)
    await one.save()

    assert one.store.said("save")[4:6] == (1, "pool uid POST /x\tann")
    assert "pool uid POST /x\tann" not in one.store.log.state


async def test_a_replica_that_was_replaced_writes_nothing() -> None:
    one, _ = await two()
    old = one.replica
    await one.say(ask(1))
    await one.load()
    assert one.replica is not old
    await one.lives.save(old, 0, 0)
    assert "save" not in {call[0] for call in one.store.calls}


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("others", [False, True])
async def test_the_last_process_says_that_nobody_is_left(*, last: bool, others: bool) -> None:
    one, other = await two()
    if others:
        await other.say(ask(1))
    await one.say(ask(1))
    await one.say(["quit"], last=last)
    assert one.store.said("append")[5] == int(last and not others)


async def test_a_ban_is_kept_for_longer_and_told_to_other_versions() -> None:
    one, _ = await two()
    await one.say(ask(1))
    assert one.store.said("append")[4] == -math.inf
    await one.say(["settle", 1, *BAN])
    until = one.store.at + 61.0
    await one.say()
    assert one.store.said("append")[3] == math.ceil(1_000 * (61.0 + 3_600.0))
    assert one.store.said("append")[4] == pytest.approx(until)


# --- what is lost --------------------------------------------------------------------------------


async def test_a_state_that_is_lost_begins_anew_with_what_was_known_here() -> None:
    one, other = await two()
    await one.say(ask(1), ask(2))
    await one.say(good(1))
    await other.say()
    before = one.store.log.state[EPOCH]
    at = one.replica.clock.at
    one.store.log.state, one.store.log.log = {}, []
    one.store.at += 4.0
    assert not await one.say(after=0.0)

    known = await one.load(unread=4.0, calls=[[2, *LIST, 100]])

    assert one.store.log.state[EPOCH] != before
    assert (one.replica.position, one.used) == (2, 200)
    assert one.replica.known == {before.decode(): at}
    assert one.replica.clock.at == pytest.approx(at + 4.0)
    assert one.replica.opens == one.replica.clock.at + 5.0
    name, epoch, until, ban, pools, calls = known
    assert (name, epoch, until, ban, calls) == (
        "knew",
        before.decode(),
        at,
        -4.0,
        [[2, *LIST, 100]],
    )
    ((*where, rows, _lost, _shut),) = pools
    assert where == list(LIST)
    assert rows[0][1] == pytest.approx(4.0), "four seconds older than when it was heard"

    assert not await other.say(after=0.0), "it has to load, too"
    knew = await other.load(unread=4.0)
    assert knew[:2] == ["knew", before.decode()]
    assert other.replica.position == 2


@pytest.mark.parametrize("step", [-500.0, 0.0, 500.0])
async def test_time_goes_on_in_the_next_life_whatever_the_clock_of_redis_says(step: float) -> None:
    one, _ = await two()
    await one.say(ask(1))
    at = one.replica.clock.at
    one.store.log.state, one.store.log.log = {}, []
    one.store.at += 7.0 + step
    await one.load(unread=7.0)

    assert one.replica.clock.at == pytest.approx(at + 7.0)
    await one.say(after=1.0)
    assert one.replica.clock.at == pytest.approx(at + 8.0)


async def test_a_ban_of_an_earlier_life_is_known_for_as_long_as_it_lasts() -> None:
    one, other = await two()
    await one.say(ask(1))
    await one.say(["settle", 1, *BAN])
    await other.say()
    one.store.log.state, one.store.log.log = {}, []
    await one.load(unread=0.0)
    assert one.replica.shut_for() == pytest.approx(61.0)

    known = await other.load(unread=1.0)
    assert known[3] == pytest.approx(61.0 - 0.25 - 1.0)


@pytest.mark.parametrize("lost", [1, 2])
async def test_a_log_that_lost_its_end_begins_anew_for_all(lost: int) -> None:
    """A failover: what is there is an older state of the same epoch."""
    one, _ = await two()
    for ticket in range(3):
        await one.say(ask(ticket))
    before, at = one.store.log.state[EPOCH], one.store.log.log
    del at[-lost:]

    assert await one.load() is not None
    assert one.store.log.state[EPOCH] != before
    assert one.replica.position == 3 - lost
    assert one.replica.opens == one.store.at + 5.0
    assert before.decode() in one.replica.known


@pytest.mark.parametrize("loads", [False, True])
@pytest.mark.parametrize("later", [0, 1])
async def test_a_log_with_another_end_begins_anew_for_all(later: int, *, loads: bool) -> None:
    one, other = await two()
    for ticket in range(3):
        await one.say(ask(ticket))
    if loads:
        await one.load()
    del one.store.log.log[-1]
    await other.load()
    for _ in range(1 + later):
        await other.say(ask(9))
    before = one.store.log.state[EPOCH]
    assert other.replica.position == 3 + later

    assert await one.load() is not None
    assert one.store.log.state[EPOCH] != before


@pytest.mark.parametrize("saved", ["", "before", "after"])
async def test_a_log_that_has_all_and_more_goes_on(saved: str) -> None:
    one, other = await two()
    await one.say(ask(1))
    await other.load()
    if saved == "before":
        await other.save()
    for _ in range(2):
        await other.say(ask(9))
    if saved == "after":  # then it can't be told, and need not be
        await other.save()
    before = one.store.log.state[EPOCH]

    for ticket in (2, 3):
        assert await one.load() is await one.load() is None
        assert await one.say(ask(ticket))
    assert one.store.log.state[EPOCH] == before
    assert one.replica.position == 5


async def test_of_two_that_begin_at_once_one_is_the_first() -> None:
    store = LogStore()
    one, other = LivesBench(store, "a"), LivesBench(store, "b")
    store.before_create = lambda: store.log.create(
        store.at, "", "theirs", 0, 1, *_fields(other.settings.limits)
    )
    assert await one.load() is None
    assert store.log.state[EPOCH] == b"theirs"
    assert one.lives._epoch == "theirs"


def _fields(limits: RateLimits) -> list[Any]:
    found, _ = StoredReplica(limits, "b").fields()
    flat: list[Any] = ["@layout", layout(), "@ban", "-inf"]
    for pair in found.items():
        flat += pair
    return flat


async def test_a_state_that_changes_all_the_time_is_away() -> None:
    store = LogStore()

    async def call(function: str, *arguments: Any) -> Any:
        result = await LogStore.call(store, function, *arguments)
        store.log.state, store.log.log = {}, []
        return result

    bench = LivesBench(store)
    bench.lives._store.call = call  # type: ignore[method-assign]
    with pytest.raises(AwayError, match="changes too often"):
        await bench.load()


# --- limits and versions -------------------------------------------------------------------------


@pytest.mark.parametrize(("silent", "theirs"), [(5.0, True), (5.5, False)])
async def test_other_limits_hold_when_nobody_has_used_the_old_ones_for_a_lease(
    silent: float, *, theirs: bool
) -> None:
    store = LogStore()
    old, new = LivesBench(store, "a"), LivesBench(store, "b", headroom=0.5)
    await old.load()
    await old.say(ask(1))
    store.at += silent
    if theirs:
        with pytest.raises(ConfigurationError, match=r"theirs are \(.*, these \(.*headroom=0.5"):
            await new.load()
        return
    await new.load()
    assert new.replica.limits == new.settings.limits
    assert (new.used, new.replica.pools[0].limit) == (100, 6_000)


@pytest.mark.parametrize(
    ("silent", "window", "lease", "waits"),
    [
        (59.9, 60.0, 5.0, True),
        (60.0, 60.0, 5.0, False),
        (59.9, 1.0, 60.0, True),
        (60.0, 1.0, 60.0, False),
    ],
)
async def test_another_layout_is_replaced_after_a_window_or_a_lease_and_its_ban_kept(
    silent: float, window: float, lease: float, *, waits: bool
) -> None:
    store = LogStore()
    old, new = LivesBench(store, "a", window=window), LivesBench(store, "b", window=window)
    new.settings.lease = lease
    await old.load()
    await old.say(ask(1))
    store.log.state |= {"@layout": b"theirs", "@ban": b"1200.0"}
    before = store.log.state[EPOCH]
    store.at += silent
    if waits:
        with pytest.raises(ConfigurationError, match="layout theirs, this one's is"):
            await new.load()
        return
    await new.load()
    assert store.log.state[EPOCH] != before
    assert new.replica.clock.at == store.at
    assert new.replica.shut_for() == pytest.approx(1_200.0 - store.at)
    assert new.replica.pools == []


async def test_another_layout_that_tells_nothing_is_replaced() -> None:
    store = LogStore()
    store.log.state = {"@layout": b"7", EPOCH: b"theirs", AT: b"0", "@base": b"0"}
    bench = LivesBench(store)
    await bench.load()
    assert bench.replica.gate.open
