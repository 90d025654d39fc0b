"""Serving: sockets, addresses, a thread for code that blocks, and closing."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest

from binance_dust.errors import ConfigurationError
from binance_dust.sandbox import Sandbox
from binance_dust.sandbox._server import LoopThread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.sandbox.conftest import HttpCaller

ASSETS = "POST /sapi/v3/asset/getUserAsset"


async def test_two_addresses_have_separate_weight(
    new_caller: Callable[..., Awaitable[HttpCaller]],
) -> None:
    async with Sandbox(ip_weight=1) as exchange:
        alice = exchange.open_account("alice")
        status = "GET /sapi/v1/account/status"
        here, there = await new_caller(exchange), await new_caller(exchange, "127.0.0.2")

        replies = [await caller.ask(status, alice) for caller in (here, there, here)]

        assert [reply.status for reply in replies] == [200, 200, 429]
        path = status.split()[1]
        assert exchange.peak_weight(path, address="127.0.0.1") == 2
        assert exchange.peak_weight(path, address="127.0.0.2") == 1
        assert exchange.refusals == 1
        assert (exchange.bans, exchange.shut_out) == (0, 0)


def test_it_serves_from_a_thread_for_code_that_blocks() -> None:
    with Sandbox() as exchange:
        url = f"{exchange.url}/sapi/v1/system/status"
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own, on loopback
            assert json.load(answer) == {"status": 0, "msg": "normal"}
        assert [str(seen) for seen in exchange.requests] == [
            "GET /sapi/v1/system/status from 127.0.0.1: 200"
        ]

    with pytest.raises(RuntimeError, match="not open"):
        _ = exchange.url


def test_an_error_in_the_thread_is_raised_in_the_thread_that_waits() -> None:
    @asynccontextmanager
    async def fragile(*, when: str) -> AsyncIterator[None]:
        if when == "opened":
            raise ConfigurationError(when)
        yield
        raise ConfigurationError(when)

    with pytest.raises(ConfigurationError, match="opened"):
        LoopThread(fragile(when="opened")).open()
    thread = LoopThread(fragile(when="closed"))
    thread.open()
    with pytest.raises(ConfigurationError, match="closed"):
        thread.close()


async def test_a_taken_port_is_an_error_on_entering_the_sandbox() -> None:
    async with Sandbox() as exchange:
        port = int(exchange.url.rpartition(":")[2])

        with pytest.raises(OSError, match="address"), Sandbox(port=port):
            pass
        with pytest.raises(OSError, match="address"):
            async with Sandbox(port=port):
                pass


async def test_closing_does_not_wait_for_a_delayed_answer(
    new_caller: Callable[..., Awaitable[HttpCaller]],
) -> None:
    async with Sandbox() as exchange:
        alice = exchange.open_account("alice")
        slow = exchange.faults.delay(3600)
        caller = await new_caller(exchange)
        asking = asyncio.create_task(caller.ask(ASSETS, alice))
        while not slow.hits:  # noqa: ASYNC110 - the fault knows of no event loop
            await asyncio.sleep(0)
        began = time.perf_counter()

    assert time.perf_counter() - began < 1
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await asking


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.com"])  # noqa: S104
def test_it_is_not_open_to_the_network_unless_that_is_said(host: str) -> None:
    with pytest.raises(ValueError, match="exposed=True"):
        Sandbox(host=host)
    Sandbox(host=host, exposed=True)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:80", 200),
        ("[::1]:80", 200),
        ("rebound.example", 421),
        ("127.0.0.1.example:80", 421),
        ("", 421),
    ],
)
async def test_a_page_in_a_browser_that_gave_its_name_this_address_gets_nothing(
    host: str, status: int
) -> None:
    async with Sandbox() as exchange, aiohttp.ClientSession() as http:
        url = f"{exchange.url}/api/v3/time"
        async with http.get(url, headers={"Host": host}) as answer:
            assert answer.status == status
        assert len(exchange.requests) == (status == 200)
