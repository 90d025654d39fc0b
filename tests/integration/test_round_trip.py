"""Whatever an asset is called, the exchange reads what was meant and finds it rightly signed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from binance_dust import Credentials, DustError, Session
from binance_dust.sandbox import Sandbox


@pytest.fixture(scope="module")
def exchange() -> Iterator[Sandbox]:
    # In a thread of its own, so that each example may have its own event loop.
    with Sandbox(seed=7) as exchange:
        yield exchange


@pytest.fixture(scope="module", params=["hmac", "ed25519"])
def credentials(request: pytest.FixtureRequest, exchange: Sandbox) -> Credentials:
    return exchange.open_account(request.param, key=request.param)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5, unique=True))
@example(["币安人生", "a b", "a&b=c", "a+b", "100%", "%2C", "~", "?#/", "\x00", "\N{PILE OF POO}"])
def test_any_text_survives_signing_and_sending(
    exchange: Sandbox, credentials: Credentials, names: list[str]
) -> None:
    async def ask() -> None:
        async with Session(base_url=exchange.url, lists="repeated") as session:
            client = session.client(credentials)
            for name in names:
                try:
                    await client.user_assets(asset=name)
                except DustError as error:
                    # The exchange may not know such an asset; that it was signed wrongly, never.
                    assert getattr(error, "code", None) != -1022
                assert exchange.requests[-1].parameters["asset"] == name

    asyncio.run(ask())
