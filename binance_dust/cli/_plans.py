"""Plans and results of the commands that move funds, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.cli._output import escape
from binance_dust.cli._tables import TerminalColumn, TerminalTable, figure, figures, prose, text
from binance_dust.conversion import (
    LiabilityQuote,
    Quote,
    Receipt,
    RepaymentQuote,
    RepaymentReceipt,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from binance_dust.conversion import GatherLine, Skipped
    from binance_dust.ledger import LedgerLine


def show_receipt(out: Console, receipt: Receipt | RepaymentReceipt) -> None:
    """Print what was done, and what was not."""
    if isinstance(receipt, Receipt) and receipt.gathered:
        out.print(_gather_table(receipt.gathered))
    out.print(_receipt_table(receipt))
    for note in receipt.notes if isinstance(receipt, Receipt) else ():
        out.print(note, markup=False)
    if receipt.dropped:
        out.print(skipped_table(receipt.dropped))


def show_quote(out: Console, quote: Quote | LiabilityQuote | RepaymentQuote) -> None:
    """Print what would be done, and what stays."""
    if isinstance(quote, Quote) and quote.gather:
        out.print(_gather_table(quote.gather))
    if quote.lines:
        out.print(quote_table(quote))
    if quote.skipped:
        out.print(skipped_table(quote.skipped))


def quote_table(quote: Quote | LiabilityQuote | RepaymentQuote) -> TerminalTable:
    """Make a table of a plan."""
    if isinstance(quote, LiabilityQuote):
        return _liability_table(quote)
    if isinstance(quote, RepaymentQuote):
        return _repayment_table(quote)
    table = _amounts_table(figure("%", 4))
    for line in quote.lines:
        table.add_row(
            escape(f"{line.asset}, sold by quote" if line.sale else line.asset),
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


def _repayment_table(quote: RepaymentQuote) -> TerminalTable:
    table = TerminalTable(text("asset", 0), *figures("owed", "free", "paid"))
    for debt in quote.lines:
        amounts = (debt.owed, debt.free, debt.amount)
        table.add_row(escape(debt.asset), *(f"{amount:f}" for amount in amounts))
    return table


def _gather_table(lines: Iterable[GatherLine | LedgerLine]) -> TerminalTable:
    """Make a table of what comes from the funding wallet first."""
    table = TerminalTable(text("from funding", 0), figure("amount"))
    for line in lines:
        table.add_row(escape(line.asset), f"{line.amount:f}")
    return table


def skipped_table(skipped: Iterable[Skipped]) -> TerminalTable:
    """Make a table of the assets that stay, with the reasons."""
    table = TerminalTable(text("stays", 0), figure("amount"), prose("because", 2))
    for each in skipped:
        until = "" if each.until is None else f" until {each.until:%Y-%m-%d %H:%M} UTC"
        detail = f" ({escape(each.detail)})" if each.detail else ""
        table.add_row(escape(each.asset), f"{each.amount:f}", f"{each.reason}{until}{detail}")
    return table


def _receipt_table(receipt: Receipt | RepaymentReceipt) -> TerminalTable:
    if isinstance(receipt, RepaymentReceipt):
        paid = TerminalTable(text("asset", 0), figure("paid"))
        for line in receipt.lines:
            paid.add_row(escape(line.asset), f"{line.amount:f}")
        return paid
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
