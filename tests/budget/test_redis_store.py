"""The connections to Redis: the script runs, messages are heard, and failures are told in time."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import pytest
import redis
import redis.asyncio

from binance_dust import ConfigurationError
from binance_dust.budget import RedisBudget
from binance_dust.budget._redis._script import digest
from binance_dust.budget._redis._store import AwayError, RedisStore, connector
from tests.redis_server import Server


class StoreBench:
    """A store, and what it heard."""

    def __init__(self, server: Server, timeout: float = 5.0) -> None:
        self.store = RedisStore(connector(server.url, timeout), "store", timeout)
        self.heard: list[bytes] = []
        self.lost: list[str] = []

    async def open(self, channel: str = "store:me") -> None:
        await self.store.open(channel, self.heard.append, self.lost.append)


async def until(done: Any) -> None:
    """Wait for what a server does in its own time."""
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - it is another process that does it
            await asyncio.sleep(0.001)


def listening(client: redis.Redis) -> int:
    counts: Any = client.pubsub_numsub("store:me")
    return int(counts[0][1])


def connections(client: redis.Redis) -> int:
    clients: Any = client.client_list()
    return len(clients)


@pytest.fixture(autouse=True)
def alone(client: redis.Redis) -> None:
    client.flushdb()
    client.script_flush()


async def test_the_script_is_sent_once_and_called_by_its_digest_then(
    server: Server, client: redis.Redis
) -> None:
    bench = StoreBench(server)
    await bench.open()
    assert client.script_exists(digest()) == [False]
    for _ in range(2):
        at, fields, entries = await bench.store.call("load")
        assert abs(float(at) - time.time()) < 60.0
        assert (fields, entries) == ([], [])
        assert client.script_exists(digest()) == [True]

    await bench.store.call("create", "", "first", 3, 60_000, "name", b"\xff", "other", 0.5)
    (_, flat, _) = await bench.store.call("load")
    found = dict(zip(flat[::2], flat[1::2], strict=True))
    assert (found[b"name"], found[b"other"], found[b"@at"]) == (b"\xff", b"0.5", b"3")
    assert client.keys("*") == [b"{store}:pools"]
    await bench.store.close()


async def test_what_is_told_from_the_opening_on_is_heard(
    server: Server, client: redis.Redis
) -> None:
    bench = StoreBench(server)
    await bench.open()
    client.publish("store:me", "1")
    assert await bench.store.call("tell", "store:me", 2, "store:nobody", 3) == [b"store:nobody"]
    await until(lambda: len(bench.heard) == 2)

    assert bench.heard == [b"1", b"2"]
    assert bench.lost == []
    await bench.store.close()


async def test_a_silent_channel_is_no_failure(server: Server, client: redis.Redis) -> None:
    bench = StoreBench(server, timeout=0.05)
    await bench.open()
    await asyncio.sleep(0.15)
    client.publish("store:me", "1")
    await until(lambda: bench.heard)
    assert bench.lost == []
    await bench.store.close()


async def test_it_is_told_when_the_connection_that_listens_is_gone(
    server: Server, client: redis.Redis
) -> None:
    bench = StoreBench(server)
    await bench.open()
    client.client_kill_filter(_type="pubsub")
    await until(lambda: bench.lost)
    assert "ConnectionError" in bench.lost[0]

    await bench.open()
    client.publish("store:me", "1")
    await until(lambda: bench.heard)
    assert len(bench.lost) == 1
    await bench.store.close()


async def test_what_is_opened_again_or_closed_leaves_no_connection_behind(
    server: Server, client: redis.Redis
) -> None:
    before = connections(client)
    bench = StoreBench(server)
    await bench.open("store:other")
    await bench.open()
    await bench.store.call("load")
    await until(lambda: connections(client) == before + 2)
    assert listening(client) == 1

    for _ in range(2):
        await bench.store.close()
        await until(lambda: connections(client) == before)
        assert listening(client) == 0
        with pytest.raises(AwayError, match=r"^not connected$"):
            await bench.store.call("load")
    assert bench.lost == []
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await bench.open()
    await bench.store.call("load")
    await bench.store.close()


async def test_a_users_client_that_connects_again_by_itself_is_heard_as_before(
    server: Server, client: redis.Redis
) -> None:
    def connect() -> Any:
        retry = redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 3)
        return redis.asyncio.Redis.from_url(server.url, retry=retry)

    bench = StoreBench(server)
    bench.store = RedisStore(connect, "store", 5.0)
    await bench.open()
    client.client_kill_filter(_type="pubsub")
    await until(lambda: listening(client) == 1)
    client.publish("store:me", "7")
    await until(lambda: bench.heard)
    assert (bench.heard, bench.lost) == ([b"7"], [])
    await bench.store.close()


def test_without_the_extra_the_error_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)

    with pytest.raises(ConfigurationError, match="binance-dust\\[redis\\]"):
        RedisBudget(object)  # type: ignore[arg-type]


async def test_a_redis_that_does_not_answer_is_away_in_time(server: Server) -> None:
    bench = StoreBench(server, timeout=0.1)
    await bench.open()
    await bench.store.call("load")
    fresh = StoreBench(server, timeout=0.1)
    server.stop()
    began = time.monotonic()
    try:
        with pytest.raises(AwayError, match=r"^TimeoutError$") as caught:
            await bench.store.call("load")
        with pytest.raises(AwayError, match=r"^Timeout"):
            await fresh.open()
        await bench.store.close()
        await fresh.store.close()
        assert time.monotonic() - began < 5.0
    finally:
        server.go_on()
    assert caught.value.__context__ is None, "a foreign error would hold the URL"


async def test_an_error_of_the_script_is_away_with_its_first_line(server: Server) -> None:
    bench = StoreBench(server)
    await bench.open()
    with pytest.raises(AwayError) as caught:
        await bench.store.call("nothing")

    assert str(caught.value).startswith("ResponseError: ")
    assert "\n" not in str(caught.value)
    assert caught.value.__context__ is None
    await bench.store.close()


async def test_an_error_of_the_users_client_is_away_by_its_name_alone() -> None:
    def connect() -> Any:
        raise ZeroDivisionError("\n")

    with pytest.raises(AwayError, match=r"^ZeroDivisionError$") as caught:
        await RedisStore(connect, "x", 1.0).open("channel", print, print)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "keepalive"),
    [("redis://host:1/2", True), ("rediss://host", True), ("unix:///run/redis.sock", None)],
)
async def test_connections_are_made_in_time_and_never_twice(
    url: str, *, keepalive: bool | None
) -> None:
    options = connector(url, 2.5)().connection_pool.connection_kwargs

    assert options["socket_connect_timeout"] == 2.5
    assert options.get("socket_keepalive") is keepalive
    assert options["retry"]._retries == 0
    assert (options["decode_responses"], options["protocol"]) == (False, 2)


@pytest.mark.parametrize("url", ["http://user:hunter2@host", "somewhere", "redis://host:port"])
def test_a_url_that_is_none_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="URL of Redis") as caught:
        connector(url, 1.0)
    assert "host" not in str(caught.value)
    assert caught.value.__context__ is None
