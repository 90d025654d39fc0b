"""Answers and errors as plain values, for JSON and CSV, and back again.

Names are Python's (`to_bnb`, not `toBNB`), amounts are texts in fixed point, times are ISO 8601 in
UTC. Nothing is rounded: what is written and read again is equal to what it was.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args, get_type_hints

import msgspec

from binance_dust import errors
from binance_dust._util.exact import AnswerStruct, to_moment
from binance_dust._util.misfit import find
from binance_dust.errors import DustError, UnreadableAnswerError, revive

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FORMAT", "answer_from_plain", "error_from_plain", "newer", "plain"]

FORMAT: Final = 1
"""The format of written reports. Count it up when an older version would misread a report. A new
key needs no new number: older versions ignore it."""

A = TypeVar("A", bound=AnswerStruct)

_TIMES = frozenset({"until", "sent_after", "expires_at", "retry_at"})
"""The fields of errors that are times."""
_TUPLES = frozenset({"assets", "entry_ids"})


def plain(value: Any) -> Any:  # noqa: PLR0911 - one line a kind of value
    """Convert a value to what JSON has."""
    match value:
        case AnswerStruct():
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        case DustError():
            fields = {name: plain(field) for name, field in vars(value).items()}
            return {"type": type(value).__name__, "text": str(value), **fields}
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case enum.Enum():
            return value.value
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
        case _:
            return value


def newer(written: int) -> str:
    """Say why a file of a later format is rejected."""
    return (
        f"was written by a newer version of this package (format {written}, this one knows"
        f" {FORMAT}): upgrade binance-dust"
    )


def answer_from_plain(kind: type[A], value: Any) -> A:
    """Read an answer that was written by `plain`."""
    found: object = None
    try:
        wire = _as_wire(kind, value)
        try:
            return msgspec.convert(wire, kind)
        except msgspec.ValidationError:
            found = find(wire, kind, kind.__name__, strict=True)
    except (AttributeError, TypeError):
        pass  # no mapping of texts
    raise UnreadableAnswerError(str(found or f"this is no {kind.__name__} that was written down"))


def error_from_plain(value: dict[str, Any]) -> DustError:
    """Read an error that was written by `plain`; an unknown class becomes `DustError`.

    Raises `ValueError` or `TypeError` if `plain` did not write it.
    """
    fields = dict(value)
    kind = getattr(errors, str(fields.pop("type", "")), DustError)
    if not (isinstance(kind, type) and issubclass(kind, DustError)):
        kind = DustError
    text = str(fields.pop("text", ""))
    for name in _TIMES & fields.keys():
        if isinstance(fields[name], str):
            fields[name] = to_moment(fields[name])
    if isinstance(fields.get("delivery"), str):
        fields["delivery"] = errors.Delivery(fields["delivery"])
    for name in _TUPLES & fields.keys():
        if isinstance(fields[name], list):
            fields[name] = tuple(fields[name])
    return revive(kind, (text,), fields)


def _as_wire(kind: type[AnswerStruct], value: dict[str, Any]) -> dict[str, Any]:
    """Replace Python's field names by the wire's, which the decoder knows."""
    fields = _fields(kind)
    return {
        fields[name][0]: _rows_as_wire(fields[name][1], item)
        for name, item in value.items()
        if name in fields
    }


@cache
def _fields(kind: type[AnswerStruct]) -> dict[str, tuple[str, type[AnswerStruct] | None]]:
    """Give the wire's name of each field, and the type of its rows if it holds rows."""
    hints = get_type_hints(kind)
    return {
        field.name: (
            field.encode_name,
            next(filter(_is_answer, _parts(hints[field.name])), None),
        )
        for field in msgspec.structs.fields(kind)
    }


def _rows_as_wire(row: type[AnswerStruct] | None, item: Any) -> Any:
    if row is None or not isinstance(item, list):
        return item
    return [_as_wire(row, each) for each in item]


def _parts(hint: Any) -> Iterator[Any]:
    """Give what a type is made of: `list[X] | None` has an X."""
    for part in get_args(hint):
        yield part
        yield from _parts(part)


def _is_answer(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, AnswerStruct)
