"""Where the exchange's windows are cut, if it cuts them by the clock.

The exchange's documents say for `/api/v3` that a request at 00:01:23 counts in the minute from
00:01:00 and is forgotten at 00:02:00 (web-socket-api.md, July 2026). For `/sapi` nothing is said.
So every pool asks: its first call after each cut is its witness, and what the header of that one
says is the proof or the end of it (`_pool.py`).

A cut is taken for past only `margin` seconds after our idea of it, and for safely ahead only until
`margin` seconds before: that idea is off by up to half a round trip. A cut that did not hold
doubles the margin.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from binance_dust.budget._protocol import Clock

MARGIN: Final = 1 / 240
MOST: Final = 1 / 8
LOOK_AGAIN: Final = 1 / 60
"""Parts of a window: the margin, the most that it grows to, and when to look for a clock again."""


class Span(NamedTuple):
    """One of the exchange's windows, as seen from here; times are monotonic."""

    number: int
    """Its number since the epoch; -1 while the exchange's time is not known."""
    opened: float
    """When its cut is past for certain."""
    closes: float
    """When the next cut will be past for certain."""


class Boundary:
    """The cuts between windows of one endpoint, and whether they were seen to hold."""

    __slots__ = ("_clock", "fixed", "margin", "slides", "window")

    def __init__(self, window: float, clock: Clock) -> None:
        """Begin without a proof."""
        self._clock = clock
        self.window: float = window
        self.margin: float = window * MARGIN
        self.fixed: bool = False
        """Whether the headers proved that this endpoint counts fixed windows."""
        self.slides: bool = False
        """Whether a count was seen to go on past a cut: for what is foretold, and nothing else."""

    def likely_close(self, now: float) -> float:
        """Say when the next cut will be, by this machine's clock until the exchange's is learnt."""
        return now + self.window - self._clock.now() % self.window + self.margin

    def span(self, now: float) -> Span:
        """Find the window of this moment."""
        server = self._clock.server_time()
        if server is None:
            return Span(-1, -math.inf, now + self.window * LOOK_AGAIN)
        number, since = divmod(server - self.margin, self.window)
        return Span(int(number), now - since, now - since + self.window)

    def learnt(self) -> None:
        """Note the proof that windows are fixed."""
        self.fixed, self.slides = True, False

    def lost(self) -> None:
        """Go back to the rule that is safe either way, and look again with more care."""
        self.fixed, self.slides = False, True
        self.margin = min(self.margin * 2, self.window * MOST)

    def __repr__(self) -> str:
        state = "fixed" if self.fixed else "not proven"
        return f"<Boundary every {self.window:g} s, {state}, margin {self.margin:.3f} s>"
