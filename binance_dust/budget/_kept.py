"""The part of each window that scans leave to single calls, until nobody has come for it.

A scan takes all there is at the beginning of a window. A single call that comes a moment later
would wait for the next one. So a small part is kept, and given to the scan towards the end of the
window: then nothing is lost. Windows are cut by the exchange's clock, or slide: then they begin
with our first call.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from binance_dust.budget._boundary import Boundary

PARTS: Final = 12
"""So many parts of the limit are made, and one is kept."""
UNTIL: Final = 5 / 6
"""The part of a window for which it is kept."""

TAIL: Final = 1 / 120
"""Part of a window for which scans have to wait before the last of them take what is kept."""


class Kept:
    """When something is kept in one pool, and how much."""

    __slots__ = ("_window", "begun")

    def __init__(self, window: float) -> None:
        """Start before the first call."""
        self._window = window
        self.begun: float = 0.0
        """When the first call went after a window without any."""

    def weight(self, of: int, limit: int, now: float, boundary: Boundary, cut: float) -> int:
        """Return how much is kept beside calls of a weight; `cut` is the next one."""
        return 0 if self._is_late(now, boundary, cut) else self.most(of, limit)

    @staticmethod
    def most(of: int, limit: int) -> int:
        """Return how much is kept at the most, beside calls of a weight."""
        return max(of, limit // PARTS) if of * PARTS <= limit else 0

    def until(self, now: float, boundary: Boundary, cut: float) -> float:
        """Return when it is given to scans."""
        chances = [self._ends(now), math.inf if boundary.slides else self._before(cut)]
        return min((at for at in chances if at > now), default=math.inf)

    def _is_late(self, now: float, boundary: Boundary, cut: float) -> bool:
        by_clock = cut < math.inf and not boundary.slides and now >= self.begun + self._window / 2
        if by_clock and now >= self._before(cut):
            return True
        return not (by_clock and boundary.fixed) and now >= self._ends(now)

    def _before(self, cut: float) -> float:
        return max(cut - self._window * (1 - UNTIL), self.begun + self._window / 2)

    def _ends(self, now: float) -> float:
        return now - (now - self.begun) % self._window + self._window * UNTIL

    def __repr__(self) -> str:
        return f"<Kept, from {self.begun:.3f} on>"
