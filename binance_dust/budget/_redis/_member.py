"""A process that shares a budget: its waiters, and what Redis tells it. It does no I/O itself."""

from __future__ import annotations

import asyncio
from copy import copy
from typing import TYPE_CHECKING, Final

from binance_dust.budget import _errors
from binance_dust.budget._pools import key_of, name_of
from binance_dust.budget._protocol import Lane
from binance_dust.budget._redis import _messages
from binance_dust.budget._redis._in_flight import InFlight
from binance_dust.budget._redis._views import Views
from binance_dust.budget._redis._waiters import SharedWaiter, Waiters
from binance_dust.events import Banned, BoundaryLearnt, BoundaryLost, Refused, Waited

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust.budget._protocol import Charge
    from binance_dust.budget._redis._in_flight import RedisAdmission
    from binance_dust.budget._redis._messages import Op
    from binance_dust.budget._redis._settings import Settings
    from binance_dust.errors import DustError

_LANES: Final = {Lane.CALL: 1, Lane.SCAN: 2}


class SharedMember:
    """One of the processes that share a budget."""

    def __init__(self, settings: Settings, say: Callable[..., None]) -> None:
        """Start with no waiters; `say` sends an operation to Redis."""
        self._settings = settings
        self._say = say
        self._tickets = 0
        self._waiters = Waiters(self._on_timer)
        self._left: dict[int, SharedWaiter] = {}
        """Waiters that left before Redis had told their place."""
        self.in_flight = InFlight(settings, say)
        self.views = Views()

    @property
    def busy(self) -> bool:
        """Whether this process has waiters, or calls in flight."""
        return bool(self._waiters or self.in_flight)

    # --- asking ----------------------------------------------------------------------------------

    async def admit(
        self, charge: Charge, deadline: float | None, lane: Lane, asked: float
    ) -> RedisAdmission:
        """Wait until a call may be sent; `AwayError` if Redis can't be reached meanwhile."""
        self._tickets += 1
        waiter = SharedWaiter(
            self._tickets, charge, key_of(charge), lane, deadline=deadline, asked=asked
        )
        limits = self._settings.limits
        self._waiters.add(waiter, charge.weight * limits.window / limits.of(charge.kind))
        self._ask(waiter)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if waiter.future.done() and not waiter.future.cancelled():
                if waiter.future.exception() is None:
                    waiter.future.result().release()
            else:
                self._leave(waiter)
            raise

    def _ask(self, waiter: SharedWaiter) -> None:
        now, charge = self._settings.now(), waiter.charge
        left = False if waiter.deadline is None else waiter.deadline - now
        self._say(
            _messages.ADMIT,
            waiter.ticket,
            *_messages.pool_fields(charge),
            charge.weight,
            _LANES[waiter.lane],
            now - waiter.asked,
            waiter.behind,
            waiter.since,
            left,
        )

    def _leave(self, waiter: SharedWaiter) -> None:
        if self._waiters.pop(waiter.ticket) is not None:
            self._give_up_place(waiter)

    def _give_up_place(self, waiter: SharedWaiter) -> None:
        if not waiter.since:
            self._left[waiter.ticket] = waiter
            return
        weight, lane = waiter.charge.weight, _LANES[waiter.lane]
        self._say(_messages.LEAVE, waiter.ticket, waiter.key, weight, lane, waiter.since)

    def _on_timer(self, key: str) -> None:
        """Recheck a pool: its head may go, or a deadline has come."""
        now = self._settings.now()
        self._refuse_late(key, now, 0.0)
        if key in self._waiters:
            self._say(_messages.VIEW, key)

    def _refuse_late(self, key: str, now: float, chance: float) -> None:
        for waiter in self._waiters.remove_late(key, now + chance):
            charge = waiter.charge
            _refuse(waiter, _errors.too_late(name_of(charge), charge.weight, chance))
            self._give_up_place(waiter)

    def refuse_all(self, error: DustError) -> None:
        """Refuse all waiters."""
        for waiter in self._waiters.remove_all():
            _refuse(waiter, copy(error))

    def disconnected(self, error: DustError) -> None:
        """Refuse all waiters, since Redis can't be reached."""
        self._left.clear()
        self.refuse_all(error)

    # --- hearing ---------------------------------------------------------------------------------

    def take_message(self, pid: str, message: _messages.Message) -> None:
        """Take what Redis published to this process, which it knows as `pid`."""
        for ticket in message.grants:
            self._grant(pid, ticket)
        for recheck in message.rechecks:
            self._recheck(recheck)
        if message.gate >= 0:
            self._shut(message.gate)

    def take_reply(self, pid: str, ops: list[Op], reply: _messages.Reply) -> None:
        """Take the answer of Redis to operations."""
        now = self._settings.now()
        self.in_flight.acknowledged(ops)
        for ticket, since in reply.joined:
            self._joined(ticket, since)
        for ticket in reply.grants:
            self._grant(pid, ticket)
        for ticket, why, seconds in reply.refused:
            self._refused(ticket, why, seconds)
        for view in reply.views:
            self.views.put(view, now)
        self.views.processes = reply.processes
        for kind, pool, seconds in reply.events:
            self._report(kind, pool, seconds)
        for recheck in reply.rechecks:
            self._recheck(recheck)
        self._shut(reply.gate)
        if ops and not reply.known:
            # Redis took this process for dead: ask for the old places again.
            for waiter in self._waiters:
                if waiter.since:
                    self._ask(waiter)

    def _joined(self, ticket: int, since: str) -> None:
        waiter = self._waiters.get(ticket)
        if waiter is not None:
            waiter.since = since
            # Recheck even if Redis does not ask for it: it may take this process for dead.
            lease, now = self._settings.lease, self._settings.now()
            self._waiters.recheck_at(waiter.key, now + lease, now)
            return
        waiter = self._left.pop(ticket, None)
        if waiter is not None:
            waiter.since = since
            self._give_up_place(waiter)

    def _grant(self, pid: str, ticket: int) -> None:
        self._left.pop(ticket, None)
        waiter, call_id = self._waiters.pop(ticket), f"{pid}:{ticket}"
        if waiter is None:
            self._say(_messages.RELEASE, call_id)
            return
        now, charge = self._settings.now(), waiter.charge
        admission = self.in_flight.begin(call_id, charge, now)
        if waiter.future.done():  # cancelled, and its task has not run yet
            admission.release()
            return
        waiter.future.set_result(admission)
        if waiter.since and now > waiter.asked:
            self._settings.observer(Waited(name_of(charge), now - waiter.asked))

    def _refused(self, ticket: int, why: str, seconds: float) -> None:
        self._left.pop(ticket, None)
        waiter = self._waiters.pop(ticket)
        if waiter is None:
            return
        name, weight = name_of(waiter.charge), waiter.charge.weight
        match why:
            case "never":
                _refuse(waiter, _errors.never_fits(name, weight, round(seconds)))
            case "late":
                _refuse(waiter, _errors.too_late(name, weight, seconds))
            case _:
                server = self._settings.clock.server_time()
                _refuse(waiter, _errors.banned(name, seconds, server))

    def _recheck(self, recheck: _messages.Recheck) -> None:
        now = self._settings.now()
        self.views.shut(recheck.key, recheck.shut_for, now)
        self._refuse_late(recheck.key, now, recheck.chance)
        self._waiters.recheck_at(recheck.key, now + recheck.delay, now)

    def _shut(self, seconds: float) -> None:
        self.views.shut_until = self._settings.now() + seconds
        if seconds <= self._settings.patience:
            return
        server = self._settings.clock.server_time()
        for waiter in self._waiters:
            _refuse(waiter, _errors.banned(name_of(waiter.charge), seconds, server))
            self._leave(waiter)

    def _report(self, kind: str, pool: str, seconds: float) -> None:
        observer = self._settings.observer
        match kind:
            case "refused":
                observer(Refused(pool, seconds))
            case "banned":
                observer(Banned(seconds))
            case "learnt":
                observer(BoundaryLearnt(pool))
            case _:
                observer(BoundaryLost(pool))


def _refuse(waiter: SharedWaiter, error: DustError) -> None:
    if not waiter.future.done():
        waiter.future.set_exception(error)
