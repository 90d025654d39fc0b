"""The command line: commands, what they print, and their exit codes.

0: done. 1: something failed. 2: the command was used wrongly. 3: an outcome is unknown.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
from typing import TYPE_CHECKING, Final

from binance_dust._version import __version__
from binance_dust.errors import ConfigurationError, DustError, OutcomeUnknownError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

__all__ = ["main"]

DONE: Final = 0
FAILED: Final = 1
WRONG_USE: Final = 2
OUTCOME_UNKNOWN: Final = 3
INTERRUPTED: Final = 130
"""128 and the number of SIGINT, as shells have it."""

_COMMANDS: Final = {
    "demo": "scan 25 accounts of a local sandbox: no key, no network",
    "sandbox": "run a local exchange for other programs",
    "endpoints": "list the endpoints, their weights and who pays",
}
"""Each is a module here, with `add_arguments(parser)` and `async run(options) -> int`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code."""
    try:
        commands = {name: _load(name) for name in _COMMANDS}
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        _complain("the command line needs the extra 'cli': pip install 'binance-dust[cli]'")
        return FAILED
    options = _parser(commands).parse_args(arguments)
    return _guarded(commands[options.command], options)


def _guarded(command: ModuleType, options: argparse.Namespace) -> int:
    try:
        return int(asyncio.run(command.run(options)))
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever reads has enough. Python would complain once more when it closes stdout.
        sys.stdout = None
        return DONE
    except OutcomeUnknownError as error:
        _complain(str(error))
        return OUTCOME_UNKNOWN
    except ConfigurationError as error:
        _complain(str(error))
        return WRONG_USE
    except (DustError, OSError) as error:
        _complain(str(error))
        return FAILED


def _parser(commands: dict[str, ModuleType]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="binance-dust",
        description="Dust balances and small margin debts on Binance, for many accounts at once.",
        epilog="Try first: binance-dust demo",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    chosen = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in commands.items():
        text = _COMMANDS[name]
        module.add_arguments(chosen.add_parser(name, help=text, description=f"{text}."))
    return parser


def _load(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")


def _complain(text: str) -> None:
    sys.stderr.write(f"binance-dust: {text}\n")
