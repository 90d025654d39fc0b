"""Processes that share a budget: stopped, killed, far from Redis, or with a Redis that forgets.

They share a log in memory. `tests/budget` and `tests/integration` have a real Redis.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from binance_dust.budget._redis._stored import StoredReplica
from binance_dust.events import SharedBudgetLost
from tests.worlds.draw import draw
from tests.worlds.invariants import violations
from tests.worlds.kept import KEPT, Kept
from tests.worlds.play import Play, play
from tests.worlds.shared import SharedBudgets
from tests.worlds.shrink import kinds
from tests.worlds.world import Headers, Limits, Processes, Redis, Stream, Windows, World

MODES = ["fixed", "sliding"]


def unharmed(played: Play) -> None:
    assert violations(played) == []
    assert played.exchange.refused == 0
    assert played.exchange.bans == []


def lost(played: Play) -> int:
    return sum(isinstance(event, SharedBudgetLost) for _, event in played.notes.events)


@pytest.mark.parametrize("first", range(0, 12, 4))
def test_worlds_with_several_processes_keep_the_invariants(first: int) -> None:
    """What copies of a program can't know of each other, processes that share a budget know."""
    for seed in range(first, first + 4):
        world = draw(seed, deviating=0)
        crowd = World(
            seed=seed,
            windows=world.windows,
            net=world.net,
            work=world.work,
            accounts=world.accounts,
            processes=Processes(copies=2 + seed % 4),
        )
        played = play(crowd, SharedBudgets(Redis(way=0.0002, jitter=0.0018)))
        found = {each.kind for each in violations(played)}
        assert found <= {"a single call waited"}, "now and then, as of one process"


@pytest.mark.parametrize(
    "kept", [each for each in KEPT if each.world.redis is None], ids=lambda kept: kept.why
)
def test_a_world_that_once_failed_alone(kept: Kept) -> None:
    assert kinds(replace(kept.world, redis=Redis())) <= kept.open


@pytest.mark.parametrize(
    "stop_at",
    [190.25, *(pytest.param(at, marks=pytest.mark.long) for at in (191.05, 191.1, 191.15))],
)
def test_a_grant_is_checked_for_its_age_before_it_is_used(stop_at: float) -> None:
    """A process stops as it is granted a part of a window, and goes on two windows later."""
    world = World(
        windows=Windows(phase=50.0),
        processes=Processes(copies=4, stop_at=stop_at, stop_for=130.0),
        work=(Stream(calls=960),),
    )
    unharmed(play(world, SharedBudgets(Redis(way=0.15))))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stop_for", [4.0, pytest.param(7.0, marks=pytest.mark.long), 62.0])
def test_a_process_that_is_stopped_costs_time_and_no_refusal(mode: Any, stop_for: float) -> None:
    for stop_at in (9.9, 10.3):
        world = World(
            windows=Windows(mode=mode, phase=50.0),
            processes=Processes(copies=4, stop_at=stop_at, stop_for=stop_for),
            work=(Stream(calls=480),),
        )
        unharmed(play(world, SharedBudgets(Redis(way=0.002))))


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(Headers(), id="told"),
        pytest.param(Headers(say="missing"), id="untold", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("forgets", "down"),
    [((1.2,), 0.0), ((10.6, 30.0), 0.2), ((2.0, 71.0, 72.0), 3.0), ((60.0,), 12.0)],
)
def test_a_redis_that_comes_back_empty_costs_time_and_no_refusal(
    forgets: tuple[float, ...], down: float, mode: Any, headers: Headers
) -> None:
    world = World(
        windows=Windows(mode=mode, phase=50.0),
        headers=headers,
        processes=Processes(copies=4),
        redis=Redis(way=0.0005, jitter=0.08, forgets=forgets, down=down),
        work=(Stream(calls=480),),
    )
    played = play(world)

    unharmed(played)
    assert lost(played) <= 4 * len(forgets)


@pytest.mark.parametrize("mode", MODES)
def test_a_lease_follows_the_way_to_redis(mode: Any) -> None:
    """100 ms with jitter would take all of a lease of 0.25 s: then it is longer, none is lost."""
    world = World(
        windows=Windows(mode=mode, phase=50.0),
        processes=Processes(copies=4),
        work=(Stream(calls=360), Stream(endpoint="log", calls=80, every=1.0, single=True)),
    )
    played = play(world, SharedBudgets(Redis(way=0.02, jitter=0.16), lease=0.25))

    unharmed(played)
    assert lost(played) == 0


@pytest.mark.parametrize("true", [0.5, 0.1])
@pytest.mark.parametrize("mode", MODES)
def test_a_grant_that_comes_after_a_refusal_was_met_here_is_given_back(
    mode: Any, true: float
) -> None:
    """Redis is far: what was admitted before the others knew arrives when this process knows."""
    world = World(
        windows=Windows(mode=mode, phase=50.0),
        limits=Limits(documented=6_000, true=true),
        work=(Stream(calls=70),),
    )
    played = play(world, SharedBudgets(Redis(way=0.02, jitter=0.16)))

    assert {each.kind for each in violations(played)} <= {"refused again and again"}
    assert played.finished


def test_what_one_process_has_learnt_all_know() -> None:
    """Half of the limit: one burst runs into it, not one for each process."""
    world = World(limits=Limits(true=0.5), processes=Processes(copies=4), work=(Stream(calls=720),))
    played = play(world, SharedBudgets())

    assert violations(played) == []
    assert len(played.exchange.bans) <= 1


@pytest.mark.parametrize("seed", [pytest.param(2, marks=pytest.mark.long), 3, 5, 8, 11])
def test_all_replicas_are_the_same_and_survive_being_written_and_loaded(seed: int) -> None:
    """Each process loads its state anew before each batch, and comes to the same end."""
    world = draw(seed)

    class Reloading(SharedBudgets):
        reloads = True

    plain, reloading = SharedBudgets(), Reloading()
    first, second = play(world, plain), play(world, reloading)

    assert [(s.at, s.end) for s in first.notes.sent] == [(s.at, s.end) for s in second.notes.sent]
    states: dict[int, bytes] = {}
    for position, written in plain.states():
        assert states.setdefault(position, written) == written


def test_a_replica_that_reads_changes_nothing() -> None:
    world = World(processes=Processes(copies=2), work=(Stream(calls=300),))
    budgets = SharedBudgets()
    play(world, budgets)

    replica = budgets.made[0]._link.replica
    assert isinstance(replica, StoredReplica)
    before = replica.fields()
    replica.snapshot(replica.clock.at + 1_000.0)
    replica.rooms(replica.clock.at + 50.0)
    assert replica.fields() == before
