"""A budget that remembers what the exchange's headers said, for whoever wants to look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust.budget import Lane, LocalBudget

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust.budget import (
        Admission,
        BudgetSnapshot,
        Charge,
        Clock,
        Feedback,
        RateLimits,
        RedisBudget,
    )
    from binance_dust.events import Event


class Overheard:
    """The usual budget of a session, with an ear at it."""

    _inner: LocalBudget | RedisBudget

    def __init__(self, shared: RedisBudget | None = None) -> None:
        """Begin with nothing heard; the session that it is given to attaches it."""
        self.heard: Final[list[tuple[str, Feedback]]] = []
        """What every answer said of weight, with the endpoint, in the order of their coming."""
        self._shared = shared

    def attach(
        self,
        clock: Clock,
        observer: Callable[[Event], None],
        *,
        patience: float,
        limits: RateLimits,
    ) -> None:
        """Take what only a session has, and make the budget."""
        if self._shared is not None:
            self._shared.attach(clock, observer, patience=patience, limits=limits)
            self._inner = self._shared
        else:
            self._inner = LocalBudget(limits, clock, observer, patience=patience)

    def last(self, pool: str) -> Feedback | None:
        """Give what the newest answer of an endpoint said."""
        return next((said for name, said in reversed(self.heard) if name == pool), None)

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> Admission:
        """Wait until a call may be sent."""
        admission = await self._inner.admit(charge, deadline=deadline, lane=lane)
        return _Listening(admission, charge.pool, self.heard)

    def forecast(self, charge: Charge, calls: int) -> float:
        """Foretell the seconds until the last of so many more calls can be sent."""
        return self._inner.forecast(charge, calls)

    def snapshot(self) -> BudgetSnapshot:
        """Show every pool as it is now."""
        return self._inner.snapshot()

    async def close(self) -> None:
        """Let go of whoever waits."""
        await self._inner.close()


class _Listening:
    """An admission that notes what the answer says."""

    __slots__ = ("_heard", "_inner", "_pool")

    def __init__(self, inner: Admission, pool: str, heard: list[tuple[str, Feedback]]) -> None:
        self._inner = inner
        self._pool = pool
        self._heard = heard

    def sent(self, extra: int = 0) -> None:
        self._inner.sent(extra)

    def settle(self, answer: Feedback) -> None:
        self._heard.append((self._pool, answer))
        self._inner.settle(answer)

    def unknown(self) -> None:
        self._inner.unknown()

    def release(self) -> None:
        self._inner.release()
