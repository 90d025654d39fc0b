"""The work on a ledger's file: one transaction each, in a thread of its own.

`LedgerStore` does the work and blocks. `StoreThread` runs it in order, off the event loop. What
was submitted is done, even if its caller stops waiting.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from binance_dust.errors import ConfigurationError, DustError
from binance_dust.events import logger
from binance_dust.ledger import _access, _entries, _file, _synced
from binance_dust.ledger._cooldown import ENTRIES_TO_LEARN_FROM
from binance_dust.ledger._query import Query
from binance_dust.ledger._records import (
    can_have_done,
    has,
    over,
    own_entry,
    part_of_open,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime, timedelta

    from binance_dust.ledger._access import Books, Claim
    from binance_dust.ledger._cooldown import Scope
    from binance_dust.ledger._entries import Settlement
    from binance_dust.ledger._entry import Intent, LedgerEntry
    from binance_dust.ledger._records import Observed
    from binance_dust.ledger._synced import Missing, SyncedRange

__all__ = ["LedgerStore", "Recorded", "StoreThread"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of records of the exchange's that were shown to the ledger."""

    added: tuple[int, ...]
    """Entries that are new."""
    settled: tuple[int, ...]
    """Entries whose outcome was open, was taken for a refusal, or was known in part only."""
    known: int
    """Records that the ledger had already, or that show a part of what is under way."""


class LedgerStore:
    """One connection, used by one thread."""

    def __init__(self, path: str, *, busy_timeout: float) -> None:
        """Open the file."""
        self._path = path
        self._connection = _file.connect(path, busy_timeout=busy_timeout)
        self._identity = _file.FileIdentity(path)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # --- whose books they are --------------------------------------------------------------------

    def books(self) -> Books | None:
        """Say whose books they are, if that is settled."""
        with self._reading() as db:
            return _access.read_books(db)

    def refuse_other(self, books: Books) -> None:
        """Raise if the file keeps other books than these."""
        with self._reading() as db:
            _access.refuse_other_books(db, books, path=self._path)

    # --- claims ----------------------------------------------------------------------------------

    def claim(self, claim: Claim, now: datetime, length: timedelta) -> None:
        """Take the right to work on an account."""
        with self._writing() as db:
            _access.take_claim(db, claim, now=now, length=length)

    def extend(self, claim: Claim, now: datetime, length: timedelta) -> None:
        """Hold a right for longer."""
        with self._writing() as db:
            _access.extend_claim(db, claim, now=now, length=length)

    def release(self, claim: Claim) -> None:
        """Give a right back."""
        with self._writing() as db:
            _access.release_claim(db, claim)

    # --- entries ---------------------------------------------------------------------------------

    def ids(self, query: Query) -> list[int]:
        """Find entries."""
        sql, values = query.sql()
        with self._reading() as db:
            return [row[0] for row in db.execute(sql, values)]

    def entries(self, ids: Sequence[int]) -> list[LedgerEntry]:
        """Read entries, in the order of their ids as given."""
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
        """Write down a call that is about to be sent, unless another one of the account is open."""
        self._identity.check()
        with self._writing() as db:
            self._keep(db, books)
            if claim is not None:
                _access.extend_claim(db, claim, now=now, length=length)
            _entries.refuse_beside_open(db, intent)
            return _entries.read_one(db, _entries.insert_intent(db, intent))

    def settle(self, entry_id: int, settlement: Settlement) -> LedgerEntry:
        """Write down how a call ended; what is known already stays, and comes back as it is."""
        with self._writing() as db:
            entry = _entries.read_one(db, entry_id)
            if not _entries.may_become(entry, settlement):
                return entry
            _entries.settle(db, entry, settlement)
            return _entries.read_one(db, entry_id)

    # --- the exchange's own records --------------------------------------------------------------

    def record(self, seen: Sequence[Observed], now: datetime, books: Books | None) -> Recorded:
        """Take in records of the exchange's: each once, or as the outcome of a call of ours."""
        added: list[int] = []
        settled: list[int] = []
        with self._writing() as db:
            self._keep(db, books)
            for each in seen:
                candidates = _entries.candidates(db, each)
                own = own_entry(candidates, each) or part_of_open(candidates, each)
                if own is None:
                    added.append(_entries.insert_record(db, each, now))
                elif own.open and not (over(own, now) or can_have_done(own, each)):
                    # A part, and the rest may still come. It is shown again, or read by recover().
                    continue
                elif own.status != "confirmed":
                    _entries.settle(db, own, _entries.confirmed_by(each, now))
                    settled.append(own.id)
                elif _entries.complete(db, own, each):
                    settled.append(own.id)
                elif own.transaction_id != each.transaction_id is not None:
                    _entries.adopt_id(db, own, each)
        known = len(seen) - len(added) - len(settled)
        return Recorded(added=tuple(added), settled=tuple(settled), known=known)

    def unclaimed(self, seen: Sequence[Observed], besides: int) -> list[Observed]:
        """Leave out the records that other entries than one have already."""
        with self._reading() as db:
            return [each for each in seen if not _is_taken(db, each, besides)]

    def synced(self, account: str, source: str) -> SyncedRange | None:
        """Say up to where a source of an account's records has been read."""
        with self._reading() as db:
            return _synced.read_range(db, account, source)

    def mark_synced(self, account: str, source: str, mark: SyncedRange) -> None:
        """Note up to where a source of an account's records has been read."""
        with self._writing() as db:
            _synced.add_range(db, account, source, mark)

    def missing(self, account: str | None) -> list[Missing]:
        """Give what of the exchange's records can't be had."""
        with self._reading() as db:
            return _synced.read_missing(db, account)

    def mark_missing(self, gap: Missing) -> None:
        """Note what of the exchange's records can't be had."""
        with self._writing() as db:
            _synced.add_missing(db, gap)

    def _keep(self, db: sqlite3.Connection, books: Books | None) -> None:
        # What is written by hand may be anybody's.
        if books is not None:
            _access.keep_books(db, books, path=self._path)

    # --- the file --------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with _file.said_plainly(self._path):
            yield self._connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading(), _file.transaction(self._connection) as db:
            yield db


def _is_taken(db: sqlite3.Connection, seen: Observed, besides: int) -> bool:
    others = (entry for entry in _entries.candidates(db, seen) if entry.id != besides)
    return any(has(entry, seen) for entry in others)


class StoreThread:
    """A store, and the one thread that works with it."""

    __slots__ = ("_busy_timeout", "_path", "_store", "_thread")

    def __init__(self, path: str, *, busy_timeout: float) -> None:
        """Name the file; nothing is opened yet."""
        self._path = path
        self._busy_timeout = busy_timeout
        self._thread: ThreadPoolExecutor | None = None
        self._store: LedgerStore | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is something to work with."""
        return self._thread is not None

    async def open(self) -> None:
        """Begin, and open the file."""
        if self._thread is not None:
            raise ConfigurationError(f"ledger {self._path} is open already")
        thread = self._thread = ThreadPoolExecutor(1, thread_name_prefix="binance-dust-ledger")
        opening = asyncio.get_running_loop().run_in_executor(thread, self._open)
        try:
            await asyncio.shield(opening)
        except BaseException:
            # Whoever gave up waiting leaves no open file behind: the thread closes it in its turn.
            thread.submit(self._close)
            thread.shutdown(wait=False)
            self._thread = None
            raise

    async def close(self) -> None:
        """Finish what is being done, and close the file. Closing twice is no harm."""
        thread, self._thread = self._thread, None
        if thread is not None:
            closing = asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown(wait=False)
            await asyncio.shield(closing)

    async def do(self, work: Callable[[LedgerStore], T]) -> T:
        """Have something done, and wait for it."""
        if self._thread is None:
            raise ConfigurationError(f"ledger {self._path} is not open: use it in `async with`")
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._thread, self._do, work))

    def do_soon(self, work: Callable[[LedgerStore], object]) -> None:
        """Have something done without waiting for it, if there is still somebody to do it."""
        if self._thread is not None:
            self._thread.submit(self._try, work)

    # --- in the thread ---------------------------------------------------------------------------

    def _open(self) -> None:
        self._store = LedgerStore(self._path, busy_timeout=self._busy_timeout)

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _do(self, work: Callable[[LedgerStore], T]) -> T:
        assert self._store is not None  # noqa: S101 - opened before anything else is handed over
        return work(self._store)

    def _try(self, work: Callable[[LedgerStore], object]) -> None:
        try:
            self._do(work)
        except DustError as error:
            logger.warning("%s", error)
