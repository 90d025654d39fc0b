"""The clients that are compared: each reads the assets of one account, its own usual way."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import yarl

from binance_dust import Credentials, RateLimits, Session

KEY, SECRET = "k" * 64, "s" * 64
NO_LIMITS = RateLimits(ip_weight=10**9, requests_per_second=10**6)

Ask = Callable[[], Awaitable[Any]]


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[Ask]:
    """Ours, with the amounts read, exact."""
    async with Session(base_url=url, limits=NO_LIMITS) as session:
        client = session.client(Credentials(KEY, SECRET))

        async def ask() -> Any:
            return [row.free for row in await client.user_assets()]

        yield ask


@asynccontextmanager
async def bare_aiohttp(url: str) -> AsyncIterator[Ask]:
    """The least that one could write by hand: sign, post, json.loads."""
    async with aiohttp.ClientSession() as http:

        async def ask() -> Any:
            query = f"recvWindow=5000&timestamp={int(time.time() * 1000)}"
            signature = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
            target = f"{url}/sapi/v3/asset/getUserAsset?{query}&signature={signature}"
            async with http.post(
                yarl.URL(target, encoded=True), headers={"X-MBX-APIKEY": KEY}
            ) as response:
                return [row["free"] for row in json.loads(await response.read())]

        yield ask


@asynccontextmanager
async def python_binance(url: str) -> AsyncIterator[Ask]:
    """python-binance, asynchronous."""
    from binance import AsyncClient

    client = AsyncClient(KEY, SECRET)
    client.MARGIN_API_URL = f"{url}/sapi"

    async def ask() -> Any:
        return [row["free"] for row in await client.get_user_asset()]

    try:
        yield ask
    finally:
        await client.close_connection()


@asynccontextmanager
async def ccxt(url: str) -> AsyncIterator[Ask]:
    """The asynchronous ccxt, its own pacing switched off."""
    import ccxt.async_support

    exchange = ccxt.async_support.binance(
        {"apiKey": KEY, "secret": SECRET, "enableRateLimit": False}
    )
    exchange.urls["api"]["sapiV3"] = f"{url}/sapi/v3"

    async def ask() -> Any:
        return [row["free"] for row in await exchange.sapiV3PostAssetGetUserAsset()]

    try:
        yield ask
    finally:
        await exchange.close()


@asynccontextmanager
async def official_sdk(url: str) -> AsyncIterator[Ask]:
    """The official SDK, which blocks: one call after the other in this thread."""
    from binance_common.configuration import ConfigurationRestAPI
    from binance_sdk_wallet.wallet import Wallet

    configuration = ConfigurationRestAPI(api_key=KEY, api_secret=SECRET, base_path=url)
    api = Wallet(config_rest_api=configuration).rest_api

    async def ask() -> Any:
        await asyncio.sleep(0)
        rows: Any = api.user_asset().data()
        return [row.free for row in rows]

    yield ask


ALL = {
    "binance_dust": ours,
    "bare aiohttp + json.loads": bare_aiohttp,
    "python-binance": python_binance,
    "ccxt": ccxt,
    "official SDK (blocking)": official_sdk,
}
PEERS = ("python-binance", "ccxt")
"""The asynchronous ones, which hand out plain dicts."""
