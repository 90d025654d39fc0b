"""When the last of so many more calls can be sent, with what others spend and with the pace.

A budget foretells from its own calls alone: it cannot know whether others will go on. For users it
is more useful to expect that they do. So the weight of others is put between our calls: if they
spend half of each window, our calls take twice as many windows. The pace comes on top: when a
window has room for a burst, the burst takes some time itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from binance_dust.budget._limits import BURST

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust.budget import Budget, Charge, PoolSnapshot, RateLimits

_LOOK_AGAIN: Final = 0.0005
"""Seconds for each pool in a snapshot, for which it is used again. That is a hundred times as long
as it takes to make: there may be a pool for each account."""
_CUSHION: Final = 1 / 20
"""Part of a limit that a budget leaves besides, while windows slide and others spend."""


class PaceForecast:
    """The pace of an address, as far as one user of it can foretell it: calls in a second."""

    __slots__ = ("_burst", "_each", "_free_at")

    def __init__(self, requests_per_second: float) -> None:
        """Begin with a full burst."""
        self._burst = max(1.0, requests_per_second * BURST)
        self._each = 1 / (requests_per_second * (1 - BURST))
        self._free_at = -math.inf

    def seconds(self, calls: float) -> float:
        """Return the seconds until the last of so many calls can go, if there are no others."""
        return max(0.0, calls - self._burst) * self._each

    def take(self, now: float) -> bool:
        """Count a call; return whether the calls counted so far let it go at once."""
        self._free_at = max(self._free_at, now - self._burst * self._each) + self._each
        return self._free_at <= now


class Forecasts:
    """What a session foretells for one endpoint."""

    __slots__ = ("_budget", "_limits", "_now", "_pace", "_pools", "_until")

    def __init__(self, budget: Budget, limits: RateLimits, now: Callable[[], float]) -> None:
        """Look at nothing yet."""
        self._budget = budget
        self._limits = limits
        self._now = now
        self._until = -math.inf
        self._pools: dict[str, PoolSnapshot] = {}
        self._pace = PaceForecast(limits.requests_per_second)

    def of_account(self, calls: int) -> float:
        """Return the seconds for calls that different accounts pay: only the pace counts."""
        self._look()
        return self._pace.seconds(calls)

    def of_address(self, charge: Charge, calls: int) -> float:
        """Return the seconds for calls that the address pays."""
        self._look()
        pool = self._pools.get(charge.pool)
        if pool is None or not pool.others:
            seconds = self._budget.forecast(charge, calls)
        else:
            seconds = self._among_others(charge, calls, pool)
        if calls:
            # They go in bursts as windows begin, and the last burst takes its time.
            burst = max(1, self._limits.of(charge.kind) // charge.weight)
            seconds += self._pace.seconds((calls - 1) % burst + 1)
        return max(seconds, self._pace.seconds(calls))

    def _among_others(self, charge: Charge, calls: int, pool: PoolSnapshot) -> float:
        """Foretell with others that go on to spend what they were last seen to spend."""
        whole, weight = self._limits.whole(pool.kind), charge.weight
        left = min(pool.limit, whole - pool.others)
        if pool.fixed:
            # They spend while our calls wait: as if that were more calls of ours. The budget has
            # taken off already what they spend in this window.
            at_once = max(0, pool.limit - pool.used - pool.others) // weight
            later = max(0, pool.waiting + calls - at_once)
            more = math.ceil(later * (pool.limit / max(left, weight) - 1))
            return self._budget.forecast(charge, calls + more)
        # Each window gives back what we have spent in the one before. Theirs is in `used`.
        left = max(weight, left - round(whole * _CUSHION))
        at_once = max(0, whole - pool.used - round(whole * _CUSHION)) // weight
        later = pool.waiting + calls - at_once
        window = self._limits.window
        begin = max(pool.resets_in or window, pool.shut_for)
        seconds = begin + (later - 1) // (left // weight) * window
        return max(seconds, self._budget.forecast(charge, calls))

    def _look(self) -> None:
        now = self._now()
        if now < self._until:
            return
        snapshot = self._budget.snapshot()
        self._until = now + len(snapshot.pools) * _LOOK_AGAIN
        self._pools = {pool.name: pool for pool in snapshot.pools if pool.account is None}
        self._pace = PaceForecast(snapshot.requests_per_second)
