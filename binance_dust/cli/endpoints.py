"""`binance-dust endpoints`: list the endpoints, their weights and who pays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust.cli._output import make_console, print_json
from binance_dust.cli._tables import TerminalTable, text
from binance_dust.endpoints import ALL, Replay

if TYPE_CHECKING:
    import argparse


EXAMPLES: Final = (
    ("", "a table"),
    ("--json", "lines of JSON"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")


async def run(options: argparse.Namespace) -> int:
    """List every endpoint."""
    rows = [
        {
            "name": name,
            "method": row.method,
            "path": row.path,
            "security": row.security.value,
            "limit": row.weight.kind.value,
            "weight": row.weight.cost,
            "sent_again": row.replay is Replay.SAFE,
        }
        for name, row in ALL.items()
    ]
    if options.json:
        for row in rows:
            print_json(row)
        return 0
    table = TerminalTable(text("method", 0), text("weight"), text("again"), text("endpoint", 2))
    for row in rows:
        table.add_row(
            f"[cyan]{row['name']}[/]",
            f"{row['limit']} {row['weight']}",
            "yes" if row["sent_again"] else "[bold]never[/]",
            f"{row['method']} {row['path']}",
        )
    make_console().print(table)
    return 0
