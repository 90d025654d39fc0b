"""Sessions of one process that spend from one address, each as if it were alone."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from binance_dust import DustClient, RateLimits, Session
from binance_dust._call import addresses
from binance_dust.budget import LocalBudget
from binance_dust.sandbox import Sandbox
from tests.systems import needs_address


@pytest.fixture
async def exchange() -> AsyncIterator[Sandbox]:
    async with Sandbox() as exchange:
        yield exchange


def warnings_in(log: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.message
        for record in log.records
        if record.name == "binance_dust"
        and record.levelno == logging.WARNING
        and "from one address" in record.message
    ]


async def use(*sessions: Session) -> None:
    """Make a call by each of the sessions, while all are open; then close them."""
    async with AsyncExitStack() as stack:
        for session in sessions:
            await stack.enter_async_context(session)
            await session.learn_time()


async def test_two_sessions_at_one_address_are_warned_of_once(
    exchange: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        await use(*[Session(base_url=exchange.url) for _ in range(3)])

    (warning,) = warnings_in(caplog)
    assert exchange.url in warning
    assert "session.client(credentials)" in warning
    assert "Session(budget=" in warning


async def test_clients_that_make_sessions_of_their_own_are_warned_of(
    exchange: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    alice = exchange.open_account("alice")
    clients = [DustClient(alice, base_url=exchange.url) for _ in range(20)]

    await asyncio.gather(*[client.user_assets() for client in clients])

    assert len(warnings_in(caplog)) == 1
    for client in clients:
        await client.close()


async def test_a_session_that_does_not_share_the_budget_of_the_others_is_warned_of(
    exchange: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    first = Session(base_url=exchange.url)
    second = Session(base_url=exchange.url, budget=first.budget)
    await use(first, second)
    assert warnings_in(caplog) == []

    first = Session(base_url=exchange.url)
    second = Session(base_url=exchange.url, budget=first.budget)
    await use(first, second, Session(base_url=exchange.url))
    assert len(warnings_in(caplog)) == 1


async def test_budgets_that_were_all_given_are_their_makers_matter(
    exchange: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Two `RedisBudget` objects may well be one pool."""
    clock: Any = Session(base_url=exchange.url)._pipeline.clock
    sessions = [
        Session(base_url=exchange.url, budget=LocalBudget(RateLimits(), clock)) for _ in range(2)
    ]

    await use(*sessions)

    assert warnings_in(caplog) == []


@pytest.mark.parametrize(("headroom", "warned"), [(0.5, 1), (0.9, 0)])
async def test_the_largest_part_of_given_budgets_counts(
    headroom: float, warned: int, exchange: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    own = Session(base_url=exchange.url, limits=RateLimits(headroom=headroom))
    sessions = [
        Session(
            base_url=exchange.url,
            limits=RateLimits(headroom=given),
            budget=LocalBudget(RateLimits(), own._pipeline.clock),
        )
        for given in (0.9, 0.2, 0.9)
    ]

    await use(own, *sessions)

    assert len(warnings_in(caplog)) == warned


@pytest.mark.parametrize(
    ("headrooms", "warned"), [((0.4, 0.6), 0), ((0.5, 0.5), 0), ((0.4, 0.5), 1)]
)
async def test_parts_that_leave_the_others_room_need_no_warning(
    headrooms: tuple[float, ...],
    warned: int,
    exchange: Sandbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sessions = [
        Session(base_url=exchange.url, limits=RateLimits(headroom=headroom))
        for headroom in headrooms
    ]

    await use(*sessions)

    assert len(warnings_in(caplog)) == warned


async def test_sessions_one_after_the_other_need_no_warning(
    exchange: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    unused = Session(base_url=exchange.url)
    await Session(base_url=exchange.url).close()
    for _ in range(2):
        await use(Session(base_url=exchange.url))
    # One that was dropped without closing it is gone as well.
    http = aiohttp.ClientSession()
    dropped = Session(base_url=exchange.url, http=http)
    await dropped.learn_time()
    del dropped
    gc.collect()
    await use(Session(base_url=exchange.url, http=http))

    await http.close()
    assert warnings_in(caplog) == []
    assert not unused.closed
    ours = [way for way in addresses._USERS if way.base_url == exchange.url]
    assert ours == [], "nothing is remembered of them"


async def test_a_session_is_counted_from_its_first_call_to_its_end(
    exchange: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    half = RateLimits(headroom=0.5)
    first, second = (Session(base_url=exchange.url, limits=half) for _ in range(2))
    assert not first._address.entered
    await first.learn_time()
    assert first._address.entered
    await second.learn_time()
    await first.close()
    assert warnings_in(caplog) == []

    await use(Session(base_url=exchange.url), second)

    assert len(warnings_in(caplog)) == 1


def test_sessions_of_an_event_loop_that_has_ended_need_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept: list[Session] = []

    async def main(url: str) -> None:
        async with aiohttp.ClientSession() as http:
            kept.append(Session(base_url=url, http=http))
            await kept[-1].learn_time()

    with Sandbox() as exchange:
        for _ in range(2):
            asyncio.run(main(exchange.url))

    assert warnings_in(caplog) == []


async def test_other_exchanges_and_other_ways_out_need_no_warning(
    exchange: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        Sandbox() as other,
        aiohttp.ClientSession() as http,
        aiohttp.ClientSession() as another,
    ):
        async with Session(base_url=other.url) as elsewhere:
            await elsewhere.learn_time()
            sessions = [
                Session(base_url=exchange.url),
                Session(base_url=exchange.url, local_addr=needs_address("127.0.0.2")),
                Session(base_url=exchange.url, proxy=exchange.url),
                Session(base_url=exchange.url, http=http),
                Session(base_url=exchange.url, http=another),
            ]
            await use(*sessions)
        assert warnings_in(caplog) == []
        await use(*[Session(base_url=exchange.url, http=http) for _ in range(2)])
        assert len(warnings_in(caplog)) == 1
