"""What a process may spend alone while Redis is away: a local budget with a part of the limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from binance_dust.budget._local import LocalBudget
from binance_dust.budget._protocol import Charge
from binance_dust.budget._redis._messages import opening
from binance_dust.budget._redis._record import spent_in
from binance_dust.errors import DustError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from binance_dust.budget._limits import RateLimits
    from binance_dust.budget._pool import Pool
    from binance_dust.budget._protocol import Clock
    from binance_dust.events import Event


class BackError(DustError):
    """Redis is back: stand in its line again. Stays inside of the budget."""


class Share(LocalBudget):
    """A local budget that can be told what was known before, and tells what it has spent."""

    def __init__(
        self,
        limits: RateLimits,
        clock: Clock,
        observer: Callable[[Event], None],
        *,
        patience: float,
    ) -> None:
        """Begin with nothing spent and nothing known."""
        super().__init__(limits, clock, observer, patience=patience)
        self._guesses: dict[Pool, float] = {}
        """Pools that are shut though no exchange has shut them, and until when."""

    def fits(self, charge: Charge) -> bool:
        """Whether such a call can be paid for out of a share."""
        return charge.weight <= self._limits.of(charge.kind)

    def hold(self, charge: Charge, seconds: float, *, guess: bool = False) -> None:
        """Keep a pool shut for some time; then one goes first. Of a `guess` nobody is told."""
        pool = self._pools.of(charge)
        pool.valve.shut(self.now() + seconds)
        if guess:
            self._guesses[pool] = pool.valve.until

    def stay_away(self, seconds: float) -> None:
        """Keep the whole address shut for some time."""
        self._gate.shut(self.now() + seconds)

    def heed(self, charge: Charge, status: str, wait: float) -> None:
        """Hear a refusal of a call that was admitted by Redis."""
        if status == "banned":
            self.stay_away(wait)
        elif status == "refused":
            self.hold(charge, wait if wait > 0 else self._limits.window)

    def dismiss(self) -> None:
        """Send whoever waits back to Redis."""
        self._guesses.clear()
        self._let_go(BackError("Redis is back"))

    @property
    def shut_for(self) -> float:
        """Seconds for which a ban keeps the address shut."""
        return max(0.0, self._gate.until - self.now())

    def report(self, since: float) -> Iterator[list[Any]]:
        """Say what was spent since a moment, and which pools are shut, as the script takes it."""
        now = self.now()
        for pool in self._pools:
            rows, rest = spent_in(pool.count.ledger, now, since)
            guessed = pool.valve.until == self._guesses.get(pool)
            shut = 0.0 if guessed else max(0.0, pool.valve.until - now)
            if rows or rest or shut:
                charge = Charge(pool.name, pool.kind, 0, pool.account)
                yield ["w", False, *opening(charge), rows, rest, shut]
