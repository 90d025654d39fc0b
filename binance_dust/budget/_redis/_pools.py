"""The pools that processes share: which of them have changed, and those that lie frozen.

A pool that was loaded stays as bytes until it is needed: there may be thousands of accounts, and a
process that comes needs few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.budget._pools import Pools, fast_key, key_of, read_key
from binance_dust.budget._protocol import Charge
from binance_dust.endpoints import LimitKind

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Hashable, Iterator

    from binance_dust.budget._boundary import Boundary
    from binance_dust.budget._door import Door
    from binance_dust.budget._limits import RateLimits
    from binance_dust.budget._pool import Pool
    from binance_dust.budget._protocol import Clock


def text_of(pool: Pool) -> str:
    """Return the text that identifies a pool."""
    return key_of(Charge(pool.name, pool.kind, 0, pool.account))


class SharedPools(Pools):
    """Pools of which it is known when they changed."""

    __slots__ = ("_frozen", "_turn", "changed", "gone", "position", "thaw", "turns")

    def __init__(
        self,
        limits: RateLimits,
        clock: Clock,
        waited_for: Container[Pool],
        banned: Callable[[], bool],
    ) -> None:
        """Start empty."""
        super().__init__(limits, clock, waited_for, banned)
        self._frozen: dict[Hashable, bytes] = {}
        self._turn = 0
        self.turns: dict[Hashable, int] = {}
        """Of each account's pool, when it was checked last."""
        self.position = 0
        self.changed: dict[Pool, int] = {}
        """At which position of the log a pool changed last."""
        self.gone: dict[str, int] = {}
        """At which position a pool was forgotten."""
        self.thaw: Callable[[bytes], Pool]

    def of(self, charge: Charge) -> Pool:
        """Find the pool that pays for a call, or open it; and note that it changes."""
        key = fast_key(charge.kind, charge.pool, charge.account)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._at(key) if key in self._frozen else self._open(key, charge)
            if self.gone:
                self.gone.pop(text_of(pool), None)
        self.changed[pool] = self.position
        return pool

    def address(self, name: str) -> Pool | None:
        """Find the address's own pool of an endpoint, if it has one; and note that it changes."""
        pool = self._at(name) if name in self._frozen else self._pools.get(name)
        if pool is not None:
            self.changed[pool] = self.position
        return pool

    def touch(self, pool: Pool) -> None:
        """Note that a pool changes."""
        self.changed[pool] = self.position

    def like(self, charge: Charge) -> Pool:
        """Find the pool, or make one that is not kept: for forecasts."""
        key = fast_key(charge.kind, charge.pool, charge.account)
        return self._at(key) if key in self._frozen else super().like(charge)

    def __len__(self) -> int:
        return len(self._pools) + len(self._frozen)

    def __iter__(self) -> Iterator[Pool]:
        for key in list(self._frozen):
            self._at(key)
        return super().__iter__()

    def key(self, pool: Pool) -> Hashable:
        """Return the key of a pool."""
        return fast_key(pool.kind, pool.name, pool.account)

    def freeze(self, found: dict[str, tuple[int, bytes]]) -> None:
        """Take pools that were loaded, with their turns."""
        accounts = []
        for text, (turn, data) in found.items():
            kind, name, account = read_key(text)
            key = fast_key(kind, name, account)
            self._frozen[key] = data
            if kind is LimitKind.UID:
                accounts.append((turn, key))
        for turn, key in sorted(accounts, key=lambda account: account[0]):
            self._accounts.append(key)
            self.turns[key] = self._turn = turn

    def kept(self) -> tuple[dict[str, Boundary], dict[str, Door]]:
        """Return what belongs to endpoints, by name."""
        return self._boundaries, self._doors

    def _at(self, key: Hashable) -> Pool:
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = self.thaw(self._frozen.pop(key))
        return pool

    def _line_up(self, key: Hashable) -> None:
        super()._line_up(key)
        self._turn += 1
        self.turns[key] = self._turn
        self.changed[self._pools[key]] = self.position

    def _forget(self, key: Hashable, pool: Pool) -> None:
        super()._forget(key, pool)
        self.gone[text_of(pool)] = self.position
        self.changed.pop(pool, None)
        del self.turns[key]
