"""The weight budgets of one outgoing address, within one process.

A call that finds room goes at once: no task, no timer, no suspension. One that doesn't stands in
its pool's line and sleeps on a future. Whenever something is heard, and when a pool's one timer
strikes, the line is served from its head as far as three things allow: the gate of the address (a
ban shuts it for everybody), the pool, and the pace.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from copy import copy
from typing import TYPE_CHECKING, Final

from binance_dust._answers.weight import TOO_MANY, ban_lasts
from binance_dust.budget import _denials
from binance_dust.budget._admission import LocalAdmission
from binance_dust.budget._line import Line, Waiter
from binance_dust.budget._pace import Pace
from binance_dust.budget._pool import LONELY, PATIENCE, Go, Turn
from binance_dust.budget._pools import Pools
from binance_dust.budget._protocol import BudgetSnapshot, Lane, PoolSnapshot
from binance_dust.budget._valve import Valve
from binance_dust.events import Banned, BoundaryLearnt, BoundaryLost, Refused, Waited

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust._answers.weight import Feedback
    from binance_dust.budget._limits import RateLimits
    from binance_dust.budget._pool import Pool
    from binance_dust.budget._protocol import Charge, Clock
    from binance_dust.errors import BannedError, DustError
    from binance_dust.events import Event

__all__ = ["LocalBudget"]

WALL: Final = 300.0
"""Seconds for which a firewall is said to block (FAQ 360004492232, November 2024)."""


class LocalBudget:
    """Budgets for everybody who goes out by one address from one process."""

    def __init__(
        self,
        limits: RateLimits,
        clock: Clock,
        observer: Callable[[Event], None] | None = None,
        *,
        patience: float = math.inf,
    ) -> None:
        """Begin with nothing spent. `observer` hears of waits, refusals, bans and boundaries.

        A ban that lasts longer than `patience` seconds is told to whoever waits or comes
        (`BannedError`); a shorter one is waited for.
        """
        self._limits = limits
        self._clock = clock
        self._tell = observer or _tell_nobody
        self._patience = patience
        self.now: Callable[[], float] = clock.monotonic
        self._pace = Pace(limits.requests_per_second)
        self._gate = Valve(limits.window * PATIENCE, wary=False)
        self._walled = False
        self._lonely_after = limits.window * LONELY
        self._pools = Pools(limits, clock)
        self._waiting: dict[Pool, None] = {}
        """Pools with a line, the longest waiting first."""
        self._paced: dict[Pool, None] = {}
        """Pools that could go on but for the pace, in turn."""
        self._pace_timer: asyncio.TimerHandle | None = None
        self._closed = False

    # --- admission -------------------------------------------------------------------------------

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> LocalAdmission:
        """Wait until a call may be sent.

        Raises `BudgetExceededError` as soon as it is known that the call can't be sent before
        `deadline`, with the seconds that it would have needed, and `BannedError` when the address
        is shut out for longer than anybody wants to wait.
        """
        if self._closed:
            raise _denials.closed()
        pool = self._pools.of(charge)
        now = self.now()
        if pool.line is None and not self._paced and (deadline is None or now < deadline):
            admission = self._try(pool, charge.weight, now)
            if admission is not None:
                return admission
        future = asyncio.get_running_loop().create_future()
        return await self._wait(pool, Waiter(charge.weight, lane, future, now), deadline)

    def _try(
        self, pool: Pool, weight: int, now: float, *, lonely: bool = False
    ) -> LocalAdmission | None:
        """Admit a call whose turn it is, if gate, pool and pace allow."""
        gate = self._gate
        if not gate.open and not gate.passes(now):
            return None
        go = pool.may_go(weight, now, lonely=lonely)
        if go is Go.NO:
            return None
        if not self._pace.take():
            self._wait_for_pace(pool)
            return None
        admission = LocalAdmission(self, pool, weight, now)
        pool.admit(admission, now, go)
        if not gate.open:
            gate.first(admission, now)
        return admission

    async def _wait(self, pool: Pool, waiter: Waiter, deadline: float | None) -> LocalAdmission:
        self._check(pool, waiter, deadline)
        line = pool.line
        if line is None:
            line = pool.line = Line()
            self._waiting[pool] = None
        line.join(waiter, deadline)
        self._serve(pool)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if waiter.admission is not None:
                waiter.admission.release()
            else:
                was_next = line.head() is waiter
                line.leave(waiter)
                # Whoever is left alone by this may go sooner than it could in company.
                if was_next or line.waiting <= 1:
                    self._serve(pool)
            raise

    def _check(self, pool: Pool, waiter: Waiter, deadline: float | None) -> None:
        """Refuse what can't be waited for."""
        weight, now = waiter.weight, waiter.since
        if weight > pool.limit:
            raise _denials.never_fits(pool.name, weight, pool.limit)
        if self._gate.until - now > self._patience:
            raise self._shut_out(pool, now)
        if deadline is None:
            return
        line = pool.line
        ahead = 0 if line is None else line.weight_before(waiter.lane, weight)
        calls = 1 if line is None else min(line.waiting, ahead // weight) + 1
        paced = now + self._pace.least_wait(calls)
        at = max(pool.soonest(ahead + weight, now), self._gate.until, paced)
        if deadline <= at:
            raise _denials.too_late(pool.name, weight, at - now)

    # --- serving lines ---------------------------------------------------------------------------

    def _serve(self, pool: Pool, most: float = math.inf) -> bool:
        """Admit from the head of a line; tell whether there is more that the pool allows."""
        line = pool.line
        if line is None:
            return False
        now = self.now()
        served = 0
        while (waiter := line.head()) is not None:
            if waiter.future.done():  # cancelled, and its task has not run yet
                line.leave(waiter)
                continue
            if served >= most:
                return True
            lonely = line.waiting == 1 and now >= waiter.since + self._lonely_after
            admission = self._try(pool, waiter.weight, now, lonely=lonely)
            if admission is None:
                break
            served += 1
            line.serve(waiter)
            waiter.admission = admission
            waiter.future.set_result(admission)
            if now > waiter.since:
                self._tell(Waited(pool.name, now - waiter.since))
        self._set_timer(pool, line, waiter, now)
        return False

    def _set_timer(self, pool: Pool, line: Line, head: Waiter | None, now: float) -> None:
        """Have a line looked at again when its head may go, or somebody's deadline comes."""
        timer = pool.timer
        alone_at = math.inf
        if head is not None and line.waiting == 1:
            alone_at = head.since + self._lonely_after
        lonely = alone_at <= now
        if lonely:
            alone_at = math.inf  # and it is so already
        if head is not None and line.next_deadline() is not None:
            chance = min(pool.no_sooner(head.weight, now, lonely=lonely), alone_at)
            chance = max(chance, self._gate.until)
            for waiter in line.hopeless(chance):
                _refuse(waiter, _denials.too_late(pool.name, waiter.weight, chance - now))
            head = line.head()
        if head is None:
            pool.line = None
            self._waiting.pop(pool, None)
            if timer is not None:
                timer.cancel()
                pool.timer = None
            return
        gate = self._gate
        at = pool.look_again(head.weight, now) if gate.passes(now) else gate.next_chance(now)
        at = min(at, alone_at, line.next_deadline() or math.inf)
        loop = asyncio.get_running_loop()
        at = loop.time() + (at - now)
        if timer is not None:
            # A timer that strikes too soon costs less than one that is moved with every answer.
            if timer.when() <= at:
                return
            timer.cancel()
        pool.timer = loop.call_at(at, self._strike, pool)

    def _strike(self, pool: Pool) -> None:
        pool.timer = None
        self._serve(pool)

    def _serve_all(self) -> None:
        for pool in list(self._waiting):
            self._serve(pool)

    def _wait_for_pace(self, pool: Pool) -> None:
        self._paced[pool] = None
        if self._pace_timer is None:
            loop = asyncio.get_running_loop()
            self._pace_timer = loop.call_later(self._pace.batch_in, self._strike_pace)

    def _strike_pace(self) -> None:
        """Let one of each pool go in turn, as far as the pace allows."""
        self._pace_timer = None
        paced, self._paced = deque(self._paced), {}
        while paced:
            pool = paced.popleft()
            if self._serve(pool, most=1):
                paced.append(pool)
            elif self._paced:
                # The pace is short again. Whoever was refused it comes first the next time.
                self._paced.update(dict.fromkeys(paced))
                return

    # --- what was heard --------------------------------------------------------------------------

    def settled(self, admission: LocalAdmission, answer: Feedback) -> None:
        """Hear what the exchange answered."""
        pool, now = admission.pool, self.now()
        turn = pool.answer(admission, answer.used(pool.kind), now)
        banned = answer.bans
        refused = answer.status == TOO_MANY
        if banned:
            self._ban(answer, now)
        elif refused:
            turn = pool.refuse(admission, answer.retry_after, now) or turn
            self._tell(Refused(pool.name, pool.valve.until - now))
        elif answer.walled:
            self._hit_wall(now)
        if turn is not None:
            event = BoundaryLearnt if turn is Turn.LEARNT else BoundaryLost
            self._tell(event(pool.name))
        self._ended(admission, good=not (banned or refused or answer.walled))

    def lost(self, admission: LocalAdmission) -> None:
        """Hear that no answer came."""
        admission.pool.lose(admission, self.now())
        self._ended(admission, good=False)

    def released(self, admission: LocalAdmission) -> None:
        """Hear that it never left."""
        admission.pool.give_back(admission)
        self._ended(admission, good=False)

    def _ended(self, admission: LocalAdmission, *, good: bool) -> None:
        pool = admission.pool
        pool.valve.heard(admission, good=good)
        if not self._gate.open and self._gate.heard(admission, good=good):
            if good:
                self._walled = False
            self._serve_all()
        elif pool.line is not None:
            self._serve(pool)

    def _ban(self, answer: Feedback, now: float) -> None:
        """Shut the address, for every pool, until the ban lifts."""
        self._shut(now, ban_lasts(answer, self._clock.server_time()))

    def _hit_wall(self, now: float) -> None:
        """Answer a firewall: look with one call, and stay away when it too meets the wall.

        A single 403 may be the fault of one request; two with no good answer in between are not.
        """
        if self._walled and now >= self._gate.until:
            self._shut(now, WALL)
        else:
            self._walled = True
            self._gate.be_wary()

    def _shut(self, now: float, seconds: float) -> None:
        known = self._gate.until > now
        self._gate.shut(now + seconds)
        if not known:
            self._tell(Banned(seconds))
        if seconds > self._patience:
            for pool in self._waiting:
                for waiter in pool.line.everybody() if pool.line is not None else ():
                    _refuse(waiter, self._shut_out(pool, now))
        self._serve_all()

    def _shut_out(self, pool: Pool, now: float) -> BannedError:
        return _denials.shut_out(pool.name, self._gate.until - now, self._clock.server_time())

    # --- the rest --------------------------------------------------------------------------------

    def forecast(self, charge: Charge, calls: int) -> float:
        """Foretell the seconds until the last of so many more calls can be sent.

        They are counted behind those that stand in line now, and as if nobody else came. Windows
        that were not seen to be cut by the clock are taken to slide, which is never too short.
        """
        now = self.now()
        pool = self._pools.like(charge)
        weight = calls * charge.weight + (pool.line.weight if pool.line is not None else 0)
        at = pool.forecast(weight, now) if weight else now
        return max(at, self._gate.until if weight else now) - now

    def snapshot(self) -> BudgetSnapshot:
        """Show every pool as it is now."""
        now = self.now()
        pools = tuple(
            PoolSnapshot(
                name=pool.name,
                kind=pool.kind,
                account=pool.account,
                limit=pool.limit,
                used=pool.used(now),
                in_flight=pool.count.flying,
                waiting=pool.line.waiting if pool.line is not None else 0,
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
        """Let go of whoever waits. No task and no timer is left. Closing twice is no harm."""
        self._closed = True
        self._let_go(_denials.closed())

    def _let_go(self, error: DustError) -> None:
        """Tell whoever waits that it is in vain."""
        if self._pace_timer is not None:
            self._pace_timer.cancel()
            self._pace_timer = None
        self._paced.clear()
        for pool in list(self._waiting):
            if pool.line is not None:
                for waiter in pool.line.everybody():
                    # One of its own: a traceback grows with everybody who raises it.
                    _refuse(waiter, copy(error))
            pool.line = None
            if pool.timer is not None:
                pool.timer.cancel()
                pool.timer = None
        self._waiting.clear()

    def __repr__(self) -> str:
        state = "closed" if self._closed else repr(self._gate)
        waiting = sum(pool.line.waiting for pool in self._waiting if pool.line is not None)
        return f"<LocalBudget {len(self._pools)} pools, {waiting} waiting, {state}>"


def _tell_nobody(event: Event) -> None:
    """Keep what happens to oneself."""


def _refuse(waiter: Waiter, error: DustError) -> None:
    if not waiter.future.done():
        waiter.future.set_exception(error)
