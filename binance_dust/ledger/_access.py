"""Who may write to a ledger: one kind of exchange for a file, one worker for an account.

Books. A ledger knows accounts by their names. A rehearsal's alice in the file of the real one would
hold her back for a day, and what she converted would be in the sums; the real one's open call would
be looked for on an exchange that never had it. So a file is for one kind, from the first intent or
record on that came by a session, and refuses the other. Sandboxes are all of one kind, whatever
their port: what is on this machine's loopback.

Claims. One converter and one recoverer work on an account at a time, across processes. A claim is
good manners, and keeps two processes from planning the same conversion. It runs out by the clock,
so a holder that died blocks nobody for long. What keeps funds safe does not depend on clocks: every
intent is written in one transaction with a look at the claim and at the account's open entry.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from binance_dust.errors import ConfigurationError, GuardError
from binance_dust.ledger._schema import moment, stamp

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime, timedelta

    from binance_dust.client import DustClient
    from binance_dust.session import Session

__all__ = [
    "Books",
    "Claim",
    "Role",
    "account_of",
    "books_of",
    "extend_claim",
    "keep_books",
    "read_books",
    "refuse_other_books",
    "release_claim",
    "take_claim",
]


def account_of(client: DustClient) -> str:
    """Say what the ledger calls a client's account: its name, or what tells its key from others."""
    return client.credentials.identity


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


def read_books(db: sqlite3.Connection) -> Books | None:
    """Say whose books they are; `None` while nothing came by a session."""
    row = db.execute("SELECT whose FROM books").fetchone()
    return None if row is None else Books(row["whose"])


def refuse_other_books(db: sqlite3.Connection, books: Books, *, path: str) -> None:
    """Raise if the file keeps other books than these."""
    found = read_books(db)
    if found not in (None, books):
        raise ConfigurationError(f"ledger {path}: {_WHY_NOT[found]}")


def keep_books(db: sqlite3.Connection, books: Books, *, path: str) -> None:
    """Remember for good whose books they are, unless they are another's already."""
    refuse_other_books(db, books, path=path)
    db.execute("INSERT OR IGNORE INTO books VALUES (1, ?)", (books.value,))


Role = Literal["convert", "recover"]


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on an account, until it runs out."""

    account: str
    role: Role
    holder: str


def take_claim(
    connection: sqlite3.Connection, claim: Claim, *, now: datetime, length: timedelta
) -> None:
    """Take a claim that is free, run out, or the holder's already; or say who has it until when."""
    row = connection.execute(
        "SELECT holder, until FROM claims WHERE account = ? AND role = ?",
        (claim.account, claim.role),
    ).fetchone()
    if row is not None and row["holder"] != claim.holder and moment(row["until"]) > now:
        raise GuardError(
            f"{claim.account}: another {claim.role} is under way",
            account=claim.account,
            retry_at=moment(row["until"]),
        )
    connection.execute(
        "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)",
        (claim.account, claim.role, claim.holder, stamp(now + length)),
    )


def extend_claim(
    connection: sqlite3.Connection, claim: Claim, *, now: datetime, length: timedelta
) -> None:
    """Hold a claim for longer; one that somebody else has taken over is lost for good."""
    changed = connection.execute(
        "UPDATE claims SET until = ? WHERE account = ? AND role = ? AND holder = ?",
        (stamp(now + length), claim.account, claim.role, claim.holder),
    ).rowcount
    if not changed:
        raise GuardError(
            f"{claim.account}: this {claim.role} took too long, and another one took over",
            account=claim.account,
        )


def release_claim(connection: sqlite3.Connection, claim: Claim) -> None:
    """Give a claim back, if it is still the holder's."""
    connection.execute(
        "DELETE FROM claims WHERE account = ? AND role = ? AND holder = ?",
        (claim.account, claim.role, claim.holder),
    )
