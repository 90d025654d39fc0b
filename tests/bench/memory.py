"""100,000 accounts from a generator: is the memory at the end that of the first thousand?"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from binance_dust import Credentials, DustClient, RateLimits, Session, scan
from tests.bench.stub import serving

ACCOUNTS = 100_000
MARKS = (1_000, 10_000, 30_000, ACCOUNTS)


def resident() -> float:
    """Give the MiB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def accounts(session: Session) -> Iterator[DustClient]:
    """Make accounts as they are asked for."""
    for number in range(ACCOUNTS):
        yield session.client(Credentials(f"{number:064}", "s" * 64, name=f"account-{number}"))


async def _scan(url: str) -> None:
    limits = RateLimits(ip_weight=10**9, requests_per_second=10**6)
    began, done, first = time.perf_counter(), 0, 0.0
    async with Session(base_url=url, limits=limits) as session:
        async for report in scan(accounts(session)):
            done += 1
            if not report.ok:
                raise next(iter(report.errors.values()))
            if done in MARKS:
                gc.collect()
                now = resident()
                first = first or now
                seconds = time.perf_counter() - began
                print(f"{done:10}{now:12.1f}{now - first:+12.1f}{seconds:12.1f}")


def run() -> None:
    """Measure and print."""
    if not sys.platform.startswith("linux"):
        print("\nMemory: read from /proc, which this machine does not have")
        return
    print(f"\nMemory of a scan of {ACCOUNTS:,} accounts, three calls each, MiB")
    print(f"{'accounts':>10}{'resident':>12}{'more':>12}{'seconds':>12}")
    with serving() as url:
        asyncio.run(_scan(url))
