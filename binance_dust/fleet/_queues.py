"""How messages reach workers and fleets, by URL: queues within this process, or in Redis.

A queue is read by one worker or one job; the broadcast channel is read by all workers. A message
may be lost: the sender has to notice that no answer comes.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from taskiq import AsyncBroker, BrokerMessage
from taskiq.exceptions import TaskiqError
from taskiq.kicker import AsyncKicker
from taskiq.receiver import Receiver
from taskiq_redis import ListQueueBroker, PubSubBroker

from binance_dust._util.checks import instance
from binance_dust.errors import ConfigurationError, NotSentError
from binance_dust.events import logger
from binance_dust.fleet._seal import Seal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    import msgspec

    from binance_dust.fleet._asking import Asking

__all__ = ["FleetQueues", "MemoryBroker", "listen", "replies", "wait"]

_MEMORY: Final = "memory://"
_REDIS: Final = ("redis://", "rediss://", "unix://")
_RECONNECT: Final = 0.5
"""Seconds until a connection that broke is opened again."""
_TTL: Final = 3600
"""Seconds until Redis drops a queue that nothing is written to: its reader may have died."""
_POLL: Final = 2
"""Seconds that Redis holds a request for messages: less than the timeout of the connection."""
_CONNECTION: Final[dict[str, Any]] = {
    "max_connection_pool_size": 8,
    "socket_timeout": 5.0,
    "socket_connect_timeout": 2.0,
    # The sender notices a lost message, and sends again. redis-py would retry for minutes.
    "retry": Retry(NoBackoff(), 0),
}


class FleetQueues:
    """The queues and the broadcast channel of one fleet."""

    __slots__ = ("_broadcaster", "_name", "_seal", "_sender", "_url")

    def __init__(self, url: str, name: str, *, key: str | None = None) -> None:
        """Check where messages go, and the key that seals them; nothing is opened."""
        self._seal = Seal(key)
        self._url = instance(url, str, "url")
        self._name = instance(name, str, "name")
        if not name.strip():
            raise ConfigurationError("the fleet's name is empty")
        if not url.startswith((*_REDIS, _MEMORY)):
            raise ConfigurationError(
                "url must begin with memory://, redis://, rediss:// or unix://"
            )
        if url.startswith(_REDIS) and not _can_be_read(url):
            # The message leaves the URL out, because it may hold a password.
            raise ConfigurationError("url: Redis' client can't read it: host, port or database?")
        self._sender: AsyncBroker | None = None
        self._broadcaster: AsyncBroker | None = None

    @property
    def broadcast(self) -> str:
        """The name of the channel that all workers read."""
        return f"{self._name}:bulletin"

    def queue(self, of: str) -> str:
        """Name the queue of one worker or one job."""
        return f"{self._name}:{of}"

    async def open(self) -> None:
        """Be ready to send."""
        if self._sender is not None:
            # The open brokers would be forgotten, and never closed.
            raise ConfigurationError("this fleet is open already")
        self._sender = self.reader("")
        self._broadcaster = self.reader(self.broadcast)

    async def close(self) -> None:
        """Send no more."""
        for broker in (self._sender, self._broadcaster):
            if broker is not None:
                await broker.shutdown()
        self._sender = self._broadcaster = None

    def reader(self, queue_name: str) -> AsyncBroker:
        """Make the broker that reads a queue, or the broadcast channel."""
        broker: AsyncBroker
        if self._url.startswith(_MEMORY):
            broker = MemoryBroker(_memory_queues(self._url), queue_name)
        else:
            kind = RedisBroadcastBroker if queue_name == self.broadcast else RedisQueueBroker
            broker = kind(self._url, queue_name=queue_name, **_CONNECTION)
        broker.state.seal, broker.state.queue_name = self._seal, queue_name
        return broker

    async def send(self, queue_name: str, task: str, message: msgspec.Struct) -> None:
        """Send a message to a queue; raise `NotSentError` if it can't be sent."""
        broker = self._broadcaster if queue_name == self.broadcast else self._sender
        if broker is None:
            raise ConfigurationError("this fleet is closed")
        kicker: AsyncKicker[Any, Any] = AsyncKicker(task, broker, {"queue_name": queue_name})
        try:
            await kicker.kiq(self._seal.close(message, task, queue_name))
        except TaskiqError as error:
            reason = type(error.__cause__ or error).__name__
        else:
            return
        raise NotSentError(f"the fleet's queues can't be reached ({reason})")

    def __repr__(self) -> str:
        # A URL may have a password in it.
        return f"<FleetQueues {self._url.partition('://')[0]}:// {self._name}>"


def _can_be_read(url: str) -> bool:
    try:
        parse_url(url)
    except ValueError:
        return False
    return True


@asynccontextmanager
async def replies(queues: FleetQueues, queue_name: str, handler: Asking) -> AsyncIterator[None]:
    """Let a job handle what workers answer into its queue; each worker's answers stay in order."""
    broker = queues.reader(queue_name)
    broker.state.handler = handler
    await broker.startup()
    ending = asyncio.Event()
    listening = listen(broker, ending, at_once=1)
    listener = asyncio.create_task(listening, name="binance-dust fleet replies")
    try:
        yield
    finally:
        ending.set()
        await asyncio.gather(listener, return_exceptions=True)


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but not longer than this.

    Not by `asyncio.wait_for`: before Python 3.12 it forgets a cancellation that comes together with
    the event (https://github.com/python/cpython/issues/86296).
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()


async def listen(
    broker: AsyncBroker, ending: asyncio.Event, *, at_once: int, grace: float | None = None
) -> None:
    """Run the tasks that a broker brings until `ending` is set, and reconnect when it breaks.

    At the end the running tasks have `grace` seconds.
    """
    try:
        while not ending.is_set():
            receiver = Receiver(
                broker,
                max_async_tasks=at_once,
                validate_params=False,
                wait_tasks_timeout=grace,
                run_startup=False,
            )
            try:
                await receiver.listen(ending)
            except Exception as problem:  # noqa: BLE001 - it reconnects after any error
                logger.debug("a fleet's connection broke: %r", problem)
                await wait(ending, _RECONNECT)
    finally:
        with contextlib.suppress(Exception):
            await broker.shutdown()


# --- within a process ----------------------------------------------------------------------------

_MemoryQueues: TypeAlias = dict[str, set[asyncio.Queue[bytes]]]
"""The readers of each queue."""
_MEMORY_QUEUES: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _MemoryQueues]]] = (
    WeakKeyDictionary()
)


def _memory_queues(url: str) -> _MemoryQueues:
    """Find the queues of a `memory://` URL in the running loop."""
    return _MEMORY_QUEUES.setdefault(asyncio.get_running_loop(), {}).setdefault(url, {})


class MemoryBroker(AsyncBroker):
    """Gives a message to everyone who reads its queue at that moment; without a reader it is lost.

    taskiq's own `InMemoryBroker` runs a task inside of `kick`: it has no queue and no readers, so
    workers could not share the work, join late or leave.
    """

    def __init__(self, queues: _MemoryQueues, queue_name: str) -> None:
        """Read one queue, from `startup` on; send to any."""
        super().__init__()
        self._queues = queues
        self._queue_name = queue_name
        self._inbox: asyncio.Queue[bytes] | None = None

    async def startup(self) -> None:
        """Begin to read."""
        await super().startup()
        if self._inbox is None:
            self._inbox = asyncio.Queue()
            self._queues.setdefault(self._queue_name, set()).add(self._inbox)

    async def shutdown(self) -> None:
        """Read no more."""
        await super().shutdown()
        readers = self._queues.get(self._queue_name)
        if self._inbox is not None and readers is not None:
            readers.discard(self._inbox)
            if not readers:
                del self._queues[self._queue_name]
        self._inbox = None

    async def kick(self, message: BrokerMessage) -> None:
        """Send a message to the queue that its label names."""
        for inbox in self._queues.get(message.labels["queue_name"], ()):
            inbox.put_nowait(message.message)

    async def listen(self) -> AsyncGenerator[bytes, None]:
        """Give messages as they come."""
        while self._inbox is not None:
            yield await self._inbox.get()


# --- in Redis ------------------------------------------------------------------------------------


class RedisQueueBroker(ListQueueBroker):
    """Messages for one reader, in their order: a list in Redis."""

    async def kick(self, message: BrokerMessage) -> None:
        """Write a message, and renew the queue's TTL."""
        queue_name = message.labels["queue_name"]
        async with Redis(connection_pool=self.connection_pool).pipeline(transaction=True) as pipe:
            pipe.lpush(queue_name, message.message)
            pipe.expire(queue_name, _TTL)
            await pipe.execute()

    async def listen(self) -> AsyncGenerator[bytes, None]:
        """Give messages as they come.

        taskiq-redis asks without a timeout, and redis-py closes a connection after five silent
        seconds.
        """
        async with Redis(connection_pool=self.connection_pool) as redis:
            while True:
                found = await redis.brpop([self.queue_name], timeout=_POLL)
                if found is not None:
                    # Always bytes, since the connection decodes nothing: `encode` is for types.
                    message = found[1]
                    yield message if isinstance(message, bytes) else message.encode()


class RedisBroadcastBroker(PubSubBroker):
    """Messages for all who read at that moment: a channel in Redis."""

    async def listen(self) -> AsyncGenerator[bytes, None]:
        """Give messages as they come, and stop waiting now and then, so silence is no error."""
        async with Redis(connection_pool=self.connection_pool) as redis, redis.pubsub() as channel:
            await channel.subscribe(self.queue_name)
            while True:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=_POLL)
                if message is not None:
                    yield message["data"]
