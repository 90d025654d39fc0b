"""Feed readers until the inputs or the time are used up, and keep count."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.proof.decoders import Reader
from tests.proof.mutations import Mutator


@dataclass
class Count:
    """How far it got."""

    inputs: int = 0
    seconds: float = 0.0
    slowest: dict[str, tuple[float, bytes]] = field(default_factory=dict)
    """The slowest input of each reader: a hang begins as one of these."""


class FoundError(AssertionError):
    """An input that made a reader do what it must not; says all that is needed to see it again."""


def fuzz(
    readers: Iterable[Reader],
    *,
    seed: int = 0,
    inputs: int,
    seconds: float = float("inf"),
    clock: Callable[[], float] = time.perf_counter,
) -> Count:
    """Give each reader its share of changed samples; the first finding ends it."""
    rows = [(reader, Mutator(f"{seed}/{reader.name}")) for reader in readers]
    count, began = Count(), clock()
    before = began
    while count.inputs < inputs and before - began < seconds:
        for reader, mutator in rows:
            text = mutator.change(mutator.dice.choice(reader.samples))
            try:
                reader.read(text, mutator)
            except Exception as problem:
                shown = f"{text[:2_000]!r}{'...' if len(text) > 2_000 else ''}"
                message = (
                    f"{reader.name}, seed {seed}, input {count.inputs}: {problem!r} at {shown}"
                )
                raise FoundError(message) from problem
            now = clock()
            if now - before > count.slowest.get(reader.name, (0.0, b""))[0]:
                count.slowest[reader.name] = (now - before, text[:200])
            before = now
            count.inputs += 1
    count.seconds = before - began
    return count
