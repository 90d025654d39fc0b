"""What the commands that move funds share: their rules, their ledger, and how they tell."""

from __future__ import annotations

import dataclasses
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from binance_dust._plain import plain
from binance_dust.cli import _arguments, _desk
from binance_dust.cli._console import make_table, shown
from binance_dust.conversion import LiabilityQuote
from binance_dust.errors import ConfigurationError
from binance_dust.ledger import Ledger
from binance_dust.sweeper import Outcome

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from rich.table import Table

    from binance_dust.conversion import Quote, Receipt, Skipped
    from binance_dust.ledger import LedgerEntry
    from binance_dust.sweeper import Rules, SweepReport

LEDGER_VARIABLE: Final = "BINANCE_DUST_LEDGER"
_USUAL_LEDGER: Final = "binance-dust.db"
_WALLETS: Final = ("spot", "margin")
_STYLES: Final = {
    Outcome.CONVERTED: "green",
    Outcome.PLANNED: "cyan",
    Outcome.FAILED: "red",
    Outcome.UNKNOWN: "bold red",
    Outcome.STOPPED: "yellow",
}


def add_rules(parser: argparse.ArgumentParser) -> None:
    """Add the rules of conversions."""
    group = parser.add_argument_group("rules")
    group.add_argument("--target", default="BNB", help="what dust is converted into (BNB)")
    group.add_argument(
        "--wallet",
        choices=_WALLETS,
        action="append",
        default=[],
        help="spot (unless told otherwise), margin, or both: give it twice",
    )
    group.add_argument(
        "--keep",
        metavar="ASSET",
        action="append",
        default=[],
        help="leave it alone; again for more",
    )
    group.add_argument(
        "--max-fee-rate",
        type=_arguments.amount,
        default=Decimal("0.05"),
        metavar="PART",
        help="of an asset's worth; what costs more stays (0.05)",
    )
    group.add_argument(
        "--min-value",
        type=_arguments.amount,
        default=Decimal(0),
        metavar="AMOUNT",
        help="of the target; what brings less stays (0)",
    )
    group.add_argument(
        "--cooldown",
        type=_arguments.span,
        metavar="TIME",
        help="between two conversions of an account, until its history shows what is enough (24h)",
    )


def add_ledger(parser: argparse.ArgumentParser) -> None:
    """Add where the books are."""
    parser.add_argument(
        "--ledger",
        metavar="FILE",
        help=f"the books; else the file that {LEDGER_VARIABLE} names, else {_USUAL_LEDGER} here",
    )


def rules(options: argparse.Namespace) -> Rules:
    """Give the rules that the options ask for."""
    asked: Rules = {
        "target": options.target,
        "keep": options.keep,
        "max_fee_rate": options.max_fee_rate,
        "min_value": options.min_value,
    }
    if options.cooldown is not None:
        asked["cooldown"] = options.cooldown
    return asked


def wallets(options: argparse.Namespace) -> Any:
    """Give the wallets that the options ask for, each once."""
    return tuple(dict.fromkeys(wallet.upper() for wallet in options.wallet)) or ("SPOT",)


def ledger_of(options: argparse.Namespace) -> Ledger:
    """Name the ledger; a sandbox of the command's own is gone with it, and so are its books."""
    own = getattr(options, "sandbox", False) and not options.ledger
    path = ":memory:" if own else options.ledger or os.environ.get(LEDGER_VARIABLE)
    return Ledger(path or _USUAL_LEDGER)


def existing_ledger(options: argparse.Namespace) -> Ledger:
    """Name a ledger that is only read: one that is not there would be an empty one, and a lie."""
    ledger = ledger_of(options)
    if not os.path.exists(ledger.path):  # noqa: PTH110 - a look, before anything is opened
        raise ConfigurationError(f"there is no ledger {ledger.path}: name it with --ledger")
    return ledger


def add_desk(parser: argparse.ArgumentParser) -> None:
    """Add what every command that moves funds takes."""
    add_ledger(parser)
    add_rules(parser)
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")
    _desk.add_arguments(parser)


# --- for eyes ------------------------------------------------------------------------------------


def plan_table(plan: Quote | LiabilityQuote) -> Table:
    """Show a plan."""
    if isinstance(plan, LiabilityQuote):
        table = make_table("asset", "owed", "becomes", right=("owed", "becomes"))
        for debt in plan.lines:
            table.add_row(shown(debt.asset), f"{debt.amount:f}", f"{debt.worth:f}")
        _close(table, len(plan.lines), "", f"{plan.worth:f} {plan.target}")
    else:
        numbers = ("amount", "gross", "fee", "net")
        table = make_table("asset", *numbers, right=numbers)
        for line in plan.lines:
            table.add_row(
                shown(line.asset),
                f"{line.amount:f}",
                f"{line.gross:f}",
                f"{line.fee:f} ({line.fee_rate * 100:.2f} %)",
                f"{line.net:f}",
            )
        total = (f"{plan.gross:f}", f"{plan.fee:f}", f"{plan.net:f} {plan.target}")
        _close(table, len(plan.lines), "", *total)
    return table


def stays_table(skipped: Iterable[Skipped]) -> Table:
    """Show what stays, and why."""
    table = make_table("stays", "amount", "because", right=("amount",))
    for each in skipped:
        until = "" if each.until is None else f" until {each.until:%Y-%m-%d %H:%M} UTC"
        detail = f" ({shown(each.detail)})" if each.detail else ""
        table.add_row(shown(each.asset), f"{each.amount:f}", f"{each.reason}{until}{detail}")
    return table


def receipt_table(receipt: Receipt) -> Table:
    """Show what was done."""
    numbers = ("amount", "gross", "fee", "net")
    table = make_table("asset", *numbers, right=numbers)
    for line in receipt.lines:
        amounts = (line.amount, line.gross, line.fee, line.net)
        table.add_row(shown(line.asset), *(f"{amount:f}" for amount in amounts))
    total = (f"{receipt.gross:f}", f"{receipt.fee:f}", f"{receipt.net:f} {receipt.target}")
    _close(table, len(receipt.lines), "", *total)
    return table


def headline(report: SweepReport) -> str:
    """Say in a line what became of an account."""
    style = _STYLES.get(report.outcome, "dim")
    what = f"{report.account_type.lower()} {report.what}"
    why = f": {shown(str(report.error))}" if report.error is not None else ""
    return f"[cyan]{shown(report.account)}[/] {what} [{style}]{report.outcome}[/]{why}"


def entry_row(entry: LedgerEntry) -> tuple[str, ...]:
    """Show an entry of the ledger as a table's row."""
    return (
        str(entry.id),
        f"{entry.at:%Y-%m-%d %H:%M:%S}",
        f"[cyan]{shown(entry.account)}[/]",
        entry.kind.value,
        shown(" ".join(entry.assets)),
        f"{entry.net:f} {shown(entry.target)}" if entry.lines else "",
        entry.status,
        shown(entry.reason or ""),
    )


def entry_table() -> Table:
    """Make a table for entries."""
    titles = ("entry", "when (UTC)", "account", "kind", "assets", "net", "status", "")
    return make_table(*titles, right=("entry", "net"))


def _close(table: Table, count: int, *cells: str) -> None:
    if count:
        table.add_section()
        table.add_row(f"{count} in all", *cells, style="bold")


# --- for programs --------------------------------------------------------------------------------


def as_json(report: SweepReport) -> dict[str, Any]:
    """Give a report as what JSON has."""
    return {
        "account": report.account,
        "what": report.what,
        "account_type": report.account_type,
        "target": report.target,
        "outcome": report.outcome.value,
        "at": plain(report.at),
        "quote": _as_dict(report.quote),
        "receipt": _as_dict(report.receipt),
        "settled": [_as_dict(entry) for entry in report.settled],
        "error": plain(report.error),
        "next_at": plain(report.next_at),
    }


def entry_json(entry: LedgerEntry) -> dict[str, Any]:
    """Give an entry as what JSON has."""
    found = _as_dict(entry)
    assert found is not None  # noqa: S101 - it is no None that went in
    return found


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """Give the exit code for what became of the accounts: the gravest counts."""
    seen = set(outcomes)
    if Outcome.UNKNOWN in seen:
        return 3
    return 1 if seen & {Outcome.FAILED, Outcome.STOPPED} else 0


def _as_dict(value: Any) -> dict[str, Any] | None:
    """Spell out a dataclass, with the sums that it knows."""
    if value is None:
        return None
    names = [field.name for field in dataclasses.fields(value) if field.name != "key_id"]
    names += [name for name in ("gross", "fee", "net", "worth") if hasattr(value, name)]
    return {name: _spelled(getattr(value, name)) for name in dict.fromkeys(names)}


def _spelled(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_spelled(item) for item in value]
    return _as_dict(value) if dataclasses.is_dataclass(value) else plain(value)
