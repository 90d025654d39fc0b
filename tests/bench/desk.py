"""A desk of 1,000 accounts, 300 with margin, 100 with a small debt: asked always, or frugally.

The exchange is a sandbox in a process of its own, its minute shortened. `windows` is what the scan
took of it: a window is a minute of the real exchange.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection

from binance_dust import Credentials, RateLimits, Session, estimate_scan, scan
from binance_dust.sandbox import Sandbox

ACCOUNTS, MARGIN, DEBTS = 1_000, 300, 100
WINDOW = 4.0
LIST = "/sapi/v1/margin/exchange-small-liability"


def _serve(pipe: Connection) -> None:
    async def serve() -> None:
        async with Sandbox(window=WINDOW) as exchange:
            opened = [
                exchange.open_account(
                    f"account-{number}",
                    ADA="6.21",
                    XRP="1.5",
                    margin=number < MARGIN,
                    debts={"ETH": "0.001"} if number < DEBTS else None,
                )
                for number in range(ACCOUNTS)
            ]
            pipe.send((exchange.url, [(each.api_key, each.secret.reveal()) for each in opened]))
            await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
            pipe.send((exchange.refusals, len(exchange.requests_of(LIST))))

    asyncio.run(serve())


async def _scan(url: str, keys: list[tuple[str, str]], choice: bool | str) -> tuple[float, ...]:
    limits = RateLimits(window=WINDOW, requests_per_second=5_000)
    async with Session(base_url=url, limits=limits) as session:
        clients = [session.client(Credentials(*pair)) for pair in keys]
        shares = {"margin_share": MARGIN / ACCOUNTS, "debt_share": DEBTS / ACCOUNTS}
        estimate = estimate_scan(clients, liabilities=choice, **shares)  # type: ignore[arg-type]
        began = time.perf_counter()
        found = 0
        async for report in scan(clients, liabilities=choice):  # type: ignore[arg-type]
            found += bool(report.liabilities)
        return time.perf_counter() - began, estimate.seconds, found


def run() -> None:
    """Measure and print."""
    print(f"\n{ACCOUNTS} accounts, {MARGIN} with margin, {DEBTS} in debt; windows of {WINDOW:g} s")
    titles = ("seconds", "windows", "estimate", "in debt", "lists", "refused")
    print(f"{'liabilities':14}" + "".join(f"{title:>10}" for title in titles))
    for choice in ("auto", True):
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
        process.start()
        try:
            url, keys = ours.recv()
            time.sleep(-time.time() % WINDOW)
            took, estimate, found = asyncio.run(_scan(url, keys, choice))
            ours.send(None)
            refused, lists = ours.recv()
        finally:
            process.join(10)
        figures = (
            f"{took:10.2f}{took / WINDOW:10.2f}{estimate:10.2f}{found:10}{lists:10}{refused:10}"
        )
        print(f"{choice!s:14}{figures}")
