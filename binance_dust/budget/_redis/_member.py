"""A process that shares a budget: its waiters, its calls, and what it hears. It does no I/O itself.

A grant is used only while all others must believe that this process lives: they count the calls of
a process that is silent for a lease as lost, and forget them a window later. If this process was
stopped meanwhile, it asks again.
"""

from __future__ import annotations

import asyncio
import math
from copy import copy
from typing import TYPE_CHECKING, Final, Protocol

from binance_dust._answers.weight import TOO_MANY, ban_lasts
from binance_dust.budget import _errors
from binance_dust.budget._pools import key_of, name_of
from binance_dust.budget._queue import MovedError
from binance_dust.budget._redis import _messages
from binance_dust.budget._redis._pools import text_of
from binance_dust.events import Waited

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust._answers.weight import Feedback
    from binance_dust.budget._pool import Pool
    from binance_dust.budget._protocol import Charge, Lane
    from binance_dust.budget._redis._messages import Op
    from binance_dust.budget._redis._settings import Settings
    from binance_dust.budget._redis._shared import SharedCall
    from binance_dust.budget._redis._stored import StoredReplica
    from binance_dust.endpoints import LimitKind
    from binance_dust.errors import DustError

_MOMENT: Final = 0.005
"""Calls that come within so many seconds belong to one batch: a few turns of the loop."""
OTHERS_LATER: Final = 1 / 10
"""Part of a lease by which other processes look later than the owner of the head of a queue: the
owner may be dead."""


class Says(Protocol):
    """Sends operations to all."""

    def say(self, *op: object) -> None:
        """Send an operation soon."""
        ...


class Ticket:
    """A call of this process that waits."""

    __slots__ = ("asked", "behind", "charge", "deadline", "future", "key", "lane", "number")

    def __init__(
        self, number: int, charge: Charge, lane: Lane, deadline: float | None, asked: float
    ) -> None:
        """Start before the others know of it."""
        self.number = number
        self.charge = charge
        self.key = key_of(charge)
        self.lane = lane
        self.deadline = deadline
        self.asked = asked
        self.behind = 0.0
        """Seconds by which its place is later than `asked`, since it came in a batch."""
        self.future: asyncio.Future[RedisAdmission] = asyncio.get_running_loop().create_future()

    def told(self, now: float, patience: float) -> Op:
        """Say what is wanted."""
        charge, left = self.charge, None if self.deadline is None else self.deadline - now
        fields = (*_messages.pool_fields(charge), charge.weight, self.lane.value)
        return [_messages.ASK, self.number, *fields, now - self.asked, self.behind, left, patience]


class RedisAdmission:
    """An admission of `RedisBudget`. Its end is told to the others without waiting."""

    __slots__ = ("_member", "charge", "number", "over", "weight")

    def __init__(self, member: SharedMember, number: int, charge: Charge) -> None:
        """Start when this process knows that the call is admitted."""
        self._member = member
        self.over = False
        self.number = number
        self.charge = charge
        self.weight = charge.weight
        """With the weight of copies."""

    def sent(self, extra: int = 0) -> None:
        """Record that the call leaves now, or that the transport sent `extra` copies of it.

        Raises `NotSentError` if a refusal was heard since the admission, or if this process was
        stopped for so long that the others may have given it up. The moment itself is not told: the
        call counts from its admission, which is earlier.
        """
        if self.over:
            return
        if extra > 0:
            self.weight += self.charge.weight * extra
            self._member.say(_messages.COPIES, self.number, extra)
        elif not self._member.alive:
            self.release()
            raise _errors.void(self.charge.pool)
        elif self._member.stopped(self):
            self.release()
            raise _errors.stopped(self.charge.pool)

    def settle(self, answer: Feedback) -> None:
        """End with the answer of the exchange."""
        if not self.over:
            self.over = True
            self._member.settled(self, answer)

    def unknown(self) -> None:
        """End without an answer to a call that was sent: it counts for a full window from now."""
        if not self.over:
            self.over = True
            self._member.say(_messages.UNKNOWN, self.number)

    def release(self) -> None:
        """End a call that never left this machine: its weight goes back."""
        if not self.over:
            self.over = True
            self._member.say(_messages.RELEASE, self.number)

    def __repr__(self) -> str:
        state = "over" if self.over else "open"
        return f"<Admission {state}: {self.weight} of {self.charge.pool}, shared>"


class _Line:
    """The waiters of this process for one pool."""

    __slots__ = ("_last", "timer", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self._last: dict[Lane, tuple[float, float, float]] = {}
        """Of each lane's last waiter: when it asked, its place, and the spacing behind it."""
        self.timer: asyncio.TimerHandle | None = None

    def place(self, ticket: Ticket, spacing: float) -> None:
        """Find a place behind the others of this process, and spaced within a batch."""
        asked, place, spaced = self._last.get(ticket.lane, (-math.inf, -math.inf, 0.0))
        if ticket.asked - asked <= _MOMENT:
            place += spaced
        place = max(place, ticket.asked)
        ticket.behind = place - ticket.asked
        self._last[ticket.lane] = ticket.asked, place, spacing


class SharedMember:
    """One of the processes that share a budget."""

    def __init__(self, settings: Settings, pid: str, say: Callable[..., None]) -> None:
        """Start with no waiters; `say` sends an operation to all."""
        self._settings = settings
        self._pid = pid
        self.say = say
        self._number = 0
        self._tickets: dict[int, Ticket] = {}
        self._lines: dict[str, _Line] = {}
        self._calls: dict[int, RedisAdmission] = {}
        """Calls that have not ended, as far as the others know."""
        self._granted: list[SharedCall] = []
        """Calls that may be sent as soon as it is certain that the others take us for alive."""
        self._shut: dict[int, str | None] = {}
        """Calls that met a refusal, a ban or a firewall that others don't know yet: the pools."""
        self._shut_at: dict[str | None, int] = {}
        """Since which entry the others know it."""
        self.replica: StoredReplica | None = None
        self.alive_until = -math.inf

    @property
    def busy(self) -> bool:
        """Whether this process has waiters, or calls in flight."""
        return bool(self._tickets or self._calls)

    @property
    def alive(self) -> bool:
        """Whether all others must believe that this process lives."""
        return self._settings.now() < self.alive_until

    @property
    def unsure(self) -> bool:
        """Whether there are grants to confirm."""
        return bool(self._granted)

    # --- asking ----------------------------------------------------------------------------------

    async def admit(
        self, charge: Charge, deadline: float | None, lane: Lane, asked: float
    ) -> RedisAdmission:
        """Wait until a call may be sent; `AwayError` if Redis can't be reached meanwhile."""
        self._number += 1
        ticket = Ticket(self._number, charge, lane, deadline, asked)
        limits = self._settings.limits
        self._tickets[ticket.number] = ticket
        line = self._lines.setdefault(ticket.key, _Line())
        line.waiting += 1
        line.place(ticket, charge.weight * limits.window / limits.of(charge.kind))
        self.say(ticket)
        try:
            return await ticket.future
        except asyncio.CancelledError:
            if not ticket.future.cancelled():
                if ticket.future.exception() is None:
                    ticket.future.result().release()
            elif self._pop(ticket.number) is not None:
                self.say(_messages.LEAVE, ticket.number)
            raise

    def _pop(self, number: int) -> Ticket | None:
        ticket = self._tickets.pop(number, None)
        if ticket is not None:
            line = self._lines[ticket.key]
            line.waiting -= 1
            if not line.waiting:
                if line.timer is not None:
                    line.timer.cancel()
                del self._lines[ticket.key]
        return ticket

    def move(self, endpoint: str, payer: LimitKind) -> None:
        """Send those back who wait for another payer's pool: they ask again, for this one's."""
        for number, ticket in list(self._tickets.items()):
            if ticket.charge.pool == endpoint and ticket.charge.kind is not payer:
                self._pop(number)
                self.say(_messages.LEAVE, number)
                _refuse(ticket, MovedError(payer))

    def refuse_all(self, error: DustError) -> None:
        """Refuse all waiters."""
        for number, ticket in list(self._tickets.items()):
            self._pop(number)
            _refuse(ticket, copy(error))
        self._granted.clear()

    def stopped(self, admission: RedisAdmission) -> bool:
        """Whether a refusal was heard since a call was admitted, here or by all."""
        if {None, key_of(admission.charge)} & {*self._shut.values()}:
            return True
        if (replica := self.replica) is None:
            return False
        call = replica.calls.get((self._pid, admission.number))
        return call is not None and call.stopped(replica.gate)

    # --- calls end -------------------------------------------------------------------------------

    def settled(self, admission: RedisAdmission, answer: Feedback) -> None:
        """Take the answer of the exchange."""
        if answer.bans or answer.walled or answer.status == TOO_MANY:
            of_pool = answer.status == TOO_MANY and not answer.bans
            self._shut[admission.number] = key_of(admission.charge) if of_pool else None
        self.say(_messages.SETTLE, admission.number, *_messages.answer_fields(answer))
        replica = self.replica
        if replica is not None and (self._pid, admission.number) not in replica.calls:
            # We were taken for dead: the call counts as lost, but what it has met is news.
            if answer.bans:
                server_time = self._settings.clock.server_time()
                self.say(_messages.BAN, ban_lasts(answer, server_time))
            elif answer.status == TOO_MANY:
                fields = _messages.pool_fields(admission.charge)
                wait = answer.retry_after or self._settings.limits.window
                self.say(_messages.SPENT, *fields, [], 0, wait)

    def acknowledged(self, batch: list[Op]) -> None:
        """Forget calls: the others know now how they ended."""
        for op in batch:
            if op[0] in _messages.ENDINGS:
                self._calls.pop(op[1], None)
                if op[1] in self._shut and self.replica is not None:
                    self._shut_at[self._shut.pop(op[1])] = self.replica.position

    def open_calls(self) -> list[list[object]]:
        """Return the calls that may be in flight."""
        return [
            [number, *_messages.pool_fields(call.charge), call.weight]
            for number, call in self._calls.items()
        ]

    def charge_of(self, number: int) -> Charge | None:
        """Return what a call costs that has not ended."""
        call = self._calls.get(number)
        return None if call is None else call.charge

    # --- hearing ---------------------------------------------------------------------------------

    def take(self, replica: StoredReplica, heard_at: float) -> None:
        """Take what came of the last entries; `heard_at` is now."""
        granted, replica.granted = replica.granted, []
        self._granted += granted
        refused, replica.refused = replica.refused, []
        for number, error in refused:
            ticket = self._pop(number)
            if ticket is not None:
                _refuse(ticket, error)
        if heard_at < self.alive_until:
            granted, self._granted = self._granted, []
            for call in granted:
                if (self._pid, call.ticket) in replica.calls:
                    self._grant(call, heard_at)
        events, replica.events = replica.events, []
        for event in events:
            self._settings.observer(event)
        if replica.died:
            replica.died = False
            for op in self.reconcile(replica):
                self.say(op) if isinstance(op, Ticket) else self.say(*op)
        watched, replica.watched = replica.watched, {}
        for pool in watched:
            self._set_timer(replica, pool)

    def _grant(self, call: SharedCall, now: float) -> None:
        number = call.ticket
        if number in self._calls:
            return
        ticket = self._pop(number)
        if ticket is None:
            self.say(_messages.RELEASE, number)
            return
        if self._is_stale(call, ticket):
            self.say(_messages.RELEASE, number)
            self._number += 1
            ticket.number = self._number
            self._tickets[ticket.number] = ticket
            self._lines.setdefault(ticket.key, _Line()).waiting += 1
            self.say(ticket)
            return
        admission = self._calls[number] = RedisAdmission(self, number, ticket.charge)
        if ticket.future.done():  # cancelled, and its task has not run yet
            admission.release()
            return
        ticket.future.set_result(admission)
        if call.waited > 0:
            self._settings.observer(Waited(name_of(ticket.charge), now - ticket.asked))

    def _is_stale(self, call: SharedCall, ticket: Ticket) -> bool:
        """Whether a call was admitted before, or just as, the others knew of a refusal met here."""
        if not self._shut and not self._shut_at:
            return False
        known_at = max(self._shut_at.get(place, -1) for place in (None, ticket.key))
        met = self._shut.values()
        return call.position <= known_at or None in met or ticket.key in met

    def reconcile(self, replica: StoredReplica) -> list[Op | Ticket]:
        """Return what the others have to hear, who know an older state of this process, or none."""
        self._shut_at.clear()  # entries are counted anew, or all of them are known
        waiting = {number for pid, number in replica.waiters if pid == self._pid}
        admitted = {number for pid, number in replica.calls if pid == self._pid}
        ops: list[Op | Ticket] = [
            *([_messages.LEAVE, number] for number in sorted(waiting - self._tickets.keys())),
            *(
                [_messages.RELEASE, number]
                for number in sorted(admitted - self._calls.keys() - self._tickets.keys())
            ),
        ]
        self._granted = [
            call
            for (pid, number), call in replica.calls.items()
            if pid == self._pid and number in self._tickets
        ]
        ops += [
            ticket
            for number, ticket in self._tickets.items()
            if number not in waiting and number not in admitted
        ]
        return ops

    # --- timers ----------------------------------------------------------------------------------

    def _set_timer(self, replica: StoredReplica, pool: Pool) -> None:
        """Look at a queue in time; later if its head belongs to another process."""
        line, head = self._lines.get(text_of(pool)), replica.head(pool)
        if line is None or head is None:
            return
        wait = replica.look_at[pool] - replica.clock.at
        if head.pid != self._pid:
            wait += OTHERS_LATER * replica.members[head.pid].lease
        if line.timer is not None:
            line.timer.cancel()
        loop = asyncio.get_running_loop()
        # A little later: differences of large numbers are not exact, and too soon costs another.
        wait = max(0.0, wait) + 1e-6
        look = _messages.LOOK, pool.kind.value, pool.name, pool.account
        line.timer = loop.call_later(wait, self.say, *look)


def _refuse(ticket: Ticket, error: DustError) -> None:
    if not ticket.future.done():
        ticket.future.set_exception(error)
