"""`binance-dust sync`: copy the exchange's records into the books before it forgets them."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from binance_dust._util.plain import plain
from binance_dust.cli import _arguments, _context, _ledger
from binance_dust.cli._output import escape, make_console, print_json, print_rehearsal, reason_of
from binance_dust.cli._streams import print_stderr
from binance_dust.cli._tables import TerminalTable, figures, prose, text
from binance_dust.errors import ConfigurationError, DustError

if TYPE_CHECKING:
    import argparse

    from binance_dust.ledger import SyncReport

_UNREAD: Final = dict.fromkeys(
    ("account", "added", "known", "settled", "calls", "missing", "unread", "error")
)


EXAMPLES: Final = (
    ("--accounts desk.toml", "what is new"),
    ("--accounts desk.toml --since 2026-01-01", "the first time: go back until then"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--since",
        type=_arguments.moment,
        metavar="TIME",
        help="how far to go back the first time: 2026-01-01, or 90d (as far as the records go)",
    )
    _ledger.add_ledger(parser)
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _context.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Bring the books of every account up to date."""
    if options.since is not None and options.since > datetime.now(UTC):
        raise ConfigurationError("--since is in the future")
    numbers = figures("new", "known", "settled", "calls")
    table = TerminalTable(text("account", 0), *numbers, prose(""))
    incomplete = 0
    async with (
        _context.open_context(options, with_history=True) as context,
        _ledger.open_ledger(options, context) as ledger,
        aclosing(
            _context.ask_each(context.clients, partial(ledger.sync, since=options.since))
        ) as answers,
    ):
        async for client, answer in answers:
            name = f"[cyan]{escape(client.name)}[/]"
            if isinstance(answer, DustError):
                incomplete += 1
                reason = reason_of(answer, client.name)
                row: dict[str, object] = {**_UNREAD, "account": client.name, "error": plain(answer)}
                table.add_row(name, "", "", "", "", f"[red]failed:[/] {escape(reason)}")
            else:
                incomplete += not answer.complete
                row = _as_json(answer)
                missing = "; ".join(
                    str(each).removeprefix(f"{each.account} ") for each in answer.missing
                )
                note = f"[yellow]can't be recovered:[/] {escape(missing)}" if missing else ""
                for unread in answer.unread:
                    print_stderr(f"{client.name}: {unread}")
                counts = (answer.added, answer.known, len(answer.settled), answer.calls)
                table.add_row(name, *(f"{count:,}" for count in counts), note)
            if options.json:
                print_json(row, rehearsal=context.rehearsal)
    if not options.json:
        out = make_console()
        out.print(table)
        if context.rehearsal:
            print_rehearsal(out)
    return 1 if incomplete else 0


def _as_json(report: SyncReport) -> dict[str, object]:
    return {
        "account": report.account,
        "added": report.added,
        "known": report.known,
        "settled": list(report.settled),
        "calls": report.calls,
        "missing": [str(each) for each in report.missing],
        "unread": list(report.unread),
        "error": None,
    }
