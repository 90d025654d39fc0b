"""Conversions that an account made before the sandbox was opened, drawn by seed.

Years of history can't be made by converting: cooldowns stand in the way, and the clock. So they are
written onto the record as the exchange would have them: rows of a few assets at the prices of the
catalogue, amounts cut to eight places, each fee the asset's own.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Final

from binance_dust.sandbox._account import Conversion, Row
from binance_dust.sandbox._amounts import floored

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from binance_dust.sandbox._account import Account, WalletName
    from binance_dust.sandbox._market import Asset, Market

_MOST_ROWS: Final = 3
_CENTS: Final = (50, 999)
"""What a row was worth, from and to."""


def draw(  # noqa: PLR0913 - what a past is made of, all by keyword
    seed: int,
    account: Account,
    market: Market,
    *,
    times_ms: Iterable[int],
    target: str,
    wallet: WalletName,
    ahead: float = 0.0,
) -> Iterator[Conversion]:
    """Draw a conversion for each time of the exchange's clock, which is `ahead` of true time.

    The ids go on where the account's own stop.
    """
    random = Random(f"{seed}/{account.name}/past/{wallet}/{target}")  # noqa: S311 - to be repeated
    assets = [asset for asset in market if asset.convertible and asset.symbol != target]
    first = account.first_transaction + len(account.conversions)
    for n, at_ms in enumerate(times_ms):
        sold = random.sample(assets, random.randint(1, _MOST_ROWS))
        yield Conversion(
            account=account.name,
            endpoint="dust_transfer" if target == "BNB" else "dust_convert",
            transaction_id=first + n,
            wallet=wallet,
            target=target,
            rows=tuple(_row(random, asset, market[target], at_ms) for asset in sold),
            at_ms=at_ms,
            done_at=at_ms / 1000 - ahead,
        )


def _row(random: Random, asset: Asset, target: Asset, at_ms: int) -> Row:
    worth = Decimal(random.randint(*_CENTS)) / 100
    amount = floored(worth / asset.price)
    gross = floored(amount * asset.price / target.price)
    return Row(
        asset=asset.symbol, amount=amount, gross=gross, fee=floored(gross * asset.fee), at_ms=at_ms
    )
