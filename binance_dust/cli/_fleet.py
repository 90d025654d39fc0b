"""What the commands of fleets share: where workers and those who ask them meet."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Final

from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from types import ModuleType

    from binance_dust.fleet import Fleet

__all__ = ["add_url", "fleet_of", "import_fleet", "url_of"]

VARIABLE: Final = "BINANCE_DUST_FLEET"
"""The environment may name it: a URL with a password does not belong on a command line."""


def add_url(group: argparse._ArgumentGroup | argparse.ArgumentParser, text: str) -> None:
    """Add where to meet."""
    group.add_argument(
        "--fleet", metavar="URL", nargs="?", const="", help=f"{text}; without URL, {VARIABLE}"
    )
    group.add_argument(
        "--fleet-name",
        metavar="NAME",
        default="binance-dust",
        help="which fleet, where several meet at one URL (binance-dust)",
    )


def url_of(options: argparse.Namespace) -> str:
    """Give the URL, from the options or the environment."""
    url: str = options.fleet or os.environ.get(VARIABLE, "")
    if not url:
        raise ConfigurationError(f"name the fleet's Redis: --fleet redis://..., or {VARIABLE}")
    if url.startswith("memory:"):
        raise ConfigurationError("memory:// is within one process: name a redis:// URL")
    return url


def fleet_of(options: argparse.Namespace) -> Fleet:
    """Make the fleet that the options name."""
    url = url_of(options)
    fleet: Fleet = import_fleet().Fleet(url, name=options.fleet_name)
    return fleet


def import_fleet() -> ModuleType:
    """Import what comes with an extra of its own."""
    try:
        return importlib.import_module("binance_dust.fleet")
    except ImportError as error:
        raise ConfigurationError(str(error)) from None
