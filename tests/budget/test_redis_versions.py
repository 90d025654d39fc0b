"""Two versions of the package, each with books of its own kind, behind one address."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis

from binance_dust import ConfigurationError
from binance_dust.budget import Feedback
from tests.budget.shared import SharedCaller
from tests.budget.virtual import LIST, Latency, VirtualExchange, run


def keep_otherwise(caller: SharedCaller, layout: int = 7) -> None:
    """Let what is in Redis be that of a version which keeps it otherwise."""
    assert caller.client is not None
    kept: dict[Any, Any] = {"@layout": layout, "@epoch": "another"}
    caller.client.hset(f"{{{caller.name}}}:pools", mapping=kept)


def callers(client: redis.Redis) -> tuple[SharedCaller, SharedCaller]:
    first = SharedCaller(VirtualExchange(start=10.0, latency=Latency(0.01, 0.01)), client=client)
    return first, first.another()


def test_another_version_at_work_is_told_and_left_alone(client: redis.Redis) -> None:
    async def main() -> None:
        one, two = callers(client)
        await one.call(LIST)
        keep_otherwise(one)
        before = client.hgetall(f"{{{one.name}}}:pools")

        with pytest.raises(ConfigurationError, match=r"another version .*layout 7.* upgrade all"):
            await two.call(LIST)

        assert client.hgetall(f"{{{one.name}}}:pools") == before

    run(main())


def test_another_version_that_was_silent_for_a_window_is_forgotten(client: redis.Redis) -> None:
    async def main() -> None:
        one, two = callers(client)
        await one.call(LIST)
        one.store.die()
        keep_otherwise(one)
        await asyncio.sleep(59.0)
        with pytest.raises(ConfigurationError, match="another version"):
            await two.call(LIST)
        await asyncio.sleep(2.0)

        await two.call(LIST)

        (pool,) = two.budget.snapshot().pools
        assert pool.used == 100

    run(main())


def test_a_version_that_was_closed_makes_room_at_once_and_leaves_its_ban(
    client: redis.Redis,
) -> None:
    async def main() -> None:
        one, two = callers(client)
        banned = await one.budget.admit(LIST)
        banned.settle(Feedback(418, retry_after=150.0))
        await one.budget.close()
        keep_otherwise(one)

        waiting = asyncio.ensure_future(two.budget.admit(LIST))

        await asyncio.sleep(149.0)
        assert not waiting.done()
        await asyncio.sleep(3.0)
        assert waiting.done()

    run(main())
