"""2,000 accounts by one worker, and by four behind four addresses: processes, sockets, a Redis.

Every account is asked for its small-liability list, weight 100 of 12,000 a window. The workers are
`binance-dust worker`, the exchange is a sandbox in a process of its own.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from binance_dust.fleet import Fleet
from tests.budget.shared import a_server

ACCOUNTS = 2_000
WINDOW = 4.0
"""Seconds: four workers ask 1,400 questions in each, and two processors have to keep up."""
START = 0.4
"""Where in a window everybody begins, as a part of it."""


def _command(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "binance_dust", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(20)


async def _scan(url: str) -> tuple[float, list[int]]:
    async with Fleet(url) as fleet:
        await fleet.estimate()
        # Each begins at the same point of a window.
        await asyncio.sleep((START * WINDOW - time.time()) % WINDOW)
        reports = fleet.scan(liabilities=True)
        failed = [report.account async for report in reports if not report.ok]
        if failed:
            raise AssertionError(f"{len(failed)} failed")
        progress = reports.progress
        return progress.elapsed, [worker.done for worker in progress.workers]


def _measure(workers: int, folder: Path) -> tuple[float, list[int]]:
    port, keys = "9377", folder / f"{workers}.toml"
    with a_server() as server, ExitStack() as stack:
        sandbox = ("sandbox", "--accounts", str(ACCOUNTS))
        rules = ("--window", str(WINDOW), "--port", port, "--write", str(keys))
        exchange = _command(*sandbox, *rules)
        stack.callback(_ended, exchange)
        while not keys.exists():
            time.sleep(0.1)
        for number in range(1, workers + 1):
            worker = _command(
                *("worker", "--fleet", server.url, "--name", str(number)),
                *("--accounts", str(keys), "--base-url", f"http://127.0.0.1:{port}"),
                *("--window", str(WINDOW), "--local-addr", f"127.0.0.{number}"),
            )
            stack.callback(_ended, worker)
        return asyncio.run(_until_all_are_there(server.url, workers))


async def _until_all_are_there(url: str, workers: int) -> tuple[float, list[int]]:
    async with Fleet(url) as fleet:
        while len({lane.session for lane in (await fleet.estimate()).lanes}) < workers:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    return await _scan(url)


def run() -> None:
    """Measure and print."""
    print(f"\n{ACCOUNTS} accounts, weight 100, windows of {WINDOW:g} s")
    print(f"{'workers':>10}{'seconds':>10}{'of a part':>12}   accounts of each")
    alone = None
    with tempfile.TemporaryDirectory() as folder:
        for workers in (1, 2, 4):
            took, parts = _measure(workers, Path(folder))
            alone = alone or took
            shares = ", ".join(map(str, sorted(parts)))
            print(f"{workers:10}{took:10.2f}{took / (alone / workers):12.3f}   {shares}")
