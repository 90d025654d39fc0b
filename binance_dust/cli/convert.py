"""`binance-dust convert`: turn dust into BNB, or another target; a dry run unless `--yes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.cli import _arguments, _moving
from binance_dust.cli._output import make_console
from binance_dust.cli._streams import print_stderr

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from binance_dust.conversion import Quote
    from binance_dust.sweeper import SweepReport


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
    code = await _moving.convert(options, really=options.yes, choose=choose, note=choose.note)
    # Only if no account at all has the asset: accounts hold different assets.
    if unseen := choose.unseen(options.without):
        print_stderr(f"no account has {', '.join(unseen)}, so there was nothing to leave out")
    if unseen := choose.unseen(options.only):
        print_stderr(f"no account has {', '.join(unseen)} in its quote")
        code = code or 1
    if not options.yes and not options.json:
        make_console().print("Nothing was converted. Add --yes to do it.")
    return code


class _AssetChoice:
    """Narrows quotes to the assets that were asked for, and remembers names that no quote had."""

    def __init__(self, only: Iterable[str], without: Iterable[str]) -> None:
        self._only = frozenset(only)
        self._without = frozenset(without)
        self._seen: set[str] = set()

    def __call__(self, quote: Quote) -> Quote:
        assets = set(quote.assets)
        self._seen |= assets
        wanted = (assets & self._only if self._only else assets) - self._without
        return quote.only(*wanted)

    def note(self, report: SweepReport) -> None:
        """Note what stays, for a cooldown or another rule: it is there all the same."""
        if report.quote is not None:
            self._seen |= {skipped.asset for skipped in report.quote.skipped}

    def unseen(self, names: Iterable[str]) -> list[str]:
        """Give those names that no quote had: misspelt ones, for example."""
        return sorted({*names} - self._seen)
