"""The weight budgets of one outgoing address, within one process.

A call that finds room goes at once: no task, no timer, no suspension. Any other call queues for
its pool and awaits a future. After every answer, and when the one timer of a queue fires, calls
are admitted from the head of the queue. The rules are in `_dispatch.py`; here are the waiting and
the timers.
"""

from __future__ import annotations

import asyncio
import math
from copy import copy
from typing import TYPE_CHECKING

import msgspec

from binance_dust.budget import _errors
from binance_dust.budget._admission import LocalAdmission
from binance_dust.budget._dispatch import Dispatcher
from binance_dust.budget._protocol import Lane
from binance_dust.budget._queue import MovedError, Waiter
from binance_dust.events import Waited

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust.budget._limits import RateLimits
    from binance_dust.budget._pool import Pool
    from binance_dust.budget._protocol import BudgetSnapshot, Charge, Clock
    from binance_dust.budget._queue import Queue
    from binance_dust.endpoints import LimitKind
    from binance_dust.errors import DustError
    from binance_dust.events import Event


class LocalWaiter(Waiter):
    """A call that waits in this process."""

    __slots__ = ("admission", "future")

    def __init__(self, weight: int, lane: Lane, since: float, patience: float) -> None:
        """Start outside of a queue."""
        super().__init__(weight, lane, since, patience)
        self.future: asyncio.Future[LocalAdmission] = asyncio.get_running_loop().create_future()
        self.admission: LocalAdmission | None = None


class LocalBudget(Dispatcher[LocalWaiter, LocalAdmission]):
    """Budgets for all calls of one process that go out by one address."""

    def __init__(
        self,
        limits: RateLimits,
        clock: Clock,
        observer: Callable[[Event], None] | None = None,
        *,
        patience: float = math.inf,
    ) -> None:
        """Start with nothing spent. `observer` gets waits, refusals, bans and boundaries as events.

        During a ban longer than `patience` seconds calls fail with `BannedError`; during a shorter
        one they wait.
        """
        super().__init__(limits, clock)
        self._observer = observer
        self._patience = patience
        self.now: Callable[[], float] = clock.monotonic
        self._timers: dict[Pool, tuple[float, asyncio.Handle]] = {}
        """When to look at a queue again, in the loop's time, and what does it.

        The time is kept here, because uvloop's handle of a timer that is due at once has none.
        """
        self._pace_timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> LocalAdmission:
        """Wait until a call may be sent.

        Raises `BudgetExceededError` as soon as it is known that the call can't be sent before
        `deadline`, with the seconds that it would have needed, and `BannedError` when the address
        is shut out for longer than `patience`.
        """
        admission = self.admit_at_once(charge, deadline, lane)
        if admission is not None:
            return admission
        now = since = self.now()
        while True:
            pool = self._pools.of(charge)
            waiter = LocalWaiter(charge.weight, lane, since, self._patience)
            self._join(pool, waiter, deadline, now)
            self.look(pool, now)
            try:
                return await self._wait(pool, waiter)
            except MovedError as moved:
                charge, now = msgspec.structs.replace(charge, kind=moved.payer), self.now()

    async def _wait(self, pool: Pool, waiter: LocalWaiter) -> LocalAdmission:
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if waiter.admission is not None:
                waiter.admission.release()
            else:
                self._leave(pool, waiter, self.now())
            raise

    def admit_at_once(
        self, charge: Charge, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> LocalAdmission | None:
        """Admit a call that finds room; else do nothing.

        It counts as sent in this moment: `sent()` needs only be called if it leaves later.
        """
        if self._closed:
            raise _errors.closed()
        pool, now = self._pools.of(charge), self.now()
        if pool not in self._queues and not self._paced and (deadline is None or now < deadline):
            return self._try(pool, charge.weight, now, keep=lane is Lane.SCAN)
        return None

    def stopped(self, call: LocalAdmission) -> bool:
        """Whether a refusal was heard since a call was admitted."""
        return call.stopped(self._gate)

    def move(self, endpoint: str, payer: LimitKind) -> None:
        """Let all calls of an endpoint that wait for another payer's pool wait for this one's."""
        now = self.now()
        for pool, queue in list(self._queues.items()):
            if pool.name == endpoint and pool.kind is not payer:
                for waiter in queue.remove_all():
                    self._refuse(waiter, MovedError(payer))
                self.look(pool, now)

    # --- what follows ----------------------------------------------------------------------------

    def _make(
        self, pool: Pool, weight: int, documented: int, _waiter: LocalWaiter | None
    ) -> LocalAdmission:
        return LocalAdmission(self, pool, weight, documented)

    def _grant(self, waiter: LocalWaiter, call: LocalAdmission, now: float) -> None:
        waiter.admission = call
        waiter.future.set_result(call)
        if now > waiter.since:
            self._tell(Waited(call.pool.name, now - waiter.since))

    def _refuse(self, waiter: LocalWaiter, error: DustError) -> None:
        if not waiter.future.done():
            waiter.future.set_exception(error)

    def _waits(self, waiter: LocalWaiter) -> bool:
        return not waiter.future.done()

    def _tell(self, event: Event) -> None:
        if self._observer is not None:
            self._observer(event)

    def _watch(self, pool: Pool, _queue: Queue[LocalWaiter], at: float, now: float) -> None:
        """Have one timer for a queue. One that fires too soon costs less than moving it."""
        timer = self._timers.get(pool)
        if at == math.inf:
            if timer is not None:
                timer[1].cancel()
                del self._timers[pool]
            return
        loop = asyncio.get_running_loop()
        at = loop.time() + (at - now)
        if timer is not None:
            if timer[0] <= at:
                return
            timer[1].cancel()
        self._timers[pool] = (at, loop.call_at(at, self._on_timer, pool))

    def _on_timer(self, pool: Pool) -> None:
        del self._timers[pool]
        self.look(pool, self.now())

    def _watch_pace(self, _now: float) -> None:
        if self._pace_timer is None:
            loop = asyncio.get_running_loop()
            self._pace_timer = loop.call_later(self._pace.batch_in, self._on_pace_timer)

    def _on_pace_timer(self) -> None:
        self._pace_timer = None
        self.look_at_pace(self.now())

    # --- the rest --------------------------------------------------------------------------------

    def forecast(self, charge: Charge, calls: int) -> float:
        """Return the seconds until the last of so many more calls can be sent.

        The forecast puts them behind the calls that wait now, and assumes that no others come.
        Windows are taken to slide until they are proven fixed, which is never too short.
        """
        return self._forecast(charge, calls, self.now())

    def snapshot(self) -> BudgetSnapshot:
        """Return every pool as it is now."""
        return self._snapshot(self.now())

    async def close(self) -> None:
        """Refuse all waiters. No task and no timer is left. It may be closed twice."""
        self._closed = True
        self._refuse_all(_errors.closed())

    def _refuse_all(self, error: DustError) -> None:
        if self._pace_timer is not None:
            self._pace_timer.cancel()
            self._pace_timer = None
        self._paced.clear()
        for queue in self._queues.values():
            for waiter in queue.remove_all():
                # A copy for each: a traceback grows each time that its error is raised.
                self._refuse(waiter, copy(error))
        for _, timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._queues.clear()

    def __repr__(self) -> str:
        state = "closed" if self._closed else repr(self._gate)
        waiting = sum(queue.waiting for queue in self._queues.values())
        return f"<LocalBudget {len(self._pools)} pools, {waiting} waiting, {state}>"
