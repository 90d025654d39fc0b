"""Each invariant notices a fault that was made on purpose."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from binance_dust.budget import Admission
from tests.worlds import naive
from tests.worlds.invariants import Violation
from tests.worlds.known import reason
from tests.worlds.play import play
from tests.worlds.process import MakeBudget
from tests.worlds.run import Tally, news
from tests.worlds.shrink import kinds, shrink
from tests.worlds.world import (
    Bans,
    Headers,
    Limits,
    Net,
    Others,
    Processes,
    Storm,
    Stream,
    Windows,
    World,
)

SMALL = Limits(documented=6_000)
MORE_THAN_FITS = World(limits=SMALL, work=(Stream(calls=90),), bans=Bans(lasts=5.0))
SLIDING = Windows(mode="sliding")


@pytest.mark.parametrize(
    ("kind", "make", "world"),
    [
        ("sent into a refusal", naive.Reckless, MORE_THAN_FITS),
        ("sent into a ban", naive.Deaf, World(limits=Limits(true=0.5))),
        ("knocked at a wall", naive.Deaf, World(storm=Storm(kind="wall", at=0.3, lasts=20.0))),
        ("a second ban", naive.Reckless, MORE_THAN_FITS),
        ("banned for nothing", naive.Doubled, World(windows=SLIDING, net=Net(way=2.0))),
        ("refused for nothing", naive.Doubled, World(windows=SLIDING)),
        (
            "refused again and again",
            naive.Reckless,
            replace(MORE_THAN_FITS, bans=Bans(after=1_000)),
        ),
        ("waited in silence", naive.Forgetful, World()),
        ("waited past its deadline", naive.Late, World(work=(Stream(deadline=50.0),))),
        ("told without the time", naive.Curt, World(work=(Stream(deadline=50.0),))),
        ("foretold too short", naive.Rosy, World(work=(Stream(calls=600),))),
        (
            "a single call waited",
            naive.Unfair,
            World(work=(Stream(calls=500), Stream(calls=5, every=30.0, begin=5.0, single=True))),
        ),
        (
            "strangled for good",
            naive.Shaken,
            World(headers=Headers(say="huge", once=100), work=(Stream(calls=1_000),)),
        ),
        ("slow", naive.Halved, World()),
        ("slow", naive.Halved, World(limits=SMALL, processes=Processes(stop_at=5.0, stop_for=4.0))),
    ],
)
def test_a_fault_on_purpose_is_noticed(kind: str, make: MakeBudget, world: World) -> None:
    assert kind in kinds(world, make)


def test_a_crash_is_noticed() -> None:
    class Broken(naive.Faulty):
        async def admit(self, *arguments: Any, **more: Any) -> Admission:
            raise ValueError("broken")

    assert "crashed" in kinds(World(work=(Stream(calls=3),)), Broken)


@pytest.mark.long
def test_a_world_shrinks_to_what_matters() -> None:
    world = World(
        seed=7,
        windows=Windows(mode="sliding", phase=12.0),
        limits=SMALL,
        headers=Headers(say="late", late=2),
        others=Others(spend="evenly", part=0.1),
        work=(Stream(calls=200), Stream(endpoint="margin", calls=20)),
        accounts=7,
    )

    small = shrink(world, "a second ban", naive.Reckless)

    assert "a second ban" in kinds(small, naive.Reckless)
    assert small.deviates == frozenset()
    assert len(repr(small)) < len(repr(world)) / 2


def test_a_violation_has_a_reason_only_where_the_world_gives_one() -> None:
    second_ban = Violation("a second ban", "2 bans")
    copies = play(World(limits=SMALL, processes=Processes(copies=2), work=(Stream(calls=2),)))
    alone = play(World(limits=SMALL, work=(Stream(calls=2),)))

    assert reason(copies, second_ban) is not None
    assert reason(copies, Violation("crashed", "")) is None
    assert reason(alone, second_ban) is None


def test_a_second_ban_has_a_reason_if_each_life_of_a_process_has_one() -> None:
    second_ban = Violation("a second ban", "2 bans")
    died = play(World(limits=SMALL, processes=Processes(die_at=1.0), work=(Stream(calls=2),)))
    for bans, explained in (((0.5, 50.0), True), ((50.0, 99.0), False), ((0.5, 0.6), False)):
        died.exchange.bans = [(begin, begin + 9.0) for begin in bans]
        assert (reason(died, second_ban) is not None) is explained


def test_what_has_no_reason_is_news_with_its_seed() -> None:
    tally = Tally(2_000, several=1_000, hidden=50, unexplained=[(3, "(documented)", "slow")])
    assert news(tally, shared=True) == ["slow, (documented): seed 3"]

    tally.hidden += 1
    assert news(tally, shared=True)[1:] == ["51 of 1,000 worlds with several deviations"]
    tally.worlds = 3_000
    assert len(news(tally, shared=True)) == 1, "one of 2,000 may be slow by a hair"
