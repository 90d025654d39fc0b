"""Which of our own calls a record of the exchange's belongs to.

A record names assets, target, time and its id; it does not name the call that made it. An entry
that has the id is the one. Otherwise it is an entry whose call can have done it: the same assets
into the same target, at a moment when the exchange can have accepted the call.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from binance_dust.ledger._entry import OPEN, Kind, SettledBy

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from decimal import Decimal

    from binance_dust.ledger._entry import LedgerEntry, LedgerLine, Observed

__all__ = [
    "PROCESSING",
    "can_have_done",
    "has",
    "over",
    "own_entry",
    "part_of_open",
    "same_ids",
    "same_lines",
]

PROCESSING: Final = timedelta(seconds=10)
"""How long after accepting a call the exchange may date what it did (its back end gives up after
ten seconds, -1007; rows of one conversion are tens of milliseconds apart)."""


def can_have_done(entry: LedgerEntry, seen: Observed, *, in_part: bool = False) -> bool:
    """Tell whether an entry's call can have made a record.

    `in_part` also takes a record of some of the assets only.
    """
    asked = frozenset(entry.assets)
    return (
        entry.account == seen.account
        and entry.account_type == seen.account_type
        and _same_family(entry.kind, seen.kind)
        # Nobody knows what small debts will be exchanged into before it is done.
        and (entry.target == seen.target or entry.kind is Kind.LIABILITIES)
        and bool(seen.assets)
        and (seen.assets <= asked if in_part else seen.assets == asked)
        and entry.sent_after is not None
        and entry.expires_at is not None
        and entry.sent_after <= seen.at <= entry.expires_at + PROCESSING
    )


def own_entry(entries: Iterable[LedgerEntry], seen: Observed) -> LedgerEntry | None:
    """Find the entry that a record belongs to; `None` where it is news."""
    entries = list(entries)
    for entry in entries:
        if has(entry, seen):
            return entry
    # An outcome that the exchange itself answered is not in doubt: those are no candidates.
    doubtful = [
        entry
        for entry in entries
        if (entry.status in OPEN or entry.settled_by is SettledBy.READING)
        and entry.status != "confirmed"
        and can_have_done(entry, seen)
    ]
    return min(doubtful, key=lambda entry: (entry.status == "rejected", entry.id), default=None)


def part_of_open(entries: Iterable[LedgerEntry], seen: Observed) -> LedgerEntry | None:
    """Find the open entry that a record may show a part of."""
    parts = (e for e in entries if e.status in OPEN and can_have_done(e, seen, in_part=True))
    return next(parts, None)


def over(entry: LedgerEntry, now: datetime) -> bool:
    """Tell whether all that an open entry's call does has been done by now."""
    return entry.expires_at is None or entry.expires_at + PROCESSING < now


def has(entry: LedgerEntry, seen: Observed) -> bool:
    """Tell whether a record is in an entry already."""
    return entry.status == "confirmed" and (same_ids(entry, seen) or same_lines(entry, seen))


def same_ids(entry: LedgerEntry, seen: Observed) -> bool:
    """Tell whether an entry has an id of the record's, in the same wallet and target.

    The answer of a call has the ids of its rows; the log has one of its own besides, and one sample
    of the documents shows the two differ.
    """
    ids = {line.transaction_id for line in entry.lines} | {entry.transaction_id}
    return (
        entry.account == seen.account
        and entry.account_type == seen.account_type
        and entry.target == seen.target
        and bool(ids & seen.ids)
    )


def same_lines(entry: LedgerEntry, seen: Observed) -> bool:
    """Tell whether an entry's lines are the record's: assets, amounts, proceeds and moments.

    One of them is enough for a call of ours, whose answer may have shown a part, and where records
    have no id: rows of one exchange of debts may be moments apart, and so be several records.
    """
    if not (
        entry.account == seen.account
        and entry.account_type == seen.account_type
        and entry.target == seen.target
        and _same_family(entry.kind, seen.kind)
    ):
        return False
    ours, theirs = _marks(entry.lines), _marks(seen.lines)
    if entry.imported and seen.ids:
        return ours == theirs
    return not set(ours).isdisjoint(theirs)


def _marks(lines: Iterable[LedgerLine]) -> list[tuple[str, Decimal, Decimal, datetime]]:
    return sorted((line.asset, line.amount, line.gross, line.at) for line in lines)


def _same_family(ours: Kind, theirs: Kind) -> bool:
    """Dust is dust: the log doesn't tell which of its two calls made a record."""
    return (ours is Kind.LIABILITIES) == (theirs is Kind.LIABILITIES)
