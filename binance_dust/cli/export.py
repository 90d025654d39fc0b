"""`binance-dust export`: the books as a file, for a spreadsheet or a tax tool."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from binance_dust._util.words import count
from binance_dust.cli import _ledger
from binance_dust.cli._console import complain
from binance_dust.ledger.export import Style

if TYPE_CHECKING:
    import argparse
    from typing import TextIO

    from binance_dust.ledger import Ledger
    from binance_dust.ledger.export import Exported

_LINES: Final = "jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("out", metavar="FILE", help="the file to write; - for the standard output")
    parser.add_argument(
        "--style",
        choices=(*get_args(Style), _LINES),
        default="plain",
        help="whose form: our own, a tax tool's, or lines of JSON with every entry whole (plain)",
    )
    _ledger.add_choice(parser)
    _ledger.add_ledger(parser)


async def run(options: argparse.Namespace) -> int:
    """Write the file, and say what is not in it."""
    async with _ledger.existing_ledger(options) as ledger:
        written = await _write(ledger, options)
    complain(f"{count(written.rows, 'row')} written")
    if left_out := written.liabilities_left_out:
        complain(f"{count(left_out, 'exchange')} of small debts left out: they are no trades")
    if written.unsettled:
        complain(f"{written.unsettled:,} entries are open: recover first, then export again")
    return 1 if written.unsettled else 0


async def _write(ledger: Ledger, options: argparse.Namespace) -> Exported:
    where = _stdout() if options.out == "-" else Path(options.out)
    chosen = _ledger.chosen(options)
    if options.style == _LINES:
        return await ledger.export_json_lines(where, **chosen)
    return await ledger.export_csv(where, style=options.style, **chosen)


def _stdout() -> TextIO:
    """Give the standard output, to hold what the file would: UTF-8, its line ends as they are."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    return sys.stdout
