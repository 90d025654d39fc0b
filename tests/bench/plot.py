"""Plots of tables: SVG in one piece, readable on light ground and on dark.

Bars: a panel for each figure in which there is a contest. Lines: a figure against accounts, both by
powers of ten. Ours is in colour, the others are grey, and everybody is named where it is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from tests.bench.results import OURS, Column, Table

WIDTH = 760
EDGE = 24
TOP = 58
"""Where a plot begins, below its title."""
STYLE = """
.ground { fill: #ffffff; stroke: #d8dee6 }
text { fill: #5b6675; font: 12.5px system-ui, sans-serif }
.title { fill: #18202b; font-size: 16px; font-weight: 600 }
.head { fill: #18202b; font-weight: 600 }
.ours { fill: #0b7a75; font-weight: 600 }
.bar, .dot { fill: #b3bdc9 }
.line { fill: none; stroke: #b3bdc9; stroke-width: 2 }
.bar.mine, .dot.mine { fill: #0f9d94 }
.line.mine { stroke: #0f9d94; stroke-width: 3 }
.grid { stroke: #e9edf2 }
.cut { stroke: #ffffff; stroke-width: 3 }
@media (prefers-color-scheme: dark) {
  .ground { fill: #12171f; stroke: #2b3442 }
  text { fill: #9aa7b8 }
  .title, .head { fill: #e8edf4 }
  .ours { fill: #4fd6cb }
  .bar, .dot { fill: #56637a }
  .line { stroke: #56637a }
  .bar.mine, .dot.mine { fill: #22b3a8 }
  .line.mine { stroke: #22b3a8 }
  .grid { stroke: #232b37 }
  .cut { stroke: #12171f }
}
"""


def draw(table: Table) -> str:
    """Draw a table as it wants to be drawn."""
    shapes, height = _lines(table) if table.plot == "lines" else _bars(table)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-label="{escape(table.title)}">'
    )
    ground = (
        f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>'
    )
    title = _text(EDGE, 34, table.title, "title")
    return "\n".join([head, f"<style>{STYLE}</style>", ground, title, *shapes, "</svg>", ""])


# --- bars ----------------------------------------------------------------------------------------

ROW = 24
NAMES = 108
"""What the names take on the left of a panel."""
FIGURES = 62
"""What the figures take on its right."""
LONGEST = 4.0
"""A bar longer than this many of ours is cut, so that the others can be told apart."""


def _bars(table: Table) -> tuple[list[str], int]:
    contests = [at for at, column in enumerate(table.columns) if column.better is not None]
    across = 2 if len(contests) > 1 else 1
    width = (WIDTH - 2 * EDGE - (across - 1) * EDGE) / across
    height = ROW * len(table.rows) + 52
    shapes: list[str] = []
    for place, at in enumerate(contests):
        left = EDGE + place % across * (width + EDGE)
        shapes += _panel(table, at, left, TOP + place // across * height, width)
    return shapes, round(TOP + math.ceil(len(contests) / across) * height)


def _panel(table: Table, at: int, left: float, top: float, width: float) -> Iterator[str]:
    column = table.columns[at]
    yield _text(left, top + 12, f"{column.title} ({column.better} is better)", "head")
    found = {row.who: row.figure(at) for row in table.rows}
    room = width - NAMES - FIGURES
    longest = _longest(column, found)
    for number, (who, value) in enumerate(found.items()):
        mine = who == OURS
        y = top + 24 + number * ROW
        yield _text(left, y + 13, who, "ours" if mine else "")
        length = min(1.0, (value or 0) / longest) * room
        start = left + NAMES
        if value is not None:
            yield _bar(start, y, length, mine=mine)
            if value > longest:
                x = start + length - 14
                yield f'<path class="cut" d="M{x:.1f} {y + 18} l6 -20"/>'
        figure = column.text(value)
        yield _text(start + length + 6, y + 13, figure, "ours" if mine else "")


def _bar(x: float, y: float, length: float, *, mine: bool) -> str:
    kind = "bar mine" if mine else "bar"
    place = f'x="{x:.1f}" y="{y:.1f}" width="{max(length, 1):.1f}"'
    return f'<rect class="{kind}" {place} height="16" rx="2"/>'


def _longest(column: Column, found: dict[str, float | None]) -> float:
    """Give the value of a bar of full length."""
    longest = max((value for value in found.values() if value is not None), default=0.0)
    ours = found.get(OURS)
    if column.better == "less" and ours:
        longest = min(longest, ours * LONGEST)
    return longest or 1.0


# --- lines ---------------------------------------------------------------------------------------

HIGH = 260
RIGHT = 150
"""What the names take on the right of the lines."""
LEFT = 60
APART = 15.0
"""How far names are from one another."""


class Scale(NamedTuple):
    """Powers of ten, from a first place to a last one."""

    least: float
    most: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        """Give the place of a value."""
        part = math.log(value / self.least) / math.log(self.most / self.least)
        return self.begin + part * (self.end - self.begin)

    def marks(self) -> Iterator[float]:
        """Give round values within it: 1, 2 and 5 of every power of ten."""
        for power in range(
            math.floor(math.log10(self.least)), math.ceil(math.log10(self.most)) + 1
        ):
            for digit in (1, 2, 5):
                if self.least <= (value := digit * 10.0**power) <= self.most:
                    yield value


def _lines(table: Table) -> tuple[list[str], int]:
    counts = [
        (at, float(c.title.replace(",", "")))
        for at, c in enumerate(table.columns)
        if c.title[0].isdigit()
    ]
    points = {row.who: [(x, y) for at, x in counts if (y := row.figure(at))] for row in table.rows}
    found = [y for line in points.values() for _, y in line]
    bottom = TOP + HIGH
    across = Scale(counts[0][1], counts[-1][1], EDGE + LEFT, WIDTH - RIGHT)
    up = Scale(min(found) * 0.8, max(found) * 1.2, bottom, TOP + 10)
    shapes = [*_grid(up, bottom)]
    shapes += [_text(across(x), bottom + 20, f"{x:,.0f}", "", "middle") for _, x in counts]
    shapes.append(_text(across.end, bottom + 42, table.axis, "", "end"))
    ends = {who: up(line[-1][1]) for who, line in points.items() if line}
    beside = spread(ends, APART)
    for who, line in points.items():
        shapes += _line(who, [(across(x), up(y)) for x, y in line], line[-1][1], beside[who])
    return shapes, bottom + 58


def _grid(up: Scale, bottom: float) -> Iterator[str]:
    for value in up.marks():
        y = up(value)
        yield f'<path class="grid" d="M{EDGE + LEFT - 8} {y:.1f} H{WIDTH - RIGHT}"/>'
        yield _text(EDGE + LEFT - 14, y + 4, f"{value:,.0f}", "", "end")


def _line(
    who: str, places: Sequence[tuple[float, float]], last: float, beside: float
) -> Iterator[str]:
    mine = " mine" if who == OURS else ""
    path = " L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    yield f'<path class="line{mine}" d="M{path}"/>'
    for x, y in places:
        yield f'<circle class="dot{mine}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
    yield _text(places[-1][0] + 10, beside + 4, f"{who} {last:,.0f}", "ours" if mine else "")


def spread(places: dict[str, float], apart: float) -> dict[str, float]:
    """Move places that are too near one another apart, each as little as it needs, in order."""
    found: dict[str, float] = {}
    last = -math.inf
    for who in sorted(places, key=places.__getitem__):
        last = found[who] = max(places[who], last + apart)
    return found


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    classes = f' class="{kind}"' if kind else ""
    side = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text{classes} x="{x:.1f}" y="{y:.1f}"{side}>{escape(text)}</text>'
