"""Fleets and workers within this process, and a sandbox that they ask."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from binance_dust import Credentials, RateLimits, RetryPolicy, Session
from binance_dust.fleet import Fleet, Timing, Worker
from binance_dust.ledger import Ledger
from binance_dust.sandbox import Sandbox
from tests.systems import needs_address

ASSETS = "POST /sapi/v3/asset/getUserAsset"
WINDOW = 0.5
TIMING = Timing(pulse=0.05, patience=2.0, gather=0.1, wait=0.5)
"""Asks often, but is patient: the machine may be busy."""

StartWorker = Callable[..., Any]


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; a test fails rather than to wait for ever."""
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - about other tasks and the exchange
            await asyncio.sleep(0.005)


def at_work() -> list[str]:
    """Find what still runs for any job."""
    names = ("Job.", "OpenScan.", "AccountScan.", "_ScanRun.")
    coroutines = [repr(task.get_coro()) for task in asyncio.all_tasks()]
    return [text for text in coroutines if any(name in text for name in names)]


async def settle(*workers: Worker) -> None:
    """Wait until all that was told to end has ended, however busy the machine is."""
    for _ in range(2000):
        if not at_work() and not any(worker.in_hand for worker in workers):
            return
        await asyncio.sleep(0.005)


@pytest.fixture
async def exchange() -> AsyncIterator[Sandbox]:
    # Without a cooldown the exchange does not stop a second conversion.
    async with Sandbox(seed=7, window=WINDOW, cooldown=0) as exchange:
        yield exchange


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with Ledger(tmp_path / "books.db") as ledger:
        yield ledger


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """Where fleet and workers meet: another place for every test."""
    return f"memory://{request.node.name}"


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def start_worker(exchange: Sandbox, stack: AsyncExitStack, url: str) -> StartWorker:
    """Open workers, each with an address of its own; they are closed at the end."""
    addresses = itertools.count(1)

    async def start_worker(accounts: Iterable[Credentials], **options: Any) -> Worker:
        session = Session(
            base_url=exchange.url,
            limits=RateLimits(window=WINDOW),
            retry=RetryPolicy(max_wait=0.01),
            local_addr=needs_address(f"127.0.0.{next(addresses)}"),
        )
        await stack.enter_async_context(session)
        given: dict[str, Any] = {"url": url, "grace": 5.0} | options
        worker = Worker(map(session.client, accounts), **given)
        before = exchange.requests
        await stack.enter_async_context(worker)
        if not before:
            # What a worker tries before it takes work is not what these tests are about.
            exchange.forget_requests()
        return worker

    return start_worker


@pytest.fixture
async def fleet(url: str) -> AsyncIterator[Fleet]:
    async with Fleet(url, timing=TIMING) as fleet:
        yield fleet
