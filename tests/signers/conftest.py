"""A sandbox, an ssh-agent, and keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from binance_dust import RetryPolicy, Session
from binance_dust.sandbox import Sandbox
from tests.ssh_agent import Agent, an_agent


@pytest.fixture
def agent() -> Iterator[Agent]:
    with an_agent() as agent:
        yield agent


@pytest.fixture
async def exchange() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7) as exchange:
        yield exchange


@pytest.fixture
async def session(exchange: Sandbox) -> AsyncIterator[Session]:
    async with Session(base_url=exchange.url, retry=RetryPolicy(max_wait=0.01)) as session:
        yield session
