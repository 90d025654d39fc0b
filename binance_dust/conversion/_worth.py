"""What an asset is worth in the units of the rules: the exchange values balances in BTC.

Its ceiling for dust is in USDT (the quota asset), and the rules of a converter are in the target.
The price of a BTC in both comes from what the exchange says anyway: an asset that has a worth in
both units, or a balance of the unit itself. Where that is not enough, a quote for BTC is asked for;
nobody accepts it. What a sale brings is compared with the price of a BTC in the target. So that
price must not have the same spread as the sale: it is asked for there and back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Final

from binance_dust._util.exact import product, ratio
from binance_dust.errors import ExchangeError
from binance_dust.events import logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from binance_dust.client import DustClient
    from binance_dust.conversion._account import HeldAsset
    from binance_dust.conversion._quote import QuoteLine
    from binance_dust.models import ConvertibleAssets

__all__ = ["Worth", "find_worth", "with_ceiling", "with_target"]

_ABOVE_ALL_CEILINGS: Final = Decimal("0.0012")
"""BTC: the highest ceiling of one asset that any source names (FAQ of 2021). It only explains, and
only where the exchange's own ceiling can't be compared with a worth in BTC."""
_EXACT_ENOUGH: Final = Decimal("0.00001")
"""BTC: valuations have eight decimals, so from here on they are exact to a thousandth."""
_BITCOIN: Final = "BTC"
_QUOTA: Final = "USDT"
_DECIMALS: Final = Decimal("0.00000001")
_ASKED: Final = Decimal("0.01")
"""BTC: above any minimum, and nothing of it has to be held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a BTC is worth, and from which worth on an asset is too much to be dust."""

    limit: Decimal | None = None
    """In the exchange's quota asset (USDT)."""
    bitcoin: Decimal | None = None
    """The price of a BTC in the quota asset."""
    target: Decimal | None = None
    """The price of a BTC in the target."""

    def is_too_much(self, in_bitcoin: Decimal) -> bool:
        """Tell whether a worth in BTC is at the ceiling or above it."""
        if self.limit is None or self.bitcoin is None:
            return in_bitcoin >= _ABOVE_ALL_CEILINGS
        return product(in_bitcoin, self.bitcoin) >= self.limit

    def is_dust(self, in_bitcoin: Decimal) -> bool:
        """Tell whether a worth in BTC is certainly below the ceiling."""
        if self.limit is None or self.bitcoin is None:
            return False
        return not self.is_too_much(in_bitcoin)

    def in_target(self, in_bitcoin: Decimal) -> Decimal | None:
        """Convert a worth in BTC into the target; `None` without a price."""
        return None if self.target is None else product(in_bitcoin, self.target)


def find_worth(
    answer: ConvertibleAssets,
    held: Mapping[str, HeldAsset],
    listed: Iterable[QuoteLine] = (),
    *,
    target: str = "",
) -> Worth:
    """Take the ceiling, and the prices of BTC from assets that have a worth in both units."""
    quota = [
        (worth, amount)
        for row in answer.details
        if (amount := row.to_quota_asset_amount) is not None
        and (worth := _free_in_bitcoin(held, row.asset))
    ]
    brings = [
        (worth, line.gross)
        for line in listed
        if (worth := _free_in_bitcoin(held, line.asset)) and worth >= _EXACT_ENOUGH
    ]
    bitcoin = _price(quota) or _price(_balance(held, _QUOTA))
    in_target = Decimal(1) if target == _BITCOIN else _price(brings or _balance(held, target))
    if in_target is None and target == _QUOTA:
        in_target = bitcoin
    return Worth(limit=answer.dribblet_base, bitcoin=bitcoin, target=in_target)


async def with_target(client: DustClient, worth: Worth, target: str) -> Worth:
    """Ask for the price of a BTC in the target, if it isn't known: what one costs, at the most.

    The quote for a BTC says what it brings, less the exchange's spread. The quote back for as much
    says what a BTC costs, spread included.
    """
    if worth.target is not None:
        return worth
    brings = await _ask(client, _BITCOIN, target, _ASKED)
    if brings is None:
        return worth
    back = await _ask(client, target, _BITCOIN, product(_ASKED, brings))
    return replace(worth, target=ratio(Decimal(1), back) if back else None)


async def with_ceiling(client: DustClient, worth: Worth) -> Worth:
    """Ask for the price of a BTC in the quota asset, if it isn't known and the ceiling is."""
    if worth.bitcoin is not None or worth.limit is None:
        return worth
    return replace(worth, bitcoin=await _ask(client, _BITCOIN, _QUOTA, _ASKED))


async def _ask(client: DustClient, sold: str, target: str, amount: Decimal) -> Decimal | None:
    """Ask what one of an asset brings in another; `None` if it is not sold for it."""
    try:
        # As many decimals as the exchange takes of any asset.
        rounded = amount.quantize(_DECIMALS, rounding=ROUND_DOWN)
        quote = await client.convert_quote(sold, target, amount=rounded)
    except ExchangeError as error:
        logger.info("no price of %s in %s: %s", sold, target, error)
        return None
    return ratio(quote.to_amount, quote.from_amount) if quote.from_amount else None


def _free_in_bitcoin(held: Mapping[str, HeldAsset], asset: str) -> Decimal | None:
    return None if asset not in held else held[asset].free_in_bitcoin


def _balance(held: Mapping[str, HeldAsset], asset: str) -> list[tuple[Decimal, Decimal]]:
    holding = held.get(asset)
    if holding is None or not holding.in_bitcoin:
        return []
    return [(holding.in_bitcoin, holding.total)]


def _price(measured: list[tuple[Decimal, Decimal]]) -> Decimal | None:
    if not measured:
        return None
    # The largest has the most digits, and so the smallest error.
    worth, amount = max(measured)
    return ratio(amount, worth)
