"""Two connections to Redis, to ask and to listen. What goes wrong is `AwayError`, and in time."""

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

KEYS: Final = ("state", "line", "flight", "alive", "accounts")


class AwayError(DustError):
    """Redis can't be asked. Stays inside of the budget."""


class Store(Protocol):
    """Where the pool is kept."""

    async def open(
        self, channel: str, hear: Callable[[bytes], None], lost: Callable[[str], None]
    ) -> None:
        """Connect, and listen to a channel from now on; `lost` is told when that ends."""
        ...

    async def call(self, request: bytes) -> bytes:
        """Run the script once."""
        ...

    async def close(self) -> None:
        """Close what is open. Never raises, and does not take long."""
        ...


def import_redis() -> Any:
    """Import what the extra brings."""
    try:
        import redis.asyncio
    except ImportError:
        raise ConfigurationError(
            "RedisBudget needs the extra 'redis': python -m pip install 'binance-dust[redis]'"
        ) from None
    return redis


class RedisStore:
    """A pool in Redis, or in whatever speaks its language and runs its scripts."""

    def __init__(self, connect: Callable[[], Redis], prefix: str, timeout: float) -> None:
        """Take how to make a client; nothing is opened."""
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
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody may hang on it
            problem = _words(error)
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
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody may hang on it
            lost(_words(error))

    async def call(self, request: bytes) -> bytes:
        """Run the script once. After an error nobody knows whether it ran."""
        client = self._client
        if client is None:
            raise AwayError("not connected")
        problem: str
        try:
            async with asyncio.timeout(self._timeout):
                return await self._run(client, request)
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody may hang on it
            problem = _words(error)
        # Raised out here: a foreign error's frames know the address, and so its password.
        raise AwayError(problem)

    async def _run(self, client: Redis, request: bytes) -> bytes:
        arguments: tuple[str | bytes, ...] = (*self._keys, "", request)
        try:
            result: Any = await client.evalsha(digest(), len(KEYS), *arguments)
        except import_redis().exceptions.NoScriptError:
            result = await client.eval(script(), len(KEYS), *arguments)
        return bytes(result)

    async def close(self) -> None:
        """Close what is open."""
        listening, self._listening = self._listening, None
        pubsub, self._pubsub = self._pubsub, None
        client, self._client = self._client, None
        if listening is not None and listening is not asyncio.current_task():
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        for thing in (pubsub, client):
            if thing is not None:
                with contextlib.suppress(Exception):
                    async with asyncio.timeout(self._timeout):
                        await thing.aclose()


def connector(url: str, timeout: float) -> Callable[[], Redis]:
    """Check an address of Redis, and give how to connect to it. What it says is not repeated."""
    redis = import_redis()
    options = None
    with contextlib.suppress(ValueError):
        options = redis.asyncio.connection.parse_url(url)
    if options is None:
        raise ConfigurationError("the URL of Redis is none: redis://, rediss:// or unix://")

    def connect() -> Redis:
        # Never sent again unseen: a script that was run twice has spent twice.
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


def _words(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
