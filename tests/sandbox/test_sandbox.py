"""The sandbox as a whole: it opens, serves, agrees with itself, keeps secrets, and closes."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import urllib.request
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from binance_dust.errors import ConfigurationError
from binance_dust.sandbox import Sandbox
from binance_dust.sandbox._server import LoopThread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from binance_dust.credentials import Credentials
    from tests.sandbox.conftest import Caller

ASSETS = "POST /sapi/v3/asset/getUserAsset"
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    (ASSETS, {"needBtcValuation": "true"}),
    ("POST /sapi/v1/asset/dust-convert/query-convertible-assets", {"targetAsset": "USDT"}),
    ("POST /sapi/v1/asset/dust-btc", {}),
    ("GET /sapi/v1/margin/exchange-small-liability", {}),
    ("GET /sapi/v1/margin/account", {}),
    ("POST /sapi/v1/asset/dust", {"asset": "ADA"}),
    ("GET /sapi/v1/asset/dribblet", {}),
]


def fake_time() -> Any:
    return lambda: 1_790_000_040.0


async def answers(seed: int, new_caller: Callable[..., Awaitable[Caller]]) -> list[Any]:
    async with Sandbox(seed=seed, clock=fake_time()) as exchange:
        accounts = exchange.open_accounts(6)
        accounts.append(exchange.open_account("own", ADA="6.21", MYSTERY="3"))
        caller = await new_caller(exchange)
        return [
            (await caller.ask(endpoint, account, **parameters)).json
            for account in accounts
            for endpoint, parameters in QUESTIONS
        ]


async def test_one_seed_gives_one_world(new_caller: Callable[..., Awaitable[Caller]]) -> None:
    first, again = await answers(3, new_caller), await answers(3, new_caller)
    other = await answers(4, new_caller)

    assert first == again
    assert first != other


async def test_two_sandboxes_do_not_touch_each_other(
    new_caller: Callable[..., Awaitable[Caller]],
) -> None:
    async with Sandbox() as one, Sandbox() as two:
        alice = one.open_account("alice", ADA="1")
        two.open_account("alice", ADA="2")
        one.faults.fail(times=None)

        first = await (await new_caller(one)).ask(ASSETS, alice)
        second = await (await new_caller(two)).ask(ASSETS, alice)

        assert first.status == 503
        assert second.json[0]["free"] == "2"
        assert (len(one.requests), len(two.requests)) == (1, 1)
        assert one.url != two.url


async def test_two_addresses_are_served_and_told_apart(
    new_caller: Callable[..., Awaitable[Caller]],
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


@pytest.mark.parametrize("kind", ["hmac", "ed25519", "rsa"])
async def test_an_account_has_the_kind_of_key_that_was_asked_for(kind: Any) -> None:
    async with Sandbox() as exchange:
        alice = exchange.open_account("alice", key=kind)

        assert alice.name == "alice"
        assert len(alice.api_key) == 64
        assert ("PRIVATE KEY" in alice.secret.reveal()) is (kind != "hmac")


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


def test_what_goes_wrong_in_the_thread_is_raised_to_who_waits_for_it() -> None:
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


async def test_it_can_be_opened_again_and_remembers() -> None:
    exchange = Sandbox()
    exchange.open_account("alice")
    for _ in range(2):
        async with exchange:
            assert exchange.url.startswith("http://127.0.0.1:")
            with pytest.raises(RuntimeError, match="open already"):
                await exchange.__aenter__()

    assert "alice" in exchange.accounts
    assert "closed" in repr(exchange)


async def test_a_taken_port_is_said_where_the_sandbox_is_entered() -> None:
    async with Sandbox() as exchange:
        port = int(exchange.url.rpartition(":")[2])

        with pytest.raises(OSError, match="address"), Sandbox(port=port):
            pass
        with pytest.raises(OSError, match="address"):
            async with Sandbox(port=port):
                pass


async def test_closing_does_not_wait_for_a_delayed_answer(
    new_caller: Callable[..., Awaitable[Caller]],
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


def test_it_is_ready_well_under_a_second() -> None:
    began = time.perf_counter()
    with Sandbox() as exchange:
        exchange.open_accounts(25)

        assert time.perf_counter() - began < 1


async def test_no_secret_and_no_signature_is_shown_or_logged(
    new_caller: Callable[..., Awaitable[Caller]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Sandbox() as exchange:
        alice = exchange.open_account("alice", ADA="6.21")
        caller = await new_caller(exchange)
        await caller.ask(ASSETS, alice)
        await caller.ask("POST /sapi/v1/asset/dust", alice, asset="ADA")
        shown = [
            repr(thing)
            for thing in (
                exchange,
                exchange.account("alice"),
                exchange.accounts,
                exchange.requests,
                exchange.conversions,
                exchange.faults,
                exchange.market,
                exchange.rules,
                exchange._core.limits,
                exchange._core.requests,
                exchange._core.clock,
            )
        ]

    text = "\n".join([*shown, caplog.text])
    assert alice.secret.reveal() not in text
    assert alice.api_key not in text
    assert "signature" not in text
    assert all("signature" not in seen.parameters for seen in exchange.requests)


def test_many_accounts_are_a_lively_mix() -> None:
    exchange = Sandbox(seed=1)

    credentials = exchange.open_accounts(60)

    accounts = list(exchange.accounts)
    assert len({account.api_key for account in credentials}) == 60
    assert [account.name for account in accounts] == [account.name for account in credentials]
    assert any(account.margin is None for account in accounts)
    assert any(account.margin is not None and not account.margin.debts for account in accounts)
    assert any(account.margin is not None and account.margin.debts for account in accounts)
    held = [dict(account.spot) for account in accounts]
    assert any("BZRX" in spot or "WRZ" in spot for spot in held)
    assert any(holding.locked for spot in held for holding in spot.values())
    assert exchange.account("alice") is accounts[0]


def test_a_name_is_given_once() -> None:
    exchange = Sandbox()
    exchange.open_account("alice")

    assert exchange.open_account().name == "bob"
    with pytest.raises(ValueError, match="'alice' is open already"):
        exchange.open_account("alice")


def test_a_misspelt_option_is_taken_for_no_asset() -> None:
    with pytest.raises(TypeError, match="no option 'permission'"):
        Sandbox().open_account("alice", permission="1")


def test_an_asset_that_nobody_knows_is_listed_at_a_price_of_cents() -> None:
    exchange = Sandbox(seed=1)
    exchange.open_account("alice", MYSTERY="1")

    assert 0 < exchange.market["MYSTERY"].price <= 1
    assert "NOSUCH" not in exchange.market


async def test_requests_are_remembered_up_to_a_number(
    new_caller: Callable[..., Awaitable[Caller]],
) -> None:
    async with Sandbox(remember=3) as exchange:
        alice, bob = exchange.open_account("alice"), exchange.open_account("bob")
        caller = await new_caller(exchange)
        for account in (alice, alice, alice, alice, bob):
            await caller.ask("GET /sapi/v1/account/status", account)
        await caller.ask("GET /sapi/v1/account/info", alice)

        assert [seen.account for seen in exchange.requests] == ["alice", "bob", "alice"]
        assert len(exchange.requests_of("/sapi/v1/account/info")) == 1
        assert len(exchange.requests_of("GET /sapi/v1/account/status", account="bob")) == 1
        exchange.forget_requests()
        assert exchange.requests == ()


async def test_the_clock_of_the_exchange_is_its_own(
    new_caller: Callable[..., Awaitable[Caller]],
) -> None:
    async with Sandbox() as exchange:
        alice = exchange.open_account("alice")
        caller = await new_caller(exchange)
        exchange.faults.drift_clock(seconds=30)

        told = await caller.ask("GET /api/v3/time", alice)
        late = await caller.ask(
            "GET /sapi/v1/account/status", alice, timestamp=int(time.time() * 1000)
        )

        assert told.json["serverTime"] > (time.time() + 25) * 1000
        assert late.code == -1021


def keys(credentials: Credentials) -> tuple[str, str]:
    return credentials.api_key, credentials.secret.reveal()


def test_the_keys_do_not_depend_on_the_order_of_opening() -> None:
    one, two = Sandbox(seed=5), Sandbox(seed=5)

    first = keys(one.open_account("alice")), keys(one.open_account("bob"))
    second = keys(two.open_account("bob")), keys(two.open_account("alice"))

    assert first == (second[1], second[0])
