"""A Redis for the tests of budgets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tests.redis_server import Server, a_server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with a_server() as server:
        yield server


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(server.url)
    yield client
    client.close()
