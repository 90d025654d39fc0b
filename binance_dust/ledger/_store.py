"""The work on a ledger's file: one transaction each, in a thread of its own.

`LedgerStore` does the work and blocks. `StoreThread` runs it in order, off the event loop. What
was submitted is done, even if its caller stops waiting.
"""

from __future__ import annotations

import asyncio
import dataclasses
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from binance_dust.errors import ConfigurationError, DustError, LedgerError
from binance_dust.events import logger
from binance_dust.ledger import _access, _entries, _file, _outcomes, _owners, _synced
from binance_dust.ledger._cooldown import ENTRIES_TO_LEARN_FROM
from binance_dust.ledger._holders import Holder
from binance_dust.ledger._query import Query

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime, timedelta

    from binance_dust.ledger._access import Books, Claim
    from binance_dust.ledger._cooldown import Scope
    from binance_dust.ledger._entries import Settlement
    from binance_dust.ledger._entry import Intent, LedgerEntry
    from binance_dust.ledger._outcomes import Recorded
    from binance_dust.ledger._owners import Identity, KnownAccount, KnownKey
    from binance_dust.ledger._records import Observed
    from binance_dust.ledger._synced import Missing, SyncedRange

__all__ = ["LedgerStore", "StoreThread"]

T = TypeVar("T")


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

    # --- real or local books ---------------------------------------------------------------------

    def books(self) -> Books | None:
        """Return which kind of exchange the file is for, if that is decided."""
        with self._reading() as db:
            return _access.read_books(db)

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

    def ids(self, query: Query) -> list[int]:
        """Find the ids of the matching entries."""
        sql, values = query.sql()
        with self._reading() as db:
            return [row[0] for row in db.execute(sql, values)]

    def entries(self, ids: Sequence[int]) -> list[LedgerEntry]:
        """Read entries, in the given order of ids."""
        with self._reading() as db:
            found = {entry.id: entry for entry in _entries.read(db, ids)}
        return [found[each] for each in ids if each in found]

    def entry(self, entry_id: int) -> LedgerEntry:
        """Read one entry."""
        with self._reading() as db:
            return _entries.read_one(db, entry_id)

    def cooldown_evidence(self, scope: Scope) -> list[LedgerEntry]:
        """Read the newest entries of this and of all accounts, oldest first."""
        ids: set[int] = set()
        for account in (None, scope.account):
            query = Query(
                account=account,
                kind=scope.kind,
                account_type=scope.account_type,
                status=("confirmed", "rejected"),
                newest_first=True,
                limit=ENTRIES_TO_LEARN_FROM,
            )
            ids.update(self.ids(query))
        return sorted(self.entries([*ids]), key=lambda entry: (entry.at, entry.id))

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

    def unclaimed(self, seen: Sequence[Observed], besides: int) -> list[Observed]:
        """Drop the records that another call of ours than `besides` has."""
        with self._reading() as db:
            return _outcomes.unclaimed(db, seen, besides)

    # --- accounts --------------------------------------------------------------------------------

    def known_key(self, key_id: str) -> KnownKey | None:
        """Read what is remembered of a key."""
        with self._reading() as db:
            return _owners.known_key(db, key_id)

    def bound(self, name: str, key_id: str) -> Identity | None:
        """Return whose a name and a key are, if both are known and of one account."""
        with self._reading() as db:
            return _owners.bound(db, name, key_id)

    def remember_key(self, key_id: str, uid: int | None, asked_at: datetime | None) -> None:
        """Note a key's account number, or when the exchange refused to tell it."""
        with self._writing() as db:
            _owners.remember_key(db, key_id, uid, asked_at)

    def bind(self, name: str, key_id: str, uid: int | None, **how: Any) -> Identity:
        """Bind a name and a key to an account; raise if the name is another account's."""
        with self._writing() as db:
            bound, merged = _owners.bind(db, name, key_id, uid=uid, path=self._path, **how)
            if merged:
                _outcomes.fold_doubles(db, bound.owner)
            return bound

    def owner_of(self, name: str) -> str:
        """Return the owner of a name."""
        with self._reading() as db:
            return _owners.owner_of(db, name)

    def known_accounts(self) -> list[KnownAccount]:
        """List the accounts."""
        with self._reading() as db:
            return _owners.known_accounts(db)

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


def _owned(db: sqlite3.Connection, claim: Claim) -> Claim:
    """Name the account of a claim by its owner: claims under its other names are the same."""
    return dataclasses.replace(claim, account=_owners.owner_of(db, claim.account))


class StoreThread:
    """A store, and the one thread that uses it."""

    __slots__ = ("_busy_timeout", "_path", "_store", "_thread")

    def __init__(self, path: str, *, busy_timeout: float) -> None:
        """Name the file; it is not opened yet."""
        self._path = path
        self._busy_timeout = busy_timeout
        self._thread: ThreadPoolExecutor | None = None
        self._store: LedgerStore | None = None

    @property
    def is_open(self) -> bool:
        """Whether the file is open."""
        return self._thread is not None

    async def open(self) -> None:
        """Start the thread and open the file."""
        if self._thread is not None:
            raise ConfigurationError(f"ledger {self._path} is already open")
        thread = self._thread = ThreadPoolExecutor(1, thread_name_prefix="binance-dust-ledger")
        opening = asyncio.get_running_loop().run_in_executor(thread, self._open)
        try:
            await asyncio.shield(opening)
        except BaseException:
            # A cancelled caller leaves no open file behind: the thread closes it afterwards.
            thread.submit(self._close)
            thread.shutdown(wait=False)
            self._thread = None
            raise

    async def close(self) -> None:
        """Finish pending work and close the file. It is safe to close twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            closing = asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown(wait=False)
            await asyncio.shield(closing)

    async def run(
        self,
        work: Callable[[LedgerStore], T],
        *,
        undo: Callable[[LedgerStore], object] | None = None,
    ) -> T:
        """Run work in the thread, and wait for it. `undo` is run if the waiter is cancelled."""
        if self._thread is None:
            raise ConfigurationError(f"ledger {self._path} is not open: use it in `async with`")
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.shield(loop.run_in_executor(self._thread, self._run, work))
        except (asyncio.CancelledError, GeneratorExit):
            if undo is not None:
                self.run_soon(undo)
            raise

    def run_soon(self, work: Callable[[LedgerStore], object]) -> None:
        """Run work in the thread without waiting, if the file is still open."""
        if self._thread is not None:
            self._thread.submit(self._run_logged, work)

    # --- in the thread ---------------------------------------------------------------------------

    def _open(self) -> None:
        self._store = LedgerStore(self._path, busy_timeout=self._busy_timeout)

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _run(self, work: Callable[[LedgerStore], T]) -> T:
        if self._store is None:
            # Asked for while it was being opened, and that has failed.
            raise ConfigurationError(f"ledger {self._path} could not be opened")
        return work(self._store)

    def _run_logged(self, work: Callable[[LedgerStore], object]) -> None:
        try:
            self._run(work)
        except DustError as error:
            logger.warning("%s", error)
