"""The pace of one address: raw requests a second, every call counting one.

Weight is not all that an exchange counts: a firewall in front of it looks at raw requests (403; and
`RAW_REQUESTS` of `/api/v3`). Here a leaking bucket is right, and since every call counts one, no
amount can starve another.

`AsyncLimiter(rate, period)` lets a full bucket through at once and the leak besides, so up to twice
the rate in its first period. The bucket here holds a tenth and leaks nine tenths: never more than
the rate in any one second.
"""

from __future__ import annotations

from typing import Final

from aiolimiter import AsyncLimiter

BURST: Final = 0.1
BATCH: Final = 0.02
"""Seconds: whoever waits for the pace is woken in batches, not one timer for each."""


class Pace:
    """A leaking bucket that is asked, never waited for: who is refused stays in its own line."""

    __slots__ = ("_bucket", "_burst", "_leak", "batch_in")

    def __init__(self, rate: float) -> None:
        """Allow `rate` requests in any one second."""
        burst = self._burst = max(1.0, rate * BURST)
        leak = self._leak = rate * (1 - BURST)
        self._bucket = AsyncLimiter(burst, burst / leak)
        self.batch_in = max(1 / leak, BATCH)
        """Seconds after which it is worth asking again."""

    def least_wait(self, calls: int) -> float:
        """Say in how many seconds the last of so many calls can go at best, if no other came."""
        return max(0.0, calls - self._burst) / self._leak

    def take(self) -> bool:
        """Take one request, if the pace allows."""
        if not self._bucket.has_capacity():
            return False
        # With capacity at hand `acquire` never suspends, so that a single step finishes it.
        try:
            self._bucket.acquire().send(None)
        except StopIteration:
            return True
        raise AssertionError  # pragma: no cover - has_capacity() said otherwise

    def __repr__(self) -> str:
        return f"<Pace {self._bucket!r}>"
