"""What a fleet may ask for: a closed list with bounds, within limits that are the worker's own.

A worker does what a message says only as far as it is listed here. Its own rules hold beside those
of the fleet, and of two rules the tighter one counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import msgspec

from binance_dust._util.checks import to_timedelta
from binance_dust.conversion._converter import COOLDOWN, MAX_FEE_RATE, QUOTE_TTL
from binance_dust.conversion._policy import (
    KeepRule,
    asset_names,
    lower,
    to_decimal,
    to_when_below,
)
from binance_dust.endpoints import AccountType, to_account_types
from binance_dust.errors import ConfigurationError, GuardError

if TYPE_CHECKING:
    from decimal import Decimal

    from binance_dust.sweeper import AccountRules, SweepRules

__all__ = ["ConvertOptions", "EstimateOptions", "OwnRules", "ReadOptions", "read_options"]

_MOST_NAMES: Final = 100_000
_LONGEST: Final = 10 * 365 * 86_400.0

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Names = Annotated[tuple[Name, ...], msgspec.Meta(max_length=_MOST_NAMES)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=_LONGEST)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Number = Annotated[str, msgspec.Meta(max_length=60)] | Annotated[int, msgspec.Meta(ge=0, le=10**18)]


class ReadOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a reading is told."""

    target: Name = "BNB"
    liabilities: bool | Literal["auto"] = "auto"
    elsewhere: bool = False
    delistings: bool = False
    account_type: AccountType | None = None


class EstimateOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an estimate is told."""

    accounts: Names
    liabilities: bool | Literal["auto"] = "auto"
    elsewhere: bool = False
    margin_share: Share = 1.0
    debt_share: Share = 1.0


class ConvertOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a conversion is told: the rules of `Converter`, and whether it is a rehearsal."""

    dry_run: bool = True
    what: Literal["dust", "liabilities"] = "dust"
    every: Seconds | None = None
    """An account that converted less than this time ago has its turn later."""
    account_type: AccountType = "SPOT"
    target: Name = "BNB"
    keep: Names = ()
    max_fee_rate: Number | None = None
    min_value: Number | None = None
    quote_ttl: Seconds | None = None
    cooldown: Seconds | None = None
    when_below: Annotated[dict[Name, Number], msgspec.Meta(max_length=_MOST_NAMES)] = {}
    together: bool = False


O = TypeVar("O", ReadOptions, EstimateOptions, ConvertOptions)  # noqa: E741 - of options


def read_options(options: dict[str, Any], kind: type[O]) -> O:
    """Read the options of a message; raise `ConfigurationError` for what is not listed."""
    problem = ""
    try:
        return msgspec.convert(options, kind)
    except msgspec.ValidationError as error:
        problem = str(error)
    raise ConfigurationError(f"a worker does not take these options: {problem}")


class OwnRules:
    """A worker's own rules for conversions: what a fleet asks for can only be tighter."""

    __slots__ = (
        "_cooldown",
        "_keep",
        "_liabilities",
        "_max_fee_rate",
        "_min_value",
        "_quote_ttl",
        "_target",
        "_wallets",
        "_when_below",
    )

    def __init__(self, rules: AccountRules, *, liabilities: bool = False) -> None:
        """Read the rules; what they leave out is as in `Converter`. Debts are `liabilities`."""
        self._liabilities = liabilities
        known: dict[str, Any] = dict(rules)
        target = known.pop("target", None)
        if target is not None:
            asset_names([target], "target")
        self._target: str | None = target
        wallets = known.pop("account_types", None)
        self._wallets = None if wallets is None else to_account_types(wallets)
        self._keep = KeepRule(known.pop("keep", ()))
        self._when_below = to_when_below(known.pop("when_below", {}))
        self._max_fee_rate = to_decimal(known.pop("max_fee_rate", MAX_FEE_RATE), "max_fee_rate")
        self._min_value = to_decimal(known.pop("min_value", 0), "min_value")
        self._quote_ttl = to_timedelta(known.pop("quote_ttl", QUOTE_TTL), "quote_ttl")
        self._cooldown = to_timedelta(known.pop("cooldown", COOLDOWN), "cooldown")
        if known:
            raise ConfigurationError(f"rules: a worker has no rule {', '.join(sorted(known))}")

    def with_those_of(self, asked: ConvertOptions) -> SweepRules:
        """Return the tighter of each two rules; `GuardError` if they can't both hold."""
        if self._target is not None and asked.target != self._target:
            raise GuardError(f"this worker converts into {self._target}, not {asked.target}")
        own = self._wallets
        if asked.what == "dust" and own is not None and asked.account_type not in own:
            raise GuardError(f"this worker converts dust of {' and '.join(own) or 'nothing'} only")
        if asked.what == "liabilities" and not self._liabilities:
            raise GuardError("this worker exchanges no debts: start it with liabilities")
        rates = [self._max_fee_rate, *_given(asked.max_fee_rate, "max_fee_rate")]
        values = [self._min_value, *_given(asked.min_value, "min_value")]
        lives, cooldowns = [self._quote_ttl], [self._cooldown]
        if asked.quote_ttl is not None:
            lives.append(to_timedelta(asked.quote_ttl, "quote_ttl"))
        if asked.cooldown is not None:
            cooldowns.append(to_timedelta(asked.cooldown, "cooldown"))
        return {
            "target": asked.target,
            "keep": self._keep | asked.keep,
            "max_fee_rate": min(rates),
            "min_value": max(values),
            "quote_ttl": min(lives),
            "cooldown": max(cooldowns),
            "when_below": lower(self._when_below, to_when_below(asked.when_below)),
            "together": asked.together,
        }


def _given(value: str | int | None, name: str) -> list[Decimal]:
    return [] if value is None else [to_decimal(value, name)]
