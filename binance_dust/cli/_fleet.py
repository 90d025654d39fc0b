"""The options that name a fleet, and the import of its extra."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from binance_dust._util.files import read_private
from binance_dust._util.words import count
from binance_dust.cli import _arguments
from binance_dust.cli._streams import print_stderr
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from types import ModuleType

    from binance_dust.fleet import FleetProgress

__all__ = ["add_url", "fleet_key", "fleet_url", "import_fleet", "print_sick"]

_VARIABLE: Final = "BINANCE_DUST_FLEET"
_KEY_VARIABLE: Final = "BINANCE_DUST_FLEET_KEY"
"""A URL may hold a password, which does not belong on a command line."""


def add_url(parser: argparse.ArgumentParser, text: str) -> None:
    """Add the options that name a fleet."""
    parser.add_argument(
        "--fleet",
        type=_arguments.open_url,
        metavar="URL",
        nargs="?",
        const="",
        help=f"{text}; without URL, the one in {_VARIABLE}, which may hold a password",
    )
    parser.add_argument(
        "--fleet-name",
        metavar="NAME",
        default="binance-dust",
        help="name of the fleet, if several fleets use one Redis (binance-dust)",
    )
    parser.add_argument(
        "--fleet-key",
        metavar="FILE",
        help="a file with the key that fleet and workers share, so that nobody else who can write"
        f" to Redis is believed; else {_KEY_VARIABLE}",
    )


def fleet_key(options: argparse.Namespace) -> str | None:
    """Give the key that fleet and workers share, from a file or the environment."""
    if options.fleet_key:
        return read_private(Path(options.fleet_key), "the fleet's key").strip()
    return os.environ.get(_KEY_VARIABLE) or None


def fleet_url(options: argparse.Namespace) -> str:
    """Give the URL of the fleet's Redis, from the options or the environment."""
    url: str = options.fleet or os.environ.get(_VARIABLE, "")
    if not url:
        raise ConfigurationError(f"name the fleet's Redis: --fleet redis://..., or {_VARIABLE}")
    if url.startswith("memory:"):
        raise ConfigurationError("memory:// is within one process: name a redis:// URL")
    return url


def import_fleet() -> ModuleType:
    """Import `binance_dust.fleet`, which needs an extra."""
    try:
        return importlib.import_module("binance_dust.fleet")
    except ImportError as error:
        raise ConfigurationError(str(error)) from None


def print_sick(progress: FleetProgress) -> None:
    """Name the workers at which accounts failed that others could do, and why."""
    for worker in progress.workers:
        if not (worker.failed or worker.aside):
            continue
        failed = f"{count(worker.failed, 'account')} failed there and not elsewhere"
        aside = "; it was put aside" if worker.aside else ""
        print_stderr(f"worker {worker.name}: {failed}{aside}: {worker.why}")
