"""Which calls of an address go next: its pools, queues, gate and pace, as one value.

Everything that happens goes in with the time: a call is wanted, is answered, is lost, or leaves the
queue. What follows comes out by the methods that a subclass defines: a call may go, a waiter is
refused, a queue has to be looked at again. There is no I/O, no timer and no future here, and what
follows depends on nothing else. So the same rules serve one process (`_local.py`), and, taken in
the same order by all, many (`_redis/_replica.py`).

Three things have to allow a call: the gate of the address (a ban shuts it for all accounts), the
pool, and the pace.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from binance_dust._answers.weight import TOO_MANY, ban_lasts
from binance_dust.budget import _errors
from binance_dust.budget._address import WALL, AddressGate
from binance_dust.budget._count import PoolCall
from binance_dust.budget._forecast import RESERVE_FREED, earliest, forecast
from binance_dust.budget._kept import TAIL
from binance_dust.budget._look import look
from binance_dust.budget._news import take_news
from binance_dust.budget._pool import PATIENCE, Go
from binance_dust.budget._pools import Pools
from binance_dust.budget._protocol import BudgetSnapshot
from binance_dust.budget._queue import TURN, Queue, Waiter
from binance_dust.events import Banned, Refused

if TYPE_CHECKING:
    from binance_dust._answers.weight import Feedback
    from binance_dust.budget._door import Door
    from binance_dust.budget._limits import RateLimits
    from binance_dust.budget._pool import Pool
    from binance_dust.budget._protocol import Charge, Clock
    from binance_dust.errors import DustError
    from binance_dust.events import Event

_NO: Final = Go.NO
_YES: Final = Go.YES
W = TypeVar("W", bound=Waiter)
C = TypeVar("C", bound=PoolCall)


class Dispatcher(ABC, Generic[W, C]):
    """Admits calls in their order, as gate, pools and pace allow."""

    def __init__(self, limits: RateLimits, clock: Clock) -> None:
        """Start with nothing spent."""
        from binance_dust.budget._pace import Pace

        self._limits = limits
        self._clock = clock
        self._turn = limits.window * TURN
        self._reserve_after = limits.window * RESERVE_FREED
        self._tail_after = limits.window * TAIL
        self._pace = Pace(limits.requests_per_second)
        self._gate = AddressGate(limits.window * PATIENCE)
        self._queues: dict[Pool, Queue[W]] = {}
        """The queue of each pool with waiters, the longest waiting first."""
        self._pools = Pools(limits, clock, self._queues, lambda: self._gate.banned)
        self._paced: dict[Pool, None] = {}
        """Pools that only wait for the pace, in turn."""

    # --- what follows: defined by a subclass -----------------------------------------------------

    @abstractmethod
    def _make(self, pool: Pool, weight: int, documented: int, waiter: W | None, /) -> C:
        """Make the admission of a call; `waiter` if it has waited."""

    @abstractmethod
    def _grant(self, waiter: W, call: C, now: float) -> None:
        """Tell a waiter that it is admitted."""

    @abstractmethod
    def _refuse(self, waiter: W, error: DustError) -> None:
        """Tell a waiter that it is not admitted."""

    @abstractmethod
    def _tell(self, event: Event) -> None:
        """Tell what has happened."""

    @abstractmethod
    def _watch(self, pool: Pool, queue: Queue[W], at: float, now: float, /) -> None:
        """Call `look` at a moment, or earlier; infinite if the queue is empty."""

    @abstractmethod
    def _watch_pace(self, now: float, /) -> None:
        """Call `look_at_pace` soon: as soon as it is worth it."""

    def _waits(self, waiter: W) -> bool:  # noqa: ARG002 - for subclasses
        """Whether a waiter still waits: its task may be cancelled, and not have said so yet."""
        return True

    # --- calls come ------------------------------------------------------------------------------

    def _try(  # noqa: PLR0913 - what is known of a call
        self,
        pool: Pool,
        weight: int,
        now: float,
        *,
        keep: bool,
        use_reserve: bool = False,
        waiter: W | None = None,
    ) -> C | None:
        """Admit the next call, if gate, pool and pace allow it.

        `keep` says whether it is a scan's, and leaves to single calls what is kept for them.
        """
        gate = self._gate
        if not gate.open and not gate.passes(now):
            return None
        door = pool.door
        if door is not None and not door.open and not door.passes(now):
            return None
        documented, weight = weight, pool.beliefs.prices.weight(weight)
        if weight > pool.limit and documented <= pool.ours:
            weight = pool.limit  # what is believed makes no call wait for ever
        most = pool.kept.most(weight, pool.limit) if keep else 0
        go = pool.may_go(weight, now, use_reserve=use_reserve, kept=most)
        if most and go is not _YES and (kept := pool.kept_weight(weight, now)) < most:
            go = pool.may_go(weight, now, use_reserve=use_reserve, kept=kept)
        if go is _NO:
            return None
        if not self._pace.take(now):
            self._paced[pool] = None
            self._watch_pace(now)
            return None
        call = self._make(pool, weight, documented, waiter)
        pool.admit(call, now, go)
        if not gate.open:
            gate.let_first(call, now)
        if door is not None and not door.open:
            door.let_first(call, now)
        return call

    def _join(self, pool: Pool, waiter: W, deadline: float | None, now: float) -> None:
        """Add a waiter to its queue; raise the error if it can't be admitted in time."""
        queue = self._queues.get(pool)
        error = self._refusal(pool, queue, waiter, deadline, now)
        if error is not None:
            raise error
        if queue is None:
            queue = self._queues[pool] = Queue()
        queue.join(waiter, deadline)

    def _refusal(
        self,
        pool: Pool,
        queue: Queue[W] | None,
        waiter: W,
        deadline: float | None,
        now: float,
    ) -> DustError | None:
        """Return the error if the call can't be sent before its deadline, or ever."""
        weight = waiter.weight
        if weight > pool.ours:
            return _errors.never_fits(pool.name, weight, pool.ours)
        if self._gate.until - now > waiter.patience:
            return self._gate.error(pool.name, now, self._clock.server_time())
        if (wait := _shut_times(pool)[1] - now) > max(waiter.patience, self._turn):
            return _errors.shut(pool.name, wait)
        if deadline is None:
            return None
        ahead = 0 if queue is None else queue.weight_before(waiter.lane, weight)
        calls = 1 if queue is None else min(queue.waiting, ahead // weight) + 1
        paced = now + self._pace.least_wait(calls)
        at = max(earliest(pool, ahead + weight, now), self._gate.until, paced)
        return _errors.too_late(pool.name, weight, at - now) if deadline <= at else None

    def _leave(self, pool: Pool, waiter: W, now: float) -> None:
        """Take a waiter out of its queue."""
        queue = self._queues.get(pool)
        if queue is None:
            return
        was_next = queue.head() is waiter
        queue.leave(waiter)
        # A call that is now the only waiter may go sooner than among others.
        if was_next or queue.waiting <= 1:
            self.look(pool, now)

    # --- queues ----------------------------------------------------------------------------------

    def look(self, pool: Pool, now: float, most: float = math.inf) -> bool:
        """Admit from the head of a queue; return whether the pool may allow more than `most`."""
        queue = self._queues.get(pool)
        if queue is None:
            return False
        served = 0
        while (waiter := queue.head()) is not None:
            if not self._waits(waiter):
                queue.leave(waiter)
                continue
            if served >= most:
                return True
            use_reserve = queue.waiting == 1 and now >= self._reserve_at(pool, waiter)
            keep = self._keeps(pool, queue, waiter, now)
            call = self._try(
                pool, waiter.weight, now, keep=keep, use_reserve=use_reserve, waiter=waiter
            )
            if call is None:
                break
            served += 1
            queue.serve(waiter)
            self._grant(waiter, call, now)
        if waiter is not None and queue.next_deadline() is not None:
            self._refuse_late(pool, queue, waiter, now)
            waiter = queue.head()
        if waiter is None:
            self._queues.pop(pool, None)
            self._watch(pool, queue, math.inf, now)
        else:
            at = min(self._recheck_at(pool, queue, waiter, now), queue.next_deadline() or math.inf)
            self._watch(pool, queue, at, now)
        return False

    def _reserve_at(self, pool: Pool, waiter: W) -> float:
        """Return when the only call that waits may take the reserve: at a cut, if one is near."""
        at, cut = waiter.since + self._reserve_after, pool.current.closes
        near = pool.current.number >= 0 and at < cut <= at + self._reserve_after
        return cut if near and not pool.boundary.slides else at

    def _keeps(self, pool: Pool, queue: Queue[W], head: W, now: float) -> bool:
        """Whether scans leave something to single calls: not if all that waits fits in."""
        if not queue.only_scans:
            return False
        return now < head.since + self._tail_after or queue.weight > pool.free(now)

    def _refuse_late(self, pool: Pool, queue: Queue[W], head: W, now: float) -> None:
        """Tell those whose deadline comes before the next chance."""
        reserve_at = self._reserve_at(pool, head) if queue.waiting == 1 else math.inf
        use_reserve = reserve_at <= now
        chance = pool.blocked_until(head.weight, now, use_reserve=use_reserve)
        if not use_reserve:
            chance = min(chance, reserve_at)
        chance = max(chance, self._gate.until)
        for waiter in queue.remove_late(chance):
            self._refuse(waiter, _errors.too_late(pool.name, waiter.weight, chance - now))

    def _recheck_at(self, pool: Pool, queue: Queue[W], head: W, now: float) -> float:
        """Return when to look again whether the head of a queue may go."""
        kept = pool.kept_weight(head.weight, now) if self._keeps(pool, queue, head, now) else 0
        at = pool.recheck_at(head.weight, now, kept=kept)
        for valve in (self._gate, pool.door):
            if valve is not None and not valve.passes(now):
                at = max(valve.next_chance(now), pool.valve.until)
        freed = [self._reserve_at(pool, head)] if queue.waiting == 1 else []
        if kept:
            freed.append(head.since + self._tail_after)
        return min([at, *(moment for moment in freed if moment > now)])

    def _look_at_all(self, now: float, door: Door | None = None) -> None:
        """Look at all queues, or at those behind one door."""
        for pool in list(self._queues):
            if door is None or pool.door is door:
                self.look(pool, now)

    def look_at_pace(self, now: float) -> None:
        """Admit one call of each pool in turn, as far as the pace allows."""
        paced, self._paced = deque(self._paced), {}
        while paced:
            pool = paced.popleft()
            if self.look(pool, now, most=1):
                paced.append(pool)
            elif self._paced:
                # The pace is used up again. The pool that it refused is first the next time.
                self._paced.update(dict.fromkeys(paced))
                return

    # --- calls end -------------------------------------------------------------------------------

    def settle(self, call: C, answer: Feedback, now: float) -> None:
        """Take the answer of the exchange."""
        pool = call.pool
        banned = answer.bans
        refused = answer.status == TOO_MANY
        good = not (banned or refused or answer.walled)
        result = good and answer.succeeded
        used = answer.used(pool.kind)
        pool.answer(call, used, now, good=good, result=result)
        if banned:
            pool.bar(call, now)
            self._shut(now, ban_lasts(answer, self._clock.server_time()))
        elif refused:
            pool.refuse(call, answer.retry_after, now)
            self._tell(Refused(pool.name, pool.valve.until - now))
            if pool.door is not None:
                self._refused_at_door(pool, pool.door, call, now)
            self._tell_waiters(now)
        elif answer.walled and self._gate.meets_wall(call, now):
            self._shut(now, WALL, guessed=True)
        if pool.beliefs.news:
            for event in take_news(pool):
                self._tell(event)
        door = pool.door
        if door is not None:
            if door.trial and result:
                self._try_out(call, door, now)
            if door.answered(call, answer, good=good):
                self._look_at_all(now, door)
        told = result or used is not None
        # What comes from in front of the exchange (502) does not tell that a ban is over.
        self._ended(call, now, good=good, told=told, passed=told or not answer.broken)

    def _refused_at_door(self, pool: Pool, door: Door, call: C, now: float) -> None:
        """Take the refusal of an account; the address may be the one that is meant."""
        door.refused(call, pool.valve.until, now)
        if (address := self._pools.address(pool.name)) is not None:
            address.valve.shut(pool.valve.until, now)

    def _try_out(self, call: C, door: Door, now: float) -> None:
        """Count a call for the address, too: headers say that an account has paid for it."""
        address = self._pools.address(call.pool.name)
        if address is None:
            return
        own = address.count.own
        own.taken += call.weight
        own.answer(call.weight, call.sent_at, now)
        door.weigh(own, now)

    def _tell_waiters(self, now: float) -> None:
        """Tell who would have to wait for longer than they allowed, also behind a shut door."""
        for pool, queue in self._queues.items():
            since, until = _shut_times(pool)
            if until - min(since, now) > self._turn:
                for waiter in queue.remove_impatient(min(since, now), until):
                    self._refuse(waiter, _errors.shut(pool.name, until - now))

    def lose(self, call: C, now: float) -> None:
        """Record that a call gets no answer."""
        call.pool.lose(call, now)
        self._unanswered(call, now)

    def give_back(self, call: C, now: float) -> None:
        """Record that a call never left."""
        call.pool.give_back(call)
        self._unanswered(call, now)

    def _unanswered(self, call: C, now: float) -> None:
        door = call.pool.door
        if door is not None and door.ended(call, good=False):
            self._look_at_all(now, door)
        self._ended(call, now, good=False)

    def _ended(
        self, call: C, now: float, *, good: bool, told: bool = True, passed: bool = True
    ) -> None:
        pool = call.pool
        asked = pool.valve.ended(call, good=good, told=told)
        if asked and good and pool.valve.careful and pool.beliefs.explains_ban(pool.count):
            pool.valve.trust()
        if self._gate.ended(call, good=good and passed):
            self._look_at_all(now)
        elif self._queues:
            self.look(pool, now)

    def _shut(self, now: float, seconds: float, *, guessed: bool = False) -> None:
        """Shut the address for every pool."""
        if self._gate.shut_for(seconds, now, guessed=guessed):
            self._tell(Banned(seconds, guessed))
            if not guessed:
                self._pools.beware()
        server_time = self._clock.server_time()
        for pool, queue in self._queues.items():
            for waiter in queue.remove_impatient(self._gate.since, now + seconds):
                self._refuse(waiter, self._gate.error(pool.name, now, server_time))
        self._look_at_all(now)

    # --- how it looks ----------------------------------------------------------------------------

    def _forecast(self, charge: Charge, calls: int, now: float) -> float:
        """Return the seconds until the last of so many more calls can be sent."""
        pool = self._pools.like(charge)
        queue = self._queues.get(pool)
        weight = calls * charge.weight + (queue.weight if queue is not None else 0)
        at = forecast(pool, weight, now, charge.weight) if weight else now
        return max(at, self._gate.until if weight else now) - now

    def _snapshot(self, now: float) -> BudgetSnapshot:
        """Return every pool as it is now."""
        queues = self._queues
        pools = tuple(
            look(pool, queues[pool].waiting if pool in queues else 0, now) for pool in self._pools
        )
        shut_for = max(0.0, self._gate.until - now)
        return BudgetSnapshot(pools, shut_for, self._limits.requests_per_second)


def _shut_times(pool: Pool) -> tuple[float, float]:
    """Return since when and until when a pool is shut: itself, or the door of its endpoint."""
    valve, door = pool.valve, pool.door
    if door is None or door.until <= valve.until:
        return valve.since, valve.until
    return min(valve.since, door.since), door.until
