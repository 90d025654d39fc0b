"""Entries as the tables have them: asked for, written down, and settled.

Everything here is part of a transaction of somebody else's (`_store.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from binance_dust._util.exact import to_amount
from binance_dust.errors import ConfigurationError, GuardError
from binance_dust.ledger._entry import OPEN, Kind, LedgerEntry, LedgerLine, SettledBy
from binance_dust.ledger._records import PROCESSING
from binance_dust.ledger._schema import moment, moment_or_none, stamp, stamp_or_none

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from decimal import Decimal

    from binance_dust.ledger._entry import Intent, Status
    from binance_dust.ledger._records import Observed

_NEAR: Final = timedelta(minutes=5)
"""How far from a record's time its entry's may be: longer than any call may be under way."""
_CHUNK: Final = 500
"""Entries read at once; SQLite takes 999 values in a statement, at the least."""

# The plus keeps SQLite from taking the index of accounts, and going through all that one ever did.
_BY_TRANSACTION: Final = """
SELECT id FROM entries WHERE +account = ? AND +account_type = ?
  AND (transaction_id = ? OR id IN (SELECT entry_id FROM lines WHERE transaction_id = ?))
"""

# A confirmed entry has the record's own times, or rows that are seconds apart; ours that are in
# doubt have been sent at some moment before. Open ones are found by their index, which names its
# statuses.
_NEAR_BY: Final = """
SELECT id FROM entries WHERE account = :account AND account_type = :account_type
  AND at BETWEEN :first AND :last
UNION
SELECT id FROM entries WHERE account = :account AND account_type = :account_type
  AND status = 'rejected' AND at BETWEEN :after AND :before
UNION
SELECT id FROM entries WHERE status IN ('intended', 'unknown') AND account = :account
  AND account_type = :account_type
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How a call ended, or that nobody knows."""

    status: Status
    now: datetime
    by: SettledBy | None
    reason: str | None = None
    code: int | str | None = None
    transaction_id: int | None = None
    lines: tuple[LedgerLine, ...] = ()
    target: str | None = None
    """What was really brought in, where the entry could not know."""
    sent_after: datetime | None = None
    expires_at: datetime | None = None
    """When the exchange can have accepted the call, where it is known better now."""


def read(db: sqlite3.Connection, ids: Sequence[int]) -> Iterator[LedgerEntry]:
    """Read entries, in any order; ids that there are not are left out."""
    for begin in range(0, len(ids), _CHUNK):
        part = ids[begin : begin + _CHUNK]
        marks = ", ".join("?" * len(part))
        asked, lines = _grouped(db, "asked", part, marks), _grouped(db, "lines", part, marks)
        for row in db.execute(f"SELECT * FROM entries WHERE id IN ({marks})", part):  # noqa: S608
            yield _entry_of(row, asked.get(row["id"], ()), lines.get(row["id"], ()))


def read_one(db: sqlite3.Connection, entry_id: int) -> LedgerEntry:
    """Read one entry."""
    for entry in read(db, [entry_id]):
        return entry
    raise ConfigurationError(f"the ledger has no entry {entry_id}")


def candidates(db: sqlite3.Connection, seen: Observed) -> list[LedgerEntry]:
    """Give the entries that a record can belong to: near in time, open, or of the same id."""
    who = (seen.account, seen.account_type)
    times = [seen.at, *(line.at for line in seen.lines)]
    around = {
        "account": seen.account,
        "account_type": seen.account_type,
        # An entry's time is that of its first line, and a record may be of a later one.
        "first": stamp(min(times) - PROCESSING),
        "last": stamp(max(times)),
        "after": stamp(seen.at - _NEAR),
        "before": stamp(seen.at + _NEAR),
    }
    found = {row[0] for row in db.execute(_NEAR_BY, around)}
    for number in seen.ids:
        found.update(row[0] for row in db.execute(_BY_TRANSACTION, (*who, number, number)))
    return list(read(db, sorted(found)))


def refuse_beside_open(db: sqlite3.Connection, intent: Intent) -> None:
    """Refuse a call while it is not known how another one of its account, or key, ended."""
    row = db.execute(
        "SELECT id, account, status FROM entries WHERE status IN (?, ?)"
        " AND (account = ? OR key_id = ?)",
        (*OPEN, intent.account, intent.key_id),
    ).fetchone()
    if row is not None:
        raise GuardError(
            f"{intent.account}: how entry {row['id']} ended is not known yet "
            f"({row['status']}, account {row['account']}): recover() first",
            account=intent.account,
            entry_ids=(row["id"],),
        )


def insert_intent(db: sqlite3.Connection, intent: Intent) -> int:
    """Write down a call that is about to be sent."""
    intended_at = stamp(intent.intended_at)
    cursor = db.execute(
        "INSERT INTO entries (account, key_id, kind, account_type, target, status, at, client_id,"
        " intended_at, sent_after, expires_at) VALUES (?, ?, ?, ?, ?, 'intended', ?, ?, ?, ?, ?)",
        (
            intent.account,
            intent.key_id,
            intent.kind.value,
            intent.account_type,
            intent.target,
            intended_at,
            intent.client_id,
            intended_at,
            stamp(intent.sent_after),
            stamp(intent.expires_at),
        ),
    )
    entry_id = _new_id(cursor)
    held = enumerate(intent.held.items())
    rows = [(entry_id, n, asset, f"{amount:f}") for n, (asset, amount) in held]
    db.executemany("INSERT INTO asked VALUES (?, ?, ?, ?)", rows)
    return entry_id


def insert_record(db: sqlite3.Connection, seen: Observed, now: datetime) -> int:
    """Write down a record of the exchange's that is news."""
    cursor = db.execute(
        "INSERT INTO entries (account, kind, account_type, target, status, at, settled_at,"
        " settled_by, transaction_id) VALUES (?, ?, ?, ?, 'confirmed', ?, ?, 'import', ?)",
        (
            seen.account,
            seen.kind.value,
            seen.account_type,
            seen.target,
            stamp(seen.at),
            stamp(now),
            seen.transaction_id,
        ),
    )
    entry_id = _new_id(cursor)
    names = dict.fromkeys(line.asset for line in seen.lines)
    rows = [(entry_id, n, asset, None) for n, asset in enumerate(names)]
    db.executemany("INSERT INTO asked VALUES (?, ?, ?, ?)", rows)
    _insert_lines(db, entry_id, seen.lines)
    return entry_id


def may_become(entry: LedgerEntry, settlement: Settlement) -> bool:
    """Tell whether an outcome is news: evidence that something happened outranks all else."""
    if entry.open:
        return entry.status != settlement.status or settlement.reason != entry.reason
    return entry.status == "rejected" and settlement.status == "confirmed"


def confirmed_by(seen: Observed, now: datetime) -> Settlement:
    """Take a record of the exchange's for the outcome of a call of ours."""
    return Settlement(
        status="confirmed",
        now=now,
        by=SettledBy.IMPORT,
        transaction_id=seen.transaction_id,
        lines=seen.lines,
        target=seen.target,
    )


def settle(db: sqlite3.Connection, entry: LedgerEntry, settlement: Settlement) -> None:
    """Write an outcome into an entry."""
    happened = min((line.at for line in settlement.lines), default=None)
    settled = settlement.status not in OPEN
    # Reading that does not tell says nothing else about the answer that left the doubt.
    code = entry.code if settlement.code is None and not settled else settlement.code
    db.execute(
        "UPDATE entries SET status = ?, reason = ?, code = ?, settled_at = ?, settled_by = ?,"
        " transaction_id = ?, target = ?, at = coalesce(?, at),"
        " sent_after = coalesce(?, sent_after), expires_at = coalesce(?, expires_at) WHERE id = ?",
        (
            settlement.status,
            settlement.reason,
            code,
            stamp(settlement.now) if settled else None,
            None if settlement.by is None else settlement.by.value,
            settlement.transaction_id,
            settlement.target or entry.target,
            stamp_or_none(happened),
            stamp_or_none(settlement.sent_after),
            stamp_or_none(settlement.expires_at),
            entry.id,
        ),
    )
    _insert_lines(db, entry.id, settlement.lines)


def complete(db: sqlite3.Connection, entry: LedgerEntry, seen: Observed) -> bool:
    """Add what a record has more than an entry: an answer, or the log, had shown a part."""
    known = {line.asset for line in entry.lines}
    lines = [line for line in seen.lines if line.asset not in known]
    if not lines:
        return False
    _insert_lines(db, entry.id, lines, begin=len(entry.lines))
    unasked = dict.fromkeys(line.asset for line in lines if line.asset not in entry.assets)
    rows = [(entry.id, n, name, None) for n, name in enumerate(unasked, len(entry.assets))]
    db.executemany("INSERT INTO asked VALUES (?, ?, ?, ?)", rows)
    return True


def adopt_id(db: sqlite3.Connection, entry: LedgerEntry, seen: Observed) -> None:
    """Take the log's own id for the entry's: the answer of the call knew its rows' ids only."""
    db.execute(
        "UPDATE entries SET transaction_id = ? WHERE id = ?", (seen.transaction_id, entry.id)
    )


def _grouped(
    db: sqlite3.Connection, table: str, ids: Sequence[int], marks: str
) -> dict[int, list[sqlite3.Row]]:
    sql = f"SELECT * FROM {table} WHERE entry_id IN ({marks}) ORDER BY entry_id, position"  # noqa: S608
    groups: dict[int, list[sqlite3.Row]] = {}
    for row in db.execute(sql, ids):
        groups.setdefault(row["entry_id"], []).append(row)
    return groups


def _insert_lines(
    db: sqlite3.Connection, entry_id: int, lines: Iterable[LedgerLine], *, begin: int = 0
) -> None:
    rows = [_line_row(entry_id, n, line) for n, line in enumerate(lines, begin)]
    db.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _new_id(cursor: sqlite3.Cursor) -> int:
    assert cursor.lastrowid is not None  # noqa: S101 - an insertion has one
    return cursor.lastrowid


def _line_row(entry_id: int, position: int, line: LedgerLine) -> tuple[Any, ...]:
    """Write a line."""
    return (
        entry_id,
        position,
        line.asset,
        f"{line.amount:f}",
        f"{line.gross:f}",
        f"{line.fee:f}",
        f"{line.net:f}",
        stamp(line.at),
        line.transaction_id,
    )


def _line_of(row: sqlite3.Row) -> LedgerLine:
    """Read a line."""
    return LedgerLine(
        asset=row["asset"],
        amount=to_amount(row["amount"]),
        gross=to_amount(row["gross"]),
        fee=to_amount(row["fee"]),
        at=moment(row["at"]),
        transaction_id=row["transaction_id"],
    )


def _entry_of(
    row: sqlite3.Row, asked: Iterable[sqlite3.Row], lines: Iterable[sqlite3.Row]
) -> LedgerEntry:
    """Read an entry."""
    asked = list(asked)
    held: dict[str, Decimal] = {
        each["asset"]: to_amount(each["held"]) for each in asked if each["held"] is not None
    }
    settled_by = row["settled_by"]
    return LedgerEntry(
        id=row["id"],
        account=row["account"],
        key_id=row["key_id"],
        kind=Kind(row["kind"]),
        account_type=row["account_type"],
        target=row["target"],
        assets=tuple(each["asset"] for each in asked),
        held=held,
        status=row["status"],
        at=moment(row["at"]),
        client_id=row["client_id"],
        intended_at=moment_or_none(row["intended_at"]),
        sent_after=moment_or_none(row["sent_after"]),
        expires_at=moment_or_none(row["expires_at"]),
        settled_at=moment_or_none(row["settled_at"]),
        settled_by=None if settled_by is None else SettledBy(settled_by),
        transaction_id=row["transaction_id"],
        code=row["code"],
        reason=row["reason"],
        lines=tuple(_line_of(each) for each in lines),
    )
