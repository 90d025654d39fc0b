"""The work on a ledger's file: one transaction each. It blocks, so it has a thread of its own."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from binance_dust.errors import LedgerError
from binance_dust.ledger import (
    _access,
    _entries,
    _file,
    _outcomes,
    _owners,
    _synced,
)
from binance_dust.ledger._cooldown import ENTRIES_TO_LEARN_FROM, Scope
from binance_dust.ledger._entry import Kind
from binance_dust.ledger._holders import Holder
from binance_dust.ledger._query import Query

P = ParamSpec("P")
T = TypeVar("T")

if TYPE_CHECKING:
    import sqlite3
    from array import array
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime, timedelta

    from binance_dust.ledger._access import Books, Claim
    from binance_dust.ledger._entries import Settlement
    from binance_dust.ledger._entry import Intent, LedgerEntry
    from binance_dust.ledger._outcomes import Recorded
    from binance_dust.ledger._owners import Identity
    from binance_dust.ledger._records import Observed
    from binance_dust.ledger._synced import Missing, SyncedRange

    Work: TypeAlias = Callable[Concatenate[sqlite3.Connection, P], T]

__all__ = ["LedgerStore"]


class LedgerStore:
    """One connection, used by one thread."""

    def __init__(self, path: str, *, busy_timeout: float) -> None:
        """Open the file."""
        self._path = path
        self._connection = _file.connect(path, busy_timeout=busy_timeout)
        self._identity = _file.FileIdentity(path, self._connection)
        self._holder = Holder(None if path == _file.MEMORY else Path(path).resolve())

    def close(self) -> None:
        """Close the file; what this ledger still claims is free."""
        self._holder.release()
        self._identity.close(self._connection)

    def check(self) -> None:
        """Read the whole file; raise if it is damaged."""
        with self._reading() as db:
            _file.check_whole(db, self._path)

    def read(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read with a function of one of the modules beside this one."""
        with self._reading() as db:
            return work(db, *args, **kwargs)

    def write(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write with such a function, in one transaction."""
        with self._writing() as db:
            return work(db, *args, **kwargs)

    # --- real or local books ---------------------------------------------------------------------

    def refuse_other(self, books: Books) -> None:
        """Raise if the file is for the other kind of exchange."""
        with self._reading() as db:
            _access.refuse_other_books(db, books, path=self._path)

    # --- claims ----------------------------------------------------------------------------------

    def claim(self, claim: Claim, now: datetime, length: timedelta) -> None:
        """Take a claim."""
        with self._claiming() as db:
            _access.take_claim(db, _owned(db, claim), self._holder, now=now, length=length)

    def extend(self, claim: Claim, now: datetime, length: timedelta) -> None:
        """Extend a claim."""
        with self._claiming() as db:
            _access.extend_claim(db, _owned(db, claim), now=now, length=length)

    def release(self, claim: Claim) -> None:
        """Release a claim; if that can't be written, all that this ledger claims."""
        try:
            with self._claiming() as db:
                _access.release_claim(db, _owned(db, claim))
        except LedgerError:
            # A full disk, say. Others take this holder for dead, and it begins anew.
            self._holder.release()
            raise

    # --- entries ---------------------------------------------------------------------------------

    def scopes(self) -> list[Scope]:
        """List what has a cooldown of its own and entries here."""
        with self._reading() as db:
            found = db.execute("SELECT DISTINCT owner, kind, account_type FROM entries")
            return [Scope(owner, Kind(kind), wallet) for owner, kind, wallet in found]

    def newest(self, scope: Scope, since: datetime | None = None) -> list[LedgerEntry]:
        """Read the newest entries of a scope that can show a cooldown, oldest first."""
        with self._reading() as db:
            return list(_entries.read(db, _newest(db, scope.account, scope, since)[::-1]))

    def cooldown_evidence(self, scope: Scope) -> list[LedgerEntry]:
        """Read the newest entries of this and of all accounts, oldest first."""
        with self._reading() as db:
            ids = {*_newest(db, None, scope), *_newest(db, scope.account, scope)}
            return sorted(_entries.read(db, [*ids]), key=lambda entry: (entry.at, entry.id))

    def intend(
        self,
        intent: Intent,
        claim: Claim | None,
        now: datetime,
        length: timedelta,
        books: Books | None,
    ) -> LedgerEntry:
        """Write down a call before it is sent; raise if another call of the account is open."""
        with self._writing() as db:
            self._keep_books(db, books)
            if claim is not None:
                _access.extend_claim(db, _owned(db, claim), now=now, length=length)
            owner = _owners.ensure(db, intent.account, intent.key_id)
            _entries.refuse_beside_open(db, intent, owner)
            entry = _entries.read_one(db, _entries.insert_intent(db, intent, owner))
        with self._reading() as db:
            self._identity.check_written(db, entry.id)
        return entry

    def find_written(self, entry_id: int) -> None:
        """Raise if an entry would not be found in the file any more."""
        self._identity.check()
        with self._reading() as db:
            self._identity.check_written(db, entry_id)

    def settle(self, entry_id: int, settlement: Settlement) -> LedgerEntry:
        """Write down how a call ended. A known outcome stays and is returned unchanged."""
        with self._writing() as db:
            entry = _entries.read_one(db, entry_id)
            if not _outcomes.is_news(entry, settlement):
                return entry
            _outcomes.settle(db, entry, settlement)
            return _entries.read_one(db, entry_id)

    def resolve(
        self, entry_id: int, settlement: Settlement, shown: Sequence[Observed]
    ) -> LedgerEntry:
        """Settle an open entry by hand, with the lines of its record where they are known."""
        with self._writing() as db:
            _outcomes.resolve(db, _entries.read_one(db, entry_id), settlement, shown)
            return _entries.read_one(db, entry_id)

    # --- the exchange's own records --------------------------------------------------------------

    def record(self, seen: Sequence[Observed], now: datetime, books: Books | None) -> Recorded:
        """Import the exchange's records: as new entries, or as outcomes of our calls."""
        with self._writing() as db:
            self._keep_books(db, books)
            return _outcomes.record(db, seen, now)

    # --- accounts --------------------------------------------------------------------------------

    def bind(self, name: str, key_id: str, uid: int | None, **how: Any) -> Identity:
        """Bind a name and a key to an account; raise if the name is another account's."""
        with self._writing() as db:
            bound, merged = _owners.bind(db, name, key_id, uid=uid, path=self._path, **how)
            if merged:
                _outcomes.fold_doubles(db, bound.owner)
            return bound

    # --- what was read ---------------------------------------------------------------------------

    def synced(self, account: str, source: str) -> SyncedRange | None:
        """Return the range in which a source of an account's records has been read."""
        with self._reading() as db:
            return _synced.read_range(db, _owners.owner_of(db, account), source)

    def mark_synced(self, account: str, source: str, synced: SyncedRange) -> None:
        """Note a range in which a source of an account's records has been read."""
        with self._writing() as db:
            _synced.add_range(db, _owners.ensure(db, account), source, synced)

    def missing(self, account: str | None) -> list[Missing]:
        """List the ranges of which the exchange does not show all records."""
        with self._reading() as db:
            owner = None if account is None else _owners.owner_of(db, account)
            return _synced.read_missing(db, owner)

    def forget_missing(self, account: str, source: str, read: SyncedRange) -> None:
        """Forget what was missing in a range that has been read again."""
        with self._writing() as db:
            _synced.forget_missing(db, _owners.ensure(db, account), source, read)

    def mark_missing(self, gap: Missing) -> None:
        """Note a range of which the exchange does not show all records."""
        with self._writing() as db:
            owner = _owners.ensure(db, gap.account)
            _synced.add_missing(db, dataclasses.replace(gap, account=owner))

    def _keep_books(self, db: sqlite3.Connection, books: Books | None) -> None:
        # Entries that a user writes without a session may be of either kind.
        if books is not None:
            _access.keep_books(db, books, path=self._path)

    # --- the file --------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with _file.ledger_errors(self._path):
            yield self._connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading():
            with self._changing() as db:
                yield db
            _file.bring_home(db)
            self._identity.remember(db)

    @contextmanager
    def _claiming(self) -> Iterator[sqlite3.Connection]:
        # Claims are gone with their process anyway, and cost a conversion no time this way.
        with self._reading() as db, _file.unflushed(db), self._changing():
            yield db

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        db = self._connection
        self._identity.check()
        _file.forget_pages(db)
        with _file.transaction(db):
            self._identity.check_content(db)
            yield db
        self._identity.check()


def _newest(
    db: sqlite3.Connection, account: str | None, scope: Scope, since: datetime | None = None
) -> array[int]:
    query = Query(
        account=account,
        kind=scope.kind,
        account_type=scope.account_type,
        status=("confirmed", "rejected"),
        since=since,
        newest_first=True,
        limit=ENTRIES_TO_LEARN_FROM,
    )
    return query.ids(db)


def _owned(db: sqlite3.Connection, claim: Claim) -> Claim:
    """Name the account of a claim by its owner: claims under its other names are the same."""
    return dataclasses.replace(claim, account=_owners.owner_of(db, claim.account))
