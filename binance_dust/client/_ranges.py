"""Ranges of time and pages of histories, without I/O."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeGuard

from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from binance_dust._util.exact import AnswerStruct

AHEAD: Final = timedelta(minutes=1)
"""How far past now to ask, because clocks differ."""
_STEP: Final = timedelta(milliseconds=1)
"""The exchange includes both bounds, and counts in milliseconds."""


def is_time(value: object) -> TypeGuard[datetime]:
    """Whether it is an aware time; anything else is rejected when the request is encoded."""
    return isinstance(value, datetime) and value.utcoffset() is not None


def check_order(start: object, end: object, what_end_is: str = "") -> None:
    """Refuse a range that ends before it begins."""
    if is_time(start) and is_time(end) and start > end:
        raise ConfigurationError(f"start ({start}) is after {what_end_is or f'end ({end})'}")


def pieces(
    start: datetime, end: datetime, longest: timedelta
) -> Iterator[tuple[datetime, datetime]]:
    """Cut a range into pieces that the exchange takes, the newest first. No two overlap."""
    while end - start > longest:
        yield end - longest, end
        end -= longest + _STEP
    if end >= start:
        yield start, end


def halves(
    start: datetime, end: datetime
) -> tuple[tuple[datetime, datetime], tuple[datetime, datetime]] | None:
    """Cut a range into an older and a newer half, or say that it is too short to be cut."""
    steps = (end - start) // _STEP
    if steps < 1:
        return None
    middle = start + steps // 2 * _STEP
    return (start, middle), (middle + _STEP, end)


def repeated(before: Sequence[AnswerStruct], rows: Sequence[AnswerStruct]) -> int:
    """Count the rows at the beginning of a page that the end of the page before has shown."""
    known, shown = [list(map(_cells, each)) for each in (before, rows)]
    sizes = range(min(len(known), len(shown)), 0, -1)
    return next((size for size in sizes if known[-size:] == shown[:size]), 0)


def _cells(row: AnswerStruct) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in row.__struct_fields__)
