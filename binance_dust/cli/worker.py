"""`binance-dust worker`: read and convert accounts for a fleet, behind this machine's address."""

from __future__ import annotations

import asyncio
import signal
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from binance_dust._util.lifetimes import on_signal
from binance_dust._util.words import count
from binance_dust.cli import _arguments, _context, _fleet, _metrics, _moving, _notify, _rules
from binance_dust.cli._problems import to_all
from binance_dust.cli._streams import MessageLevel, print_stderr
from binance_dust.cli._watch import MoveWatch
from binance_dust.errors import ConfigurationError
from binance_dust.ledger import Ledger
from binance_dust.sweeper import SweepReport

if TYPE_CHECKING:
    import argparse

    from binance_dust.fleet import Worker
    from binance_dust.reports import AccountReport


EXAMPLES: Final = (
    ("--accounts desk.toml --fleet redis://queue.internal", "read for a fleet"),
    (
        "--accounts desk.toml --fleet --ledger books.db",
        "convert, too; the URL is in the environment",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    _fleet.add_url(parser, "the Redis that connects the fleet and its workers")
    parser.add_argument(
        "--name", help="the worker's name in reports of progress (the machine's name)"
    )
    parser.add_argument(
        "--ledger",
        metavar="FILE",
        help="the books; without them the worker reads, and does not convert",
    )
    _moving.add_own_rules(parser)
    parser.add_argument(
        "--liabilities",
        action="store_true",
        help="let fleets exchange small margin debts here, too",
    )
    parser.add_argument(
        "--concurrency",
        type=_arguments.positive,
        default=64,
        metavar="N",
        help="accounts that are asked at once (64)",
    )
    parser.add_argument(
        "--grace",
        type=_arguments.seconds,
        default=10.0,
        metavar="SECONDS",
        help="time to finish the accounts in hand after SIGTERM or Ctrl-C (10)",
    )
    _metrics.add_arguments(parser)
    _notify.add_option(parser)
    _context.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Work until SIGTERM or Ctrl-C."""
    url = _fleet.fleet_url(options)
    if len(set(options.local_addr)) > 1:
        raise ConfigurationError("a worker has one address: run one for each --local-addr")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        on_signal(number, stop.set)
    metrics, watch = _metrics.CommandMetrics(options), MoveWatch()
    notifier = _notify.Notifier(options)
    observer = to_all(metrics, watch, notifier)

    def on_report(report: AccountReport | SweepReport) -> None:
        metrics.count(report)
        if isinstance(report, SweepReport):
            notifier.take(report, one_by_one=True)

    async with (
        notifier.told(one_by_one=True),
        _context.open_context(options, observer=observer) as context,
        Ledger(options.ledger) if options.ledger else nullcontext() as ledger,
    ):
        file = _rules.find_rules(options)
        if strangers := sorted({*file.accounts} - {client.name for client in context.clients}):
            # Other workers may have their keys, and read the same file.
            print_stderr(f"rules file {file.path}: no key here of {', '.join(strangers)}")
        worker: Worker = _fleet.import_fleet().Worker(
            context.clients,
            url,
            ledger=ledger,
            fleet=options.fleet_name,
            key=_fleet.fleet_key(options),
            each=_rules.merged(options, file, {**_moving.own_rules(options)}),
            liabilities=options.liabilities,
            name=options.name,
            concurrency=options.concurrency,
            grace=options.grace,
            on_report=on_report,
        )
        watched = {"sessions": context.sessions, "ledger": ledger, "worker": worker}
        redis = _fleet.watched_redis(url, needed=False)
        async with redis, worker, metrics.serve(**watched):
            converts = "reads and converts" if ledger else "reads"
            accounts = count(len(context.clients), "account")
            print_stderr(f"{worker.name} {converts} {accounts}; SIGTERM ends it", MessageLevel.INFO)
            await stop.wait()
            print_stderr(
                f"{worker.name} ends: {count(worker.in_hand, 'account')} in hand", MessageLevel.INFO
            )
    return 0
