"""The options of a converter, checked: values in, values or an error out."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from binance_dust._util.checks import instance
from binance_dust._util.exact import to_amount
from binance_dust.errors import ConfigurationError, DustError, GuardError
from binance_dust.ledger import Kind
from binance_dust.ledger._witness import wallet_to_name

if TYPE_CHECKING:
    from binance_dust.client import DustClient
    from binance_dust.endpoints import AccountType

Keep: TypeAlias = "Iterable[str] | Callable[[DustClient], Iterable[str] | Awaitable[Iterable[str]]]"
"""Names of assets to leave alone, or a function that is given the account and returns them."""

__all__ = [
    "Keep",
    "KeepRule",
    "Policy",
    "asset_names",
    "lower",
    "most_to_sell",
    "to_decimal",
    "to_when_below",
]

_NOT_IN_NAMES: Final = re.compile(r"[a-z\s]")
"""From the exchange's own pattern for asset names, quoted in its -1100: small Latin letters are
not allowed, other letters are."""


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
    when_below: Mapping[str, Decimal] = field(default_factory=dict)
    """Convert only while less than this is free, of each of these assets."""
    gather: bool = False
    above_max: Decimal | None = None
    """What is too much for dust is sold by quote up to this worth in the target; `None`: never."""

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
        if self.above_max is not None and self.above_max <= 0:
            raise ConfigurationError(f"above_max must be above zero, not {self.above_max}")
        if self.account_type != "SPOT" and (self.gather or self.above_max is not None):
            raise ConfigurationError("gather and above are for the spot wallet only")


def most_to_sell(above: str | None, above_max: Decimal | str | int | None) -> Decimal | None:
    """Read how much is sold by quote of what is too much for dust. Both are needed, or none."""
    if above is None and above_max is None:
        return None
    if above != "convert":
        raise ConfigurationError(f"above must be 'convert' or None, not {above!r}")
    if above_max is None:
        raise ConfigurationError(
            "above='convert' sells what is too much for dust: say up to which worth in the target, "
            "with above_max"
        )
    return to_decimal(above_max, "above_max")


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


def to_when_below(values: Mapping[str, Decimal | str | int]) -> dict[str, Decimal]:
    """Read below which amounts an account is converted."""
    if not isinstance(values, Mapping):
        raise TypeError(f"when_below must be a mapping, not {type(values).__name__}")
    found = {}
    for name, value in values.items():
        amount = to_decimal(value, "when_below")
        if amount <= 0:
            raise ConfigurationError(f"when_below: nothing is below {amount:f} {name}")
        found[_asset_name(name, "when_below")] = amount
    return found


def lower(first: Mapping[str, Decimal], second: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Give the tighter of two rules of `when_below`: each asset has to be low by both."""
    return {
        name: min(rule[name] for rule in (first, second) if name in rule)
        for name in (*first, *second)
    }


class KeepRule:
    """What an account keeps: names that are known, and functions that are asked each time."""

    __slots__ = ("functions", "names")

    def __init__(self, keep: Keep) -> None:
        """Read names at once; a function is called when an account is looked at."""
        self.names: frozenset[str] = frozenset()
        self.functions: tuple[Callable[[DustClient], object], ...] = ()
        if isinstance(keep, KeepRule):
            self.names, self.functions = keep.names, keep.functions
        elif callable(keep):
            self.functions = (keep,)
        else:
            self.names = asset_names(keep, "keep")

    def __or__(self, names: Iterable[str]) -> KeepRule:
        """Keep these as well."""
        both = KeepRule(self)
        both.names |= asset_names(names, "keep")
        return both

    async def __call__(self, client: DustClient) -> frozenset[str]:
        """Say what an account keeps now. If a function fails, `GuardError`: nothing may be sent."""
        found = self.names
        for ask in self.functions:
            try:
                answer = ask(client)
                if inspect.isawaitable(answer):
                    answer = await answer
                found |= asset_names(cast("Iterable[str]", answer), "keep")
            except DustError:
                raise
            except Exception as error:
                # Its text may hold what its program hides: it is in the cause.
                raise GuardError(
                    f"{client.name}: what to keep is not known: {type(error).__name__}",
                    account=client.name,
                ) from error
        return found


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
