"""The command line. Each command is a module of its name, with `add_arguments` and `run`.

`_parser`           help and errors of wrong use
`_arguments`        types of arguments
`_context`          accounts and sessions of a command; one question to every account
`_ledger`           the ledger's file, its entries as a table
`_moving`           what the commands have in common that move funds
`_plans`            their plans and results as tables
`_rules`            the rules file
`_fleet`            options that name a fleet
`_notify`           tells a URL or a command of trouble
`_metrics`          `--metrics`: Prometheus and `/health` while a command runs
`_progress`         progress of a scan, on stderr
`_watch`            progress of what moves funds; lost answers
`_scan_results`     totals, file and page of a scan
`_doctor_checks`    the doctor's checks, without I/O
`_doctor_report`    what the doctor prints
`_probe`            what a probe is, and a budget that records headers
`_probe_dust`       probes of the dust log, the convertible assets, signatures
`_probe_weight`     probes of payers and windows
`_output`           text and JSON
`_problems`         events in words; problems, each cause once
`_agent`            what an agent may ask for and do, by whatever way it is connected
`_tables`           tables and prose that fit a terminal
`_streams`          stdout and stderr that accept any text

Exit codes: 0 done. 1 something failed. 2 wrong use. 3 an outcome is unknown. 130 ended by Ctrl-C.
143 ended by SIGTERM.

Only the module of the given command is imported, so that `--help` and every command start fast.
"""

from __future__ import annotations

import importlib
import signal
import sys
from typing import TYPE_CHECKING, Final

from binance_dust._version import __version__
from binance_dust.cli._parser import TopParser, add_messages, suggestion
from binance_dust.cli._streams import MessageLevel, make_streams_safe, print_stderr, set_messages
from binance_dust.errors import ConfigurationError, DustError, OutcomeUnknownError

if TYPE_CHECKING:
    import argparse
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

__all__ = ["main"]

DONE: Final = 0
FAILED: Final = 1
WRONG_USE: Final = 2
OUTCOME_UNKNOWN: Final = 3
INTERRUPTED: Final = 130
"""128 and the number of SIGINT, as in shells."""
TERMINATED: Final = 143
"""128 and the number of SIGTERM."""
_EXTRA: Final = frozenset({"rich", "platformdirs", "shtab"})
"""What the extra `cli` brings."""

GROUPS: Final = {
    "Try it, without any key": {
        "demo": "a local sandbox, from a scan to the books: no key, no network",
        "sandbox": "run a local exchange for other programs",
    },
    "See what there is": {
        "scan": "read the dust and the small debts of many accounts at once",
        "quote": "show what could be converted, what it would bring, and why the rest stays",
        "liabilities": "list the small margin debts of accounts, exchange or pay them",
        "history": "list conversions and exchanged debts, as the exchange remembers them",
    },
    "Move funds": {
        "convert": "turn dust into BNB or another target; a dry run unless --yes",
        "sweep": "clean up many accounts, once or regularly; a dry run unless --yes",
        "bnb-burn": "show or set whether fees are paid in BNB, which makes less dust",
    },
    "Find out how a call ended": {
        "recover": "find out by reading how calls ended if their answer was lost",
        "resolve": "say how a call ended that can't be known by reading",
    },
    "Keep the books": {
        "sync": "copy the exchange's records into the books before it forgets them",
        "books": "sum up the books by month, asset, account or target",
        "export": "write the books for a spreadsheet or a tax tool",
        "adopt": "say that a new key is of an account that the books know",
    },
    "Check": {
        "doctor": "check clock, keys, accounts and budgets; settle doubts by reading",
        "endpoints": "list the endpoints, their weights and who pays",
        "completion": "print a script that completes commands and options in a shell",
    },
    "Let an agent ask": {
        "mcp": "serve an agent over the Model Context Protocol; it only reads unless allowed",
    },
    "Work for a fleet": {
        "worker": "read and convert accounts for a fleet, from this machine's address",
        "fleet": "say which workers of a fleet are there, and how they are",
    },
}
"""The commands by what one wants."""
COMMANDS: Final = {name: text for group in GROUPS.values() for name, text in group.items()}
"""Each is a module here, with `add_arguments(parser)` and `async run(options) -> int`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code."""
    make_streams_safe()
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        # Also during imports, when impatient users press Ctrl-C.
        print_stderr("interrupted")
        return INTERRUPTED
    except ImportError as error:
        # Some commands import rich only when they print, which is before anything is sent.
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        print_stderr("the command line needs the extra 'cli': pip install 'binance-dust[cli]'")
        return FAILED


def _run(arguments: Sequence[str]) -> int:
    name = _command_name(arguments)
    module = load(name) if name in COMMANDS else None
    parser = make_parser({} if module is None else {name: module})
    if name and module is None:
        parser.error(f"there is no command {name!r}{suggestion(name, COMMANDS)}")
    if not arguments:
        parser.print_help()
        return WRONG_USE
    options = parser.parse_command(arguments)
    # Without a command the parser exits.
    assert module is not None  # noqa: S101
    least = (
        MessageLevel.DEBUG
        if options.verbose
        else MessageLevel.WARNING
        if options.quiet
        else MessageLevel.INFO
    )
    set_messages(least=least, as_json=options.log_format == "json")
    return _run_with_exit_code(module, options)


def _run_with_exit_code(command: ModuleType, options: argparse.Namespace) -> int:
    import asyncio

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_run_until_terminated(command, options))
    except BrokenPipeError:
        # The reader of the pipe has gone, `head` for example. Python would report an error when it
        # closes stdout.
        sys.stdout = None
        return DONE
    except OutcomeUnknownError as error:
        print_stderr(str(error), MessageLevel.ERROR)
        return OUTCOME_UNKNOWN
    except ConfigurationError as error:
        print_stderr(str(error), MessageLevel.ERROR)
        return WRONG_USE
    except (DustError, OSError) as error:
        print_stderr(str(error), MessageLevel.ERROR)
        return FAILED


def _loop_factory() -> Callable[[], AbstractEventLoop] | None:
    """Choose uvloop's event loop where it is installed (the extra `uvloop`), else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run_until_terminated(command: ModuleType, options: argparse.Namespace) -> int:
    """Run a command; SIGTERM ends it as cleanly as Ctrl-C does."""
    import asyncio

    from binance_dust._util.lifetimes import on_signal

    terminated = asyncio.Event()
    task = asyncio.ensure_future(command.run(options))

    def terminate() -> None:
        terminated.set()
        task.cancel()

    on_signal(signal.SIGTERM, terminate)
    try:
        return int(await task)
    except asyncio.CancelledError:
        if not terminated.is_set():
            raise
        print_stderr("terminated")
        return TERMINATED


def make_parser(modules: Mapping[str, ModuleType]) -> TopParser:
    """Make the parser for all commands; only the commands in `modules` get their options."""
    parser = TopParser(
        GROUPS,
        prog="binance-dust",
        description="Dust balances and small margin debts on Binance, for many accounts at once.",
        epilog="Try first: binance-dust demo. Options: binance-dust COMMAND --help.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_commands(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"{text}.")
        if name in modules:
            modules[name].add_arguments(command)
            add_messages(command)
            command.examples = modules[name].EXAMPLES
    return parser


def load_all() -> dict[str, ModuleType]:
    """Import the module of every command, for the generated reference."""
    return {name: load(name) for name in COMMANDS}


def _command_name(arguments: Sequence[str]) -> str:
    """Give the first word that is not an option: no option before the command takes a value."""
    return next((word for word in arguments if not word.startswith("-")), "")


def load(name: str) -> ModuleType:
    """Import the module of a command."""
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
