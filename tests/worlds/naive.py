"""Budgets with a fault on purpose, so that it is seen that each invariant notices one.

Some are the real budget with a fault; some are none at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from binance_dust.budget import (
    Admission,
    Budget,
    BudgetSnapshot,
    Charge,
    Feedback,
    Lane,
    LocalBudget,
    RateLimits,
)
from binance_dust.errors import BudgetExceededError

Observer = Callable[[Any], None]


class Ticket:
    """The right to send one call, of a budget that learns nothing."""

    def sent(self, extra: int = 0) -> None:
        pass

    def settle(self, answer: Feedback) -> None:
        pass

    def unknown(self) -> None:
        pass

    def release(self) -> None:
        pass


class Reckless:
    """Lets everything through, a few at a time: it ignores limits, refusals and bans."""

    def __init__(self, limits: RateLimits, clock: Any, observer: Observer, patience: float) -> None:
        self._next = 0.0
        self._clock = clock

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> Admission:
        now = self._clock.monotonic()
        self._next = max(self._next, now) + 0.05
        await asyncio.sleep(self._next - now)
        return Ticket()

    def snapshot(self) -> BudgetSnapshot:
        return BudgetSnapshot((), 0.0, 50.0)

    def forecast(self, charge: Charge, calls: int) -> float:
        return 0.0

    async def close(self) -> None:
        pass


class Faulty:
    """The real budget, with a fault that a subclass adds."""

    def __init__(self, limits: RateLimits, clock: Any, observer: Observer, patience: float) -> None:
        self._clock = clock
        self._inner: Budget = LocalBudget(self.limits(limits), clock, observer, patience=patience)

    def limits(self, limits: RateLimits) -> RateLimits:
        return limits

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> Admission:
        return await self._inner.admit(charge, deadline=deadline, lane=lane)

    def snapshot(self) -> BudgetSnapshot:
        return self._inner.snapshot()

    def forecast(self, charge: Charge, calls: int) -> float:
        return self._inner.forecast(charge, calls)

    async def close(self) -> None:
        await self._inner.close()


class Doubled(Faulty):
    """Believes in twice the limit."""

    def limits(self, limits: RateLimits) -> RateLimits:
        return replace(limits, ip_weight=limits.ip_weight * 2)


class Halved(Faulty):
    """Believes in half of the limit."""

    def limits(self, limits: RateLimits) -> RateLimits:
        return replace(limits, ip_weight=limits.ip_weight // 2)


class Deaf(Faulty):
    """Hears of no refusal and no ban."""

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> Admission:
        return _Deaf(await super().admit(charge, deadline=deadline, lane=lane))


class _Deaf:
    def __init__(self, inner: Admission) -> None:
        self._inner = inner

    def sent(self, extra: int = 0) -> None:
        self._inner.sent(extra)

    def settle(self, answer: Feedback) -> None:
        if answer.status == 200 and answer.banned_until is None:
            self._inner.settle(answer)
        else:
            self._inner.settle(Feedback(200))

    def unknown(self) -> None:
        self._inner.unknown()

    def release(self) -> None:
        self._inner.release()


class Forgetful(Faulty):
    """Drops the hundredth waiter: it is never told anything."""

    _asked = 0

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> Admission:
        self._asked += 1
        if self._asked == 100:
            await asyncio.get_running_loop().create_future()
        return await super().admit(charge, deadline=deadline, lane=lane)


class Late(Faulty):
    """Knows nothing of deadlines."""

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> Admission:
        return await super().admit(charge, lane=lane)


class Curt(Faulty):
    """Tells those who wait that they are too late, and not by how much."""

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> Admission:
        try:
            return await super().admit(charge, deadline=deadline, lane=lane)
        except BudgetExceededError as error:
            raise BudgetExceededError("no", pool=charge.pool, retry_after=0.0) from error


class Rosy(Faulty):
    """Foretells half of the time."""

    def forecast(self, charge: Charge, calls: int) -> float:
        return super().forecast(charge, calls) / 2


class Unfair(Faulty):
    """Has a single call wait behind the whole scan."""

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> Admission:
        return await super().admit(charge, deadline=deadline, lane=Lane.SCAN)


class Shaken(Faulty):
    """Stays away for good after the first odd header."""

    _shaken = False

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> Admission:
        admission = await super().admit(charge, deadline=deadline, lane=lane)
        if self._shaken:
            admission.release()
            await asyncio.sleep(100_000.0)
        return _Watched(admission, self)

    def hear(self, answer: Feedback) -> None:
        self._shaken |= (answer.used_ip or 0) > 12_000


class _Watched(_Deaf):
    def __init__(self, inner: Admission, budget: Shaken) -> None:
        super().__init__(inner)
        self._budget = budget

    def settle(self, answer: Feedback) -> None:
        self._budget.hear(answer)
        odd = (answer.used_ip or 0) > 12_000
        self._inner.settle(Feedback(200) if odd else answer)
