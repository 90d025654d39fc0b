"""A table of the page: its first rows as HTML, the rest as data that the script shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Final

from binance_dust._util.html import PLACES, escaped, figure, moment
from binance_dust._util.words import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from binance_dust._util.html import Cell

__all__ = ["Column", "Table", "texts"]

_WRITTEN: Final = 1_000
"""Rows that are there without the script: more at once make a browser stutter."""
_NONE: Final = "\u2013"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, and what it holds."""

    name: str
    figures: bool = False
    adds_up: bool = False
    """Whether its figures are in one unit, so that a sum means something."""
    time: bool = False

    @property
    def mark(self) -> str:
        """Its class, as an attribute: how its cells are aligned."""
        return ' class="n"' if self.figures else ' class="t"' if self.time else ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table to read; with the script, also to sort and filter.

    Its rows are read once: `html` takes the first ones, and then `rest` gives the others.
    """

    key: str
    caption: str
    columns: Sequence[Column]
    rows: Iterator[list[str]]
    """Made by `texts`."""
    count: int
    """How many rows there are."""
    sorted_by: str
    descending: bool = True
    footer: Sequence[Cell] | None = None

    def html(self) -> Iterator[str]:
        """Give the table as it is without the script, part by part."""
        yield (
            f'<div class="scroll"><table id="{self.key}-table" data-key="{self.key}">'
            f"<caption>{escaped(self.caption)}</caption>"
            f"<thead><tr>{''.join(map(self._head, self.columns))}</tr></thead><tbody>"
        )
        yield from map(self._row, islice(self.rows, _WRITTEN))
        foot = (
            f"<tfoot>{self._row(texts(*self.footer))}</tfoot>" if self.footer and self.count else ""
        )
        left = self.count - _WRITTEN
        note = (
            f'<p class="unscripted">{left:,} more rows are in this page, for a browser that runs'
            " its script.</p>"
            if left > 0
            else ""
        )
        yield f"</tbody>{foot}</table></div>{note}"

    def rest(self) -> Iterator[list[str]]:
        """Give the rows that are not in the HTML, as the script has to show them."""
        return self.rows

    def _head(self, column: Column) -> str:
        sums = " data-sum" if column.adds_up else ""
        way = "descending" if self.descending else "ascending"
        order = f' aria-sort="{way}"' if column.name == self.sorted_by else ""
        return f'<th scope="col"{column.mark}{sums}{order}>{escaped(column.name)}</th>'

    def _row(self, row: list[str]) -> str:
        (head, first), *others = zip(self.columns, row, strict=True)
        cells = (f"<td{column.mark}>{escaped(cell)}</td>" for column, cell in others)
        first_cell = f'<th scope="row"{head.mark}>{escaped(first)}</th>'
        return f"<tr>{first_cell}{''.join(cells)}</tr>\n"


def texts(*cells: Cell) -> list[str]:
    """Write cells as a reader sees them."""
    return [visible(_shown(cell)) for cell in cells]


def _shown(cell: Cell) -> str:
    """Write a cell: figures with all digits, at least to the exchange's eight places."""
    match cell:
        case str():
            return cell
        case None:
            return _NONE
        case datetime():
            return moment(cell)
        case Decimal():
            return figure(cell, places=PLACES)
        case _:
            return figure(cell)
