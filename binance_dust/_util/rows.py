"""Answers of rows that do not depend on one another, and answers of switches.

One row of a log that can't be read must not hide the others. It is set aside and named.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar, cast, get_args, get_origin

import msgspec
from msgspec import field

from binance_dust._util import misfit
from binance_dust._util.exact import (
    AnswerStruct,
    Moment,
    are_plain,
    ensure_readable,
    raw,
    to_moment,
)
from binance_dust._util.words import visible
from binance_dust.errors import UnreadableAnswerError

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["RowsAnswer", "SwitchesAnswer", "UnreadRow", "show", "without_unreadable"]

R = TypeVar("R")

_IDS: Final = ("transId", "tranId")
_TIMES: Final = ("operateTime", "timestamp")
_DETAILS: Final = "userAssetDribbletDetails"
_ID: Final = re.compile(r"[0-9]{1,40}")
_LONGEST_REASON: Final = 200
_TOO_MANY: Final = "too many rows for a page"
_MOST_ROWS: Final = 1000
"""Ten times what a page has."""


class UnreadRow(AnswerStruct, frozen=True):
    """A row that can't be read: which one, and why not."""

    place: str
    """As in `$.userAssetDribblets[3]`."""
    why: str
    id: str | None = None
    """The exchange's id of it, if that can be read."""
    at: Moment | None = None
    """When it happened, if that can be read."""

    def __str__(self) -> str:
        name = self.place if self.id is None else f"record {self.id}"
        when = "" if self.at is None else f" of {self.at:%F %T} UTC"
        return f"{name}{when} can't be read: {self.why}"


class RowsAnswer(AnswerStruct, frozen=True):
    """Base of an answer with rows of which each can be read, or not, by itself."""

    rows_in: ClassVar[str]
    """The field that holds the rows."""

    unread: list[UnreadRow] = field(default_factory=list)
    """Rows that can't be read. They are not among the others."""

    @classmethod
    def row_by_row(cls, decoder: msgspec.json.Decoder[Self], body: bytes) -> Self:
        """Read a body of which some row does not fit, and set such rows aside.

        Raises `ValidationError` if anything but its rows does not fit.
        """
        wire_name, kind = cls._rows()
        parts = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        parts.pop("unread", None)
        listed = msgspec.json.decode(parts.get(wire_name, b"null"), type=list[msgspec.Raw])
        read = msgspec.json.Decoder(kind, strict=False, float_hook=str).decode
        if len(listed) > _MOST_ROWS:
            raise msgspec.ValidationError(_TOO_MANY)
        rows, unread = [], []
        for n, each in enumerate(listed):
            place = f"$.{wire_name}[{n}]"
            try:
                row = read(each)
                row.check()
            except UnreadableAnswerError as error:
                unread.append(_unread(_load(bytes(each)), place, str(error)))
            except msgspec.ValidationError:
                value = _load(bytes(each))
                found = misfit.find(value, kind, place)
                unread.append(_unread(value, place, str(found or "it can't be read")))
            else:
                rows.append(row)
        rest = decoder.decode(msgspec.json.encode({**parts, wire_name: []}))
        return msgspec.structs.replace(rest, **{cls.rows_in: rows, "unread": unread})

    def sifted(self) -> Self:
        """Set aside the rows with an amount or a time that can't be read."""
        wire_name, _ = self._rows()
        rows = getattr(self, self.rows_in)
        if len(rows) > _MOST_ROWS:
            raise msgspec.ValidationError(_TOO_MANY)
        good, bad = readable_rows(rows, f"$.{wire_name}")
        return msgspec.structs.replace(self, **{self.rows_in: good, "unread": bad})

    @classmethod
    def _rows(cls) -> tuple[str, Any]:
        """Give the wire's name of the rows, and their type."""
        (found,) = (each for each in msgspec.structs.fields(cls) if each.name == cls.rows_in)
        return found.encode_name, get_args(found.type)[0]


class SwitchesAnswer(AnswerStruct, frozen=True):
    """Base of an answer of which each field can be missing, but not all of them."""

    def __post_init__(self) -> None:
        """Refuse an answer of another form."""
        if all(raw(self, name) is None for name in self.__struct_fields__):
            raise ValueError("none of its fields is there")


def readable_rows(rows: list[R], place: str = "$") -> tuple[list[R], list[UnreadRow]]:
    """Divide rows into those that can be read and those that can't."""
    if are_plain(rows):
        return rows, []
    good: list[R] = []
    bad: list[UnreadRow] = []
    for n, row in enumerate(rows):
        try:
            ensure_readable(row)
        except UnreadableAnswerError as error:
            bad.append(_unread(msgspec.to_builtins(row), f"{place}[{n}]", str(error)))
        else:
            good.append(row)
    return good, bad


def without_unreadable(answer: R) -> tuple[R, list[UnreadRow]]:
    """Take the rows that can't be read out of an answer; raise if anything else of it can't be.

    Only where the caller tells that they are missing: nothing read is not zero.
    """
    bad: list[UnreadRow] = []
    if isinstance(answer, list):
        good, bad = readable_rows(answer)
        return cast("R", good), bad
    if isinstance(answer, AnswerStruct):
        for name in _texts_and_lists(type(answer))[1]:
            good, found = readable_rows(getattr(answer, name) or [], f"$.{name}")
            if found:
                answer = cast("R", msgspec.structs.replace(cast("Any", answer), **{name: good}))
            bad += found
    ensure_readable(answer)
    return answer, bad


def show(value: object) -> None:
    """Make the texts of an answer visible: they are printed in many places."""
    rows: list[Any] = value if isinstance(value, list) else [value]
    for kind in {type(row) for row in rows}:
        if kind is str:
            rows[:] = map(visible, rows)
        if not issubclass(kind, AnswerStruct):
            continue
        texts, lists = _texts_and_lists(kind)
        for row in rows:
            for name in texts:
                text = getattr(row, name)
                if text is not None and not text.isprintable():
                    msgspec.structs.force_setattr(row, name, visible(text))
            for name in lists:
                show(getattr(row, name))


@cache
def _texts_and_lists(kind: type[AnswerStruct]) -> tuple[list[str], list[str]]:
    """Name the fields of a type that hold texts, and those that hold rows."""
    types = {each.name: each.type for each in msgspec.structs.fields(kind)}
    texts = [name for name, hint in types.items() if hint in (str, str | None)]
    lists = [
        name
        for name, hint in types.items()
        if any(get_origin(each) is list for each in (hint, *get_args(hint)))
    ]
    return texts, lists


def _load(row: bytes) -> object:
    try:
        return misfit.load(row)
    except (ValueError, RecursionError):
        return None


def _unread(value: object, place: str, why: str) -> UnreadRow:
    """Name a row by what can be read of it."""
    told = value if isinstance(value, dict) else {}
    details = told.get(_DETAILS)
    inner = details[0] if isinstance(details, list) and details else None
    ids = [told.get(name) for name in _IDS]
    times = [each.get(name) for each in (told, inner) if isinstance(each, dict) for name in _TIMES]
    return UnreadRow(
        place=place,
        why=visible(why, _LONGEST_REASON),
        id=next((str(each) for each in ids if _is_id(each)), None),
        at=next((time for each in times if (time := _time(each)) is not None), None),
    )


def _is_id(value: object) -> bool:
    return _ID.fullmatch(str(value)) is not None


def _time(value: object) -> datetime | None:
    try:
        return to_moment(value)
    except ValueError:
        return None
