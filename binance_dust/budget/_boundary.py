"""Where the exchange cuts its windows, if it cuts them by the clock.

The exchange's documents say for `/api/v3` that a request at 00:01:23 counts in the minute from
00:01:00 and is forgotten at 00:02:00 (web-socket-api.md, July 2026). For `/sapi` they say nothing.
So every pool asks: its first call after each cut is the witness, and the header of its answer
proves or disproves that windows are fixed (`_pool.py`).

We know the time of a cut only up to half a round trip. So a cut counts as past `margin` seconds
after our estimate, and as ahead until `margin` seconds before it. The margin doubles when a cut did
not hold.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from binance_dust.budget._protocol import Clock

MARGIN: Final = 1 / 240
MOST_MARGIN: Final = 1 / 8
ASK_CLOCK: Final = 1 / 60
"""Parts of a window: the first margin, the largest margin, and when to ask for the time again."""


class ServerWindow(NamedTuple):
    """One of the exchange's windows; times are on our monotonic clock."""

    number: int
    """Its number since the epoch; -1 while the exchange's time is not known."""
    opened: float
    """When its first cut is certainly past."""
    closes: float
    """When its last cut will certainly be past."""


class Boundary:
    """The cuts between the windows of one endpoint, and whether they were seen to hold."""

    __slots__ = ("clock", "fixed", "margin", "slides", "window")

    def __init__(self, window: float, clock: Clock) -> None:
        """Start without a proof."""
        self.clock: Clock = clock
        self.window: float = window
        self.margin: float = window * MARGIN
        self.fixed: bool = False
        """Whether headers proved that this endpoint counts fixed windows."""
        self.slides: bool = False
        """Whether a count was seen to go on past a cut. Used for forecasts only."""

    def likely_close(self, now: float) -> float:
        """Return the next cut; by this machine's clock until the exchange's time is known."""
        return now + self.window - self.clock.now() % self.window + self.margin

    def window_at(self, now: float) -> ServerWindow:
        """Return the window at this moment."""
        server = self.clock.server_time()
        if server is None:
            return ServerWindow(-1, -math.inf, now + self.window * ASK_CLOCK)
        number, since = divmod(server - self.margin, self.window)
        return ServerWindow(int(number), now - since, now - since + self.window)

    def learnt(self) -> None:
        """Record the proof that windows are fixed."""
        self.fixed, self.slides = True, False

    def lost(self) -> None:
        """Record that a cut did not hold: use the rule that is safe either way, and more margin."""
        self.fixed, self.slides = False, True
        self.margin = min(self.margin * 2, self.window * MOST_MARGIN)

    def __repr__(self) -> str:
        state = "fixed" if self.fixed else "not proven"
        return f"<Boundary every {self.window:g} s, {state}, margin {self.margin:.3f} s>"
