"""What the exchange lists as convertible: asked of the list that belongs to the call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.conversion._quote import QuoteLine
from binance_dust.ledger import Kind

if TYPE_CHECKING:
    from binance_dust.client import DustClient
    from binance_dust.conversion._policy import Policy
    from binance_dust.models import ConvertibleAssets, DustAssets

__all__ = ["from_convertible_assets", "from_dust_assets", "read_listed"]


async def read_listed(client: DustClient, policy: Policy) -> list[QuoteLine]:
    """Read what can be converted now: `dust_transfer` and `dust_convert` have a list each."""
    if policy.kind is Kind.DUST:
        return from_dust_assets(await client.dust_assets(account_type=policy.wallet))
    return from_convertible_assets(
        await client.convertible_assets(policy.target, account_type=policy.wallet)
    )


def from_dust_assets(answer: DustAssets) -> list[QuoteLine]:
    """Read the list of what can be converted into BNB."""
    return [
        QuoteLine(
            asset=row.asset,
            full_name=row.asset_full_name,
            amount=row.amount_free,
            gross=row.to_bnb,
            fee=row.exchange,
            net=row.to_bnb_off_exchange,
        )
        for row in answer.details
    ]


def from_convertible_assets(answer: ConvertibleAssets) -> list[QuoteLine]:
    """Read the list of what can be converted into any target."""
    return [
        QuoteLine(
            asset=row.asset,
            full_name=row.asset_full_name,
            amount=row.amount_free,
            gross=row.to_target_asset_amount,
            fee=row.exchange,
            net=row.to_target_asset_off_exchange,
        )
        for row in answer.details
    ]
