"""The worlds in which the budget once got itself banned, strangled or silent, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from binance_dust.events import BoundaryLearnt, HeadersDoubted, LimitLearnt, WeightLearnt
from tests.worlds.invariants import violations
from tests.worlds.play import Play, play
from tests.worlds.process import MakeBudget, local_budget
from tests.worlds.shared import SharedBudgets
from tests.worlds.world import (
    Charging,
    Clocks,
    Headers,
    Limits,
    Net,
    Others,
    Refusals,
    Storm,
    Stream,
    Windows,
    World,
)

Makes = Callable[[], MakeBudget]


@pytest.fixture(params=[lambda: local_budget, SharedBudgets], ids=["alone", "shared"])
def make(request: pytest.FixtureRequest) -> Makes:
    """Make a budget for one process, or one that processes share: the rules are the same."""
    made: Makes = request.param
    return made


STARTS = [
    Windows(),
    Windows(phase=50.0),
    Windows(mode="sliding", phase=20.0),
]
LONG = (Stream(calls=400),)


def plays(world: World, make: Makes) -> Iterator[Play]:
    """Play a world with both kinds of windows, begun early and late in one."""
    for windows in STARTS:
        yield play(replace(world, windows=windows), make())


def told(played: Play, kind: type) -> bool:
    return any(isinstance(event, kind) for _, event in played.notes.events)


@pytest.mark.parametrize(
    "world",
    [
        World(storm=Storm(kind="wall", at=0.3, pages=2)),
        World(net=Net(way=5.0, jitter=0.5)),
        World(net=Net(way=2.7, jitter=0.1), work=(Stream(calls=110),)),
        World(headers=Headers(say="other", once=1), work=LONG),
        World(headers=Headers(say="huge", once=1), work=LONG),
        World(headers=Headers(say="huge", once=50), work=LONG),
        World(headers=Headers(say="huge"), work=LONG),
        World(headers=Headers(say="one"), work=LONG),
        World(headers=Headers(say="backwards"), work=LONG),
        World(headers=Headers(nodes=3), work=LONG),
        World(charging=Charging(times=100), work=(Stream(endpoint="log", calls=300),)),
        World(charging=Charging(times=5), work=(Stream(calls=100),)),
        World(charging=Charging(payer="uid"), work=(Stream(calls=300),), accounts=7),
        World(charging=Charging(payer="both"), work=LONG, accounts=7),
    ],
    ids=repr,
)
def test_nothing_is_violated_and_nothing_refused(world: World, make: Makes) -> None:
    for played in plays(world, make):
        assert violations(played) == []
        assert played.exchange.refused == 0
        assert played.exchange.bans == []


@pytest.mark.parametrize("headers", [Headers(), Headers(say="missing")], ids=["told", "untold"])
def test_half_of_the_limit_costs_one_ban_and_is_learnt(headers: Headers, make: Makes) -> None:
    work = (Stream(calls=720),)
    for played in plays(World(limits=Limits(true=0.5), headers=headers, work=work), make):
        assert violations(played) == []
        assert len(played.exchange.bans) <= 1
        assert told(played, LimitLearnt)


@pytest.mark.parametrize("step", [-10.0, -2.0, 10.0])
def test_a_clock_that_steps_costs_time_or_one_refusal_if_no_cut_was_seen(
    step: float, make: Makes
) -> None:
    for played in plays(World(clocks=Clocks(step_at=25.0, step=step), work=LONG), make):
        learnt = [at for at, event in played.notes.events if isinstance(event, BoundaryLearnt)]
        seen = bool(learnt) and learnt[0] < 25.0
        assert {each.kind for each in violations(played)} <= {"refused for nothing"}
        assert played.exchange.bans == []
        assert played.exchange.refused <= (0 if seen else 1)


def test_a_refusal_for_minutes_is_told_to_all(make: Makes) -> None:
    others = Others(spend="bursts", part=0.6)
    world = World(refusals=Refusals(retry_after="300"), others=others, work=LONG)
    for played in plays(world, make):
        assert violations(played) == []


def test_single_calls_beside_a_scan_have_room(make: Makes) -> None:
    beside = Stream(every=7.0, calls=20, single=True)
    for played in plays(World(work=(Stream(calls=600), beside)), make):
        assert violations(played) == []
        waits = [w.ended - w.since for w in played.notes.waits if w.single and w.ended is not None]
        assert max(waits) < 20.0


def test_an_endpoint_that_the_address_pays_for_costs_no_ban(make: Makes) -> None:
    """Sixty accounts are said to pay for themselves, and four calls fit into a window."""
    work = (Stream(endpoint="exchange", calls=60),)
    for played in plays(World(charging=Charging(payer="ip"), work=work, accounts=60), make):
        assert played.exchange.bans == []
        assert played.exchange.refused <= 30
        assert played.finished


def test_what_is_learnt_is_told(make: Makes) -> None:
    dear = World(charging=Charging(times=100), work=(Stream(endpoint="log", calls=300),))
    odd = World(headers=Headers(say="huge", once=1), work=LONG)

    assert told(play(dear, make()), WeightLearnt)
    assert told(play(odd, make()), HeadersDoubted)


@pytest.mark.parametrize("length", [90.0, 300.0])
def test_windows_that_are_longer_cost_a_lone_refusal_each_and_no_ban(
    length: float, make: Makes
) -> None:
    for mode in ("fixed", "sliding"):
        played = play(World(windows=Windows(mode=mode, length=length)), make())
        assert violations(played) == []
        assert played.exchange.bans == []
        assert played.exchange.refused <= 2
