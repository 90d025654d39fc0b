"""The commands that move funds: their options, the loop over accounts, and how plans are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from binance_dust.cli import _arguments, _context, _ledger, _rules
from binance_dust.cli._output import (
    as_json,
    escape,
    make_console,
    print_json,
    reason_of,
)
from binance_dust.cli._streams import outlive_readers, print_stderr
from binance_dust.cli._tables import TerminalColumn, TerminalTable, figure, figures, prose, text
from binance_dust.conversion import LiabilityQuote, Quote
from binance_dust.sweeper import Outcome, sweep

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from rich.console import Console

    from binance_dust.cli._context import CommandContext
    from binance_dust.conversion import Receipt, Skipped
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
    parser.add_argument(
        "--delistings",
        action="store_true",
        help="ask once what will be delisted (weight 200): quotes say until when it can be"
        " converted, and accounts that hold it come first (weight 5 an account)",
    )
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _context.add_arguments(parser)


def add_own_rules(parser: argparse.ArgumentParser) -> None:
    """Add the rules that a worker has of its own, whatever a fleet asks for."""
    group = parser.add_argument_group(
        "rules", "The worker's own, for conversions: of these and a fleet's the tighter ones count."
    )
    _add_limits(group)


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
        asked["account_types"] = tuple(dict.fromkeys(each.upper() for each in options.wallet))
    return {"each": _rules.merged(options, file, asked)}


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


async def convert(
    options: argparse.Namespace,
    *,
    really: bool,
    choose: Callable[[Quote], Quote] | None = None,
    note: Callable[[SweepReport], object] = bool,
) -> int:
    """Plan the conversion of every account's dust, and convert it if `really`."""
    return await move(
        options, really=really, delistings=options.delistings, note=note, choose=choose
    )


async def move(
    options: argparse.Namespace,
    *,
    really: bool,
    delistings: bool = False,
    note: Callable[[SweepReport], object] = bool,
    **sweep_options: Any,
) -> int:
    """Plan what can be moved in every account, move it if `really`, and show each result.

    `note` gets each report as well.
    """
    if really:
        outlive_readers()
    out, outcomes, seen = make_console(), [], SeenAssets()
    async with (
        _context.open_context(options) as context,
        _ledger.open_ledger_to_move(options, context) as ledger,
        sweep(
            context.clients,
            ledger=ledger,
            dry_run=not really,
            **rules(options, context),
            first=await _context.read_delistings(context, delistings),
            **sweep_options,
        ) as reports,
    ):
        async for report in reports:
            outcomes.append(report.outcome)
            note(report)
            seen.note(report)
            if options.json:
                print_json(as_json(report))
            else:
                _show(out, report)
    seen.say_unseen(options.keep, "keep")
    if Outcome.UNKNOWN in outcomes:
        print_stderr(_ledger.RECOVER_HINT)
    return exit_code(outcomes)


def _show(out: Console, report: SweepReport) -> None:
    out.print(outcome_line(report))
    skipped: tuple[Skipped, ...] = ()
    if report.receipt is not None:
        out.print(_receipt_table(report.receipt))
        for note in report.receipt.notes:
            out.print(note, markup=False)
        skipped = report.receipt.dropped
    elif report.quote is not None:
        if report.quote:
            out.print(quote_table(report.quote))
        skipped = report.quote.skipped
    if skipped:
        out.print(skipped_table(skipped))
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


# --- plans and results as text -------------------------------------------------------------------


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


def quote_table(quote: Quote | LiabilityQuote) -> TerminalTable:
    """Make a table of a plan."""
    if isinstance(quote, LiabilityQuote):
        return _liability_table(quote)
    table = _amounts_table(figure("%", 4))
    for line in quote.lines:
        table.add_row(
            escape(line.asset),
            f"{line.amount:f}",
            f"{line.gross:f}",
            f"{line.fee:f}",
            f"{line.fee_rate * 100:.2f}",
            f"{line.net:f}",
        )
    gross, fee, net = _sums(quote)
    _add_total(table, len(quote.lines), gross, fee, "", net)
    return table


def _liability_table(quote: LiabilityQuote) -> TerminalTable:
    table = TerminalTable(text("asset", 0), *figures("owed", "becomes"))
    for debt in quote.lines:
        table.add_row(escape(debt.asset), f"{debt.amount:f}", f"{debt.worth:f}")
    _add_total(table, len(quote.lines), f"{quote.worth:f} {quote.target}")
    return table


def skipped_table(skipped: Iterable[Skipped]) -> TerminalTable:
    """Make a table of the assets that stay, with the reasons."""
    table = TerminalTable(text("stays", 0), figure("amount"), prose("because", 2))
    for each in skipped:
        until = "" if each.until is None else f" until {each.until:%Y-%m-%d %H:%M} UTC"
        detail = f" ({escape(each.detail)})" if each.detail else ""
        table.add_row(escape(each.asset), f"{each.amount:f}", f"{each.reason}{until}{detail}")
    return table


def _receipt_table(receipt: Receipt) -> TerminalTable:
    table = _amounts_table()
    for line in receipt.lines:
        amounts = (line.amount, line.gross, line.fee, line.net)
        table.add_row(escape(line.asset), *(f"{amount:f}" for amount in amounts))
    _add_total(table, len(receipt.lines), *_sums(receipt))
    return table


def _amounts_table(*more: TerminalColumn) -> TerminalTable:
    return TerminalTable(
        text("asset", 0),
        figure("amount", 2),
        *figures("gross", "fee", rank=3),
        *more,
        figure("net", 0),
    )


def _sums(plan: Quote | Receipt) -> tuple[str, str, str]:
    return f"{plan.gross:f}", f"{plan.fee:f}", f"{plan.net:f} {plan.target}"


def _add_total(table: TerminalTable, count: int, *cells: str) -> None:
    if count:
        table.add_row(f"{count} in all", "", *cells, style="bold")
