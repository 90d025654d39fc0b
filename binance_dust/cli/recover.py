"""`binance-dust recover`: find out how calls ended that nobody heard the answer of, by reading."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from binance_dust.cli import _desk, _ledger
from binance_dust.cli._console import complain, console, reason_of
from binance_dust.cli._each import each
from binance_dust.cli._json import as_json, print_json
from binance_dust.conversion import Converter
from binance_dust.errors import DustError

if TYPE_CHECKING:
    import argparse

    from binance_dust.client import DustClient
    from binance_dust.ledger import Ledger, LedgerEntry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    _ledger.add_ledger(parser)
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _desk.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Settle every account's open entries, and show how they ended."""
    found: list[LedgerEntry] = []
    failed = False
    async with (
        _desk.open_desk(options) as desk,
        _ledger.ledger_of(options) as ledger,
        aclosing(each(desk.clients, partial(_recover, ledger=ledger))) as answers,
    ):
        async for client, answer in answers:
            if isinstance(answer, DustError):
                failed = True
                complain(f"{client.name}: {reason_of(answer, client.name)}")
                continue
            found += answer
            if options.json:
                for entry in answer:
                    print_json(as_json(entry))
    unknown = sum(entry.open for entry in found)
    if found and not options.json:
        console().print(_ledger.entry_table(found))
        left = f", {unknown} still unknown: try again in some minutes" if unknown else ""
        console().print(f"{len(found) - unknown} entries settled by reading{left}.")
    elif not (failed or options.json):
        console().print("Nothing is open: it is known of every call how it ended.")
    if unknown:
        return 3
    return 1 if failed else 0


async def _recover(client: DustClient, *, ledger: Ledger) -> list[LedgerEntry]:
    return await Converter(client, ledger=ledger).recover()
