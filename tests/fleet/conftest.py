"""Fleets and workers within this process, and a sandbox that they ask."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from binance_dust import Credentials, RateLimits, RetryPolicy, Session
from binance_dust.fleet import Fleet, Timing, Worker
from binance_dust.sandbox import Sandbox

WINDOW = 0.5
TIMING = Timing(pulse=0.05, patience=2.0, gather=0.1, wait=0.5)
"""Quick to ask; slow to blame, for the machine may be busy."""

Hire = Callable[..., Any]


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    while not condition():  # noqa: ASYNC110 - of the exchange's, and of tasks
        await asyncio.sleep(0.005)


@pytest.fixture
async def exchange() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7, window=WINDOW) as exchange:
        yield exchange


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """Where to meet: another place for every test."""
    return f"memory://{request.node.name}"


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def hire(exchange: Sandbox, stack: AsyncExitStack, url: str) -> Hire:
    """Open workers, each with an address of its own; they are closed in the end."""
    addresses = itertools.count(1)

    async def hire(accounts: Iterable[Credentials], **options: Any) -> Worker:
        session = Session(
            base_url=exchange.url,
            limits=RateLimits(window=WINDOW),
            retry=RetryPolicy(max_wait=0.01),
            local_addr=f"127.0.0.{next(addresses)}",
        )
        await stack.enter_async_context(session)
        given: dict[str, Any] = {"url": url, "grace": 5.0} | options
        worker = Worker(map(session.client, accounts), **given)
        return await stack.enter_async_context(worker)

    return hire


@pytest.fixture
async def fleet(url: str) -> AsyncIterator[Fleet]:
    async with Fleet(url, timing=TIMING) as fleet:
        yield fleet
