"""Which names and keys are one account: the exchange's number decides, and else the key.

An account is known by its owner: the first name that it came with. Its entries, claims and synced
ranges carry the owner, and every entry keeps the name that it was made with. So two names of one
account have one set of books, and a new key finds what the old one left open.

Where the exchange's number can't be had, the key stands in for it. Then a name that comes with
another key may be another account that has the same name in another file. It is refused, until
`adopt` says that it is the same.

Everything here runs inside a transaction that `_store.py` has begun.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from binance_dust._util.html import Record
from binance_dust.errors import ConfigurationError
from binance_dust.ledger._schema import moment_or_none, stamp_or_none
from binance_dust.ledger._synced import merge_ranges

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

__all__ = [
    "Identity",
    "KnownAccount",
    "KnownKey",
    "bind",
    "bound",
    "ensure",
    "known_accounts",
    "known_key",
    "owner_of",
    "remember_key",
]

_HAS_KEY: Final = "SELECT 1 FROM keys WHERE owner = ?1"
_HAS_BOOKS: Final = (
    "SELECT 1 FROM entries WHERE owner = ?1 UNION ALL SELECT 1 FROM synced WHERE account = ?1"
)


class Identity(NamedTuple):
    """Which account a client is, in a ledger."""

    owner: str
    """The account's first name in the ledger."""
    uid: int | None
    """The exchange's number of the account, where it is known."""


class KnownKey(NamedTuple):
    """What the ledger remembers of a key."""

    owner: str | None
    uid: int | None
    asked_at: datetime | None
    """When the exchange refused to tell the number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAccount(Record):
    """One account of a ledger, with the names that it came with."""

    owner: str
    """Its first name: totals by account show it."""
    uid: int | None
    """The exchange's number of it, where it is known."""
    names: tuple[str, ...]
    keys: int
    """The number of keys that it came with."""


def known_key(db: sqlite3.Connection, key_id: str) -> KnownKey | None:
    """Read what is remembered of a key."""
    row = db.execute("SELECT * FROM keys WHERE key_id = ?", (key_id,)).fetchone()
    if row is None:
        return None
    return KnownKey(row["owner"], row["uid"], moment_or_none(row["asked_at"]))


def bound(db: sqlite3.Connection, name: str, key_id: str) -> Identity | None:
    """Return the account of a name and a key, if both are known and of one account.

    Its number is the one that the exchange told for this key.
    """
    known = known_key(db, key_id)
    if known is None or known.owner is None or known.owner != _owner_of(db, name):
        return None
    return Identity(known.owner, known.uid)


def remember_key(
    db: sqlite3.Connection, key_id: str, uid: int | None, asked_at: datetime | None
) -> None:
    """Note a key's account number, or that it was refused; a known number stays."""
    db.execute(
        "INSERT INTO keys VALUES (?, NULL, ?, ?) ON CONFLICT (key_id) DO UPDATE"
        " SET uid = coalesce(excluded.uid, uid), asked_at = excluded.asked_at",
        (key_id, uid, stamp_or_none(asked_at)),
    )


def known_accounts(db: sqlite3.Connection) -> list[KnownAccount]:
    """List the accounts of the ledger."""
    names: dict[str, list[str]] = {}
    for row in db.execute("SELECT name, owner FROM names ORDER BY name"):
        names.setdefault(row["owner"], []).append(row["name"])
    counted = "SELECT count(*) FROM keys WHERE keys.owner = accounts.owner"
    return [
        KnownAccount(
            owner=row["owner"],
            uid=row["uid"],
            names=tuple(names.get(row["owner"], ())),
            keys=row["keys"],
        )
        for row in db.execute(f"SELECT *, ({counted}) AS keys FROM accounts ORDER BY owner")  # noqa: S608 - our own text
    ]


def owner_of(db: sqlite3.Connection, name: str) -> str:
    """Return the owner of a name; a name that is new owns itself."""
    return _owner_of(db, name) or name


def ensure(db: sqlite3.Connection, name: str, key_id: str | None = None) -> str:
    """Return the owner of a name that is about to be written; a new name becomes an account.

    A new name with a known key belongs to the key's account. Raise if the name has changed hands
    since the key was bound to it.
    """
    owner = _owner_of(db, name)
    known = None if key_id is None else known_key(db, key_id)
    if owner is not None and known is not None and known.owner is None:
        raise ConfigurationError(
            f"the name {name} came with another key a moment ago, and whether both are of one "
            "account is not known: give one of the two another name"
        )
    if owner is None:
        owner = (known and known.owner) or name
        _name(db, name, owner)
    if key_id is not None:
        db.execute(
            "INSERT INTO keys VALUES (?, ?, NULL, NULL) ON CONFLICT (key_id) DO UPDATE"
            " SET owner = coalesce(owner, excluded.owner)",
            (key_id, owner),
        )
    return owner


def bind(  # noqa: PLR0913 - a name, a key, and what is known of them
    db: sqlite3.Connection,
    name: str,
    key_id: str,
    *,
    uid: int | None,
    path: str,
    unread: str | None = None,
    adopt: bool = False,
) -> tuple[Identity, list[str]]:
    """Bind a name and a key to an account, and return it with the owners that it turned out to be.

    Raise if the name belongs to another account, or may do: `unread` says why the number of this
    key's account is not known. With `adopt`, a name may come with another key.
    """
    named, known = _owner_of(db, name), known_key(db, key_id)
    holder = None if known is None else known.owner
    if uid is not None and _uid_of(db, holder) not in (None, uid):
        # An older version had it under a name that two accounts have.
        holder = None
    if named is not None:
        theirs = _uid_of(db, named)
        if uid is not None and theirs not in (None, uid):
            raise ConfigurationError(
                f"ledger {path}: the name {name} is account number {theirs} there, and this key is "
                f"of account number {uid}: give one of the two another name, or its own ledger"
            )
        same = holder == named or (uid is not None and theirs == uid)
        if not (same or adopt) and _has(db, _HAS_KEY, named):
            if _has(db, _HAS_BOOKS, named):
                raise ConfigurationError(
                    f"ledger {path}: the name {name} came with another key before, and whether both"
                    f" are of one account is not known{f' ({unread})' if unread else ''}: if they "
                    f"are, ledger.adopt({name!r}, client) or `binance-dust adopt {name}` says so; "
                    "if not, give this account another name"
                )
            # Nothing is written there yet, so nothing can be mixed up: the name changes hands.
            db.execute("UPDATE keys SET owner = NULL WHERE owner = ?", (named,))
    places = (_owner_by_uid(db, uid), named, holder)
    found = [each for each in dict.fromkeys(places) if each is not None]
    owner, *others = found or [name]
    for other in others:
        _merge(db, other, owner)
    _name(db, name, owner)
    db.execute("UPDATE accounts SET uid = ? WHERE owner = ? AND uid IS NULL", (uid, owner))
    db.execute(
        "INSERT INTO keys VALUES (?, ?, ?, NULL) ON CONFLICT (key_id) DO UPDATE SET owner = ?",
        (key_id, owner, uid, owner),
    )
    return Identity(owner, _uid_of(db, owner)), others


def _has(db: sqlite3.Connection, sql: str, owner: str) -> bool:
    return db.execute(f"{sql} LIMIT 1", (owner,)).fetchone() is not None


def _owner_of(db: sqlite3.Connection, name: str) -> str | None:
    row = db.execute("SELECT owner FROM names WHERE name = ?", (name,)).fetchone()
    return None if row is None else row[0]


def _owner_by_uid(db: sqlite3.Connection, uid: int | None) -> str | None:
    row = db.execute("SELECT owner FROM accounts WHERE uid = ?", (uid,)).fetchone()
    return None if row is None else row[0]


def _uid_of(db: sqlite3.Connection, owner: str | None) -> int | None:
    row = db.execute("SELECT uid FROM accounts WHERE owner = ?", (owner,)).fetchone()
    return None if row is None else row[0]


def _name(db: sqlite3.Connection, name: str, owner: str) -> None:
    db.execute("INSERT OR IGNORE INTO accounts VALUES (?, NULL)", (owner,))
    db.execute("INSERT OR IGNORE INTO names VALUES (?, ?)", (name, owner))


def _merge(db: sqlite3.Connection, other: str, owner: str) -> None:
    """Give an owner all that another one has: they are one account."""
    for table in ("entries", "names", "keys"):
        db.execute(f"UPDATE {table} SET owner = ? WHERE owner = ?", (owner, other))  # noqa: S608 - our own names
    merge_ranges(db, other, owner)
    # A holder of the other's claim finds that it is gone, and sends nothing.
    db.execute("DELETE FROM claims WHERE account = ?", (other,))
    db.execute("DELETE FROM accounts WHERE owner = ?", (other,))
