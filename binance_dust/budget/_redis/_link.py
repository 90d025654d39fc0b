"""The link of one process to Redis: it sends operations in their order, and heartbeats.

Operations of one turn of the event loop go in one call; operations that come up while a call is
under way go in the next. Only `admit` waits for any of them. How calls ended is kept while Redis
can't be reached, and sent after the reconnection.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from binance_dust.budget import _errors
from binance_dust.budget._redis import _messages
from binance_dust.budget._redis._in_flight import RedisAdmission
from binance_dust.budget._redis._member import SharedMember
from binance_dust.budget._redis._store import AwayError
from binance_dust.errors import ConfigurationError
from binance_dust.events import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from binance_dust.budget._protocol import Charge
    from binance_dust.budget._redis._messages import Op
    from binance_dust.budget._redis._settings import Settings
    from binance_dust.budget._redis._store import PoolStore

_MOST_OPS: Final = 500
"""Operations in one call: Redis serves no other client meanwhile."""
_KEPT: Final = frozenset({_messages.SETTLE, _messages.UNKNOWN, _messages.RELEASE, _messages.COPIES})
"""Operations that must reach Redis even after an outage: how calls ended."""
_HEARTBEATS: Final = 3
"""In a lease."""
_MOST_MISSED: Final = 2
"""Heartbeats that did not come back, after which messages are taken not to arrive."""


class Link:
    """Sends what a `SharedMember` says, and gives it what Redis answers."""

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
        self.member = SharedMember(settings, self.say)
        self._name = uuid.uuid4().hex[:12]
        self._connections = 0
        """Connections so far: with each one Redis sees another process."""
        self._pid: str | None = None
        self._lost = False
        """Whether the connection was lost, and only `connect` may make another."""
        self._epoch = ""
        self._ops: list[Op] = []
        self._sending_ops: list[Op] = []
        """Operations on the way, without an answer yet."""
        self._sending: asyncio.Task[None] | None = None
        self._heartbeat: asyncio.TimerHandle | None = None
        self._beat = 0
        self._heard_beat = 0

    # --- sending ---------------------------------------------------------------------------------

    def say(self, *op: Any) -> None:
        """Send an operation soon; or keep it, if it tells how a call ended and Redis is away."""
        if self._lost:
            self._ops += self._keep([list(op)])
        else:
            self._ops.append(list(op))
            self._start_sending()

    def _keep(self, ops: list[Op]) -> list[Op]:
        """Return the operations to send after an outage, without what headers said.

        A header that comes late says nothing about the moment at which it comes.
        """
        kept = [op for op in ops if op[0] in _KEPT]
        kept = [[*op[:2], False, *op[3:]] if op[0] == _messages.SETTLE else op for op in kept]
        for op in kept:
            if op[0] == _messages.SETTLE:
                self._on_unsent(op[1].charge, op[3], op[4])
        return kept

    def _start_sending(self) -> None:
        if self._sending is None and self._ops and not self._lost:
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        connection, problem = self._connections, None
        try:
            if self._pid is None:
                connection += 1
                await self.connect()
            while self._ops and connection == self._connections and not self._lost:
                self._sending_ops, self._ops = self._ops[:_MOST_OPS], self._ops[_MOST_OPS:]
                try:
                    await self._exchange(self._sending_ops)
                except BaseException:
                    self._ops[:0] = [op for op in self._sending_ops if op[0] in _KEPT]
                    raise
                finally:
                    self._sending_ops = []
        except AwayError as error:
            problem = str(error)
        except ConfigurationError as error:
            self._ops.clear()
            self.member.refuse_all(error)
        except Exception as error:  # noqa: BLE001 - a bug of ours; no waiter may hang on it
            logger.exception("the shared budget failed")
            problem = f"{type(error).__name__}: {error}"
        finally:
            self._sending = None
        if problem is not None and connection == self._connections:
            self.lose(problem)
        self._start_sending()

    async def _exchange(self, ops: list[Op]) -> None:
        pid = self._pid
        if pid is None:
            raise AwayError("not connected")
        reply = await self._call(pid, ops)
        if pid != self._pid:
            raise AwayError("connected anew meanwhile")
        self._take_reply(pid, ops, reply)
        if reply.epoch != self._epoch:
            self.lose("it has forgotten everything")

    async def _call(self, pid: str, ops: list[Op]) -> _messages.Reply:
        with_ids = [
            [op[0], op[1].id, *op[2:]] if len(op) > 1 and isinstance(op[1], RedisAdmission) else op
            for op in ops
        ]
        server_time = self._settings.clock.server_time()
        request = {
            **self._settings.for_script,
            "patience": self._settings.patience,
            "pid": pid,
            "channel": self._channel,
            "epoch": self._epoch,
            "candidate": f"{pid}.{uuid.uuid4().hex[:8]}",
            "exchange": False if server_time is None else server_time,
            "ops": with_ids,
        }
        data = await self._store.call(_messages.encode(request))
        try:
            return _messages.read_reply(data, request["limits"])
        except msgspec.MsgspecError as error:
            raise AwayError(f"its answer can't be read: {error}") from error

    async def flush(self) -> None:
        """Wait until Redis has taken all operations."""
        while self._sending is not None:
            await asyncio.wait([self._sending])

    async def refresh_views(self) -> None:
        """Ask for a new view of every pool."""
        for view, _ in self.member.views:
            self.say(_messages.VIEW, view.key)
        await self.flush()

    # --- hearing ---------------------------------------------------------------------------------

    def _take_reply(self, pid: str, ops: list[Op], reply: _messages.Reply) -> None:
        self.member.take_reply(pid, ops, reply)
        self._keep_alive()

    def _take_message(self, pid: str, data: bytes) -> None:
        message = _messages.read_message(data)
        self._heard_beat = max(self._heard_beat, message.beat)
        self.member.take_message(pid, message)
        self._keep_alive()

    # --- connection ------------------------------------------------------------------------------

    async def connect(self, known: Callable[[], Iterable[Op]] = list) -> None:
        """Connect, and tell Redis what was spent here, and what is `known` besides.

        `known` is called when the connection is there, since it may become more until then.
        """
        self._pid = None
        self._connections += 1
        connection = self._connections
        pid = f"{self._name}.{connection}"

        def lost(reason: str) -> None:
            if connection == self._connections:
                self.lose(reason)

        await self._store.open(self._channel + pid, partial(self._take_message, pid), lost)
        self._beat = self._heard_beat = 0
        ops, ids = self.member.in_flight.introduce(pid)
        reply = await self._call(pid, [*ops, *known()])
        for admission, new_id in ids.items():
            admission.id = new_id
        self._epoch = reply.epoch
        self._lost = False
        self._pid = pid
        self._take_reply(pid, [], reply)
        self._start_sending()

    def lose(self, reason: str) -> None:
        """Record that Redis can't be reached any more."""
        if self._lost:
            return
        self._lost = True
        self._pid = None
        self._stop_heartbeats()
        self.member.disconnected(AwayError(reason))
        self._on_lost(reason)
        self._ops = self._keep([*self._sending_ops, *self._ops])
        self._sending_ops = []

    def _keep_alive(self) -> None:
        """Send heartbeats while this process has waiters or calls in flight."""
        if self._heartbeat is None and not self._lost and self.member.busy:
            loop = asyncio.get_running_loop()
            interval = self._settings.lease / _HEARTBEATS
            self._heartbeat = loop.call_later(interval, self._send_heartbeat)

    def _send_heartbeat(self) -> None:
        self._heartbeat = None
        if self._lost or not self.member.busy:
            return
        if self._beat - self._heard_beat >= _MOST_MISSED:
            self.lose("its messages don't arrive")
            return
        self._beat += 1
        self.say(_messages.HEARTBEAT, self._beat)
        self._keep_alive()

    def _stop_heartbeats(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None

    async def close(self) -> None:
        """Send what is left to send, and disconnect."""
        self._stop_heartbeats()
        self.member.refuse_all(_errors.closed())
        await self.flush()
        pid, self._lost = self._pid, True
        if pid is not None:
            with contextlib.suppress(AwayError, ConfigurationError):
                await self._call(pid, [*self._ops, [_messages.QUIT]])
        self._ops.clear()
        await self._store.close()
