"""What a conversion and a recovery ask of the tables costs the same however many rows there are.

SQLite tells which index each statement uses. Without statistics of the tables, which a ledger does
not have, that does not depend on what is in them.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from binance_dust import Ledger
from binance_dust.ledger._store import LedgerStore
from tests.conversion.far import FarProcess, entries_of
from tests.conversion.scene import Scene, in_virtual_time

FLAT = (
    # One row, or those of one entry.
    r"USING (INTEGER )?PRIMARY KEY",
    r"USING (COVERING )?INDEX accounts_by_uid \(uid=\?\)",
    # A handful: the calls under way.
    r"USING (COVERING )?INDEX (one_)?open_\w+",
    # Those of one id, or of some minutes.
    r"USING (COVERING )?INDEX \w+_by_transaction \(transaction_id=\?\)",
    r"USING (COVERING )?INDEX entries_by_\w+ \(\w+=\? AND at>\? AND at<\?\)",
)
LIMITED = (r"USING (COVERING )?INDEX entries_by_\w+ \((\w+=\? AND )?kind=\? AND account_type=\?\)",)
"""In the order of the index, so that a limit is also one of what is read."""
SMALL = {"books", "sqlite_sequence", "claims"}
"""Tables with a row, or with one for each account that is at work."""


class Plans:
    """A connection that asks for the plan of each statement before it runs it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.found: dict[str, list[str]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def _ask(self, sql: str, values: Any) -> None:
        if sql.split(maxsplit=1)[0] in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}:
            rows = self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
            self.found[sql] = [row["detail"] for row in rows]

    def execute(self, sql: str, values: Any = ()) -> Any:
        self._ask(sql, values)
        return self._connection.execute(sql, values)

    def executemany(self, sql: str, rows: Any) -> Any:
        rows = list(rows)
        for row in rows[:1]:
            self._ask(sql, row)
        return self._connection.executemany(sql, rows)


async def plans_of(ledger: Ledger) -> Plans:
    def watch(store: LedgerStore) -> Plans:
        store._connection = plans = Plans(store._connection)  # type: ignore[assignment]
        return plans

    return await ledger._thread.run(watch)


def steps_that_grow(sql: str, plan: list[str]) -> list[str]:
    """List the steps of a plan that read more when a table has more rows."""
    flat = FLAT + LIMITED if " LIMIT " in sql else FLAT
    return [
        step
        for step in plan
        if (found := re.match(r"(SCAN|SEARCH) (\w+)", step)) is not None
        and found[2] not in SMALL
        and not any(re.search(pattern, step) for pattern in flat)
    ]


async def convert_and_recover(scene: Scene, process: FarProcess) -> None:
    await process.convert_all()
    scene.alice.deposit("ADA", "5")
    await scene.lose_answer(process)
    await process.converter.recover()
    scene.alice.deposit("ADA", "5")
    await scene.lose_answer(process, executed=False)
    await process.converter.recover()
    await process.ledger.sync(process.client)
    assert [entry.status for entry in await entries_of(process.ledger, status=("unknown",))] == []


@in_virtual_time
async def test_nothing_on_the_way_of_a_call_reads_a_table_or_an_account_as_a_whole() -> None:
    scene = Scene(cooldown=0.0)
    async with scene.process() as process:
        plans = await plans_of(process.ledger)
        await convert_and_recover(scene, process)

    asked = {sql: plan for sql, plan in plans.found.items() if "entries" in " ".join(plan) + sql}
    assert len(asked) >= 10
    growing = {
        sql: steps for sql, plan in plans.found.items() if (steps := steps_that_grow(sql, plan))
    }
    assert growing == {}, "\n".join(f"{sql}: {steps}" for sql, steps in growing.items())
