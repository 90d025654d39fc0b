"""Where the books are, and how their entries are shown."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from binance_dust._util.words import count
from binance_dust.cli import _arguments
from binance_dust.cli._console import complain, make_table, shown
from binance_dust.errors import ConfigurationError
from binance_dust.ledger import OPEN, Ledger

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Iterable

    from rich.table import Table

    from binance_dust.cli._desk import Desk
    from binance_dust.ledger import LedgerEntry

VARIABLE: Final = "BINANCE_DUST_LEDGER"
FIND_OUT: Final = "funds may have moved: binance-dust recover finds out, by reading alone"
_USUAL: Final = "binance-dust.db"


def add_ledger(parser: argparse.ArgumentParser) -> None:
    """Add where the books are."""
    parser.add_argument(
        "--ledger",
        metavar="FILE",
        help=f"the books; else the file that {VARIABLE} names, else {_USUAL} here",
    )


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add which entries of the books are wanted."""
    parser.add_argument("--account", metavar="NAME", help="this account alone")
    parser.add_argument("--since", type=_arguments.moment, metavar="TIME", help="from then on")
    parser.add_argument("--until", type=_arguments.moment, metavar="TIME", help="before then")


def chosen(options: argparse.Namespace) -> dict[str, Any]:
    """Give which entries are wanted, as the ledger's own arguments."""
    return {"account": options.account, "since": options.since, "until": options.until}


def ledger_of(options: argparse.Namespace) -> Ledger:
    """Name the ledger; a sandbox of the command's own is gone with it, and so are its books."""
    own = getattr(options, "sandbox", False) and not options.ledger
    path = ":memory:" if own else options.ledger or os.environ.get(VARIABLE)
    return Ledger(path or _USUAL)


@asynccontextmanager
async def open_ledger(options: argparse.Namespace, desk: Desk) -> AsyncIterator[Ledger]:
    """Open the ledger; a rehearsal is kept out of real books here, and not at every account."""
    async with ledger_of(options) as ledger:
        for session in desk.sessions:
            await ledger.refuse_other(session)
        yield ledger


@asynccontextmanager
async def kept_ledger(options: argparse.Namespace, desk: Desk) -> AsyncIterator[Ledger]:
    """Open the ledger; whoever is ended before the end hears of calls that were under way."""
    async with open_ledger(options, desk) as ledger:
        try:
            yield ledger
        except BaseException:
            if left := [entry.id async for entry in ledger.entries(status=OPEN)]:
                complain(f"{count(len(left), 'call')} of which no answer was heard; {FIND_OUT}")
            raise


def existing_ledger(options: argparse.Namespace) -> Ledger:
    """Name a ledger that is only read: one that is not there would be an empty one, and a lie."""
    ledger = ledger_of(options)
    if not os.path.exists(ledger.path):  # noqa: PTH110 - a look, before anything is opened
        raise ConfigurationError(f"there is no ledger {ledger.path}: name it with --ledger")
    return ledger


def entry_table(entries: Iterable[LedgerEntry]) -> Table:
    """Show entries of the ledger."""
    titles = ("entry", "when (UTC)", "account", "kind", "assets", "net", "status", "")
    table = make_table(*titles, right=("entry", "net"))
    for entry in entries:
        table.add_row(
            str(entry.id),
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            f"[cyan]{shown(entry.account)}[/]",
            entry.kind.value,
            shown(" ".join(entry.assets)),
            f"{entry.net:f} {shown(entry.target)}" if entry.lines else "",
            entry.status,
            shown(entry.reason or ""),
        )
    return table
