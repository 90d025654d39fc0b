"""Two lines before one pool: calls ahead of scans, and scans never left out.

In each lane the first to come is the first to go. Whoever's turn it is holds back the others until
its weight is there, so that no crowd of small calls can starve a large one.

While scans wait, calls may take four parts of the weight to the scans' one: each weight of a call
that passes is noted, and when four times the weight of the first scan has passed, the turn is its.

A waiter that was cancelled is only marked. It is skipped when its turn comes, and swept out when
the marked are more than the waiting, so that leaving costs O(1) too.
"""

from __future__ import annotations

import heapq
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Final

from binance_dust.budget._protocol import Lane

if TYPE_CHECKING:
    import asyncio

    from binance_dust.budget._admission import LocalAdmission

CALLS_TO_SCANS: Final = 4
_FEW: Final = 64


class Waiter:
    """Somebody in line."""

    __slots__ = ("admission", "future", "gone", "lane", "since", "weight")

    def __init__(
        self, weight: int, lane: Lane, future: asyncio.Future[LocalAdmission], since: float
    ) -> None:
        """Come to the end of a line."""
        self.weight: int = weight
        self.lane: Lane = lane
        self.future: asyncio.Future[LocalAdmission] = future
        self.since: float = since
        self.admission: LocalAdmission | None = None
        self.gone: bool = False
        """Whether it left the line: admitted, cancelled or told that it can't be."""


class Line:
    """Everybody who waits for one pool."""

    __slots__ = ("_ahead", "_deadlines", "_lanes", "_left", "_serial", "_weights", "waiting")

    def __init__(self) -> None:
        """Begin with nobody."""
        self._lanes: dict[Lane, deque[Waiter]] = {lane: deque() for lane in Lane}
        self._weights: dict[Lane, int] = dict.fromkeys(Lane, 0)
        self._deadlines: list[tuple[float, int, Waiter]] = []
        self._serial = count()
        self._left = 0
        """How many left since the last sweep: at most so many are marked."""
        self._ahead = 0
        """Weight of the calls that passed while scans were waiting."""
        self.waiting: int = 0

    def join(self, waiter: Waiter, deadline: float | None) -> None:
        """Stand at the end of its lane."""
        self._lanes[waiter.lane].append(waiter)
        self._weights[waiter.lane] += waiter.weight
        self.waiting += 1
        if deadline is not None:
            heapq.heappush(self._deadlines, (deadline, next(self._serial), waiter))

    def head(self) -> Waiter | None:
        """Look whose turn it is."""
        call = self._first(Lane.CALL)
        scan = self._first(Lane.SCAN)
        if call is None or scan is None:
            return call or scan
        return scan if self._ahead >= CALLS_TO_SCANS * scan.weight else call

    def leave(self, waiter: Waiter) -> None:
        """Leave the line, from whatever place, without having been served."""
        if waiter.gone:
            return
        waiter.gone = True
        self._weights[waiter.lane] -= waiter.weight
        self.waiting -= 1
        self._left += 1
        if self._left > self.waiting + _FEW:
            self._sweep()

    def serve(self, waiter: Waiter) -> None:
        """Take the head out of the line, its turn being come."""
        if waiter.lane is Lane.SCAN:
            self._ahead = max(0, self._ahead - CALLS_TO_SCANS * waiter.weight)
        elif self._weights[Lane.SCAN]:
            self._ahead += waiter.weight
        self._lanes[waiter.lane].popleft()
        self.leave(waiter)

    @property
    def weight(self) -> int:
        """Weight of everybody in line."""
        return sum(self._weights.values())

    def weight_before(self, lane: Lane, weight: int) -> int:
        """Give the weight that will be served before one of `weight` that came to `lane` now.

        The least that it can be: scans that come in between weigh what this one does, or more.
        """
        calls, scans = self._weights[Lane.CALL], self._weights[Lane.SCAN]
        if lane is Lane.CALL:
            turns = (self._ahead + calls) // (CALLS_TO_SCANS * weight)
            return calls + min(scans, turns * weight)
        return scans + min(calls, max(0, (scans + weight) * CALLS_TO_SCANS - self._ahead))

    def next_deadline(self) -> float | None:
        """Give the earliest deadline of those who wait."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][2].gone:
            heapq.heappop(deadlines)
        return deadlines[0][0] if deadlines else None

    def hopeless(self, chance: float) -> list[Waiter]:
        """Take out those whose deadline is not after the next chance that anybody has."""
        out: list[Waiter] = []
        while (deadline := self.next_deadline()) is not None and deadline <= chance:
            out.append(heapq.heappop(self._deadlines)[2])
        for waiter in out:
            self.leave(waiter)
        return out

    def everybody(self) -> list[Waiter]:
        """Take out all."""
        out = [waiter for lane in self._lanes.values() for waiter in lane if not waiter.gone]
        for waiter in out:
            self.leave(waiter)
        return out

    def _first(self, lane: Lane) -> Waiter | None:
        waiters = self._lanes[lane]
        while waiters:
            waiter = waiters[0]
            if not waiter.gone:
                return waiter
            waiters.popleft()
        return None

    def _sweep(self) -> None:
        self._left = 0
        for lane, waiters in self._lanes.items():
            self._lanes[lane] = deque(waiter for waiter in waiters if not waiter.gone)
        self._deadlines = [entry for entry in self._deadlines if not entry[2].gone]
        heapq.heapify(self._deadlines)

    def __repr__(self) -> str:
        lanes = ", ".join(f"{lane.value} {weight}" for lane, weight in self._weights.items())
        return f"<Line of {self.waiting}, weight {lanes}>"
