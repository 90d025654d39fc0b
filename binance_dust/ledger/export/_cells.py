"""What may stand in a cell of a file that a spreadsheet opens."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

__all__ = ["amount", "iso", "text"]

_BEGINS_A_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the wide ones are meant
"""What makes a spreadsheet run a cell, also in full width (OWASP, "CSV Injection", 2026-11)."""


def text(value: str) -> str:
    """Write a name that somebody else chose, such that no spreadsheet runs it."""
    return f"'{value}" if value.startswith(_BEGINS_A_FORMULA) else value


def amount(value: Decimal) -> str:
    """Write an amount: every digit, a point, no exponent."""
    return f"{value:f}"


def iso(time: datetime) -> str:
    """Write a time in UTC, to the millisecond: `2026-11-21T12:00:00.123Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
