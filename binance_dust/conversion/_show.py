"""Quotes and receipts for eyes: aligned text, and a table for notebooks."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from binance_dust._util import html
from binance_dust._util.exact import product

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from binance_dust.conversion._reasons import Skipped

__all__ = ["Cell", "as_html", "percent", "table", "text"]

Cell: TypeAlias = str | Decimal | None

Row = tuple[str, ...]


def percent(part: Decimal) -> str:
    """Write a part as a percentage."""
    return f"{product(part, Decimal(100)):.2f} %"


def table(head: Row, rows: Sequence[Row], total: Row) -> list[str]:
    """Write a table in columns: names to the left, numbers to the right."""
    everything = [head, *rows, total]
    widths = [max(len(row[n]) for row in everything) for n in range(len(head))]

    def line(row: Row) -> str:
        cells = (
            row[n].rjust(width) if n else row[n].ljust(width) for n, width in enumerate(widths)
        )
        return "  ".join(cells).rstrip()

    return [line(row) for row in everything]


def text(cell: Cell) -> str:
    """Write a cell: every digit of an amount, and nothing for nothing."""
    return f"{cell:f}" if isinstance(cell, Decimal) else str(cell or "")


def as_html(
    caption: str,
    rows: Sequence[Sequence[Cell]],
    total: Sequence[Cell],
    stays: Iterable[Skipped | str],
    head: Sequence[str] = ("asset", "amount", "gross", "fee", "net"),
) -> str:
    """Write a plan or a receipt for a notebook, and below it what stays and why, and notes."""
    notes = "".join(f"<li>{html.escaped(str(each))}</li>" for each in stays)
    made = html.table(caption, head, rows, footer=total)
    return f"{made}<ul>{notes}</ul>" if notes else made
