"""Amounts: exact decimals inside, plain text outside, eight places where the exchange rounds."""

from __future__ import annotations

from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Final

Amount = Decimal | str | int
"""How callers may write an amount. Not as a float, which has already lost digits."""

ZERO: Final = Decimal(0)
_STEP: Final = Decimal("1e-8")
_WIDE: Final = Context(prec=100)
"""Enough digits for any price that a caller names; the usual 28 may be too few."""


def exact(amount: Amount) -> Decimal:
    """Read an amount exactly as it was written."""
    if isinstance(amount, float | bool):
        message = f"amounts are exact: write {amount!r} as a string or a Decimal"
        raise TypeError(message)
    try:
        value = Decimal(amount)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        message = f"an amount is a finite number of zero or more, not {amount!r}"
        raise ValueError(message)
    return value


def added(one: Decimal, other: Decimal) -> Decimal:
    """Add without losing a digit."""
    return _WIDE.add(one, other)


def floored(value: Decimal) -> Decimal:
    """Round down to eight places, as executed rows of 2021 to 2025 are."""
    return value.quantize(_STEP, ROUND_FLOOR, _WIDE)


def rounded(value: Decimal) -> Decimal:
    """Round half up to eight places, as previews are."""
    return value.quantize(_STEP, ROUND_HALF_UP, _WIDE)


def text(value: Decimal) -> str:
    """Write in fixed point, without trailing zeros."""
    shown = format(value, "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown
