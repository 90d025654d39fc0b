"""Two connections to Redis, to call and to listen. Every failure is an `AwayError`, in time."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final, Protocol

from binance_dust.budget._redis._script import digest, script
from binance_dust.errors import ConfigurationError, DustError

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

KEYS: Final = ("pools", "log")


class AwayError(DustError):
    """Redis can't be reached. It never leaves the budget."""


Argument = str | bytes | int | float


class PoolStore(Protocol):
    """The place where the log and its snapshot are kept."""

    async def open(
        self, channel: str, hear: Callable[[bytes], None], lost: Callable[[str], None]
    ) -> None:
        """Connect, and listen to a channel from now on; `lost` is called when that ends."""
        ...

    async def call(self, function: str, *arguments: Argument) -> Any:
        """Run a function of the script (`log.lua`)."""
        ...

    async def close(self) -> None:
        """Close all connections. Never raises, and does not take long."""
        ...


def import_redis() -> Any:
    """Import the package of the extra."""
    try:
        import redis.asyncio
    except ImportError:
        raise ConfigurationError(
            "RedisBudget needs the extra 'redis': python -m pip install 'binance-dust[redis]'"
        ) from None
    return redis


class RedisStore:
    """A log in Redis, or in a compatible server that runs its scripts."""

    def __init__(self, connect: Callable[[], Redis], prefix: str, timeout: float) -> None:
        """Take a function that makes a client; nothing is opened."""
        self._connect = connect
        self._keys = [f"{{{prefix}}}:{name}" for name in KEYS]
        self._timeout = timeout
        self._client: Redis | None = None
        self._pubsub: PubSub | None = None
        self._listening: asyncio.Task[None] | None = None

    async def open(
        self, channel: str, hear: Callable[[bytes], None], lost: Callable[[str], None]
    ) -> None:
        """Connect, and listen to a channel from now on."""
        await self.close()
        problem: str
        try:
            async with asyncio.timeout(self._timeout):
                self._client = self._connect()
                self._pubsub = pubsub = self._client.pubsub()
                await pubsub.subscribe(channel)
                while await pubsub.get_message(timeout=self._timeout) is None:
                    pass
        except Exception as error:  # noqa: BLE001 - no waiter may hang on any error
            problem = _describe(error)
        else:
            self._listening = asyncio.create_task(self._listen(pubsub, hear, lost))
            return
        raise AwayError(problem)

    async def _listen(
        self, pubsub: PubSub, hear: Callable[[bytes], None], lost: Callable[[str], None]
    ) -> None:
        try:
            while True:
                message = await pubsub.get_message(
                    ignore_subscribe_messages=True, timeout=self._timeout
                )
                if message is not None:
                    hear(message["data"])
        except Exception as error:  # noqa: BLE001 - no waiter may hang on any error
            lost(_describe(error))

    async def call(self, function: str, *arguments: Argument) -> Any:
        """Run a function of the script. After an error it may have run or not."""
        client = self._client
        if client is None:
            raise AwayError("not connected")
        problem: str
        try:
            async with asyncio.timeout(self._timeout):
                return await self._run(client, function, *arguments)
        except Exception as error:  # noqa: BLE001 - no waiter may hang on any error
            problem = _describe(error)
        # Raised outside of `except`: a foreign error holds the URL, and so its password.
        raise AwayError(problem)

    async def _run(self, client: Redis, *arguments: Argument) -> Any:
        given: tuple[Any, ...] = (*self._keys, "", *arguments)
        try:
            return await client.evalsha(digest(), len(KEYS), *given)
        except import_redis().exceptions.NoScriptError:
            return await client.eval(script(), len(KEYS), *given)

    async def close(self) -> None:
        """Close all connections."""
        listening, self._listening = self._listening, None
        pubsub, self._pubsub = self._pubsub, None
        client, self._client = self._client, None
        if listening is not None:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        for thing in (pubsub, client):
            if thing is not None:
                with contextlib.suppress(Exception):
                    async with asyncio.timeout(self._timeout):
                        await thing.aclose()


def connector(url: str, timeout: float) -> Callable[[], Redis]:
    """Check the URL of Redis, and return a function that connects. Errors don't repeat the URL."""
    redis = import_redis()
    options = None
    with contextlib.suppress(ValueError):
        options = redis.asyncio.connection.parse_url(url)
    if options is None:
        raise ConfigurationError("the URL of Redis must begin with redis://, rediss:// or unix://")

    def connect() -> Redis:
        # No retries: a batch that is added twice is said twice.
        client: Redis = redis.asyncio.Redis.from_url(
            url,
            socket_connect_timeout=timeout,
            **({} if "path" in options else {"socket_keepalive": True}),
            retry=redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0),
            decode_responses=False,
            protocol=2,
        )
        return client

    return connect


def _describe(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
