"""Scans that end early, sources that break, slow readers: nothing keeps running or piles up."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from binance_dust import (
    AccountReport,
    ConfigurationError,
    DustClient,
    RateLimits,
    Session,
    scan,
)
from binance_dust.sandbox import Sandbox


def scanning() -> set[asyncio.Task[Any]]:
    """Find what still runs for any scan."""
    return {
        task
        for task in asyncio.all_tasks()
        if any(name in repr(task.get_coro()) for name in ("_ScanRun.", "AccountScan.", "athrow"))
    }


async def test_leaving_early_leaves_nothing_running(clients: list[DustClient]) -> None:

    async for _ in scan(clients):
        break

    for _ in range(20):
        await asyncio.sleep(0)
    assert scanning() == set()


async def test_a_scan_as_a_context_has_stopped_when_it_is_left(clients: list[DustClient]) -> None:

    async with scan(clients) as reports:
        await anext(reports)

    assert scanning() == set()


async def test_a_cancelled_scan_leaves_nothing_running(
    exchange: Sandbox, clients: list[DustClient]
) -> None:
    exchange.faults.delay(30.0, times=None)

    async def consume() -> None:
        async for _ in scan(clients):
            pass

    task = asyncio.create_task(consume())
    await asyncio.sleep(0.05)
    assert len(scanning()) > 10
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert scanning() == set()


async def test_a_source_that_breaks_is_heard_and_leaves_nothing_running(
    clients: list[DustClient],
) -> None:
    def breaks() -> Iterator[DustClient]:
        yield from clients[:5]
        raise LookupError("the list of accounts has gone")

    with pytest.raises(LookupError, match="has gone"):
        async for _ in scan(breaks()):
            pass

    assert scanning() == set()


async def test_a_source_that_is_cancelled_ends_the_scan(clients: list[DustClient]) -> None:
    """Something that it waits for was cancelled elsewhere, and nobody cancelled the scan."""

    async def source() -> AsyncIterator[DustClient]:
        yield clients[0]
        elsewhere: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        elsewhere.cancel()
        await elsewhere

    reading = asyncio.ensure_future(anext(reports := scan(source()), None))
    await asyncio.wait([reading], timeout=10)
    assert reading.done()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await reports.aclose()


async def test_a_scan_that_a_timeout_cut_short_does_not_look_complete(
    clients: list[DustClient], exchange: Sandbox
) -> None:
    exchange.faults.delay(30.0, times=None)
    reports = scan(clients)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(reports), 0.01)

    with pytest.raises(ConfigurationError, match=r"<Scan 0 of \d+ .*> stopped when"):
        await anext(reports)
    await reports.aclose()


async def test_a_slow_reader_is_waited_for(clients: list[DustClient]) -> None:
    reports = scan(clients, liabilities=False, concurrency=2)

    first = await anext(reports)
    for _ in range(200):
        await asyncio.sleep(0.001)
    # Two are ready, two more are made, and no further until somebody takes the first.
    assert reports.progress.done <= 6
    rest = [report async for report in reports]

    assert len({first.account, *(report.account for report in rest)}) == 12


@pytest.mark.long
async def test_memory_is_the_same_for_many_accounts(exchange: Sandbox) -> None:
    """Nothing that a scan keeps about an account outlives its report."""
    limits = RateLimits(ip_weight=10**6, requests_per_second=10**6)
    credentials = exchange.open_account("alice", ADA="6.21")
    counts = []
    async with Session(base_url=exchange.url, limits=limits) as session:
        clients = (session.client(credentials) for _ in range(600))
        reports = scan(clients, liabilities=False, concurrency=8)
        seen = 0
        async for _ in reports:
            seen += 1
            if seen in (200, 400):
                gc.collect()
                counts.append(sum(isinstance(each, AccountReport) for each in gc.get_objects()))

    assert seen == 600
    assert max(counts) <= 24
