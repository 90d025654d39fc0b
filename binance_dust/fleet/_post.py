"""How messages reach workers and fleets, by URL: within this process, or by Redis."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from taskiq.exceptions import TaskiqError
from taskiq.kicker import AsyncKicker
from taskiq.receiver import Receiver

from binance_dust._util.checks import instance
from binance_dust.errors import ConfigurationError, NotSentError
from binance_dust.events import logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from taskiq import AsyncBroker

    from binance_dust.fleet._messages import Presence, Result

__all__ = ["Hears", "Post", "hearing", "listen", "wait"]

_REDIS: Final = ("redis://", "rediss://", "unix://")
_AGAIN: Final = 0.5
"""Seconds until a line that broke is opened again."""


class Post:
    """Queues and the bulletin of one fleet.

    What it is given it may lose: who sends has to notice that nothing comes back.
    """

    __slots__ = ("_bulletin", "_name", "_sender", "_url")

    def __init__(self, url: str, name: str) -> None:
        """Check where the messages go; nothing is opened."""
        self._url = instance(url, str, "url")
        self._name = instance(name, str, "name")
        if not name.strip():
            raise ConfigurationError("the fleet's name is empty")
        if not url.startswith((*_REDIS, "memory://")):
            raise ConfigurationError("url begins with memory://, redis://, rediss:// or unix://")
        self._sender: AsyncBroker | None = None
        self._bulletin: AsyncBroker | None = None

    @property
    def bulletin(self) -> str:
        """The name of what everybody hears."""
        return f"{self._name}:bulletin"

    def queue(self, of: str) -> str:
        """Name the queue of one worker or one job."""
        return f"{self._name}:{of}"

    async def open(self) -> None:
        """Be ready to send."""
        if self._sender is not None:
            # What is open would be forgotten, and never closed.
            raise ConfigurationError("this fleet is open already")
        self._sender = self.reader("")
        self._bulletin = self.reader(self.bulletin)

    async def close(self) -> None:
        """Send no more."""
        for broker in (self._sender, self._bulletin):
            if broker is not None:
                await broker.shutdown()
        self._sender = self._bulletin = None

    def reader(self, queue_name: str) -> AsyncBroker:
        """Make the broker that listens to a queue, or to the bulletin."""
        if self._url.startswith("memory://"):
            from binance_dust.fleet._memory import MemoryBroker, exchange_of

            return MemoryBroker(exchange_of(self._url), queue_name)
        from binance_dust.fleet._redis import LINE, Bulletin, Queue

        kind = Bulletin if queue_name == self.bulletin else Queue
        return kind(self._url, queue_name=queue_name, **LINE)

    async def send(self, queue_name: str, task: str, message: msgspec.Struct) -> None:
        """Send a message to whoever listens to a queue; `NotSentError` where it can't be sent."""
        broker = self._bulletin if queue_name == self.bulletin else self._sender
        if broker is None:
            raise ConfigurationError("this fleet is closed")
        kicker: AsyncKicker[Any, Any] = AsyncKicker(task, broker, {"queue_name": queue_name})
        try:
            await kicker.kiq(msgspec.to_builtins(message))
        except TaskiqError as error:
            reason = type(error.__cause__ or error).__name__
        else:
            return
        raise NotSentError(f"the fleet's post can't be reached ({reason})")

    def __repr__(self) -> str:
        # A URL may have a password in it.
        return f"<Post {self._url.partition('://')[0]}:// {self._name}>"


class Hears(Protocol):
    """Whoever workers answer."""

    def heard(self, presence: Presence, /) -> None:
        """Hear that a worker is there."""

    async def reported(self, result: Result, /) -> None:
        """Hear what became of an errand."""


@asynccontextmanager
async def hearing(post: Post, queue_name: str, hears: Hears) -> AsyncIterator[None]:
    """Hear what workers answer into a queue. What one of them says first is heard first."""
    broker = post.reader(queue_name)
    broker.state.hears = hears
    await broker.startup()
    ending = asyncio.Event()
    line = asyncio.create_task(listen(broker, ending, at_once=1), name="binance-dust fleet line")
    try:
        yield
    finally:
        ending.set()
        await asyncio.gather(line, return_exceptions=True)


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Wait until something happens, or for a while.

    Not by `asyncio.wait_for`: before Python 3.12 it forgets a cancellation that comes together with
    the event (https://github.com/python/cpython/issues/86296).
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()


async def listen(
    broker: AsyncBroker, ending: asyncio.Event, *, at_once: int, grace: float | None = None
) -> None:
    """Run the tasks that a broker brings until told to end, whatever becomes of the line.

    In the end those that are under way have `grace` seconds.
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
            except Exception as problem:  # noqa: BLE001 - whatever ended it, it is opened again
                logger.debug("a fleet's line broke: %r", problem)
                await wait(ending, _AGAIN)
    finally:
        with contextlib.suppress(Exception):
            await broker.shutdown()
