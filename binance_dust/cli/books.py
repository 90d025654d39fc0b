"""`binance-dust books`: sum up the books by month, asset, account, target or kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from binance_dust._util.plain import plain
from binance_dust.cli import _ledger
from binance_dust.cli._output import escape, make_console, print_json, print_rehearsal
from binance_dust.cli._tables import TerminalTable, figure, figures, text
from binance_dust.ledger import OPEN, Books, chart
from binance_dust.ledger._totals import By

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from binance_dust.ledger import Ledger, Total

_MAX_WIDTH = 100


EXAMPLES: Final = (
    ("", "by month"),
    ("--by account --since 90d", "the last ninety days, by account"),
    ("--html books.html", "a page with charts"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--by", choices=get_args(By), default="month", help="what to sum up (month)"
    )
    _ledger.add_filter(parser)
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with charts")
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _ledger.add_ledger(parser)


async def run(options: argparse.Namespace) -> int:
    """Show totals and a chart, and the entries that are open."""
    wanted = _ledger.entry_filter(options)
    async with _ledger.existing_ledger(options) as ledger:
        await _ledger.refuse_unknown_account(ledger, options.account)
        totals = await ledger.totals(options.by, **wanted)
        rehearsal = await ledger.books() is Books.LOCAL
        if options.html is not None:
            from binance_dust.reports import write_page

            write_page(
                options.html,
                (),
                rehearsal=rehearsal,
                entries=[e async for e in ledger.entries(**wanted)],
            )
        if options.json:
            for total in totals:
                print_json({"by": options.by, **_as_json(total)}, rehearsal=rehearsal)
            return 0
        out = make_console()
        _show(out, options.by, totals)
        if options.by == "month" and totals:
            width = max(40, min(out.width, _MAX_WIDTH))
            drawn = chart(totals, width=width, unicode=not out.options.ascii_only)
            out.print(f"\n{drawn}", markup=False)
        await _show_missing(out, ledger, options.account)
        await _show_open_entries(out, ledger, options.account)
        if options.html is not None:
            out.print(f"The page is {options.html}.", markup=False)
        if rehearsal:
            print_rehearsal(out)
    return 0


def _show(out: Console, by: str, totals: list[Total]) -> None:
    if not totals:
        out.print("The books are empty, or hold nothing of what was asked for.")
        return
    table = TerminalTable(
        text(by, 0), figure("conversions", 3), *figures("gross", "fee", rank=2), figure("net", 0)
    )
    for total in totals:
        net = f"{total.net:f} {escape(total.target)}"
        table.add_row(
            escape(total.key), f"{total.count:,}", f"{total.gross:f}", f"{total.fee:f}", net
        )
    out.print(table)


async def _show_missing(out: Console, ledger: Ledger, account: str | None) -> None:
    if gaps := await ledger.missing(account):
        out.print("\n[bold yellow]Not in these books[/]: the exchange has more on record")
        for gap in gaps:
            out.print(f"  {gap}", markup=False)


async def _show_open_entries(out: Console, ledger: Ledger, account: str | None) -> None:
    still_open = [e async for e in ledger.entries(account=account, status=OPEN)]
    not_yet = [entry for entry in still_open if not entry.needs_resolve]
    stuck = [entry for entry in still_open if entry.needs_resolve]
    if not_yet:
        out.print("\n[bold red]It is not known yet how these calls ended[/]: binance-dust recover")
        out.print(_ledger.entry_table(not_yet))
    if stuck:
        out.print(
            "\n[bold red]How these calls ended can't be known by reading[/]:"
            " binance-dust resolve ENTRY"
        )
        out.print(_ledger.entry_table(stuck))


def _as_json(total: Total) -> dict[str, object]:
    return {
        "key": total.key,
        "target": total.target,
        "conversions": total.count,
        "gross": plain(total.gross),
        "fee": plain(total.fee),
        "net": plain(total.net),
    }
