"""The state that processes share: what follows from a log of all that happened, in its order.

Each process has a replica. Redis has the log, with its own time for each entry. Whoever takes the
same entries gets the same state to the last bit, so that each process knows by itself which of its
calls may go: the rules stand once, in Python, and nobody has to ask, lock or try again. What is
read between two entries must not change anything (`_peek`).

An entry is one batch of one process: its name, what it had read and what came of that, its lease,
the exchange's time, and its operations (`_op_...`, in `_messages.py`). If what came of it is not
what came of it here, one of both has to load the state anew (`diverged`).
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from binance_dust._answers.weight import Feedback
from binance_dust.budget._dispatch import Dispatcher
from binance_dust.budget._look import look
from binance_dust.budget._pool import LEAST_WAIT
from binance_dust.budget._protocol import Charge, Lane
from binance_dust.budget._redis._pools import SharedPools
from binance_dust.budget._redis._shared import LogClock, Member, SharedCall, SharedWaiter
from binance_dust.endpoints import LimitKind
from binance_dust.errors import DustError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from binance_dust.budget._limits import RateLimits
    from binance_dust.budget._pool import Pool
    from binance_dust.budget._protocol import BudgetSnapshot, PoolSnapshot
    from binance_dust.budget._queue import Queue
    from binance_dust.events import Event

_MODULUS: Final = 2_147_483_647


class Replica(Dispatcher[SharedWaiter, SharedCall]):
    """The pools of an address, its queues and its processes, after a number of entries."""

    def __init__(self, limits: RateLimits, pid: str) -> None:
        """Start before the first entry, as the process `pid`."""
        self.clock = LogClock()
        super().__init__(limits, self.clock)
        self._pools: SharedPools = SharedPools(
            limits, self.clock, self._queues, lambda: self._gate.banned
        )
        self.pid = pid
        self.position = 0
        """How many entries were taken."""
        self.opens = -math.inf
        """Nothing goes before: processes still tell what they know."""
        self.known: dict[str, float] = {}
        """Of earlier lives of the state: until when all is known."""
        self.members: dict[str, Member] = {}
        self.calls: dict[tuple[str, int], SharedCall] = {}
        self.waiters: dict[tuple[str, int], SharedWaiter] = {}
        self.look_at: dict[Pool, float] = {}
        """When to look at each queue."""
        self._pace_at = -math.inf
        self._touched: dict[Pool, None] = {}
        self._heads: dict[Pool, SharedWaiter] = {}
        # What came of the last entries, for this process.
        self.granted: list[SharedCall] = []
        self.refused: list[tuple[int, DustError]] = []
        self.events: list[Event] = []
        self._ours = False
        """Whether the entry is of this process."""
        self.watched: dict[Pool, None] = {}
        """Queues that were looked at."""
        self.concerned: set[str] = set()
        """Other processes that have to hear of it."""
        self.check = 0
        """A sum of all that was admitted: it differs if anything does, soon."""
        self.diverged = False
        """Whether another process came to another state by the same entries."""
        self.died = False
        """Whether this process was taken for dead."""

    # --- one entry -------------------------------------------------------------------------------

    def step(self, at: float, batch: list[Any]) -> None:
        """Take an entry."""
        pid, read, check, lease, server_time, ops = batch
        self.position += 1
        self.clock.set(at)
        now = self.clock.at
        self._pools.position = self.position
        self._ours = pid == self.pid
        if self._ours:
            self.concerned.clear()
        for other, member in list(self.members.items()):
            if member.heard + member.lease < now:
                self._remove(other, now)
        if server_time is not None:
            self.clock.offset = server_time - now
        member = self.members.get(pid) or self.members.setdefault(pid, Member())
        if member.position == read and member.check != check:
            self.diverged = True
        member.heard, member.lease = now, lease
        member.position = self.position
        for op in ops:
            getattr(self, f"_op_{op[0]}")(pid, now, *op[1:])
        touched, self._touched = self._touched, {}
        for pool in touched:
            self.look(pool, now)
        if self._paced:
            self.look_at_pace(now)
        if pid in self.members:
            member.check = self.check

    def _remove(self, pid: str, now: float) -> None:
        """Remove a process: a grant that it has read may have been used, and counts."""
        member = self.members.pop(pid, None)
        read = -1 if member is None else member.position
        for waiter in [each for each in self.waiters.values() if each.pid == pid]:
            self._drop(waiter)
        for call in [each for each in self.calls.values() if each.pid == pid]:
            del self.calls[call.pid, call.ticket]
            self._pools.touch(call.pool)
            if call.position > read:
                self.give_back(call, now)
            else:
                self.lose(call, now)
        if pid == self.pid:
            self.died = True

    def _drop(self, waiter: SharedWaiter) -> None:
        del self.waiters[waiter.pid, waiter.ticket]
        self._pools.touch(waiter.pool)
        queue = self._queues.get(waiter.pool)
        if queue is not None:
            queue.leave(waiter)
            self._touched[waiter.pool] = None

    def _pool(self, kind: str, name: str, account: str | None) -> Pool:
        return self._pools.of(Charge(name, LimitKind(kind), 0, account))

    def _op_ask(  # noqa: PLR0913, PLR0917 - what a process says of a call
        self,
        pid: str,
        now: float,
        ticket: int,
        kind: str,
        name: str,
        account: str | None,
        weight: int,
        lane: str,
        waited: float,
        behind: float,
        left: float | None,
        patience: float,
    ) -> None:
        """Admit a call, or let it wait; it may be said again."""
        if (pid, ticket) in self.calls or (pid, ticket) in self.waiters:
            return
        pool, since = self._pool(kind, name, account), now - waited
        waiter = SharedWaiter(
            weight,
            Lane(lane),
            since,
            patience=patience,
            place=since + behind,
            deadline=None if left is None else now + left,
            pool=pool,
            pid=pid,
            ticket=ticket,
        )
        if pool not in self._queues and not self._paced and (left is None or left > 0):
            keep = waiter.lane is Lane.SCAN
            call = self._try(pool, weight, now, keep=keep, waiter=waiter)
            if call is not None:
                self._grant(waiter, call, now)
                return
        try:
            self._join(pool, waiter, waiter.deadline, now)
        except DustError as error:
            self._refuse(waiter, error)
            return
        self.waiters[pid, ticket] = waiter
        self._touched[pool] = None

    def _op_leave(self, pid: str, now: float, ticket: int) -> None:  # noqa: ARG002 - as others
        """Give up a place in a queue; or the admission, if there is one."""
        waiter = self.waiters.get((pid, ticket))
        if waiter is not None:
            self._drop(waiter)

    def _op_settle(self, pid: str, now: float, ticket: int, *answer: Any) -> None:
        """Take an answer of the exchange."""
        call = self.calls.pop((pid, ticket), None)
        if call is not None:
            self._pools.touch(call.pool)
            status, ip, uid, request, retry_after, banned_until, walled = answer
            self.settle(
                call,
                Feedback(status, ip, uid, request, retry_after, banned_until, walled=walled),
                now,
            )

    def _op_unknown(self, pid: str, now: float, ticket: int) -> None:
        """End a call without an answer."""
        call = self.calls.pop((pid, ticket), None)
        if call is not None:
            self._pools.touch(call.pool)
            self.lose(call, now)

    def _op_release(self, pid: str, now: float, ticket: int) -> None:
        """End a call that never left."""
        call = self.calls.pop((pid, ticket), None)
        if call is not None:
            self._pools.touch(call.pool)
            self.give_back(call, now)

    def _op_copies(self, pid: str, now: float, ticket: int, copies: int) -> None:  # noqa: ARG002
        """Spend the weight of copies that the transport sent."""
        call = self.calls.get((pid, ticket))
        if call is not None:
            self._pools.touch(call.pool)
            call.pool.count.add_copies(call, copies)

    def _op_look(self, pid: str, now: float, kind: str, name: str, account: str | None) -> None:  # noqa: ARG002
        """Look at a queue: its time has come."""
        self._touched[self._pool(kind, name, account)] = None

    def _op_gone(self, pid: str, now: float, other: str, read: int) -> None:  # noqa: ARG002
        """Remove a process that hears nothing any more, if it has read no more than it had."""
        member = self.members.get(other)
        if member is not None and member.position == read:
            self._remove(other, now)

    def _op_quit(self, pid: str, now: float) -> None:
        """End a process."""
        self._remove(pid, now)

    def _op_spent(  # noqa: PLR0913, PLR0917 - what a process says of a pool
        self,
        pid: str,  # noqa: ARG002
        now: float,
        kind: str,
        name: str,
        account: str | None,
        rows: list[list[Any]],
        lost: int,
        shut: float,
    ) -> None:
        """Count what a process has spent alone, as ages; and keep shut what it met shut."""
        pool = self._pool(kind, name, account)
        pool.count.own.add([(now - row[0], now - row[1], row[2]) for row in rows], lost, now)
        if shut > 0:
            pool.valve.shut(now + shut)
        self._touched[pool] = None

    def _op_ban(self, pid: str, now: float, seconds: float) -> None:  # noqa: ARG002
        """Keep the address shut: a process met a ban while it was away."""
        if now + seconds > self._gate.until:
            self._shut(now, seconds)

    def _op_knew(  # noqa: PLR0913, PLR0917 - what a process says of an earlier state
        self,
        pid: str,
        now: float,
        life: str,
        at: float,
        ban: float,
        pools: list[list[Any]],
        calls: list[list[Any]],
    ) -> None:
        """Count what a process knows of an earlier life of this state, if nobody knew it so far."""
        if life not in self.known:
            self.opens = max(self.opens, now + self.members[pid].lease)
            self._gate.open_half()
        known = self.known.get(life, -math.inf)
        for kind, name, account, rows, lost, shut in pools:
            fresh = [row for row in rows if row[3] > known]
            self._op_spent(pid, now, kind, name, account, fresh, lost if at > known else 0, shut)
        self.known[life] = max(known, at)
        if ban > 0:
            self._op_ban(pid, now, ban)
        for ticket, kind, name, account, weight in calls:
            if (pid, ticket) not in self.calls:
                pool = self._pool(kind, name, account)
                waiter = SharedWaiter(
                    weight,
                    Lane.CALL,
                    now,
                    patience=math.inf,
                    place=now,
                    deadline=None,
                    pool=pool,
                    pid=pid,
                    ticket=ticket,
                )
                call = self.calls[pid, ticket] = self._make(pool, weight, weight, waiter)
                pool.count.mark(call, now)
                pool.count.take(weight)

    # --- what follows ----------------------------------------------------------------------------

    def _try(self, pool: Pool, weight: int, now: float, **known: Any) -> SharedCall | None:
        return None if now < self.opens else super()._try(pool, weight, now, **known)

    def _make(
        self, pool: Pool, weight: int, documented: int, waiter: SharedWaiter | None
    ) -> SharedCall:
        if waiter is None:  # only calls of one process go without
            raise TypeError
        return SharedCall(pool, weight, documented, waiter, self.position)

    def _grant(self, waiter: SharedWaiter, call: SharedCall, now: float) -> None:
        if self.waiters.pop((waiter.pid, waiter.ticket), None) is not None:
            call.waited = now - waiter.since
        self.calls[waiter.pid, waiter.ticket] = call
        self._pools.touch(call.pool)
        self.check = (self.check * 31 + call.weight + call.ticket) % _MODULUS
        if waiter.pid == self.pid:
            self.granted.append(call)
        elif self._ours:
            self.concerned.add(waiter.pid)

    def _refuse(self, waiter: SharedWaiter, error: DustError) -> None:
        self.waiters.pop((waiter.pid, waiter.ticket), None)
        self._pools.touch(waiter.pool)
        if waiter.pid == self.pid:
            self.refused.append((waiter.ticket, error))
        elif self._ours:
            self.concerned.add(waiter.pid)

    def _tell(self, event: Event) -> None:
        """Keep an event for the observer of the process whose call it came from."""
        if self._ours:
            self.events.append(event)
            self.concerned.update(self.members.keys() - {self.pid})

    def _watch(self, pool: Pool, queue: Queue[SharedWaiter], at: float, now: float) -> None:
        self.watched[pool] = None
        head = queue.head()
        if head is None:
            self.look_at.pop(pool, None)
            self._heads.pop(pool, None)
            return
        if pool in self._paced:
            at = max(min(self._pace_at, queue.next_deadline() or math.inf), now)
        if now < self.opens:
            # The pool was not asked: it may have room by then.
            at = min(self.opens, queue.next_deadline() or math.inf)
        before = self.look_at.get(pool, math.inf)
        sooner = at < before - self._limits.window * LEAST_WAIT
        if self._ours and head.pid != self.pid and (sooner or self._heads.get(pool) is not head):
            self.concerned.add(head.pid)
        self.look_at[pool], self._heads[pool] = at, head

    def _watch_pace(self, now: float) -> None:
        if self._pace_at <= now:
            self._pace_at = now + self._pace.batch_in

    # --- reading ---------------------------------------------------------------------------------

    @contextmanager
    def _peek(self, pools: list[Pool], now: float) -> Iterator[None]:
        """Read as of a moment after the last entry, and change nothing."""
        kept = [(pool, pool.current, pool.count.own) for pool in pools]
        at, self.clock.at = self.clock.at, max(self.clock.at, now)
        for pool, _, own in kept:
            pool.count.own = own.copy()
        try:
            yield
        finally:
            self.clock.at = at
            for pool, current, own in kept:
                pool.current, pool.count.own = current, own

    def forecast(self, charge: Charge, calls: int, now: float) -> float:
        """Return the seconds until the last of so many more calls can be sent."""
        with self._peek([self._pools.like(charge)], now):
            return self._forecast(charge, calls, self.clock.at)

    def snapshot(self, now: float) -> BudgetSnapshot:
        """Return every pool as it is."""
        with self._peek(list(self._pools), now):
            return self._snapshot(self.clock.at)

    def rooms(self, now: float) -> list[tuple[PoolSnapshot, float]]:
        """Return every pool, with the weight that may be spent at once."""
        pools = list(self._pools)
        with self._peek(pools, now):
            now = self.clock.at
            for pool in pools:
                pool.window_at(now)
            return [(look(pool, 0, now), pool.free(now)) for pool in pools]

    def head(self, pool: Pool) -> SharedWaiter | None:
        """Return the waiter that is next."""
        return self._heads.get(pool)
