"""`binance-dust quote`: show what could be converted now, and why the rest stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.cli import _moving

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    _moving.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Quote every account, and convert nothing."""
    return await _moving.convert(options, really=False)
