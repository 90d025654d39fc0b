"""A desk of accounts, some with margin, fewer with a small debt: asked always, or frugally.

The exchange is a sandbox in a process of its own, its minute shortened. `windows` is what the scan
took of it: a window is a minute of the real exchange.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import NamedTuple

from binance_dust import Credentials, RateLimits, Session, estimate_scan, scan
from binance_dust.sandbox import Sandbox
from tests.bench.results import Column, Row, Table

LIST = "/sapi/v1/margin/exchange-small-liability"


class Effort(NamedTuple):
    """How many accounts, and in which windows."""

    accounts: int = 1_000
    margin: int = 300
    debts: int = 100
    window: float = 4.0


FULL = Effort()
TINY = Effort(20, 6, 2, 0.5)


def _serve(pipe: Connection, effort: Effort) -> None:
    async def serve() -> None:
        async with Sandbox(window=effort.window) as exchange:
            opened = [
                exchange.open_account(
                    f"account-{number}",
                    ADA="6.21",
                    XRP="1.5",
                    margin=number < effort.margin,
                    debts={"ETH": "0.001"} if number < effort.debts else None,
                )
                for number in range(effort.accounts)
            ]
            pipe.send((exchange.url, [(each.api_key, each.secret.reveal()) for each in opened]))
            await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
            pipe.send((exchange.refusals, len(exchange.requests_of(LIST))))

    asyncio.run(serve())


async def _scan(
    url: str, keys: list[tuple[str, str]], choice: bool | str, effort: Effort
) -> tuple[float, float, int]:
    limits = RateLimits(window=effort.window, requests_per_second=5_000)
    async with Session(base_url=url, limits=limits) as session:
        clients = [session.client(Credentials(*pair)) for pair in keys]
        all_of_them = effort.accounts
        shares = {
            "margin_share": effort.margin / all_of_them,
            "debt_share": effort.debts / all_of_them,
        }
        estimate = estimate_scan(clients, liabilities=choice, **shares)  # type: ignore[arg-type]
        began = time.perf_counter()
        found = 0
        async for report in scan(clients, liabilities=choice):  # type: ignore[arg-type]
            found += bool(report.liabilities)
        return time.perf_counter() - began, estimate.seconds, found


def measure(effort: Effort = FULL) -> list[Table]:
    """Measure a scan that asks frugally, and one that always asks."""
    rows = [Row(f"liabilities={choice!r}", _row(choice, effort)) for choice in ("auto", True)]
    table = Table(
        name="desk",
        title=(
            f"{effort.accounts:,} accounts, {effort.margin} with margin, {effort.debts} in debt: "
            "asked frugally, or always"
        ),
        about=(
            f"Windows of {effort.window:g} s; each would be a minute of the real exchange. "
            "`estimate` is the forecast of `estimate_scan`."
        ),
        first="scan(...)",
        columns=(
            Column("windows", 2, None),
            Column("estimate", 2, None),
            Column("debts found", 0, None),
            Column("lists asked for", 0, None),
            Column("refused", 0, None),
        ),
        rows=tuple(rows),
        plot=None,
    )
    return [table]


def _row(choice: bool | str, effort: Effort) -> tuple[float, ...]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, effort))
    process.start()
    try:
        url, keys = ours.recv()
        time.sleep(-time.time() % effort.window)
        took, estimate, found = asyncio.run(_scan(url, keys, choice, effort))
        ours.send(None)
        refused, lists = ours.recv()
    finally:
        process.join(10)
    return took / effort.window, estimate / effort.window, found, lists, refused
