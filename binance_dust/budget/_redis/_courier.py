"""What a process says to Redis: in its order, in few calls, and again after Redis was away.

Whatever is to be said within one turn of the event loop goes in one call; what comes up while a
call is under way goes in the next. Nobody but `admit` waits for any of it.
"""

from __future__ import annotations

import asyncio
import uuid
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from binance_dust.budget._redis._admission import RedisAdmission
from binance_dust.budget._redis._messages import Differs, Reply, encode, read_reply
from binance_dust.budget._redis._script import LAYOUT
from binance_dust.budget._redis._store import AwayError
from binance_dust.errors import ConfigurationError
from binance_dust.events import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from binance_dust.budget._redis._setting import Setting
    from binance_dust.budget._redis._store import Store
    from binance_dust.errors import DustError

_MOST_OPS: Final = 500
"""Of one call: Redis serves nobody else meanwhile."""
_ENDS: Final = frozenset("surx")
"""What must be said even when Redis was away in between: how calls ended."""

Op = list[Any]
"""What is said: a letter that names a function of main.lua, and what it takes."""


class Courier(ABC):
    """The half of a process that speaks. The other half knows what to say, and what it means."""

    def __init__(self, store: Store, channel: str, setting: Setting) -> None:
        """Begin unconnected."""
        self._store = store
        self._channel = channel
        self._setting = setting
        self._name = uuid.uuid4().hex[:12]
        self._life = 0
        """How often it has connected: each time it is another process to Redis."""
        self._pid: str | None = None
        self._gone = False
        """Whether the connection was lost, and only `greet` may make another."""
        self._epoch = ""
        self._ops: list[Op] = []
        self._saying: list[Op] = []
        """What is on the way, and was not answered yet."""
        self._sending: asyncio.Task[None] | None = None

    @abstractmethod
    def _introduce(self, pid: str) -> tuple[list[Op], dict[RedisAdmission, str]]:
        """Say what a process knows that connects, and how its calls are called from now on."""

    @abstractmethod
    def _hear(self, pid: str, data: bytes) -> None:
        """Take a message that came unasked, to whom this was then."""

    @abstractmethod
    def _heard(self, ops: list[Op], reply: Reply) -> None:
        """Take the answer to what was said."""

    @abstractmethod
    def _refuse_all(self, error: DustError) -> None:
        """Tell whoever waits."""

    @abstractmethod
    def _went_away(self, reason: str) -> None:
        """Note that Redis can't be asked any more."""

    @abstractmethod
    def _unsaid(self, op: Op) -> None:
        """Note that something can't be said yet."""

    def _say(self, *op: Any) -> None:
        if self._gone:
            self._ops += self._late([list(op)])
        else:
            self._ops.append(list(op))
            self._kick()

    def _late(self, ops: list[Op]) -> list[Op]:
        """Give what has to be said later: how calls ended, but for what their headers said.

        That comes late, and says nothing of that moment.
        """
        ends = [op for op in ops if op[0] in _ENDS]
        late = [[*op[:2], False, *op[3:]] if op[0] == "s" else op for op in ends]
        for op in late:
            self._unsaid(op)
        return late

    def _kick(self) -> None:
        if self._sending is None and self._ops and not self._gone:
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        life, problem = self._life, None
        try:
            if self._pid is None:
                life += 1
                await self.greet()
            while self._ops and life == self._life and not self._gone:
                self._saying, self._ops = self._ops[:_MOST_OPS], self._ops[_MOST_OPS:]
                try:
                    await self._exchange(self._saying)
                except BaseException:
                    self._ops[:0] = [op for op in self._saying if op[0] in _ENDS]
                    raise
                finally:
                    self._saying = []
        except AwayError as error:
            problem = str(error)
        except ConfigurationError as error:
            self._ops.clear()
            self._refuse_all(error)
        except Exception as error:  # noqa: BLE001 - ours, then; nobody may hang on it
            logger.exception("the shared budget failed")
            problem = f"{type(error).__name__}: {error}"
        finally:
            self._sending = None
        if problem is not None and life == self._life:
            self.lose(problem)
        self._kick()

    async def greet(self, known: Callable[[], Iterable[Op]] = list) -> None:
        """Connect, and say what is known here of what was spent; also whatever else is `known`.

        That is asked for when the line is there: until then it may become more.
        """
        self._pid = None
        self._life += 1
        pid = f"{self._name}.{self._life}"
        life = self._life

        def lost(reason: str) -> None:
            if life == self._life:
                self.lose(reason)

        await self._store.open(self._channel + pid, partial(self._hear, pid), lost)
        ops, names = self._introduce(pid)
        reply = await self._call(pid, [*ops, *known()])
        for flying, name in names.items():
            flying.id = name
        self._epoch = reply.epoch
        self._gone = False
        self._pid = pid
        self._heard([], reply)
        self._kick()

    async def _exchange(self, ops: list[Op]) -> None:
        pid = self._pid
        if pid is None:
            raise AwayError("not connected")
        reply = await self._call(pid, ops)
        if pid != self._pid:
            raise AwayError("connected anew meanwhile")
        self._heard(ops, reply)
        if reply.epoch != self._epoch:
            self.lose("it has forgotten everything")

    async def _call(self, pid: str, ops: list[Op]) -> Reply:
        said = [
            [op[0], op[1].id, *op[2:]] if len(op) > 1 and isinstance(op[1], RedisAdmission) else op
            for op in ops
        ]
        exchange = self._setting.clock.server_time()
        request = {
            **self._setting.for_script,
            "patience": self._setting.patience,
            "pid": pid,
            "channel": self._channel,
            "epoch": self._epoch,
            "candidate": f"{pid}.{uuid.uuid4().hex[:8]}",
            "exchange": False if exchange is None else exchange,
            "ops": said,
        }
        data = await self._store.call(encode(request))
        try:
            reply = read_reply(data)
        except msgspec.MsgspecError as error:
            raise AwayError(f"its answer can't be read: {error}") from error
        if isinstance(reply, Differs):
            if reply.layout is not None:
                raise ConfigurationError(
                    "others share this budget by another version of this package (layout"
                    f" {reply.layout}, this one's is {LAYOUT}): upgrade all of them together"
                )
            raise ConfigurationError(
                f"others share this budget by other limits: theirs are {reply.limits},"
                f" these {' '.join(request['limits'])}"
            )
        return reply

    def lose(self, reason: str) -> None:
        """Note that Redis can't be asked any more."""
        if self._gone:
            return
        self._gone = True
        self._pid = None
        self._went_away(reason)
        self._ops = self._late([*self._saying, *self._ops])
        self._saying = []

    async def flush(self) -> None:
        """Wait until Redis has heard all there is to say."""
        while self._sending is not None:
            await asyncio.wait([self._sending])
