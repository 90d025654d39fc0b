"""`binance-dust scan`: the dust and the small debts of many accounts at once."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from binance_dust._util.words import count
from binance_dust.cli import _arguments, _desk, _fleet
from binance_dust.cli._console import complain
from binance_dust.cli._json import print_json
from binance_dust.cli._live import draws
from binance_dust.cli._scan_estimate import estimate
from binance_dust.cli._scan_fleet import estimate_by_fleet, scan_by_fleet
from binance_dust.cli._scan_live import Watch, shown_scan
from binance_dust.cli._scan_results import Results
from binance_dust.errors import ConfigurationError
from binance_dust.scanner import scan

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from binance_dust.cli._desk import Desk
    from binance_dust.client import DustClient

_LIABILITIES: Final[dict[str, Literal["auto"] | bool]] = {
    "auto": "auto",
    "always": True,
    "never": False,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument(
        "--target",
        type=_arguments.asset,
        default="BNB",
        help="what dust would be converted into (BNB)",
    )
    parser.add_argument(
        "--liabilities",
        choices=tuple(_LIABILITIES),
        default="auto",
        help="ask for small debts (weight 100): where cheaper questions find any (auto), or not",
    )
    parser.add_argument(
        "--concurrency",
        type=_arguments.some,
        default=64,
        metavar="N",
        help="accounts of an address that are asked at once (64)",
    )
    parser.add_argument(
        "--estimate", action="store_true", help="say how long it would take, and send nothing"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write reports as they come: .jsonl or .csv"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with --out where it ends; accounts that failed are asked again",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page to look at, with charts"
    )
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _fleet.add_url(parser, "let workers do it, who meet at this Redis")
    _desk.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Estimate, scan, write, and sum up."""
    if options.resume and options.out is None:
        raise ConfigurationError("--resume goes on with a file: name it with --out")
    if options.estimate:
        return await _estimate(options)
    watch = Watch(aloud=not draws())
    with ExitStack() as stack:
        results = Results(options, stack)
        if options.fleet is not None:
            results.add_earlier()
            await scan_by_fleet(options, results, _LIABILITIES[options.liabilities])
            return results.finish()
        async with _desk.open_desk(options, observer=watch) as desk:
            done = results.done
            todo = [client for client in desk.clients if client.name not in done]
            before = f", {len(done):,} were done before" if done else ""
            lasts = estimate(todo, _LIABILITIES[options.liabilities])
            complain(f"{count(len(todo), 'account')} to scan{before}; {lasts}")
            results.add_earlier()
            await _scan(options, desk, todo, results, watch)
        return results.finish()


async def _scan(
    options: argparse.Namespace,
    desk: Desk,
    todo: Sequence[DustClient],
    results: Results,
    watch: Watch,
) -> None:
    reports = scan(
        todo,
        target=options.target,
        liabilities=_LIABILITIES[options.liabilities],
        concurrency=options.concurrency,
    )
    sessions = {client.session: desk.sessions[client.session] for client in todo}
    try:
        async with reports, shown_scan(reports, watch, sessions):
            async for report in reports:
                results.take(report)
    except asyncio.CancelledError:
        done, of = reports.progress.done, count(len(todo), "account")
        complain(f"stopped after {done:,} of {of}{results.way_on}")
        raise


async def _estimate(options: argparse.Namespace) -> int:
    liabilities = _LIABILITIES[options.liabilities]
    if options.fleet is not None:
        estimates = await estimate_by_fleet(options, liabilities)
    else:
        async with _desk.open_desk(options) as desk:
            estimates = estimate(desk.clients, liabilities)
    if options.json:
        print_json(estimates.as_json())
    else:
        estimates.show()
    return 0
