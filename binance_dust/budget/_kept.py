"""The part of each window that scans leave to single calls, until nobody has come for it.

A scan takes all there is at the beginning of a window. A single call that comes a moment later
would wait for the next one. So a small part is kept, and given to the scan in time.

- If the exchange cuts windows, all of it is given towards the end of the window: then nothing is
  lost.
- If windows slide, weight comes back a window after it was spent. So the part is given in shares,
  far enough apart that a single call never waits long for the next one. From then on they come back
  one by one, nothing more is kept, and nothing is lost either.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from binance_dust.budget._own import OwnWeight

PARTS: Final = 12
"""So many parts of the limit are made, and one is kept."""
SHARES: Final = 3
"""In how many shares it is given where windows slide, if so many calls fit in. They are a quarter
of a window apart then: single calls are promised to wait less than a third."""
LATE: Final = 1 / 5
"""Part of a gap by which a share may come back late before another one is kept for it."""
UNTIL: Final = 5 / 6
"""The part of a window that is cut for which it is kept."""
_ROUNDING: Final = 1e-6
TAIL: Final = 1 / 120
"""Part of a window for which scans have to wait before the last of them take what is kept."""


class Cut(NamedTuple):
    """What is known of the next cut."""

    at: float
    """Infinite if the exchange's time is not known."""
    proven: bool
    slides: bool
    """Whether cuts were seen not to hold."""


class Kept:
    """When something is kept in one pool, and how much."""

    __slots__ = ("_window", "begun")

    def __init__(self, window: float) -> None:
        """Start before the first call."""
        self._window = window
        self.begun: float = 0.0
        """When the first call went after a window without any."""

    def weight(self, of: int, limit: int, now: float, own: OwnWeight, cut: Cut) -> int:
        """Return how much is kept beside calls of a weight."""
        most = self.most(of, limit)
        if self._is_near(cut, now):
            return 0
        if cut.proven:
            return most
        shares = self.shares(of, limit)
        gaps = self._gaps(now, own, most // shares // of * of)
        missing = self._missing(*next(gaps), shares)
        missing += sum(self._missing(begin, end, shares, LATE) for begin, end in gaps)
        return most * min(shares, missing) // shares

    @staticmethod
    def most(of: int, limit: int) -> int:
        """Return how much is kept at the most, beside calls of a weight."""
        return max(of, limit // PARTS) if of * PARTS <= limit else 0

    def until(self, of: int, limit: int, now: float, own: OwnWeight, cut: Cut) -> float:
        """Return when more of it is given to scans."""
        chances = [math.inf if cut.slides else self._before(cut)]
        if not cut.proven:
            shares = self.shares(of, limit)
            begin, end = next(self._gaps(now, own, self.most(of, limit) // shares // of * of))
            gap = self._window / (shares + 1)
            chances.append(end - gap * self._missing(begin, end, shares))
        return min((at for at in chances if at > now), default=math.inf)

    @classmethod
    def shares(cls, of: int, limit: int) -> int:
        """Return in how many shares it is given where windows slide."""
        return max(1, min(SHARES, cls.most(of, limit) // of))

    def _gaps(self, now: float, own: OwnWeight, share: int) -> Iterator[tuple[float, float]]:
        """Yield the times of a window from now on in which less than a share comes back."""
        at, back = now, 0
        for slot in own.answered_slots():
            back += slot.weight
            if back >= share:
                back = 0
                comes = slot.last + own.keep
                if comes > at:
                    yield at, comes
                    at = comes
        yield at, now + self._window

    def _missing(self, begin: float, end: float, shares: int, late: float = 0.0) -> int:
        """Return how many of the shares have to be given in between, so that none comes late."""
        gaps = (end - begin) * (shares + 1) / self._window
        return max(0, math.ceil(gaps - _ROUNDING - late) - 1)

    def _is_near(self, cut: Cut, now: float) -> bool:
        return not cut.slides and now >= self._before(cut)

    def _before(self, cut: Cut) -> float:
        return max(cut.at - self._window * (1 - UNTIL), self.begun + self._window / 2)

    def __repr__(self) -> str:
        return f"<Kept, from {self.begun:.3f} on>"
