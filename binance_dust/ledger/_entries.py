"""Entries in the tables: read, inserted and settled.

Everything here runs inside a transaction that `_store.py` has begun.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from binance_dust._util.exact import to_amount
from binance_dust.errors import ConfigurationError, GuardError
from binance_dust.ledger._entry import (
    KINDS,
    OPEN,
    WAYS,
    LedgerEntry,
    LedgerLine,
    SettledBy,
    funds_of,
    why_blocked,
)
from binance_dust.ledger._owners import owner_of
from binance_dust.ledger._records import PROCESSING
from binance_dust.ledger._schema import (
    OPEN_ONLY,
    moment,
    moment_or_none,
    stamp,
    stamp_or_none,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from binance_dust.ledger._entry import Intent, Status
    from binance_dust.ledger._records import Observed

_NEAR: Final = timedelta(minutes=5)
"""How far an entry's time may be from its record's: longer than any call takes."""
_NONE: Final[Mapping[str, Decimal]] = MappingProxyType({})
_CHUNK: Final = 500
"""Entries read at once; every SQLite takes at least 999 values in a statement."""

# The plus keeps SQLite from using the index by owner, which would read all entries of an account.
_BY_TRANSACTION: Final = """
SELECT id FROM entries WHERE +owner = ? AND +account_type = ?
  AND (transaction_id = ? OR id IN (SELECT entry_id FROM lines WHERE transaction_id = ?))
"""

# A confirmed entry has the times of its record, or of rows that are seconds apart. A rejected one
# was sent some time before. Open entries are found by their own index, which names the statuses.
_NEAR_BY: Final = """
SELECT id FROM entries WHERE owner = :owner AND account_type = :account_type
  AND at BETWEEN :first AND :last
UNION
SELECT id FROM entries WHERE owner = :owner AND account_type = :account_type
  AND status = 'rejected' AND at BETWEEN :after AND :before
UNION
SELECT id FROM entries WHERE status IN ('intended', 'unknown') AND owner = :owner
  AND account_type = :account_type
"""

# The statuses stand as text, since the index by open entries is used only for its own words.
_OPEN_BESIDE: Final = f"SELECT id FROM entries WHERE {OPEN_ONLY} AND (owner = ? OR key_id = ?)"  # noqa: S608 - our own text

_IMPORTED_WITHIN: Final = """
SELECT id FROM entries WHERE owner = ? AND at BETWEEN ? AND ? AND account_type = ?
  AND status = 'confirmed' AND intended_at IS NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How a call ended, or that its outcome is unknown."""

    status: Status
    now: datetime
    by: SettledBy | None
    reason: str | None = None
    code: int | str | None = None
    transaction_id: int | None = None
    lines: tuple[LedgerLine, ...] = ()
    target: str | None = None
    """The real target, where the entry could not know it."""
    sent_after: datetime | None = None
    expires_at: datetime | None = None
    """When the exchange can have accepted the call, if this is known better now."""
    needs_resolve: bool = False
    """Whether reading can't tell the outcome."""


def read(db: sqlite3.Connection, ids: Sequence[int]) -> Iterator[LedgerEntry]:
    """Read entries in the given order; unknown ids are skipped."""
    for begin in range(0, len(ids), _CHUNK):
        part = ids[begin : begin + _CHUNK]
        marks = ", ".join("?" * len(part))
        asked, lines = _grouped(db, "asked", part, marks), _grouped(db, "lines", part, marks)
        sql = f"SELECT * FROM entries WHERE id IN ({marks})"  # noqa: S608
        rows = {row["id"]: row for row in db.execute(sql, part)}
        for each in filter(rows.__contains__, part):
            yield _entry_of(rows[each], asked.get(each, ()), lines.get(each, ()))


def read_one(db: sqlite3.Connection, entry_id: int) -> LedgerEntry:
    """Read one entry."""
    if found := list(read(db, [entry_id])):
        return found[0]
    raise ConfigurationError(f"the ledger has no entry {entry_id}")


def candidates(db: sqlite3.Connection, seen: Observed) -> list[LedgerEntry]:
    """Find the entries that a record can belong to: near in time, open, or with one of its ids."""
    owner = owner_of(db, seen.account)
    times = [seen.at, *(line.at for line in seen.lines)]
    around = {
        "owner": owner,
        "account_type": seen.account_type,
        # An entry's time is that of its first line; a record may have the time of a later line.
        "first": stamp(min(times) - PROCESSING),
        "last": stamp(max(times)),
        "after": stamp(seen.at - _NEAR),
        "before": stamp(seen.at + _NEAR),
    }
    found = {row[0] for row in db.execute(_NEAR_BY, around)}
    for number in seen.ids:
        place = (owner, seen.account_type, number, number)
        found.update(row[0] for row in db.execute(_BY_TRANSACTION, place))
    return list(read(db, sorted(found)))


def refuse_beside_open(db: sqlite3.Connection, intent: Intent, owner: str) -> None:
    """Raise if another call of the account or of the key, for the same funds, is open."""
    found = db.execute(_OPEN_BESIDE, (owner, intent.key_id))
    for entry in read(db, [row[0] for row in found]):
        if entry.funds == funds_of(intent.kind, intent.account_type):
            raise GuardError(
                why_blocked(entry, intent.account), account=intent.account, entry_ids=(entry.id,)
            )


def insert_intent(db: sqlite3.Connection, intent: Intent, owner: str) -> int:
    """Insert a call that is about to be sent."""
    intended_at = stamp(intent.intended_at)
    cursor = db.execute(
        "INSERT INTO entries (account, key_id, kind, account_type, target, status, at, client_id,"
        " intended_at, sent_after, expires_at, owner)"
        " VALUES (?, ?, ?, ?, ?, 'intended', ?, ?, ?, ?, ?, ?)",
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
            owner,
        ),
    )
    entry_id = _new_id(cursor)
    _insert_asked(db, entry_id, intent.held, held=intent.held, amounts=intent.amounts)
    return entry_id


def insert_record(db: sqlite3.Connection, seen: Observed, owner: str, now: datetime) -> int:
    """Insert a new record of the exchange, under the name that it was read with."""
    cursor = db.execute(
        "INSERT INTO entries (account, kind, account_type, target, status, at, settled_at,"
        " settled_by, transaction_id, owner)"
        " VALUES (?, ?, ?, ?, 'confirmed', ?, ?, 'import', ?, ?)",
        (
            seen.account,
            seen.kind.value,
            seen.account_type,
            seen.target,
            stamp(seen.at),
            stamp(now),
            seen.transaction_id,
            owner,
        ),
    )
    entry_id = _new_id(cursor)
    _insert_asked(db, entry_id, dict.fromkeys(line.asset for line in seen.lines))
    _insert_lines(db, entry_id, seen.lines)
    return entry_id


def settlement_by(seen: Observed, now: datetime) -> Settlement:
    """Make a settlement of our call from the exchange's record of it."""
    return Settlement(
        status="confirmed",
        now=now,
        by=SettledBy.IMPORT,
        transaction_id=seen.transaction_id,
        lines=seen.lines,
        target=seen.target,
    )


def settle(db: sqlite3.Connection, entry: LedgerEntry, settlement: Settlement) -> None:
    """Write a settlement into an entry."""
    # Without lines: if it has the time of a record, that is not its own.
    happened = min((line.at for line in settlement.lines), default=entry.intended_at)
    settled = settlement.status not in OPEN
    # While the outcome stays unknown, keep the code of the answer that left it unknown.
    code = entry.code if settlement.code is None and not settled else settlement.code
    db.execute(
        "UPDATE entries SET status = ?, reason = ?, code = ?, settled_at = ?, settled_by = ?,"
        " transaction_id = ?, target = ?, at = coalesce(?, at), needs_resolve = ?,"
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
            settlement.needs_resolve,
            stamp_or_none(settlement.sent_after),
            stamp_or_none(settlement.expires_at),
            entry.id,
        ),
    )
    _insert_lines(db, entry.id, settlement.lines)


def add_missing_lines(db: sqlite3.Connection, entry: LedgerEntry, seen: Observed) -> bool:
    """Add lines that only the record has: the answer, or the log, had shown a part."""
    known = {line.asset for line in entry.lines}
    lines = [line for line in seen.lines if line.asset not in known]
    if not lines:
        return False
    _insert_lines(db, entry.id, lines, begin=len(entry.lines))
    unasked = dict.fromkeys(line.asset for line in lines if line.asset not in entry.assets)
    _insert_asked(db, entry.id, unasked, begin=len(entry.assets))
    return True


def drop_lines(db: sqlite3.Connection, entry_id: int) -> None:
    """Take an entry's lines away: others take their place."""
    db.execute("DELETE FROM lines WHERE entry_id = ?", (entry_id,))


def fold(db: sqlite3.Connection, entry_id: int, reason: str) -> None:
    """Let an imported entry count no more: another entry has its record."""
    drop_lines(db, entry_id)
    db.execute(
        "UPDATE entries SET status = 'rejected', reason = ? WHERE id = ?", (reason, entry_id)
    )


def open_again(db: sqlite3.Connection, entry_id: int, reason: str) -> None:
    """Take back how a call ended: its record was that of another call."""
    drop_lines(db, entry_id)
    db.execute(
        "UPDATE entries SET status = 'unknown', reason = ?, settled_at = NULL, settled_by = NULL,"
        " transaction_id = NULL, at = intended_at WHERE id = ?",
        (reason, entry_id),
    )


def unfold(db: sqlite3.Connection, entry_id: int, lines: Iterable[LedgerLine]) -> None:
    """Let an imported entry count again, with the lines of its record."""
    _insert_lines(db, entry_id, lines)
    db.execute("UPDATE entries SET status = 'confirmed', reason = NULL WHERE id = ?", (entry_id,))


def imported_within(db: sqlite3.Connection, entry: LedgerEntry) -> list[LedgerEntry]:
    """Read the imported entries of the time in which a call can have been carried out."""
    until = entry.expires_at and entry.expires_at + PROCESSING
    span = (stamp_or_none(entry.sent_after), stamp_or_none(until))
    found = db.execute(_IMPORTED_WITHIN, (entry.owner, *span, entry.account_type))
    return list(read(db, [row[0] for row in found]))


def by_transaction(db: sqlite3.Connection, entry: LedgerEntry, number: int) -> list[LedgerEntry]:
    """Read the confirmed entries of an entry's account and wallet that have a transaction."""
    found = db.execute(_BY_TRANSACTION, (entry.owner, entry.account_type, number, number))
    return [each for each in read(db, [row[0] for row in found]) if each.status == "confirmed"]


def adopt_id(db: sqlite3.Connection, entry: LedgerEntry, seen: Observed) -> None:
    """Give an entry the log's own id: the answer of the call had only the ids of its rows."""
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


def _insert_asked(  # noqa: PLR0913 - the columns, mostly by keyword
    db: sqlite3.Connection,
    entry_id: int,
    assets: Iterable[str],
    *,
    held: Mapping[str, Decimal] = _NONE,
    amounts: Mapping[str, Decimal] = _NONE,
    begin: int = 0,
) -> None:
    columns = (held, amounts)
    rows = [
        (entry_id, n, asset, *(f"{each[asset]:f}" if asset in each else None for each in columns))
        for n, asset in enumerate(assets, begin)
    ]
    db.executemany("INSERT INTO asked VALUES (?, ?, ?, ?, ?)", rows)


def _insert_lines(
    db: sqlite3.Connection, entry_id: int, lines: Iterable[LedgerLine], *, begin: int = 0
) -> None:
    rows = [_line_row(entry_id, n, line) for n, line in enumerate(lines, begin)]
    db.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _new_id(cursor: sqlite3.Cursor) -> int:
    assert cursor.lastrowid is not None  # noqa: S101 - set by every INSERT
    return cursor.lastrowid


def _line_row(entry_id: int, position: int, line: LedgerLine) -> tuple[Any, ...]:
    """Return the columns of a line."""
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


def _line_of(row: Iterable[Any]) -> LedgerLine:
    """Make a line from its row."""
    # All at once: asking a row for each column by its name takes as long as the rest.
    _, _, asset, amount, gross, fee, _, at, transaction_id = row
    return LedgerLine(
        asset=asset,
        amount=to_amount(amount),
        gross=to_amount(gross),
        fee=to_amount(fee),
        at=moment(at),
        transaction_id=transaction_id,
    )


def _entry_of(
    row: Iterable[Any], asked: Sequence[Iterable[Any]], lines: Iterable[Iterable[Any]]
) -> LedgerEntry:
    """Make an entry from its rows."""
    (entry_id, account, key_id, kind, account_type, target, status, at, client_id, *rest) = row
    (intended_at, sent_after, expires_at, settled_at, settled_by, transaction_id, *rest) = rest
    (code, reason, owner, needs_resolve) = rest
    return LedgerEntry(
        id=entry_id,
        account=account,
        key_id=key_id,
        kind=KINDS[kind],
        account_type=account_type,
        target=target,
        assets=tuple(asset for _, _, asset, _, _ in asked),
        held={asset: to_amount(held) for _, _, asset, held, _ in asked if held is not None},
        amounts={asset: to_amount(amount) for *_, asset, _, amount in asked if amount is not None},
        status=status,
        at=moment(at),
        client_id=client_id,
        intended_at=moment_or_none(intended_at),
        sent_after=moment_or_none(sent_after),
        expires_at=moment_or_none(expires_at),
        settled_at=moment_or_none(settled_at),
        settled_by=None if settled_by is None else WAYS[settled_by],
        transaction_id=transaction_id,
        code=code,
        reason=reason,
        lines=tuple(map(_line_of, lines)),
        owner=owner,
        needs_resolve=bool(needs_resolve),
    )
