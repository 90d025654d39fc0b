"""Plans and receipts of a few accounts, each in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from binance_dust.cli import _desk, _ledger, _moving, _plans
from binance_dust.cli._console import complain, console
from binance_dust.cli._json import as_json, print_json
from binance_dust.sweeper import Outcome, sweep

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from rich.console import Console

    from binance_dust.conversion import Quote, Skipped
    from binance_dust.sweeper import SweepReport


async def convert(
    options: argparse.Namespace,
    *,
    really: bool,
    choose: Callable[[Quote], Quote] | None = None,
) -> int:
    """Go through the accounts' dust, convert if `really`, and show what came of each plan."""
    wanted: dict[str, Any] = {"account_types": _moving.wallets(options), **_moving.rules(options)}
    return await move(options, really=really, choose=choose, **wanted)


async def move(options: argparse.Namespace, *, really: bool, **wanted: Any) -> int:
    """Go through the accounts, move if `really`, and show each plan and what came of it."""
    out, outcomes = console(), []
    async with (
        _desk.open_desk(options) as desk,
        _ledger.kept_ledger(options, desk) as ledger,
        sweep(
            desk.clients,
            ledger=ledger,
            dry_run=not really,
            **wanted,
        ) as reports,
    ):
        async for report in reports:
            outcomes.append(report.outcome)
            if options.json:
                print_json(as_json(report))
            else:
                _show(out, report)
    if Outcome.UNKNOWN in outcomes:
        complain(_ledger.FIND_OUT)
    return _moving.exit_code(outcomes)


def _show(out: Console, report: SweepReport) -> None:
    out.print(_plans.headline(report), soft_wrap=True)
    stays: tuple[Skipped, ...] = ()
    if report.receipt is not None:
        out.print(_plans.receipt_table(report.receipt))
        for note in report.receipt.notes:
            out.print(note, markup=False)
        stays = report.receipt.dropped
    elif report.quote is not None:
        if report.quote:
            out.print(_plans.plan_table(report.quote))
        stays = report.quote.skipped
    if stays:
        out.print(_plans.stays_table(stays))
    if report.settled:
        out.print("settled by reading:", _ledger.entry_table(report.settled))
    if report.next_at is not None:
        out.print(f"It may convert again at {report.next_at:%Y-%m-%d %H:%M:%S} UTC.")
    out.print()
