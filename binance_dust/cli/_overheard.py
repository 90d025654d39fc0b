"""A budget that remembers what the exchange's headers said, for whoever wants to look at them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from binance_dust.budget import Lane, LocalBudget
from binance_dust.events import ClockLearnt

if TYPE_CHECKING:
    from binance_dust.budget import Admission, BudgetSnapshot, Charge, Feedback, RateLimits
    from binance_dust.events import Event, Observer
    from binance_dust.session import Session


class Overheard:
    """The usual budget, with an ear at it: also the session's observer, to know its clock."""

    def __init__(self, limits: RateLimits, observer: Observer) -> None:
        """Begin with nothing heard; events are passed on."""
        self.heard: Final[list[tuple[str, Feedback]]] = []
        """What every answer said of weight, with the endpoint, in the order of their coming."""
        self._observer = observer
        self._clock = _SessionClock()
        self._inner = LocalBudget(limits, self._clock, observer)

    def attach(self, session: Session) -> None:
        """Say whose budget this is: its clock is the exchange's."""
        self._clock.session = session

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

    def __call__(self, event: Event, /) -> None:
        """Take note that the clock was learnt, and pass every event on."""
        if isinstance(event, ClockLearnt):
            self._clock.learnt = True
        self._observer(event)


class _SessionClock:
    """The clock of a session, as a budget reads it."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.learnt = False

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def server_time(self) -> float | None:
        return self.now() if self.learnt else None

    def now(self) -> float:
        return time.time() if self.session is None else self.session.now().timestamp()


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
