"""The smallest life that still violates the same: part after part of it is left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from tests.money.life import Deed, Life, Program
from tests.money.play import play
from tests.worlds.shrink import _usual_values

Kinds = Callable[[Life], frozenset[str]]
T = TypeVar("T")


def kinds(life: Life) -> frozenset[str]:
    """Live a life, and name the invariants that it violates."""
    return frozenset(violation.kind for violation in play(life).violations)


def shrink(life: Life, kind: str, kinds_of: Kinds = kinds) -> Life:
    """Make a life as ordinary as it can be while it violates the same invariant."""
    smaller = True
    while smaller:
        smaller = False
        for simpler in _simpler(life):
            if kind in kinds_of(simpler):
                life, smaller = simpler, True
                break
    return life


def _simpler(life: Life) -> Iterator[Life]:
    """Give lives that are nearer to an ordinary one."""
    if len(life.programs) > 1:
        yield from (_without(life, number) for number in range(len(life.programs)))
    for name in ("strokes", "owner"):
        for fewer in _with_one_less(getattr(life, name)):
            yield _with(life, name, fewer)
    for writes in _with_one_less(life.line.writes):
        yield replace(life, line=replace(life.line, writes=writes))
    for name in ("machine", "storage", "line", "rules"):
        part = getattr(life, name)
        if part != (usual := type(part)()):
            for simpler in (usual, *_usual_values(part)):
                yield _with(life, name, simpler)
    yield from _with_simpler_parts(life)


def _with_simpler_parts(life: Life) -> Iterator[Life]:
    for name in ("programs", "owner"):
        parts = getattr(life, name)
        for number, part in enumerate(parts):
            for simpler in _simpler_part(part):
                yield _with(life, name, (*parts[:number], simpler, *parts[number + 1 :]))


def _simpler_part(part: Program | Deed) -> Iterator[Program | Deed]:
    """Give a program or a deed with a usual value; its time stays."""
    when = "begin" if isinstance(part, Program) else "at"
    for simpler in _usual_values(part):
        if getattr(simpler, when) == getattr(part, when):
            yield simpler
    if isinstance(part, Program):
        yield from (replace(part, jobs=jobs) for jobs in _with_one_less(part.jobs) if jobs)


def _with(life: Life, name: str, value: Any) -> Life:
    changed: Life = dataclasses.replace(life, **{name: value})
    return changed


def _with_one_less(parts: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    for number in range(len(parts)):
        yield (*parts[:number], *parts[number + 1 :])


def _without(life: Life, number: int) -> Life:
    """Leave a program out, and what befalls it."""
    strokes = tuple(
        replace(stroke, process=stroke.process - (stroke.process > number))
        for stroke in life.strokes
        if stroke.process != number
    )
    programs = (*life.programs[:number], *life.programs[number + 1 :])
    return replace(life, programs=programs, strokes=strokes)
