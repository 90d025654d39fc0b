"""The exchange's own records: how they are read, and which of our calls each belongs to.

A record has assets, target, time and an id, but does not name the call that made it. It belongs to
the entry with the same id. Without one, it belongs to an entry whose call can have made it: the
same assets into the same target, at a time when the exchange can have accepted the call. That holds
only once the call can't be carried out any more. Until then a person may have converted the same on
the website, and the record of our call may still come.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust._util.html import Record
from binance_dust.errors import UnreadableAnswerError
from binance_dust.ledger._entry import OPEN, Kind, LedgerEntry, LedgerLine, SettledBy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from binance_dust.endpoints import AccountType
    from binance_dust.models import (
        CapitalFlow,
        ConvertedAsset,
        ConvertOrder,
        DustLog,
        DustLogEntry,
        SmallLiabilityExchange,
        TransferRecord,
    )

__all__ = [
    "PROCESSING",
    "Observed",
    "as_observed",
    "can_have_done",
    "converted_lines",
    "entry_has",
    "from_capital_flow",
    "from_dust_log",
    "from_liabilities",
    "from_order",
    "from_transfers",
    "is_over",
    "may_be_ours",
    "moved",
    "own_entry",
    "same_ids",
    "same_lines",
]

PROCESSING: Final = timedelta(seconds=10)
"""How long after accepting a call the exchange may date the conversion. Its back end gives up after
ten seconds (-1007); rows of one conversion are tens of milliseconds apart."""
_CARRIED_OUT: Final = "CONFIRMED"
_REPAID: Final = "REPAY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed(Record):
    """One record of the exchange: a conversion, or an exchange of debts."""

    account: str
    """Any name of the account."""
    kind: Kind
    account_type: AccountType
    target: str
    transaction_id: int | None
    """The record's own (outer) id; exchanged debts have none."""
    at: datetime
    lines: tuple[LedgerLine, ...]

    @property
    def assets(self) -> frozenset[str]:
        """The assets that were converted."""
        return frozenset(line.asset for line in self.lines)

    @property
    def ids(self) -> frozenset[int]:
        """All ids of the record: its own, and those of its lines."""
        found = {line.transaction_id for line in self.lines} | {self.transaction_id}
        return frozenset(number for number in found if number is not None)

    def as_entry(self) -> LedgerEntry:
        """Return the entry that this record would make, for rules that work on entries."""
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
    """Read a page of the dust log. A conversion into several targets gives a record for each."""
    for group in log.user_asset_dribblets:
        yield from _from_group(group, account, account_type)


def _from_group(group: DustLogEntry, account: str, account_type: AccountType) -> Iterator[Observed]:
    by_target: dict[str, list[LedgerLine]] = {}
    happened_at = group.happened_at
    if happened_at is None:
        raise UnreadableAnswerError("it has no time", path="DustLogEntry.operate_time")
    for detail in group.user_asset_dribblet_details:
        line = LedgerLine(
            asset=detail.from_asset,
            amount=detail.amount,
            gross=detail.transferred_amount,
            fee=detail.service_charge_amount,
            at=detail.operate_time or happened_at,
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
            at=happened_at,
            lines=tuple(lines),
        )


def from_transfers(rows: Iterable[TransferRecord], account: str) -> Iterator[Observed]:
    """Read transfers from the funding to the spot wallet that were carried out."""
    for row in rows:
        if row.status == _CARRIED_OUT:
            yield moved(Kind.TRANSFER, account, row.asset, row.amount, row.timestamp, row.tran_id)


def from_capital_flow(rows: Iterable[CapitalFlow], account: str) -> Iterator[Observed]:
    """Read repayments from the flow of the cross-margin account."""
    for row in rows:
        if row.type == _REPAID:
            # No document says which sign it has.
            amount = row.amount.copy_abs()
            yield moved(Kind.REPAYMENT, account, row.asset, amount, row.timestamp, row.tran_id)


def moved(  # noqa: PLR0913, PLR0917 - the parts of such a record
    kind: Kind, account: str, asset: str, amount: Decimal, at: datetime, number: int | None
) -> Observed:
    """Return the record of an amount that was moved as it is: transferred, or paid."""
    line = LedgerLine(
        asset=asset, amount=amount, gross=amount, fee=Decimal(0), at=at, transaction_id=number
    )
    return Observed(
        account=account,
        kind=kind,
        account_type="MARGIN" if kind is Kind.REPAYMENT else "SPOT",
        target=asset,
        transaction_id=number,
        at=at,
        lines=(line,),
    )


def from_order(order: ConvertOrder, entry: LedgerEntry) -> Observed | None:
    """Read a sale by quote that was carried out; `None` if the order is not, or not yet."""
    if not order.is_done:
        return None
    sold, brought, at = order.from_amount, order.to_amount, order.create_time
    if order.from_asset is None or order.to_asset is None or sold is None or brought is None:
        raise UnreadableAnswerError("an order without its amounts", path="ConvertOrder")
    if order.order_id is None or at is None:
        raise UnreadableAnswerError("an order without a number or a time", path="ConvertOrder")
    line = LedgerLine(
        asset=order.from_asset,
        amount=sold,
        gross=brought,
        # What it costs is in the price.
        fee=Decimal(0),
        at=at,
        transaction_id=order.order_id,
    )
    return Observed(
        account=entry.account,
        kind=Kind.SALE,
        account_type=entry.account_type,
        target=order.to_asset,
        transaction_id=order.order_id,
        at=at,
        lines=(line,),
    )


def from_liabilities(rows: Iterable[SmallLiabilityExchange], account: str) -> Iterator[Observed]:
    """Read exchanged debts. They have no id, so rows of one time and target are one record."""
    groups: dict[tuple[str, object], list[LedgerLine]] = {}
    for row in rows:
        line = LedgerLine(
            asset=row.asset,
            amount=row.amount,
            gross=row.target_amount,
            # The debts are replaced at their value; no fee is documented.
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


def converted_lines(rows: Iterable[ConvertedAsset], now: datetime) -> tuple[LedgerLine, ...]:
    """Read the lines of a conversion's answer, which came `now`.

    A row without id and time would not be found again in the log: it would be there twice.
    """
    rows = tuple(rows)
    if any(row.tran_id is None and row.operate_time is None for row in rows):
        raise UnreadableAnswerError(
            "a row has neither an id nor a time", path="DustConversion.transfer_result"
        )
    return tuple(
        LedgerLine(
            asset=row.from_asset,
            amount=row.amount,
            gross=row.transferred_amount,
            fee=row.service_charge_amount,
            at=row.operate_time or now,
            transaction_id=row.tran_id,
        )
        for row in rows
    )


def can_have_done(entry: LedgerEntry, seen: Observed, *, in_part: bool = False) -> bool:
    """Whether an entry's call can have made a record.

    With `in_part`, the record may have only some of the assets.
    """
    asked = frozenset(entry.assets)
    return (
        _same_account(entry, seen)
        and entry.account_type == seen.account_type
        and _same_family(entry.kind, seen.kind)
        # The target of an exchange of debts is only known afterwards.
        and (entry.target == seen.target or entry.kind is Kind.LIABILITIES)
        and bool(seen.assets)
        and (seen.assets <= asked if in_part else seen.assets == asked)
        and all(entry.amounts.get(line.asset, line.amount) == line.amount for line in seen.lines)
        and entry.sent_after is not None
        and entry.expires_at is not None
        and entry.sent_after <= seen.at <= entry.expires_at + PROCESSING
    )


def own_entry(
    entries: Iterable[LedgerEntry], seen: Observed, *, now: datetime | None = None
) -> LedgerEntry | None:
    """Find the entry that a record belongs to; `None` if the record is new.

    At the time `now`, a call that can still be carried out has no record yet. Without `now`, no
    call can be carried out any more.
    """
    entries = list(entries)
    for entry in entries:
        if entry_has(entry, seen):
            return entry
    doubtful = [
        entry
        for entry in entries
        if may_be_ours(entry, seen)
        and can_have_done(entry, seen)
        and (now is None or is_over(entry, now))
    ]
    return min(doubtful, key=lambda entry: (entry.status == "rejected", entry.id), default=None)


def may_be_ours(entry: LedgerEntry, seen: Observed) -> bool:
    """Whether a record may show what the call of an entry did, or a part of it.

    An outcome that the exchange itself answered is certain, so such an entry is no candidate.
    """
    doubtful = entry.status == "rejected" and entry.settled_by is SettledBy.READING
    return (entry.status in OPEN or doubtful) and can_have_done(entry, seen, in_part=True)


def is_over(entry: LedgerEntry, now: datetime) -> bool:
    """Whether nothing more can come from an open entry's call."""
    return entry.expires_at is None or entry.expires_at + PROCESSING < now


def as_observed(entry: LedgerEntry) -> Observed:
    """Return the record that a confirmed entry has."""
    return Observed(
        account=entry.owner,
        kind=entry.kind,
        account_type=entry.account_type,
        target=entry.target,
        transaction_id=entry.transaction_id,
        at=entry.happened_at or entry.at,
        lines=entry.lines,
    )


def entry_has(entry: LedgerEntry, seen: Observed) -> bool:
    """Whether an entry already has a record."""
    return entry.status == "confirmed" and (same_ids(entry, seen) or same_lines(entry, seen))


def same_ids(entry: LedgerEntry, seen: Observed) -> bool:
    """Whether an entry and a record share an id, in the same wallet and target.

    A call's answer has the ids of its rows. The log has an id of its own as well, and in one
    documented sample the two differ.
    """
    ids = {line.transaction_id for line in entry.lines} | {entry.transaction_id}
    return (
        _same_account(entry, seen)
        and _same_family(entry.kind, seen.kind)
        and entry.account_type == seen.account_type
        and entry.target == seen.target
        and bool(ids & seen.ids)
    )


def same_lines(entry: LedgerEntry, seen: Observed) -> bool:
    """Whether an entry and a record have the same lines: assets, amounts, gross and times.

    One equal line is enough for our call, because its answer may have shown only a part. It
    is also enough where records have no id: rows of one exchange of debts may differ in time, and
    then they are several records.
    """
    if not (
        _same_account(entry, seen)
        and entry.account_type == seen.account_type
        and entry.target == seen.target
        and _same_family(entry.kind, seen.kind)
    ):
        return False
    ours, theirs = _line_keys(entry.lines), _line_keys(seen.lines)
    if entry.imported and seen.ids:
        return ours == theirs
    return not set(ours).isdisjoint(theirs)


def _line_keys(lines: Iterable[LedgerLine]) -> list[tuple[str, Decimal, Decimal, datetime]]:
    return sorted((line.asset, line.amount, line.gross, line.at) for line in lines)


def _same_account(entry: LedgerEntry, seen: Observed) -> bool:
    """Whether both are of one account, by any of its names that the entry has."""
    return seen.account in (entry.account, entry.owner)


def _same_family(ours: Kind, theirs: Kind) -> bool:
    """Whether both are of one kind, or of the two that the dust log does not tell apart."""
    return theirs in ours.shares_records_with
