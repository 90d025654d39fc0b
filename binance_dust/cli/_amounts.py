"""Amounts of different assets, which have no sum but one each."""

from __future__ import annotations

from decimal import Decimal

from binance_dust._util.exact import total
from binance_dust.cli._console import shown


class Amounts(dict[str, Decimal]):
    """Sums by asset, with every digit; as a text `0.3552 USDT, 0.01 BNB`."""

    def add(self, asset: str, amount: Decimal) -> None:
        """Add to the sum of an asset."""
        self[asset] = total((self.get(asset, Decimal(0)), amount))

    def __str__(self) -> str:
        return ", ".join(f"{amount:f} {shown(asset)}" for asset, amount in self.items())
