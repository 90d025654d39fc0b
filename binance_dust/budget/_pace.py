"""The pace: raw requests of an address in a second.

Imported by the first budget: aiolimiter reads its own version from its metadata, and what it needs
for that would be a tenth of the import of this library.
"""

from __future__ import annotations

from typing import Final

from aiolimiter import AsyncLimiter

from binance_dust.budget._limits import BURST

BATCH: Final = 0.02
"""Seconds: calls that wait for the pace are woken in batches, not by a timer each."""


class Pace(AsyncLimiter):
    """Raw requests of the address in a second, every call counting one. Never waits itself.

    Weight is not all that an exchange counts: a firewall in front of it looks at raw requests (403;
    and `RAW_REQUESTS` of `/api/v3`). A leaking bucket is right here: since every call counts one,
    no large call can be starved by small ones.

    `AsyncLimiter(rate, period)` lets a full bucket through at once and the leak besides, so up to
    twice the rate in its first period. The bucket here holds a tenth and leaks nine tenths: never
    more than the rate in any one second.

    The bucket is aiolimiter's. Its time is passed in, because several processes may share it, and
    nothing is awaited: whether there is room is known at once.
    """

    __slots__ = ("_now", "batch_in")

    def __init__(self, rate: float) -> None:
        """Allow `rate` requests in any one second."""
        burst, leak = max(1.0, rate * BURST), rate * (1 - BURST)
        super().__init__(burst, burst / leak)
        self._now = 0.0
        self.batch_in: float = max(1 / leak, BATCH)
        """Seconds after which it is worth asking again."""

    def _leak(self) -> None:
        """Leak as aiolimiter does, until the time that was passed in and not that of a loop."""
        if self._level:
            leaked = (self._now - self._last_check) * self._rate_per_sec
            self._level = max(self._level - leaked, 0)
        self._last_check = self._now

    def least_wait(self, calls: int) -> float:
        """Return the seconds until the last of so many calls can go, if there are no others."""
        return max(0.0, calls - self.max_rate) / self._rate_per_sec

    def take(self, now: float) -> bool:
        """Take one request, if the pace allows it."""
        self._now = now
        if not self.has_capacity():
            return False
        self._level += 1
        return True

    def __repr__(self) -> str:
        return f"<Pace of {self._rate_per_sec:g} a second, {self._level:.1f} of {self.max_rate:g}>"
