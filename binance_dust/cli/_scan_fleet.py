"""`binance-dust scan --fleet`: the same scan, done by workers elsewhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from binance_dust._util.words import count, duration
from binance_dust.cli import _fleet
from binance_dust.cli._console import complain, make_table, shown
from binance_dust.cli._live import headline, shown_live
from binance_dust.cli._scan_estimate import Estimates
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from rich.table import Table

    from binance_dust.cli._scan_results import Results
    from binance_dust.fleet import FleetProgress

_NOT_HERE: Final = ("accounts", "base_url", "local_addr", "proxy", "sandbox")
"""Options that are the workers' business."""


async def scan_by_fleet(options: argparse.Namespace, results: Results, liabilities: Any) -> None:
    """Let the workers scan, and take their reports."""
    _check(options)
    async with _fleet.fleet_of(options) as fleet:
        reports = fleet.scan(
            options.account or "all",
            target=options.target,
            liabilities=liabilities,
            skip=results.done,
        )
        try:
            live = shown_live(lambda: draw(reports.progress), lambda: _headline(reports.progress))
            async with reports, live:
                async for report in reports:
                    results.take(report)
        except asyncio.CancelledError:
            done = count(reports.progress.done, "account")
            complain(f"stopped after {done}{results.way_on}")
            raise


async def estimate_by_fleet(options: argparse.Namespace, liabilities: Any) -> Estimates:
    """Let the workers estimate a scan, both ways."""
    _check(options)
    async with _fleet.fleet_of(options) as fleet:
        names = options.account or "all"
        longest = await fleet.estimate(names, liabilities=liabilities)
        shortest = await fleet.estimate(
            names, liabilities=liabilities, margin_share=0, debt_share=0
        )
    return Estimates(longest, shortest)


def _check(options: argparse.Namespace) -> None:
    for name in _NOT_HERE:
        if getattr(options, name):
            flag = f"--{name.replace('_', '-')}"
            raise ConfigurationError(f"with --fleet that is the workers' business: {flag}")


def draw(progress: FleetProgress) -> Table:
    """Draw a fleet as it is now."""
    numbers = ("done", "in hand", "last in")
    table = make_table("worker", *numbers, "", right=numbers)
    table.title, table.title_justify = _headline(progress), "left"
    for worker in progress.workers:
        table.add_row(
            shown(worker.name),
            f"{worker.done:,}",
            f"{worker.in_hand:,}",
            duration(worker.seconds_left) if worker.seconds_left else "",
            "" if worker.here else "[yellow]gone[/]",
        )
    return table


def _headline(progress: FleetProgress) -> str:
    here = sum(worker.here for worker in progress.workers)
    return headline(progress, count(here, "worker"))
