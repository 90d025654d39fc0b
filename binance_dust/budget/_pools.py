"""All pools of one address: opened when first asked for, forgotten when an account is idle.

Where windows are cut is the endpoint's, whoever pays: what one account has learnt holds for all.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from binance_dust.budget._boundary import Boundary
from binance_dust.budget._names import account_of, name_of
from binance_dust.budget._pool import Pool
from binance_dust.endpoints import LimitKind

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from binance_dust.budget._limits import RateLimits
    from binance_dust.budget._protocol import Charge, Clock

SWEEP: Final = 2
"""Pools of accounts to look at whenever a new one is made: idle ones go faster than they come."""


class Pools:
    """The pools, found by what a call costs and who pays."""

    __slots__ = ("_accounts", "_boundaries", "_clock", "_limits", "_pools")

    def __init__(self, limits: RateLimits, clock: Clock) -> None:
        """Begin with none."""
        self._limits = limits
        self._clock = clock
        self._boundaries: dict[str, Boundary] = {}
        self._pools: dict[Hashable, Pool] = {}
        self._accounts: deque[tuple[Hashable, Pool]] = deque()
        """Pools of accounts, the one that was looked at longest ago first."""

    def of(self, charge: Charge) -> Pool:
        """Find the pool that pays for a call, or open it."""
        key = _key(charge)
        pool = self._pools.get(key)
        return self._open(key, charge) if pool is None else pool

    def like(self, charge: Charge) -> Pool:
        """Find the pool, or one that is as it would be and is not kept: to foretell by."""
        return self._pools.get(_key(charge)) or self._make(charge)

    def __len__(self) -> int:
        return len(self._pools)

    def __iter__(self) -> Iterator[Pool]:
        return iter(self._pools.values())

    def _open(self, key: Hashable, charge: Charge) -> Pool:
        pool = self._pools[key] = self._make(charge)
        if charge.kind is LimitKind.UID:
            self._evict()
            self._accounts.append((key, pool))
        return pool

    def _make(self, charge: Charge) -> Pool:
        kind, limits, name = charge.kind, self._limits, name_of(charge)
        boundary = self._boundaries.get(name)
        if boundary is None:
            boundary = self._boundaries[name] = Boundary(limits.window, self._clock)
        return Pool(name, kind, account_of(charge), (limits.of(kind), limits.whole(kind)), boundary)

    def _evict(self) -> None:
        """Forget accounts that were not heard of for a window, a few at a time."""
        now = self._clock.monotonic()
        for _ in range(min(SWEEP, len(self._accounts))):
            key, pool = self._accounts.popleft()
            if pool.idle(now):
                del self._pools[key]
            else:
                self._accounts.append((key, pool))


def _key(charge: Charge) -> Hashable:
    """Give what tells a pool from others: by endpoint and payer, but for the one of `/api/v3`."""
    match charge.kind:
        case LimitKind.UID:
            return (charge.pool, charge.account)
        case LimitKind.IP:
            return charge.pool
        case kind:
            return kind
