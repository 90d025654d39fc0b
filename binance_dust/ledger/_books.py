"""Whose books a file holds: those of a real exchange, or of rehearsals on this machine.

A ledger knows accounts by their names. A rehearsal's alice in the file of the real one would hold
her back for a day, and what she converted would be in the sums; the real one's open call would be
looked for on an exchange that never had it. So a file is for one kind, from the first intent or
record on that came by a session, and refuses the other. Sandboxes are all of one kind, whatever
their port: what is on this machine's loopback.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    import sqlite3

    from binance_dust.session import Session

__all__ = ["Books", "books_of", "keep", "read", "refuse_other"]


class Books(enum.StrEnum):
    """Whose books."""

    REAL = "real"
    """A real exchange's."""
    LOCAL = "local"
    """Of an exchange on this machine: a sandbox's."""


_WHY_NOT: Final = {
    Books.REAL: "it keeps the books of a real exchange, and this session's is on this machine: "
    'name another file for rehearsals, or ":memory:"',
    Books.LOCAL: "it keeps the books of rehearsals on this machine, and this session's exchange is "
    "a real one: name another file for its books",
}


def books_of(session: Session) -> Books:
    """Say in whose books belongs what a session does."""
    return Books.LOCAL if session.is_local else Books.REAL


def read(db: sqlite3.Connection) -> Books | None:
    """Say whose books they are; `None` while nothing came by a session."""
    row = db.execute("SELECT whose FROM books").fetchone()
    return None if row is None else Books(row["whose"])


def refuse_other(db: sqlite3.Connection, books: Books, *, path: str) -> None:
    """Raise if the file keeps other books than these."""
    found = read(db)
    if found not in (None, books):
        raise ConfigurationError(f"ledger {path}: {_WHY_NOT[found]}")


def keep(db: sqlite3.Connection, books: Books, *, path: str) -> None:
    """Remember for good whose books they are, unless they are another's already."""
    refuse_other(db, books, path=path)
    db.execute("INSERT OR IGNORE INTO books VALUES (1, ?)", (books.value,))
