"""The plan: of all that is held, what is converted, and of the rest why not.

Pure rules. What can be converted is what the exchange lists; this module never adds to that, it
only takes away what the converter was told to leave alone. Why something isn't listed the exchange
does not say, so it is worked out from what is known: its parts, its worth, the exchange's ceiling.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust._util.exact import product, ratio
from binance_dust.conversion._policy import against
from binance_dust.conversion._reasons import Reason, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from binance_dust.conversion._holdings import Holding
    from binance_dust.conversion._policy import Policy
    from binance_dust.conversion._quote import QuoteLine
    from binance_dust.models import ConvertibleAssets

__all__ = ["Yardstick", "plan", "yardstick"]

_ABOVE_ALL_CEILINGS: Final = Decimal("0.0012")
"""BTC: the highest ceiling of one asset that any source names (FAQ of 2021). It decides nothing: it
only explains, where the exchange's own ceiling can't be compared with a worth in BTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """How to tell what is too much to be dust."""

    ceiling: Decimal | None = None
    """In the exchange's quota asset (USDT)."""
    bitcoin: Decimal | None = None
    """What a BTC is worth in it."""

    def is_above(self, in_bitcoin: Decimal) -> bool:
        """Tell whether a worth in BTC is above the ceiling."""
        if self.ceiling is None or self.bitcoin is None:
            return in_bitcoin >= _ABOVE_ALL_CEILINGS
        return product(in_bitcoin, self.bitcoin) >= self.ceiling


def plan(
    listed: Iterable[QuoteLine],
    held: Mapping[str, Holding],
    policy: Policy,
    *,
    measure: Yardstick,
    cooling: Mapping[str, datetime],
) -> tuple[tuple[QuoteLine, ...], tuple[Skipped, ...]]:
    """Divide what is held into what is converted and what is not; `cooling` says until when."""
    lines: list[QuoteLine] = []
    skipped: list[Skipped] = []
    names: set[str] = set()
    for line in listed:
        if line.asset in names:
            # All of it goes at once: a list that names it twice has not twice as much.
            continue
        names.add(line.asset)
        why = _why_not_listed_one(line, policy, cooling)
        if why is None:
            lines.append(line)
        else:
            skipped.append(why)
    for holding in sorted(held.values(), key=lambda each: each.asset):
        skipped.extend(_why_not_held(holding, policy, measure, listed=holding.asset in names))
    return tuple(lines), tuple(skipped)


def _why_not_listed_one(
    line: QuoteLine, policy: Policy, cooling: Mapping[str, datetime]
) -> Skipped | None:
    found = against(line, policy)
    if found is not None:
        reason, detail = found
        return Skipped(asset=line.asset, amount=line.amount, reason=reason, detail=detail)
    if line.asset in cooling:
        return Skipped(
            asset=line.asset,
            amount=line.amount,
            reason=Reason.COOLING_DOWN,
            detail=f"would bring {line.net:f} {policy.target}",
            until=cooling[line.asset],
        )
    return None


def _why_not_held(
    holding: Holding, policy: Policy, measure: Yardstick, *, listed: bool
) -> Iterator[Skipped]:
    """Explain the parts of a holding that are not on the list."""
    if holding.asset == policy.target:
        if not listed and holding.total:
            yield Skipped(asset=holding.asset, amount=holding.total, reason=Reason.TARGET)
        return
    if holding.free and not listed:
        reason, detail = _why_not_free(holding, policy, measure)
        yield Skipped(asset=holding.asset, amount=holding.free, reason=reason, detail=detail)
    for reason, amount in holding.stuck.items():
        yield Skipped(asset=holding.asset, amount=amount, reason=reason)


def _why_not_free(holding: Holding, policy: Policy, measure: Yardstick) -> tuple[Reason, str]:
    if holding.asset in policy.keep:
        return Reason.KEPT, ""
    worth = holding.free_in_bitcoin
    if worth is None:
        # The margin wallet comes without valuations.
        return Reason.UNSUPPORTED, "or too much or too little of it to be dust"
    if measure.is_above(worth):
        ceiling = "" if measure.ceiling is None else f"the ceiling is {measure.ceiling:f} USDT"
        return Reason.ABOVE_CEILING, ceiling
    if not worth:
        return Reason.TOO_SMALL, "or without a price"
    return Reason.UNSUPPORTED, "its worth would fit: delisted, or never supported"


def yardstick(listed: ConvertibleAssets, held: Mapping[str, Holding]) -> Yardstick:
    """Find out what the ceiling is in BTC, from an asset whose worth is given in both."""
    measured = [
        (worth, row.to_quota_asset_amount)
        for row in listed.details
        if (holding := held.get(row.asset)) is not None and (worth := holding.free_in_bitcoin)
    ]
    if not measured and (dollars := held.get("USDT")) is not None and dollars.in_bitcoin:
        measured = [(dollars.in_bitcoin, dollars.total)]
    if not measured:
        return Yardstick(ceiling=listed.dribblet_base)
    # The largest has the most digits, and so the least error.
    worth, quota = max(measured)
    return Yardstick(ceiling=listed.dribblet_base, bitcoin=ratio(quota, worth))
