"""Up to where the exchange's own records have been read: what `sync` need not ask for again.

Written when a walk has come to its end, and not before. Records are kept as they come, so whoever
is stopped halfway leaves them there; but the next one begins where the last one that *ended* did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from binance_dust.ledger._rows import moment, stamp

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

__all__ = ["Mark", "read", "widen"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Everything from the first to the second time has been read."""

    since: datetime
    until: datetime

    def joined(self, other: Mark) -> Mark | None:
        """Join two that touch; `None` if something between them has not been read."""
        if other.since > self.until or self.since > other.until:
            return None
        return Mark(min(self.since, other.since), max(self.until, other.until))


def read(db: sqlite3.Connection, account: str, source: str) -> Mark | None:
    """Say what has been read of one source of an account's."""
    row = db.execute(
        "SELECT since, until FROM synced WHERE account = ? AND source = ?", (account, source)
    ).fetchone()
    return None if row is None else Mark(moment(row["since"]), moment(row["until"]))


def widen(db: sqlite3.Connection, account: str, source: str, mark: Mark) -> None:
    """Add what has been read now, unless it leaves a hole: then what was known stays."""
    known = read(db, account, source)
    joined = mark if known is None else known.joined(mark)
    if joined is not None:
        db.execute(
            "INSERT OR REPLACE INTO synced (account, source, since, until) VALUES (?, ?, ?, ?)",
            (account, source, stamp(joined.since), stamp(joined.until)),
        )
