"""How far the exchange's own records have been read, and what of them can't be had.

Written when a walk has come to its end, and not before. Records are kept as they come, so whoever
is stopped halfway leaves them there; but the next one begins where the last one that *ended* did.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

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
    "read_missing",
    "read_range",
]

Source: TypeAlias = Literal["SPOT", "MARGIN", "liabilities"]
"""The dust log of one wallet or the other, or the history of exchanged debts."""


@dataclass(frozen=True, slots=True)
class SyncedRange:
    """Everything from the first to the second time has been read."""

    since: datetime
    until: datetime

    def joined(self, other: SyncedRange) -> SyncedRange | None:
        """Join two that touch; `None` if something between them has not been read."""
        if other.since > self.until or self.since > other.until:
            return None
        return SyncedRange(min(self.since, other.since), max(self.until, other.until))


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A time of which the exchange has more on record than it shows, however it is asked."""

    account: str
    source: Source
    start: datetime
    end: datetime
    """Included."""
    shown: int
    counted: int | None
    """`None` where nobody can tell how many there are, or whether there are any."""

    def to_plain(self) -> dict[str, Any]:
        """Give it as what JSON has."""
        return {each.name: plain(getattr(self, each.name)) for each in fields(self)}

    def __str__(self) -> str:
        what = f"there may be more than the {self.shown} shown"
        if self.counted is not None:
            what = f"{self.counted - self.shown} of {self.counted} not shown"
        span = f"{self.start.isoformat()} to {self.end.isoformat()}"
        return f"{self.account} {self.source}: {what}, {span}"


def read_range(db: sqlite3.Connection, account: str, source: str) -> SyncedRange | None:
    """Say what has been read of one source of an account's."""
    row = db.execute(
        "SELECT since, until FROM synced WHERE account = ? AND source = ?", (account, source)
    ).fetchone()
    return None if row is None else SyncedRange(moment(row["since"]), moment(row["until"]))


def add_range(db: sqlite3.Connection, account: str, source: str, new: SyncedRange) -> None:
    """Add what has been read now, unless it leaves a hole: then what was known stays."""
    known = read_range(db, account, source)
    joined = new if known is None else known.joined(new)
    if joined is not None:
        db.execute(
            "INSERT OR REPLACE INTO synced (account, source, since, until) VALUES (?, ?, ?, ?)",
            (account, source, stamp(joined.since), stamp(joined.until)),
        )


def add_missing(db: sqlite3.Connection, gap: Missing) -> None:
    """Note what can't be had."""
    db.execute(
        "INSERT OR REPLACE INTO missing VALUES (?, ?, ?, ?, ?, ?)",
        (gap.account, gap.source, stamp(gap.start), stamp(gap.end), gap.shown, gap.counted),
    )


def read_missing(db: sqlite3.Connection, account: str | None) -> list[Missing]:
    """Give what can't be had, of one account or of all."""
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
