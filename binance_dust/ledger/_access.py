"""Who may write to a ledger: one kind of exchange per file, one worker per account.

Books. A sandbox's numbers of accounts mean nothing elsewhere, and its keys may have the names of
real ones. If the alice of a rehearsal shared a file with the real alice, her conversions would
start a cooldown for the real account and count in its totals, and an open call of the real account
would be looked up on the sandbox. So a file is for real exchanges or for local ones. The first
intent or record that comes from a session decides which, and the other kind is refused. All
exchanges on this machine's loopback, whatever their port, are local.

Claims. One converter and one recoverer at a time work on an account, across processes. A claim only
keeps two processes from planning the same conversion. It ends when its holder releases it or dies,
and at the latest after its length: a process may be frozen. The safety of funds depends neither on
locks nor on clocks: the transaction that writes an intent also checks the claim and the account's
open entry.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal

from binance_dust.errors import ConfigurationError, GuardError
from binance_dust.ledger._schema import moment, stamp

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from binance_dust.client import DustClient
    from binance_dust.ledger._holders import Holder
    from binance_dust.session import Session

__all__ = [
    "Books",
    "Claim",
    "Role",
    "account_of",
    "books_of",
    "extend_claim",
    "keep_books",
    "key_id_of",
    "read_books",
    "refuse_other_books",
    "release_claim",
    "take_claim",
]


def account_of(client: DustClient) -> str:
    """Return the ledger's name for a client's account: its own name, or an id of its key."""
    return client.credentials.identity


def key_id_of(client: DustClient) -> str:
    """Return what identifies a client's key, and does not reveal it."""
    return sha256(client.credentials.api_key.encode()).hexdigest()[:16]


class Books(enum.StrEnum):
    """Which kind of exchange a ledger file is for."""

    REAL = "real"
    """A real exchange."""
    LOCAL = "local"
    """An exchange on this machine: a sandbox."""


_WHY_NOT: Final = {
    Books.REAL: "it keeps the books of a real exchange, but this session's exchange is on this "
    'machine: name another file for rehearsals, or ":memory:"',
    Books.LOCAL: "it keeps the books of rehearsals on this machine, but this session's exchange is "
    "a real one: name another file for its books",
}


def books_of(session: Session) -> Books:
    """Return the kind of exchange that a session talks to."""
    return Books.LOCAL if session.is_local else Books.REAL


def read_books(db: sqlite3.Connection) -> Books | None:
    """Read which kind of exchange a file is for; `None` if that is not decided yet."""
    row = db.execute("SELECT whose FROM books").fetchone()
    return None if row is None else Books(row["whose"])


def refuse_other_books(db: sqlite3.Connection, books: Books, *, path: str) -> None:
    """Raise if the file is for the other kind of exchange."""
    found = read_books(db)
    if found not in (None, books):
        raise ConfigurationError(f"ledger {path}: {_WHY_NOT[found]}")


def keep_books(db: sqlite3.Connection, books: Books, *, path: str) -> None:
    """Decide for good which kind of exchange a file is for; raise if it is the other one."""
    refuse_other_books(db, books, path=path)
    db.execute("INSERT OR IGNORE INTO books VALUES (1, ?)", (books.value,))


Role = Literal["convert", "recover"]
_STEP: Final = timedelta(seconds=2)
"""How far a machine's clock may be set back while a claim is held."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on an account, until it is released, expires, or its process dies.

    The time of claims is `Session.machine_time`: all processes that share a file share that clock.
    """

    account: str
    role: Role
    holder: str


def take_claim(
    db: sqlite3.Connection, claim: Claim, holder: Holder, *, now: datetime, length: timedelta
) -> None:
    """Take a claim that is free, over, a dead holder's or one's own; else raise with its end."""
    row = db.execute(
        "SELECT holder, process, begun, until FROM claims WHERE account = ? AND role = ?",
        (claim.account, claim.role),
    ).fetchone()
    if (
        row is not None
        and row["holder"] != claim.holder
        # If it begins later, the clock was wrong then, and its end means nothing.
        and moment(row["begun"]) - _STEP <= now < moment(row["until"])
        and not holder.is_dead(row["process"])
    ):
        raise GuardError(
            f"{claim.account}: another {claim.role} is under way",
            account=claim.account,
            retry_at=moment(row["until"]),
            busy=True,
        )
    db.execute(
        "INSERT OR REPLACE INTO claims (account, role, holder, process, begun, until)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (claim.account, claim.role, claim.holder, holder.hold(), stamp(now), stamp(now + length)),
    )


def extend_claim(db: sqlite3.Connection, claim: Claim, *, now: datetime, length: timedelta) -> None:
    """Extend a claim; raise if another holder has taken it."""
    changed = db.execute(
        "UPDATE claims SET begun = ?, until = ? WHERE account = ? AND role = ? AND holder = ?",
        (stamp(now), stamp(now + length), claim.account, claim.role, claim.holder),
    ).rowcount
    if not changed:
        raise GuardError(
            f"{claim.account}: this {claim.role} took too long, and another one took over",
            account=claim.account,
            busy=True,
        )


def release_claim(db: sqlite3.Connection, claim: Claim) -> None:
    """Release a claim, if the holder still has it."""
    db.execute(
        "DELETE FROM claims WHERE account = ? AND role = ? AND holder = ?",
        (claim.account, claim.role, claim.holder),
    )
