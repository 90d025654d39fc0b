"""`binance-dust export`: write the books for a spreadsheet, a tax tool or a journal."""

from __future__ import annotations

import io
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from binance_dust._util.words import count
from binance_dust.cli import _ledger
from binance_dust.cli._streams import MessageLevel, print_stderr
from binance_dust.errors import ConfigurationError
from binance_dust.ledger import JournalAccounts
from binance_dust.ledger.export import JournalStyle, Style

if TYPE_CHECKING:
    import argparse
    from typing import TextIO

    from binance_dust.ledger import Ledger
    from binance_dust.ledger.export import Exported

_JSON_LINES: Final = "jsonl"
_ACCOUNTS: Final = {
    "wallets": "the account of what is held",
    "debts": "the account of what is owed",
    "fees": "the account of what the exchange kept",
}


EXAMPLES: Final = (
    ("trades.csv --since 2026-01-01", "a table for a spreadsheet"),
    ("trades.csv --style koinly", "for a tax tool"),
    ("books.journal --style hledger", "for plain-text accounting"),
    ("- --style jsonl", "lines of JSON, to the standard output"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("out", metavar="FILE", help="the file to write; - for the standard output")
    parser.add_argument(
        "--style",
        choices=(*get_args(Style), *get_args(JournalStyle), _JSON_LINES),
        default="plain",
        help="format: our own, a tax tool's, a journal, or lines of JSON with every field (plain)",
    )
    for field in fields(JournalAccounts):
        parser.add_argument(
            f"--{field.name}",
            metavar="ACCOUNT",
            default=field.default,
            help=f"in a journal, {_ACCOUNTS[field.name]} ({field.default})",
        )
    parser.add_argument(
        "--force", action="store_true", help="write over a file that is there already"
    )
    _ledger.add_filter(parser)
    _ledger.add_ledger(parser)


async def run(options: argparse.Namespace) -> int:
    """Write the file, and say what it leaves out."""
    out = Path(options.out)
    if options.out != "-" and out.exists() and not options.force:  # noqa: ASYNC240 - before any work
        raise ConfigurationError(f"{out} is there already: name another file, or add --force")
    async with _ledger.existing_ledger(options) as ledger:
        await _ledger.refuse_unknown_account(ledger, options.account)
        written = await _write(ledger, options)
    print_stderr(f"{count(written.rows, 'row')} written", MessageLevel.INFO)
    if left_out := written.liabilities_left_out:
        print_stderr(f"{count(left_out, 'exchange')} of small debts left out: they are not trades")
    if left_out := written.moves_left_out:
        print_stderr(
            f"{count(left_out, 'transfer or repayment', 'transfers or repayments')} left out: they"
            " are not trades"
        )
    for name, fit in written.renamed.items():
        print_stderr(f"{name} is {fit} there: that program knows no such name")
    if written.unsettled:
        print_stderr(f"{written.unsettled:,} entries are open: recover first, then export again")
    return 1 if written.unsettled else 0


async def _write(ledger: Ledger, options: argparse.Namespace) -> Exported:
    out = _stdout() if options.out == "-" else Path(options.out)
    wanted = _ledger.entry_filter(options)
    if options.style == _JSON_LINES:
        return await ledger.export_json_lines(out, **wanted)
    if options.style in get_args(JournalStyle):
        named = {field.name: getattr(options, field.name) for field in fields(JournalAccounts)}
        accounts = JournalAccounts(**named)
        return await ledger.export_journal(out, style=options.style, accounts=accounts, **wanted)
    return await ledger.export_csv(out, style=options.style, **wanted)


def _stdout() -> TextIO:
    """Give stdout, set up for the same bytes as a file: UTF-8, line ends unchanged."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    return sys.stdout
