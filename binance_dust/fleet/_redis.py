"""taskiq's Redis brokers, as a fleet needs them: nothing stays behind, and silence is no error.

A queue is a list that one worker, or one fleet, takes messages from; it forgets itself when nobody
has written to it for an hour. The bulletin is a channel that everybody hears who listens by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from taskiq_redis import ListQueueBroker, PubSubBroker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from taskiq import BrokerMessage

__all__ = ["LINE", "Bulletin", "Queue"]

_KEPT: Final = 3600
"""Seconds that a queue is kept which nobody empties: its reader has died."""
_LOOK: Final = 2
"""Seconds that the server holds a question for messages: less than a line may be silent."""
LINE: Final[dict[str, Any]] = {
    "max_connection_pool_size": 8,
    "socket_timeout": 5.0,
    "socket_connect_timeout": 2.0,
    # What was not sent is sent again by whoever notices: redis-py would sit on it for minutes.
    "retry": Retry(NoBackoff(), 0),
}
"""How a line to Redis behaves."""


def _bytes(value: bytes | str) -> bytes:
    """Tell the type checker what a connection that decodes nothing gives."""
    return value if isinstance(value, bytes) else value.encode()


class Queue(ListQueueBroker):
    """Messages for one reader, in their order."""

    async def kick(self, message: BrokerMessage) -> None:
        """Write a message, and let the queue live for another while."""
        queue_name = message.labels["queue_name"]
        async with Redis(connection_pool=self.connection_pool).pipeline(transaction=True) as pipe:
            pipe.lpush(queue_name, message.message)
            pipe.expire(queue_name, _KEPT)
            await pipe.execute()

    async def listen(self) -> AsyncGenerator[bytes, None]:
        """Give messages as they come.

        taskiq-redis asks without a limit of time, and redis-py hangs up after five silent seconds.
        """
        async with Redis(connection_pool=self.connection_pool) as redis:
            while True:
                found = await redis.brpop([self.queue_name], timeout=_LOOK)
                if found is not None:
                    yield _bytes(found[1])


class Bulletin(PubSubBroker):
    """Messages for everybody who listens."""

    async def listen(self) -> AsyncGenerator[bytes, None]:
        """Give messages as they come, and ask the server now and then whether it is there."""
        async with Redis(connection_pool=self.connection_pool) as redis, redis.pubsub() as channel:
            await channel.subscribe(self.queue_name)
            while True:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=_LOOK)
                if message is not None:
                    yield message["data"]
