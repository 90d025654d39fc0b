"""A replica by itself: entries go in, and what follows is looked at."""

from __future__ import annotations

import math
from typing import Any

import pytest

from binance_dust import BudgetExceededError
from binance_dust.budget import Charge, LimitKind, RateLimits
from binance_dust.budget._pool import Pool
from binance_dust.budget._redis._shared import LogClock
from binance_dust.budget._redis._stored import StoredReplica

LIST = ("ip", "GET /list", None)


class ReplicaLog:
    """Entries of some processes, taken by the replica of one of them."""

    def __init__(self, pid: str = "a", pace: float = 1e6) -> None:
        self.replica = StoredReplica(RateLimits(requests_per_second=pace), pid)
        self.at = 1_700_000_000.0
        self.replica.clock.set(self.at)

    def say(
        self,
        pid: str,
        *ops: list[Any],
        after: float = 0.01,
        lease: float = 5.0,
        server_time: float | None = None,
    ) -> None:
        self.at += after
        member = self.replica.members.get(pid)
        read = (0, 0) if member is None else (member.position, member.check)
        self.replica.step(self.at, [pid, *read, lease, server_time, list(ops)])

    def opened(self) -> ReplicaLog:
        """Let the first call be answered."""
        self.say("a", ask(0))
        self.say("a", good(0))
        return self

    @property
    def pool(self) -> Pool:
        return self.replica._pools.like(Charge(LIST[1], LimitKind.IP, 0))

    @property
    def used(self) -> int:
        (pool,) = self.replica.snapshot(self.at).pools
        return pool.used


def ask(ticket: int, lane: str = "call", left: float | None = None) -> list[Any]:
    return ["ask", ticket, *LIST, 100, lane, 0.0, 0.0, left, 60.0]


def good(ticket: int) -> list[Any]:
    return ["settle", ticket, 200, None, None, None, None, None, False]


def knew(until: float, ban: float = 0.0, weight: int = 700) -> list[Any]:
    rows = [[2.0, 1.0, weight, until - 1.0]]
    return ["knew", "earlier", until, ban, [[*LIST, rows, 100, 0.0]], []]


def test_what_several_processes_knew_of_an_earlier_life_counts_once() -> None:
    log = ReplicaLog()
    log.say("a", knew(500.0))
    log.say("b", knew(500.0))
    assert log.used == 800

    log.say("b", knew(510.0, weight=300))
    assert log.used == 800 + 400


def test_nothing_goes_for_a_lease_after_an_earlier_life_is_told_and_then_one_call() -> None:
    log = ReplicaLog()
    log.say("a", knew(500.0))
    log.say("b", knew(500.0), after=3.0)
    log.say("a", ask(1), ask(2), after=0.5)
    assert not log.replica.calls

    log.say("a", ["look", *LIST], after=1.6)
    assert list(log.replica.calls) == [("a", 1)]


def test_a_ban_of_an_earlier_life_is_kept() -> None:
    log = ReplicaLog()
    log.say("a", knew(500.0, ban=100.0))

    assert 99.0 < log.replica.shut_for() <= 100.0


def test_a_call_without_an_answer_ends_and_its_weight_counts() -> None:
    log = ReplicaLog().opened()
    log.say("a", ask(1))
    log.say("a", ["unknown", 1], ["unknown", 1], ["release", 1], good(1))

    assert not log.replica.calls
    assert log.used == 200


def test_a_call_that_is_too_late_is_refused_and_not_admitted() -> None:
    log = ReplicaLog().opened()

    log.say("a", ask(1, left=0.0))

    ((ticket, error),) = log.replica.refused
    assert ticket == 1
    assert isinstance(error, BudgetExceededError)
    assert not log.replica.calls


@pytest.mark.parametrize(("reads", "used"), [(False, 100), (True, 200)])
def test_a_grant_that_a_dead_process_cannot_have_read_is_given_back(
    *, reads: bool, used: int
) -> None:
    log = ReplicaLog()
    log.say("a", ask(0))
    log.say("c", ask(1))
    log.say("a", good(0))  # and so "c" may go
    assert ("c", 1) in log.replica.calls
    if reads:
        log.say("c")

    log.say("a", ["look", *LIST], after=6.0)

    assert log.replica.members.keys() == {"a"}
    assert not log.replica.calls
    assert log.used == used


def test_who_owns_the_head_of_a_queue_is_told_when_it_changes_hands() -> None:
    log = ReplicaLog().opened()
    log.say("a", *[ask(n) for n in range(1, 120)])
    log.say("a", ask(120))
    log.say("b", ask(1))
    assert log.replica.concerned == set()

    log.say("a", ["leave", 120])

    assert log.replica.concerned == {"b"}


@pytest.mark.parametrize(("pid", "told"), [("a", {"b"}), ("c", set())])
def test_who_owns_the_head_of_a_queue_is_told_if_it_may_go_no_sooner(
    pid: str, told: set[str]
) -> None:
    log = ReplicaLog(pid).opened()
    log.say("a", *[ask(n) for n in range(1, 121)])
    log.say("b", ask(1), ask(2))

    log.say("a", ["leave", 120])

    assert log.replica.concerned == told


def test_who_owns_the_head_of_a_queue_is_told_if_it_may_go_sooner() -> None:
    log = ReplicaLog().opened()
    log.say("a", *[ask(n) for n in range(1, 120)])
    log.say("b", ask(1))
    log.say("a", ask(120), ask(121))
    log.say("a", ["leave", 121])
    assert log.replica.concerned == set()

    log.say("a", ["leave", 120])  # the other one waits alone now

    assert log.replica.concerned == {"b"}


def test_a_call_that_is_said_again_is_admitted_once() -> None:
    log = ReplicaLog().opened()
    log.say("a", ask(1), ask(1))
    log.say("a", ask(1))
    assert log.used == 200


@pytest.mark.parametrize(("lane", "admitted"), [("call", 119), ("scan", 109)])
def test_scans_leave_a_part_of_the_window(lane: str, admitted: int) -> None:
    log = ReplicaLog().opened()
    log.say("a", *[ask(n, lane) for n in range(1, 130)])
    assert len(log.replica.calls) == admitted


def test_calls_that_were_in_flight_in_an_earlier_life_still_are() -> None:
    log = ReplicaLog().opened()
    log.say("a", ["knew", "earlier", 500.0, 0.0, [], [[5, *LIST, 300]]])
    log.say("a", ["knew", "earlier", 500.0, 0.0, [], [[5, *LIST, 300]]])
    assert log.used == 400

    log.say("a", good(5))
    assert not log.replica.calls
    assert log.used == 400


def test_what_was_spent_at_the_moment_up_to_which_all_is_known_is_known() -> None:
    log = ReplicaLog()
    log.say("a", knew(500.0))
    for at, used in ((500.0, 800), (500.5, 1_100)):
        rows = [[2.0, 1.0, 300, at]]
        log.say("b", ["knew", "earlier", 510.0, 0.0, [[*LIST, rows, 0, 0.0]], []])
        log.replica.known["earlier"] = 500.0
        assert log.used == used


# --- an entry ------------------------------------------------------------------------------------


def test_entries_are_counted_and_tell_the_time_of_the_exchange() -> None:
    replica = StoredReplica(RateLimits(), "a")
    assert (replica.position, replica.check, replica.diverged, replica.died) == (0, 0, False, False)
    replica.step(100.0, ["a", 0, 0, 5.0, None, []])
    assert (replica.position, replica.clock.server_time()) == (1, None)
    replica.step(101.0, ["a", 1, 0, 5.0, 7_000.0, []])
    assert (replica.position, replica.clock.server_time()) == (2, 7_000.0)


@pytest.mark.parametrize(
    ("read", "check", "differs"), [(1, 0, False), (1, 1, True), (0, 1, False), (0, 0, False)]
)
def test_only_what_came_of_the_same_entries_can_differ(
    read: int, check: int, *, differs: bool
) -> None:
    replica = StoredReplica(RateLimits(), "a")
    replica.step(100.0, ["b", 0, 0, 5.0, None, []])
    replica.step(101.0, ["b", read, check, 5.0, None, []])
    assert replica.diverged is differs


@pytest.mark.parametrize("pid", ["a", "b", "c"])
def test_whose_waiter_is_admitted_is_told_by_who_brought_it_about(pid: str) -> None:
    log = ReplicaLog(pid)
    log.say("a", ask(0))
    log.say("b", ask(1))
    log.say("a", good(0), after=2.0)

    assert log.replica.concerned == ({"b"} if pid == "a" else set())
    granted = [(call.ticket, round(call.waited, 6)) for call in log.replica.granted]
    assert granted == {"a": [(0, 0.0)], "b": [(1, 2.0)], "c": []}[pid]
    log.say("a")
    assert log.replica.concerned == set()


@pytest.mark.parametrize("pid", ["a", "b", "c"])
def test_whose_waiter_is_refused_is_told_by_who_brought_it_about(pid: str) -> None:
    log = ReplicaLog(pid).opened()
    log.say("a", *[ask(n) for n in range(1, 120)], lease=90.0)
    log.say("a", *[good(n) for n in range(1, 120)], lease=90.0)
    log.say("b", ask(1, left=50.0), lease=90.0)
    log.say("a", ["look", *LIST], after=41.0)

    assert not log.replica.waiters
    assert log.replica.concerned == ({"b"} if pid == "a" else set())
    assert [ticket for ticket, _ in log.replica.refused] == ([1] if pid == "b" else [])


@pytest.mark.parametrize("pid", ["a", "b", "c"])
def test_an_event_is_for_the_process_whose_call_it_came_from(pid: str) -> None:
    log = ReplicaLog(pid).opened()
    log.say("b")
    log.say("a", ask(1), ["settle", 1, 429, None, None, None, 9.0, None, False])

    assert len(log.replica.events) == (pid == "a")
    assert log.replica.concerned == ({"b"} if pid == "a" else set())


# --- operations ----------------------------------------------------------------------------------


def test_a_waiter_has_its_place_by_when_it_was_wanted() -> None:
    log = ReplicaLog()
    log.say("a", ask(0))
    wanted = ["ask", 1, *LIST, 100, "call", 2.0, 0.5, 30.0, 60.0]
    log.say("b", wanted)
    log.say("b", wanted)

    waiter = log.replica.waiters["b", 1]
    now = log.replica.clock.at - 0.01
    found = waiter.since - now, waiter.place - now, waiter.deadline and waiter.deadline - now
    assert found == pytest.approx((-2.0, -1.5, 30.0))
    assert log.replica.snapshot(log.at).pools[0].waiting == 1
    assert log.pool in log.replica.watched


def test_a_call_that_is_admitted_at_once_has_not_waited_and_overtakes_nobody() -> None:
    log = ReplicaLog().opened()
    log.say("a", ["ask", 1, *LIST, 10_000, "call", 2.0, 0.0, None, 60.0])
    assert log.replica.calls["a", 1].waited == 0.0

    log.say("a", ["ask", 2, *LIST, 3_000, "call", 0.0, 0.0, None, 60.0])
    log.say("a", ask(3))
    assert list(log.replica.waiters) == [("a", 2), ("a", 3)]


@pytest.mark.parametrize(
    ("op", "used"), [("unknown", 200), ("release", 100), ("settle", 200), ("copies", 400)]
)
def test_how_a_call_ends_counts_and_is_written(op: str, used: int) -> None:
    log = ReplicaLog().opened()
    log.say("a", ask(1))
    at = log.replica.position
    log.say("a", good(1) if op == "settle" else [op, 1, *([2] if op == "copies" else [])])
    log.say("a", ["leave", 9], ["copies", 9, 1], ["release", 9], ["unknown", 9])

    assert bool(log.replica.calls) is (op == "copies")
    assert log.pool.count.in_flight == (op == "copies")
    assert log.used == used
    assert "pool ip GET /list" in log.replica.fields(at)[0]


def test_a_place_that_is_given_up_is_written() -> None:
    log = ReplicaLog()
    log.say("a", ask(0))
    log.say("a", ask(1))
    assert log.replica.head(log.pool) is log.replica.waiters["a", 1]
    at = log.replica.position
    log.say("a", ["leave", 1])

    assert "pool ip GET /list" in log.replica.fields(at)[0]
    assert not log.replica.waiters
    assert log.replica.head(log.pool) is None
    assert log.pool not in log.replica.look_at


def test_waiters_that_a_ban_refuses_elsewhere_are_written() -> None:
    log = ReplicaLog().opened()
    other = ["GET /other", None]
    log.say("a", ["ask", 5, "ip", *other, 1, "call", 0.0, 0.0, None, 60.0])
    log.say("a", ["ask", 6, "ip", *other, 1, "call", 0.0, 0.0, None, 60.0])
    at = log.replica.position
    log.say("a", ["ban", 100.0])

    assert not log.replica.waiters
    assert "pool ip GET /other" in log.replica.fields(at)[0]


def test_waiters_that_a_firewall_refuses_elsewhere_are_written() -> None:
    log, walled = ReplicaLog().opened(), [403, None, None, None, None, None, True]
    for ticket in (5, 6):
        log.say("a", ["ask", ticket, "ip", "GET /other", None, 1, "call", 0.0, 0.0, None, 60.0])
    log.say("a", ask(1))
    log.say("a", ["settle", 1, *walled])
    log.say("a", ask(2))
    at = log.replica.position
    log.say("a", ["settle", 2, *walled])

    assert not log.replica.waiters
    assert "pool ip GET /other" in log.replica.fields(at)[0]


@pytest.mark.parametrize(("read", "gone"), [(2, False), (3, True)])
def test_a_process_that_hears_nothing_is_removed_if_it_has_read_no_more(
    read: int, *, gone: bool
) -> None:
    log = ReplicaLog().opened()
    log.say("b", ask(1))
    log.say("a", ["gone", "b", read], ["gone", "nobody", 0])

    assert ("b" in log.replica.members) is not gone
    assert bool(log.replica.calls) is not gone
    assert log.used == 200, "it may have been sent"
    assert not log.replica.died


@pytest.mark.parametrize("pid", ["a", "b"])
def test_a_process_that_ends_leaves_the_places_of_others_alone(pid: str) -> None:
    log = ReplicaLog(pid)
    log.say("a", ask(0))
    log.say("b", ask(1))
    log.say("c", ask(2))
    log.say("b", ["quit"])

    assert log.replica.members.keys() == {"a", "c"}
    assert list(log.replica.waiters) == [("c", 2)]
    assert log.replica.died is (pid == "b")


@pytest.mark.parametrize("shut", [0.0, 0.5, 9.0])
def test_what_was_spent_alone_counts_from_then_and_what_was_shut_stays_shut(shut: float) -> None:
    log = ReplicaLog().opened()
    log.say("a", ["spent", *LIST, [[40.0, 30.0, 300]], 50, shut])

    assert log.used == 450
    certain = [log.pool.count.own.maybe_forgotten(log.at + more) for more in (19.0, 21.0)]
    assert certain == [0, 300]
    until = log.replica.clock.at + shut if shut else -math.inf
    assert log.pool.valve.until == until
    log.at += 31.0
    assert log.used == 150


def test_a_queue_is_looked_at_when_what_was_shut_meanwhile_opens() -> None:
    log = ReplicaLog()
    log.say("a", ask(0), ask(1), ask(2))
    log.say("a", ["spent", *LIST, [], 0, 9.0])
    assert log.replica.look_at[log.pool] == log.replica.clock.at + 9.0


def test_the_longest_ban_that_is_told_holds() -> None:
    log = ReplicaLog()
    for seconds, shut in ((100.0, 100.0), (50.0, 100.0), (200.0, 200.0)):
        log.say("a", ["ban", seconds], after=0.0)
        assert log.replica.shut_for() == pytest.approx(shut)


def test_an_earlier_life_without_a_ban_shuts_nothing_and_half_a_second_is_one() -> None:
    log = ReplicaLog()
    log.say("a", knew(500.0))
    assert log.replica.gate.until == -math.inf
    log.say("a", knew(501.0, ban=0.5))
    assert log.replica.shut_for() == 0.5


def test_one_call_goes_first_after_an_earlier_life_whatever_was_known_of_its_pool() -> None:
    log = ReplicaLog().opened()
    log.say("a", knew(500.0))
    log.say("a", ask(1), ask(2), ask(3), lease=90.0)
    assert log.replica.look_at[log.pool] == log.replica.opens

    log.say("a", ["look", *LIST], after=5.1)
    assert list(log.replica.calls) == [("a", 1)]


def test_a_deadline_before_anything_may_go_is_kept() -> None:
    log = ReplicaLog().opened()
    log.say("a", knew(500.0))
    log.say("a", ask(1, left=2.0), lease=90.0)
    assert log.replica.look_at[log.pool] - log.replica.clock.at == pytest.approx(2.0, abs=1e-6)
    log.say("a", ["look", *LIST], after=2.0)
    assert [ticket for ticket, _ in log.replica.refused] == [1]


# --- the pace ------------------------------------------------------------------------------------


def test_calls_that_wait_for_the_pace_are_looked_at_in_batches() -> None:
    log = ReplicaLog(pace=100.0).opened()
    log.say("a", *[ask(n) for n in range(1, 13)])
    assert 9 <= len(log.replica.calls) <= 10
    at, soon = log.replica.position, log.replica.look_at[log.pool]
    assert soon - log.replica.clock.at == pytest.approx(0.02, abs=1e-6)
    log.say("a", after=0.001)
    assert log.replica.look_at[log.pool] == soon

    log.say("b", after=0.05)
    assert len(log.replica.calls) == 12
    assert "pool ip GET /list" in log.replica.fields(at)[0]


def test_a_deadline_before_the_next_batch_of_the_pace_is_looked_at_in_time() -> None:
    log = ReplicaLog(pace=1.0).opened()
    log.say("a", ask(1, left=1.0))
    assert log.replica.look_at[log.pool] - log.replica.clock.at == pytest.approx(1.0, abs=1e-6)


# --- reading -------------------------------------------------------------------------------------


def test_reading_shows_what_will_be_and_changes_nothing() -> None:
    log = ReplicaLog().opened()
    log.say("a", ask(1))
    log.say("a", good(1))
    before, at = log.replica.fields(), log.replica.clock.at

    assert log.replica.snapshot(log.at).pools[0].used == 200
    assert log.replica.snapshot(log.at + 1_000.0).pools[0].used == 0
    ((shown, room),) = log.replica.rooms(log.at + 1_000.0)
    assert (shown.waiting, shown.used, room) == (0, 0, 12_000)
    assert log.replica.clock.at == at
    assert log.replica.fields() == before


def test_what_changed_is_written_and_nothing_else() -> None:
    log = ReplicaLog().opened()
    other = ["ask", 7, "uid", "POST /other", "alice", 10, "call", 0.0, 0.0, None, 60.0]
    log.say("b", other)
    at = log.replica.position
    log.say("a", ask(1))
    fields, removed = log.replica.fields(at)

    assert {name for name in fields if name.startswith("pool ")} == {"pool ip GET /list"}
    assert removed == []
    log.say("a", ["look", *LIST], after=6.0)  # "b" is dead: what it had asked for is lost
    fields, _ = log.replica.fields(at)
    assert "pool uid POST /other\talice" in fields
    loaded = StoredReplica.load(log.replica.fields()[0], log.replica.position, "a")
    assert loaded.fields() == log.replica.fields()


def test_another_sum_is_noticed() -> None:
    log = ReplicaLog().opened()
    log.say("b", ask(1))
    member = log.replica.members["b"]

    log.replica.step(log.at + 1.0, ["b", member.position, member.check + 1, 5.0, None, []])

    assert log.replica.diverged
    assert member.check != 0


# --- time, and pools that lie frozen -------------------------------------------------------------


def test_the_time_of_the_log_goes_on_if_that_of_redis_goes_back() -> None:
    clock = LogClock()
    clock.set(100.0)
    assert (clock.at, clock.server_time(), clock.now()) == (100.0, None, 100.0)
    assert (clock.of(90.0), clock.of(110.0)) == (100.0, 110.0)
    clock.set(90.0)
    clock.set(90.0)
    assert clock.at == 100.0
    clock.set(95.0)
    assert (clock.at, clock.of(97.0)) == (105.0, 107.0)
    clock.offset = 7.0
    assert (clock.server_time(), clock.now()) == (112.0, 112.0)


def of_account(name: str, ticket: int) -> list[Any]:
    return ["ask", ticket, "uid", "POST /other", name, 10, "call", 0.0, 0.0, None, 600.0]


def loaded(log: ReplicaLog) -> ReplicaLog:
    """Another process, which loads what was written."""
    other = ReplicaLog("b")
    other.replica = StoredReplica.load(log.replica.fields()[0], log.replica.position, "b")
    other.at = log.at
    return other


def pools_of(fields: dict[str, bytes]) -> set[str]:
    return {name.removeprefix("pool ") for name in fields if name.startswith("pool ")}


def test_pools_that_were_loaded_are_there_and_only_those_that_change_are_written() -> None:
    log = ReplicaLog().opened()
    for ticket, name in enumerate(("ann", "ben", "cy"), start=1):
        log.say("a", of_account(name, ticket))
        log.say("a", ["settle", ticket, 200, None, 10, None, None, None, False])
    other = loaded(log)
    pools, at = other.replica._pools, other.replica.position
    assert len(pools) == 4
    for name in ("ann", "nobody"):
        like = pools.like(Charge("POST /other", LimitKind.UID, 0, name))
        assert like.count.own.taken == (10 if name == "ann" else 0)
    assert len(pools) == 4
    assert pools.address("POST /other") is None
    address = pools.address(LIST[1])
    assert address is not None
    assert address.count.own.taken == 100

    assert pools_of(other.replica.fields(at - 1)[0]) == {"ip GET /list"}
    other.say("b", of_account("ben", 7))
    assert pools_of(other.replica.fields(at)[0]) == {"uid POST /other\tben"}
    assert {pool.account for pool in pools} == {None, "ann", "ben", "cy"}
    used = {pool.account: pool.count.own.taken for pool in pools}
    assert used == {None: 100, "ann": 10, "ben": 20, "cy": 10}


@pytest.mark.parametrize("anew", [False, True])
def test_accounts_are_forgotten_in_turn_and_that_is_written(*, anew: bool) -> None:
    log = ReplicaLog().opened()
    for ticket, name in enumerate(("cy", "ann", "ben"), start=1):
        log.say("a", of_account(name, ticket))
        log.say("a", ["settle", ticket, 200, None, 10, None, None, None, False])
    log = loaded(log) if anew else log
    log.at += 100.0
    at = log.replica.position
    log.say("b", of_account("dan", 9), lease=90.0)

    fields, gone = log.replica.fields(at)
    assert gone == ["pool uid POST /other\tcy", "pool uid POST /other\tann"]
    assert pools_of(fields) == {"uid POST /other\tdan"}
    assert {pool.account for pool in log.replica._pools} == {None, "dan", "ben"}
    assert len(pools_of(log.replica.fields()[0])) == 3
    log.say("b", of_account("cy", 10), lease=90.0)
    assert gone[0] not in log.replica.fields(at)[1]
    assert loaded(log).replica.fields()[0] == log.replica.fields()[0]


def test_accounts_that_were_checked_and_kept_are_written_with_their_turns() -> None:
    log = ReplicaLog().opened()
    for ticket, name in enumerate(("cy", "ann", "ben"), start=1):
        log.say("a", of_account(name, ticket))
        log.say("a", ["settle", ticket, 200, None, 10, None, None, None, False])
    at = log.replica.position
    log.say("a", of_account("dan", 9))

    pool = "uid POST /other\t"
    assert pools_of(log.replica.fields(at)[0]) == {f"{pool}dan", f"{pool}cy", f"{pool}ann"}
    turns = log.replica._pools.turns
    assert sorted(turns, key=lambda key: turns[key]) == [
        ("POST /other", name) for name in ("ben", "cy", "ann", "dan")
    ]


def test_what_was_spent_elsewhere_is_written() -> None:
    log = ReplicaLog().opened()
    at = log.replica.position
    log.say("a", ["spent", *LIST, [], 5, 0.0])
    assert pools_of(log.replica.fields(at)[0]) == {"ip GET /list"}
