"""The settings of a shared budget: from its user, and from the session that it serves."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust.budget._limits import RateLimits
    from binance_dust.budget._protocol import Clock
    from binance_dust.events import Event


class LoopClock:
    """The clock of a budget that serves no session yet: the exchange's time is not known."""

    def monotonic(self) -> float:
        """Read the clock of the event loop."""
        return time.monotonic()

    def server_time(self) -> float | None:
        """Return `None`: not known."""
        return None

    def now(self) -> float:
        """Return this machine's time."""
        return time.time()


@dataclass(slots=True)
class Settings:
    """The settings: fixed, except for what a session brings."""

    clock: Clock
    observer: Callable[[Event], None]
    patience: float
    limits: RateLimits = field(init=False)
    lease: float = field(init=False)
    """Seconds without a sign of life after which a process is taken for dead, at the least."""

    def now(self) -> float:
        """Read the monotonic clock."""
        return self.clock.monotonic()

    def share(self, part: float) -> RateLimits:
        """Return the limits of a process that spends a part of them alone."""
        limits = self.limits
        return replace(
            limits,
            headroom=1 - (1 - limits.headroom) * part,
            requests_per_second=max(1.0, limits.requests_per_second * part),
        )
