"""Tables and records in HTML, for notebooks and for the page: everything in them is escaped.

Names of accounts and assets are foreign input. They can hold markup, and characters that change the
direction of a line or can't be encoded. Markup is escaped, and such characters are spelled out.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from binance_dust._util.words import visible
from binance_dust.errors import DustError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "PLACES",
    "Cell",
    "Record",
    "escaped",
    "field_names",
    "figure",
    "moment",
    "record",
    "table",
]

Cell: TypeAlias = str | int | Decimal | datetime | None

_SHOWN: Final = 100
"""Rows of a table in a notebook. The last line counts the others."""
PLACES: Final = 8
"""Decimal places of the exchange. Figures are padded to them, and never cut."""


def escaped(text: str) -> str:
    """Give text as HTML has it, in an element or in an attribute between quotes."""
    from html import escape  # brings the names of all characters along

    return escape(visible(text))


def figure(value: Decimal | int, *, places: int = 0) -> str:
    """Write every digit of a number, padded to `places` decimals, with thousands separators."""
    if isinstance(value, int):
        return f"{value:,}"
    whole, _, fraction = f"{value:,f}".partition(".")
    fraction = fraction.ljust(places, "0")
    return f"{whole}.{fraction}" if fraction else whole


def moment(value: datetime) -> str:
    """Write a time as people read it, in UTC and to the second."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def table(
    caption: str,
    header: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    footer: Sequence[Cell] | None = None,
    most: int = _SHOWN,
) -> str:
    """Make a table: text left, figures right with all their digits, times in UTC.

    Of more rows than `most` the first are shown, and the last line says how many are not.
    """
    body = [list(row) for row in rows]
    shown, rest = body[:most], len(body) - most
    columns = list(zip_longest(*chain(body, [footer] if footer else [])))
    looks = [_look(column) for column in columns] or [("left", 0)] * len(header)
    looks += [("left", 0)] * (len(header) - len(looks))
    parts = [
        '<table style="border-collapse:collapse;font-variant-numeric:tabular-nums">',
        f'<caption style="text-align:left;font-weight:600">{escaped(caption)}</caption>',
        "<thead>",
        _row((_th(text, "col", look) for text, look in zip(header, looks, strict=False))),
        "</thead><tbody>",
        *(_row(_cells(row, looks)) for row in shown),
    ]
    if rest > 0:
        parts.append(_row([f'<td colspan="{len(header)}"{_style("left")}>and {rest:,} more</td>']))
    parts.append("</tbody>")
    if footer:
        parts += ["<tfoot>", _row(_cells(footer, looks)), "</tfoot>"]
    return "".join([*parts, "</table>"])


def _look(column: Sequence[Cell]) -> tuple[str, int]:
    """Decide how a column is aligned, and to how many places its figures are padded."""
    figures = [cell for cell in column if isinstance(cell, Decimal | int)]
    places = (len(f"{cell:f}".partition(".")[2]) for cell in figures if isinstance(cell, Decimal))
    return ("right" if figures else "left"), min(max(places, default=0), PLACES)


def _cells(row: Sequence[Cell], looks: Sequence[tuple[str, int]]) -> Iterable[str]:
    for index, (cell, (align, places)) in enumerate(zip(row, looks, strict=False)):
        if index == 0:
            yield _th(_shown(cell, places), "row", (align, places))
        else:
            yield f"<td{_style(align)}>{_isolated(_shown(cell, places))}</td>"


def _th(text: str, scope: str, look: tuple[str, int]) -> str:
    return f'<th scope="{scope}"{_style(look[0])}>{_isolated(text)}</th>'


def _shown(cell: Cell, places: int) -> str:
    match cell:
        case None:
            return ""
        case str():
            return cell
        case datetime():
            return moment(cell)
        case _:
            return figure(cell, places=places)


def _isolated(text: str) -> str:
    # `bdi` keeps a name that reads from right to left from pulling its neighbours along.
    return f"<bdi>{escaped(text)}</bdi>" if text and not text.isascii() else escaped(text)


def _style(align: str) -> str:
    return f' style="text-align:{align}"'


def _row(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(cells)}</tr>"


# --- any record ----------------------------------------------------------------------------------


class Record:
    """Base of records that a notebook shows: their fields, and below them their parts."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return record(self)


def record(value: Any) -> str:
    """Show the fields of a record as a table, and each of its lists of records as another."""
    cells: list[tuple[str, Cell]] = []
    parts: list[str] = []
    for name in field_names(value):
        found = _field(value, name)
        if isinstance(found, tuple | list) and found and field_names(found[0]):
            names = field_names(found[0])
            rows = ([_cell(_field(each, of)) for of in names] for each in found)
            parts.append(
                table(name.replace("_", " "), [of.replace("_", " ") for of in names], rows)
            )
        elif hasattr(found, "_repr_html_"):
            parts.append(found._repr_html_())
        elif found is not None and found not in ((), []):
            cells.append((name.replace("_", " "), _cell(found)))
    return "".join(["<div>", table(type(value).__name__, ("", ""), cells), *parts, "</div>"])


def field_names(value: Any) -> list[str]:
    """Name the fields of a record; empty for anything else."""
    names = getattr(type(value), "__struct_fields__", None)
    if names is None and is_dataclass(value):
        names = [each.name for each in fields(value)]
    return [name for name in names or () if name != "key_id"]


def _field(value: Any, name: str) -> Any:
    """Read a field; of an answer it may be unreadable, and a repr never raises."""
    try:
        return getattr(value, name)
    except DustError as error:
        return str(error)


def _cell(value: Any) -> Cell:
    match value:
        case bool() | enum.Enum():
            return str(value)
        case None | str() | int() | Decimal() | datetime():
            return value
        case tuple() | list() if all(isinstance(each, str) for each in value):
            return ", ".join(value)
        case Mapping():
            return ", ".join(f"{key}: {_cell(each)}" for key, each in value.items())
        case tuple() | list():
            return len(value)
        case _:
            return str(value)
