"""The figures of a page: what accounts hold, owe and failed at, and what came in, all exact.

A report that can't be read (its amounts are read here for the first time, maybe) is a failure among
others: one bad account never spoils the page of a thousand.
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
from binance_dust.ledger import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from binance_dust.ledger import LedgerEntry
    from binance_dust.reports._account import AccountReport

__all__ = ["EXACT", "Account", "Books", "Debt", "Desk", "Failure", "Line", "Money", "books", "desk"]

EXACT: Final = decimal.Context(prec=decimal.MAX_PREC, traps=[decimal.Inexact])
"""What is added in it is never rounded, however many digits the amounts have."""


class Line(NamedTuple):
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


class Debt(NamedTuple):
    """One small liability of one account."""

    account: str
    asset: str
    principal: Decimal
    interest: Decimal
    worth: Decimal
    counted_in: str


class Failure(NamedTuple):
    """One part of one account that could not be read."""

    account: str
    part: str
    error: DustError


@dataclass(slots=True)
class Money:
    """Sums in one asset."""

    count: int = 0
    amount: Decimal = Decimal(0)
    """Of what was sold, where that is one asset."""
    gross: Decimal = Decimal(0)
    net: Decimal = Decimal(0)

    @property
    def fee(self) -> Decimal:
        """What it costs."""
        return EXACT.subtract(self.gross, self.net)

    def add(self, amount: Decimal, gross: Decimal, net: Decimal) -> None:
        """Count one more."""
        self.count += 1
        self.amount = EXACT.add(self.amount, amount)
        self.gross = EXACT.add(self.gross, gross)
        self.net = EXACT.add(self.net, net)


@dataclass(slots=True)
class Account:
    """One account's part of the page; `dust` is `None` where no quote could be read."""

    name: str
    target: str
    at: datetime
    held: int | None
    dust: Money | None
    debts: int
    failed: list[str]


@dataclass
class Desk:
    """All accounts; what is summed up is summed up once, when it is first asked for."""

    accounts: list[Account] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    debts: list[Debt] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @cached_property
    def by_target(self) -> dict[str, Money]:
        """What the dust would bring, by what it would be converted into."""
        sums: defaultdict[str, Money] = defaultdict(Money)
        for line in self.lines:
            sums[line.target].add(Decimal(0), line.gross, line.net)
        return dict(sums)

    @cached_property
    def by_asset(self) -> dict[tuple[str, str], Money]:
        """What each asset would bring, by target and asset; `count` are accounts."""
        sums: defaultdict[tuple[str, str], Money] = defaultdict(Money)
        for line in self.lines:
            sums[line.target, line.asset].add(line.amount, line.gross, line.net)
        return dict(sums)

    @cached_property
    def owed(self) -> dict[str, Decimal]:
        """What the small debts are worth, by the asset that they are counted in."""
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for debt in self.debts:
            sums[debt.counted_in] = EXACT.add(sums[debt.counted_in], debt.worth)
        return dict(sums)


@dataclass(slots=True)
class Books:
    """What the ledger says."""

    entries: list[LedgerEntry]
    """Newest first."""
    by_month: dict[tuple[str, str], Money]
    """What came in, by target and month (`2026-11`); `count` are lines. Debts are not income."""
    by_target: dict[str, Money]

    @property
    def open(self) -> int:
        """How many calls are still to be settled."""
        return sum(entry.open for entry in self.entries)


def desk(reports: Iterable[AccountReport]) -> Desk:
    """Read reports, each part by itself."""
    made = Desk()
    for report in reports:
        failed = {part: Failure(report.account, part, e) for part, e in report.errors.items()}
        dust = _lines(report, failed, made.lines)
        debts = _debts(report, failed, made.debts)
        made.failures += failed.values()
        made.accounts.append(
            Account(
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


def books(entries: Iterable[LedgerEntry]) -> Books:
    """Read entries of the ledger."""
    by_month: defaultdict[tuple[str, str], Money] = defaultdict(Money)
    by_target: defaultdict[str, Money] = defaultdict(Money)
    ordered = sorted(entries, key=_when, reverse=True)
    for entry in ordered:
        if entry.kind is Kind.LIABILITIES:
            continue
        for line in entry.lines:
            month = f"{line.at.astimezone(UTC):%Y-%m}".rjust(7, "0")
            by_month[entry.target, month].add(Decimal(0), line.gross, line.net)
            by_target[entry.target].add(Decimal(0), line.gross, line.net)
    return Books(ordered, dict(by_month), dict(by_target))


def _lines(report: AccountReport, failed: dict[str, Failure], lines: list[Line]) -> Money | None:
    if report.quote is None:
        return None
    sums = Money()
    read: list[Line] = []
    try:
        for row in report.quote.details:
            gross, net = row.to_target_asset_amount, row.to_target_asset_off_exchange
            read.append(Line(report.account, report.target, row.asset, row.amount_free, gross, net))
            sums.add(row.amount_free, gross, net)
    except DustError as error:
        failed["quote"] = Failure(report.account, "quote", error)
        return None
    lines += read
    return sums


def _debts(report: AccountReport, failed: dict[str, Failure], debts: list[Debt]) -> int:
    read: list[Debt] = []
    try:
        for row in report.liabilities:
            worth, counted_in = row.liability_qty, row.liability_asset
            about = (report.account, row.asset, row.principal, row.interest)
            read.append(Debt(*about, worth, counted_in))
    except DustError as error:
        failed["liabilities"] = Failure(report.account, "liabilities", error)
        return 0
    debts += read
    return len(read)


def _when(entry: LedgerEntry) -> tuple[datetime, int]:
    return entry.at, entry.id
