"""A ledger from a thousand to a million rows: what a call costs in it, and what a row costs.

Each size has a process of its own, so that its memory can be told. The rows are conversions of one
asset each, which is the dearest kind: every row has an entry. `--beside` is not needed here: what
counts is how a figure grows.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from binance_dust import Ledger
from binance_dust.ledger import Claim, Intent, Kind, LedgerLine
from tests.bench.alone import resident
from tests.bench.results import Column, Row, Table

HERE = Path(__file__).parents[2]
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
ACCOUNTS = 100
ASSETS = 400
MINUTE = timedelta(minutes=1)
CALLS = ("claim", "next_eligible_at", "intend", "confirm")
READS: dict[str, Callable[[Ledger, Path], Awaitable[Any]]] = {
    "totals": lambda ledger, _: ledger.totals(),
    "totals by asset": lambda ledger, _: ledger.totals("asset"),
    "cooldowns": lambda ledger, _: ledger.cooldowns(),
    "entries": lambda ledger, _: _walk(ledger),
    "CSV": lambda ledger, folder: ledger.export_csv(folder / "books.csv"),
    "journal": lambda ledger, folder: ledger.export_journal(
        folder / "books.journal", style="beancount"
    ),
    "JSON lines": lambda ledger, folder: ledger.export_json_lines(folder / "books.jsonl"),
}
"""What looks at every row."""


class Effort(NamedTuple):
    """How many rows, and how many calls among them."""

    sizes: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    calls: int = 200


FULL = Effort()
TINY = Effort((100, 200), 3)

_FILL = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows)
INSERT INTO entries (id, account, owner, key_id, kind, account_type, target, status, at,
                     intended_at, sent_after, expires_at, settled_at, settled_by, transaction_id)
SELECT n, name, name, 'k' || name, 'dust', 'SPOT', 'BNB', 'confirmed', at, at, at, at, at, 'answer',
       45000000000 + n
  FROM (SELECT n, 'a' || (n % :accounts) AS name,
               strftime('%Y-%m-%dT%H:%M:%S.000000Z', :begin, (n * 60) || ' seconds') AS at
          FROM numbers)
"""
_ASKED = """
INSERT INTO asked (entry_id, position, asset, held)
SELECT id, 0, 'T' || (id % :assets), '6.21' FROM entries
"""
_LINES = """
INSERT INTO lines (entry_id, position, asset, amount, gross, fee, net, at, transaction_id)
SELECT id, 0, 'T' || (id % :assets), (id % 9973) || '.' || printf('%06d', id % 999983),
       printf('0.%08d', gross), printf('0.%08d', gross / 50), printf('0.%08d', gross - gross / 50),
       at, transaction_id
  FROM (SELECT *, id * 7919 % 10000019 AS gross FROM entries)
"""


def fill(path: Path, rows: int, accounts: int = ACCOUNTS) -> None:
    """Write so many conversions into a ledger that is there and empty."""
    given = {"rows": rows, "accounts": accounts, "assets": ASSETS, "begin": BEGIN.isoformat()[:19]}
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute(_FILL, given)
        db.execute(_ASKED, given)
        db.execute(_LINES, given)
        db.execute("INSERT INTO accounts (owner) SELECT DISTINCT owner FROM entries")
        db.execute("INSERT INTO names (name, owner) SELECT owner, owner FROM accounts")


async def calls_of(ledger: Ledger, times: int, *, learn: bool = True) -> dict[str, list[float]]:
    """Make so many calls, of one account after the other; give the seconds of each step.

    With `learn` the ledger is also asked when the account may convert.
    """
    took: dict[str, list[float]] = {name: [] for name in CALLS}

    async def timed(name: str, step: Awaitable[Any]) -> Any:
        began = time.perf_counter()
        found = await step
        took[name].append(time.perf_counter() - began)
        return found

    for number in range(times):
        now = datetime.now(UTC)
        account = f"a{number % ACCOUNTS}"
        claim = Claim(account, "convert", f"bench {number}")
        await timed("claim", ledger.claim(claim, now=now, length=MINUTE))
        if learn:
            eligible = ledger.next_eligible_at(account, Kind.DUST, configured=MINUTE, now=now)
            await timed("next_eligible_at", eligible)
        wanted = Intent(
            account=account,
            kind=Kind.DUST,
            account_type="SPOT",
            target="BNB",
            held={},
            intended_at=now,
            sent_after=now,
            expires_at=now + MINUTE,
        )
        entry = await timed("intend", ledger.intend(wanted, claim=claim, now=now, length=MINUTE))
        await timed(
            "confirm", ledger.confirm(entry.id, [_line(now)], transaction_id=number + 1, now=now)
        )
        await ledger.release(claim)
    return took


async def in_one_process(path: Path, times: int) -> dict[str, Any]:
    """Open a ledger, make some calls, read all of it; tell what each took."""
    found: dict[str, Any] = {}
    before = resident()
    began = time.perf_counter()
    async with Ledger(path) as ledger:
        found["open"] = time.perf_counter() - began
        for name, read in READS.items():
            began, cpu = time.perf_counter(), time.process_time()
            await read(ledger, path.parent)
            found[name] = (time.perf_counter() - began, time.process_time() - cpu)
        found["memory"] = _most() - before
        took = await calls_of(ledger, times)
    return found | {name: statistics.median(took[name]) for name in CALLS}


async def _walk(ledger: Ledger) -> None:
    async for _ in ledger.entries():
        pass


def _line(at: datetime) -> LedgerLine:
    gross, fee = Decimal("0.01777302"), Decimal("0.00035546")
    return LedgerLine(asset="ADA", amount=Decimal("6.21"), gross=gross, fee=fee, at=at)


def _most() -> float:
    """Give the MiB that this program has had in memory at most.

    `getrusage` would tell of its parent, if that was larger when it started this one.
    """
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def measure(effort: Effort = FULL) -> list[Table]:
    """Measure each size."""
    found = [_measured(rows, effort.calls) for rows in effort.sizes]
    columns = tuple(Column(f"{rows:,} rows", 2, None) for rows in effort.sizes)
    calls = [Row(name, tuple(each[name] * 1e3 for each in found)) for name in ("open", *CALLS)]
    reads = [
        Row(
            name,
            tuple(
                each[name][1] / rows * 1e6 for each, rows in zip(found, effort.sizes, strict=True)
            ),
        )
        for name in READS
    ]
    memory = Row("memory on top, MiB", tuple(each["memory"] for each in found))
    return [
        Table(
            name="ledger-calls",
            title="A call in a ledger of so many rows, ms",
            about=(
                f"The median of {effort.calls} calls of {ACCOUNTS} accounts, each on the disk "
                "before the next; the file is opened once."
            ),
            first="step",
            columns=columns,
            rows=tuple(calls),
            plot=None,
        ),
        Table(
            name="ledger-reads",
            title="Processor for each row of a ledger that is read as a whole, µs",
            about=(
                "Every row is a conversion of one asset. The last row is what the process had in "
                "memory at most, on top of what it had before it opened the file."
            ),
            first="read",
            columns=columns,
            rows=(*reads, memory),
            plot=None,
        ),
    ]


def _measured(rows: int, times: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="dust-") as folder:
        path = Path(folder, "dust.db")
        # Made by another process than the one that is measured.
        asyncio.run(_create(path))
        fill(path, rows)
        command = [sys.executable, "-m", "tests.bench.ledger", str(path), str(times)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=HERE)  # noqa: S603
    told: dict[str, Any] = json.loads(done.stdout)
    return told


async def _create(path: Path) -> None:
    async with Ledger(path):
        pass


if __name__ == "__main__":
    print(json.dumps(asyncio.run(in_one_process(Path(sys.argv[1]), int(sys.argv[2])))))
