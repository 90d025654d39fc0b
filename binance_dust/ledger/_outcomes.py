"""How calls ended, and the exchange's records of them: which is believed, and what it changes.

An outcome on record gives way only to a more certain one. The sender's own answer is the most
certain, and it overrules what was read in a log: the log does not name the call that made a record.
Then the record goes back to being a record of its own, so each stays in the books exactly once.

Everything here runs inside a transaction that `_store.py` has begun.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from binance_dust._util.html import Record
from binance_dust.errors import ConfigurationError, GuardError
from binance_dust.ledger import _entries
from binance_dust.ledger._entry import Kind, SettledBy
from binance_dust.ledger._owners import ensure
from binance_dust.ledger._records import (
    PROCESSING,
    Observed,
    as_observed,
    can_have_done,
    entry_has,
    is_over,
    may_be_ours,
    moved,
    own_entry,
    same_ids,
    same_lines,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from datetime import datetime

    from binance_dust.ledger._entries import Settlement
    from binance_dust.ledger._entry import LedgerEntry

__all__ = ["Recorded", "fold_doubles", "is_news", "record", "resolve", "settle", "unclaimed"]

_FOLDED: Final = "the same record as entry "
"""How the reason of an imported entry begins that turned out to be another entry's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded(Record):
    """How the ledger took the exchange's records."""

    added: tuple[int, ...]
    """New entries."""
    settled: tuple[int, ...]
    """Entries that a record has settled, completed, or changed from rejected to confirmed."""
    known: int
    """Records that the ledger already had, or that may be of a call in progress."""


# --- outcomes ------------------------------------------------------------------------------------


def is_news(entry: LedgerEntry, new: Settlement) -> bool:
    """Whether a settlement changes an entry."""
    if entry.open:
        return (entry.status, entry.reason, entry.needs_resolve) != (
            new.status,
            new.reason,
            new.needs_resolve,
        )
    if SettledBy.ANSWER in (entry.settled_by, new.by):
        return entry.settled_by is not SettledBy.ANSWER
    return entry.status == "rejected" and new.status == "confirmed"


def settle(db: sqlite3.Connection, entry: LedgerEntry, new: Settlement) -> None:
    """Write a settlement that is news into an entry."""
    told = _record_of(entry, new)
    if new.by is SettledBy.READING and _is_taken(db, told, entry.id):
        # Since it was read, the record turned out to be that of another of our calls.
        return
    if new.by is SettledBy.ANSWER:
        _take_back(db, entry, told)
    if entry.status == "confirmed":
        new = _instead_of(db, entry, new, told)
    _entries.settle(db, entry, new)
    if new.status == "confirmed":
        _fold_into(db, _entries.read_one(db, entry.id))


def _take_back(db: sqlite3.Connection, entry: LedgerEntry, told: Observed) -> None:
    """Open a call again that was settled by a record which the answer to another call names."""
    for each in _entries.candidates(db, told):
        if each.id != entry.id and not each.imported and entry_has(each, told):
            _entries.open_again(
                db, each.id, f"its record turned out to be that of entry {entry.id}"
            )


def _record_of(entry: LedgerEntry, new: Settlement) -> Observed:
    """Return the record that a settlement tells of."""
    return replace(
        as_observed(entry),
        transaction_id=new.transaction_id,
        target=new.target or entry.target,
        lines=new.lines,
    )


def _instead_of(
    db: sqlite3.Connection, entry: LedgerEntry, new: Settlement, answered: Observed
) -> Settlement:
    """Make room for the sender's answer in an entry that a record had settled."""
    read = as_observed(entry)
    _entries.drop_lines(db, entry.id)
    if same_ids(entry, answered) or same_lines(replace(entry, intended_at=entry.at), answered):
        # The same conversion. The log's own id stays, and lines that only the log has.
        told = {line.asset for line in new.lines}
        kept = tuple(line for line in entry.lines if line.asset not in told)
        return replace(new, lines=(*new.lines, *kept), transaction_id=entry.transaction_id)
    # The record was of another call: it is an entry of its own.
    for double in _entries.candidates(db, read):
        if (double.reason or "").startswith(_FOLDED) and same_ids(double, read):
            _entries.unfold(db, double.id, read.lines)
            return new
    _entries.insert_record(db, read, entry.owner, new.now)
    return new


def _fold_into(db: sqlite3.Connection, entry: LedgerEntry) -> None:
    """Stop counting imported entries of a record that our call has now."""
    seen = as_observed(entry)
    for each in _entries.candidates(db, seen):
        if each.imported and entry_has(each, seen):
            _entries.add_missing_lines(db, entry, as_observed(each))
            _entries.fold(db, each.id, f"{_FOLDED}{entry.id}")


def fold_doubles(db: sqlite3.Connection, owner: str) -> None:
    """Count each record of an account once, after its names were found to be one account."""
    mine = "SELECT id FROM entries WHERE owner = ? AND account <> ? AND intended_at IS NULL"
    ids = [row[0] for row in db.execute(f"{mine} AND status = 'confirmed'", (owner, owner))]
    for entry in sorted(_entries.read(db, ids), key=lambda entry: entry.id):
        seen = as_observed(entry)
        for each in _entries.candidates(db, seen):
            if each.id != entry.id and entry_has(each, seen):
                _entries.add_missing_lines(db, each, seen)
                _entries.fold(db, entry.id, f"{_FOLDED}{each.id}")
                break


def resolve(
    db: sqlite3.Connection, entry: LedgerEntry, new: Settlement, shown: Sequence[Observed]
) -> None:
    """Settle an open entry by hand; `shown` are the exchange's records of that time."""
    if not entry.open:
        raise ConfigurationError(f"entry {entry.id} is {entry.status}: there is nothing to resolve")
    # If reading could not tell, it was over by the exchange's clock. Ours may be wrong.
    if entry.expires_at is not None and not entry.needs_resolve and not is_over(entry, new.now):
        until = entry.expires_at + PROCESSING
        raise GuardError(
            f"entry {entry.id}: its call can still be carried out until {until:%F %T} UTC: "
            "recover() finds out",
            account=entry.account,
            retry_at=until,
            entry_ids=(entry.id,),
        )
    settle(db, entry, _with_record(db, entry, new, shown))


def _with_record(
    db: sqlite3.Connection, entry: LedgerEntry, new: Settlement, shown: Sequence[Observed]
) -> Settlement:
    """Take the lines of the record that a person named.

    Exchanged debts have no number. Their record is an entry of its own, if it was imported.
    """
    number = new.transaction_id
    if number is None:
        return new
    found = [each for each in shown if number in each.ids]
    found += [as_observed(each) for each in _entries.by_transaction(db, entry, number)]
    for each in found:
        if _is_taken(db, each, entry.id):
            raise ConfigurationError(
                f"entry {entry.id}: record {number} is on record as another call of this account"
            )
        return replace(new, lines=each.lines, target=each.target)
    if entry.kind in (Kind.TRANSFER, Kind.REPAYMENT):
        # The call itself said how much.
        lines = tuple(
            moved(entry.kind, entry.owner, asset, amount, entry.at, number).lines[0]
            for asset, amount in entry.amounts.items()
        )
        return replace(new, lines=lines)
    return new


# --- the exchange's own records ------------------------------------------------------------------


def record(db: sqlite3.Connection, seen: Sequence[Observed], now: datetime) -> Recorded:
    """Import the exchange's records: as new entries, or as outcomes of our calls."""
    owners = {name: ensure(db, name) for name in dict.fromkeys(each.account for each in seen)}
    page = [replace(each, account=owners[each.account]) for each in seen]
    added: list[int] = []
    settled: list[int] = []
    for shown, each in zip(seen, page, strict=True):
        found = _entries.candidates(db, each)
        own = own_entry(found, each, now=now)
        if own is not None and own.status == "confirmed":
            if _entries.add_missing_lines(db, own, each):
                settled.append(own.id)
            elif own.transaction_id != each.transaction_id is not None:
                _entries.adopt_id(db, own, each)
        elif own is not None and not _rivals(db, own, each, page):
            settle(db, own, _entries.settlement_by(each, now))
            settled.append(own.id)
        elif not any(_may_come_from(entry, each, now) for entry in found):
            added.append(_entries.insert_record(db, shown, each.account, now))
    known = len(seen) - len(added) - len(settled)
    return Recorded(added=tuple(added), settled=tuple(settled), known=known)


def _may_come_from(entry: LedgerEntry, seen: Observed, now: datetime) -> bool:
    """Whether a record may be of a call in progress. A later sync or recover() reads it again."""
    return may_be_ours(entry, seen) and not is_over(entry, now)


def _rivals(
    db: sqlite3.Connection, own: LedgerEntry, each: Observed, page: Sequence[Observed]
) -> bool:
    """Whether another record fits our call as well: then the log can't tell which it made."""
    others = [as_observed(entry) for entry in _entries.imported_within(db, own)]
    others += [other for other in page if other != each]
    return any(can_have_done(own, other) and not _is_taken(db, other, own.id) for other in others)


def unclaimed(db: sqlite3.Connection, seen: Sequence[Observed], besides: int) -> list[Observed]:
    """Drop the records that another of our calls has.

    A record that was imported stays: it may be of the call `besides`.
    """
    return [each for each in seen if not _is_taken(db, each, besides)]


def _is_taken(db: sqlite3.Connection, seen: Observed, besides: int) -> bool:
    found = _entries.candidates(db, seen)
    return any(
        entry_has(entry, seen) for entry in found if entry.id != besides and not entry.imported
    )
