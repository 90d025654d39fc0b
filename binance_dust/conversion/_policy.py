"""The options of a converter, checked: values in, values or an error out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, get_args

from binance_dust._util.checks import instance
from binance_dust._util.exact import to_amount
from binance_dust.endpoints import AccountType
from binance_dust.errors import ConfigurationError
from binance_dust.ledger import Kind
from binance_dust.ledger._witness import wallet_to_name

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Policy", "asset_names", "to_decimal", "to_timedelta"]

_NOT_IN_NAMES: Final = re.compile(r"[a-z\s]")
"""From the exchange's own pattern for asset names, quoted in its -1100: small Latin letters are
not allowed, other letters are."""
_LONGEST: Final = timedelta(days=1_000_000)
"""Longer than any real option, and short enough that adding it to a time does not overflow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of one converter, as given by its user."""

    target: str
    account_type: AccountType
    keep: frozenset[str]
    max_fee_rate: Decimal
    min_value: Decimal
    quote_ttl: timedelta
    cooldown: timedelta

    @property
    def kind(self) -> Kind:
        """Which call converts. Into BNB: the one that is proven with many assets."""
        return Kind.DUST if self.target == "BNB" else Kind.DUST_CONVERT

    @property
    def wallet(self) -> AccountType | None:
        """Which wallet to name in a call."""
        return wallet_to_name(self.account_type)

    def __post_init__(self) -> None:
        """Reject rules that can't work."""
        _asset_name(self.target, "target")
        if self.account_type not in get_args(AccountType):
            raise ConfigurationError(
                f"account_type must be SPOT or MARGIN, not {self.account_type!r}"
            )
        if not 0 <= self.max_fee_rate <= 1:
            raise ConfigurationError(
                f"max_fee_rate is a part of the gross, from 0 to 1, not {self.max_fee_rate}"
            )
        if self.min_value < 0:
            raise ConfigurationError(f"min_value can't be below zero: {self.min_value}")
        if self.quote_ttl <= timedelta(0):
            raise ConfigurationError(f"quote_ttl must be above zero, not {self.quote_ttl}")
        if self.cooldown < timedelta(0):
            raise ConfigurationError(f"cooldown can't be below zero: {self.cooldown}")


def to_decimal(value: Decimal | str | int, name: str) -> Decimal:
    """Read an amount or a rate without losing digits."""
    if isinstance(value, bool) or not isinstance(value, Decimal | str | int):
        raise TypeError(
            f"{name} must be a Decimal or a str (a float would lose digits), "
            f"not {type(value).__name__}"
        )
    try:
        return to_amount(value)
    except ValueError:
        raise ConfigurationError(f"{name} must be a finite number, not {value!r}") from None


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


def asset_names(values: Iterable[str], name: str) -> frozenset[str]:
    """Read several asset names."""
    if isinstance(values, str):
        raise TypeError(f"{name} must be several names, like ['{values}'], not a str")
    return frozenset(_asset_name(each, name) for each in values)


def _asset_name(value: object, name: str) -> str:
    """Read an asset's name. It must be as the exchange writes it, or it would match no asset."""
    found = instance(value, str, name)
    if not found or _NOT_IN_NAMES.search(found):
        raise ConfigurationError(
            f"{name}: {found!r} is not an asset's name: the exchange writes them like 'ADA', in "
            "capitals and without spaces"
        )
    return found
