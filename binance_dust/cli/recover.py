"""`binance-dust recover`: find out by reading how calls ended if their answer was lost."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Final

from binance_dust._util.words import count
from binance_dust.cli import _context, _ledger
from binance_dust.cli._output import as_json, make_console, print_json, print_rehearsal, reason_of
from binance_dust.cli._streams import print_stderr
from binance_dust.cli._watch import MoveWatch
from binance_dust.conversion import Converter
from binance_dust.errors import DustError
from binance_dust.ledger import OPEN, account_of
from binance_dust.ledger._entry import why_stuck

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from binance_dust.client import DustClient
    from binance_dust.ledger import Ledger, LedgerEntry


EXAMPLES: Final = (("--accounts desk.toml", "after an outcome that is unknown: nothing is sent"),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    _ledger.add_ledger(parser)
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _context.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Settle every account's open entries, and show how they ended."""
    found: list[LedgerEntry] = []
    failed, watch = False, MoveWatch()
    async with (
        _context.open_context(options, observer=watch) as context,
        _ledger.open_ledger(options, context) as ledger,
        watch.shown(len(context.clients)),
        aclosing(_context.ask_each(context.clients, partial(_recover, ledger=ledger))) as answers,
    ):
        async for client, answer in answers:
            watch.done(client.name)
            if isinstance(answer, DustError):
                failed = True
                print_stderr(f"{client.name}: {reason_of(answer, client.name)}")
                continue
            found += answer
            if options.json:
                for entry in answer:
                    print_json(as_json(entry), rehearsal=context.rehearsal)
        left = [entry async for entry in ledger.entries(status=OPEN)]
        owners = {name: each.owner for each in await ledger.accounts() for name in each.names}
    asked = {owners.get(account_of(client), account_of(client)) for client in context.clients}
    open_here = [entry for entry in left if entry.owner in asked]
    if others := len(left) - len(open_here):
        print_stderr(f"{count(others, 'call')} of other accounts: recover them, too")
    for entry in open_here:
        if entry.needs_resolve:
            print_stderr(f"{entry.account}: {why_stuck(entry)}")
    if not options.json:
        _print(found, open_here, others, rehearsal=context.rehearsal)
    if open_here:
        return 3
    return 1 if failed else 0


def _print(
    found: Sequence[LedgerEntry], left: Sequence[LedgerEntry], others: int, *, rehearsal: bool
) -> None:
    out = make_console()
    if found:
        out.print(_ledger.entry_table(found))
    if found or left:
        settled = sum(not entry.open for entry in found)
        text = f"{count(settled, 'entry', 'entries')} settled by reading"
        stuck = sum(entry.needs_resolve for entry in left)
        if not_yet := len(left) - stuck:
            text += f", {not_yet} not known yet: try again in a few minutes"
        if stuck:
            text += f", {stuck} that can't be known: see above how to end that"
        out.print(f"{text}.")
    elif not others:
        out.print("Nothing is open: it is known how every call ended.")
    if rehearsal:
        print_rehearsal(out)


async def _recover(client: DustClient, *, ledger: Ledger) -> list[LedgerEntry]:
    return await Converter(client, ledger=ledger).recover()
