"""The calls that wait for one pool, in two lanes: calls ahead of scans, and scans never starved.

Each lane is first come, first served. The call at the head blocks the others until there is room
for it, so that many small calls can't starve a large one.

While scans wait, calls may take four parts of the weight to the scans' one: the weight of each call
that passes is added up, and at four times the weight of the first scan, that scan is next.

A waiter has a place, which is the time at which it came. Processes that share a queue give places
that are earlier or later than those that were given before.

A cancelled waiter is only marked. It is skipped at the head, and removed when there are more marked
waiters than others. So leaving costs O(1) too.
"""

from __future__ import annotations

import heapq
import math
from bisect import insort
from collections import deque
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from binance_dust.budget._protocol import Lane
from binance_dust.errors import DustError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from binance_dust.endpoints import LimitKind

CALLS_TO_SCANS: Final = 4
_FEW: Final = 64
_PLACE: Final = attrgetter("place")
TURN: Final = 1.25
"""Windows: so long a call may have to wait for its turn, also where nothing was refused."""


class Waiter:
    """A call in the queue."""

    __slots__ = ("gone", "lane", "patience", "place", "since", "weight")

    def __init__(
        self,
        weight: int,
        lane: Lane,
        since: float,
        patience: float = math.inf,
        place: float | None = None,
    ) -> None:
        """Start outside of a queue."""
        self.weight: int = weight
        self.lane: Lane = lane
        self.since: float = since
        """When the call was wanted."""
        self.patience: float = patience
        """Seconds that it may wait for the end of a ban."""
        self.place: float = since if place is None else place
        self.gone: bool = False
        """Whether it left the queue: admitted, cancelled or refused."""


class MovedError(DustError):
    """Somebody else pays: wait for that pool. It never leaves the budget."""

    def __init__(self, payer: LimitKind) -> None:
        """Start with who pays."""
        super().__init__(f"{payer.value} pays")
        self.payer = payer


W = TypeVar("W", bound=Waiter)


class Queue(Generic[W]):
    """All calls that wait for one pool."""

    __slots__ = (
        "_deadlines",
        "_lanes",
        "_left",
        "_serial",
        "_weights",
        "ahead",
        "waiting",
    )

    def __init__(self) -> None:
        """Start empty."""
        self._lanes: dict[Lane, deque[W]] = {lane: deque() for lane in Lane}
        self._weights: dict[Lane, int] = dict.fromkeys(Lane, 0)
        self._deadlines: list[tuple[float, int, W]] = []
        self._serial = count()
        self._left = 0
        """Waiters that left since the last sweep: at most so many are marked."""
        self.ahead: int = 0
        """Weight of the calls that passed while scans were waiting."""
        self.waiting: int = 0

    def join(self, waiter: W, deadline: float | None) -> None:
        """Add a waiter to its lane: at its end, unless it has an earlier place."""
        lane = self._lanes[waiter.lane]
        if not lane or lane[-1].place <= waiter.place:
            lane.append(waiter)
        else:
            insort(lane, waiter, key=_PLACE)
        self._weights[waiter.lane] += waiter.weight
        self.waiting += 1
        if deadline is not None:
            heapq.heappush(self._deadlines, (deadline, next(self._serial), waiter))

    def head(self) -> W | None:
        """Return the waiter that is next."""
        call = self._first(Lane.CALL)
        scan = self._first(Lane.SCAN)
        if call is None or scan is None:
            return call or scan
        return scan if self.ahead >= CALLS_TO_SCANS * scan.weight else call

    def leave(self, waiter: W) -> None:
        """Remove a waiter from any place."""
        if waiter.gone:
            return
        waiter.gone = True
        self._weights[waiter.lane] -= waiter.weight
        self.waiting -= 1
        self._left += 1
        if self._left > self.waiting + _FEW:
            self._sweep()

    def serve(self, waiter: W) -> None:
        """Remove the head, since it is admitted."""
        if waiter.lane is Lane.SCAN:
            self.ahead = max(0, self.ahead - CALLS_TO_SCANS * waiter.weight)
        elif self._weights[Lane.SCAN]:
            self.ahead += waiter.weight
        self._lanes[waiter.lane].popleft()
        self.leave(waiter)

    @property
    def only_scans(self) -> bool:
        """Whether no single call waits: then scans leave a part of the pool to those that come."""
        return not self._weights[Lane.CALL]

    @property
    def weight(self) -> int:
        """Weight of all waiters."""
        return sum(self._weights.values())

    def weight_before(self, lane: Lane, weight: int) -> int:
        """Return the weight that is served before a call of `weight` that came to `lane` now.

        This is a lower bound: scans that come in between weigh what this one does, or more.
        """
        calls, scans = self._weights[Lane.CALL], self._weights[Lane.SCAN]
        if lane is Lane.CALL:
            turns = (self.ahead + calls) // (CALLS_TO_SCANS * weight)
            return calls + min(scans, turns * weight)
        return scans + min(calls, max(0, (scans + weight) * CALLS_TO_SCANS - self.ahead))

    def next_deadline(self) -> float | None:
        """Return the earliest deadline of all waiters."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][2].gone:
            heapq.heappop(deadlines)
        return deadlines[0][0] if deadlines else None

    def remove_late(self, chance: float) -> list[W]:
        """Remove and return waiters with a deadline at or before the next possible admission."""
        out: list[W] = []
        while (deadline := self.next_deadline()) is not None and deadline <= chance:
            out.append(heapq.heappop(self._deadlines)[2])
        for waiter in out:
            self.leave(waiter)
        return out

    def remove_impatient(self, since: float, until: float) -> list[W]:
        """Remove and return those that may not wait for so long behind what is shut."""
        return self._remove(lambda waiter: waiter.patience < until - max(since, waiter.since))

    def remove_all(self) -> list[W]:
        """Remove and return all waiters."""
        return self._remove(lambda _: True)

    def _remove(self, chosen: Callable[[W], bool]) -> list[W]:
        out = [waiter for waiter in self if chosen(waiter)]
        for waiter in out:
            self.leave(waiter)
        return out

    def __iter__(self) -> Iterator[W]:
        """Go through all waiters, lane by lane."""
        return (waiter for lane in self._lanes.values() for waiter in lane if not waiter.gone)

    def _first(self, lane: Lane) -> W | None:
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
        return f"<Queue of {self.waiting}, weight {lanes}>"
