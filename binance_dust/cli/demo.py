"""`binance-dust demo`: accounts on a local sandbox, from a scan to the books.

It calls the public API, as your own program would.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from binance_dust._util.exact import difference, total
from binance_dust._util.words import count, duration
from binance_dust.budget import RateLimits
from binance_dust.cli import _arguments
from binance_dust.cli._output import Amounts, escape, make_console
from binance_dust.cli._plans import quote_table, skipped_table
from binance_dust.cli._problems import to_all
from binance_dust.cli._progress import EventCounter, show_scan
from binance_dust.cli._scan_results import ScanTotals, check_page, print_totals
from binance_dust.cli._tables import TerminalTable, figure, figures, text
from binance_dust.cli._watch import MoveWatch
from binance_dust.conversion import Converter, Reason, Receipt
from binance_dust.ledger import Ledger
from binance_dust.reports._page import PageDraft
from binance_dust.sandbox import Sandbox
from binance_dust.scanner import estimate_scan, scan
from binance_dust.session import Session
from binance_dust.sweeper import Outcome, sweep

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from binance_dust.client import DustClient
    from binance_dust.reports import AccountReport
    from binance_dust.sweeper import SweepReport

_DEBT_LIST: Final = "GET /sapi/v1/margin/exchange-small-liability"
_DUST_TRANSFER: Final = "/sapi/v1/asset/dust"
_WINDOW: Final = 2.0
"""Seconds in place of the limits' minute, so that users can watch the waiting."""

_NOTHING_MORE_COMES: Final = 20.0
"""Seconds after a call; whole windows."""
_LOOK_AGAIN: Final = 0.005
_UNLUCKY: Final = 2
"""Accounts whose answers get lost."""
_OF_PARTS: Final = {Reason.IN_ORDER, Reason.FROZEN, Reason.WITHDRAWING, Reason.IN_LAUNCH}
_WRONG: Final = {Outcome.UNKNOWN, Outcome.UNKNOWABLE, Outcome.FAILED}


EXAMPLES: Final = (
    ("", "six steps, from a scan to the books"),
    ("--accounts 100 --html page.html", "a larger desk, and its page"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--accounts",
        type=_arguments.positive,
        default=25,
        metavar="N",
        help="number of accounts (25)",
    )
    parser.add_argument(
        "--seed", type=int, default=7, help="the same seed makes the same accounts and prices (7)"
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write the page here (a temporary folder)"
    )


async def run(options: argparse.Namespace) -> int:
    """Open a sandbox; scan, quote, convert, lose an answer, recover it, and show the books."""
    if options.html is not None:
        check_page(options.html)
    out = make_console()
    folder = Path(tempfile.mkdtemp(prefix="binance-dust-demo-"))
    page = options.html or folder / "report.html"
    events, watch = EventCounter(print_problems=False), MoveWatch()
    observer, clock = to_all(events, watch), _MovableClock()
    limits = RateLimits(window=_WINDOW)
    async with (
        AsyncExitStack() as stack,
        Sandbox(seed=options.seed, window=_WINDOW, clock=clock.wall) as exchange,
        Session(base_url=exchange.url, limits=limits, observer=observer, time=clock) as session,
        Ledger(folder / "ledger.db") as ledger,
    ):
        draft = stack.enter_context(PageDraft(page))
        clients = [session.client(account) for account in exchange.open_accounts(options.accounts)]
        out.print(
            f"A local exchange is open at [cyan]{exchange.url}[/] with"
            f" {count(len(clients), 'account')}."
            " Nothing leaves this machine.\n"
            f"Its minute takes {_WINDOW:g} seconds; an endpoint may cost 12,000 in each."
        )
        foretold = _Foretold()
        await _scan(out, exchange, session, clients, events, (draft.add, foretold.add))
        await _quote(out, ledger, next(each for each in clients if each.name == foretold.richest))
        skipping = asyncio.create_task(_skip_waiting(exchange, clock))
        outcomes = await _convert(out, exchange, ledger, clients, watch, foretold)
        skipping.cancel()
        correct = not outcomes & _WRONG
        out.print(foretold.told())
        correct = await _show_books(out, exchange, ledger) and correct
        entries = [entry async for entry in ledger.entries()]
        draft.write(entries, "A rehearsal", rehearsal=True)
    out.print(f"\nThe page to look at: {page}", markup=False)
    _print_next(out)
    return 0 if correct and foretold.complete else 1


async def _scan(  # noqa: PLR0913, PLR0917 - what the other steps have, too
    out: Console,
    exchange: Sandbox,
    session: Session,
    clients: Sequence[DustClient],
    events: EventCounter,
    takers: Sequence[Callable[[AccountReport], None]],
) -> None:
    """Scan, pass each report on and keep none."""
    estimate = estimate_scan(clients)
    # Less than the limits let through at once takes no time by them.
    waits = f"waits of {duration(estimate.seconds)} at most" if estimate.seconds else "no wait"
    _head(out, "1", f"Scan: {waits} by the limits")
    totals = ScanTotals("BNB")
    scanning = scan(clients)
    async with scanning, show_scan(scanning, events, {session: None}):
        async for report in scanning:
            for take in (totals.add, *takers):
                take(report)
    print_totals(totals)
    out.print(
        f"{len(exchange.requests)} requests in {scanning.progress.elapsed:.1f} s,"
        f" {exchange.refusals} refused for their weight. The list of small debts (weight 100) was"
        f" asked for {len(exchange.requests_of(_DEBT_LIST))} of {count(len(clients), 'account')}:"
        " cheaper questions had settled the rest."
    )


async def _quote(out: Console, ledger: Ledger, client: DustClient) -> None:
    _head(out, "2", f"Quote: what {client.name} could convert, and why the rest stays")
    quote = await Converter(client, ledger=ledger).quote()
    out.print(quote_table(quote))
    if quote.skipped:
        out.print(skipped_table(quote.skipped))


async def _convert(  # noqa: PLR0913, PLR0917 - what the other steps have, too
    out: Console,
    exchange: Sandbox,
    ledger: Ledger,
    clients: Sequence[DustClient],
    watch: MoveWatch,
    foretold: _Foretold,
) -> set[Outcome]:
    """Sweep every account; two answers are lost after the exchange has acted."""
    unlucky = [client.name for client in clients[:_UNLUCKY]]
    for name in unlucky:
        exchange.faults.lose_answer(endpoint=_DUST_TRANSFER, account=name)
    _head(out, "3", f"Convert: all of it, and the answers to {' and '.join(unlucky)} get lost")
    unknown, counts = 0, Counter[Outcome]()
    async with watch.shown(len(clients)):
        for part in (clients[:_UNLUCKY], clients[_UNLUCKY:]):
            async with sweep(part, ledger=ledger, dry_run=False) as reports, watch.finishing():
                async for report in reports:
                    watch.take(report)
                    counts[report.outcome] += 1
                    foretold.gone(report)
                    if report.settled:
                        (entry,) = report.settled
                        unknown += 1
                        out.print(
                            f"[cyan]{escape(report.account)}[/]: no answer came. Was it carried"
                            f" out? Read, never sent again: entry {entry.id} is"
                            f" [green]{entry.status}[/], {entry.net:f} BNB, transaction"
                            f" {entry.transaction_id}."
                        )
    outcomes = set(counts)
    done, nothing = counts.pop(Outcome.CONVERTED, 0), counts.pop(Outcome.NOTHING, 0)
    out.print(
        f"{done} accounts converted, {unknown} of them known by reading only;"
        f" {nothing} had nothing to convert."
    )
    for outcome, number in counts.items():
        out.print(f"[bold red]{count(number, 'account')}[/]: {outcome}.")
    return outcomes


class _Foretold:
    """What the scan has foretold, and where it has gone."""

    def __init__(self) -> None:
        self._worths: dict[str, dict[str, Decimal]] = {}
        """What each asset of an account would bring, until it is known what it brought."""
        self._promised = self._most = Decimal(0)
        self._came, self._stays = Amounts(), Amounts()
        self.richest = ""
        """The account that would bring most."""
        self.complete = True
        """Whether all could be read."""

    def add(self, report: AccountReport) -> None:
        """Take what the scan says of an account."""
        rows = report.quote.details if report.quote else ()
        worths = {row.asset: row.to_target_asset_off_exchange for row in rows}
        self._worths[report.account] = worths
        self._promised = total((self._promised, *worths.values()))
        self.complete = self.complete and report.ok
        if not self.richest or report.net > self._most:
            self.richest, self._most = report.account, report.net

    def gone(self, turn: SweepReport) -> None:
        """Take what a turn of the sweep has brought, and what it left."""
        done = [turn.receipt] if isinstance(turn.receipt, Receipt) else turn.settled
        for each in done:
            self._came.add(each.target, each.net)
        plan, worths = turn.quote, self._worths.get(turn.account, {})
        if plan is None:
            return
        # Parts of a balance last: the scan has foretold the free part.
        for skipped in sorted(plan.skipped, key=lambda each: each.reason in _OF_PARTS):
            worth = worths.pop(skipped.asset, None)
            if worth is not None and skipped.asset not in plan.assets:
                self._stays.add(skipped.reason, worth)

    def told(self) -> str:
        """Say where all of it has gone."""
        got = total(self._came.values())
        parts = [f"{worth:f} BNB stays: {reason}" for reason, worth in self._stays.items()]
        rest = difference(difference(self._promised, got), total(self._stays.values()))
        if rest:
            parts.append(f"{rest:f} BNB is what the exchange rounds")
        why = f" ({'; '.join(parts)})" if parts else ""
        return f"Of the {self._promised:f} BNB that the scan foretold, {got:f} BNB came{why}."


class _MovableClock:
    """The time of the rehearsal, for the exchange and the session alike: it can be moved on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def wall(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


async def _skip_waiting(exchange: Sandbox, clock: _MovableClock) -> None:
    """Move the clock on, once both answers are lost: a rehearsal need not wait.

    The log is read when nothing more can come of a call, after a quarter of a minute.
    """
    while len(exchange.conversions) < min(_UNLUCKY, len(exchange.accounts)):  # noqa: ASYNC110 - a look
        await asyncio.sleep(_LOOK_AGAIN)
    clock.ahead += _NOTHING_MORE_COMES


async def _show_books(out: Console, exchange: Sandbox, ledger: Ledger) -> bool:
    """Compare the ledger with the exchange's own records, to the last digit."""
    _head(out, "4", "The books, and what the exchange itself says")
    entries = [entry async for entry in ledger.entries(status="confirmed")]
    table = TerminalTable(text("", 0), *figures("conversions", "gross", "fee"), figure("net", 0))
    ours = _figures([(entry.gross, entry.fee) for entry in entries])
    theirs = _figures([(each.gross, each.fee) for each in exchange.conversions])
    table.add_row("the ledger", *ours)
    table.add_row("the exchange", *theirs)
    out.print(table)
    same = ours == theirs
    equal = (
        "[bold green]Equal to the last digit[/]: each conversion once, none twice, none forgotten."
    )
    out.print(equal if same else "[bold red]They differ[/]: compare the two rows above.")
    return same


def _figures(rows: list[tuple[Decimal, Decimal]]) -> tuple[str, ...]:
    gross = sum((row[0] for row in rows), Decimal(0))
    fee = sum((row[1] for row in rows), Decimal(0))
    return str(len(rows)), f"{gross:f}", f"{fee:f}", f"{gross - fee:f} BNB"


def _head(out: Console, number: str, text: str) -> None:
    out.print(f"\n[bold]{number}. {escape(text)}[/]")


def _print_next(out: Console) -> None:
    out.print(
        "\n[bold]Try next:[/]\n"
        "  binance-dust scan --sandbox --html page.html   the same by hand, step by step\n"
        "  binance-dust convert --sandbox --yes           convert, with the receipt\n"
        "  binance-dust sandbox                           an exchange for your own program\n"
        "  docs/tutorial                                  from here to your own safe conversion"
    )
