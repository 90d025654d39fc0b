"""Calls with a deadline over a real socket: what may go in time goes, the rest is told at once.

A window is thirty years here, so that nothing depends on how long a busy machine takes, nor on the
time of day: whoever is taken for waiting for the next one can't make its deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from binance_dust import BudgetExceededError, RateLimits, RetryPolicy, Session, scan
from binance_dust.budget import RedisBudget
from binance_dust.sandbox import Sandbox
from tests.redis_server import a_server

AGE = 1e9


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with a_server() as server:
        yield server.url


@pytest.fixture(params=["alone", "shared"])
async def hasty(
    request: pytest.FixtureRequest, exchange: Sandbox, url: str
) -> AsyncIterator[Session]:
    """A session with a deadline of a minute."""
    limits = RateLimits(window=AGE)
    async with AsyncExitStack() as stack:
        budget = None
        if request.param == "shared":
            budget = await stack.enter_async_context(RedisBudget(url, name=exchange.url[7:]))
        retry = RetryPolicy(deadline=60.0)
        session = Session(base_url=exchange.url, limits=limits, retry=retry, budget=budget)
        yield await stack.enter_async_context(session)


@pytest.fixture
async def exchange() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7, window=AGE) as exchange:
        yield exchange


async def test_whoever_waits_for_the_pace_alone_is_answered(
    exchange: Sandbox, hasty: Session
) -> None:
    clients = [hasty.client(account) for account in exchange.open_accounts(200)]

    assets = await asyncio.gather(*[client.user_assets() for client in clients])

    assert len(assets) == 200


async def test_a_scan_of_a_hurried_session_reads_everything_that_fits(
    exchange: Sandbox, hasty: Session
) -> None:
    clients = [hasty.client(account) for account in exchange.open_accounts(100)]

    reports = [report async for report in scan(clients)]

    assert [report.account for report in reports if report.errors] == []
    assert len(reports) == 100


async def test_the_lists_that_fit_are_read_and_the_rest_is_told(
    exchange: Sandbox, hasty: Session
) -> None:
    accounts = [exchange.open_account(margin=True) for _ in range(130)]

    ends = await asyncio.gather(
        *[hasty.client(account).small_liabilities() for account in accounts],
        return_exceptions=True,
    )

    # The last of the 120 is the witness's: it would go when nobody has come for a year.
    assert sum(isinstance(end, list) for end in ends) == 119
    assert sum(isinstance(end, BudgetExceededError) for end in ends) == 11
    assert exchange.refusals == 0
