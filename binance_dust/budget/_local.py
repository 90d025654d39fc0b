"""The weight budgets of one outgoing address, within one process.

A call that finds room goes at once: no task, no timer, no suspension. Any other call queues for
its pool and awaits a future. After every answer, and when the one timer of a queue fires, calls
are admitted from the head of the queue. Three things have to allow it: the gate of the address (a
ban shuts it for all accounts), the pool, and the pace.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from copy import copy
from typing import TYPE_CHECKING, Final

from binance_dust._answers.weight import TOO_MANY, ban_lasts
from binance_dust.budget import _errors
from binance_dust.budget._admission import LocalAdmission
from binance_dust.budget._gates import Pace, Valve
from binance_dust.budget._pool import PATIENCE, RESERVE_FREED, Go, Proof
from binance_dust.budget._pools import Pools
from binance_dust.budget._protocol import BudgetSnapshot, Lane, PoolSnapshot
from binance_dust.budget._queue import Queue, Waiter
from binance_dust.events import Banned, BoundaryLearnt, BoundaryLost, Refused, Waited

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust._answers.weight import Feedback
    from binance_dust.budget._limits import RateLimits
    from binance_dust.budget._pool import Pool
    from binance_dust.budget._protocol import Charge, Clock
    from binance_dust.errors import BannedError, DustError
    from binance_dust.events import Event

WALL: Final = 300.0
"""Seconds for which a firewall is said to block (FAQ 360004492232, November 2024)."""


class LocalBudget:
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
        self._limits = limits
        self._clock = clock
        self._tell = observer or _ignore
        self._patience = patience
        self.now: Callable[[], float] = clock.monotonic
        self._pace = Pace(limits.requests_per_second)
        self._gate = Valve(limits.window * PATIENCE, half_open=False)
        self._walled = False
        self._reserve_after = limits.window * RESERVE_FREED
        self._queues: dict[Pool, Queue] = {}
        """The queue of each pool with waiters, the longest waiting first."""
        self._pools = Pools(limits, clock, self._queues)
        self._paced: dict[Pool, None] = {}
        """Pools that only wait for the pace, in turn."""
        self._pace_timer: asyncio.TimerHandle | None = None
        self._closed = False

    # --- admission -------------------------------------------------------------------------------

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> LocalAdmission:
        """Wait until a call may be sent.

        Raises `BudgetExceededError` as soon as it is known that the call can't be sent before
        `deadline`, with the seconds that it would have needed, and `BannedError` when the address
        is shut out for longer than `patience`.
        """
        if self._closed:
            raise _errors.closed()
        pool = self._pools.of(charge)
        now = self.now()
        if pool not in self._queues and not self._paced and (deadline is None or now < deadline):
            admission = self._try(pool, charge.weight, now)
            if admission is not None:
                return admission
        future = asyncio.get_running_loop().create_future()
        return await self._wait(pool, Waiter(charge.weight, lane, future, now), deadline)

    def _try(
        self, pool: Pool, weight: int, now: float, *, use_reserve: bool = False
    ) -> LocalAdmission | None:
        """Admit the next call, if gate, pool and pace allow it."""
        gate = self._gate
        if not gate.open and not gate.passes(now):
            return None
        go = pool.may_go(weight, now, use_reserve=use_reserve)
        if go is Go.NO:
            return None
        if not self._pace.take():
            self._wait_for_pace(pool)
            return None
        admission = LocalAdmission(self, pool, weight)
        pool.admit(admission, now, go)
        if not gate.open:
            gate.let_first(admission, now)
        return admission

    async def _wait(self, pool: Pool, waiter: Waiter, deadline: float | None) -> LocalAdmission:
        queue = self._queues.get(pool)
        self._check(pool, queue, waiter, deadline)
        if queue is None:
            queue = self._queues[pool] = Queue()
        queue.join(waiter, deadline)
        self._serve(pool)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if waiter.admission is not None:
                waiter.admission.release()
            else:
                was_next = queue.head() is waiter
                queue.leave(waiter)
                # A call that is now the only waiter may go sooner than among others.
                if was_next or queue.waiting <= 1:
                    self._serve(pool)
            raise

    def _check(
        self, pool: Pool, queue: Queue | None, waiter: Waiter, deadline: float | None
    ) -> None:
        """Fail now if the call can't be sent before its deadline, or ever."""
        weight, now = waiter.weight, waiter.since
        if weight > pool.limit:
            raise _errors.never_fits(pool.name, weight, pool.limit)
        if self._gate.until - now > self._patience:
            raise self._ban_error(pool, now)
        if deadline is None:
            return
        ahead = 0 if queue is None else queue.weight_before(waiter.lane, weight)
        calls = 1 if queue is None else min(queue.waiting, ahead // weight) + 1
        paced = now + self._pace.least_wait(calls)
        at = max(pool.earliest(ahead + weight, now), self._gate.until, paced)
        if deadline <= at:
            raise _errors.too_late(pool.name, weight, at - now)

    # --- queues ----------------------------------------------------------------------------------

    def _serve(self, pool: Pool, most: float = math.inf) -> bool:
        """Admit from the head of a queue; return whether the pool may allow more than `most`."""
        queue = self._queues.get(pool)
        if queue is None:
            return False
        now = self.now()
        served = 0
        while (waiter := queue.head()) is not None:
            if waiter.future.done():  # cancelled, and its task has not run yet
                queue.leave(waiter)
                continue
            if served >= most:
                return True
            use_reserve = queue.waiting == 1 and now >= waiter.since + self._reserve_after
            admission = self._try(pool, waiter.weight, now, use_reserve=use_reserve)
            if admission is None:
                break
            served += 1
            queue.serve(waiter)
            waiter.admission = admission
            waiter.future.set_result(admission)
            if now > waiter.since:
                self._tell(Waited(pool.name, now - waiter.since))
        self._set_timer(pool, queue, waiter, now)
        return False

    def _set_timer(self, pool: Pool, queue: Queue, head: Waiter | None, now: float) -> None:
        """Recheck a queue when its head may go, or at the next deadline."""
        reserve_at = math.inf
        if head is not None and queue.waiting == 1:
            reserve_at = head.since + self._reserve_after
        use_reserve = reserve_at <= now
        if use_reserve:
            reserve_at = math.inf  # the reserve is free already
        if head is not None and queue.next_deadline() is not None:
            chance = pool.blocked_until(head.weight, now, use_reserve=use_reserve)
            chance = max(min(chance, reserve_at), self._gate.until)
            for waiter in queue.remove_late(chance):
                _refuse(waiter, _errors.too_late(pool.name, waiter.weight, chance - now))
            head = queue.head()
        timer = queue.timer
        if head is None:
            self._queues.pop(pool, None)
            if timer is not None:
                timer.cancel()
                queue.timer = None
            return
        gate = self._gate
        at = pool.recheck_at(head.weight, now) if gate.passes(now) else gate.next_chance(now)
        at = min(at, reserve_at, queue.next_deadline() or math.inf)
        loop = asyncio.get_running_loop()
        at = loop.time() + (at - now)
        if timer is not None:
            # A timer that fires too soon costs less than moving it with every answer.
            if timer.when() <= at:
                return
            timer.cancel()
        queue.timer = loop.call_at(at, self._on_timer, pool, queue)

    def _on_timer(self, pool: Pool, queue: Queue) -> None:
        queue.timer = None
        self._serve(pool)

    def _serve_all(self) -> None:
        for pool in list(self._queues):
            self._serve(pool)

    def _wait_for_pace(self, pool: Pool) -> None:
        self._paced[pool] = None
        if self._pace_timer is None:
            loop = asyncio.get_running_loop()
            self._pace_timer = loop.call_later(self._pace.batch_in, self._on_pace_timer)

    def _on_pace_timer(self) -> None:
        """Admit one call of each pool in turn, as far as the pace allows."""
        self._pace_timer = None
        paced, self._paced = deque(self._paced), {}
        while paced:
            pool = paced.popleft()
            if self._serve(pool, most=1):
                paced.append(pool)
            elif self._paced:
                # The pace is used up again. The pool that it refused is first the next time.
                self._paced.update(dict.fromkeys(paced))
                return

    # --- how calls end ---------------------------------------------------------------------------

    def settled(self, admission: LocalAdmission, answer: Feedback) -> None:
        """Take the answer of the exchange."""
        pool, now = admission.pool, self.now()
        proof = pool.answer(admission, answer.used(pool.kind), now)
        banned = answer.bans
        refused = answer.status == TOO_MANY
        if banned:
            self._shut(now, ban_lasts(answer, self._clock.server_time()))
        elif refused:
            proof = pool.refuse(admission, answer.retry_after, now) or proof
            self._tell(Refused(pool.name, pool.valve.until - now))
        elif answer.walled:
            self._hit_wall(now)
        if proof is not None:
            event = BoundaryLearnt if proof is Proof.LEARNT else BoundaryLost
            self._tell(event(pool.name))
        self._ended(admission, good=not (banned or refused or answer.walled))

    def lost(self, admission: LocalAdmission) -> None:
        """Record that a call gets no answer."""
        admission.pool.lose(admission, self.now())
        self._ended(admission, good=False)

    def released(self, admission: LocalAdmission) -> None:
        """Record that a call never left."""
        admission.pool.give_back(admission)
        self._ended(admission, good=False)

    def _ended(self, admission: LocalAdmission, *, good: bool) -> None:
        pool = admission.pool
        pool.valve.ended(admission, good=good)
        if not self._gate.open and self._gate.ended(admission, good=good):
            if good:
                self._walled = False
            self._serve_all()
        elif self._queues:
            self._serve(pool)

    def _hit_wall(self, now: float) -> None:
        """Handle a firewall: send one call alone, and shut the address if it meets the wall too.

        A single 403 may be caused by one request; two with no good answer in between are not.
        """
        if self._walled and now >= self._gate.until:
            self._shut(now, WALL)
        else:
            self._walled = True
            self._gate.open_half()

    def _shut(self, now: float, seconds: float) -> None:
        """Shut the address for every pool."""
        known = self._gate.until > now
        self._gate.shut(now + seconds)
        if not known:
            self._tell(Banned(seconds))
        if seconds > self._patience:
            for pool, queue in self._queues.items():
                for waiter in queue.remove_all():
                    _refuse(waiter, self._ban_error(pool, now))
        self._serve_all()

    def _ban_error(self, pool: Pool, now: float) -> BannedError:
        return _errors.banned(pool.name, self._gate.until - now, self._clock.server_time())

    # --- the rest --------------------------------------------------------------------------------

    def forecast(self, charge: Charge, calls: int) -> float:
        """Return the seconds until the last of so many more calls can be sent.

        The forecast puts them behind the calls that wait now, and assumes that no others come.
        Windows are taken to slide until they are proven fixed, which is never too short.
        """
        now = self.now()
        pool = self._pools.like(charge)
        queue = self._queues.get(pool)
        weight = calls * charge.weight + (queue.weight if queue is not None else 0)
        at = pool.forecast(weight, now) if weight else now
        return max(at, self._gate.until if weight else now) - now

    def snapshot(self) -> BudgetSnapshot:
        """Return every pool as it is now."""
        now = self.now()
        pools = tuple(
            PoolSnapshot(
                name=pool.name,
                kind=pool.kind,
                account=pool.account,
                limit=pool.limit,
                used=pool.used(now),
                in_flight=pool.count.in_flight,
                waiting=self._queues[pool].waiting if pool in self._queues else 0,
                resets_in=pool.resets_in(now),
                shut_for=max(0.0, pool.valve.until - now),
                fixed=pool.boundary.fixed,
                others=pool.others(now),
            )
            for pool in self._pools
        )
        shut_for = max(0.0, self._gate.until - now)
        return BudgetSnapshot(pools, shut_for, self._limits.requests_per_second)

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
                _refuse(waiter, copy(error))
            if queue.timer is not None:
                queue.timer.cancel()
                queue.timer = None
        self._queues.clear()

    def __repr__(self) -> str:
        state = "closed" if self._closed else repr(self._gate)
        waiting = sum(queue.waiting for queue in self._queues.values())
        return f"<LocalBudget {len(self._pools)} pools, {waiting} waiting, {state}>"


def _ignore(event: Event) -> None:
    """Default observer: ignores events."""


def _refuse(waiter: Waiter, error: DustError) -> None:
    if not waiter.future.done():
        waiter.future.set_exception(error)
