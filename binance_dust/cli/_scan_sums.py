"""What a scan adds up to, without keeping the reports: a desk may have a hundred thousand."""

from __future__ import annotations

import heapq
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust._util.exact import difference, total
from binance_dust._util.words import count
from binance_dust.cli._amounts import Amounts
from binance_dust.cli._console import console, make_table, reason_of, shown
from binance_dust.reports import Settled

if TYPE_CHECKING:
    from rich.table import Table

    from binance_dust.reports import AccountReport

_BEST: Final = 12
"""Accounts in the table."""
_MOST: Final = 8
"""Assets in the table."""
_REASONS: Final = 12
"""Failures that are shown; the rest is counted."""
_SETTLED: Final = {
    Settled.NOT_ASKED: "not asked",
    Settled.NO_MARGIN: "without margin",
    Settled.NO_DEBT: "without debt",
    Settled.LIST: "asked for the list",
}


class Sums:
    """Totals of a scan, and what stands out."""

    def __init__(self, target: str) -> None:
        """Begin with nothing."""
        self.target: Final = target
        self.accounts = 0
        self.failed = 0
        """Accounts of which a part could not be read."""
        self.gross = self.net = Decimal(0)
        self.debts = 0
        self.owed = Amounts()
        self.assets = Amounts()
        """What each asset would bring."""
        self.holders: Counter[str] = Counter()
        """In how many accounts it is dust."""
        self.settled: Counter[Settled] = Counter()
        self.failures: Counter[tuple[str, str]] = Counter()
        """By part and reason."""
        self._best: list[tuple[Decimal, int, AccountReport]] = []

    def add(self, report: AccountReport) -> None:
        """Add one account."""
        self.accounts += 1
        self.failed += not report.ok
        self.gross = total((self.gross, report.gross))
        self.net = total((self.net, report.net))
        self.debts += len(report.liabilities)
        for unit, amount in report.owed.items():
            self.owed.add(unit, amount)
        for row in report.quote.details if report.quote else ():
            self.assets.add(row.asset, row.to_target_asset_off_exchange)
            self.holders[row.asset] += 1
        if report.settled_by is not None:
            self.settled[report.settled_by] += 1
        for part, error in report.errors.items():
            self.failures[part, reason_of(error, report.account)] += 1
        entry = (report.net, -self.accounts, report)
        keep = heapq.heappush if len(self._best) < _BEST else heapq.heappushpop
        keep(self._best, entry)

    @property
    def fee(self) -> Decimal:
        """What converting all of it would cost."""
        return difference(self.gross, self.net)

    @property
    def best(self) -> list[AccountReport]:
        """The accounts with most to bring, the first of them first."""
        return [report for _, _, report in sorted(self._best, reverse=True)]


def print_sums(sums: Sums) -> None:
    """Show the totals to eyes."""
    out = console()
    if sums.best:
        out.print(_table(sums))
        out.print()
    if sums.assets:
        out.print(f"Most of it: {_most(sums)}.", soft_wrap=True)
    out.print(
        f"{count(sums.accounts, 'account')}. All dust would bring [bold green]{sums.net:f}"
        f" {shown(sums.target)}[/], after {sums.fee:f} in fees.",
        soft_wrap=True,
    )
    told = ", ".join(
        f"{count(accounts, 'account')} {_SETTLED[settled]}"
        for settled, accounts in sums.settled.most_common()
    )
    worth = f", worth {sums.owed}" if sums.owed else ""
    debts = f"{count(sums.debts, 'small debt')}{worth}"
    out.print(f"{debts}{f' ({told})' if told else ''}.", soft_wrap=True)
    _print_failures(sums)


def _print_failures(sums: Sums) -> None:
    if not sums.failed:
        return
    out = console()
    failed = count(sums.failed, "account")
    out.print(f"[bold red]{failed} with parts that failed:[/]", soft_wrap=True)
    shown_ones = sums.failures.most_common(_REASONS)
    for (part, reason), times in shown_ones:
        out.print(f"  {times:>5,} x {part}: {shown(reason)}", soft_wrap=True)
    rest = len(sums.failures) - len(shown_ones)
    if rest:
        out.print(f"  and {rest:,} other reasons")


def _table(sums: Sums) -> Table:
    numbers = ("assets", "dust", "would bring", "fees", "small debts")
    table = make_table("account", *numbers, "", right=numbers)
    for report in sums.best:
        dust = "" if report.quote is None else f"{len(report.quote.details):,}"
        debts = f"{len(report.liabilities)} ({Amounts(report.owed)})" if report.owed else ""
        table.add_row(
            f"[cyan]{shown(report.account)}[/]",
            "" if "assets" in report.errors else f"{len(report.assets):,}",
            dust,
            f"{report.net:f} {shown(sums.target)}" if report.quote else "",
            f"{report.fee:f}" if report.quote else "",
            debts,
            "" if report.ok else f"[red]{', '.join(report.errors)} failed[/]",
        )
    rest = sums.accounts - len(sums.best)
    if rest > 0:
        table.add_row(f"[dim]and {rest:,} more[/]")
    return table


def _most(sums: Sums) -> str:
    ranked = sorted(sums.assets.items(), key=lambda item: item[1], reverse=True)
    return ", ".join(
        f"{shown(asset)} {net:f} ({count(sums.holders[asset], 'account')})"
        for asset, net in ranked[:_MOST]
    )
