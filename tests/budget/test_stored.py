"""A replica as fields of a hash, and back: nothing is forgotten on the way."""

from __future__ import annotations

import math
from typing import Any

import pytest

from binance_dust.budget import Charge, LimitKind, RateLimits
from binance_dust.budget._boundary import ServerWindow
from binance_dust.budget._kept import Kept
from binance_dust.budget._own import SlotChain, WeightSlot
from binance_dust.budget._protocol import Lane
from binance_dust.budget._redis._encoding import decode, encode, pack, unpack
from binance_dust.budget._redis._shared import Member, SharedCall, SharedWaiter
from binance_dust.budget._redis._stored import StoredReplica
from tests.budget.test_replica import LIST, ReplicaLog, ask, good, knew, loaded, of_account

LOG = ("ip", "GET /log", None)
BAN = [418, None, None, None, 60.0, None, False]
REFUSAL = [429, None, None, None, 20.0, None, False]


def eventful() -> ReplicaLog:
    """A log of two processes in which there is one of everything."""
    log = ReplicaLog(pace=50.0)
    log.say("a", knew(500.0), server_time=7.0)
    log.say("a", ask(0), after=6.0)
    log.say("a", good(0))
    log.say("a", ["ask", 40, *LOG, 1, "call", 0.0, 0.0, None, 60.0])
    log.say("a", ["settle", 40, 200, 3_000, None, None, None, None, False])
    log.say("b", of_account("ann", 30), of_account("ben", 31))
    log.say("b", ["settle", 30, 200, None, 10, None, None, None, False])
    log.say("b", ["ask", 33, "uid", LIST[1], "ann", 100, "call", 0.0, 0.0, None, 60.0])
    log.say("b", *[ask(ticket, "scan") for ticket in range(1, 150)], after=1.0)
    log.say("a", *[ask(ticket) for ticket in range(1, 20)])
    log.say("a", ["look", *LIST], after=0.07)
    log.say("a", ["copies", 1, 2], ["unknown", 2])
    log.say("b", ["ask", 200, *LOG, 1, "call", 0.5, 0.1, 40.0, 60.0])
    return log


def go_on(log: ReplicaLog) -> list[dict[str, bytes]]:
    """What follows of the same entries from then on."""
    entries: list[tuple[str, list[Any]]] = [
        ("a", [good(1), ["release", 3]]),
        ("b", [["leave", 140], ["look", *LIST], ["settle", 31, *REFUSAL]]),
        ("b", [of_account("cy", 32), ["gone", "nobody", 3]]),
        ("a", [["look", *LOG], ask(20), ["settle", 4, *BAN]]),
        ("a", [ask(21), ["look", *LIST]]),
    ]
    found = []
    for pid, ops in entries:
        log.say(pid, *ops, after=12.0, lease=90.0)
        found.append(log.replica.fields()[0])
    return found


def heads(log: ReplicaLog) -> set[tuple[str, str, int]]:
    """Who is next in each queue."""
    found = [(pool.name, log.replica.head(pool)) for pool in log.replica.pools]
    return {(name, head.pid, head.ticket) for name, head in found if head is not None}


def test_what_is_written_and_loaded_is_the_same_and_goes_on_as_the_same() -> None:
    log = eventful()
    assert log.replica._paced
    assert any(queue.ahead for queue in log.replica._queues.values())
    assert log.replica.calls
    again = loaded(log)

    assert again.replica.fields() == log.replica.fields()
    assert again.replica.calls.keys() == log.replica.calls.keys()
    assert again.replica.waiters.keys() == log.replica.waiters.keys()
    assert heads(again) == heads(log) != set()
    assert go_on(again) == go_on(log)
    assert again.replica.check == log.replica.check


def test_what_is_shared_by_pools_is_shared_again() -> None:
    log = loaded(eventful())
    pools = {(pool.name, pool.account): pool for pool in log.replica.pools}
    ann, ben = pools["POST /other", "ann"], pools["POST /other", "ben"]

    assert ann.door is ben.door is not None
    assert ann.boundary is ben.boundary
    assert ann.boundary.clock is log.replica.clock
    assert pools[LIST[1], "ann"].door is not None
    assert pools[LIST[1], None].door is None
    assert {call.pool for call in log.replica.calls.values()} <= set(pools.values())
    assert {waiter.pool for waiter in log.replica.waiters.values()} <= set(pools.values())


def test_only_what_changed_since_it_was_written_is_written_again() -> None:
    log = ReplicaLog().opened()
    log.say("a", of_account("ann", 1))
    at = log.replica.position
    name = "pool uid POST /other\tann"
    assert name in log.replica.fields(at - 1)[0]
    assert name not in log.replica.fields(at)[0]

    log.replica.written(at - 1)
    assert name in log.replica.fields(at - 1)[0]
    log.replica.written(at)
    assert log.replica.fields(0)[0].keys() == {"rest", "limits"}
    assert name in log.replica.fields()[0], "all of it, if nothing is there yet"


def test_pools_with_waiters_are_always_written_since_any_look_may_change_them() -> None:
    log = ReplicaLog().opened()
    log.say("a", *[ask(ticket) for ticket in range(1, 130)])
    at = log.replica.position
    log.say("a", of_account("ann", 200))

    assert "pool ip GET /list" in log.replica.fields(at)[0]


def test_a_pool_that_is_gone_is_removed_once() -> None:
    log = ReplicaLog().opened()
    log.say("a", of_account("ann", 1))
    log.say("a", ["settle", 1, 200, None, 10, None, None, None, False])
    log.say("a", of_account("ben", 2), after=100.0, lease=200.0)
    at, gone = log.replica.position, ["pool uid POST /other\tann"]

    assert log.replica.fields(at - 1)[1] == gone
    assert log.replica.fields(at)[1] == []
    log.replica.written(at - 1)
    assert log.replica.fields(at - 1)[1] == gone
    log.replica.written(at)
    assert log.replica.fields(0)[1] == []


# --- another life --------------------------------------------------------------------------------


def test_a_ban_is_told_in_the_time_of_redis_and_never_less_than_none() -> None:
    log = ReplicaLog().opened()
    assert log.replica.shut_for() == 0.0
    log.replica.shut_address(0.0)
    assert log.replica.gate.open
    log.replica.shut_address(0.5)
    assert log.replica.shut_for() == 0.5
    log.replica.shut_address(30.0)
    assert log.replica.shut_for() == 30.0
    assert log.replica.gate.banned
    assert not log.replica.gate.guessed

    log.replica.clock.shift = 100.0
    assert log.replica.banned_until() == log.at - 100.0 + 30.0


def test_nothing_goes_before_all_could_tell_what_they_know_and_then_one_call() -> None:
    log = ReplicaLog().opened()
    log.say("b", ask(1))
    log.at += 100.0
    log.replica.clock.set(log.at)

    log.replica.open_after(5.0)

    assert log.replica.opens == log.at + 5.0
    assert {member.heard for member in log.replica.members.values()} == {log.at}
    assert not log.replica.gate.open
    assert log.replica.gate.passes(log.at)


@pytest.mark.parametrize(
    ("silent", "pid", "alive"),
    [(5.0, "a", True), (5.01, "a", False), (0.0, "b", False)],
)
def test_another_process_is_alive_for_a_lease_after_its_last_word(
    silent: float, pid: str, *, alive: bool
) -> None:
    log = ReplicaLog("a")
    log.say("c", ask(1))
    log.say("c", ["quit"])
    log.say("b", ask(1))
    log.replica.members["a"] = Member()
    log.replica.pid = pid
    log.replica.arrive(log.at + silent)

    assert log.replica.others_alive() is alive


def test_with_other_limits_the_state_is_the_same_and_so_is_its_pace() -> None:
    log = ReplicaLog().opened()
    log.say("a", of_account("ann", 1), ask(2))
    limits = RateLimits(headroom=0.5, requests_per_second=7.0)

    changed = log.replica.with_limits(limits)

    assert (changed.limits, changed.position, changed.pid) == (limits, log.replica.position, "a")
    limits_of = {pool.kind: (pool.limit, pool.whole) for pool in changed.pools}
    assert limits_of == {LimitKind.IP: (6_000, 12_000), LimitKind.UID: (90_000, 180_000)}
    assert changed.calls.keys() == log.replica.calls.keys()
    assert {pool.kind: pool.count.own.taken for pool in changed.pools} == {
        LimitKind.IP: 200,
        LimitKind.UID: 10,
    }
    assert changed._pace.least_wait(100) == pytest.approx(100 / 6.3, rel=0.1)


@pytest.mark.parametrize("banned", [0.0, 50.0])
def test_with_other_windows_only_a_ban_is_kept(banned: float) -> None:
    log = ReplicaLog().opened()
    log.replica.clock.shift = 3.0
    log.replica.shut_address(banned)

    changed = log.replica.with_limits(RateLimits(window=30.0))

    assert not changed.pools
    assert not changed.calls
    assert changed.shut_for() == banned
    assert (changed.clock.at, changed.clock.shift) == (log.at, 3.0)
    assert changed.gate.open == (banned == 0.0)
    assert changed.pid == "a"


def test_what_is_known_of_a_pool_are_ages_of_what_was_answered_and_what_is_not_in_flight() -> None:
    log = ReplicaLog().opened()
    began = log.at
    log.say("a", ask(1), ask(2), ask(3), of_account("ann", 9), after=10.0)
    log.say("a", ["copies", 1, 1], ["unknown", 2], ["release", 9])
    log.say("a", ["settle", 3, *REFUSAL])
    now = log.at + 5.0

    ((kind, name, account, rows, lost, shut),) = log.replica.knowledge(now)

    assert [kind, name, account] == list(LIST)
    ((sent, answered, weight, last),) = rows
    assert (weight, last, answered) == (100, began, pytest.approx(now - began))
    assert sent == pytest.approx(now - began + 0.01)
    assert lost == 200, "one got no answer, and one was refused; the first is in flight twice"
    assert shut == pytest.approx(15.0)
    assert log.replica.knowledge(now + 15.0)[0][5] == 0.0
    assert log.replica.knowledge(now + 200.0) == []


def test_of_a_pool_with_nothing_to_say_nothing_is_said() -> None:
    log = ReplicaLog()
    log.say("a", ask(1))
    log.say("a", ["release", 1])
    assert log.replica.knowledge(log.at) == []
    log.replica.pools[0].valve.shut(log.at + 4.0)
    assert log.replica.knowledge(log.at) == [[*LIST, [], 0, pytest.approx(4.0)]]
    log.say("a", ask(2), after=4.0)
    log.say("a", ["unknown", 2])
    assert log.replica.knowledge(log.at) == [[*LIST, [], 100, 0.0]]
    log.say("a", ask(3), after=100.0)
    log.say("a", good(3))
    ((*_, rows, lost, shut),) = log.replica.knowledge(log.at)
    assert ([row[2] for row in rows], lost, shut) == ([100], 0, 0.0)


# --- values as arrays ----------------------------------------------------------------------------


NONE: dict[tuple[str, int], SharedCall] = {}


def again(value: Any) -> Any:
    return unpack(decode(encode(pack(value))), NONE.get)


def test_values_become_arrays_and_values_again() -> None:
    window = ServerWindow(7, 1.0, 61.0)
    assert again(window) == window
    assert type(again(window)) is ServerWindow
    lane: Lane = Lane.SCAN
    for value in (1, 0.5, "x", None, True, [1, [2]], {"a": [1]}, lane, LimitKind.UID, [lane]):
        assert again(value) == value

    kept = Kept(60.0)
    kept.begun = 3.0
    found = again(kept)
    assert (type(found), found.begun, found._window) == (Kept, 3.0, 60.0)


def test_a_chain_of_slots_is_one_again() -> None:
    slots = [WeightSlot(at, at + 1.0) for at in (1.0, 2.0)]
    found = again(SlotChain.of(slots))
    assert [slot.earliest for slot in found] == [1.0, 2.0]
    assert again(SlotChain()).oldest is None


def test_a_call_is_named_where_it_is_not_wanted_whole() -> None:
    log = ReplicaLog().opened()
    pool = log.pool
    waiter = SharedWaiter(
        100,
        Lane.CALL,
        0.0,
        patience=1.0,
        place=0.0,
        deadline=None,
        pool=pool,
        pid="b",
        ticket=9,
    )
    call = SharedCall(pool, 100, 50, waiter, 3)

    assert unpack(pack(call), {("b", 9): call}.get) is call
    assert unpack(pack([call]), {("b", 9): call}.get) == [call]
    whole = unpack(pack(call, whole=True), NONE.get)
    assert (whole.pid, whole.ticket, whole.position, whole.documented) == ("b", 9, 3, 50)


@pytest.mark.parametrize("value", [object(), math.inf.hex, {1, 2}, Charge("x", LimitKind.IP, 1)])
def test_what_has_no_place_is_an_error_and_not_forgotten(value: Any) -> None:
    with pytest.raises(TypeError, match="has no place in KINDS"):
        pack(value)


def test_replicas_of_one_process_keep_its_name() -> None:
    log = eventful()
    assert StoredReplica.load(log.replica.fields()[0], 5, "z").pid == "z"
    assert StoredReplica.load(log.replica.fields()[0], 5, "z").position == 5
