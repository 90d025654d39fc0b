"""300 accounts ask once for their small-liability list: weight 100 of 12,000 a window.

Each client has a sandbox of its own, in a process of its own, with windows of a few seconds; each
begins at the same point of a window. `least` is the least time that the limit allows.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from binance_dust import Credentials, RateLimits, Session
from binance_dust.sandbox import Sandbox

ACCOUNTS = 300
WINDOW = 3.0
START = 0.4
"""Where in a window everybody begins, as a part of it."""
PATIENCE = 60.0
LIST = "/sapi/v1/margin/exchange-small-liability"

Keys = list[tuple[str, str]]
Scan = Callable[[str, Keys], Awaitable[list[bool]]]


def _serve(pipe: Connection, mode: Any, accounts: int, window: float) -> None:
    async def serve() -> None:
        async with Sandbox(window=window, window_mode=mode) as exchange:
            opened = [exchange.open_account(margin=True) for _ in range(accounts)]
            pipe.send((exchange.url, [(each.api_key, each.secret.reveal()) for each in opened]))
            await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
            pipe.send((exchange.refusals, exchange.bans, exchange.shut_out))

    asyncio.run(serve())


@contextmanager
def an_exchange(
    mode: str, accounts: int = ACCOUNTS, window: float = WINDOW
) -> Iterator[tuple[str, Keys, Callable[[], tuple[int, int, int]]]]:
    """Run a sandbox, and give its URL, its accounts, and what it will have seen."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs, mode, accounts, window)
    )
    process.start()
    try:
        url, keys = ours.recv()

        def seen() -> tuple[int, int, int]:
            ours.send(None)
            result: tuple[int, int, int] = ours.recv()
            return result

        yield url, keys, seen
    finally:
        process.join(10)


async def _answered(calls: list[Awaitable[Any]]) -> list[bool]:
    results = await asyncio.gather(*calls, return_exceptions=True)
    return [not isinstance(result, BaseException) for result in results]


async def ours(url: str, keys: Keys) -> list[bool]:
    """Ours: one session, 300 clients, all asked at once."""
    async with Session(base_url=url, limits=RateLimits(window=WINDOW)) as session:
        clients = [session.client(Credentials(key, secret)) for key, secret in keys]
        return await _answered([client.small_liabilities() for client in clients])


async def python_binance(url: str, keys: Keys) -> list[bool]:
    """python-binance: 300 clients, all asked at once."""
    from binance import AsyncClient

    clients = [AsyncClient(key, secret) for key, secret in keys]
    for client in clients:
        client.MARGIN_API_URL = f"{url}/sapi"
    try:
        return await _answered([client.get_small_liability_exchange_assets() for client in clients])
    finally:
        await asyncio.gather(*[client.close_connection() for client in clients])


async def ccxt(url: str, keys: Keys) -> list[bool]:
    """The asynchronous ccxt, with its own pacing on, as it comes."""
    import ccxt.async_support

    exchanges = [ccxt.async_support.binance({"apiKey": k, "secret": s}) for k, s in keys]
    for exchange in exchanges:
        exchange.urls["api"]["sapi"] = f"{url}/sapi/v1"
    try:
        return await _answered(
            [exchange.sapiGetMarginExchangeSmallLiability() for exchange in exchanges]
        )
    finally:
        await asyncio.gather(*[exchange.close() for exchange in exchanges])


async def official_sdk(url: str, keys: Keys) -> list[bool]:
    """The official SDK, which blocks, in 16 threads."""
    from binance_common.configuration import ConfigurationRestAPI
    from binance_sdk_margin_trading.margin_trading import MarginTrading

    def ask(key: str, secret: str) -> Any:
        configuration = ConfigurationRestAPI(
            api_key=key, api_secret=secret, base_path=url, timeout=10_000
        )
        api = MarginTrading(config_rest_api=configuration).rest_api
        try:
            return api.get_small_liability_exchange_coin_list()
        finally:
            api._session.close()

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(16) as pool:
        return await _answered([loop.run_in_executor(pool, ask, *pair) for pair in keys])


CLIENTS: dict[str, Scan] = {
    "binance_dust": ours,
    "python-binance": python_binance,
    "ccxt": ccxt,
    "official SDK (16 threads)": official_sdk,
}


def least(mode: str) -> float:
    """Give the least time: 120 lists a window, so two waits for three windows' worth."""
    return WINDOW * (1 - START) + WINDOW if mode == "fixed" else 2 * WINDOW


def run() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    print(f"\n{ACCOUNTS} accounts, weight 100, windows of {WINDOW:g} s")
    for mode in ("fixed", "sliding"):
        print(f"\n{mode} windows: at least {least(mode):.2f} s for all")
        print(f"{'':28}{'answered':>10}{'refused':>10}{'bans':>6}{'seconds':>10}{'of least':>10}")
        for name, scan in CLIENTS.items():
            with an_exchange(mode) as (url, keys, seen):
                gc.collect()
                # Each begins at the same point of a window.
                time.sleep((START * WINDOW - time.time()) % WINDOW)
                began = time.perf_counter()
                done = asyncio.run(asyncio.wait_for(scan(url, keys), PATIENCE))
                took = time.perf_counter() - began
                refused, bans, shut_out = seen()
            share = f"{took / least(mode):.3f}" if all(done) else "-"
            print(f"{name:28}{sum(done):10}{refused + shut_out:10}{bans:6}{took:10.2f}{share:>10}")
