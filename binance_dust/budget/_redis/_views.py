"""The last view of the pools in Redis: for snapshots and forecasts, which don't wait for Redis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from binance_dust.budget._pools import read_key
from binance_dust.budget._protocol import BudgetSnapshot, PoolSnapshot
from binance_dust.endpoints import LimitKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from binance_dust.budget._limits import RateLimits
    from binance_dust.budget._redis._messages import PoolView

_SWEEP: Final = 2


class Views:
    """The last view of each pool, and when it was."""

    __slots__ = ("_seen", "processes", "shut_until")

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._seen: dict[str, tuple[PoolView, float]] = {}
        self.processes = 1
        """Processes that share the pools, with this one."""
        self.shut_until = -math.inf
        """The end of a ban of the address."""

    def put(self, view: PoolView, now: float) -> None:
        """Keep the view of a pool."""
        if view.key not in self._seen:
            self._forget_idle(now)
        self._seen[view.key] = view, now

    def _forget_idle(self, now: float) -> None:
        """Forget accounts that spent nothing for long, a few at a time."""
        for _ in range(min(_SWEEP, len(self._seen))):
            key = next(iter(self._seen))
            view, seen = self._seen.pop(key)
            busy = view.in_flight or view.waiting or now < seen + view.resets_in
            if busy or read_key(key)[0] is not LimitKind.UID:
                self._seen[key] = view, seen

    def shut(self, key: str, seconds: float, now: float) -> None:
        """Record for how long a pool is shut."""
        if key in self._seen:
            view, seen = self._seen[key]
            self._seen[key] = msgspec.structs.replace(view, shut_for=now + seconds - seen), seen

    def __iter__(self) -> Iterator[tuple[PoolView, float]]:
        return iter(list(self._seen.values()))

    def snapshot(self, limits: RateLimits, now: float) -> BudgetSnapshot:
        """Return every pool as it should be now, from its last view."""
        pools = tuple(_show(view, seen, limits, now) for view, seen in self)
        shut_for = max(0.0, self.shut_until - now)
        return BudgetSnapshot(pools, shut_for, limits.requests_per_second)

    def forecast(self, key: str, weight: int, limit: int, window: float, now: float) -> float:
        """Return the seconds until the last of `weight` more, behind the queue, can be sent."""
        found = self._seen.get(key)
        if found is not None:
            weight += found[0].queued
        if not weight:
            return 0.0
        shut = max(0.0, self.shut_until - now)
        if found is None:
            return max(shut, (weight - 1) // limit * window)
        view, seen = found
        age = now - seen
        begin = max(shut, view.shut_for - age, 0.0)
        given_back = age >= view.resets_in
        room = limit if given_back else view.room
        short = weight - room
        if short <= 0:
            return begin
        rounds, rest = divmod(short - 1, limit)
        if view.fixed and view.closes_in >= 0:
            soon = (view.closes_in - age) % window
        else:
            # Between the first and the last spent weight, as if it had been spent evenly.
            part = min(1.0, (rest + 1) / max(1, view.used))
            first = max(0.0, min(view.next_room, view.resets_in) - age)
            last = max(first, view.resets_in - age)
            soon = window if given_back else first + (last - first) * part
        return max(begin, soon) + rounds * window


def _show(view: PoolView, seen: float, limits: RateLimits, now: float) -> PoolSnapshot:
    kind, name, account = read_key(view.key)
    age = now - seen
    resets_in = max(0.0, view.resets_in - age)
    given_back = resets_in == 0 and not view.in_flight and age > 0
    return PoolSnapshot(
        name=name,
        kind=kind,
        account=account,
        limit=limits.of(kind),
        used=0 if given_back else view.used,
        in_flight=view.in_flight,
        waiting=view.waiting,
        resets_in=resets_in,
        shut_for=max(0.0, view.shut_for - age),
        fixed=view.fixed,
        others=view.others,
    )
