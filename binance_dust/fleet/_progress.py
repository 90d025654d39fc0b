"""How far a fleet is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from binance_dust.fleet._assignments import Assignments

__all__ = ["FleetProgress", "WorkerProgress", "progress_of"]


@dataclass(frozen=True, slots=True)
class WorkerProgress:
    """One worker's part."""

    name: str
    done: int
    in_hand: int
    seconds_left: float
    """As its budgets make it, with its share of what nobody has in hand."""
    here: bool
    """Whether it is still there."""


@dataclass(frozen=True, slots=True)
class FleetProgress:
    """A fleet's job at one moment."""

    done: int
    failed: int
    total: int
    """As far as is known: workers may come that have more accounts."""
    elapsed: float
    seconds_left: float | None
    """`None` while nobody works."""
    workers: tuple[WorkerProgress, ...]


def progress_of(assignments: Assignments, *, failed: int, elapsed: float) -> FleetProgress:
    """Show a job."""
    workers = [
        WorkerProgress(
            worker.presence.name,
            worker.done,
            len(worker.hand),
            worker.presence.seconds_left if here else 0.0,
            here,
        )
        for group, here in ((assignments.workers, True), (assignments.past, False))
        for worker in group.values()
        if here or worker.done
    ]
    left = max((each.seconds_left for each in workers if each.here), default=None)
    if assignments.ended and assignments.total:
        left = 0.0
    return FleetProgress(assignments.done, failed, assignments.total, elapsed, left, tuple(workers))
