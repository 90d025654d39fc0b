"""Quotes and receipts for people: aligned text, and an HTML table for notebooks."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from binance_dust._util import html
from binance_dust._util.exact import product

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from binance_dust.conversion._quote import Skipped

__all__ = ["COLUMNS", "Cell", "Rows", "as_html", "as_text", "percent"]

Cell: TypeAlias = str | Decimal | None
Rows: TypeAlias = "tuple[str, Sequence[str], Iterable[Sequence[Cell]], Sequence[Cell]]"
"""The caption of a table, its columns, its rows, and the last row."""

COLUMNS = ("asset", "amount", "gross", "fee", "net")


def percent(part: Decimal) -> str:
    """Write a part as a percentage."""
    return f"{product(part, Decimal(100)):.2f} %"


def as_text(  # noqa: PLR0913 - the parts of a table
    caption: str,
    rows: Iterable[Sequence[Cell]],
    total: Sequence[Cell],
    skipped: Iterable[Skipped],
    *,
    notes: Iterable[str] = (),
    head: Sequence[str] = COLUMNS,
) -> str:
    """Write a quote or a receipt: names to the left, numbers to the right; below it the rest."""
    table = [[_text(cell) for cell in row] for row in (head, *rows, total)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if n else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
    return "\n".join([caption, *lines, *(f"not: {each}" for each in skipped), *notes])


def _text(cell: Cell) -> str:
    """Write a cell: every digit of an amount; empty for `None`."""
    return f"{cell:f}" if isinstance(cell, Decimal) else str(cell or "")


def as_html(
    caption: str,
    rows: Iterable[Sequence[Cell]],
    total: Sequence[Cell],
    below: Iterable[Skipped | str],
    head: Sequence[str] = COLUMNS,
) -> str:
    """Write a quote or a receipt for a notebook; below it what is skipped and why, and notes."""
    notes = "".join(f"<li>{html.escaped(str(each))}</li>" for each in below)
    made = html.table(caption, head, rows, footer=total)
    return f"{made}<ul>{notes}</ul>" if notes else made
