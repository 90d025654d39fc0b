"""A replica by itself: entries go in, and what follows is looked at."""

from __future__ import annotations

from typing import Any

import pytest

from binance_dust import BudgetExceededError
from binance_dust.budget import RateLimits
from binance_dust.budget._redis._stored import StoredReplica

LIST = ("ip", "GET /list", None)


class ReplicaLog:
    """Entries of some processes, taken by the replica of one of them."""

    def __init__(self, pid: str = "a") -> None:
        self.replica = StoredReplica(RateLimits(requests_per_second=1e6), pid)
        self.at = 1_700_000_000.0
        self.replica.clock.set(self.at)
        self.serial = 0

    def say(self, pid: str, *ops: list[Any], after: float = 0.01) -> None:
        self.at += after
        self.serial += 1
        member = self.replica.members.get(pid)
        read = (0, 0) if member is None else (member.position, member.check)
        self.replica.step(self.at, [pid, self.serial, *read, 5.0, None, list(ops)])

    def opened(self) -> ReplicaLog:
        """Let the first call be answered."""
        self.say("a", ask(0))
        self.say("a", good(0))
        return self

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

    log.replica.step(log.at + 1.0, ["b", 9, member.position, member.check + 1, 5.0, None, []])

    assert log.replica.diverged
    assert member.check != 0
