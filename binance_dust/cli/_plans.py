"""What was planned for an account, and what came of it, for eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust.cli._console import make_table, reason_of, shown
from binance_dust.conversion import LiabilityQuote
from binance_dust.sweeper import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from binance_dust.conversion import Quote, Receipt, Skipped
    from binance_dust.sweeper import SweepReport

_STYLES: Final = {
    Outcome.CONVERTED: "green",
    Outcome.PLANNED: "cyan",
    Outcome.FAILED: "red",
    Outcome.UNKNOWN: "bold red",
    Outcome.STOPPED: "yellow",
}


def plan_table(plan: Quote | LiabilityQuote) -> Table:
    """Show a plan."""
    if isinstance(plan, LiabilityQuote):
        return _debts_table(plan)
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


def _debts_table(plan: LiabilityQuote) -> Table:
    table = make_table("asset", "owed", "becomes", right=("owed", "becomes"))
    for debt in plan.lines:
        table.add_row(shown(debt.asset), f"{debt.amount:f}", f"{debt.worth:f}")
    _close(table, len(plan.lines), "", f"{plan.worth:f} {plan.target}")
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
    why = report.why
    if report.error is not None and report.proven_not_done is None:
        why = reason_of(report.error, report.account)
    told = "" if why is None else f": {shown(why)}"
    return f"[cyan]{shown(report.account)}[/] {what} [{style}]{report.outcome}[/]{told}"


def _close(table: Table, count: int, *cells: str) -> None:
    if count:
        table.add_section()
        table.add_row(f"{count} in all", *cells, style="bold")
