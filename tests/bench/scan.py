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
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from binance_dust import Credentials, RateLimits, Session
from binance_dust.sandbox import Sandbox
from tests.bench.results import Column, Row, Table

ACCOUNTS = 300
WINDOW = 3.0
START = 0.4
"""Where in a window everybody begins, as a part of it."""
PATIENCE = 60.0
LIST = "/sapi/v1/margin/exchange-small-liability"

Keys = list[tuple[str, str]]
Scan = Callable[[str, Keys, float], Coroutine[Any, Any, list[bool]]]


def _serve(pipe: Connection, mode: Any, accounts: int, window: float, others: int) -> None:
    async def spend(exchange: Sandbox) -> None:
        while others:
            # At the beginning of each window, before anybody else does.
            await asyncio.sleep(window * 1.02 - time.time() % window)
            exchange.faults.spend(f"GET {LIST}", others)

    async def serve() -> None:
        async with Sandbox(window=window, window_mode=mode) as exchange:
            opened = [exchange.open_account(margin=True) for _ in range(accounts)]
            if others:
                exchange.faults.spend(f"GET {LIST}", others)
            pipe.send((exchange.url, [(each.api_key, each.secret.reveal()) for each in opened]))
            spending = asyncio.create_task(spend(exchange))
            await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
            pipe.send((exchange.refusals, exchange.bans, exchange.shut_out))
            spending.cancel()

    asyncio.run(serve())


@contextmanager
def an_exchange(
    mode: str, accounts: int = ACCOUNTS, window: float = WINDOW, others: int = 0
) -> Iterator[tuple[str, Keys, Callable[[], tuple[int, int, int]]]]:
    """Run a sandbox, and give its URL, its accounts, and what it will have seen.

    `others` is the weight that other software behind the address spends in each window.
    """
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs, mode, accounts, window, others)
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


async def answered(calls: list[Awaitable[Any]]) -> list[bool]:
    results = await asyncio.gather(*calls, return_exceptions=True)
    return [not isinstance(result, BaseException) for result in results]


async def ours(url: str, keys: Keys, window: float) -> list[bool]:
    """Ours: one session, 300 clients, all asked at once."""
    async with Session(base_url=url, limits=RateLimits(window=window)) as session:
        clients = [session.client(Credentials(key, secret)) for key, secret in keys]
        return await answered([client.small_liabilities() for client in clients])


async def python_binance(url: str, keys: Keys, _window: float) -> list[bool]:
    """python-binance: 300 clients, all asked at once."""
    from binance import AsyncClient

    clients = [AsyncClient(key, secret) for key, secret in keys]
    for client in clients:
        client.MARGIN_API_URL = f"{url}/sapi"
    try:
        return await answered([client.get_small_liability_exchange_assets() for client in clients])
    finally:
        await asyncio.gather(*[client.close_connection() for client in clients])


async def ccxt(url: str, keys: Keys, _window: float) -> list[bool]:
    """The asynchronous ccxt, with its own pacing on, as it comes."""
    import ccxt.async_support

    exchanges = [ccxt.async_support.binance({"apiKey": k, "secret": s}) for k, s in keys]
    for exchange in exchanges:
        exchange.urls["api"]["sapi"] = f"{url}/sapi/v1"
    try:
        return await answered(
            [exchange.sapiGetMarginExchangeSmallLiability() for exchange in exchanges]
        )
    finally:
        await asyncio.gather(*[exchange.close() for exchange in exchanges])


async def official_sdk(url: str, keys: Keys, _window: float) -> list[bool]:
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
        return await answered([loop.run_in_executor(pool, ask, *pair) for pair in keys])


CLIENTS: dict[str, Scan] = {
    "binance_dust": ours,
    "python-binance": python_binance,
    "ccxt": ccxt,
    "official SDK": official_sdk,
}


class Effort(NamedTuple):
    """How many accounts, and with whom."""

    accounts: int = ACCOUNTS
    window: float = WINDOW
    modes: tuple[str, ...] = ("fixed", "sliding")
    who: tuple[str, ...] = tuple(CLIENTS)


FULL = Effort()
TINY = Effort(5, 1.0, ("fixed",), ("binance_dust",))


def least(mode: str, accounts: int = ACCOUNTS, window: float = WINDOW, *, most: int = 120) -> float:
    """Give the least time: so many lists a window, begun somewhere in the first one.

    What is spent in a fixed window comes back when it ends, in a sliding one a window later.
    """
    waits = (accounts - 1) // most
    if mode == "fixed":
        return max(0.0, waits - START) * window
    return waits * window


def measure(effort: Effort = FULL) -> list[Table]:
    """Measure every client in windows of both kinds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.ERROR)
        try:
            return [_measure(mode, effort) for mode in effort.modes]
        finally:
            logging.disable(logging.NOTSET)


def _measure(mode: str, effort: Effort) -> Table:
    best = least(mode, effort.accounts, effort.window)
    return Table(
        name=f"scan-{mode}",
        title=f"{effort.accounts} accounts ask once for their small debts, {mode} windows",
        about=(
            f"Weight 100 of 12,000 a window of {effort.window:g} s, against a sandbox that bans a "
            f"client that goes on after a refusal. The limit allows all of it in {best:.1f} s at "
            "least. Each client asks for all at once; the official SDK, which blocks, in 16 "
            "threads. No time is given if some accounts were not answered."
        ),
        columns=(
            Column("answered", 0, "more", effort.accounts),
            Column("refused", best=0),
            Column("bans", best=0),
            Column("of the least time", 2, best=1),
        ),
        rows=tuple(_row(name, mode, effort, best) for name in effort.who),
    )


def _row(name: str, mode: str, effort: Effort, best: float) -> Row:
    done, refused, bans, took = try_out(CLIENTS[name], mode, effort)
    share = took / best if done == effort.accounts and best else None
    return Row(name, (done, refused, bans, share))


def try_out(asked: Scan, mode: str, effort: Effort, others: int = 0) -> tuple[int, int, int, float]:
    """Ask for all accounts: how many were answered, how many refused, the bans, the seconds."""
    with an_exchange(mode, effort.accounts, effort.window, others) as (url, keys, seen):
        gc.collect()
        # Each begins at the same point of a window.
        time.sleep((START * effort.window - time.time()) % effort.window)
        began = time.perf_counter()
        calls = asked(url, keys, effort.window)
        done = asyncio.run(asyncio.wait_for(calls, PATIENCE))
        took = time.perf_counter() - began
        refused, bans, shut_out = seen()
    return sum(done), refused + shut_out, bans, took
