"""Where a value does not fit its declared type: the path, and what is wrong there.

The decoder says so too, but in a sentence that another release may word otherwise. Here the place
is found by the declared type, part by part. Only failures come this way, so it may take its time.
"""

from __future__ import annotations

import json
import types
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Union, get_args, get_origin

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXPECTED: Final = {str: "a text", int: "a whole number", bool: "true or false", float: "a number"}
_FOUND: Final = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
}


class Misfit(NamedTuple):
    """One place that does not fit."""

    path: str
    """As in `$[3].free`."""
    problem: str

    def __str__(self) -> str:
        return f"{self.problem} at {self.path}"


class _TooLong:
    """Stands for an integer that has too many digits to be one."""


def load(body: bytes) -> object:
    """Read JSON into plain values; raises `ValueError` or `RecursionError` if it can't.

    This is not the decoder of answers: it keeps what that one refuses, so that it can be found.
    """
    return json.loads(
        body.decode(), parse_int=_integer, parse_float=float, parse_constant=_refuse_constant
    )


def find(value: object, kind: Any, path: str = "$", *, strict: bool = False) -> Misfit | None:
    """Find the smallest part of a value that does not fit, or nothing if all of it fits."""
    problem = _odd(value)
    if problem is not None:
        return Misfit(path, problem)
    kind = _without_none(kind) if value is not None else kind
    shape = _shape(kind)
    if shape is not None and not isinstance(value, shape):
        # None may fit, or be missed: the decoder's rule decides.
        return None if _fits(value, kind, strict=strict) else _other_kind(value, kind, path)
    for part, part_kind, where in _parts(value, kind, path):
        if isinstance(value, list) and _is_sound(part, part_kind, strict=strict):
            continue  # a hundred times as fast as looking into it
        found = find(part, part_kind, where, strict=strict)
        if found is not None:
            return found
    missing = _missing(value, kind)
    if missing is not None:
        return Misfit(path, f"`{missing}` is missing")
    return None if _fits(value, kind, strict=strict) else _other_kind(value, kind, path)


def _integer(digits: str) -> object:
    try:
        return int(digits)
    except ValueError:  # more digits than Python takes, and the decoder neither
        return _TooLong()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _odd(value: object) -> str | None:
    """Say what no type can take, which plain values can hold all the same."""
    if isinstance(value, _TooLong):
        return "a number with too many digits"
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return "half a character (a lone surrogate)"
    return None


def _without_none(kind: Any) -> Any:
    """Take `None` out of an optional type, for a value that is there."""
    if get_origin(kind) not in (Union, types.UnionType):
        return kind
    kinds = [each for each in get_args(kind) if each is not type(None)]
    return kinds[0] if len(kinds) == 1 else kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _shape(kind: Any) -> type | None:
    """Give the plain type that holds the parts of such a value, if it has any."""
    if _is_struct(kind):
        return dict
    return list if get_origin(kind) is list else None


def _parts(value: object, kind: Any, path: str) -> Iterator[tuple[object, Any, str]]:
    if isinstance(value, list):
        (item,) = get_args(kind) if get_origin(kind) is list else (Any,)
        yield from ((part, item, f"{path}[{index}]") for index, part in enumerate(value))
    elif isinstance(value, dict) and _is_struct(kind):
        # What is not declared is passed over by the decoder, whatever it is.
        for field in msgspec.structs.fields(kind):
            if field.encode_name in value:
                yield value[field.encode_name], field.type, f"{path}.{field.encode_name}"
    elif isinstance(value, dict):
        yield from ((part, Any, f"{path}.{name}") for name, part in value.items())


def _missing(value: object, kind: Any) -> str | None:
    if not isinstance(value, dict) or not _is_struct(kind):
        return None
    fields = msgspec.structs.fields(kind)
    return next((f.encode_name for f in fields if f.required and f.encode_name not in value), None)


def _fits(value: object, kind: Any, *, strict: bool) -> bool:
    try:
        msgspec.convert(value, kind, strict=strict)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _is_sound(value: object, kind: Any, *, strict: bool) -> bool:
    """Whether a value fits, and holds nothing that no type can take."""
    try:
        msgspec.json.encode(value)
    except (TypeError, UnicodeEncodeError, OverflowError, RecursionError):
        return False
    return _fits(value, kind, strict=strict)


def _other_kind(value: object, kind: Any, path: str) -> Misfit:
    shape = _shape(kind)
    expected = _FOUND[shape] if shape else _EXPECTED.get(kind, "something else")
    found = _FOUND.get(type(value), f"a {type(value).__name__}")
    return Misfit(path, f"expected {expected}, found {found}")
