"""Many worlds, counted: `python -m tests.worlds.run --count 1000 --seed 0 --jobs 2`.

`--show SEED` plays one world and says what it violates, and how it shrinks; `--examples` does so
for the first seed of each kind.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from tests.worlds.draw import draw
from tests.worlds.invariants import violations
from tests.worlds.kept import KEPT
from tests.worlds.known import MOST_ALONE, MOST_UNEXPLAINED, reason
from tests.worlds.play import play
from tests.worlds.shrink import kinds, shrink

_PART = 50
_TELL = 20.0
"""Seconds between two lines that tell how far it got."""
_SEEDS = 20
_FEW = 100
"""Worlds of which a part can be told."""


@dataclass
class Tally:
    """What was found in some worlds."""

    worlds: int = 0
    documented: int = 0
    drawn: Counter[str] = field(default_factory=Counter)
    """How many worlds deviate in each dimension."""
    failed: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    where: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many violations of a kind there are in worlds that deviate in a dimension."""
    alone: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Likewise, in worlds that deviate in nothing else."""
    seeds: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    why: Counter[str] = field(default_factory=Counter)
    """How many violations have which reason."""
    unexplained: list[tuple[int, str, str]] = field(default_factory=list)
    """Seeds, deviations and invariants without one, where at most one thing is off."""
    several: int = 0
    """Worlds with several deviations."""
    hidden: int = 0
    """Those of them that violate something without a reason."""

    def add(self, other: Tally) -> None:
        """Add what another part of the worlds has shown."""
        self.worlds += other.worlds
        self.documented += other.documented
        self.failed += other.failed
        self.several += other.several
        self.hidden += other.hidden
        self.unexplained = (self.unexplained + other.unexplained)[:_SEEDS]
        for name in ("drawn", "kinds", "where", "alone", "why"):
            getattr(self, name).update(getattr(other, name))
        for kind, seeds in other.seeds.items():
            self.seeds[kind] = (self.seeds[kind] + seeds)[:_SEEDS]


def count(seeds: Iterable[int], deviating: int | None = None, *, shared: bool = False) -> Tally:
    """Play worlds, and count what they violate."""
    tally = Tally()
    for seed in seeds:
        world = draw(seed, deviating=deviating, shared=shared)
        played = play(world)
        violated = violations(played)
        found = {violation.kind for violation in violated}
        tally.several += len(world.deviates) > 1
        missing = set[str]()
        for violation in violated:
            known = reason(played, violation)
            if known is not None:
                tally.why[known.why] += 1
            elif len(world.deviates) > 1:
                missing.add(violation.kind)
            else:
                name = ", ".join(world.deviates) or "(documented)"
                tally.unexplained.append((seed, name, violation.kind))
        tally.hidden += bool(missing) and len(world.deviates) > 1
        deviates = world.deviates or {"(documented)"}
        tally.worlds += 1
        tally.documented += not world.deviates
        tally.drawn.update(deviates)
        tally.failed += bool(found)
        for kind in found:
            tally.kinds[kind] += 1
            tally.seeds[kind].append(seed)
            tally.where.update((kind, name) for name in deviates)
            if len(deviates) == 1:
                tally.alone.update((kind, name) for name in deviates)
    return tally


def count_all(
    first: int,
    worlds: int,
    jobs: int,
    deviating: int | None,
    tell: Callable[[str], None],
    *,
    shared: bool = False,
) -> Tally:
    """Play many worlds, in several processes."""
    whole, began, told = Tally(), time.perf_counter(), 0.0
    parts = [
        range(at, min(at + _PART, first + worlds)) for at in range(first, first + worlds, _PART)
    ]
    for number, tally in enumerate(_tallies(parts, jobs, deviating, shared=shared), start=1):
        whole.add(tally)
        passed = time.perf_counter() - began
        if passed > told + _TELL or number == len(parts):
            rate, told = whole.worlds / passed, passed
            tell(f"worlds: {whole.worlds:,}, {whole.failed:,} violate something, {rate:.0f}/s")
    return whole


def _tallies(
    parts: list[range], jobs: int, deviating: int | None, *, shared: bool
) -> Iterator[Tally]:
    judge = partial(count, deviating=deviating, shared=shared)
    if jobs == 1:
        yield from map(judge, parts)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(judge, parts)


def report(tally: Tally) -> str:
    """Show a table: a line for each invariant, with what the worlds deviate in."""
    begins = f"{tally.worlds:,} worlds, {tally.documented:,} as documented"
    lines = [f"{begins}; {tally.failed:,} violate something"]
    for kind, number in tally.kinds.most_common():
        lines.append(f"\n{kind}: {number:,} ({number / tally.worlds * 1000:.1f} of 1,000)")
        seeds = ", ".join(map(str, tally.seeds[kind][:8]))
        lines.append(f"    seeds {seeds}")
        for (which, name), many in sorted(tally.where.items(), key=lambda item: -item[1]):
            if which == kind:
                alone = tally.alone[kind, name]
                lines.append(f"    {name:14} {many:5} of {tally.drawn[name]:5}, {alone} alone")
    lines.append(
        f"\nof {tally.several:,} with several deviations {tally.hidden:,} without a reason"
    )
    lines += [f"    {number:7,} {why}" for why, number in tally.why.most_common()]
    return "\n".join(lines)


def show(
    seed: int, deviating: int | None = None, only: str | None = None, *, shared: bool = False
) -> str:
    """Play one world; say what it violates, and the smallest world that does."""
    world = draw(seed, deviating=deviating, shared=shared)
    played = play(world)
    lines = [f"seed {seed}: {world}", f"    {played.seconds:.1f} s, least {played.least:.1f}"]
    for violation in violations(played):
        lines.append(f"    {violation}")
        if only in (None, violation.kind):
            small = shrink(world, violation.kind)
            lines.append(f"      shrunk: {small}")
            still = [each for each in violations(play(small)) if each.kind == violation.kind]
            lines += [f"        {each}" for each in still]
    return "\n".join(lines)


def news(tally: Tally, *, shared: bool = False) -> list[str]:
    """Name what is violated without a reason, with its seed and shrunk; and in kept worlds."""
    found = []
    alone = tally.worlds - tally.several
    few = len(tally.unexplained) <= MOST_ALONE * alone
    for seed, name, kind in () if few else tally.unexplained:
        small = "" if shared else f", shrunk: {shrink(draw(seed), kind)}"
        found.append(f"{kind}, {name}: seed {seed}{small}")
    if tally.hidden > MOST_UNEXPLAINED * max(tally.several, _FEW):
        found.append(f"{tally.hidden:,} of {tally.several:,} worlds with several deviations")
    for kept in KEPT:
        if (kept.world.redis is not None) is not shared:
            continue
        found += [f"{kind}: {kept.world}" for kind in kinds(kept.world) - kept.open]
    return found


def show_kept() -> str:
    """Play the worlds that were kept; say which of their violations are still there."""
    lines = []
    for kept in KEPT:
        now = kinds(kept.world)
        state = "holds" if not now else ", ".join(sorted(now))
        lines.append(f"{state}: {kept.why}")
        if kept.open - now:
            lines.append(f"    mended, to be taken out of `open`: {sorted(kept.open - now)}")
        if now - kept.open:
            lines.append(f"    NEW: {sorted(now - kept.open)} in {kept.world}")
    return "\n".join(lines)


def _tell(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    """Count, or show."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.worlds.run")
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--deviating", type=int, help="in so many dimensions; else 0 to 3")
    parser.add_argument("--show", type=int, nargs="*", help="seeds to play and shrink")
    parser.add_argument("--only", help="shrink only this kind of violation")
    parser.add_argument("--examples", action="store_true", help="shrink a world of each kind")
    parser.add_argument("--kept", action="store_true", help="the worlds of kept.py")
    parser.add_argument("--shared", action="store_true", help="processes share a budget")
    options = parser.parse_args()
    if options.kept:
        print(show_kept())
    elif options.show:
        for seed in options.show:
            print(show(seed, options.deviating, options.only, shared=options.shared))
    else:
        tally = count_all(
            options.seed,
            options.count,
            options.jobs,
            options.deviating,
            _tell,
            shared=options.shared,
        )
        print(report(tally))
        for kind in tally.kinds if options.examples else ():
            print(f"\n{show(tally.seeds[kind][0], options.deviating, kind)}")


if __name__ == "__main__":
    main()
