"""The tables and the prose that commands print. No figure, name or path is ever broken.

Figures stand with their decimal points below one another. If a terminal is too narrow for a table,
prose is wrapped at words. If that is not enough, the least important columns leave the row, and
stand below it with their titles. A pipe has room for everything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions
    from rich.text import Text

__all__ = ["TerminalColumn", "TerminalTable", "figure", "figures", "prose", "text", "wrapped"]

_GAP: Final = 2
_INDENT: Final = 4
"""Columns in front of what stands below its row."""
_PROSE: Final = 24
"""Columns that prose has at least, if it is that long."""
_ENDLESS: Final = 1_000_000
_FIGURE: Final = re.compile(r"([-+]?[0-9,]+)((?:\.[0-9]+)?)(.*)")
_WORD: Final = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class TerminalColumn:
    """A column of a table."""

    title: str
    kind: Literal["text", "figure", "prose"]
    rank: int
    """The highest rank leaves a row first, of equal ones the last column. One column stays."""


def text(title: str, rank: int = 1) -> TerminalColumn:
    """Make a column of names or other words that stay whole."""
    return TerminalColumn(title, "text", rank)


def figure(title: str, rank: int = 1) -> TerminalColumn:
    """Make a column of numbers, each perhaps with a unit behind it."""
    return TerminalColumn(title, "figure", rank)


def figures(*titles: str, rank: int = 1) -> tuple[TerminalColumn, ...]:
    """Make several columns of numbers."""
    return tuple(figure(title, rank) for title in titles)


def prose(title: str, rank: int = 1) -> TerminalColumn:
    """Make a column of words that may be wrapped."""
    return TerminalColumn(title, "prose", rank)


class TerminalTable:
    """Rows of cells with markup. Without any title there is no heading."""

    def __init__(self, *columns: TerminalColumn) -> None:
        """Begin without rows."""
        self._columns = columns
        self._rows: list[tuple[tuple[str, ...], str]] = []

    @property
    def row_count(self) -> int:
        """How many rows it has."""
        return len(self._rows)

    def add_row(self, *cells: str, style: str = "") -> None:
        """Add a row; cells that are not given are empty."""
        self._rows.append(((*cells, *[""] * (len(self._columns) - len(cells))), style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        width = options.max_width if console.is_terminal else _ENDLESS
        for line in self.lines(width):
            line.no_wrap, line.overflow = True, "ignore"
            yield line

    def lines(self, width: int) -> list[Text]:
        """Lay the table out for a terminal of this width."""
        rows = [([_marked(cell) for cell in cells], style) for cells, style in self._rows]
        columns = [
            _Filled(column, [cells[number] for cells, _ in rows], number)
            for number, column in enumerate(self._columns)
        ]
        # Without a title and without a text, a column would be a gap only.
        columns = [each for each in columns if each.column.title or each.natural]
        shown, below = _share(columns, width)
        lines = []
        if any(each.column.title for each in columns):
            head = [_marked(f"[bold]{each.column.title}[/]") for each in shown]
            lines += _row_of_lines(
                [(each, [each.aligned(head[n])]) for n, each in enumerate(shown)]
            )
        for number, (_, style) in enumerate(rows):
            block = _row_of_lines([(each, each.in_row(number)) for each in shown])
            block += _below([(each.column.title, each.cells[number]) for each in below], width)
            for line in block:
                line.stylize_before(style)
            lines += block
        return lines


class _Filled:
    """A column with its cells, and the room that it gets."""

    def __init__(self, column: TerminalColumn, cells: list[Text], number: int) -> None:
        self.column = column
        self.cells = cells
        self.number = number
        title = len(column.title)
        self._parts = [_FIGURE.fullmatch(cell.plain) for cell in cells]
        self._widths = [
            max((len(found[part]) for found in self._parts if found), default=0)
            for part in (1, 2, 3)
        ]
        if column.kind == "figure":
            whole = (cell.cell_len for cell, p in zip(cells, self._parts, strict=True) if not p)
            self.natural = max(sum(self._widths), *whole, 0)
        else:
            self.natural = max((cell.cell_len for cell in cells), default=0)
        self.least = self.natural = max(self.natural, title)
        if column.kind == "prose":
            longest = max((len(word) for cell in cells for word in cell.plain.split()), default=0)
            self.least = max(min(self.natural, _PROSE), longest, title)
        self.width = self.least

    def in_row(self, number: int) -> list[Text]:
        """Give the lines of one cell."""
        cell = self.cells[number]
        if self.column.kind == "prose":
            return _wrap(cell, self.width)
        found = self._parts[number]
        if self.column.kind != "figure" or not found:
            return [self.aligned(cell)]
        before, behind = (self._widths[part] - len(found[part + 1]) for part in (0, 1))
        point = found.end(2)
        cell = _joined(" " * before, cell[:point], " " * behind, cell[point:])
        cell.append(" " * (self._widths[2] - len(found[3])))
        return [self.aligned(cell)]

    def aligned(self, cell: Text) -> Text:
        """Fill a text up: numbers from the left."""
        pad = " " * (self.width - cell.cell_len)
        return _joined(pad, cell) if self.column.kind == "figure" else _joined(cell, pad)


def _share(columns: Sequence[_Filled], width: int) -> tuple[list[_Filled], list[_Filled]]:
    """Decide which columns stand in the row and which below it, and share the room."""
    shown, below = list(columns), []
    while True:
        room = width - sum(each.least for each in shown) - _GAP * (len(shown) - 1)
        if room >= 0 or len(shown) == 1:
            for each in shown:
                more = max(min(each.natural - each.least, room), 0)
                each.width = each.least + more
                room -= more
            break
        leaving = max(shown, key=lambda each: (each.column.rank, each.number))
        shown.remove(leaving)
        below.append(leaving)
    return shown, sorted(below, key=lambda each: each.number)


def _row_of_lines(cells: Sequence[tuple[_Filled, list[Text]]]) -> list[Text]:
    """Put cells side by side; one of prose may have several lines."""
    lines = []
    for number in range(max(len(own) for _, own in cells)):
        parts: list[str | Text] = []
        for column, own in cells:
            part = own[number] if number < len(own) else _joined()
            parts += [part, " " * (column.width - part.cell_len + _GAP)]
        line = _joined(*parts)
        line.rstrip()
        lines.append(line)
    return lines


def _below(cells: Iterable[tuple[str, Text]], width: int) -> list[Text]:
    """Put cells below their row, each whole and with its title, as many in a line as fit."""
    lines: list[Text] = []
    for title, cell in cells:
        if not cell.plain.strip():
            continue
        part = _joined(_marked(f"[dim]{title}[/] "), cell) if title else cell
        if lines and lines[-1].cell_len + _GAP + part.cell_len <= width:
            lines[-1].append(" " * _GAP).append_text(part)
            continue
        lines += [_joined(" " * _INDENT, each) for each in _wrap(part, width - _INDENT)]
    return lines


def wrapped(words: Text, width: int) -> Text:
    """Wrap each line of a text at words; what is indented goes on a little further in."""
    lines: list[Text] = []
    for line in words.split("\n", allow_blank=True):
        indent = len(line.plain) - len(line.plain.lstrip())
        lines += _wrap(line, width, hanging=indent + _GAP if indent else 0)
    return _joined("\n").join(lines)


def _wrap(words: Text, width: int, hanging: int = 0) -> list[Text]:
    """Wrap at spaces only; what has none stays whole, however long it is."""
    cuts: list[int] = []
    begin = 0
    for found in _WORD.finditer(words.plain):
        room = width - hanging if cuts else width
        too_long = words[begin : found.end()].cell_len > room
        if too_long and words.plain[begin : found.start()].strip():
            begin = found.start()
            cuts.append(begin)
    first, *rest = words.divide(cuts) if cuts else [words.copy()]
    lines = [first, *(_joined(" " * hanging, each) for each in rest)]
    for line in lines[:-1]:
        line.rstrip()
    return lines


def _marked(cell: str) -> Text:
    from rich.text import Text

    return Text.from_markup(cell, end="")


def _joined(*parts: str | Text) -> Text:
    from rich.text import Text

    return Text.assemble(*parts)
