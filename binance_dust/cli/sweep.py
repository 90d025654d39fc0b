"""`binance-dust sweep`: clean up many accounts, once or regularly; a dry run unless `--yes`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from binance_dust._util.words import count
from binance_dust.cli import _arguments, _context, _fleet, _ledger, _metrics, _moving, _notify
from binance_dust.cli._output import (
    Amounts,
    as_json,
    escape,
    make_console,
    print_json,
    print_rehearsal,
)
from binance_dust.cli._problems import to_all
from binance_dust.cli._streams import outlive_readers, print_stderr
from binance_dust.cli._watch import MoveWatch
from binance_dust.errors import ConfigurationError
from binance_dust.sweeper import Outcome, sweep
from binance_dust.sweeper._report import how_much

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from rich.console import Console

    from binance_dust.sweeper import SweepReport


EXAMPLES: Final = (
    ("--accounts desk.toml", "a dry run"),
    ("--accounts desk.toml --yes --liabilities", "dust and small debts of all accounts"),
    ("--accounts desk.toml --yes --every 7d", "run for ever: each account once a week"),
)


_OF_WORKERS: Final = (
    *("accounts", "base_url", "local_addr", "proxy", "sandbox", "ledger"),
    *("rules", "gather", "above_max", "repay", "delistings"),
)
"""Options that a fleet's workers have, or that only a sweep by this process has."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--yes", action="store_true", help="really convert; without --yes, only show the plan"
    )
    parser.add_argument(
        "--every",
        type=_arguments.length_of_time,
        metavar="TIME",
        help="run for ever: each account again after this time (7d), or when its cooldown is over",
    )
    parser.add_argument(
        "--liabilities", action="store_true", help="also exchange small margin debts into one"
    )
    parser.add_argument(
        "--repay",
        action="store_true",
        help="also pay margin debts, from what is free of the same asset",
    )
    parser.add_argument(
        "--concurrency",
        type=_arguments.positive,
        default=16,
        metavar="N",
        help="accounts at once (16)",
    )
    _metrics.add_arguments(parser)
    _fleet.add_url(parser, "let workers convert: the URL of their Redis")
    _moving.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Sweep, print each account's result as it comes, and sum up."""
    if options.every is not None and not options.every:
        raise ConfigurationError("--every must be longer than 0")
    if options.yes:
        outlive_readers()
    metrics, watch = _metrics.CommandMetrics(options), MoveWatch()
    notifier, for_ever = _notify.Notifier(options), options.every is not None
    output = _SweepOutput(options, metrics, notifier)
    if options.fleet is not None:
        async with notifier.told(one_by_one=for_ever):
            await _sweep_by_fleet(options, output, metrics)
        return output.finish()
    observer = to_all(metrics, watch, notifier)
    async with (
        notifier.told(one_by_one=for_ever),
        _context.open_context(options, observer=observer) as context,
        _ledger.open_ledger_to_move(options, context) as ledger,
        metrics.serve(sessions=context.sessions, ledger=ledger),
        watch.shown(len(context.clients), for_ever=for_ever),
        sweep(
            context.clients,
            ledger=ledger,
            dry_run=not options.yes,
            every=options.every,
            liabilities=options.liabilities,
            repay=options.repay,
            concurrency=options.concurrency,
            first=await _context.read_delistings(context, options.delistings),
            **_moving.rules(options, context),
        ) as reports,
        watch.finishing(),
    ):
        output.rehearsal = context.rehearsal
        async for report in reports:
            watch.take(report)
            output.take(report)
    return output.finish()


async def _sweep_by_fleet(
    options: argparse.Namespace, output: _SweepOutput, metrics: _metrics.CommandMetrics
) -> None:
    from binance_dust.cli._progress import show_fleet

    rules = _moving.own_rules(options)
    if options.target is not None:
        rules["target"] = options.target
    async with _fleet.open_fleet(options, _OF_WORKERS) as fleet:
        reports = fleet.sweep(
            options.account or "all",
            dry_run=not options.yes,
            account_types=_moving.wallets(options),
            liabilities=options.liabilities,
            every=options.every,
            **rules,
        )
        try:
            serving = metrics.serve(progress=lambda: reports.progress)
            async with serving, reports, show_fleet(reports):
                async for report in reports:
                    output.rehearsal = reports.rehearsal
                    output.take(report)
        finally:
            _fleet.print_sick(reports.progress)


class _SweepOutput:
    """What is printed of a sweep."""

    def __init__(
        self,
        options: argparse.Namespace,
        metrics: _metrics.CommandMetrics,
        notifier: _notify.Notifier,
    ) -> None:
        self._options = options
        self._metrics = metrics
        self._notifier = notifier
        self._totals = _SweepTotals()
        self._seen = _moving.SeenAssets()
        self._out = make_console()
        self.rehearsal = False
        """Whether the exchange is on this machine."""

    def take(self, report: SweepReport) -> None:
        """Print one account's result."""
        self._notifier.take(report, one_by_one=self._options.every is not None)
        self._totals.add(report)
        self._seen.note(report)
        self._metrics.count(report)
        if self._options.json:
            print_json(as_json(report), rehearsal=self.rehearsal)
        else:
            self._out.print(_line(report))

    def finish(self) -> int:
        """Sum up, and give the exit code."""
        if not self._options.json:
            self._totals.show(self._out, really=self._options.yes)
            if self.rehearsal:
                print_rehearsal(self._out)
        self._seen.say_unseen(self._options.keep, "keep")
        if self._totals.outcomes[Outcome.UNKNOWN]:
            print_stderr(_ledger.RECOVER_HINT)
        return _moving.exit_code(self._totals.outcomes)


class _SweepTotals:
    """Outcomes of a sweep, and amounts for each target."""

    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self._net = Amounts()
        self._fee = Amounts()

    def add(self, report: SweepReport) -> None:
        """Add one account."""
        self.outcomes[report.outcome] += 1
        if report.what != "dust":
            return
        done: Iterable[Any] = ()
        if report.receipt is not None:
            done = [report.receipt]
        elif report.outcome is Outcome.PLANNED:
            done = [report.quote]
        elif report.outcome is Outcome.CONVERTED:
            done = [
                entry
                for entry in report.settled
                if entry.status == "confirmed" and entry.kind.converts
            ]
        for each in done:
            self._net.add(each.target, each.net)
            self._fee.add(each.target, each.fee)

    def show(self, out: Console, *, really: bool) -> None:
        """Print the totals."""
        outcomes = ", ".join(
            f"{times:,} {outcome}" for outcome, times in self.outcomes.most_common()
        )
        out.print(f"\n{outcomes or 'no accounts'}.")
        verb = "brought" if really else "would bring"
        for target, net in self._net.items():
            fee = self._fee[target]
            out.print(f"It {verb} [bold green]{net:f} {escape(target)}[/], after {fee:f} in fees.")
        if not really:
            out.print("Nothing was converted. Add --yes to do it.")


def _line(report: SweepReport) -> str:
    line = _moving.outcome_line(report)
    done = report.receipt or (report.quote if report.outcome is Outcome.PLANNED else None)
    if done:
        line += f", {escape(how_much(done))}"
    if report.settled:
        line += f" ({count(len(report.settled), 'entry', 'entries')} settled by reading)"
    if ending := [chance.asset for chance in _moving.last_chances(report) if chance.goes]:
        line += f", soon delisted: {escape(', '.join(ending))}"
    if report.next_at is not None:
        line += f", next {report.next_at:%Y-%m-%d %H:%M} UTC"
    return line
