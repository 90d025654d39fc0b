"""`binance-dust convert`: turn dust into BNB, or another target; a dry run unless `--yes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.cli import _moving
from binance_dust.cli._console import console
from binance_dust.cli._convert import convert

if TYPE_CHECKING:
    import argparse

    from binance_dust.conversion import Quote


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument(
        "--yes", action="store_true", help="really convert; without, only show what"
    )
    parser.add_argument(
        "--only",
        metavar="ASSET",
        action="append",
        default=[],
        help="convert it alone; again for more",
    )
    parser.add_argument(
        "--without", metavar="ASSET", action="append", default=[], help="leave it out this time"
    )
    _moving.add_desk(parser)


async def run(options: argparse.Namespace) -> int:
    """Quote every account, and convert where that was asked for."""

    def choose(quote: Quote) -> Quote:
        chosen = quote.only(*options.only) if options.only else quote
        return chosen.without(*options.without)

    code = await convert(options, really=options.yes, choose=choose)
    if not options.yes and not options.json:
        console().print("\nNothing was converted. Add --yes to do it.")
    return code
