"""What a ledger costs by its rows: a call the same in any, a sum or a file so much for each row."""

from __future__ import annotations

import asyncio
import io
import itertools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from binance_dust import Ledger
from tests.bench import ledger as bench
from tests.conversion.far import MEMORY

FEW, MANY = 200, 1_600
"""At the fewer rows every account has one already: what a call reads may depend on that."""


@asynccontextmanager
async def filled(rows: int, accounts: int = bench.ACCOUNTS) -> AsyncIterator[Ledger]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder, "dust.db")
        async with Ledger(path):
            pass
        await asyncio.to_thread(bench.fill, path, rows, accounts)
        async with Ledger(path) as ledger:
            yield ledger


async def steps_of(ledger: Ledger, work: Callable[[], Awaitable[Any]]) -> int:
    """Count the steps of SQLite's machine, in tens: they don't depend on how busy this one is."""
    counter = itertools.count()

    def count() -> int:
        next(counter)
        return 0

    await ledger._thread.run(lambda store: store._connection.set_progress_handler(count, 10))
    await work()
    await ledger._thread.run(lambda store: store._connection.set_progress_handler(None, 10))
    return next(counter)


async def steps_by_rows(
    work: Callable[[Ledger], Awaitable[Any]], *, few: int = FEW, accounts: int = bench.ACCOUNTS
) -> list[int]:
    found = []
    for rows in (few, MANY):
        async with filled(rows, accounts) as ledger:
            found.append(await steps_of(ledger, lambda ledger=ledger: work(ledger)))  # type: ignore[misc]
    return found


async def test_a_call_takes_as_many_steps_in_any_ledger() -> None:
    async def one(ledger: Ledger) -> None:
        await bench.calls_of(ledger, 1, learn=False)

    few, many = await steps_by_rows(one)

    assert many == pytest.approx(few, rel=0.02)


READS: dict[str, Callable[[Ledger], Awaitable[Any]]] = {
    "totals": lambda ledger: ledger.totals(),
    "totals by asset": lambda ledger: ledger.totals("asset"),
    "CSV": lambda ledger: ledger.export_csv(io.StringIO()),
    "JSON": lambda ledger: ledger.export_json_lines(io.StringIO()),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
async def test_what_reads_all_rows_takes_so_many_steps_for_each(
    read: Callable[[Ledger], Awaitable[Any]],
) -> None:
    few, many = await steps_by_rows(read)

    assert many / few <= MANY / FEW * 1.1


async def test_of_an_account_only_its_own_rows_are_added_up() -> None:
    async with filled(MANY) as ledger:
        of_all = await steps_of(ledger, lambda: ledger.totals("target"))
        of_one = await steps_of(ledger, lambda: ledger.totals("target", account="a7"))

        assert sum(total.count for total in await ledger.totals("target", account="a7")) == 16
    assert of_one < of_all / 10


async def test_cooldowns_stop_growing_when_every_account_has_shown_enough() -> None:
    enough, more = await steps_by_rows(lambda ledger: ledger.cooldowns(), few=400, accounts=1)

    # What is left is the list of accounts, for which the index alone is looked at.
    assert more - enough < 1.2 * (MANY - 400)


@pytest.mark.long
def test_a_million_rows_cost_a_call_nothing_and_a_sum_three_microseconds_each() -> None:
    calls, reads = bench.measure(bench.Effort((1_000, 1_000_000), 50))

    for row in calls.rows:
        few, many = row.figure(0), row.figure(1)
        assert few is not None
        assert many is not None
        assert many < 3 * few + 20, row.who
    took = {row.who: row.figure(1) or 0 for row in reads.rows}
    assert took["totals"] < 6
    assert took["CSV"] < 30
    assert took["memory on top, MiB"] < 100
