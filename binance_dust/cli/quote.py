"""`binance-dust quote`: what could be converted now, and why the rest stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.cli import _moving
from binance_dust.cli._convert import convert

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    _moving.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Quote every account; nothing moves."""
    return await convert(options, really=False)
