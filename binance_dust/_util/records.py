"""Any record as HTML, for notebooks: its fields as a table, and each of its lists as another."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from binance_dust._util.html import table
from binance_dust.errors import DustError

if TYPE_CHECKING:
    from binance_dust._util.html import Cell

__all__ = ["field_names", "record"]


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
