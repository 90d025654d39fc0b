"""The commands that move funds: their options, and the loop over accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from binance_dust.cli import _arguments, _context, _ledger, _notify, _rules
from binance_dust.cli._output import (
    as_json,
    escape,
    make_console,
    print_json,
    print_rehearsal,
    reason_of,
)
from binance_dust.cli._plans import show_quote, show_receipt
from binance_dust.cli._problems import to_all
from binance_dust.cli._streams import outlive_readers, print_stderr
from binance_dust.cli._watch import MoveWatch
from binance_dust.conversion import Quote
from binance_dust.sweeper import Outcome, sweep

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from rich.console import Console

    from binance_dust.cli._context import CommandContext
    from binance_dust.models import LastChance
    from binance_dust.sweeper import SweepReport, SweepRules

_STYLES: Final = {
    Outcome.CONVERTED: "green",
    Outcome.PLANNED: "cyan",
    Outcome.FAILED: "red",
    Outcome.UNKNOWN: "bold red",
    Outcome.UNKNOWABLE: "bold red",
    Outcome.STOPPED: "yellow",
    Outcome.BUSY: "yellow",
}


# --- options -------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that converts dust."""
    _ledger.add_ledger(parser)
    group = add_rules(parser)
    _notify.add_option(parser)
    group.add_argument(
        "--gather",
        action="store_true",
        help="bring dust of the funding wallet to the spot wallet first",
    )
    group.add_argument(
        "--above-max",
        type=_arguments.amount,
        metavar="AMOUNT",
        help="sell by quote what is too much for dust, up to this worth in the target asset",
    )
    parser.add_argument(
        "--delistings",
        action="store_true",
        help="ask once what will be delisted (weight 200): quotes say until when it can be"
        " converted, and accounts that hold it come first (weight 5 an account)",
    )
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _context.add_arguments(parser)


def add_rules(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the rules of a conversion of dust alone, and give their group."""
    group = parser.add_argument_group("rules")
    group.add_argument(
        "--target",
        type=_arguments.asset,
        help="the asset that dust is converted into (BNB)",
    )
    group.add_argument(
        "--wallet",
        type=str.lower,
        choices=("spot", "margin"),
        action="append",
        default=[],
        help="spot (the default) or margin; give it twice for both",
    )
    _add_limits(group)
    _rules.add_option(group)
    return group


def add_own_rules(parser: argparse.ArgumentParser) -> None:
    """Add the rules that a worker has of its own, whatever a fleet asks for."""
    group = parser.add_argument_group(
        "rules", "The worker's own, for conversions; a fleet can only tighten them."
    )
    _add_limits(group)
    _rules.add_option(group)


def _add_limits(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--keep",
        type=_arguments.asset,
        metavar="ASSET",
        action="append",
        default=[],
        help="never convert this asset; may be repeated",
    )
    group.add_argument(
        "--max-fee-rate",
        type=_arguments.rate,
        metavar="PART",
        help="skip an asset if its fee is a larger part of its worth: 0.05 or 5%% (5%%)",
    )
    group.add_argument(
        "--min-value",
        type=_arguments.amount,
        metavar="AMOUNT",
        help="skip an asset if it would bring less, in the target asset (0)",
    )
    group.add_argument(
        "--when-below",
        type=_arguments.least,
        metavar="ASSET=AMOUNT",
        action="append",
        default=[],
        help="convert only accounts with less of this asset free in the wallet (BNB=0.05); may be"
        " repeated: then all of them have to be low",
    )
    group.add_argument(
        "--cooldown",
        type=_arguments.length_of_time,
        metavar="TIME",
        help="pause between two conversions of an account, until its history shows that less is"
        " enough (24h)",
    )


def own_rules(options: argparse.Namespace) -> SweepRules:
    """Give the rules that the options of `add_own_rules` ask for."""
    asked: SweepRules = {"keep": options.keep}
    if options.max_fee_rate is not None:
        asked["max_fee_rate"] = options.max_fee_rate
    if options.min_value is not None:
        asked["min_value"] = options.min_value
    if options.when_below:
        asked["when_below"] = dict(options.when_below)
    if options.cooldown is not None:
        asked["cooldown"] = options.cooldown
    return asked


def rules(options: argparse.Namespace, context: CommandContext) -> dict[str, Any]:
    """Give the rules of each account, from the rules file and the options, as `sweep` takes them.

    Raises before anything is asked if the file has rules of an account that is not there.
    """
    file = _rules.find_rules(options)
    file.refuse_unknown(context.names)
    asked: dict[str, Any] = {**own_rules(options)}
    if options.target is not None:
        asked["target"] = options.target
    if options.wallet:
        asked["account_types"] = wallets(options)
    if options.gather:
        asked["gather"] = True
    if options.above_max is not None:
        asked |= {"above": "convert", "above_max": options.above_max}
    return {"each": _rules.merged(options, file, asked)}


def wallets(options: argparse.Namespace) -> Any:
    """Give the wallets that the options ask for, each once; spot if none is asked for."""
    return tuple(dict.fromkeys(each.upper() for each in options.wallet)) or ("SPOT",)


class SeenAssets:
    """The assets that plans had, to find names that no account has: misspelt ones, for example."""

    def __init__(self) -> None:
        """Begin with none."""
        self._seen: set[str] = set()
        self._blind = False

    def note(self, report: SweepReport) -> None:
        """Note what a plan takes, and what stays for a rule: it is there all the same."""
        plan = report.quote
        if plan is None:
            # What the account has could not be read.
            self._blind = self._blind or report.outcome is not Outcome.NOTHING
        else:
            self._seen |= {*plan.assets, *(skipped.asset for skipped in plan.skipped)}

    def unseen(self, names: Iterable[str]) -> list[str]:
        """Give those names that no plan had."""
        return sorted({*names} - self._seen)

    def say_unseen(self, names: Iterable[str], verb: str) -> None:
        """Say which names had no effect."""
        unseen = self.unseen(names)
        if unseen and not self._blind:
            print_stderr(f"no account has {', '.join(unseen)}, so there was nothing to {verb}")


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """Give the exit code for the worst outcome."""
    seen = set(outcomes)
    if seen & {Outcome.UNKNOWN, Outcome.UNKNOWABLE}:
        return 3
    return 1 if seen & {Outcome.FAILED, Outcome.STOPPED, Outcome.BUSY} else 0


# --- the accounts, one after another, in detail --------------------------------------------------


async def move(
    options: argparse.Namespace,
    *,
    really: bool,
    note: Callable[[SweepReport], object] = bool,
    **sweep_options: Any,
) -> int:
    """Plan what can be moved in every account, move it if `really`, and show each result.

    `note` gets each report as well.
    """
    if really:
        outlive_readers()
    out, outcomes, seen, watch = make_console(), [], SeenAssets(), MoveWatch()
    notifier = _notify.Notifier(options)
    async with (
        notifier.told(),
        _context.open_context(options, observer=to_all(watch, notifier)) as context,
        _ledger.open_ledger_to_move(options, context) as ledger,
        watch.shown(len(context.clients)),
        sweep(
            context.clients,
            ledger=ledger,
            dry_run=not really,
            **rules(options, context),
            first=await _context.read_delistings(context, options.delistings),
            **sweep_options,
        ) as reports,
        watch.finishing(),
    ):
        async for report in reports:
            watch.take(report)
            notifier.take(report)
            outcomes.append(report.outcome)
            note(report)
            seen.note(report)
            if options.json:
                print_json(as_json(report), rehearsal=context.rehearsal)
            else:
                _show(out, report)
    if context.rehearsal and not options.json:
        print_rehearsal(out)
    seen.say_unseen(options.keep, "keep")
    if Outcome.UNKNOWN in outcomes:
        print_stderr(_ledger.RECOVER_HINT)
    return exit_code(outcomes)


def _show(out: Console, report: SweepReport) -> None:
    out.print(outcome_line(report))
    if report.receipt is not None:
        show_receipt(out, report.receipt)
    elif report.quote is not None:
        show_quote(out, report.quote)
    for chance in last_chances(report):
        out.print(f"[yellow]soon delisted[/] {escape(str(chance))}")
    if report.settled:
        out.print("settled by reading:")
        out.print(_ledger.entry_table(report.settled))
    if report.unsettled:
        out.print("still open:")
        out.print(_ledger.entry_table(report.unsettled))
    if report.next_at is not None:
        out.print(f"It may convert again at {report.next_at:%Y-%m-%d %H:%M:%S} UTC.")
    out.print()


def last_chances(report: SweepReport) -> tuple[LastChance, ...]:
    """Give what the account holds and will be delisted."""
    return report.quote.last_chances if isinstance(report.quote, Quote) else ()


def outcome_line(report: SweepReport) -> str:
    """Say in one line how an account's turn ended."""
    style = _STYLES.get(report.outcome, "dim")
    what = f"{report.account_type.lower()} {report.what}"
    why = report.why
    known_better = report.proven_not_done is not None or report.outcome is Outcome.UNKNOWABLE
    if report.error is not None and not known_better:
        why = reason_of(report.error, report.account)
    reason = "" if why is None else f": {escape(why)}"
    return f"[cyan]{escape(report.account)}[/] {what} [{style}]{report.outcome}[/]{reason}"
