"""The exchange's own records: what they say, and which of our calls each belongs to.

A record names assets, target, time and its id; it does not name the call that made it. An entry
that has the id is the one. Otherwise it is an entry whose call can have done it: the same assets
into the same target, at a moment when the exchange can have accepted the call.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust.ledger._entry import OPEN, Kind, LedgerEntry, LedgerLine, SettledBy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from binance_dust.endpoints import AccountType
    from binance_dust.models import ConvertedAsset, DustLog, DustLogEntry, SmallLiabilityExchange

__all__ = [
    "PROCESSING",
    "Observed",
    "can_have_done",
    "converted_lines",
    "from_dust_log",
    "from_liabilities",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Something that the exchange's own records show to have happened."""

    account: str
    kind: Kind
    account_type: AccountType
    target: str
    transaction_id: int | None
    """The record's own (outer) id; small liabilities have none."""
    at: datetime
    lines: tuple[LedgerLine, ...]

    @property
    def assets(self) -> frozenset[str]:
        """Which assets went."""
        return frozenset(line.asset for line in self.lines)

    @property
    def ids(self) -> frozenset[int]:
        """Every id that the record has: its own, and its lines'."""
        found = {line.transaction_id for line in self.lines} | {self.transaction_id}
        return frozenset(number for number in found if number is not None)

    def as_entry(self) -> LedgerEntry:
        """Show it as the entry that it would be, for rules that go by entries."""
        return LedgerEntry(
            id=0,
            account=self.account,
            kind=self.kind,
            account_type=self.account_type,
            target=self.target,
            assets=tuple(dict.fromkeys(line.asset for line in self.lines)),
            status="confirmed",
            at=self.at,
            transaction_id=self.transaction_id,
            lines=self.lines,
        )


def from_dust_log(log: DustLog, account: str, account_type: AccountType) -> Iterator[Observed]:
    """Read a page of the dust log: a record each, and one for each target where it has several."""
    for group in log.user_asset_dribblets:
        yield from _from_group(group, account, account_type)


def _from_group(group: DustLogEntry, account: str, account_type: AccountType) -> Iterator[Observed]:
    by_target: dict[str, list[LedgerLine]] = {}
    for detail in group.user_asset_dribblet_details:
        line = LedgerLine(
            asset=detail.from_asset,
            amount=detail.amount,
            gross=detail.transferred_amount,
            fee=detail.service_charge_amount,
            at=detail.operate_time,
            transaction_id=detail.trans_id,
        )
        by_target.setdefault(group.target_of(detail), []).append(line)
    for target, lines in by_target.items():
        yield Observed(
            account=account,
            kind=Kind.of_record(target),
            account_type=account_type,
            target=target,
            transaction_id=group.trans_id,
            at=group.happened_at or lines[0].at,
            lines=tuple(lines),
        )


def from_liabilities(rows: Iterable[SmallLiabilityExchange], account: str) -> Iterator[Observed]:
    """Read exchanged debts: a record for each moment and target, since they have no id."""
    groups: dict[tuple[str, object], list[LedgerLine]] = {}
    for row in rows:
        line = LedgerLine(
            asset=row.asset,
            amount=row.amount,
            gross=row.target_amount,
            # The debts are gathered at what they are worth; no fee is documented.
            fee=Decimal(0),
            at=row.timestamp,
        )
        groups.setdefault((row.target_asset, row.timestamp), []).append(line)
    for (target, _), lines in groups.items():
        yield Observed(
            account=account,
            kind=Kind.LIABILITIES,
            account_type="MARGIN",
            target=target,
            transaction_id=None,
            at=lines[0].at,
            lines=tuple(lines),
        )


def converted_lines(rows: Iterable[ConvertedAsset]) -> tuple[LedgerLine, ...]:
    """Read what the answer of a conversion says that it did."""
    return tuple(
        LedgerLine(
            asset=row.from_asset,
            amount=row.amount,
            gross=row.transferred_amount,
            fee=row.service_charge_amount,
            at=row.operate_time,
            transaction_id=row.tran_id,
        )
        for row in rows
    )


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
