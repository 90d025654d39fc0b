"""Types of arguments: each checks its value, so that wrong use fails before any work begins."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final
from urllib.parse import urlsplit

_LAST_PORT: Final = 65_535
_LENGTH: Final = re.compile(r"([0-9]{1,5})([hdw])")
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def count(text: str) -> int:
    """Read a number, 0 or more."""
    number = _whole(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number


def positive(text: str) -> int:
    """Read a number, 1 or more."""
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def port(text: str) -> int:
    """Read a TCP port; 0 means any free port."""
    number = _whole(text)
    if not 0 <= number <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"must be from 0 to {_LAST_PORT}")
    return number


def listen_at(text: str) -> tuple[str, int]:
    """Read where to listen: `9464` is on this machine only, `0.0.0.0:9464` for all."""
    host, _, number = text.rpartition(":")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", port(number)


def seconds(text: str) -> float:
    """Read a number of seconds."""
    number = _real(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be above zero")
    return number


def open_url(text: str) -> str:
    """Read a URL without a password: every user of a machine can read its command lines."""
    try:
        parts = urlsplit(text)
        hidden = parts.password or ("password=" in parts.query)
    except ValueError:
        raise argparse.ArgumentTypeError("is not a URL") from None
    if hidden:
        raise argparse.ArgumentTypeError(
            "a password on a command line is seen by every user of this machine: put the URL into"
            " the environment"
        )
    return text


def part(text: str) -> float:
    """Read a part of a whole: 0.1 or 10% is a tenth."""
    number = rate(text)
    if not number < 1:
        raise argparse.ArgumentTypeError("must be from 0 to less than 1")
    return float(number)


def rate(text: str) -> Decimal:
    """Read an exact part of a whole, up to all of it: 0.05 or 5%."""
    percent = text.rstrip().endswith("%")
    read = amount(text.rstrip().removesuffix("%").rstrip())
    part = read.scaleb(-2) if percent else read
    if part > 1:
        whole = "" if percent else f": {read:f} % is written {read:f}%, or {read.scaleb(-2):f}"
        raise argparse.ArgumentTypeError(f"{text} is more than the whole{whole}")
    return part


def switch(text: str) -> bool:
    """Read `on` or `off`."""
    if text not in ("on", "off"):
        raise argparse.ArgumentTypeError("must be on or off")
    return text == "on"


def moment(text: str) -> datetime:
    """Read a time: `2026-11-01`, `2026-11-01T08:00`, or how long ago (`12h`, `30d`, `4w`).

    Without a zone it is UTC, as in the exchange's own books.
    """
    ago = _LENGTH.fullmatch(text)
    if ago is not None:
        return datetime.now(UTC) - int(ago[1]) * _UNITS[ago[2]]
    try:
        read = datetime.fromisoformat(text)
        return read.replace(tzinfo=UTC) if read.utcoffset() is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time: write 2026-11-01, 2026-11-01T08:00, or 30d for 30 days ago"
        ) from None


def length_of_time(text: str) -> timedelta:
    """Read a length of time: `12h`, `7d`, `2w`, or `0`."""
    if text == "0":
        return timedelta(0)
    read = _LENGTH.fullmatch(text)
    if read is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a length of time: write 12h, 7d or 2w")
    return int(read[1]) * _UNITS[read[2]]


def asset(text: str) -> str:
    """Read the name of an asset, in any case; the exchange writes capitals."""
    name = text.strip().upper()
    if not name:
        raise argparse.ArgumentTypeError("is empty: name an asset")
    return name


def amount(text: str) -> Decimal:
    """Read an exact amount, 0 or more."""
    try:
        read = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount") from None
    if not read.is_finite() or read < 0:
        raise argparse.ArgumentTypeError("must be finite, and not negative")
    return read


def least(text: str) -> tuple[str, Decimal]:
    """Read an asset and an amount of it: `BNB=0.05`."""
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r} names no amount: write BNB=0.05")
    return asset(name), amount(value)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
