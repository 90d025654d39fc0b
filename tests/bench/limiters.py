"""Limiters in front of aiohttp: 300 accounts ask once for their small-liability list.

The same as `scan`, with libraries that limit any call. Each is told 12,000 a window and weight 100
for each call. Then once more, while others spend a tenth of the limit behind the same address.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from datetime import timedelta
from functools import partial
from importlib import metadata
from typing import Any

from tests.bench.results import OURS, Column, Row, Table
from tests.bench.scan import LIST, PATIENCE, Effort, Keys, Scan, answered, least, ours, try_out

LIMIT = 12_000
WEIGHT = 100
OTHERS = 1_200
TOLD = (
    "It is told that windows are cut by the clock, and trusts this machine's clock. Ours has to "
    "find that out, and leaves room for it."
)


async def _signed(http: Any, url: str, key: str, secret: str) -> None:
    """Ask by hand."""
    import yarl

    query = f"timestamp={int(time.time() * 1000)}"
    signature = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
    target = yarl.URL(f"{url}{LIST}?{query}&signature={signature}", encoded=True)
    async with http.get(target, headers={"X-MBX-APIKEY": key}) as response:
        response.raise_for_status()
        await response.json()


async def _all(url: str, keys: Keys, wait: Any) -> list[bool]:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def ask(key: str, secret: str) -> None:
            await wait()
            await _signed(http, url, key, secret)

        return await answered([ask(*pair) for pair in keys])


async def aiolimiter(url: str, keys: Keys, window: float) -> list[bool]:
    """aiolimiter: a leaky bucket."""
    from aiolimiter import AsyncLimiter

    limiter = AsyncLimiter(LIMIT, window)
    return await _all(url, keys, lambda: limiter.acquire(WEIGHT))


async def _pyrate_limiter(url: str, keys: Keys, bucket: Any) -> list[bool]:
    from pyrate_limiter import Limiter

    limiter = Limiter(bucket)
    try:
        return await _all(url, keys, lambda: limiter.try_acquire_async(weight=WEIGHT))
    finally:
        limiter.close()


async def pyrate_limiter(url: str, keys: Keys, window: float) -> list[bool]:
    """pyrate-limiter as it comes: a log of a sliding window, in memory."""
    from pyrate_limiter import Rate

    return await _pyrate_limiter(url, keys, Rate(LIMIT, round(window * 1_000)))


async def pyrate_limiter_fixed(url: str, keys: Keys, window: float) -> list[bool]:
    """pyrate-limiter, told that windows are cut by the clock."""
    from pyrate_limiter import FixedWindow, InMemoryBucket, Rate

    class Bucket(InMemoryBucket):  # type: ignore[misc]  # the peers are not checked
        def now(self) -> int:
            return round(time.time() * 1_000)  # and not since this machine was started

    rates = [Rate(LIMIT, round(window * 1_000))]
    return await _pyrate_limiter(url, keys, Bucket(rates, algorithm=FixedWindow()))


async def _throttled_py(url: str, keys: Keys, window: float, using: str) -> list[bool]:
    from throttled.asyncio import Throttled, per_duration

    quota = per_duration(timedelta(seconds=window), limit=LIMIT)
    limiter = Throttled(using=using, quota=quota, timeout=PATIENCE)

    async def wait() -> None:
        while (await limiter.limit(LIST, cost=WEIGHT)).limited:
            pass

    return await _all(url, keys, wait)


LIMITERS: dict[str, Scan] = {
    OURS: ours,
    "aiolimiter": aiolimiter,
    "pyrate-limiter": pyrate_limiter,
    "pyrate-limiter, fixed": pyrate_limiter_fixed,
    "throttled-py, sliding": partial(_throttled_py, using="sliding_window"),
    "throttled-py, fixed": partial(_throttled_py, using="fixed_window"),
}
FULL = Effort(who=tuple(LIMITERS))
TINY = Effort(5, 1.0, ("fixed",), (OURS,))


def measure(effort: Effort = FULL) -> list[Table]:
    """Measure each limiter, alone and beside others."""
    logging.disable(logging.ERROR)
    try:
        return [_table(mode, effort) for mode in effort.modes]
    finally:
        logging.disable(logging.NOTSET)


def _table(mode: str, effort: Effort) -> Table:
    best = least(mode, effort.accounts, effort.window)
    names = dict.fromkeys(name.partition(",")[0] for name in LIMITERS if name != OURS)
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    rows = []
    for name in effort.who:
        done, refused, bans, took = try_out(LIMITERS[name], mode, effort)
        share = took / best if done == effort.accounts and best else None
        beside = try_out(LIMITERS[name], mode, effort, OTHERS)[:3]
        rows.append(Row(name, (done, refused, bans, share, *beside)))
    return Table(
        name=f"limiters-{mode}",
        title=f"{effort.accounts} accounts behind a limiter, {mode} windows",
        about=(
            f"Weight {WEIGHT} of {LIMIT:,} a window of {effort.window:g} s, against the same "
            f"sandbox. The limit allows all of it in {best:.1f} s at least. Then again while "
            f"others spend {OTHERS:,} a window behind the same address. {versions}. "
            "Whoever counts a call when it sets out, and not when it arrives, may be refused where "
            "windows slide: how often differs from run to run."
        ),
        first="limiter",
        columns=(
            Column("answered", 0, "more", effort.accounts),
            Column("refused", best=0),
            Column("bans", best=0),
            Column("of the least time", 2, best=1),
            Column("beside others: answered", 0, "more", effort.accounts),
            Column("refused", best=0),
            Column("bans", best=0),
        ),
        rows=tuple(rows),
        reasons={"pyrate-limiter, fixed": TOLD, "throttled-py, fixed": TOLD},
        plot=None,
    )
