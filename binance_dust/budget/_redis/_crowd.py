"""Who waits in this process, by pool, with one timer a pool."""

from __future__ import annotations

import asyncio
import heapq
import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from binance_dust.budget._protocol import Charge, Lane
    from binance_dust.budget._redis._admission import RedisAdmission

_MOMENT: Final = 0.005
"""Seconds between two who ask at the same moment: a few turns of the loop."""


class Waiter:
    """Somebody who asked Redis for weight."""

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
        """Begin before Redis has heard of it."""
        self.ticket = ticket
        self.charge = charge
        self.key = key
        self.lane = lane
        self.deadline = deadline
        self.asked = asked
        self.behind = 0.0
        """Seconds by which it stands as if it had asked later, having come with a crowd."""
        self.since = ""
        """Its place in the line, as Redis names it; empty until it stands there."""
        self.future: asyncio.Future[RedisAdmission] = asyncio.get_running_loop().create_future()


class _Group:
    """Those of one pool."""

    __slots__ = ("_last", "deadlines", "timer", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self._last: dict[Lane, tuple[float, float, float]] = {}
        """Of each lane's last one: when it asked, its place, and how far behind the next stands."""
        self.deadlines: list[tuple[float, int]] = []
        self.timer: asyncio.TimerHandle | None = None

    def place(self, waiter: Waiter, spacing: float) -> None:
        """Find a place: behind all others of this process, and of a crowd one behind the other."""
        asked, place, spaced = self._last.get(waiter.lane, (-math.inf, -math.inf, 0.0))
        if waiter.asked - asked <= _MOMENT:
            place += spaced
        place = max(place, waiter.asked)
        waiter.behind = place - waiter.asked
        self._last[waiter.lane] = waiter.asked, place, spacing


class Crowd:
    """All who wait, found by ticket, and told by pool."""

    __slots__ = ("_groups", "_strike", "_waiters")

    def __init__(self, strike: Callable[[str], None]) -> None:
        """Take whom to tell that a pool is due."""
        self._strike = strike
        self._waiters: dict[int, Waiter] = {}
        self._groups: dict[str, _Group] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    def __iter__(self) -> Iterator[Waiter]:
        return iter(list(self._waiters.values()))

    def __contains__(self, key: str) -> bool:
        return key in self._groups

    def add(self, waiter: Waiter, spacing: float) -> None:
        """Take somebody in; of a crowd the next one stands `spacing` seconds behind."""
        self._waiters[waiter.ticket] = waiter
        group = self._groups.setdefault(waiter.key, _Group())
        group.waiting += 1
        group.place(waiter, spacing)
        if waiter.deadline is not None:
            heapq.heappush(group.deadlines, (waiter.deadline, waiter.ticket))

    def get(self, ticket: int) -> Waiter | None:
        """Find somebody."""
        return self._waiters.get(ticket)

    def pop(self, ticket: int) -> Waiter | None:
        """Let somebody go."""
        waiter = self._waiters.pop(ticket, None)
        if waiter is not None:
            group = self._groups[waiter.key]
            group.waiting -= 1
            if not group.waiting:
                if group.timer is not None:
                    group.timer.cancel()
                del self._groups[waiter.key]
        return waiter

    def hopeless(self, key: str, chance: float) -> list[Waiter]:
        """Let those go whose deadline is not after the next chance that anybody has."""
        out: list[Waiter] = []
        while (group := self._groups.get(key)) and group.deadlines:
            deadline, ticket = group.deadlines[0]
            if ticket in self._waiters:
                if deadline > chance:
                    break
                waiter = self.pop(ticket)
                out += [waiter] if waiter is not None else []
            heapq.heappop(group.deadlines)
        return out

    def look_at(self, key: str, at: float, now: float) -> None:
        """Have a pool looked at then, or when its first deadline comes."""
        group = self._groups.get(key)
        if group is None:
            return
        if group.deadlines:
            at = min(at, group.deadlines[0][0])
        loop = asyncio.get_running_loop()
        when = loop.time() + (at - now)
        if group.timer is not None:
            if group.timer.when() <= when:
                return
            group.timer.cancel()
        group.timer = loop.call_at(when, self._due, key)

    def _due(self, key: str) -> None:
        self._groups[key].timer = None
        self._strike(key)

    def everybody(self) -> list[Waiter]:
        """Let all go."""
        out = list(self._waiters.values())
        for waiter in out:
            self.pop(waiter.ticket)
        return out
