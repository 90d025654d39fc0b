"""1,100 accounts by one worker, and by four behind four addresses: processes, sockets, a Redis.

Every account is asked for its small-liability list, weight 100 of 12,000 a window. The workers are
`binance-dust worker`, the exchange is a sandbox in a process of its own.
"""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from binance_dust.fleet import Fleet
from tests.bench.results import Column, Row, Table
from tests.bench.scan import START, least
from tests.redis_server import a_server

ACCOUNTS = 1_100
WINDOW = 4.0
"""Seconds: four workers ask 1,400 questions in each, and two processors have to keep up."""
WORKERS = (1, 2, 4)


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


def measure() -> list[Table]:
    """Measure one worker, two and four."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for workers in WORKERS:
            took, parts = _measure(workers, Path(folder))
            best = least("fixed", math.ceil(ACCOUNTS / workers), WINDOW)
            figures = (took / WINDOW, took / best, min(parts), max(parts))
            rows.append(Row(f"{workers} worker{'s' * (workers > 1)}", figures))
    table = Table(
        name="fleet",
        title=f"{ACCOUNTS:,} accounts by workers behind as many addresses",
        about=(
            f"Every account is asked for small debts, weight 100 of 12,000 a window of {WINDOW:g} "
            "s, by separate processes, over sockets, with a Redis. The least time is that of an "
            "equal part of the accounts. A part that fills its windows to the last call takes one "
            "window more: until windows are proven to be fixed, the weight of one call is reserved."
        ),
        first="fleet",
        columns=(
            Column("windows", 2, None),
            Column("of the least time", 2, None),
            Column("fewest accounts of one", 0, None),
            Column("most", 0, None),
        ),
        rows=tuple(rows),
        plot=None,
    )
    return [table]
