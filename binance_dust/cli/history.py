"""`binance-dust history`: what was converted and exchanged, as the exchange remembers it."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from binance_dust._util.plain import plain
from binance_dust.cli import _arguments, _desk
from binance_dust.cli._amounts import Amounts
from binance_dust.cli._console import complain, console, make_table, reason_of, shown
from binance_dust.cli._each import each
from binance_dust.cli._history import History, Line, read_history
from binance_dust.cli._json import print_json
from binance_dust.errors import ConfigurationError, DustError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from rich.table import Table

_AMOUNTS = ("amount", "gross", "fee", "net")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    when = "2026-11-01, 2026-11-01T08:00 (UTC unless it names a zone), or 30d for 30 days ago"
    parser.add_argument("--since", type=_arguments.moment, metavar="TIME", help=when)
    parser.add_argument("--until", type=_arguments.moment, metavar="TIME", help="likewise")
    parser.add_argument(
        "--only",
        choices=("dust", "liabilities"),
        help="of conversions and exchanged debts, one kind alone",
    )
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    parser.epilog = (
        "Without --since the exchange shows the newest hundred conversions, and the debts that were"
        " exchanged in the last 30 days."
    )
    _desk.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Read every account's history, and show it."""
    if options.since and options.until and options.since > options.until:
        raise ConfigurationError("--since is after --until")
    read = partial(
        read_history,
        dust=options.only != "liabilities",
        liabilities=options.only != "dust",
        since=options.since,
        until=options.until,
    )
    failed = False
    sums = Amounts()
    table = make_table(
        "when (UTC)", "account", "kind", "asset", *_AMOUNTS, "", "transaction", right=_AMOUNTS
    )
    async with (
        _desk.open_desk(options, lived=True) as desk,
        aclosing(each(desk.clients, read)) as answers,
    ):
        async for client, answer in answers:
            found = History(errors={"dust": answer}) if isinstance(answer, DustError) else answer
            failed = failed or bool(found.errors)
            for line in found.lines:
                table.add_row(*_cells(line))
                if line.kind != "liability":
                    sums.add(line.target, line.net)
                if options.json:
                    print_json(_as_json(line))
            _tell(client.name, found.errors, as_json=options.json)
    if not options.json:
        _print(table, sums)
    return 1 if failed else 0


def _tell(account: str, errors: Mapping[Any, DustError], *, as_json: bool) -> None:
    for kind, error in errors.items():
        if as_json:
            print_json({"account": account, "kind": kind, "error": plain(error)})
        else:
            complain(f"{account}: {kind}: {reason_of(error, account)}")


def _as_json(line: Line) -> dict[str, Any]:
    return {
        "account": line.account,
        "kind": line.kind,
        "at": plain(line.at),
        "asset": line.asset,
        "amount": plain(line.amount),
        "target": line.target,
        "gross": plain(line.gross),
        "fee": plain(line.fee),
        "net": plain(line.net),
        "transaction_id": line.transaction_id,
    }


def _cells(line: Line) -> tuple[str, ...]:
    return (
        f"{line.at:%Y-%m-%d %H:%M:%S}",
        f"[cyan]{shown(line.account)}[/]",
        line.kind,
        shown(line.asset),
        f"{line.amount:f}",
        f"{line.gross:f}",
        "" if line.fee is None else f"{line.fee:f}",
        f"{line.net:f}",
        shown(line.target),
        "" if line.transaction_id is None else str(line.transaction_id),
    )


def _print(table: Table, sums: Amounts) -> None:
    out = console()
    if not table.row_count:
        out.print("Nothing was converted or exchanged in that time.")
        return
    out.print(table)
    if sums:
        out.print(f"\nCame in from dust, after fees: {sums}.")
