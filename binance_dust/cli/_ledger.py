"""The ledger of a command: where its file is, which entries are asked for, and their table."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from binance_dust._util.words import count
from binance_dust.cli import _arguments
from binance_dust.cli._output import escape
from binance_dust.cli._parser import suggestion
from binance_dust.cli._streams import print_stderr
from binance_dust.cli._tables import TerminalTable, figure, prose, text
from binance_dust.errors import ConfigurationError
from binance_dust.ledger import OPEN, Ledger

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Iterable

    from binance_dust.cli._context import CommandContext
    from binance_dust.ledger import LedgerEntry

RECOVER_HINT: Final = "funds may have moved: binance-dust recover finds out, by reading only"
_VARIABLE: Final = "BINANCE_DUST_LEDGER"
_FILE: Final = "binance-dust.db"


def add_ledger(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the ledger's file."""
    parser.add_argument(
        "--ledger",
        metavar="FILE",
        help=f"the books; else the file that {_VARIABLE} names, else {_FILE} in the folder for your"
        " data",
    )


def add_filter(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose entries."""
    parser.add_argument("--account", metavar="NAME", help="only this account")
    parser.add_argument(
        "--since", type=_arguments.moment, metavar="TIME", help="only from this time on"
    )
    parser.add_argument(
        "--until", type=_arguments.moment, metavar="TIME", help="only before this time"
    )


def entry_filter(options: argparse.Namespace) -> dict[str, Any]:
    """Give the options of `add_filter` as arguments for the ledger's methods."""
    return {"account": options.account, "since": options.since, "until": options.until}


async def refuse_unknown_account(ledger: Ledger, name: str | None) -> None:
    """Say that the books know no such account: an empty table would be a wrong answer."""
    known = [each for account in await ledger.accounts() for each in account.names]
    if name is not None and name not in known:
        near = suggestion(name, known)
        raise ConfigurationError(f"the books of {ledger.path} know no account {name!r}{near}")


def _ledger_of(options: argparse.Namespace) -> Ledger:
    # The command's own sandbox is gone at the end, and its books go with it.
    throw_away = getattr(options, "sandbox", False) and not options.ledger
    path = ":memory:" if throw_away else options.ledger or os.environ.get(_VARIABLE)
    return Ledger(path or _home())


def _home() -> Path:
    """Find the file of the books that no option names: the same one from every folder."""
    from platformdirs import user_data_path

    home = user_data_path("binance-dust", appauthor=False) / _FILE
    here = Path(_FILE)
    if not here.exists() or here.resolve() == home.resolve():
        try:
            home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"there can be no books in {home.parent} ({error.strerror}): name their file with"
                f" --ledger or {_VARIABLE}"
            ) from None
        return home
    if home.exists():
        print_stderr(f"the books are {home}; {here.resolve()} of an earlier version is not read")
        return home
    # Empty books would know of no open call and of no cooldown.
    raise ConfigurationError(
        f"{here.resolve()} holds the books of an earlier version, which kept them in the folder"
        f" it was started in: move it to {home}, or name it with --ledger or {_VARIABLE}"
    )


@asynccontextmanager
async def open_ledger(
    options: argparse.Namespace, context: CommandContext
) -> AsyncIterator[Ledger]:
    """Open the ledger, and refuse to mix rehearsals with real books before any account is asked."""
    async with _ledger_of(options) as ledger:
        for session in context.sessions:
            await ledger.refuse_other(session)
        yield ledger


@asynccontextmanager
async def open_ledger_to_move(
    options: argparse.Namespace, context: CommandContext
) -> AsyncIterator[Ledger]:
    """Open the ledger; if the command is interrupted, name the calls without an answer."""
    async with open_ledger(options, context) as ledger:
        try:
            yield ledger
        except BaseException:
            if left := [entry.id async for entry in ledger.entries(status=OPEN)]:
                print_stderr(f"{count(len(left), 'call')} without an answer; {RECOVER_HINT}")
            raise


def existing_ledger(options: argparse.Namespace) -> Ledger:
    """Give a ledger to read. A missing file is an error: empty books would be a wrong answer."""
    ledger = _ledger_of(options)
    if not os.path.exists(ledger.path):  # noqa: PTH110 - one look, before anything is opened
        raise ConfigurationError(f"there is no ledger {ledger.path}: name it with --ledger")
    return ledger


def entry_table(entries: Iterable[LedgerEntry]) -> TerminalTable:
    """Make a table of entries."""
    table = TerminalTable(
        figure("entry", 0),
        text("when (UTC)", 2),
        text("account", 0),
        text("kind", 5),
        prose("assets", 4),
        figure("net"),
        text("status", 0),
        prose("", 3),
    )
    for entry in entries:
        table.add_row(
            str(entry.id),
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            f"[cyan]{escape(entry.account)}[/]",
            entry.kind.value,
            escape(" ".join(entry.assets)),
            f"{entry.net:f} {escape(entry.target)}" if entry.lines else "",
            entry.status,
            escape(entry.reason or ""),
        )
    return table
