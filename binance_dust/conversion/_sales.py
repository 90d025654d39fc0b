"""What is too much for dust, sold by quote: planned with one quote, and sold with a fresh one.

A quote of the exchange is good for seconds, and a plan for a minute, so the one that is accepted is
always a new one. It has to keep the same rules as the plan: what its price takes is compared with
the worth by the exchange's own valuation, which is a second price, and with what the plan said.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust._util.exact import difference, product
from binance_dust.conversion._guards import rule_against
from binance_dust.conversion._quote import QuoteLine, Reason, Skipped
from binance_dust.conversion._worth import with_target
from binance_dust.errors import DustError, ExchangeError
from binance_dust.events import logger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from binance_dust.client import DustClient
    from binance_dust.conversion._account import HeldAsset
    from binance_dust.conversion._policy import Policy
    from binance_dust.conversion._worth import Worth
    from binance_dust.models import ConvertQuote

__all__ = ["plan_sales", "rule_against_now"]

_LEFT: Final = Decimal("0.95")
"""As the exchange's rule for dust: a conversion is not carried out if prices move by 5 %."""
_TO_ARRIVE: Final = timedelta(seconds=1)
"""How long a quote must be good for when it is accepted."""


async def plan_sales(
    client: DustClient,
    policy: Policy,
    worth: Worth,
    held: Mapping[str, HeldAsset],
    skipped: tuple[Skipped, ...],
) -> tuple[tuple[QuoteLine, ...], tuple[Skipped, ...]]:
    """Take out of what is skipped what can be sold, and say why the rest of it can't."""
    if not any(each.reason is Reason.ABOVE_CEILING for each in skipped):
        return (), skipped
    worth = await with_target(client, worth, policy.target)
    lines: list[QuoteLine] = []
    left: list[Skipped] = []
    for each in skipped:
        found: QuoteLine | Skipped = each
        if each.reason is Reason.ABOVE_CEILING:
            found = await _plan_sale(client, policy, worth, held[each.asset])
        if isinstance(found, QuoteLine):
            lines.append(found)
        else:
            left.append(found)
    return tuple(lines), tuple(left)


async def _plan_sale(
    client: DustClient, policy: Policy, worth: Worth, holding: HeldAsset
) -> QuoteLine | Skipped:
    asset, amount = holding.asset, holding.free
    fair = worth.in_target(holding.free_in_bitcoin or Decimal(0))
    if fair is None or policy.above_max is None:
        return Skipped(asset=asset, amount=amount, reason=Reason.NO_PRICE)
    if fair > policy.above_max:
        detail = f"about {fair:.8f} {policy.target}, at most {policy.above_max:f}"
        return Skipped(asset=asset, amount=amount, reason=Reason.ABOVE_MAX, detail=detail)
    try:
        offer = await client.convert_quote(asset, policy.target, amount=amount)
    except ExchangeError as error:
        return Skipped(
            asset=asset,
            amount=amount,
            reason=Reason.NOT_SOLD,
            detail=await _why_refused(client, asset, amount, policy.target, error),
        )
    line = priced(asset, offer, fair)
    found = rule_against_offer(line, offer, amount, policy)
    if found is None:
        return line
    reason, detail = found
    return Skipped(asset=asset, amount=amount, reason=reason, detail=detail)


def priced(asset: str, offer: ConvertQuote, fair: Decimal) -> QuoteLine:
    """Put an offer beside the worth by valuation: what it takes of that is its fee."""
    gross = max(fair, offer.to_amount)
    return QuoteLine(
        asset=asset,
        full_name=asset,
        amount=offer.from_amount,
        gross=gross,
        fee=difference(gross, offer.to_amount),
        net=offer.to_amount,
        sale=True,
    )


def rule_against_offer(
    line: QuoteLine, offer: ConvertQuote, amount: Decimal, policy: Policy
) -> tuple[Reason, str] | None:
    """Say which rule forbids to take an offer, if one does."""
    if offer.from_amount != amount or offer.quote_id is None:
        return Reason.CHANGED, f"{offer.from_amount:f} of {amount:f} are offered for"
    return rule_against(line, policy)


def rule_against_now(
    planned: QuoteLine, offer: ConvertQuote, policy: Policy, now: datetime
) -> tuple[Reason, str] | None:
    """Say which rule forbids to accept an offer now, if one does."""
    fresh = priced(planned.asset, offer, planned.gross)
    if offer.to_amount < product(planned.net, _LEFT):
        moved = f"would bring {offer.to_amount:f} {policy.target}, {planned.net:f} were quoted"
        return Reason.PRICE_MOVED, moved
    if offer.valid_timestamp is not None and offer.valid_timestamp <= now + _TO_ARRIVE:
        return Reason.REFUSED, "the offer came too late to be accepted in time"
    return rule_against_offer(fresh, offer, planned.amount, policy)


async def _why_refused(
    client: DustClient, asset: str, amount: Decimal, target: str, error: ExchangeError
) -> str:
    """Say between which amounts it is sold, if it is refused for the amount."""
    try:
        pairs = await client.convert_pairs(from_asset=asset, to_asset=target)
    except DustError as unread:
        logger.info("the limits of %s are not known: %s", asset, unread)
        return error.message
    for pair in pairs:
        if (pair.from_asset, pair.to_asset) != (asset, target):
            continue
        least, most = pair.from_asset_min_amount, pair.from_asset_max_amount
        if least is not None and amount < least:
            return f"at least {least:f} can be sold"
        if most is not None and amount > most:
            return f"at most {most:f} can be sold"
        return error.message
    return f"there is no sale of it for {target}"
