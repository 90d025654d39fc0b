"""`binance-dust sync`: take into the books what the exchange has on record and forgets."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from binance_dust._util.plain import plain
from binance_dust.cli import _arguments, _desk, _ledger
from binance_dust.cli._console import console, make_table, reason_of, shown
from binance_dust.cli._each import each
from binance_dust.cli._json import print_json
from binance_dust.errors import ConfigurationError, DustError

if TYPE_CHECKING:
    import argparse

    from binance_dust.ledger import SyncReport


_UNREAD: Final = dict.fromkeys(
    ("account", "added", "known", "settled", "calls", "missing", "error")
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument(
        "--since",
        type=_arguments.moment,
        metavar="TIME",
        help="how far to walk back the first time: 2026-01-01, or 90d (as far as the records go)",
    )
    _ledger.add_ledger(parser)
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _desk.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Bring the books of every account up to date."""
    if options.since is not None and options.since > datetime.now(UTC):
        raise ConfigurationError("--since is in the future")
    numbers = ("new", "known", "settled", "calls")
    table = make_table("account", *numbers, "", right=numbers)
    wrong = 0
    async with (
        _desk.open_desk(options, lived=True) as desk,
        _ledger.open_ledger(options, desk) as ledger,
        aclosing(each(desk.clients, partial(ledger.sync, since=options.since))) as answers,
    ):
        async for client, answer in answers:
            name = f"[cyan]{shown(client.name)}[/]"
            if isinstance(answer, DustError):
                wrong += 1
                reason = reason_of(answer, client.name)
                row: dict[str, object] = {**_UNREAD, "account": client.name, "error": plain(answer)}
                table.add_row(name, "", "", "", "", f"[red]failed:[/] {shown(reason)}")
            else:
                wrong += not answer.complete
                row = _as_json(answer)
                missing = "; ".join(
                    str(each).removeprefix(f"{each.account} ") for each in answer.missing
                )
                told = f"[yellow]can't be recovered:[/] {shown(missing)}" if missing else ""
                counts = (answer.added, answer.known, len(answer.settled), answer.calls)
                table.add_row(name, *(f"{count:,}" for count in counts), told)
            if options.json:
                print_json(row)
    if not options.json:
        console().print(table)
    return 1 if wrong else 0


def _as_json(report: SyncReport) -> dict[str, object]:
    return {
        "account": report.account,
        "added": report.added,
        "known": report.known,
        "settled": list(report.settled),
        "calls": report.calls,
        "missing": [str(each) for each in report.missing],
        "error": None,
    }
