"""`binance-dust scan`: the dust and the small debts of many accounts at once.

By this process, or with `--fleet` by workers on other machines.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from binance_dust._util.words import count, duration
from binance_dust.cli import _arguments, _context, _fleet, _metrics, _notify
from binance_dust.cli._output import make_console, print_json
from binance_dust.cli._problems import to_all
from binance_dust.cli._streams import MessageLevel, print_stderr
from binance_dust.cli._tables import TerminalTable, figures, text
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from binance_dust.cli._context import CommandContext
    from binance_dust.cli._scan_results import ScanOutput
    from binance_dust.client import DustClient
    from binance_dust.scanner import ScanEstimate

_LIABILITIES: Final[dict[str, Literal["auto"] | bool]] = {
    "auto": "auto",
    "always": True,
    "never": False,
}
_OF_WORKERS: Final = ("accounts", "base_url", "local_addr", "proxy", "sandbox")
"""Options that a fleet's workers have, and its scan has not."""


EXAMPLES: Final = (
    ("--sandbox", "try it without a key"),
    ("--accounts desk.toml --estimate", "how long it would take, and nothing is sent"),
    ("--accounts desk.toml --out dust.jsonl --html dust.html", "reports and a page"),
    ("--accounts desk.toml --out dust.jsonl --resume", "go on after it was stopped"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--target",
        type=_arguments.asset,
        default="BNB",
        help="the asset that dust would be converted into (BNB)",
    )
    parser.add_argument(
        "--liabilities",
        choices=tuple(_LIABILITIES),
        default="auto",
        help="ask for small debts (weight 100): only where cheaper questions find a debt (auto),"
        " always, or never",
    )
    parser.add_argument(
        "--elsewhere",
        action="store_true",
        help="also say what lies in other wallets (weight 60 an account)",
    )
    parser.add_argument(
        "--delistings",
        action="store_true",
        help="also say what will be delisted, and until when it can be converted (weight 200 in"
        " all)",
    )
    parser.add_argument(
        "--concurrency",
        type=_arguments.positive,
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
        help="continue the file of --out; accounts that failed are asked again",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with charts")
    parser.add_argument(
        "--worth-in",
        type=_arguments.asset,
        metavar="ASSET",
        help="on the page of --html also what the dust is worth in this asset: one price is asked"
        " for (weight 200 of the first account)",
    )
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _metrics.add_arguments(parser)
    _notify.add_option(parser)
    _fleet.add_url(parser, "let workers scan: the URL of their Redis")
    _context.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Estimate, scan, write reports and show totals."""
    if options.resume and options.out is None:
        raise ConfigurationError("--resume continues a file: name it with --out")
    if options.worth_in and (options.html is None or options.fleet is not None):
        raise ConfigurationError("--worth-in is for a page of this scan: with --html, not --fleet")
    if options.estimate:
        return await _estimate(options)
    from binance_dust.cli._scan_results import ScanOutput

    with ExitStack() as stack:
        output = ScanOutput(options, stack)
        if options.fleet is not None:
            output.add_earlier()
            await _scan_by_fleet(options, output)
        else:
            await _scan_here(options, output)
        return output.finish()


async def _scan_here(options: argparse.Namespace, output: ScanOutput) -> None:
    from binance_dust.cli._progress import EventCounter, can_draw, show_scan
    from binance_dust.scanner import scan

    events = EventCounter(print_problems=not can_draw())
    metrics = _metrics.CommandMetrics(options)
    notifier = _notify.Notifier(options)
    observer = to_all(metrics, events, notifier)
    async with (
        notifier.told(),
        _context.open_context(options, observer=observer) as context,
        metrics.serve(sessions=context.sessions),
    ):
        output.rehearsal = context.rehearsal
        done = output.done
        todo = [client for client in context.clients if client.name not in done]
        before = f", {len(done):,} were done before" if done else ""
        lasts = _estimate_here(options, todo)
        print_stderr(f"{count(len(todo), 'account')} to scan{before}; {lasts}", MessageLevel.INFO)
        output.add_earlier()
        reports = scan(
            todo,
            target=options.target,
            **_asked(options),
            delistings=options.delistings,
            concurrency=options.concurrency,
        )
        try:
            async with reports, show_scan(reports, events, _sessions_of(todo, context)):
                async for report in reports:
                    output.take(report)
                    metrics.count(report)
            events.end()
            if options.worth_in is not None:
                await output.read_price(context.clients[0], options.worth_in)
        except asyncio.CancelledError:
            done_now, of = reports.progress.done, count(len(todo), "account")
            print_stderr(f"stopped after {done_now:,} of {of}{output.how_to_resume}")
            raise


def _sessions_of(todo: Sequence[DustClient], context: CommandContext) -> dict[Any, str | None]:
    """Give the sessions in the order in which the scan numbers them."""
    return {client.session: context.sessions[client.session] for client in todo}


async def _scan_by_fleet(options: argparse.Namespace, output: ScanOutput) -> None:
    from binance_dust.cli._progress import show_fleet

    metrics = _metrics.CommandMetrics(options)
    notifier = _notify.Notifier(options)
    async with notifier.told(), _fleet.open_fleet(options, _OF_WORKERS) as fleet:
        reports = fleet.scan(
            options.account or "all",
            target=options.target,
            **_asked(options),
            delistings=options.delistings,
            skip=output.done,
        )
        try:
            serving = metrics.serve(progress=lambda: reports.progress)
            async with serving, reports, show_fleet(reports):
                async for report in reports:
                    output.rehearsal = reports.rehearsal
                    output.take(report)
                    metrics.count(report)
        except asyncio.CancelledError:
            done = count(reports.progress.done, "account")
            print_stderr(f"stopped after {done}{output.how_to_resume}")
            raise
        finally:
            _fleet.print_sick(reports.progress)


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    """Give what every account is asked for: the same in a scan and in its estimate."""
    return {
        "liabilities": _LIABILITIES[options.liabilities],
        "elsewhere": options.elsewhere,
    }


# --- estimates -----------------------------------------------------------------------------------


class EstimateRange(NamedTuple):
    """The longest and the shortest time that a scan can take by the limits."""

    longest: ScanEstimate
    shortest: ScanEstimate

    def __str__(self) -> str:
        most, least = duration(self.longest.seconds), duration(self.shortest.seconds)
        if most == least:
            return (
                f"{most} by the limits" if self.longest.seconds else "the limits allow it at once"
            )
        return f"from {least} (no account owes) to {most} (every account does) by the limits"

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON's types."""
        return {
            "accounts": self.longest.accounts,
            "seconds_at_least": self.shortest.seconds,
            "seconds_at_most": self.longest.seconds,
            "lanes": [
                {
                    "session": lane.session,
                    "question": lane.question.value,
                    "calls_at_most": lane.calls,
                    "weight_at_most": lane.weight,
                    "seconds_at_most": lane.seconds,
                }
                for lane in self.longest.lanes
            ],
        }

    def show(self) -> None:
        """Print a table."""
        out = make_console()
        out.print(f"{count(self.longest.accounts, 'account')}: {self}.\n")
        several = len({lane.session for lane in self.longest.lanes}) > 1
        table = TerminalTable(
            *((text("session", 0),) if several else ()),
            text("question", 0),
            *figures("calls at most", "weight"),
            text("until the last"),
        )
        for lane in self.longest.lanes:
            session = (str(lane.session),) if several else ()
            amounts = f"{lane.calls:,}", f"{lane.weight:,}", duration(lane.seconds)
            table.add_row(*session, lane.question.value, *amounts)
        out.print(table)


async def _estimate(options: argparse.Namespace) -> int:
    if options.fleet is not None:
        estimates = await _estimate_by_fleet(options)
    else:
        async with _context.open_context(options) as context:
            estimates = _estimate_here(options, context.clients)
    if options.json:
        print_json(estimates.as_json())
    else:
        estimates.show()
    return 0


def _estimate_here(options: argparse.Namespace, todo: Sequence[DustClient]) -> EstimateRange:
    from binance_dust.scanner import estimate_scan

    asked = _asked(options)
    least = estimate_scan(todo, margin_share=0, debt_share=0, **asked)
    return EstimateRange(estimate_scan(todo, **asked), least)


async def _estimate_by_fleet(options: argparse.Namespace) -> EstimateRange:
    names = options.account or "all"
    asked = _asked(options)
    async with _fleet.open_fleet(options, _OF_WORKERS) as fleet:
        return EstimateRange(
            await fleet.estimate(names, **asked),
            await fleet.estimate(names, margin_share=0, debt_share=0, **asked),
        )
