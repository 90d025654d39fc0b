"""The command line: commands, what they print, and their exit codes.

0: done. 1: something failed. 2: the command was used wrongly. 3: an outcome is unknown.
130: ended by Ctrl-C. 143: ended by SIGTERM.

Only the module of the command that was asked for is imported, so that `--help` and every command
start as fast as they can, however many commands there are.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import signal
import sys
from typing import TYPE_CHECKING, Final

from binance_dust._version import __version__
from binance_dust.cli._console import complain, make_streams_safe
from binance_dust.errors import ConfigurationError, DustError, OutcomeUnknownError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

__all__ = ["main"]

DONE: Final = 0
FAILED: Final = 1
WRONG_USE: Final = 2
OUTCOME_UNKNOWN: Final = 3
INTERRUPTED: Final = 130
"""128 and the number of SIGINT, as shells have it."""
TERMINATED: Final = 143
"""Likewise, of SIGTERM."""

_COMMANDS: Final = {
    "demo": "a local sandbox, from a scan to the books: no key, no network",
    "scan": "read the dust and the small debts of many accounts at once",
    "quote": "show what could be converted, what it would bring, and why the rest stays",
    "convert": "turn dust into BNB or another target; a dry run unless --yes",
    "sweep": "the regular clean-up of many accounts; a dry run unless --yes",
    "recover": "find out by reading how calls ended whose answer was lost",
    "sync": "take into the books what the exchange has on record",
    "books": "sum up the books: by month, asset, account or target",
    "export": "write the books for a spreadsheet or a tax tool",
    "worker": "read and convert accounts for a fleet, behind this machine's address",
    "doctor": "check clock, keys, accounts and budgets; settle doubts by reading",
    "liabilities": "list the small margin debts of accounts",
    "history": "list what was converted and exchanged, as the exchange remembers it",
    "bnb-burn": "show or set whether fees are paid in BNB, which makes less dust",
    "sandbox": "run a local exchange for other programs",
    "endpoints": "list the endpoints, their weights and who pays",
}
"""Each is a module here, with `add_arguments(parser)` and `async run(options) -> int`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code."""
    make_streams_safe()
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        # Also while modules are imported, which is when impatient people press it.
        complain("interrupted")
        return INTERRUPTED


def _run(arguments: Sequence[str]) -> int:
    name = _named(arguments)
    module: ModuleType | None = None
    if name in _COMMANDS:
        try:
            module = load(name)
        except ImportError as error:
            if (error.name or "").partition(".")[0] != "rich":
                raise
            complain("the command line needs the extra 'cli': pip install 'binance-dust[cli]'")
            return FAILED
    options = make_parser({} if module is None else {name: module}).parse_args(arguments)
    # Only what names a command passes the parser.
    assert module is not None  # noqa: S101
    return _guarded(module, options)


def _guarded(command: ModuleType, options: argparse.Namespace) -> int:
    import asyncio

    try:
        return asyncio.run(_until_told(command, options))
    except BrokenPipeError:
        # Whoever reads has enough. Python would complain once more when it closes stdout.
        sys.stdout = None
        return DONE
    except OutcomeUnknownError as error:
        complain(str(error))
        return OUTCOME_UNKNOWN
    except ConfigurationError as error:
        complain(str(error))
        return WRONG_USE
    except (DustError, OSError) as error:
        complain(str(error))
        return FAILED


async def _until_told(command: ModuleType, options: argparse.Namespace) -> int:
    """Run a command; SIGTERM ends it as cleanly as Ctrl-C does."""
    import asyncio

    told = asyncio.Event()
    work = asyncio.ensure_future(command.run(options))

    def end() -> None:
        told.set()
        work.cancel()

    # Windows has no such handlers, and threads but the main one may not have any.
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    try:
        return int(await work)
    except asyncio.CancelledError:
        if not told.is_set():
            raise
        complain("terminated")
        return TERMINATED


def make_parser(modules: Mapping[str, ModuleType]) -> argparse.ArgumentParser:
    """Make the parser; of the commands, those whose modules are given know their arguments."""
    parser = argparse.ArgumentParser(
        prog="binance-dust",
        description="Dust balances and small margin debts on Binance, for many accounts at once.",
        epilog="Try first: binance-dust demo",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    chosen = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in _COMMANDS.items():
        command = chosen.add_parser(name, help=text, description=f"{text}.")
        if name in modules:
            modules[name].add_arguments(command)
    return parser


def load_all() -> dict[str, ModuleType]:
    """Import the module of every command, for whoever documents them."""
    return {name: load(name) for name in _COMMANDS}


def _named(arguments: Sequence[str]) -> str:
    """Give the command's name: the first word, for nothing before it takes a value."""
    return next((word for word in arguments if not word.startswith("-")), "")


def load(name: str) -> ModuleType:
    """Import the module of a command."""
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
