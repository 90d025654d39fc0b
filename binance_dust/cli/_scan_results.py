"""What becomes of a scan's reports: totals, a file, a page, and lines of JSON.

The totals need no reports in memory: a scan may have a hundred thousand accounts.
"""

from __future__ import annotations

import heapq
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust._util.exact import difference, total
from binance_dust._util.words import count
from binance_dust.cli._output import (
    Amounts,
    escape,
    make_console,
    print_json,
    print_rehearsal,
    reason_of,
)
from binance_dust.cli._streams import print_stderr
from binance_dust.cli._tables import TerminalTable, figure, figures, prose, text
from binance_dust.errors import ConfigurationError
from binance_dust.reports import ReportFile, Settled, read_reports

if TYPE_CHECKING:
    import argparse
    from contextlib import ExitStack
    from datetime import datetime
    from pathlib import Path

    from binance_dust.client import DustClient
    from binance_dust.reports import AccountReport, TargetPrice
    from binance_dust.reports._page import PageDraft

_ACCOUNTS_SHOWN: Final = 12
_ASSETS_SHOWN: Final = 8
_REASONS_SHOWN: Final = 12
_SETTLED: Final = {
    Settled.NOT_ASKED: "not asked",
    Settled.NO_MARGIN: "without margin",
    Settled.NO_DEBT: "without debt",
    Settled.LIST: "asked for the list",
}


class ScanOutput:
    """Takes reports one by one, and keeps none."""

    def __init__(self, options: argparse.Namespace, stack: ExitStack) -> None:
        """Open the file; fail before the scan if the file or the page could not be written."""
        self._as_json: bool = options.json
        self._page: Path | None = options.html
        self._draft: PageDraft | None = None
        """The page, if no file gives the reports back."""
        self._price: TargetPrice | None = None
        self.rehearsal = False
        """Whether the exchange is on this machine."""
        self.totals = ScanTotals(options.target)
        self.file: ReportFile | None = None
        if self._page is not None:
            check_page(self._page)
            if options.resume and options.out is not None and options.out.suffix.lower() == ".csv":
                raise ConfigurationError(
                    "a page needs all reports, and a .csv does not give the earlier ones back:"
                    " resume a .jsonl, or leave out --html"
                )
        if options.out is not None:
            self.file = stack.enter_context(ReportFile(options.out, resume=options.resume))
            _check_target(self.file, options.target)
        if self._page is not None and self._readable_file is None:
            from binance_dust.reports._page import PageDraft

            self._draft = stack.enter_context(PageDraft(self._page))

    @property
    def done(self) -> frozenset[str]:
        """Accounts that an earlier scan has read."""
        return frozenset(self.file.done) if self.file else frozenset()

    @property
    def how_to_resume(self) -> str:
        """The end of a message: how to continue a scan that was stopped, if that is possible."""
        return f"; --resume continues {self.file.path}" if self.file else ""

    def add_earlier(self) -> None:
        """Add the reports of earlier scans to the totals, if the file gives them back."""
        if self._readable_file is not None and self.done:
            for report in read_reports(self._readable_file):
                self.totals.add(report)

    def take(self, report: AccountReport) -> None:
        """Take one report."""
        if self.file is not None:
            self.file.write(report)
        if self._as_json:
            print_json(report.to_plain(), rehearsal=self.rehearsal)
        if self._draft is not None:
            self._draft.add(report)
        self.totals.add(report)

    async def read_price(self, client: DustClient, unit: str) -> None:
        """Read what the target is worth in another asset; if that fails, the page says so."""
        from binance_dust.reports import read_price

        self._price = await read_price(client, self.totals.target, unit)
        if self._price.value is None:
            print_stderr(f"the worth in {unit} is not known: {self._price.source}")

    def finish(self) -> int:
        """Write the page and show the totals; give the exit code."""
        if self._draft is not None:
            self._draft.write(rehearsal=self.rehearsal, price=self._price)
        elif self._page is not None and self._readable_file is not None:
            from binance_dust.reports import write_page

            earlier_too = read_reports(self._readable_file)
            write_page(self._page, earlier_too, rehearsal=self.rehearsal, price=self._price)
        if not self._as_json:
            self._show()
        return 1 if self.totals.failed else 0

    def _show(self) -> None:
        print_totals(self.totals)
        out = make_console()
        if self.file is not None:
            unread = len(self.file.done) - (self.totals.accounts - self.totals.failed)
            before = f", with those of {count(unread, 'account')} from before"
            more = before if unread > 0 else ""
            out.print(f"The reports are in {self.file.path}{more}.", markup=False)
        if self._page is not None:
            out.print(f"The page is {self._page}.", markup=False)
        if self.rehearsal:
            print_rehearsal(out)

    @property
    def _readable_file(self) -> Path | None:
        """The file, if it gives reports back; a .csv does not."""
        if self.file is None or self.file.path.suffix.lower() == ".csv":
            return None
        return self.file.path


def _check_target(file: ReportFile, target: str) -> None:
    others = sorted(file.targets - {target})
    if others:
        raise ConfigurationError(
            f"{file.path} holds reports in {', '.join(others)}, not in {target}:"
            f" scan with --target {others[0]}, or into another file"
        )


def check_page(path: Path) -> None:
    """Fail before the work if the page could not be written after it."""
    if not path.parent.is_dir():
        raise ConfigurationError(f"can't write {path}: there is no such folder")
    if path.is_dir():
        raise ConfigurationError(f"can't write {path}: it is a folder, name a file in it")


# --- totals --------------------------------------------------------------------------------------


class ScanTotals:
    """Totals of a scan, and the accounts that would bring most."""

    def __init__(self, target: str) -> None:
        """Begin at zero."""
        self.target: Final = target
        self.accounts = 0
        self.failed = 0
        """Accounts with a part that could not be read."""
        self.gross = self.net = Decimal(0)
        self.debts = 0
        self.owed = Amounts()
        self.assets = Amounts()
        """What each asset would bring."""
        self.holders: Counter[str] = Counter()
        """Accounts that hold each asset as dust."""
        self.elsewhere: Counter[str] = Counter()
        """Balances in each other wallet."""
        self.worth_elsewhere = Amounts()
        """What each other wallet holds, in BTC."""
        self.ending: Counter[tuple[datetime, str]] = Counter()
        """Accounts that hold each asset that will be delisted, by time and name."""
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
            self.assets.add(row.asset, row.net)
            self.holders[row.asset] += 1
        if report.settled_by is not None:
            self.settled[report.settled_by] += 1
        for wallet in report.elsewhere or ():
            self.elsewhere[wallet.wallet_name] += max(1, len(wallet.asset_balances or ()))
            self.worth_elsewhere.add(wallet.wallet_name, wallet.balance)
        for asset, until in {
            each.asset: each.until for each in report.last_chances if each.goes
        }.items():
            self.ending[until, asset] += 1
        for part, error in report.errors.items():
            self.failures[part, reason_of(error, report.account)] += 1
        entry = (report.net, -self.accounts, report)
        keep = heapq.heappush if len(self._best) < _ACCOUNTS_SHOWN else heapq.heappushpop
        keep(self._best, entry)

    @property
    def fee(self) -> Decimal:
        """The fee for converting everything."""
        return difference(self.gross, self.net)

    @property
    def best(self) -> list[AccountReport]:
        """The accounts that would bring most, in that order."""
        return [report for _, _, report in sorted(self._best, reverse=True)]


def print_totals(totals: ScanTotals) -> None:
    """Print the totals for people."""
    out = make_console()
    if totals.best:
        out.print(_account_table(totals))
        out.print()
    if totals.assets:
        out.print(f"Most of it: {_largest_assets(totals)}.")
    out.print(
        f"{count(totals.accounts, 'account')}. All dust would bring [bold green]{totals.net:f}"
        f" {escape(totals.target)}[/], after {totals.fee:f} in fees.",
    )
    settled_by = ", ".join(
        f"{count(accounts, 'account')} {_SETTLED[settled]}"
        for settled, accounts in totals.settled.most_common()
    )
    worth = f", worth {totals.owed}" if totals.owed else ""
    if totals.elsewhere:
        ranked = "; ".join(
            f"{count(n, 'balance')} in {escape(name)}, worth {totals.worth_elsewhere[name]:f} BTC"
            for name, n in totals.elsewhere.most_common()
        )
        out.print(f"In other wallets: {ranked}.")
    if totals.ending:
        soonest = "; ".join(
            f"{escape(asset)} before {until:%Y-%m-%d %H:%M} UTC ({count(holders, 'account')})"
            for (until, asset), holders in sorted(totals.ending.items())
        )
        out.print(f"[yellow]Soon delisted:[/] {soonest}.")
    debts = f"{count(totals.debts, 'small debt')}{worth}"
    out.print(f"{debts}{f' ({settled_by})' if settled_by else ''}.")
    _print_failures(totals)


def _print_failures(totals: ScanTotals) -> None:
    if not totals.failed:
        return
    out = make_console()
    failed = count(totals.failed, "account")
    out.print(f"[bold red]{failed} with parts that failed:[/]")
    most_common = totals.failures.most_common(_REASONS_SHOWN)
    for (part, reason), times in most_common:
        out.print(f"  {times:>5,} x {part}: {escape(reason)}")
    rest = len(totals.failures) - len(most_common)
    if rest:
        out.print(f"  and {rest:,} other reasons")


def _account_table(totals: ScanTotals) -> TerminalTable:
    table = TerminalTable(
        text("account", 0),
        *figures("assets", "dust", rank=3),
        figure("would bring", 0),
        figure("fees", 2),
        prose("small debts"),
        prose(""),
    )
    for report in totals.best:
        dust = "" if report.quote is None else f"{len(report.quote.details):,}"
        debts = f"{len(report.liabilities)} ({Amounts(report.owed)})" if report.owed else ""
        table.add_row(
            f"[cyan]{escape(report.account)}[/]",
            "" if "assets" in report.errors else f"{len(report.assets):,}",
            dust,
            f"{report.net:f} {escape(totals.target)}" if report.quote else "",
            f"{report.fee:f}" if report.quote else "",
            debts,
            "" if report.ok else f"[red]{', '.join(report.errors)} failed[/]",
        )
    rest = totals.accounts - len(totals.best)
    if rest > 0:
        table.add_row(f"[dim]and {rest:,} more[/]")
    return table


def _largest_assets(totals: ScanTotals) -> str:
    ranked = sorted(totals.assets.items(), key=lambda item: item[1], reverse=True)
    return ", ".join(
        f"{escape(asset)} {net:f} ({count(totals.holders[asset], 'account')})"
        for asset, net in ranked[:_ASSETS_SHOWN]
    )
