"""The sandbox as a whole: repeatable by seed, independent of others, and silent about secrets."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

from binance_dust.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.sandbox.conftest import HttpCaller

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


async def answers(seed: int, new_caller: Callable[..., Awaitable[HttpCaller]]) -> list[Any]:
    async with Sandbox(seed=seed, clock=fake_time()) as exchange:
        accounts = exchange.open_accounts(6)
        accounts.append(exchange.open_account("own", ADA="6.21", MYSTERY="3"))
        caller = await new_caller(exchange)
        return [
            (await caller.ask(endpoint, account, **parameters)).json
            for account in accounts
            for endpoint, parameters in QUESTIONS
        ]


async def test_the_same_seed_gives_the_same_answers(
    new_caller: Callable[..., Awaitable[HttpCaller]],
) -> None:
    first, again = await answers(3, new_caller), await answers(3, new_caller)
    other = await answers(4, new_caller)

    assert first == again
    assert first != other


async def test_two_sandboxes_do_not_touch_each_other(
    new_caller: Callable[..., Awaitable[HttpCaller]],
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


async def test_it_can_be_opened_again_and_keeps_its_accounts() -> None:
    exchange = Sandbox()
    exchange.open_account("alice")
    for _ in range(2):
        async with exchange:
            assert exchange.url.startswith("http://127.0.0.1:")
            with pytest.raises(RuntimeError, match="open already"):
                await exchange.__aenter__()

    assert "alice" in exchange.accounts
    assert "closed" in repr(exchange)


def test_it_opens_with_25_accounts_in_less_than_a_second() -> None:
    began = time.perf_counter()
    with Sandbox() as exchange:
        exchange.open_accounts(25)

        assert time.perf_counter() - began < 1


async def test_no_secret_and_no_signature_is_shown_or_logged(
    new_caller: Callable[..., Awaitable[HttpCaller]], caplog: pytest.LogCaptureFixture
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


async def test_requests_are_remembered_up_to_a_number(
    new_caller: Callable[..., Awaitable[HttpCaller]],
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


async def test_the_exchange_has_its_own_clock(
    new_caller: Callable[..., Awaitable[HttpCaller]],
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
