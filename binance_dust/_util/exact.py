"""Exact amounts, times and ids: kept as the wire sent them, and converted when they are first read.

A caller reads one or two of the seven fields of a row, and the answers of a desk have hundreds of
rows. Measured on 1,000 assets: decoding into texts takes 0.20 ms, `json.loads` 0.65 ms, and
decoding straight into `Decimal` 0.94 ms. So an `Amount` is decoded as what the JSON holds (a text
stays a text, a number with a fraction becomes the text of its digits, never a float), and becomes a
`Decimal` when it is read. See docs/decisions/0003.

Type checkers see `Decimal` and `datetime`, and so does the reader. A text that is no finite number
raises `UnreadableAnswerError` when it is read.
"""

from __future__ import annotations

import decimal
import functools
import inspect
import re
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import FunctionType
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, get_args, get_type_hints

import msgspec

from binance_dust.errors import UnreadableAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_REFERENCE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}")

# Nothing is ever rounded. The exponent is bounded, because 1e999999999 is finite and would fill the
# memory when it is printed. Unlike `Decimal(...)`, a context rejects white space and underscores.
_EXACT: Final = decimal.Context(
    prec=decimal.MAX_PREC,
    Emin=-999,
    Emax=999,
    traps=[decimal.InvalidOperation, decimal.Overflow, decimal.Subnormal, decimal.Inexact],
)
_read: Final = _EXACT.create_decimal

# A product of two amounts has twice the exponent. No trap is needed: it is always exact.
_WIDE: Final = decimal.Context(
    prec=decimal.MAX_PREC, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX, traps=[]
)
_DIVISION: Final = decimal.Context(prec=28, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX, traps=[])
"""A quotient may have no last digit: keep 28, as Python's default context does."""


def to_amount(value: object) -> Decimal:
    """Convert what the wire sent into an exact, finite number, or raise `ValueError`."""
    kind = type(value)
    if kind is Decimal or kind is int or (isinstance(value, str) and value.isascii()):
        try:
            amount = _read(value)  # type: ignore[arg-type]
        except decimal.DecimalException:
            pass
        else:
            if amount.is_finite():
                return amount
    raise ValueError(value)


def to_moment(value: object) -> datetime:
    """Convert milliseconds (a number or digits) into a UTC time, or raise `ValueError`.

    One old sample has `2018-05-03 17:07:04`, without a zone: read as UTC.
    """
    match value:
        case datetime() if value.tzinfo is not None:
            return value
        case bool():
            pass
        case int():
            return _since_epoch(value)
        case str() if value.isascii() and value.removeprefix("-").isdigit():
            return _since_epoch(int(value))
        case str():
            return _as_utc(datetime.fromisoformat(value))
        case _:
            pass
    raise ValueError(value)


def to_reference(value: object) -> str:
    """Convert an id that may be a number or a word into a text, or raise `ValueError`."""
    text = str(value) if type(value) is int else value
    if isinstance(text, str) and _REFERENCE.fullmatch(text):
        return text
    raise ValueError(value)


def from_moment(moment: datetime) -> int:
    """Give the whole milliseconds since the epoch of an aware time."""
    return (moment - _EPOCH) // _MILLISECOND


def _as_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # in the first or the last hours of the calendar, elsewhere
        raise ValueError(moment) from None


def _since_epoch(milliseconds: int) -> datetime:
    try:
        return _EPOCH + milliseconds * _MILLISECOND
    except OverflowError:
        raise ValueError(milliseconds) from None


class _Converted:
    """Marks the annotation of a field that is converted when it is read."""

    __slots__ = ("convert", "expected")

    def __init__(self, convert: Callable[[object], object], expected: str) -> None:
        self.convert = convert
        self.expected = expected


if TYPE_CHECKING:
    Amount: TypeAlias = Decimal
    Moment: TypeAlias = datetime
    Reference: TypeAlias = str
else:
    Amount = Annotated[Any, _Converted(to_amount, "a finite number")]
    Moment = Annotated[Any, _Converted(to_moment, "a time")]
    Reference = Annotated[Any, _Converted(to_reference, "an id")]

Id: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""The ledger keeps ids in 64 bits. A larger one makes its row unreadable."""


class AnswerStruct(msgspec.Struct, frozen=True, kw_only=True, rename="camel", eq=False):
    """Base of all answers of the exchange: immutable, and compared by their converted values."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, text in inspect.get_annotations(cls).items():
            hint = _hint(text, cls.__module__)
            mark = _mark_of(hint)
            if mark is not None and name in cls.__dict__:
                # The slot gets another name; a property under the old one converts its value.
                setattr(cls, f"_{name}", cls.__dict__[name])
                setattr(cls, name, property(_getter(name, mark, optional=_optional(hint))))

    def check(self) -> None:
        """Read every amount and time once, so that none raises later."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, _PARTS):
                ensure_readable(value)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__struct_fields__)

    def __hash__(self) -> int:
        values = (getattr(self, name) for name in self.__struct_fields__)
        return hash((type(self), *(tuple(v) if isinstance(v, list) else v for v in values)))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={_shown(self, name)}" for name in self.__struct_fields__)
        return f"{type(self).__name__}({fields})"

    def _repr_html_(self) -> str:
        from binance_dust._util.html import record

        return record(self)


_PARTS: Final = (list, AnswerStruct)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Add up, exactly: the default context would round to 28 digits."""
    return functools.reduce(_EXACT.add, amounts, Decimal(0))


def total_of_texts(amounts: str) -> Decimal:
    """Add up amounts in one text, with blanks between; `ValueError` if one can't be read."""
    try:
        found = total(map(_read, amounts.split(" ")))
    except decimal.DecimalException:
        raise ValueError(amounts) from None
    if not found.is_finite():
        raise ValueError(amounts)
    return found


def difference(amount: Decimal, less: Decimal) -> Decimal:
    """Subtract, exactly, independent of the caller's decimal context."""
    return _EXACT.subtract(amount, less)


def product(amount: Decimal, factor: Decimal) -> Decimal:
    """Multiply, exactly, independent of the caller's decimal context."""
    return _WIDE.multiply(amount, factor)


def ratio(part: Decimal, whole: Decimal) -> Decimal:
    """Divide to 28 digits, independent of the caller's decimal context; `whole` is not zero."""
    return _DIVISION.divide(part, whole)


def raw(answer: AnswerStruct, name: str) -> object:
    """Give a field as the wire sent it."""
    slot = f"_{name}"
    return getattr(answer, slot if hasattr(type(answer), slot) else name)


def ensure_readable(value: object) -> None:
    """Read every amount and time of an answer once, so that none raises later."""
    if isinstance(value, list):
        if not are_plain(value):
            for item in value:
                ensure_readable(item)
    elif isinstance(value, AnswerStruct):
        value.check()


# --- many rows at once ---------------------------------------------------------------------------
#
# Reading every amount of 1,000 assets takes 2.2 ms, ten times what decoding them takes. But nearly
# all of them are digits with a point. A column of such texts is joined and looked at as a whole, by
# loops in C: 0.17 ms. Whatever is not plainly a number is read.

_PLAIN: Final = re.compile(
    r"(?:[0-9]{1,250}+(?:\.[0-9]{1,250}+)?+,)*+[0-9]{1,250}+(?:\.[0-9]{1,250}+)?+"
)
"""Texts of digits, with a point among them or not, and a comma between two texts.

A number with more than 999 digits may be refused, so a long one is read. Nothing is tried twice: a
`+` behind a quantifier gives nothing back.
"""


def are_plain(rows: list[Any]) -> bool:
    """Whether all amounts of rows are plainly numbers; if not, they may be numbers all the same."""
    kinds = set(map(type, rows))
    if len(kinds) != 1:
        return not rows
    columns = _columns_of(kinds.pop())
    return columns is not None and all(
        _is_plain(column(rows), optional=optional) for column, optional in columns
    )


def _is_plain(values: list[Any], *, optional: bool) -> bool:
    """Whether these are texts of plain numbers; `optional` ones may be `None`."""
    try:
        text = ",".join(values)
    except TypeError:  # not all are texts
        texts = [value for value in values if value is not None] if optional else values
        return len(texts) < len(values) and _is_plain(texts, optional=False)
    commas = len(values) - 1
    if text == "0," * commas + "0":
        return True  # what is locked, frozen and so on mostly is
    return not values or (text.count(",") == commas and _PLAIN.fullmatch(text) is not None)


@functools.cache
def _columns_of(kind: type) -> list[tuple[Callable[[list[Any]], list[Any]], bool]] | None:
    """Make a function for each amount of a type, that takes it out of rows; `None` if one can't.

    With each comes whether the amount is optional.
    """
    if not issubclass(kind, AnswerStruct) or kind.check is not AnswerStruct.check:
        return None
    columns = []
    for name, hint in get_type_hints(kind, include_extras=True).items():
        mark = _mark_of(hint)
        if mark is None and name in kind.__struct_fields__ and not _is_leaf(hint):
            return None
        if mark is not None and mark.convert is not to_amount:
            return None
        if mark is not None:
            text = f"lambda rows: [row._{name} for row in rows]"
            columns.append((eval(text), _optional(hint)))  # noqa: S307 - our own text
    return columns


def _is_leaf(hint: Any) -> bool:
    """Whether a field holds no amounts of its own."""
    return all(part in {str, int, bool, type(None)} for part in (get_args(hint) or (hint,)))


@functools.cache
def _hint(text: Any, module: str) -> Any:
    """Give what an annotation means in a module: the same few stand at most fields."""
    return eval(text, vars(sys.modules[module])) if isinstance(text, str) else text  # noqa: S307


def _mark_of(hint: Any) -> _Converted | None:
    """Find the mark in `Amount`, and in `Amount | None`."""
    for part in (hint, *getattr(hint, "__args__", ())):
        for mark in getattr(part, "__metadata__", ()):
            if isinstance(mark, _Converted):
                return mark
    return None


# Reading an amount is the most frequent operation. With the name of its slot put into one of these
# two, a valid text takes one conversion and two checks: 0.23 µs, where a descriptor's `__get__`
# with a regular expression took 0.8 µs.


def _read_amount(answer: Any, otherwise: Any = None) -> Any:
    value = answer._slot  # noqa: SLF001 - stands for the name of a slot
    try:
        amount = _read(value)
        if amount.is_finite() and value.isascii():
            return amount
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        pass
    return otherwise(answer, value)


def _read_optional_amount(answer: Any, otherwise: Any = None) -> Any:
    value = answer._slot  # noqa: SLF001 - stands for the name of a slot
    if value is None:
        return None
    try:
        amount = _read(value)
        if amount.is_finite() and value.isascii():
            return amount
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        pass
    return otherwise(answer, value)


def _getter(name: str, mark: _Converted, *, optional: bool) -> Callable[[Any], Any]:
    slot = f"_{name}"

    def otherwise(answer: AnswerStruct, value: object) -> object:
        if value is None and optional:
            return None
        try:
            return mark.convert(value)
        except ValueError:
            path = f"{type(answer).__name__}.{name}"
        message = f"{path}: {repr(value)[:40]} is not {mark.expected}"
        raise UnreadableAnswerError(message, path=path)

    if mark.convert is not to_amount:
        return lambda answer: otherwise(answer, getattr(answer, slot))
    # Not by `exec` for each field: compiling took a third of the time to import all answers.
    code = (_read_optional_amount if optional else _read_amount).__code__
    names = tuple(slot if each == "_slot" else each for each in code.co_names)
    return FunctionType(code.replace(co_names=names), globals(), name, (otherwise,))


def _optional(hint: Any) -> bool:
    return type(None) in getattr(hint, "__args__", ())


def _shown(answer: AnswerStruct, name: str) -> str:
    """Show a field, also an unreadable one: a repr never raises."""
    try:
        value = getattr(answer, name)
    except UnreadableAnswerError as error:
        return f"<{error}>"
    return str(value) if isinstance(value, Decimal | datetime) else repr(value)
