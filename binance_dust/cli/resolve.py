"""`binance-dust resolve`: say how a call ended that can't be known by reading."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from binance_dust.cli import _arguments, _context, _ledger
from binance_dust.cli._output import as_json, make_console, print_json, print_rehearsal
from binance_dust.ledger import Books, account_of

if TYPE_CHECKING:
    import argparse

    from binance_dust.client import DustClient
    from binance_dust.ledger import Ledger, LedgerEntry


EXAMPLES: Final = (
    ("12 --rejected --reason 'not in the history on the website'", "it was not carried out"),
    ("12 --confirmed 4517837291 --reason 'see the website'", "it was, as this transaction"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "entry", type=_arguments.positive, metavar="ENTRY", help="number of the ledger's entry"
    )
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--rejected", action="store_true", help="the call was not carried out")
    how.add_argument(
        "--confirmed",
        type=_arguments.positive,
        nargs="?",
        const=0,
        metavar="TRANSACTION",
        help="the call was carried out, as this transaction; exchanged debts have no number",
    )
    parser.add_argument(
        "--reason", required=True, metavar="TEXT", help="how you know; it stays in the books"
    )
    _ledger.add_ledger(parser)
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _context.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Settle one entry by hand. Nothing is sent; the log is read if the account's key is given."""
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(_ledger.existing_ledger(options))
        entry = await ledger.entry(options.entry)
        client = await _client_of(entry, ledger, options, stack)
        now = datetime.now(UTC)
        if client is not None:
            await client.session.learn_time()
            now = client.session.now()
        done = await ledger.resolve(
            entry.id,
            "rejected" if options.rejected else "confirmed",
            options.reason,
            now=now,
            transaction_id=options.confirmed or None,
            client=client,
        )
        rehearsal = await ledger.books() is Books.LOCAL
    if options.json:
        print_json(as_json(done), rehearsal=rehearsal)
        return 0
    out = make_console()
    out.print(_ledger.entry_table([done]))
    if done.status == "confirmed" and not done.lines:
        out.print("Its amounts are not known yet: binance-dust sync adds them from the log.")
    if rehearsal:
        print_rehearsal(out)
    return 0


async def _client_of(
    entry: LedgerEntry, ledger: Ledger, options: argparse.Namespace, stack: AsyncExitStack
) -> DustClient | None:
    """Open the client of an entry's account, if its key is at hand."""
    if options.rejected or not _context.names_accounts(options):
        return None
    context = await stack.enter_async_context(_context.open_context(options))
    owners = {name: each.owner for each in await ledger.accounts() for name in each.names}
    for client in context.clients:
        if owners.get(account_of(client)) == entry.owner:
            return client
    return None
