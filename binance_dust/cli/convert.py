"""`binance-dust convert`: turn dust into BNB, or another target; a dry run unless `--yes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.cli import _arguments, _moving
from binance_dust.cli._console import complain, console
from binance_dust.cli._convert import convert

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from binance_dust.conversion import Quote


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument(
        "--yes", action="store_true", help="really convert; without, only show what"
    )
    parser.add_argument(
        "--only",
        type=_arguments.asset,
        metavar="ASSET",
        action="append",
        default=[],
        help="convert it alone; again for more",
    )
    parser.add_argument(
        "--without",
        type=_arguments.asset,
        metavar="ASSET",
        action="append",
        default=[],
        help="leave it out this time",
    )
    _moving.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Quote every account, and convert where that was asked for."""
    choice = _Choice(options.only, options.without)
    code = await convert(options, really=options.yes, choose=choice)
    if strange := choice.unseen:
        # Not an error where others were: accounts hold different assets.
        complain(f"no account has {', '.join(strange)} in its quote")
        code = code or 1
    if not options.yes and not options.json:
        console().print("Nothing was converted. Add --yes to do it.")
    return code


class _Choice:
    """Narrows plans to what was asked for, and remembers what no plan had."""

    def __init__(self, only: Iterable[str], without: Iterable[str]) -> None:
        self._only = frozenset(only)
        self._without = frozenset(without)
        self._unseen = {*only, *without}

    def __call__(self, quote: Quote) -> Quote:
        assets = set(quote.assets)
        self._unseen -= assets
        wanted = (assets & self._only if self._only else assets) - self._without
        return quote.only(*wanted)

    @property
    def unseen(self) -> list[str]:
        """Give the names that no account had, misspelt ones among them."""
        return sorted(self._unseen)
