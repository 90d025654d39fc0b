"""`binance-dust sweep`: clean up many accounts, once or regularly; a dry run unless `--yes`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from binance_dust._util.words import count
from binance_dust.cli import _arguments, _context, _ledger, _metrics, _moving, _notify
from binance_dust.cli._output import (
    Amounts,
    as_json,
    escape,
    make_console,
    print_json,
    print_rehearsal,
)
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
    _moving.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Sweep, print each account's result as it comes, and sum up."""
    if options.every is not None and not options.every:
        raise ConfigurationError("--every must be longer than 0")
    if options.yes:
        outlive_readers()
    totals, seen = _SweepTotals(), _moving.SeenAssets()
    out = make_console()
    metrics, watch = _metrics.CommandMetrics(options), MoveWatch()
    notifier, for_ever = _notify.Notifier(options), options.every is not None
    observer = notifier.observer(metrics.observer(watch))
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
        async for report in reports:
            watch.take(report)
            notifier.take(report, one_by_one=for_ever)
            totals.add(report)
            seen.note(report)
            metrics.count(report)
            if options.json:
                print_json(as_json(report))
            else:
                out.print(_line(report))
    if not options.json:
        totals.show(out, really=options.yes)
        if context.rehearsal:
            print_rehearsal(out)
    seen.say_unseen(options.keep, "keep")
    if totals.outcomes[Outcome.UNKNOWN]:
        print_stderr(_ledger.RECOVER_HINT)
    return _moving.exit_code(totals.outcomes)


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
