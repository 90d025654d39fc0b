"""`binance-dust convert`: turn dust into BNB, or another target; a dry run unless `--yes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust.cli import _arguments, _moving
from binance_dust.cli._output import make_console
from binance_dust.cli._streams import print_stderr

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from binance_dust.conversion import Quote


EXAMPLES: Final = (
    ("--accounts desk.toml", "a dry run"),
    ("--accounts desk.toml --account alice --yes", "convert all dust of alice into BNB"),
    ("--accounts desk.toml --only ADA --only XRP --target USDT --yes", "two assets, into USDT"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--yes", action="store_true", help="really convert; without --yes, only show the plan"
    )
    parser.add_argument(
        "--only",
        type=_arguments.asset,
        metavar="ASSET",
        action="append",
        default=[],
        help="convert only this asset; may be repeated",
    )
    parser.add_argument(
        "--without",
        type=_arguments.asset,
        metavar="ASSET",
        action="append",
        default=[],
        help="leave this asset out this time; may be repeated",
    )
    _moving.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Quote every account, and convert if asked to."""
    choose = _AssetChoice(options.only, options.without)
    code = await _moving.move(options, really=options.yes, choose=choose, note=choose.note)
    # Only if no account at all has the asset: accounts hold different assets.
    choose.say_unseen(options.without, "leave out")
    if unseen := choose.unseen(options.only):
        print_stderr(f"no account has {', '.join(unseen)} in its quote")
        code = code or 1
    if not options.yes and not options.json:
        make_console().print("Nothing was converted. Add --yes to do it.")
    return code


class _AssetChoice(_moving.SeenAssets):
    """Narrows quotes to the assets that were asked for, and remembers which they had."""

    def __init__(self, only: Iterable[str], without: Iterable[str]) -> None:
        super().__init__()
        self._only = frozenset(only)
        self._without = frozenset(without)

    def __call__(self, quote: Quote) -> Quote:
        assets = set(quote.assets)
        self._seen |= assets
        wanted = (assets & self._only if self._only else assets) - self._without
        return quote.only(*wanted)
