"""The ledger's work on its file, all of it blocking: `Ledger` has it done off the event loop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from binance_dust.errors import ConfigurationError, GuardError
from binance_dust.ledger import _claims, _file, _marks
from binance_dust.ledger._entry import OPEN, SettledBy
from binance_dust.ledger._matching import own_entry, same_ids, same_lines
from binance_dust.ledger._rows import entry_of, line_row, stamp, stamp_or_none

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from binance_dust.ledger._claims import Claim
    from binance_dust.ledger._entry import Intent, LedgerEntry, LedgerLine, Observed, Status
    from binance_dust.ledger._marks import Mark, Missing
    from binance_dust.ledger._query import Query

__all__ = ["Outcome", "Recorded", "Store"]

T = TypeVar("T")

_NEAR: Final = timedelta(minutes=5)
"""How far from a record's time its entry's may be: longer than any call may be under way."""
_CHUNK: Final = 500
"""Entries read at once; SQLite takes 999 values in a statement, at the least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of records of the exchange's that were shown to the ledger."""

    added: tuple[int, ...]
    """Entries that are new."""
    settled: tuple[int, ...]
    """Entries of our own calls whose outcome was open, or was taken for a refusal."""
    known: int
    """Records that the ledger had already."""


class Store:
    """One connection, used by one thread."""

    def __init__(self, path: str, *, busy_timeout: float) -> None:
        """Open the file."""
        self._path = path
        self._connection = _file.connect(path, busy_timeout=busy_timeout)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def claim(self, claim: Claim, now: datetime, length: timedelta) -> None:
        """Take the right to work on an account."""
        self._write(lambda db: _claims.take(db, claim, now=now, length=length))

    def extend(self, claim: Claim, now: datetime, length: timedelta) -> None:
        """Hold a right for longer."""
        self._write(lambda db: _claims.extend(db, claim, now=now, length=length))

    def release(self, claim: Claim) -> None:
        """Give a right back."""
        self._write(lambda db: _claims.release(db, claim))

    def intend(
        self, intent: Intent, claim: Claim | None, now: datetime, length: timedelta
    ) -> LedgerEntry:
        """Write down a call that is about to be sent, unless another one of the account is open."""

        def work(db: sqlite3.Connection) -> LedgerEntry:
            if claim is not None:
                _claims.extend(db, claim, now=now, length=length)
            _refuse_beside_open(db, intent)
            return _entry(db, _insert_intent(db, intent))

        return self._write(work)

    def settle(self, entry_id: int, outcome: Outcome) -> LedgerEntry:
        """Write down how a call ended; what is known already stays, and comes back as it is."""

        def work(db: sqlite3.Connection) -> LedgerEntry:
            entry = _entry(db, entry_id)
            if not _may_become(entry, outcome):
                return entry
            _update(db, entry, outcome)
            return _entry(db, entry_id)

        return self._write(work)

    def record(self, seen: Sequence[Observed], now: datetime) -> Recorded:
        """Take in records of the exchange's: each once, or as the outcome of a call of ours."""

        def work(db: sqlite3.Connection) -> Recorded:
            added: list[int] = []
            settled: list[int] = []
            for each in seen:
                own = own_entry(_candidates(db, each), each)
                if own is None:
                    added.append(_insert_observed(db, each, now))
                elif own.status != "confirmed":
                    _update(db, own, _as_outcome(each, now, SettledBy.IMPORT))
                    settled.append(own.id)
                elif own.transaction_id != each.transaction_id is not None:
                    _adopt_id(db, own, each)
            known = len(seen) - len(added) - len(settled)
            return Recorded(added=tuple(added), settled=tuple(settled), known=known)

        return self._write(work)

    def synced(self, account: str, source: str) -> Mark | None:
        """Say up to where a source of an account's records has been read."""
        with _file.said_plainly(self._path):
            return _marks.read(self._connection, account, source)

    def mark_synced(self, account: str, source: str, mark: Mark) -> None:
        """Note up to where a source of an account's records has been read."""
        self._write(lambda db: _marks.widen(db, account, source, mark))

    def missing(self, account: str | None) -> list[Missing]:
        """Give what of the exchange's records can't be had."""
        with _file.said_plainly(self._path):
            return _marks.missing(self._connection, account)

    def mark_missing(self, gap: Missing) -> None:
        """Note what of the exchange's records can't be had."""
        self._write(lambda db: _marks.miss(db, gap))

    def ids(self, query: Query) -> list[int]:
        """Find entries."""
        sql, values = query.sql()
        with _file.said_plainly(self._path):
            return [row[0] for row in self._connection.execute(sql, values)]

    def entries(self, ids: Sequence[int]) -> list[LedgerEntry]:
        """Read entries, in the order of their ids as given."""
        with _file.said_plainly(self._path):
            found = {entry.id: entry for entry in _entries(self._connection, ids)}
        return [found[each] for each in ids if each in found]

    def unclaimed(self, seen: Sequence[Observed], besides: int) -> list[Observed]:
        """Leave out the records that other entries than one have already."""
        with _file.said_plainly(self._path):
            return [each for each in seen if not self._has(each, besides)]

    def _has(self, seen: Observed, besides: int) -> bool:
        return any(
            entry.status == "confirmed" and (same_ids(entry, seen) or same_lines(entry, seen))
            for entry in _candidates(self._connection, seen)
            if entry.id != besides
        )

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with _file.said_plainly(self._path), _file.transaction(self._connection) as db:
            return work(db)


# The plus keeps SQLite from taking the index of accounts, and going through all that one ever did.
_BY_TRANSACTION: Final = """
SELECT id FROM entries WHERE +account = ? AND +account_type = ?
  AND (transaction_id = ? OR id IN (SELECT entry_id FROM lines WHERE transaction_id = ?))
"""

# A confirmed entry has the record's own times, to the digit; ours that are in doubt have been sent
# at some moment before. Open ones are found by their index, which names its statuses.
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


def _entries(db: sqlite3.Connection, ids: Sequence[int]) -> Iterable[LedgerEntry]:
    for begin in range(0, len(ids), _CHUNK):
        part = ids[begin : begin + _CHUNK]
        marks = ", ".join("?" * len(part))
        asked, lines = _grouped(db, "asked", part, marks), _grouped(db, "lines", part, marks)
        for row in db.execute(f"SELECT * FROM entries WHERE id IN ({marks})", part):  # noqa: S608
            yield entry_of(row, asked.get(row["id"], ()), lines.get(row["id"], ()))


def _grouped(
    db: sqlite3.Connection, table: str, ids: Sequence[int], marks: str
) -> dict[int, list[sqlite3.Row]]:
    sql = f"SELECT * FROM {table} WHERE entry_id IN ({marks}) ORDER BY entry_id, position"  # noqa: S608
    groups: dict[int, list[sqlite3.Row]] = {}
    for row in db.execute(sql, ids):
        groups.setdefault(row["entry_id"], []).append(row)
    return groups


def _entry(db: sqlite3.Connection, entry_id: int) -> LedgerEntry:
    for entry in _entries(db, [entry_id]):
        return entry
    raise ConfigurationError(f"the ledger has no entry {entry_id}")


def _refuse_beside_open(db: sqlite3.Connection, intent: Intent) -> None:
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


def _insert_intent(db: sqlite3.Connection, intent: Intent) -> int:
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


def _insert_observed(db: sqlite3.Connection, seen: Observed, now: datetime) -> int:
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


def _insert_lines(db: sqlite3.Connection, entry_id: int, lines: Iterable[LedgerLine]) -> None:
    rows = [line_row(entry_id, n, line) for n, line in enumerate(lines)]
    db.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _new_id(cursor: sqlite3.Cursor) -> int:
    assert cursor.lastrowid is not None  # noqa: S101 - an insertion has one
    return cursor.lastrowid


def _candidates(db: sqlite3.Connection, seen: Observed) -> list[LedgerEntry]:
    """Give the entries that a record can belong to: near in time, open, or of the same id."""
    who = (seen.account, seen.account_type)
    times = [seen.at, *(line.at for line in seen.lines)]
    around = {
        "account": seen.account,
        "account_type": seen.account_type,
        "first": stamp(min(times)),
        "last": stamp(max(times)),
        "after": stamp(seen.at - _NEAR),
        "before": stamp(seen.at + _NEAR),
    }
    found = {row[0] for row in db.execute(_NEAR_BY, around)}
    for number in seen.ids:
        found.update(row[0] for row in db.execute(_BY_TRANSACTION, (*who, number, number)))
    return list(_entries(db, sorted(found)))


def _as_outcome(seen: Observed, now: datetime, by: SettledBy) -> Outcome:
    return Outcome(
        status="confirmed",
        now=now,
        by=by,
        transaction_id=seen.transaction_id,
        lines=seen.lines,
        target=seen.target,
    )


def _adopt_id(db: sqlite3.Connection, entry: LedgerEntry, seen: Observed) -> None:
    """Take the log's own id for the entry's: the answer of the call knew its rows' ids only."""
    db.execute(
        "UPDATE entries SET transaction_id = ? WHERE id = ?", (seen.transaction_id, entry.id)
    )


def _may_become(entry: LedgerEntry, outcome: Outcome) -> bool:
    """Tell whether an outcome is news: evidence that something happened outranks all else."""
    if entry.open:
        return entry.status != outcome.status or outcome.reason != entry.reason
    return entry.status == "rejected" and outcome.status == "confirmed"


def _update(db: sqlite3.Connection, entry: LedgerEntry, outcome: Outcome) -> None:
    happened = min((line.at for line in outcome.lines), default=None)
    settled = outcome.status not in OPEN
    db.execute(
        "UPDATE entries SET status = ?, reason = ?, code = ?, settled_at = ?, settled_by = ?,"
        " transaction_id = ?, target = ?, at = coalesce(?, at),"
        " sent_after = coalesce(?, sent_after), expires_at = coalesce(?, expires_at) WHERE id = ?",
        (
            outcome.status,
            outcome.reason,
            outcome.code,
            stamp(outcome.now) if settled else None,
            outcome.by.value if settled and outcome.by is not None else None,
            outcome.transaction_id,
            outcome.target or entry.target,
            stamp_or_none(happened),
            stamp_or_none(outcome.sent_after),
            stamp_or_none(outcome.expires_at),
            entry.id,
        ),
    )
    _insert_lines(db, entry.id, outcome.lines)
