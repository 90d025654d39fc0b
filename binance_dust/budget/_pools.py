"""All pools of one address: their names, and when they are opened and forgotten.

A boundary belongs to an endpoint, for all payers: what one account has learnt holds for all. So
does the door of an endpoint that accounts pay for.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from binance_dust.budget._boundary import Boundary
from binance_dust.budget._door import Door
from binance_dust.budget._pool import PATIENCE, Pool
from binance_dust.endpoints import LimitKind

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Hashable, Iterator

    from binance_dust.budget._limits import RateLimits
    from binance_dust.budget._protocol import Charge, Clock

_IP, _UID = LimitKind.IP, LimitKind.UID
SWEEP: Final = 2
"""Account pools to check whenever a new one is opened: idle ones go faster than new ones come."""


def name_of(charge: Charge) -> str:
    """Return a pool's name for users: its endpoint, or `/api/v3`, where all share one pool."""
    return "/api/v3" if charge.kind is LimitKind.REQUEST else charge.pool


def account_of(charge: Charge) -> str | None:
    """Return the account that owns the pool, if the pool is an account's."""
    return charge.account if charge.kind is LimitKind.UID else None


def key_of(charge: Charge) -> str:
    """Return a text that identifies the pool."""
    key = f"{charge.kind.value} {name_of(charge)}"
    return f"{key}\t{charge.account}" if charge.kind is LimitKind.UID else key


def read_key(key: str) -> tuple[LimitKind, str, str | None]:
    """Read such a text: the kind, the name, and the account if the pool is an account's."""
    kind, _, rest = key.partition(" ")
    name, _, account = rest.partition("\t")
    return LimitKind(kind), name, account or None


class Pools:
    """The pools, found by endpoint and payer."""

    __slots__ = (
        "_accounts",
        "_banned",
        "_boundaries",
        "_clock",
        "_doors",
        "_limits",
        "_pools",
        "_waited_for",
    )

    def __init__(
        self,
        limits: RateLimits,
        clock: Clock,
        waited_for: Container[Pool] = (),
        banned: Callable[[], bool] = bool,
    ) -> None:
        """Start empty. Pools in `waited_for` are never forgotten."""
        self._limits = limits
        self._clock = clock
        self._waited_for = waited_for
        self._boundaries: dict[str, Boundary] = {}
        self._doors: dict[str, Door] = {}
        self._pools: dict[Hashable, Pool] = {}
        self._accounts: deque[Hashable] = deque()
        """Keys of the pools of accounts, the one first that was checked longest ago."""
        self._banned = banned
        """Whether the address was ever banned."""

    def of(self, charge: Charge) -> Pool:
        """Find the pool that pays for a call, or open it."""
        key = fast_key(charge.kind, charge.pool, charge.account)
        pool = self._pools.get(key)
        return self._open(key, charge) if pool is None else pool

    def address(self, name: str) -> Pool | None:
        """Find the address's own pool of an endpoint, if it has one."""
        return self._pools.get(name)

    def beware(self) -> None:
        """Let endpoints go gently after a ban: something weighs more, or less fits, than is known.

        Accounts are not asked: there may be thousands, and it is the address that is banned.
        """
        for name in self._boundaries:
            pool = self.address(name)
            if pool is not None and not pool.beliefs.explains_ban(pool.count):
                pool.valve.beware()

    def like(self, charge: Charge) -> Pool:
        """Find the pool, or make one that is not kept: for forecasts."""
        key = fast_key(charge.kind, charge.pool, charge.account)
        return self._pools.get(key) or self._make(charge)

    def __len__(self) -> int:
        return len(self._pools)

    def __iter__(self) -> Iterator[Pool]:
        return iter(self._pools.values())

    def _open(self, key: Hashable, charge: Charge) -> Pool:
        pool = self._pools[key] = self._make(charge)
        if charge.kind is LimitKind.UID:
            self._forget_idle()
            self._line_up(key)
        return pool

    def _make(self, charge: Charge) -> Pool:
        kind, limits, name = charge.kind, self._limits, name_of(charge)
        boundary = self._boundaries.get(name)
        if boundary is None:
            boundary = self._boundaries[name] = Boundary(limits.window, self._clock)
        ours = (limits.of(kind), limits.whole(kind))
        pool = Pool(name, kind, account_of(charge), ours, boundary)
        if kind is LimitKind.IP and self._banned():
            pool.valve.beware()
        if kind is LimitKind.UID:
            pool.door = self._doors.get(name)
            if pool.door is None:
                address = self.address(name)
                trial = 0 if address is None else address.documented
                pool.door = self._doors[name] = Door(limits.window * PATIENCE, trial)
                if address is not None:
                    # A refusal of the address may be heard while headers name accounts.
                    pool.door.shut(address.valve.until)
        if kind is not LimitKind.UID and name in self._doors:
            # Accounts were said to pay, and it was found that the address does.
            pool.valve.shut(self._doors[name].until)
        return pool

    def _forget_idle(self) -> None:
        """Forget accounts without a call for a window, a few at a time."""
        now = self._clock.monotonic()
        for _ in range(min(SWEEP, len(self._accounts))):
            key = self._accounts.popleft()
            pool = self._at(key)
            if pool.idle(now) and pool not in self._waited_for:
                self._forget(key, pool)
            else:
                self._line_up(key)

    def _at(self, key: Hashable) -> Pool:
        return self._pools[key]

    def _line_up(self, key: Hashable) -> None:
        """Check an account again when all others were checked."""
        self._accounts.append(key)

    def _forget(self, key: Hashable, pool: Pool) -> None:  # noqa: ARG002 - for subclasses
        del self._pools[key]


def fast_key(kind: LimitKind, name: str, account: str | None) -> Hashable:
    """Identify the pool as `key_of` does, without making a text for each call."""
    if kind is _IP:
        return name
    return (name, account) if kind is _UID else kind
