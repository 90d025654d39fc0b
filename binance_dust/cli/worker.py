"""`binance-dust worker`: read and convert accounts for a fleet, behind this machine's address."""

from __future__ import annotations

import asyncio
import signal
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from binance_dust._util.words import count
from binance_dust.cli import _arguments, _desk, _fleet
from binance_dust.cli._console import complain
from binance_dust.errors import ConfigurationError
from binance_dust.ledger import Ledger

if TYPE_CHECKING:
    import argparse

    from binance_dust.fleet import Worker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    _fleet.add_url(parser, "the Redis where fleet and workers meet")
    parser.add_argument("--name", help="what progress calls it (the machine's name)")
    parser.add_argument(
        "--ledger",
        metavar="FILE",
        help="the books: with them, and only then, it converts when a fleet asks for that",
    )
    parser.add_argument(
        "--concurrency",
        type=_arguments.some,
        default=64,
        metavar="N",
        help="accounts that are asked at once (64)",
    )
    parser.add_argument(
        "--grace",
        type=_arguments.seconds,
        default=10.0,
        metavar="SECONDS",
        help="for what it has in hand when it is told to end (10)",
    )
    _desk.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Work until told to end."""
    url = _fleet.url_of(options)
    if len(set(options.local_addr)) > 1:
        raise ConfigurationError("a worker has one address: run one for each --local-addr")
    told = asyncio.Event()
    for end in (signal.SIGTERM, signal.SIGINT):
        # Windows has no such handlers, and threads but the main one may not have any.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            asyncio.get_running_loop().add_signal_handler(end, told.set)
    async with (
        _desk.open_desk(options) as desk,
        Ledger(options.ledger) if options.ledger else nullcontext() as ledger,
    ):
        worker: Worker = _fleet.import_fleet().Worker(
            desk.clients,
            url,
            ledger=ledger,
            fleet=options.fleet_name,
            name=options.name,
            concurrency=options.concurrency,
            grace=options.grace,
        )
        async with worker:
            converts = "reads and converts" if ledger else "reads"
            complain(
                f"{worker.name} {converts} {count(len(desk.clients), 'account')}; SIGTERM ends it"
            )
            await told.wait()
            complain(f"{worker.name} ends: {count(worker.in_hand, 'account')} in hand")
    return 0
