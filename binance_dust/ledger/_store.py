"""The ledger's work on its file, all of it blocking: `StoreThread` does it off the event loop."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from binance_dust.ledger import _books, _claims, _entries, _file, _marks
from binance_dust.ledger._matching import (
    can_have_done,
    has,
    over,
    own_entry,
    part_of_open,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from binance_dust.ledger._books import Books
    from binance_dust.ledger._claims import Claim
    from binance_dust.ledger._entries import Outcome
    from binance_dust.ledger._entry import Intent, LedgerEntry, Observed
    from binance_dust.ledger._marks import Mark, Missing
    from binance_dust.ledger._query import Query

__all__ = ["Recorded", "Store"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of records of the exchange's that were shown to the ledger."""

    added: tuple[int, ...]
    """Entries that are new."""
    settled: tuple[int, ...]
    """Entries whose outcome was open, was taken for a refusal, or was known in part only."""
    known: int
    """Records that the ledger had already, or that show a part of what is under way."""


class Store:
    """One connection, used by one thread."""

    def __init__(self, path: str, *, busy_timeout: float) -> None:
        """Open the file."""
        self._path = path
        self._connection = _file.connect(path, busy_timeout=busy_timeout)
        self._identity = _file.Identity(path)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # --- whose books they are --------------------------------------------------------------------

    def books(self) -> Books | None:
        """Say whose books they are, if that is settled."""
        with self._reading() as db:
            return _books.read(db)

    def refuse_other(self, books: Books) -> None:
        """Raise if the file keeps other books than these."""
        with self._reading() as db:
            _books.refuse_other(db, books, path=self._path)

    # --- claims ----------------------------------------------------------------------------------

    def claim(self, claim: Claim, now: datetime, length: timedelta) -> None:
        """Take the right to work on an account."""
        with self._writing() as db:
            _claims.take(db, claim, now=now, length=length)

    def extend(self, claim: Claim, now: datetime, length: timedelta) -> None:
        """Hold a right for longer."""
        with self._writing() as db:
            _claims.extend(db, claim, now=now, length=length)

    def release(self, claim: Claim) -> None:
        """Give a right back."""
        with self._writing() as db:
            _claims.release(db, claim)

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
                _claims.extend(db, claim, now=now, length=length)
            _entries.refuse_beside_open(db, intent)
            return _entries.read_one(db, _entries.insert_intent(db, intent))

    def settle(self, entry_id: int, outcome: Outcome) -> LedgerEntry:
        """Write down how a call ended; what is known already stays, and comes back as it is."""
        with self._writing() as db:
            entry = _entries.read_one(db, entry_id)
            if not _entries.may_become(entry, outcome):
                return entry
            _entries.settle(db, entry, outcome)
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

    def synced(self, account: str, source: str) -> Mark | None:
        """Say up to where a source of an account's records has been read."""
        with self._reading() as db:
            return _marks.read(db, account, source)

    def mark_synced(self, account: str, source: str, mark: Mark) -> None:
        """Note up to where a source of an account's records has been read."""
        with self._writing() as db:
            _marks.widen(db, account, source, mark)

    def missing(self, account: str | None) -> list[Missing]:
        """Give what of the exchange's records can't be had."""
        with self._reading() as db:
            return _marks.missing(db, account)

    def mark_missing(self, gap: Missing) -> None:
        """Note what of the exchange's records can't be had."""
        with self._writing() as db:
            _marks.miss(db, gap)

    def _keep(self, db: sqlite3.Connection, books: Books | None) -> None:
        # What is written by hand may be anybody's.
        if books is not None:
            _books.keep(db, books, path=self._path)

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
