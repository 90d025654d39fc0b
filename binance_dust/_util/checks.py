"""Checks of arguments: a wrong type is a `TypeError`, a wrong value a `ConfigurationError`."""

from __future__ import annotations

import math
from typing import Any, TypeVar

from binance_dust.errors import ConfigurationError

T = TypeVar("T")


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


def _name(kind: type) -> str:
    if kind.__module__ != "builtins":
        return kind.__name__
    return f"{'an' if kind.__name__[0] in 'aeiou' else 'a'} {kind.__name__}"
