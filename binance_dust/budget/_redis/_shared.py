"""What processes share besides pools: time, who they are, their calls, and their waiters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from binance_dust.budget._count import PoolCall
from binance_dust.budget._queue import Waiter

if TYPE_CHECKING:
    from binance_dust.budget._pool import Pool
    from binance_dust.budget._protocol import Lane


class LogClock:
    """The time of the last entry, and the exchange's time as its process knew it."""

    __slots__ = ("at", "offset", "shift")

    def __init__(self) -> None:
        """Start before the first entry."""
        self.at = 0.0
        self.shift = 0.0
        """What is added to the time of Redis: if that goes back, ours goes on."""
        self.offset: float | None = None

    def of(self, at: float) -> float:
        """Return our time for one of Redis."""
        return max(self.at, at + self.shift)

    def set(self, at: float) -> None:
        """Go on to a time of Redis."""
        now = at + self.shift
        if now < self.at:
            self.shift += self.at - now
            now = self.at
        self.at = now

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self.at

    def server_time(self) -> float | None:
        """Return the exchange's time; `None` until a process has known it."""
        return None if self.offset is None else self.at + self.offset

    def now(self) -> float:
        """Return the exchange's time, or that of Redis."""
        return self.at + (self.offset or 0.0)


class Member:
    """One of the processes that share a budget."""

    __slots__ = ("check", "heard", "lease", "position")

    def __init__(self) -> None:
        """Start with nothing heard."""
        self.heard = -math.inf
        """When it was heard last."""
        self.lease = 0.0
        """Seconds without a word after which it is taken for dead."""
        self.position = 0
        """All before this it has read."""
        self.check = 0
        """What came of it, in short."""


class SharedWaiter(Waiter):
    """A call that waits, of one of the processes."""

    __slots__ = ("deadline", "pid", "pool", "ticket")

    def __init__(  # noqa: PLR0913 - what is known of a waiter
        self,
        weight: int,
        lane: Lane,
        since: float,
        *,
        patience: float,
        place: float,
        deadline: float | None,
        pool: Pool,
        pid: str,
        ticket: int,
    ) -> None:
        """Start outside of a queue."""
        super().__init__(weight, lane, since, patience, place)
        self.deadline = deadline
        self.pool = pool
        self.pid = pid
        self.ticket = ticket


class SharedCall(PoolCall):
    """A call that was admitted, of one of the processes."""

    __slots__ = ("pid", "position", "ticket", "waited")

    def __init__(
        self, pool: Pool, weight: int, documented: int, waiter: SharedWaiter, position: int
    ) -> None:
        """Start when it is admitted, at this `position` in the log."""
        super().__init__(weight, documented)
        self.pool = pool
        self.pid = waiter.pid
        self.ticket = waiter.ticket
        self.position = position
        self.waited = 0.0
        """Seconds for which it had waited."""
