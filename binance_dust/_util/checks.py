"""Checks of arguments: a wrong type is a `TypeError`, a wrong value a `ConfigurationError`."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any, Final, TypeVar

from binance_dust.errors import ConfigurationError

T = TypeVar("T")

_LONGEST: Final = timedelta(days=1_000_000)
"""Longer than any real option, and short enough that adding it to a time does not overflow."""


def instance(value: Any, kind: type[T], name: str) -> T:
    """Return the value if it is an instance of `kind`."""
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise TypeError(f"{name} must be {_name(kind)}, not {type(value).__name__}")
    return value


def positive(value: Any, name: str, *, most: float = math.inf) -> float:
    """Return the value if it is a finite number above zero."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    if not 0 < value <= most or math.isinf(value):
        limit = "" if math.isinf(most) else f" and at most {most:g}"
        raise ConfigurationError(f"{name} must be finite, above zero{limit}, not {value}")
    return value


def seconds(value: Any, name: str) -> float:
    """Return a length of time above zero in seconds; it may be a timedelta."""
    return positive(value.total_seconds() if isinstance(value, timedelta) else value, name)


def to_timedelta(value: timedelta | float, name: str) -> timedelta:
    """Read a length of time: a timedelta, or seconds."""
    if isinstance(value, timedelta):
        if abs(value) > _LONGEST:
            raise ConfigurationError(f"{name} can't be {value.days} days: the calendar ends before")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a timedelta or seconds, not {type(value).__name__}")
    try:
        return to_timedelta(timedelta(seconds=value), name)
    except (OverflowError, ValueError):
        raise ConfigurationError(f"{name} can't be {value} seconds") from None


def _name(kind: type) -> str:
    if kind.__module__ != "builtins":
        return kind.__name__
    return f"{'an' if kind.__name__[0] in 'aeiou' else 'a'} {kind.__name__}"
