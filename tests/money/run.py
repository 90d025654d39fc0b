"""Many lives, counted: `python -m tests.money.run --count 1000 --seed 0 --jobs 2`.

`--show SEED` lives one life, tells all that happened, and shrinks it for each of its violations.
"""

from __future__ import annotations

import argparse
import gc
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from tests.money.draw import draw
from tests.money.each import BASES, each
from tests.money.kept import KEPT, OPEN
from tests.money.life import Life
from tests.money.play import play
from tests.money.shrink import kinds, shrink

_PART = 50
_TELL = 20.0
"""Seconds between two lines that tell how far it got."""
_SEEDS = 20
_SLICES = 16
"""Into so many parts the steps of a base life are cut."""
Part = TypeVar("Part")


@dataclass
class LivesTally:
    """What was found in some lives."""

    lives: int = 0
    steps: int = 0
    calls: int = 0
    failed: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    drawn: Counter[str] = field(default_factory=Counter)
    """How many lives deviate in each thing."""
    hits: Counter[str] = field(default_factory=Counter)
    """Where strokes have hit."""
    checks: Counter[str] = field(default_factory=Counter)
    """What the oracle had occasion to judge."""
    seeds: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    found: list[str] = field(default_factory=list)
    """Lives without a seed that violate something."""

    def add(self, other: LivesTally) -> None:
        """Add what another part of the lives has shown."""
        for name in ("lives", "steps", "calls", "failed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("kinds", "drawn", "hits", "checks"):
            getattr(self, name).update(getattr(other, name))
        self.found = (self.found + other.found)[:_SEEDS]
        for kind, seeds in other.seeds.items():
            self.seeds[kind] = (self.seeds[kind] + seeds)[:_SEEDS]


def count(seeds: Iterable[int]) -> LivesTally:
    """Live lives, and count what they violate."""
    logging.disable()
    gc.freeze()
    gc.disable()  # once for some lives is enough
    tally = _tally((seed, draw(seed)) for seed in seeds)
    gc.collect()
    return tally


def count_each(part: tuple[str, int]) -> LivesTally:
    """Live a base life with each stroke at some of its steps, and count what is violated."""
    base, first = part
    logging.disable()
    return _tally((0, life) for life in each(base, every=_SLICES, first=first))


def _tally(lives: Iterable[tuple[int, Life]]) -> LivesTally:
    tally = LivesTally()
    for seed, life in lives:
        lived = play(life)
        tally.lives += 1
        tally.steps += lived.steps
        tally.calls += lived.calls
        tally.drawn.update(life.deviates or {"(ordinary)"})
        tally.hits.update(lived.hits)
        tally.checks.update(lived.checks)
        tally.failed += bool(lived.violations)
        for kind in {violation.kind for violation in lived.violations}:
            tally.kinds[kind] += 1
            tally.seeds[kind].append(seed)
            if not seed:
                tally.found.append(f"{kind}: {life}")
    return tally


def count_all(first: int, lives: int, jobs: int, tell: Callable[[str], None]) -> LivesTally:
    """Live many lives, in several processes."""
    parts = [range(at, min(at + _PART, first + lives)) for at in range(first, first + lives, _PART)]
    return _add_up(_in_processes(count, parts, jobs), tell)


def count_all_each(jobs: int, tell: Callable[[str], None]) -> LivesTally:
    """Live all base lives with each stroke at each of their steps."""
    parts = [(base, first) for base in BASES for first in range(1, _SLICES + 1)]
    return _add_up(_in_processes(count_each, parts, jobs), tell)


def _add_up(tallies: Iterator[LivesTally], tell: Callable[[str], None]) -> LivesTally:
    whole, began, told = LivesTally(), time.perf_counter(), 0.0
    for tally in tallies:
        whole.add(tally)
        for kind, seeds in tally.seeds.items():
            tell(f"money: {kind}: seeds {seeds} {tally.found[:1]}")
        passed = time.perf_counter() - began
        if passed > told + _TELL:
            rate, told = whole.lives / passed, passed
            tell(f"money: {whole.lives:,} lives, {whole.failed:,} violate something, {rate:.0f}/s")
    return whole


def _in_processes(
    work: Callable[[Part], LivesTally], parts: list[Part], jobs: int
) -> Iterator[LivesTally]:
    if jobs == 1:
        yield from map(work, parts)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(work, parts)


def report(tally: LivesTally) -> str:
    """Say what was lived, and what was found."""
    places = {hit.partition(" at ")[2] for hit in tally.hits}
    whole = (
        f"{tally.lives:,} lives, {tally.steps:,} steps, {tally.calls:,} calls that move funds; "
        f"{sum(tally.hits.values()):,} strokes at {len(places):,} places; "
        f"{tally.failed:,} violate something"
    )
    lines = [
        whole,
        ", ".join(f"{name} {number:,}" for name, number in sorted(tally.checks.items())),
        ", ".join(f"{name} {number:,}" for name, number in tally.drawn.most_common()),
    ]
    for kind, number in tally.kinds.most_common():
        lines.append(f"{kind}: {number:,}, seeds {', '.join(map(str, tally.seeds[kind][:8]))}")
    return "\n".join(lines)


def show(life: Life, only: str | None = None) -> str:
    """Live one life; tell what happened, and the smallest life for each violation."""
    lived = play(life)
    lines = [repr(life), *lived.notes]
    for kind in dict.fromkeys(violation.kind for violation in lived.violations):
        if only in (None, kind):
            small = shrink(life, kind)
            lines += [f"{kind}, shrunk: {small}"]
            lines += [f"    {each}" for each in play(small).violations if each.kind == kind]
    return "\n".join(lines)


def news(tally: LivesTally) -> list[str]:
    """Name what is violated now and was not before."""
    found = [f"{kind}: seed {tally.seeds[kind][0]}" for kind in tally.kinds.keys() - OPEN]
    for kept in KEPT:
        found += [f"{kind}: {kept.life}" for kind in kinds(kept.life) - kept.open]
    return found


def _tell(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    """Count, or show."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.money.run")
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", type=int, nargs="*", help="seeds to live, tell and shrink")
    parser.add_argument("--only", help="shrink only this kind of violation")
    parser.add_argument("--each", action="store_true", help="each stroke at each step instead")
    parser.add_argument("--examples", action="store_true", help="shrink a life of each kind")
    options = parser.parse_args()
    logging.disable()
    if options.show:
        for seed in options.show:
            print(show(draw(seed), options.only))
        return
    if options.each:
        tally = count_all_each(options.jobs, _tell)
        print(report(tally), *tally.found, sep="\n")
        return
    tally = count_all(options.seed, options.count, options.jobs, _tell)
    print(report(tally))
    for kind in tally.kinds if options.examples else ():
        print(f"\n{show(draw(tally.seeds[kind][0]), kind)}")


if __name__ == "__main__":
    main()
