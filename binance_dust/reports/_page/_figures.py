"""The figures of a page: what accounts hold, owe and failed at, and what came in, all exact.

Amounts may be read here for the first time. An amount that can't be read is a failure of its part
of its account: one bad account never spoils the page of a thousand.
"""

from __future__ import annotations

import decimal
import heapq
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from binance_dust.errors import DustError
from binance_dust.models._reasons import Reason, unusable
from binance_dust.reports._account import wallet_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from binance_dust.ledger import LedgerEntry
    from binance_dust.models import LastChance
    from binance_dust.reports._account import AccountReport

__all__ = [
    "BARS",
    "EXACT",
    "LedgerFigures",
    "Money",
    "ReportFigures",
    "ReportRows",
    "ledger_figures",
    "read_report",
]

R = TypeVar("R")

EXACT: Final = decimal.Context(prec=decimal.MAX_PREC, traps=[decimal.Inexact])
"""Sums made in this context are never rounded, however many digits the amounts have."""
BARS: Final = 8
"""Bars of a chart; smaller amounts are only in the table."""


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

    @classmethod
    def of(cls, rows: Iterable[DustRow]) -> Money:
        """Add up rows."""
        sums = cls()
        for row in rows:
            sums.add(row.amount, row.gross, row.net)
        return sums

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


@dataclass(slots=True)
class ReportRows:
    """What one report says, each part by itself."""

    account: AccountRow
    dust: list[DustRow]
    debts: list[DebtRow]
    elsewhere: list[ElsewhereRow]
    stays: list[StaysRow]
    last_chances: list[LastChanceRow]
    failures: list[FailureRow]


class Largest:
    """The largest of many amounts, and how many there are. Of equal ones the first is kept."""

    __slots__ = ("_best", "count")

    def __init__(self) -> None:
        """Begin with none."""
        self._best: list[tuple[Decimal, int, str]] = []
        self.count = 0

    def add(self, name: str, amount: Decimal) -> None:
        """Take one more amount."""
        self.count += 1
        entry = (amount, -self.count, name)
        keep = heapq.heappush if len(self._best) < BARS else heapq.heappushpop
        keep(self._best, entry)

    @property
    def rows(self) -> list[tuple[str, Decimal]]:
        """The largest, in that order."""
        return [(name, amount) for amount, _, name in sorted(self._best, reverse=True)]


class ReportFigures:
    """Sums and counts over all reports, which take no more memory for more of them."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.accounts = self.complete = self.owing = 0
        self.dust = self.debts = self.failures = 0
        """Rows of each kind."""
        self.ending = self.ending_accounts = 0
        """Balances that will be delisted, and the accounts that hold them."""
        self.first: datetime | None = None
        """When the first report was read."""
        self.last: datetime | None = None
        self.targets: dict[str, None] = {}
        self.targets_of_last_chances: dict[str, None] = {}
        self.by_target: defaultdict[str, Money] = defaultdict(Money)
        """What the dust would bring, by target."""
        self.by_asset: defaultdict[tuple[str, str], Money] = defaultdict(Money)
        """What each asset would bring, by target and asset; `count` counts accounts."""
        self.owed: defaultdict[str, Decimal] = defaultdict(Decimal)
        """What the small debts are worth, by the asset that they are counted in."""
        self.largest: defaultdict[str, Largest] = defaultdict(Largest)
        """The accounts whose dust would bring most, by target."""

    def add(self, rows: ReportRows) -> None:
        """Add one report."""
        self._count(rows)
        account = rows.account
        for row in rows.dust:
            self.by_target[row.target].add(Decimal(0), row.gross, row.net)
            self.by_asset[row.target, row.asset].add(row.amount, row.gross, row.net)
        for debt in rows.debts:
            self.owed[debt.counted_in] = EXACT.add(self.owed[debt.counted_in], debt.worth)
        if account.dust and account.dust.count:
            self.largest[account.target].add(account.name, account.dust.net)

    def _count(self, rows: ReportRows) -> None:
        account = rows.account
        self.accounts += 1
        self.complete += not account.failed
        self.owing += account.debts > 0
        self.dust += len(rows.dust)
        self.debts += len(rows.debts)
        self.failures += len(rows.failures)
        ending = sum(row.chance.goes for row in rows.last_chances)
        self.ending += ending
        self.ending_accounts += ending > 0
        self.first = account.at if self.first is None else min(self.first, account.at)
        self.last = account.at if self.last is None else max(self.last, account.at)
        self.targets[account.target] = None
        if rows.last_chances:
            self.targets_of_last_chances[account.target] = None


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


def read_report(report: AccountReport) -> ReportRows:
    """Read one report, each part by itself."""
    failed = {part: FailureRow(report.account, part, e) for part, e in report.errors.items()}

    def read(part: str, rows: Iterable[R]) -> list[R] | None:
        """Read a part; if that fails, note it."""
        try:
            return list(rows)
        except DustError as error:
            failed[part] = FailureRow(report.account, part, error)
            return None

    dust = None if report.quote is None else read("quote", _dust(report))
    sums = None if dust is None else Money.of(dust)
    debts = read("liabilities", _debts(report)) or []
    elsewhere = read("elsewhere", _elsewhere(report)) or []
    stays = [] if sums is None else read("assets", _stays(report)) or []
    last_chances = read("last_chances", _last_chances(report)) or []
    account = AccountRow(
        name=report.account,
        target=report.target,
        at=report.at,
        held=None if "assets" in failed else len(report.assets),
        dust=sums,
        debts=len(debts),
        failed=list(failed),
    )
    failures = list(failed.values())
    return ReportRows(account, dust or [], debts, elsewhere, stays, last_chances, failures)


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


def _dust(report: AccountReport) -> Iterator[DustRow]:
    for row in report.quote.details if report.quote else ():
        about = (report.account, report.target, row.asset, row.amount_free)
        yield DustRow(*about, row.gross, row.net)


def _elsewhere(report: AccountReport) -> Iterator[ElsewhereRow]:
    return (ElsewhereRow(report.account, *row) for row in wallet_rows(report))


def _stays(report: AccountReport) -> Iterator[StaysRow]:
    """Say why the rest of what is held stays, as far as a scan can tell."""
    listed = {row.asset for row in report.quote.details} if report.quote else set()
    for held in report.assets:
        about = (report.account, held.asset)
        if held.free > 0 and held.asset not in listed:
            why = Reason.TARGET if held.asset == report.target else Reason.UNSUPPORTED
            yield StaysRow(*about, held.free, why)
        for reason, part in unusable(held).items():
            yield StaysRow(*about, part, reason)


def _last_chances(report: AccountReport) -> Iterator[LastChanceRow]:
    dust = report.quote.details if report.quote else []
    net = {row.asset: row.to_target_asset_off_exchange for row in dust}
    for chance in report.last_chances:
        chance.check()
        yield LastChanceRow(report.account, chance, net.get(chance.asset), report.target)


def _debts(report: AccountReport) -> Iterator[DebtRow]:
    for row in report.liabilities:
        about = (report.account, row.asset, row.principal, row.interest)
        yield DebtRow(*about, row.liability_qty, row.liability_asset)


def _when(entry: LedgerEntry) -> tuple[datetime, int]:
    return entry.at, entry.id
