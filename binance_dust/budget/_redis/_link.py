"""The link of one process to the log in Redis: it adds what happens here, and takes what it reads.

Operations of one turn of the event loop go in one batch; operations that come up while a batch is
under way go in the next. The reply to a batch has all batches before it that were not read yet, so
that a call that finds room costs one round trip. A process whose waiter was admitted by another's
batch is told to read.

How calls ended is kept while Redis can't be reached, and sent after the reconnection. Each process
has the whole state, so a Redis that comes back empty gets it from the first one that comes back;
the others add what it did not know.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import TYPE_CHECKING, Any, Final

from binance_dust._answers.weight import TOO_MANY, ban_lasts
from binance_dust.budget import _errors
from binance_dust.budget._redis import _messages
from binance_dust.budget._redis._encoding import encode
from binance_dust.budget._redis._lives import Lives
from binance_dust.budget._redis._member import SharedMember, Ticket
from binance_dust.budget._redis._store import AwayError
from binance_dust.errors import ConfigurationError
from binance_dust.events import logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from binance_dust.budget._protocol import Charge
    from binance_dust.budget._redis._messages import Op
    from binance_dust.budget._redis._settings import Settings
    from binance_dust.budget._redis._store import PoolStore
    from binance_dust.budget._redis._stored import StoredReplica

_MOST_OPS: Final = 500
"""Operations in one batch: each process that takes it does nothing else meanwhile."""
_HEARTBEATS: Final = 3
"""In a lease."""
_MOST_MISSED: Final = 2
"""Heartbeats that did not come back, after which messages are taken not to arrive."""
_ROUND_TRIPS: Final = 6
"""The least lease, in round trips to Redis: two for each heartbeat."""
_EASE: Final = 0.98
"""How much of the slowest round trip is believed still after the next one."""
_SNAPSHOT: Final = 256
"""Batches after which the snapshot is brought up to date; more if many calls wait."""
_AGAIN: Final = 64
"""Batches after which another process tries, if the snapshot was not."""
_BEHIND: Final = 1_024
"""Batches that are kept besides: a process that is not further behind need not load."""
_TOLD_AT_ONCE: Final = 25


class Link:
    """Sends what a `SharedMember` says, and gives it what follows."""

    def __init__(
        self,
        store: PoolStore,
        channel: str,
        settings: Settings,
        *,
        on_lost: Callable[[str], None],
        on_unsent: Callable[[Charge, str, float], None],
    ) -> None:
        """Start disconnected.

        `on_lost` is called each time that Redis can't be reached any more, and `on_unsent` with
        each answer of the exchange that can't be sent to Redis yet.
        """
        self._store = store
        self._channel = channel
        self._settings = settings
        self._on_lost = on_lost
        self._on_unsent = on_unsent
        self.pid: Final = uuid.uuid4().hex[:12]
        self.member = SharedMember(settings, self.pid, self.say)
        self._lives = Lives(store, settings, self.pid)
        self._connections = 0
        self._connected = False
        self._lost = False
        """Whether the connection was lost, and only `connect` may make another."""
        self._ops: list[Op | Ticket] = []
        self._batch: list[Op | Ticket] | None = None
        """Operations on the way, without an answer yet."""
        self._asked = False
        """Whether another process has said that there is something to read."""
        self._sending: asyncio.Task[None] | None = None
        self._aside: set[asyncio.Task[None]] = set()
        """What is told to other processes, and snapshots."""
        self._heartbeat: asyncio.TimerHandle | None = None
        self._beat = 0
        self._heard_beat = 0
        self._slowest = 0.0
        self._read_at = 0.0

    # --- sending ---------------------------------------------------------------------------------

    @property
    def lease(self) -> float:
        """Return the seconds without a sign of life after which this process is taken for dead."""
        return max(self._settings.lease, _ROUND_TRIPS * self._slowest)

    def say(self, *op: Any) -> None:
        """Send an operation soon; or keep it, if it tells how a call ended and Redis is away."""
        said = op[0] if isinstance(op[0], Ticket) else list(op)
        if self._lost:
            self._ops += self._keep([said])
        else:
            self._ops.append(said)
            self._start_sending()

    def _keep(self, ops: list[Op | Ticket]) -> list[Op | Ticket]:
        """Return the operations to send after an outage."""
        kept: list[Op | Ticket] = []
        for op in ops:
            if isinstance(op, list) and op[0] in _messages.KEPT:
                kept.append(_messages.without_headers(op))
                if op[0] == _messages.SETTLE:
                    self._tell_unsent(op)
        return kept

    def _tell_unsent(self, op: Op) -> None:
        charge, answer = self.member.charge_of(op[1]), _messages.answer_of(op)
        if charge is None:
            return
        if answer.bans:
            server_time = self._settings.clock.server_time()
            self._on_unsent(charge, "banned", ban_lasts(answer, server_time))
        elif answer.status == TOO_MANY:
            self._on_unsent(charge, "refused", answer.retry_after or 0.0)

    def _start_sending(self) -> None:
        wanted = self._ops or self._asked
        if self._sending is None and wanted and not self._lost:
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        connection, problem = self._connections, None
        try:
            if not self._connected:
                connection += 1
                await self.connect()
            while self._ops or self._asked:
                await self._exchange()
        except AwayError as error:
            problem = str(error)
        except ConfigurationError as error:
            self._ops.clear()
            self._batch, self._asked = None, False
            self.member.refuse_all(error)
        except Exception as error:  # noqa: BLE001 - a bug of ours; no waiter may hang on it
            logger.exception("the shared budget failed")
            problem = f"{type(error).__name__}: {error}"
        finally:
            self._sending = None
        if problem is not None and connection == self._connections:
            self.lose(problem)
        self._start_sending()

    async def _exchange(self, *, last: bool = False) -> None:
        """Add a batch to the log, and take what is read with it."""
        replica, connection = self._lives.loaded, self._connections
        self._batch, self._ops = self._ops[:_MOST_OPS], self._ops[_MOST_OPS:]
        self._asked = False
        began, lease = self._settings.now(), self.lease
        patience = self._settings.patience
        ops = [op.told(began, patience) if isinstance(op, Ticket) else op for op in self._batch]
        server_time = self._settings.clock.server_time()
        read = replica.position, replica.check
        entry = encode([self.pid, *read, lease, server_time, ops])
        reply = await self._lives.append(entry, last=last)
        if connection != self._connections or not self._connected:
            raise AwayError("lost meanwhile")
        batch, self._batch = self._batch, None
        if reply is None:
            self._ops[:0] = batch  # it was not added
            await self._load()
            return
        at, entries = reply
        for time, entry in entries:
            replica.step(time, entry)
        now = self._read_at = self._settings.now()
        self._slowest = max(now - began, self._slowest * _EASE)
        self.member.alive_until = began + lease
        self.member.acknowledged(ops)
        self.member.take(replica, now)
        self._asked = self._asked or self.member.unsure
        if replica.concerned:
            told = dict.fromkeys(replica.concerned, 0)
            self._do_aside(self._tell, told, replica)
        self._keep_snapshot(replica, at)
        self._keep_alive()
        if replica.diverged:
            logger.error("the shared budget differs from another process's: it is loaded anew")
            await self._load()

    def _keep_snapshot(self, replica: StoredReplica, at: int) -> None:
        """Write a snapshot, if it is our turn."""
        behind = replica.position - at - _SNAPSHOT - len(replica.waiters) // 4
        if behind >= 0 and behind % _AGAIN == 0:
            self._do_aside(self._lives.save, replica, at, _BEHIND)

    def _do_aside(self, act: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        task = asyncio.get_running_loop().create_task(self._try_aside(act, *arguments))
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    async def _try_aside(self, act: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        connection = self._connections
        try:
            await act(*arguments)
        except AwayError as error:
            if connection == self._connections:
                self.lose(str(error))

    async def _tell(self, told: dict[str, int], replica: StoredReplica) -> None:
        """Tell other processes to read; say which of them hear nothing any more."""
        read = {pid: member.position for pid, member in replica.members.items()}
        pids = list(told)
        while pids:
            some, pids = pids[:_TOLD_AT_ONCE], pids[_TOLD_AT_ONCE:]
            pairs = [each for pid in some for each in (self._channel + pid, told[pid])]
            for channel in await self._store.call("tell", *pairs):
                deaf = channel.decode().removeprefix(self._channel)
                if deaf in read and deaf != self.pid:
                    self.say(_messages.GONE, deaf, read[deaf])

    async def flush(self) -> None:
        """Wait until Redis has taken all operations."""
        while self._sending is not None or self._aside:
            waited = {*self._aside, *({self._sending} if self._sending is not None else ())}
            await asyncio.wait(waited)

    async def read(self) -> None:
        """Read what is new."""
        self._asked = True
        self._start_sending()
        await self.flush()

    # --- reading ---------------------------------------------------------------------------------

    @property
    def replica(self) -> StoredReplica | None:
        """The state as this process knows it."""
        return self._lives.replica

    def time(self) -> float:
        """Return the time of the log, as far as it can be known between two entries."""
        replica = self._lives.loaded
        return replica.clock.at + max(0.0, self._settings.now() - self._read_at)

    def _take_message(self, data: bytes) -> None:
        beat = int(data)
        if beat:
            self._heard_beat = max(self._heard_beat, beat)
        else:
            self._asked = True
            self._start_sending()

    # --- connection ------------------------------------------------------------------------------

    async def connect(self, known: Callable[[], Iterable[Op]] = list) -> None:
        """Connect, load the state, and tell the others what is `known` besides.

        `known` is called when the connection is there, since it may become more until then.
        """
        self._connections += 1
        connection = self._connections

        def lost(reason: str) -> None:
            if connection == self._connections:
                self.lose(reason)

        await self._store.open(self._channel + self.pid, self._take_message, lost)
        self._beat = self._heard_beat = 0
        await self._load()
        self._ops[:0] = known()
        self._connected, self._lost = True, False
        self._start_sending()

    async def _load(self) -> None:
        """Load the state; say what it does not know of this process, or of an earlier life."""
        unread = self._settings.now() - self._read_at
        known = await self._lives.load(unread, self.member.open_calls(), self.lease)
        replica = self._lives.loaded
        self._read_at = self._settings.now()
        if known is not None:
            self._ops.insert(0, known)  # before anything is said of the calls in it
        self.member.replica = replica
        replica.granted, replica.refused, replica.events = [], [], []
        replica.watched = dict.fromkeys(replica.look_at)
        ended = [op for op in self._ops if not isinstance(op, Ticket)]
        self._ops = [*ended, *self.member.reconcile(replica)]
        self._asked = True

    def lose(self, reason: str) -> None:
        """Record that Redis can't be reached any more."""
        if self._lost:
            return
        self._lost = True
        self._connected = False
        self._stop_heartbeats()
        self.member.refuse_all(AwayError(reason))
        self._on_lost(reason)
        self._ops = self._keep([*(self._batch or ()), *self._ops])
        self._batch = None

    def _keep_alive(self) -> None:
        """Send heartbeats while this process has waiters or calls in flight."""
        if self._heartbeat is None and self.member.busy:
            loop = asyncio.get_running_loop()
            self._heartbeat = loop.call_later(self.lease / _HEARTBEATS, self._send_heartbeat)

    def _send_heartbeat(self) -> None:
        self._heartbeat = None
        if not self.member.busy:
            return
        if self._beat - self._heard_beat >= _MOST_MISSED:
            self.lose("its messages don't arrive")
            return
        self._beat += 1
        self._asked = True
        self._start_sending()
        replica = self._lives.replica
        if replica is not None:
            self._do_aside(self._tell, {self.pid: self._beat}, replica)
        self._keep_alive()

    def _stop_heartbeats(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None

    async def close(self) -> None:
        """Send what is left to send, and disconnect."""
        self.member.refuse_all(_errors.closed())
        await self.flush()
        connected, self._lost = self._connected, True
        if connected:
            self._ops.append([_messages.QUIT])
            with contextlib.suppress(AwayError, ConfigurationError):
                await self._exchange(last=True)
        self._stop_heartbeats()
        for task in list(self._aside):
            task.cancel()
        await asyncio.gather(*self._aside, return_exceptions=True)
        await self._store.close()
