"""What arguments may be: checked where they are read, so that wrong use is told before any work."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

_LAST_PORT: Final = 65_535
_SPAN: Final = re.compile(r"([0-9]{1,5})([hdw])")
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def count(text: str) -> int:
    """Read a number of things."""
    number = _whole(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number


def some(text: str) -> int:
    """Read a number of things that must not be none."""
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def port(text: str) -> int:
    """Read a port of TCP; 0 is any free one."""
    number = _whole(text)
    if not 0 <= number <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"must be from 0 to {_LAST_PORT}")
    return number


def seconds(text: str) -> float:
    """Read a length of time."""
    number = _real(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be above zero")
    return number


def part(text: str) -> float:
    """Read a part of a whole."""
    number = _real(text)
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError("must be from 0 to less than 1")
    return number


def switch(text: str) -> bool:
    """Read `on` or `off`."""
    if text not in ("on", "off"):
        raise argparse.ArgumentTypeError("must be on or off")
    return text == "on"


def moment(text: str) -> datetime:
    """Read a time: `2026-11-01`, `2026-11-01T08:00`, or how long ago (`12h`, `30d`, `4w`).

    Without a zone it is in UTC, as the exchange's own books are.
    """
    ago = _SPAN.fullmatch(text)
    if ago is not None:
        return datetime.now(UTC) - int(ago[1]) * _UNITS[ago[2]]
    try:
        read = datetime.fromisoformat(text)
        return read.replace(tzinfo=UTC) if read.utcoffset() is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: write 2026-11-01, 2026-11-01T08:00, or 30d for 30 days ago"
        ) from None


def span(text: str) -> timedelta:
    """Read a length of time: `12h`, `7d`, `2w`; 0 is none."""
    if text == "0":
        return timedelta(0)
    read = _SPAN.fullmatch(text)
    if read is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time: write 12h, 7d or 2w")
    return int(read[1]) * _UNITS[read[2]]


def asset(text: str) -> str:
    """Read the name of an asset, which the exchange writes in capitals."""
    name = text.strip().upper()
    if not name:
        raise argparse.ArgumentTypeError("is empty: name an asset")
    return name


def amount(text: str) -> Decimal:
    """Read an exact amount of something."""
    try:
        read = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount") from None
    if not read.is_finite() or read < 0:
        raise argparse.ArgumentTypeError("must be finite, and not negative")
    return read


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
