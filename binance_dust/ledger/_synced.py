"""Which time ranges of the exchange's records were read, and which records it does not show.

A range is noted only when its walk has ended. A sync that is stopped halfway keeps its records, but
the next sync begins where the last *finished* one ended.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from binance_dust._util.html import Record
from binance_dust._util.plain import plain
from binance_dust.ledger._schema import moment, stamp

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

__all__ = [
    "Missing",
    "Source",
    "SyncedRange",
    "add_missing",
    "add_range",
    "forget_missing",
    "merge_ranges",
    "read_missing",
    "read_range",
]

Source: TypeAlias = Literal["SPOT", "MARGIN", "liabilities"]
"""The dust log of a wallet, or the history of exchanged debts."""


@dataclass(frozen=True, slots=True)
class SyncedRange:
    """All records from `since` to `until` have been read."""

    since: datetime
    until: datetime

    def joined(self, other: SyncedRange) -> SyncedRange | None:
        """Join two ranges that touch; `None` if there is a hole between them."""
        if other.since > self.until or self.since > other.until:
            return None
        return SyncedRange(min(self.since, other.since), max(self.until, other.until))


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing(Record):
    """A time range of which the exchange does not show all records, however it is asked.

    Also the time of one record that can't be read.
    """

    account: str
    source: Source
    start: datetime
    end: datetime
    """Included."""
    shown: int
    counted: int | None
    """How many records there are; `None` if the exchange's count is not reliable."""

    def to_plain(self) -> dict[str, Any]:
        """Return JSON types."""
        return {each.name: plain(getattr(self, each.name)) for each in fields(self)}

    def __str__(self) -> str:
        span = f"{self.start.isoformat()} to {self.end.isoformat()}"
        if (self.shown, self.counted) == (0, 1):
            when = self.start.isoformat() if self.start == self.end else span
            return (
                f"{self.account} {self.source}: a record that is not shown or can't be read, {when}"
            )
        what = f"there may be more than the {self.shown} shown"
        if self.counted is not None:
            what = f"{self.counted - self.shown} of {self.counted} not shown"
        return f"{self.account} {self.source}: {what}, {span}"


def read_range(db: sqlite3.Connection, account: str, source: str) -> SyncedRange | None:
    """Read which range of an account's source has been read."""
    row = db.execute(
        "SELECT since, until FROM synced WHERE account = ? AND source = ?", (account, source)
    ).fetchone()
    return None if row is None else SyncedRange(moment(row["since"]), moment(row["until"]))


def add_range(db: sqlite3.Connection, account: str, source: str, new: SyncedRange) -> None:
    """Add a range that was read. If that would leave a hole, the known range stays."""
    known = read_range(db, account, source)
    joined = new if known is None else known.joined(new)
    if joined is not None:
        _put_range(db, account, source, joined)


def merge_ranges(db: sqlite3.Connection, other: str, owner: str) -> None:
    """Give an account the ranges of another name of it.

    Of two ranges with a hole between them the newer one stays: the next sync reads what is older.
    """
    for row in db.execute("SELECT * FROM synced WHERE account = ?", (other,)).fetchall():
        theirs = SyncedRange(moment(row["since"]), moment(row["until"]))
        ours = read_range(db, owner, row["source"])
        if ours is not None:
            theirs = ours.joined(theirs) or max(ours, theirs, key=_until)
        _put_range(db, owner, row["source"], theirs)
    db.execute("DELETE FROM synced WHERE account = ?", (other,))
    db.execute("UPDATE OR IGNORE missing SET account = ? WHERE account = ?", (owner, other))
    db.execute("DELETE FROM missing WHERE account = ?", (other,))


def _until(span: SyncedRange) -> datetime:
    return span.until


def _put_range(db: sqlite3.Connection, account: str, source: str, span: SyncedRange) -> None:
    db.execute(
        "INSERT OR REPLACE INTO synced (account, source, since, until) VALUES (?, ?, ?, ?)",
        (account, source, stamp(span.since), stamp(span.until)),
    )


def forget_missing(db: sqlite3.Connection, account: str, source: str, read: SyncedRange) -> None:
    """Forget what was missing in a range that has been read again from end to end."""
    db.execute(
        'DELETE FROM missing WHERE account = ? AND source = ? AND "start" >= ? AND "end" <= ?',
        (account, source, stamp(read.since), stamp(read.until)),
    )


def add_missing(db: sqlite3.Connection, gap: Missing) -> None:
    """Note a range of which the exchange does not show all records."""
    db.execute(
        "INSERT OR REPLACE INTO missing VALUES (?, ?, ?, ?, ?, ?)",
        (gap.account, gap.source, stamp(gap.start), stamp(gap.end), gap.shown, gap.counted),
    )


def read_missing(db: sqlite3.Connection, account: str | None) -> list[Missing]:
    """List these ranges, of one account or of all."""
    rows = db.execute(
        'SELECT * FROM missing WHERE ? IS NULL OR account = ? ORDER BY account, "start", source',
        (account, account),
    )
    return [
        Missing(
            account=row["account"],
            source=row["source"],
            start=moment(row["start"]),
            end=moment(row["end"]),
            shown=row["shown"],
            counted=row["counted"],
        )
        for row in rows
    ]
