"""What a process may spend alone while Redis is away: a local budget with a part of the limits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from binance_dust.budget._local import LocalBudget
from binance_dust.budget._protocol import Charge
from binance_dust.budget._redis._messages import BAN, SPENT, Op, pool_fields, spent_rows
from binance_dust.errors import DustError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from binance_dust.budget._address import AddressGate
    from binance_dust.budget._limits import RateLimits
    from binance_dust.budget._pool import Pool
    from binance_dust.budget._protocol import Clock
    from binance_dust.events import Event


class BackError(DustError):
    """Redis is back: queue there again. It never leaves the budget."""


class LocalShare(LocalBudget):
    """A local budget that takes what was known before, and reports what it has spent."""

    def __init__(
        self,
        limits: RateLimits,
        clock: Clock,
        observer: Callable[[Event], None],
        *,
        patience: float,
    ) -> None:
        """Start with nothing spent and nothing known."""
        super().__init__(limits, clock, observer, patience=patience)
        self._guesses: dict[Pool, float] = {}
        """Pools that are shut on a guess and not by the exchange, and until when."""

    def fits(self, charge: Charge) -> bool:
        """Whether the share is large enough for such a call."""
        return charge.weight <= self._limits.of(charge.kind)

    def shut_pool(self, charge: Charge, seconds: float, *, guess: bool = False) -> None:
        """Keep a pool shut for some time. A `guess` is not reported to Redis."""
        pool = self._pools.of(charge)
        pool.valve.shut(self.now() + seconds)
        if guess:
            self._guesses[pool] = pool.valve.until

    def go_on(self, gate: AddressGate, pools: list[Pool], by: float) -> None:
        """Keep shut what all processes had shut; `by` is how far their clock is behind."""
        if not gate.open:
            self._gate.follow(gate, by)
        self._gate.banned = gate.banned
        for pool in pools:
            valve = pool.valve
            if not valve.open and (valve.careful or valve.until > -math.inf):
                charge = Charge(pool.name, pool.kind, 0, pool.account)
                self._pools.of(charge).valve.follow(valve, by)

    def shut_address(self, seconds: float) -> None:
        """Keep the whole address shut for some time."""
        if seconds > 0:
            self._gate.shut_for(seconds, self.now(), guessed=False)
            self._pools.beware()

    def take_refusal(self, charge: Charge, status: str, wait: float) -> None:
        """Take the answer to a call that Redis had admitted."""
        if status == "banned":
            self.shut_address(wait)
        elif status == "refused":
            self.shut_pool(charge, wait if wait > 0 else self._limits.window)

    def dismiss(self) -> None:
        """Send all waiters back to Redis."""
        self._guesses.clear()
        self._refuse_all(BackError("Redis is back"))

    def report(self, since: float) -> Iterator[Op]:
        """Report to Redis a ban, what was spent since a moment, and which pools are shut."""
        now = self.now()
        if self._gate.until > now:
            yield [BAN, self._gate.until - now]
        for pool in self._pools:
            rows, rest = spent_rows(pool.count.own, now, since)
            guessed = pool.valve.until == self._guesses.get(pool)
            shut = 0.0 if guessed else max(0.0, pool.valve.until - now)
            if rows or rest or shut:
                charge = Charge(pool.name, pool.kind, 0, pool.account)
                yield [SPENT, *pool_fields(charge), rows, rest, shut]
