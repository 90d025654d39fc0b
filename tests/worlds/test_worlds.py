"""Drawn worlds keep the invariants, and those that once failed are played again."""

from __future__ import annotations

import pytest

from tests.worlds import world as names
from tests.worlds.draw import DEVIATIONS, draw
from tests.worlds.invariants import violations
from tests.worlds.kept import KEPT, Kept
from tests.worlds.known import reason
from tests.worlds.least import least_time
from tests.worlds.play import play
from tests.worlds.shrink import kinds, shrink
from tests.worlds.world import Limits, Others, Stream, Windows, World


@pytest.mark.parametrize("first", range(0, 40, 20))
def test_worlds_as_documented_keep_the_invariants(first: int) -> None:
    for seed in range(first, first + 20):
        world = draw(seed, deviating=0)
        played = play(world)
        found = [each for each in violations(played) if reason(played, each) is None]
        if found:
            small = shrink(world, found[0].kind)
            pytest.fail(f"seed {seed}: {found[0]}\n{world}\nshrunk:\n{small}")


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: kept.why)
def test_a_world_that_once_failed(kept: Kept) -> None:
    assert kinds(kept.world) <= kept.open


def test_a_seed_is_one_world_and_its_repr_can_be_pasted() -> None:
    drawn = [draw(seed, shared=seed % 3 == 0) for seed in range(300)]

    assert [draw(seed, shared=seed % 3 == 0) for seed in range(300)] == drawn
    for world in drawn:
        assert eval(repr(world), vars(names) | {"inf": float("inf")}) == world  # noqa: S307


def test_every_dimension_is_drawn_and_most_worlds_deviate_little() -> None:
    drawn = [draw(seed) for seed in range(600)]

    assert frozenset().union(*(world.deviates for world in drawn)) == set(DEVIATIONS)
    assert sum(len(world.deviates) <= 3 for world in drawn) > 550
    assert sum(not world.deviates for world in drawn) > 60


def test_a_world_played_twice_is_the_same() -> None:
    first, second = (play(draw(8)) for _ in range(2))

    assert first.notes.sent == second.notes.sent
    assert first.notes.waits == second.notes.waits


@pytest.mark.parametrize(
    ("world", "seconds"),
    [
        (World(work=(Stream(calls=120),)), 0.0),
        (World(work=(Stream(calls=121),)), 60.0),
        (World(work=(Stream(calls=241),), windows=Windows(phase=50.0)), 70.0),
        (World(work=(Stream(calls=241),), windows=Windows(mode="sliding", phase=50.0)), 120.0),
        (World(work=(Stream(calls=121),), limits=Limits(true=0.5)), 120.0),
        (World(work=(Stream(calls=181),), others=Others(spend="minutely", part=0.5)), 120.0),
        (World(work=(Stream(calls=10, every=3.0),)), 27.0),
    ],
)
def test_the_least_time(world: World, seconds: float) -> None:
    trip = 2 * world.net.way
    assert seconds + trip - 0.001 <= least_time(world) <= seconds + trip + 120 / 450
