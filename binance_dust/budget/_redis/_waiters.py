"""The waiters of this process, by pool, with one timer for each pool."""

from __future__ import annotations

import asyncio
import heapq
import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from binance_dust.budget._protocol import Charge, Lane
    from binance_dust.budget._redis._in_flight import RedisAdmission

_MOMENT: Final = 0.005
"""Calls that come within so many seconds belong to one batch: a few turns of the loop."""


class SharedWaiter:
    """A call that waits for Redis to admit it."""

    __slots__ = (
        "asked",
        "behind",
        "charge",
        "deadline",
        "future",
        "key",
        "lane",
        "since",
        "ticket",
    )

    def __init__(  # noqa: PLR0913 - what is known of a waiter
        self,
        ticket: int,
        charge: Charge,
        key: str,
        lane: Lane,
        *,
        deadline: float | None,
        asked: float,
    ) -> None:
        """Start before Redis knows of it."""
        self.ticket = ticket
        self.charge = charge
        self.key = key
        self.lane = lane
        self.deadline = deadline
        self.asked = asked
        self.behind = 0.0
        """Seconds by which its place is later than `asked`, since it came in a batch."""
        self.since = ""
        """Its place in the queue, as Redis names it; empty until it has one."""
        self.future: asyncio.Future[RedisAdmission] = asyncio.get_running_loop().create_future()


class _PoolWaiters:
    """The waiters of one pool."""

    __slots__ = ("_last", "deadlines", "timer", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self._last: dict[Lane, tuple[float, float, float]] = {}
        """Of each lane's last waiter: when it asked, its place, and the spacing behind it."""
        self.deadlines: list[tuple[float, int]] = []
        self.timer: asyncio.TimerHandle | None = None

    def place(self, waiter: SharedWaiter, spacing: float) -> None:
        """Find a place behind the others of this process, and spaced within a batch."""
        asked, place, spaced = self._last.get(waiter.lane, (-math.inf, -math.inf, 0.0))
        if waiter.asked - asked <= _MOMENT:
            place += spaced
        place = max(place, waiter.asked)
        waiter.behind = place - waiter.asked
        self._last[waiter.lane] = waiter.asked, place, spacing


class Waiters:
    """All waiters of this process, found by ticket; timers fire by pool."""

    __slots__ = ("_on_timer", "_pools", "_waiters")

    def __init__(self, on_timer: Callable[[str], None]) -> None:
        """Start empty; `on_timer` is called with the key of a pool to recheck."""
        self._on_timer = on_timer
        self._waiters: dict[int, SharedWaiter] = {}
        self._pools: dict[str, _PoolWaiters] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    def __iter__(self) -> Iterator[SharedWaiter]:
        return iter(list(self._waiters.values()))

    def __contains__(self, key: str) -> bool:
        return key in self._pools

    def add(self, waiter: SharedWaiter, spacing: float) -> None:
        """Add a waiter; the next one of its batch is placed `spacing` seconds behind it."""
        self._waiters[waiter.ticket] = waiter
        pool = self._pools.setdefault(waiter.key, _PoolWaiters())
        pool.waiting += 1
        pool.place(waiter, spacing)
        if waiter.deadline is not None:
            heapq.heappush(pool.deadlines, (waiter.deadline, waiter.ticket))

    def get(self, ticket: int) -> SharedWaiter | None:
        """Find a waiter."""
        return self._waiters.get(ticket)

    def pop(self, ticket: int) -> SharedWaiter | None:
        """Remove and return a waiter."""
        waiter = self._waiters.pop(ticket, None)
        if waiter is not None:
            pool = self._pools[waiter.key]
            pool.waiting -= 1
            if not pool.waiting:
                if pool.timer is not None:
                    pool.timer.cancel()
                del self._pools[waiter.key]
        return waiter

    def remove_late(self, key: str, chance: float) -> list[SharedWaiter]:
        """Remove and return waiters with a deadline at or before the next possible admission."""
        out: list[SharedWaiter] = []
        while (pool := self._pools.get(key)) and pool.deadlines:
            deadline, ticket = pool.deadlines[0]
            if ticket in self._waiters:
                if deadline > chance:
                    break
                waiter = self.pop(ticket)
                out += [waiter] if waiter is not None else []
            heapq.heappop(pool.deadlines)
        return out

    def recheck_at(self, key: str, at: float, now: float) -> None:
        """Set the timer of a pool for a moment, or for its first deadline if that is earlier."""
        pool = self._pools.get(key)
        if pool is None:
            return
        if pool.deadlines:
            at = min(at, pool.deadlines[0][0])
        loop = asyncio.get_running_loop()
        when = loop.time() + (at - now)
        if pool.timer is not None:
            if pool.timer.when() <= when:
                return
            pool.timer.cancel()
        pool.timer = loop.call_at(when, self._fire, key)

    def _fire(self, key: str) -> None:
        self._pools[key].timer = None
        self._on_timer(key)

    def remove_all(self) -> list[SharedWaiter]:
        """Remove and return all waiters."""
        out = list(self._waiters.values())
        for waiter in out:
            self.pop(waiter.ticket)
        return out
