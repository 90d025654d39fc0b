"""The clients that are compared: each reads the assets of accounts, its own usual way.

Nothing of a client is imported before it is asked for, so that a process has only the one that it
measures. A `Desk` is what a program has once, an `Account` what it has for each account: with ours
and with a careful hand that is a key, with the others a client and its connections.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, NamedTuple, Protocol

SECRET = "s" * 64

Ask = Callable[[], Awaitable[Any]]


class Account(NamedTuple):
    """One account, ready to be asked."""

    ask: Ask
    """Read the free amount of each of its assets."""
    close: Callable[[], Awaitable[None]]


class Desk(Protocol):
    """Opens accounts by their numbers, with a secret or a PEM private key."""

    def __call__(self, number: int = 0, secret: str = SECRET) -> Account: ...


def key(number: int) -> str:
    """Give the API key of an account."""
    return f"{number:064}"


async def close(accounts: list[Account]) -> None:
    """Close accounts all at once: some take a moment for it."""
    await asyncio.gather(*[account.close() for account in accounts])


async def nothing() -> None:
    """Close what has nothing to close."""


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[Desk]:
    """Ours: one session, and amounts read, exact."""
    from binance_dust import Credentials, RateLimits, Session

    limits = RateLimits(ip_weight=10**9, requests_per_second=10**6)
    async with Session(base_url=url, limits=limits) as session:

        def account(number: int = 0, secret: str = SECRET) -> Account:
            client = session.client(Credentials(key(number), secret))

            async def ask() -> Any:
                return [row.free for row in await client.user_assets()]

            return Account(ask, nothing)

        yield account


@asynccontextmanager
async def bare_aiohttp(url: str) -> AsyncIterator[Desk]:
    """The least that one could write by hand: sign, post, json.loads; one session for all."""
    import hashlib
    import hmac
    import time

    import aiohttp
    import yarl

    async with aiohttp.ClientSession() as http:

        def account(number: int = 0, secret: str = SECRET) -> Account:
            api_key = key(number)

            async def ask() -> Any:
                query = f"recvWindow=5000&timestamp={int(time.time() * 1000)}"
                signature = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
                target = f"{url}/sapi/v3/asset/getUserAsset?{query}&signature={signature}"
                async with http.post(
                    yarl.URL(target, encoded=True), headers={"X-MBX-APIKEY": api_key}
                ) as response:
                    return [row["free"] for row in json.loads(await response.read())]

            return Account(ask, nothing)

        yield account


@asynccontextmanager
async def python_binance(url: str) -> AsyncIterator[Desk]:
    """python-binance, asynchronous: a client has a session of its own."""
    from binance import AsyncClient

    def account(number: int = 0, secret: str = SECRET) -> Account:
        private = {"private_key": secret} if "PRIVATE KEY" in secret else {"api_secret": secret}
        client = AsyncClient(key(number), **private)
        client.MARGIN_API_URL = f"{url}/sapi"

        async def ask() -> Any:
            return [row["free"] for row in await client.get_user_asset()]

        return Account(ask, client.close_connection)

    yield account


@asynccontextmanager
async def ccxt(url: str, *, paced: bool = False) -> AsyncIterator[Desk]:
    """The asynchronous ccxt, its own pacing switched off or on."""
    import ccxt.async_support

    def account(number: int = 0, secret: str = SECRET) -> Account:
        exchange = ccxt.async_support.binance(
            {"apiKey": key(number), "secret": secret, "enableRateLimit": paced, "timeout": 60_000}
        )
        exchange.urls["api"]["sapiV3"] = f"{url}/sapi/v3"

        async def ask() -> Any:
            return [row["free"] for row in await exchange.sapiV3PostAssetGetUserAsset()]

        return Account(ask, exchange.close)

    yield account


@asynccontextmanager
async def official_sdk(url: str) -> AsyncIterator[Desk]:
    """The official SDK, which blocks: one call after the other in this thread."""
    from binance_common.configuration import ConfigurationRestAPI
    from binance_sdk_wallet.wallet import Wallet

    def account(number: int = 0, secret: str = SECRET) -> Account:
        private = {"private_key": secret} if "PRIVATE KEY" in secret else {"api_secret": secret}
        configuration = ConfigurationRestAPI(api_key=key(number), base_path=url, **private)
        api = Wallet(config_rest_api=configuration).rest_api

        async def ask() -> Any:
            await asyncio.sleep(0)
            rows: Any = api.user_asset().data()
            return [row.free for row in rows]

        async def close() -> None:
            api._session.close()

        return Account(ask, close)

    yield account


OURS = "binance_dust"
BARE = "bare aiohttp"
OFFICIAL = "official SDK"
ALL: dict[str, Callable[[str], AbstractAsyncContextManager[Desk]]] = {
    OURS: ours,
    BARE: bare_aiohttp,
    "python-binance": python_binance,
    "ccxt": ccxt,
    OFFICIAL: official_sdk,
}
"""Those that are compared in everything."""
ON_UVLOOP = "binance_dust on uvloop"
PACED = "ccxt with its limiter"
EXTRA: dict[str, Callable[[str], AbstractAsyncContextManager[Desk]]] = {
    ON_UVLOOP: ours,
    PACED: partial(ccxt, paced=True),
}
"""Those that are compared where a call's CPU is measured."""
IMPORTS = {
    OURS: "from binance_dust import Credentials, RateLimits, Session",
    BARE: "import aiohttp, asyncio, hashlib, hmac, json",
    "python-binance": "from binance import AsyncClient",
    "ccxt": "import ccxt.async_support",
    OFFICIAL: "from binance_sdk_wallet.wallet import Wallet",
    ON_UVLOOP: "import uvloop; from binance_dust import Credentials, RateLimits, Session",
    PACED: "import ccxt.async_support",
}
"""What a program that uses it begins with."""
QUICK = (OURS, BARE)
"""Those that the tests can afford to import."""
