"""`binance-dust quote`: show what could be converted now, and why the rest stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust.cli import _moving

if TYPE_CHECKING:
    import argparse


EXAMPLES: Final = (
    ("--sandbox", "try it without a key"),
    ("--accounts desk.toml --account alice --keep ETH --max-fee-rate 3%", "the plan by your rules"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    _moving.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Quote every account, and convert nothing."""
    return await _moving.move(options, really=False)
