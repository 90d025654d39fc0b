"""The smallest world that still violates the same: part after part is replaced by the usual one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.worlds.invariants import violations
from tests.worlds.play import play
from tests.worlds.process import MakeBudget
from tests.worlds.world import World


def kinds(world: World, make: MakeBudget | None = None) -> frozenset[str]:
    """Play a world, and name the invariants that it violates."""
    return frozenset(violation.kind for violation in violations(play(world, make)))


def shrink(world: World, kind: str, make: MakeBudget | None = None) -> World:
    """Make a world as usual as it can be while it violates the same invariant."""
    smaller = True
    while smaller:
        smaller = False
        for simpler in _simpler(world):
            if kind in kinds(simpler, make):
                world, smaller = simpler, True
                break
    return world


def _simpler(world: World) -> Iterator[World]:
    """Give worlds that are nearer to the usual one: a whole part, or one value of a part."""
    usual = World()
    if len(world.work) > 1:
        yield replace(world, work=world.work[:1])
    for each in dataclasses.fields(world):
        value, plain = getattr(world, each.name), getattr(usual, each.name)
        if value == plain or each.name == "work":
            continue
        yield replace(world, **{each.name: plain})
        if dataclasses.is_dataclass(value):
            for part in _usual_values(value):
                yield replace(world, **{each.name: part})
    for number, stream in enumerate(world.work):
        for simpler in _usual_values(stream):
            work = (*world.work[:number], simpler, *world.work[number + 1 :])
            if simpler.calls <= stream.calls:
                yield replace(world, work=work)


def _usual_values(part: Any) -> Iterator[Any]:
    for each in dataclasses.fields(part):
        if getattr(part, each.name) != each.default:
            yield replace(part, **{each.name: each.default})
