"""`binance-dust recover`: find out by reading how calls ended if their answer was lost."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from binance_dust._util.words import count
from binance_dust.cli import _context, _ledger
from binance_dust.cli._output import as_json, make_console, print_json, reason_of
from binance_dust.cli._streams import print_stderr
from binance_dust.conversion import Converter
from binance_dust.errors import DustError
from binance_dust.ledger import OPEN, account_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from binance_dust.client import DustClient
    from binance_dust.ledger import Ledger, LedgerEntry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    _ledger.add_ledger(parser)
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _context.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Settle every account's open entries, and show how they ended."""
    found: list[LedgerEntry] = []
    failed = False
    async with (
        _context.open_context(options) as context,
        _ledger.open_ledger(options, context) as ledger,
        aclosing(_context.ask_each(context.clients, partial(_recover, ledger=ledger))) as answers,
    ):
        async for client, answer in answers:
            if isinstance(answer, DustError):
                failed = True
                print_stderr(f"{client.name}: {reason_of(answer, client.name)}")
                continue
            found += answer
            if options.json:
                for entry in answer:
                    print_json(as_json(entry))
        left = [entry async for entry in ledger.entries(status=OPEN)]
    asked = {account_of(client) for client in context.clients}
    unknown = sum(entry.account in asked for entry in left)
    if others := len(left) - unknown:
        print_stderr(f"{count(others, 'call')} of other accounts: recover them, too")
    if not options.json:
        _print(found, unknown, others)
    if unknown:
        return 3
    return 1 if failed else 0


def _print(found: Sequence[LedgerEntry], unknown: int, others: int) -> None:
    if found:
        make_console().print(_ledger.entry_table(found))
    if found or unknown:
        settled = sum(not entry.open for entry in found)
        left = f", {unknown} still unknown: try again in a few minutes" if unknown else ""
        make_console().print(f"{settled} entries settled by reading{left}.")
    elif not others:
        make_console().print("Nothing is open: it is known how every call ended.")


async def _recover(client: DustClient, *, ledger: Ledger) -> list[LedgerEntry]:
    return await Converter(client, ledger=ledger).recover()
