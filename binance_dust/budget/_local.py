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
from typing import TYPE_CHECKING

from binance_dust._answers.weight import TOO_MANY, ban_lasts
from binance_dust.budget import _errors
from binance_dust.budget._address import WALL, AddressGate
from binance_dust.budget._admission import LocalAdmission
from binance_dust.budget._forecast import RESERVE_FREED, earliest, forecast
from binance_dust.budget._gates import Pace
from binance_dust.budget._kept import TAIL
from binance_dust.budget._look import look
from binance_dust.budget._news import take_news
from binance_dust.budget._pool import PATIENCE, Go
from binance_dust.budget._pools import Pools
from binance_dust.budget._protocol import BudgetSnapshot, Lane
from binance_dust.budget._queue import TURN, Queue, Waiter
from binance_dust.events import Banned, Refused, Waited

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust._answers.weight import Feedback
    from binance_dust.budget._door import Door
    from binance_dust.budget._limits import RateLimits
    from binance_dust.budget._pool import Pool
    from binance_dust.budget._protocol import Charge, Clock
    from binance_dust.errors import DustError
    from binance_dust.events import Event


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
        self._tell = observer or (lambda _: None)
        self._patience = patience
        self._most_wait = max(patience, limits.window * TURN)
        self.now: Callable[[], float] = clock.monotonic
        self._pace = Pace(limits.requests_per_second)
        self._gate = AddressGate(limits.window * PATIENCE)
        self._reserve_after = limits.window * RESERVE_FREED
        self._tail_after = limits.window * TAIL
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
            admission = self._try(pool, charge.weight, now, keep=lane is Lane.SCAN)
            if admission is not None:
                return admission
        future = asyncio.get_running_loop().create_future()
        return await self._wait(pool, Waiter(charge.weight, lane, future, now), deadline)

    def _try(
        self, pool: Pool, weight: int, now: float, *, keep: bool, use_reserve: bool = False
    ) -> LocalAdmission | None:
        """Admit the next call, if gate, pool and pace allow it.

        `keep` says whether it is a scan's, and leaves to single calls what is kept for them.
        """
        gate = self._gate
        if not gate.open and not gate.passes(now):
            return None
        door = pool.door
        if door is not None and not door.passes(now):
            return None
        documented, weight = weight, pool.beliefs.prices.weight(weight)
        if weight > pool.limit and documented <= pool.ours:
            weight = pool.limit  # what is believed makes no call wait for ever
        kept = pool.kept_weight(weight, now) if keep else 0
        go = pool.may_go(weight, now, use_reserve=use_reserve, kept=kept)
        if go is Go.NO:
            return None
        if not self._pace.take():
            self._wait_for_pace(pool)
            return None
        admission = LocalAdmission(self, pool, weight, documented)
        pool.admit(admission, now, go)
        if not gate.open:
            gate.let_first(admission, now)
        if door is not None and not door.open:
            door.let_first(admission, now)
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
        if weight > pool.ours:
            raise _errors.never_fits(pool.name, weight, pool.ours)
        if self._gate.until - now > self._patience:
            raise self._gate.error(pool.name, now, self._clock.server_time())
        if pool.valve.until - now > self._most_wait:
            raise _errors.shut(pool.name, pool.valve.until - now)
        if deadline is None:
            return
        ahead = 0 if queue is None else queue.weight_before(waiter.lane, weight)
        calls = 1 if queue is None else min(queue.waiting, ahead // weight) + 1
        paced = now + self._pace.least_wait(calls)
        at = max(earliest(pool, ahead + weight, now), self._gate.until, paced)
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
            keep = self._keeps(pool, queue, waiter, now)
            admission = self._try(pool, waiter.weight, now, keep=keep, use_reserve=use_reserve)
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

    def _keeps(self, pool: Pool, queue: Queue, head: Waiter, now: float) -> bool:
        """Whether scans leave something to single calls: not if all that waits fits in."""
        if not queue.only_scans:
            return False
        return now < head.since + self._tail_after or queue.weight > pool.free(now)

    def _set_timer(self, pool: Pool, queue: Queue, head: Waiter | None, now: float) -> None:
        """Recheck a queue when its head may go, or at the next deadline."""
        if head is not None and queue.next_deadline() is not None:
            self._refuse_late(pool, queue, head, now)
            head = queue.head()
        timer = queue.timer
        if head is None:
            self._queues.pop(pool, None)
            if timer is not None:
                timer.cancel()
                queue.timer = None
            return
        at = min(self._recheck_at(pool, queue, head, now), queue.next_deadline() or math.inf)
        loop = asyncio.get_running_loop()
        at = loop.time() + (at - now)
        if timer is not None:
            # A timer that fires too soon costs less than moving it with every answer.
            if timer.when() <= at:
                return
            timer.cancel()
        queue.timer = loop.call_at(at, self._on_timer, pool, queue)

    def _refuse_late(self, pool: Pool, queue: Queue, head: Waiter, now: float) -> None:
        """Tell those whose deadline comes before the next chance."""
        reserve_at = queue.alone_for(head, self._reserve_after)
        use_reserve = reserve_at <= now
        chance = pool.blocked_until(head.weight, now, use_reserve=use_reserve)
        if not use_reserve:
            chance = min(chance, reserve_at)
        chance = max(chance, self._gate.until)
        for waiter in queue.remove_late(chance):
            _refuse(waiter, _errors.too_late(pool.name, waiter.weight, chance - now))

    def _recheck_at(self, pool: Pool, queue: Queue, head: Waiter, now: float) -> float:
        """Return when to look again whether the head of a queue may go."""
        kept = pool.kept_weight(head.weight, now) if self._keeps(pool, queue, head, now) else 0
        at = pool.recheck_at(head.weight, now, kept=kept)
        for valve in (self._gate, pool.door):
            if valve is not None and not valve.passes(now):
                at = max(valve.next_chance(now), pool.valve.until)
        freed = [queue.alone_for(head, self._reserve_after)]
        if kept:
            freed.append(head.since + self._tail_after)
        return min([at, *(moment for moment in freed if moment > now)])

    def _on_timer(self, pool: Pool, queue: Queue) -> None:
        queue.timer = None
        self._serve(pool)

    def _serve_all(self, door: Door | None = None) -> None:
        """Serve all queues, or those behind one door."""
        for pool in list(self._queues):
            if door is None or pool.door is door:
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
        banned = answer.bans
        refused = answer.status == TOO_MANY
        good = not (banned or refused or answer.walled)
        result = good and answer.succeeded
        pool.answer(admission, answer.used(pool.kind), now, good=good, result=result)
        if banned:
            self._shut(now, ban_lasts(answer, self._clock.server_time()))
        elif refused:
            pool.refuse(admission, answer.retry_after, now)
            self._tell(Refused(pool.name, pool.valve.until - now))
            if pool.door is not None:
                pool.door.refused(admission, pool.valve.until)
            self._tell_waiters(pool, now)
        elif answer.walled and self._gate.meets_wall(admission, now):
            self._shut(now, WALL, guessed=True)
        for event in take_news(pool):
            self._tell(event)
        if pool.door is not None and pool.door.answered(admission, answer, good=good):
            self._serve_all(pool.door)
        self._ended(admission, good=good)

    def _tell_waiters(self, pool: Pool, now: float) -> None:
        """Tell who would have to wait for longer than they allowed."""
        wait = pool.valve.until - now
        queue = self._queues.get(pool)
        if queue is not None and wait > self._most_wait:
            for waiter in queue.remove_all():
                _refuse(waiter, _errors.shut(pool.name, wait))

    def lost(self, admission: LocalAdmission) -> None:
        """Record that a call gets no answer."""
        admission.pool.lose(admission, self.now())
        self._unanswered(admission)

    def released(self, admission: LocalAdmission) -> None:
        """Record that a call never left."""
        admission.pool.give_back(admission)
        self._unanswered(admission)

    def _unanswered(self, admission: LocalAdmission) -> None:
        door = admission.pool.door
        if door is not None and door.ended(admission, good=False):
            self._serve_all(door)
        self._ended(admission, good=False)

    def _ended(self, admission: LocalAdmission, *, good: bool) -> None:
        pool = admission.pool
        pool.valve.ended(admission, good=good)
        if self._gate.ended(admission, good=good):
            self._serve_all()
        elif self._queues:
            self._serve(pool)

    def _shut(self, now: float, seconds: float, *, guessed: bool = False) -> None:
        """Shut the address for every pool."""
        if self._gate.shut_for(seconds, now, guessed=guessed):
            self._tell(Banned(seconds, guessed))
        if seconds > self._patience:
            for pool, queue in self._queues.items():
                for waiter in queue.remove_all():
                    server_time = self._clock.server_time()
                    _refuse(waiter, self._gate.error(pool.name, now, server_time))
        self._serve_all()

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
        at = forecast(pool, weight, now, charge.weight) if weight else now
        return max(at, self._gate.until if weight else now) - now

    def snapshot(self) -> BudgetSnapshot:
        """Return every pool as it is now."""
        now, queues = self.now(), self._queues
        pools = tuple(
            look(pool, queues[pool].waiting if pool in queues else 0, now) for pool in self._pools
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


def _refuse(waiter: Waiter, error: DustError) -> None:
    if not waiter.future.done():
        waiter.future.set_exception(error)
