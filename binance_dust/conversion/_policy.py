"""What a converter was told, and the rules that stop a conversion before anything is sent.

All of it is plain: values in, nothing or a `GuardError` out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, get_args

from binance_dust._util.checks import instance
from binance_dust._util.exact import difference, product, ratio, to_amount
from binance_dust.conversion._guards import check_plan
from binance_dust.conversion._reasons import Reason, Skipped
from binance_dust.conversion._show import percent
from binance_dust.endpoints import AccountType
from binance_dust.errors import ConfigurationError, GuardError
from binance_dust.ledger import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from binance_dust.conversion._holdings import Holding
    from binance_dust.conversion._quote import Quote, QuoteLine
    from binance_dust.ledger import LedgerLine

__all__ = [
    "TOLERANCE",
    "Policy",
    "against",
    "amount",
    "changed",
    "check",
    "names",
    "span",
    "surprises",
    "wallet",
]

TOLERANCE: Final = Decimal("0.00000001")
"""By how much a row of a preview may differ from the same row carried out, besides the price:
previews round half up, conversions cut (recomputed from published rows of 2021 to 2026)."""
_NOT_IN_NAMES: Final = re.compile(r"[a-z\s]")
"""As the exchange's own pattern for names has it, which its refusals quote (-1100): all letters but
small Latin ones."""


_LONGEST: Final = timedelta(days=1_000_000)
"""Longer than anything lasts, and short enough to be added to any time of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a converter was told."""

    target: str
    account_type: AccountType
    keep: frozenset[str]
    max_fee_rate: Decimal
    min_value: Decimal
    quote_ttl: timedelta
    cooldown: timedelta

    @property
    def kind(self) -> Kind:
        """Which call converts: into BNB the one that is proven with many assets."""
        return Kind.DUST if self.target == "BNB" else Kind.DUST_CONVERT

    @property
    def wallet(self) -> AccountType | None:
        """Which wallet to name in a call."""
        return wallet(self.account_type)

    def __post_init__(self) -> None:
        """Refuse what can't work."""
        asset_name(self.target, "target")
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


def wallet(account_type: AccountType) -> AccountType | None:
    """Say which wallet to name in a call: not SPOT, which older pages know as the only one."""
    return None if account_type == "SPOT" else account_type


def amount(value: Decimal | str | int, name: str) -> Decimal:
    """Take an amount or a rate, exact."""
    if isinstance(value, bool) or not isinstance(value, Decimal | str | int):
        raise TypeError(
            f"{name} must be a Decimal or a str (a float would lose digits), "
            f"not {type(value).__name__}"
        )
    try:
        return to_amount(value)
    except ValueError:
        raise ConfigurationError(f"{name} must be a finite number, not {value!r}") from None


def span(value: timedelta | float, name: str) -> timedelta:
    """Take a length of time: a timedelta, or seconds."""
    if isinstance(value, timedelta):
        if abs(value) > _LONGEST:
            raise ConfigurationError(f"{name} can't be {value.days} days: the calendar ends before")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a timedelta or seconds, not {type(value).__name__}")
    try:
        return span(timedelta(seconds=value), name)
    except (OverflowError, ValueError):
        raise ConfigurationError(f"{name} can't be {value} seconds") from None


def names(values: Iterable[str], name: str) -> frozenset[str]:
    """Take several asset names."""
    if isinstance(values, str):
        raise TypeError(f"{name} must be several names, like ['{values}'], not a str")
    return frozenset(asset_name(each, name) for each in values)


def asset_name(value: object, name: str) -> str:
    """Take an asset's name as the exchange writes it: one in other letters would fit no asset."""
    found = instance(value, str, name)
    if not found or _NOT_IN_NAMES.search(found):
        raise ConfigurationError(
            f"{name}: {found!r} is no asset's name: the exchange writes them like 'ADA', in "
            "capitals and without spaces"
        )
    return found


def against(line: QuoteLine, policy: Policy) -> tuple[Reason, str] | None:
    """Say what a converter was told that speaks against converting an asset."""
    if line.asset == policy.target:
        return Reason.TARGET, ""
    if line.asset in policy.keep:
        return Reason.KEPT, ""
    if (rates := _too_costly(line, policy)) is not None:
        return Reason.FEE_TOO_HIGH, rates
    if line.net < policy.min_value:
        return Reason.BELOW_MIN_VALUE, f"{line.net:f} {policy.target}"
    if line.net <= 0:
        # Also where no value is too little: nobody gives an asset away for nothing.
        return Reason.TOO_SMALL, f"would bring {line.net:f} {policy.target}"
    return None


def surprises(line: LedgerLine, quoted: QuoteLine | None, policy: Policy) -> Iterator[str]:
    """Say what is other than it was quoted about what was done; it can't be taken back."""
    if quoted is None:
        yield f"{line.asset} was converted, and was not asked for"
    elif difference(line.amount, quoted.amount).copy_abs() > TOLERANCE:
        yield f"{line.asset}: {line.amount:f} were converted, and {quoted.amount:f} were quoted"
    if (rates := _too_costly(line, policy)) is not None:
        yield f"{line.asset}: the fee was {rates}"


def _too_costly(line: QuoteLine | LedgerLine, policy: Policy) -> str | None:
    # What is not credited is paid, whatever it is called.
    cost = max(line.fee, difference(line.gross, line.net))
    # A fee of a single unit of the eighth place is rounding, and no rate.
    if difference(cost, TOLERANCE) <= product(line.gross, policy.max_fee_rate):
        return None
    rate = ratio(cost, line.gross) if line.gross else Decimal(1)
    return f"{percent(rate)}, at most {percent(policy.max_fee_rate)} allowed"


def check(quote: Quote, policy: Policy, *, account: str, key_id: str, now: datetime) -> None:
    """Stop a conversion that the quote, or what the converter was told, does not allow."""
    if (quote.target, quote.account_type) != (policy.target, policy.account_type):
        raise GuardError(
            f"{account}: this quote is for {quote.account_type} into {quote.target}, and this "
            f"converter for {policy.account_type} into {policy.target}",
            account=account,
        )
    check_plan(quote, account=account, key_id=key_id, now=now, ttl=policy.quote_ttl)
    for line in quote.lines:
        found = against(line, policy)
        if found is not None:
            reason, detail = found
            raise GuardError(
                f"{account}: {line.asset}: {reason}{f' ({detail})' if detail else ''}",
                account=account,
            )


def changed(line: QuoteLine, held: Mapping[str, Holding]) -> Skipped | None:
    """Say if a balance is no longer the quoted one: a conversion would take what nobody saw."""
    holding = held.get(line.asset)
    free = holding.free if holding else Decimal(0)
    if difference(free, line.amount).copy_abs() < TOLERANCE:
        return None
    return Skipped(
        asset=line.asset,
        amount=line.amount,
        reason=Reason.CHANGED,
        detail=f"{line.amount:f} then, {free:f} now",
    )
