"""`binance-dust sandbox`: run a local exchange for other programs, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from binance_dust._util.words import count
from binance_dust.cli import _arguments
from binance_dust.cli._output import make_console, print_json
from binance_dust.sandbox import WORLDS, serve_forever, write_accounts

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from binance_dust.credentials import Credentials
    from binance_dust.sandbox import Sandbox
    from binance_dust.sandbox._rules import RuleChanges


EXAMPLES: Final = (
    ("--accounts 10 --write keys.toml", "an exchange with ten accounts, their keys in a file"),
    ("--world half-limit", "one that is not as documented"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--accounts", type=_arguments.count, default=3, metavar="N", help="number of accounts (3)"
    )
    parser.add_argument("--port", type=_arguments.port, default=0, help="TCP port (any free port)")
    parser.add_argument(
        "--seed", type=int, default=0, help="the same seed makes the same accounts and prices (0)"
    )
    parser.add_argument(
        "--window",
        type=_arguments.seconds,
        default=60.0,
        metavar="SECONDS",
        help="length of the limits' windows (60)",
    )
    parser.add_argument(
        "--sliding", action="store_true", help="count weight in sliding windows, not in fixed ones"
    )
    parser.add_argument(
        "--world",
        action="append",
        default=[],
        choices=sorted(WORLDS),
        metavar="NAME",
        help="be an exchange that is not as documented; may be repeated: "
        + ", ".join(sorted(WORLDS)),
    )
    parser.add_argument(
        "--lose-answers",
        type=_arguments.count,
        default=0,
        metavar="N",
        help="carry out the first N calls that move funds, and lose their answers (0)",
    )
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the keys to this accounts file"
    )
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")


async def run(options: argparse.Namespace) -> int:
    """Serve until interrupted."""

    def opened(exchange: Sandbox, accounts: Sequence[Credentials]) -> None:
        if options.lose_answers:
            exchange.faults.lose_funds_answer(times=options.lose_answers)
        if options.write is not None:
            write_accounts(options.write, accounts)
        (_print_json if options.json else _print)(exchange, accounts, options.write)

    rules: RuleChanges = {"window": options.window}
    for name in [*options.world, *(["sliding"] if options.sliding else [])]:
        rules.update(WORLDS[name])
    # Ctrl-C and SIGTERM are the usual end of this command, not a failure.
    with contextlib.suppress(asyncio.CancelledError):
        await serve_forever(
            accounts=options.accounts,
            seed=options.seed,
            port=options.port,
            opened=opened,
            **rules,
        )
    return 0


def _print(exchange: Sandbox, accounts: Sequence[Credentials], written: Path | None) -> None:
    out = make_console()
    out.print(f"A sandbox is open at [bold cyan]{exchange.url}[/]. Ctrl-C closes it.")
    out.print(f"Faults are taken at {exchange.url}/sandbox/faults.")
    if written is not None:
        out.print(f"The keys of {count(len(accounts), 'account')} are in {written}.")
        return
    out.print("Its accounts, with keys that work nowhere else:")
    for account in accounts:
        out.print(f"  [bold]{account.name}[/]  {account.api_key}  {account.secret.reveal()}")


def _print_json(exchange: Sandbox, accounts: Sequence[Credentials], written: Path | None) -> None:
    print_json({"url": exchange.url})
    if written is None:
        for account in accounts:
            secret = account.secret.reveal()
            print_json({"name": account.name, "api_key": account.api_key, "secret": secret})
