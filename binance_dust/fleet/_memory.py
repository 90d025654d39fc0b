"""taskiq brokers within one process: the same as Redis, as far as a fleet can tell.

taskiq's own `InMemoryBroker` runs a task inside of `kick`: it has no queue, nobody listens, and so
there are no workers that could share the work, join late or leave.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from taskiq import AsyncBroker, BrokerMessage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["Exchange", "MemoryBroker", "exchange_of"]


class Exchange:
    """Where the brokers of one loop meet: who listens to which queue."""

    __slots__ = ("listeners",)

    def __init__(self) -> None:
        """Begin with nobody."""
        self.listeners: dict[str, set[asyncio.Queue[bytes]]] = {}


class MemoryBroker(AsyncBroker):
    """Gives a message to everybody who listens to a queue by then; where nobody does it is gone."""

    def __init__(self, exchange: Exchange, queue_name: str) -> None:
        """Listen to one queue, from `startup` on; send to any."""
        super().__init__()
        self._exchange = exchange
        self._queue_name = queue_name
        self._inbox: asyncio.Queue[bytes] | None = None

    async def startup(self) -> None:
        """Begin to listen."""
        await super().startup()
        if self._inbox is None:
            self._inbox = asyncio.Queue()
            self._exchange.listeners.setdefault(self._queue_name, set()).add(self._inbox)

    async def shutdown(self) -> None:
        """Listen no more."""
        await super().shutdown()
        listeners = self._exchange.listeners.get(self._queue_name)
        if self._inbox is not None and listeners is not None:
            listeners.discard(self._inbox)
            if not listeners:
                del self._exchange.listeners[self._queue_name]
        self._inbox = None

    async def kick(self, message: BrokerMessage) -> None:
        """Send a message to the queue that its label names."""
        for inbox in self._exchange.listeners.get(message.labels["queue_name"], ()):
            inbox.put_nowait(message.message)

    async def listen(self) -> AsyncGenerator[bytes, None]:
        """Give messages as they come."""
        while self._inbox is not None:
            yield await self._inbox.get()


_EXCHANGES: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Exchange]]] = (
    WeakKeyDictionary()
)


def exchange_of(url: str) -> Exchange:
    """Find where the brokers of a `memory://` URL meet in the running loop."""
    exchanges = _EXCHANGES.setdefault(asyncio.get_running_loop(), {})
    return exchanges.setdefault(url, Exchange())
