"""`binance-dust sweep`: the regular clean-up of many accounts; a dry run unless `--yes`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from binance_dust._util.words import count
from binance_dust.cli import _arguments, _desk, _ledger, _moving
from binance_dust.cli._amounts import Amounts
from binance_dust.cli._console import complain, console, shown
from binance_dust.cli._json import as_json, print_json
from binance_dust.cli._plans import headline
from binance_dust.errors import ConfigurationError
from binance_dust.sweeper import Outcome, sweep

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from rich.console import Console

    from binance_dust.sweeper import SweepReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument(
        "--yes", action="store_true", help="really convert; without, only show what"
    )
    parser.add_argument(
        "--every",
        type=_arguments.span,
        metavar="TIME",
        help="go on for ever, each account again after so long (7d), or when it may again",
    )
    parser.add_argument(
        "--liabilities", action="store_true", help="gather small margin debts into one as well"
    )
    parser.add_argument(
        "--concurrency",
        type=_arguments.some,
        default=16,
        metavar="N",
        help="accounts that are worked on at once (16)",
    )
    _moving.add_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Sweep, tell of every account as it is done, and sum up."""
    if options.every is not None and not options.every:
        raise ConfigurationError("--every must be longer than nothing")
    sums = _Sums()
    out = console()
    async with (
        _desk.open_desk(options) as desk,
        _ledger.kept_ledger(options, desk) as ledger,
        sweep(
            desk.clients,
            ledger=ledger,
            dry_run=not options.yes,
            every=options.every,
            account_types=_moving.wallets(options),
            liabilities=options.liabilities,
            concurrency=options.concurrency,
            **_moving.rules(options),
        ) as reports,
    ):
        async for report in reports:
            sums.add(report)
            if options.json:
                print_json(as_json(report))
            else:
                out.print(_line(report), soft_wrap=True)
    if not options.json:
        sums.show(out, really=options.yes)
    if sums.outcomes[Outcome.UNKNOWN]:
        complain(_ledger.FIND_OUT)
    return _moving.exit_code(sums.outcomes)


class _Sums:
    """What a sweep adds up to; amounts of different targets have no sum."""

    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self._net = Amounts()
        self._fee = Amounts()

    def add(self, report: SweepReport) -> None:
        """Add what became of one account."""
        self.outcomes[report.outcome] += 1
        if report.what != "dust":
            return
        done: Iterable[Any] = ()
        if report.receipt is not None:
            done = [report.receipt]
        elif report.outcome is Outcome.PLANNED:
            done = [report.quote]
        elif report.outcome is Outcome.CONVERTED:
            done = [entry for entry in report.settled if entry.status == "confirmed"]
        for each in done:
            self._net.add(each.target, each.net)
            self._fee.add(each.target, each.fee)

    def show(self, out: Console, *, really: bool) -> None:
        """Show the sums."""
        told = ", ".join(f"{times:,} {outcome}" for outcome, times in self.outcomes.most_common())
        out.print(f"\n{told or 'no accounts'}.")
        verb = "brought" if really else "would bring"
        for target, net in self._net.items():
            fee = self._fee[target]
            out.print(f"It {verb} [bold green]{net:f} {shown(target)}[/], after {fee:f} in fees.")
        if not really:
            out.print("Nothing was converted. Add --yes to do it.")


def _line(report: SweepReport) -> str:
    line = headline(report)
    done = report.receipt or (report.quote if report.outcome is Outcome.PLANNED else None)
    if done:
        worth = done.net if hasattr(done, "net") else done.worth
        line += f", {count(len(done.assets), 'asset')} into {worth:f} {shown(report.target)}"
    if report.settled:
        line += f" ({len(report.settled)} entries settled by reading)"
    if report.next_at is not None:
        line += f", next {report.next_at:%Y-%m-%d %H:%M} UTC"
    return line
