"""The figures of a page: what accounts hold, owe and failed at, and what came in, all exact.

Amounts may be read here for the first time. An amount that can't be read is a failure of its part
of its account: one bad account never spoils the page of a thousand.
"""

from __future__ import annotations

import decimal
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from binance_dust.errors import DustError
from binance_dust.models._reasons import Reason, unusable
from binance_dust.reports._account import wallet_rows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from binance_dust.ledger import LedgerEntry
    from binance_dust.models import LastChance
    from binance_dust.reports._account import AccountReport

__all__ = ["EXACT", "LedgerFigures", "Money", "ReportFigures", "ledger_figures", "report_figures"]

EXACT: Final = decimal.Context(prec=decimal.MAX_PREC, traps=[decimal.Inexact])
"""Sums made in this context are never rounded, however many digits the amounts have."""


class DustRow(NamedTuple):
    """One asset of one account that can be converted."""

    account: str
    target: str
    asset: str
    amount: Decimal
    gross: Decimal
    net: Decimal

    @property
    def fee(self) -> Decimal:
        """What it costs."""
        return EXACT.subtract(self.gross, self.net)


class DebtRow(NamedTuple):
    """One small liability of one account."""

    account: str
    asset: str
    principal: Decimal
    interest: Decimal
    worth: Decimal
    counted_in: str


class ElsewhereRow(NamedTuple):
    """One asset of one account in another wallet than spot."""

    account: str
    wallet: str
    asset: str
    free: Decimal | None
    total: Decimal | None
    worth: Decimal | None
    """In BTC."""


class StaysRow(NamedTuple):
    """One asset of one account, or a part of it, that can't be converted now."""

    account: str
    asset: str
    amount: Decimal
    reason: str


class LastChanceRow(NamedTuple):
    """One asset of one account that will be delisted."""

    account: str
    chance: LastChance
    net: Decimal | None
    """What converting it would bring; `None` if it is no dust."""
    target: str


class FailureRow(NamedTuple):
    """One part of one account that could not be read."""

    account: str
    part: str
    error: DustError


@dataclass(slots=True)
class Money:
    """Sums in one asset."""

    count: int = 0
    amount: Decimal = Decimal(0)
    """Of the asset that was sold, if it is one asset."""
    gross: Decimal = Decimal(0)
    net: Decimal = Decimal(0)

    @property
    def fee(self) -> Decimal:
        """What it costs."""
        return EXACT.subtract(self.gross, self.net)

    def add(self, amount: Decimal, gross: Decimal, net: Decimal) -> None:
        """Add one row."""
        self.count += 1
        self.amount = EXACT.add(self.amount, amount)
        self.gross = EXACT.add(self.gross, gross)
        self.net = EXACT.add(self.net, net)


@dataclass(slots=True)
class AccountRow:
    """One account; `dust` is `None` if its quote could not be read."""

    name: str
    target: str
    at: datetime
    held: int | None
    dust: Money | None
    debts: int
    failed: list[str]


@dataclass
class ReportFigures:
    """What the reports say; each sum is made once, when it is first asked for."""

    accounts: list[AccountRow] = field(default_factory=list)
    dust: list[DustRow] = field(default_factory=list)
    debts: list[DebtRow] = field(default_factory=list)
    elsewhere: list[ElsewhereRow] = field(default_factory=list)
    stays: list[StaysRow] = field(default_factory=list)
    last_chances: list[LastChanceRow] = field(default_factory=list)
    failures: list[FailureRow] = field(default_factory=list)

    @cached_property
    def by_target(self) -> dict[str, Money]:
        """What the dust would bring, by target."""
        sums: defaultdict[str, Money] = defaultdict(Money)
        for row in self.dust:
            sums[row.target].add(Decimal(0), row.gross, row.net)
        return dict(sums)

    @cached_property
    def by_asset(self) -> dict[tuple[str, str], Money]:
        """What each asset would bring, by target and asset; `count` counts accounts."""
        sums: defaultdict[tuple[str, str], Money] = defaultdict(Money)
        for row in self.dust:
            sums[row.target, row.asset].add(row.amount, row.gross, row.net)
        return dict(sums)

    @cached_property
    def owed(self) -> dict[str, Decimal]:
        """What the small debts are worth, by the asset that they are counted in."""
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for debt in self.debts:
            sums[debt.counted_in] = EXACT.add(sums[debt.counted_in], debt.worth)
        return dict(sums)


@dataclass(slots=True)
class LedgerFigures:
    """What the ledger says."""

    entries: list[LedgerEntry]
    """Newest first."""
    by_month: dict[tuple[str, str], Money]
    """What came in, by target and month (`2026-11`); `count` counts lines. Debts are not income."""
    by_target: dict[str, Money]

    @property
    def open(self) -> int:
        """Calls with an outcome that is not settled yet."""
        return sum(entry.open for entry in self.entries)


def report_figures(reports: Iterable[AccountReport]) -> ReportFigures:
    """Read reports, each part by itself."""
    made = ReportFigures()
    for report in reports:
        failed = {part: FailureRow(report.account, part, e) for part, e in report.errors.items()}
        dust = _dust(report, failed, made.dust)
        debts = _debts(report, failed, made.debts)
        _elsewhere(report, failed, made.elsewhere)
        if dust is not None:
            _stays(report, failed, made.stays)
        _last_chances(report, failed, made.last_chances)
        made.failures += failed.values()
        made.accounts.append(
            AccountRow(
                name=report.account,
                target=report.target,
                at=report.at,
                held=None if "assets" in failed else len(report.assets),
                dust=dust,
                debts=debts,
                failed=list(failed),
            )
        )
    return made


def ledger_figures(entries: Iterable[LedgerEntry]) -> LedgerFigures:
    """Read entries of the ledger."""
    by_month: defaultdict[tuple[str, str], Money] = defaultdict(Money)
    by_target: defaultdict[str, Money] = defaultdict(Money)
    ordered = sorted(entries, key=_when, reverse=True)
    for entry in ordered:
        if not entry.kind.converts:
            continue
        for line in entry.lines:
            month = f"{line.at.astimezone(UTC):%Y-%m}".rjust(7, "0")
            by_month[entry.target, month].add(Decimal(0), line.gross, line.net)
            by_target[entry.target].add(Decimal(0), line.gross, line.net)
    return LedgerFigures(ordered, dict(by_month), dict(by_target))


def _dust(
    report: AccountReport, failed: dict[str, FailureRow], rows: list[DustRow]
) -> Money | None:
    if report.quote is None:
        return None
    sums = Money()
    read: list[DustRow] = []
    try:
        for row in report.quote.details:
            gross, net = row.gross, row.net
            about = (report.account, report.target, row.asset, row.amount_free)
            read.append(DustRow(*about, gross, net))
            sums.add(row.amount_free, gross, net)
    except DustError as error:
        failed["quote"] = FailureRow(report.account, "quote", error)
        return None
    rows += read
    return sums


def _elsewhere(
    report: AccountReport, failed: dict[str, FailureRow], rows: list[ElsewhereRow]
) -> None:
    try:
        rows += [ElsewhereRow(report.account, *row) for row in wallet_rows(report)]
    except DustError as error:
        failed["elsewhere"] = FailureRow(report.account, "elsewhere", error)


def _stays(report: AccountReport, failed: dict[str, FailureRow], rows: list[StaysRow]) -> None:
    """Say why the rest of what is held stays, as far as a scan can tell."""
    listed = {row.asset for row in report.quote.details} if report.quote else set()
    read: list[StaysRow] = []
    try:
        for held in report.assets:
            about = (report.account, held.asset)
            if held.free > 0 and held.asset not in listed:
                why = Reason.TARGET if held.asset == report.target else Reason.UNSUPPORTED
                read.append(StaysRow(*about, held.free, why))
            read += [StaysRow(*about, part, reason) for reason, part in unusable(held).items()]
    except DustError as error:
        failed["assets"] = FailureRow(report.account, "assets", error)
    else:
        rows += read


def _last_chances(
    report: AccountReport, failed: dict[str, FailureRow], rows: list[LastChanceRow]
) -> None:
    try:
        dust = report.quote.details if report.quote else []
        net = {row.asset: row.to_target_asset_off_exchange for row in dust}
        for chance in report.last_chances:
            chance.check()
            rows.append(LastChanceRow(report.account, chance, net.get(chance.asset), report.target))
    except DustError as error:
        failed["last_chances"] = FailureRow(report.account, "last_chances", error)


def _debts(report: AccountReport, failed: dict[str, FailureRow], rows: list[DebtRow]) -> int:
    read: list[DebtRow] = []
    try:
        for row in report.liabilities:
            worth, counted_in = row.liability_qty, row.liability_asset
            about = (report.account, row.asset, row.principal, row.interest)
            read.append(DebtRow(*about, worth, counted_in))
    except DustError as error:
        failed["liabilities"] = FailureRow(report.account, "liabilities", error)
        return 0
    rows += read
    return len(read)


def _when(entry: LedgerEntry) -> tuple[datetime, int]:
    return entry.at, entry.id
