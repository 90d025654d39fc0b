"""Reports of sweeps as plain values, for the way from a worker to its fleet, and back again."""

from __future__ import annotations

import dataclasses
import enum
import types
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from binance_dust._util.plain import error_from_plain, plain
from binance_dust.conversion import LiabilityQuote, Quote, Receipt, Skipped
from binance_dust.endpoints import AccountType
from binance_dust.errors import DustError
from binance_dust.ledger import LedgerEntry, LedgerLine
from binance_dust.sweeper import SweepReport

__all__ = ["from_plain", "to_plain"]

_NAMES: Final[dict[str, Any]] = {
    # What the modules of these classes import for type checkers alone.
    kind.__name__: kind
    for kind in (
        datetime, Decimal, DustError, LedgerEntry, LedgerLine, LiabilityQuote, Mapping, Quote,
        Receipt, Skipped,
    )
} | {"AccountType": AccountType}  # fmt: skip


def to_plain(report: SweepReport) -> dict[str, Any]:
    """Give a report as what JSON has."""
    found: dict[str, Any] = _write(report)
    return found


def from_plain(value: dict[str, Any]) -> SweepReport:
    """Read what `to_plain` has written."""
    # Of the two plans only that for dust travels: a fleet gathers no debts.
    report: SweepReport = _read(SweepReport, value)
    return report


def _write(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_write(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return {name: _write(getattr(value, name)) for name in names}
    return plain(value)


def _read(hint: Any, value: Any) -> Any:  # noqa: PLR0911 - one line a kind of value
    origin, inner = get_origin(hint), get_args(hint)
    if value is None or hint is Any or origin is Literal:
        return value
    if origin in (Union, types.UnionType):
        return _read(_choice(inner, value), value)
    if origin is tuple:
        return tuple(_read(inner[0], item) for item in value)
    if origin is Mapping:
        return {key: _read(inner[1], item) for key, item in value.items()}
    if hint is DustError:
        return error_from_plain(value)
    if hint is datetime:
        return datetime.fromisoformat(value)
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint, localns=_NAMES)
        return hint(**{name: _read(hints[name], item) for name, item in value.items()})  # type: ignore[operator]
    if hint is Decimal or (isinstance(hint, type) and issubclass(hint, enum.Enum)):
        return hint(value)
    return value


def _choice(inner: tuple[Any, ...], value: Any) -> Any:
    """Choose of `X | None`, of `int | str | None`, and of the two kinds of plans."""
    kinds = [kind for kind in inner if kind is not type(None)]
    if len(kinds) == 1:
        return kinds[0]
    for kind in kinds:
        names = _field_names(kind)
        if names and names == value.keys():
            return kind
    return Any


def _field_names(kind: Any) -> set[str]:
    return (
        {each.name for each in dataclasses.fields(kind)}
        if dataclasses.is_dataclass(kind)
        else set()
    )
