"""Charts in SVG, a few lines each. Their words are text of the page, so that all can read them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust._util.html import PLACES, escaped, figure

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bars", "columns", "months_between"]

_HEIGHT: Final = 300
_PLOT: Final = 270
"""Of the height, what the columns may fill; under them stand the months."""
_LABELS: Final = 5
"""Months that are named under the columns, at the most."""
_EDGE: Final = 92
"""Percent of the width from which on a month's name ends where its column ends."""


def bars(title: str, rows: Sequence[tuple[str, Decimal]], unit: str, note: str = "") -> str:
    """Draw one bar a row, in a list: name, figure and bar."""
    most = max((value for _, value in rows), default=Decimal(0))
    items = "".join(
        f'<li><span class="name" title="{escaped(name)}">{escaped(name)}</span>'
        f'<span class="value">{figure(value, places=PLACES)}</span>'
        '<svg class="bar" aria-hidden="true" focusable="false" width="100%" height="8">'
        f'<rect class="track" width="100%" height="8" rx="2"/>'
        f'<rect class="fill" width="{_percent(value, most)}%" height="8" rx="2"/></svg></li>'
        for name, value in rows
    )
    return _figure(title, unit, note, f'<ol class="bars">{items}</ol>')


def columns(title: str, rows: Sequence[tuple[str, Decimal]], unit: str) -> str:
    """Draw one column a month, in time."""
    most = max((value for _, value in rows), default=Decimal(0))
    step = 100 / max(len(rows), 1)
    every = -(-len(rows) // _LABELS)
    drawn: list[str] = []
    for index, (month, value) in enumerate(rows):
        height = _percent(value, most) / 100 * _PLOT
        wide = min(step * 0.72, 12)
        left = index * step + (step - wide) / 2
        text = f"{month}: {figure(value, places=PLACES)} {unit}"
        drawn.append(
            f'<rect class="fill" x="{left:.3f}%" y="{_PLOT - height:.2f}" width="{wide:.3f}%"'
            f' height="{height:.2f}" rx="2"><title>{escaped(text)}</title></rect>'
        )
        if (len(rows) - 1 - index) % every == 0:
            at, kind = (
                (left + wide, ' class="last"') if left + wide > _EDGE else (left + wide / 2, "")
            )
            drawn.append(f'<text{kind} x="{at:.3f}%" y="{_PLOT + 20}">{month}</text>')
    last, highest = rows[-1], max(rows, key=lambda row: row[1])
    words = (
        f"{title}: {len(rows)} months to {last[0]}; the most in {highest[0]},"
        f" {figure(highest[1], places=PLACES)} {unit}. The table has every figure."
    )
    svg = (
        f'<svg class="columns" role="img" aria-label="{escaped(words)}" width="100%"'
        f' height="{_HEIGHT}"><line class="rule" x1="0" x2="100%" y1="{_PLOT}" y2="{_PLOT}"/>'
        f"{''.join(drawn)}</svg>"
    )
    note = f"the most in {highest[0]}: {figure(highest[1], places=PLACES)}"
    return _figure(title, unit, note, svg)


def months_between(first: str, last: str, *, most: int) -> list[str]:
    """Name every month from the first to the last, of too many the latest."""
    year, month = (int(part) for part in last.split("-"))
    named: list[str] = []
    while len(named) < most and (name := f"{year:04}-{month:02}") >= first:
        named.append(name)
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return named[::-1]


def _figure(title: str, unit: str, note: str, drawing: str) -> str:
    words = ", ".join(filter(None, [unit, note]))
    caption = f'{escaped(title)} <span class="unit">{escaped(words)}</span>'
    return f"<figure><figcaption>{caption}</figcaption>{drawing}</figure>"


def _percent(value: Decimal, most: Decimal) -> float:
    """Give a length on paper; here, and only here, a figure may be cut."""
    if most <= 0 or value <= 0:
        return 0.0
    return int(value * 10_000 // most) / 100
