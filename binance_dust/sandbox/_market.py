"""The listed assets: the price of each at a given time, and the fee for converting it.

Prices are in USDT, the quota asset. They change in steps of time since the opening, drawn by seed,
and stay within `volatility` of the price that was set. Two exchanges with one seed agree to the
digit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

from binance_dust.sandbox._amounts import exact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from binance_dust.sandbox._amounts import Amount
    from binance_dust.sandbox._clock import Instant
    from binance_dust.sandbox._rules import Rules

QUOTA: Final = "USDT"
"""The exchange values ceilings and liabilities in this asset (BUSD until 2023)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One listed asset."""

    symbol: str
    price: Decimal
    full_name: str
    fee: Decimal = Decimal("0.02")
    """Share that the exchange keeps: 2 %, and 10 % for Alpha tokens (FAQ, 2026-09)."""
    convertible: bool = True
    ceiling: Decimal | None = None
    """Overrides `Rules.ceiling` for this asset, in USDT."""
    marginable: bool = True


class _Traits(TypedDict, total=False):
    fee: Decimal
    convertible: bool
    marginable: bool


def _listed(symbol: str, price: str, full_name: str = "", **traits: Unpack[_Traits]) -> Asset:
    return Asset(symbol=symbol, price=Decimal(price), full_name=full_name or symbol, **traits)


_ALPHA: Final = Decimal("0.1")

CATALOGUE: Final = (
    _listed("BTC", "96000", "Bitcoin"),
    _listed("ETH", "3400", "Ethereum"),
    _listed("BNB", "910"),  # as in the documents' sample, where 0.00082768 BNB is 0.7531888
    _listed("USDT", "1", "TetherUS"),
    _listed("USDC", "0.9998", "USDC"),
    _listed("FDUSD", "0.9991", "First Digital USD"),
    _listed("ADA", "0.4512", "Cardano"),
    _listed("AR", "4.3", "AR"),  # as in that sample, where 0.00856 AR is 0.036808
    _listed("ATOM", "2.87", "Cosmos"),
    _listed("AVAX", "15.42", "Avalanche"),
    _listed("BCH", "512.3", "Bitcoin Cash"),
    _listed("DOGE", "0.1583", "Dogecoin"),
    _listed("DOT", "2.31", "Polkadot"),
    _listed("FIL", "1.62", "Filecoin"),
    _listed("LINK", "14.21", "Chainlink"),
    _listed("LTC", "88.4", "Litecoin"),
    _listed("NEAR", "2.04", "NEAR Protocol"),
    _listed("PEPE", "0.00000487", "Pepe"),
    _listed("SHIB", "0.00000871", "SHIBA INU"),
    _listed("SOL", "141.6", "Solana"),
    _listed("TRX", "0.278", "TRON"),
    _listed("UNI", "6.92", "Uniswap"),
    _listed("XLM", "0.2451", "Stellar Lumens"),
    _listed("XRP", "2.14", "XRP"),
    _listed("币安人生", "0.1322", "币安人生", marginable=False),  # the exchange's own spelling
    _listed("ALPHACA", "0.0213", "Alphaca", fee=_ALPHA, marginable=False),
    _listed("KOGE", "47.9", "BNB48 Club Token", fee=_ALPHA, marginable=False),
    # Delisted, or never supported: one such asset fails a whole batch.
    _listed("BZRX", "0.0641", "bZx Protocol", convertible=False, marginable=False),
    _listed("BUSD", "0.9987", "BUSD", convertible=False, marginable=False),
    _listed("LUNC", "0.0000391", "Terra Classic", convertible=False, marginable=False),
    _listed("WRZ", "0.0312", "WRZ", convertible=False, marginable=False),
)


class Market:
    """The listed assets and their prices."""

    def __init__(self, seed: int, rules: Rules, opened: float) -> None:
        """Open at this true time."""
        self._seed = seed
        self._rules = rules
        self._opened = opened
        self._assets = {asset.symbol: asset for asset in CATALOGUE}
        self.delistings: dict[str, int] = {}
        """When an asset is delisted, in milliseconds of the exchange's clock."""

    def __iter__(self) -> Iterator[Asset]:
        return iter(list(self._assets.values()))

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._assets

    def __getitem__(self, symbol: str) -> Asset:
        return self._assets[symbol]

    def get(self, symbol: str) -> Asset | None:
        """Find an asset, if it is listed."""
        return self._assets.get(symbol)

    def list_asset(  # noqa: PLR0913 - the fields of an asset, all by keyword
        self,
        symbol: str,
        *,
        price: Amount | None = None,
        full_name: str | None = None,
        fee: Amount | None = None,
        convertible: bool | None = None,
        ceiling: Amount | None = None,
        marginable: bool | None = None,
    ) -> Asset:
        """List an asset, or change one that is listed; arguments left out change nothing."""
        asset = self._assets.get(symbol) or _listed(symbol, self._invented_price(symbol))
        asset = replace(
            asset,
            price=asset.price if price is None else exact(price),
            full_name=asset.full_name if full_name is None else full_name,
            fee=asset.fee if fee is None else exact(fee),
            convertible=asset.convertible if convertible is None else convertible,
            ceiling=asset.ceiling if ceiling is None else exact(ceiling),
            marginable=asset.marginable if marginable is None else marginable,
        )
        self._assets[symbol] = asset
        return asset

    def move_price(self, symbol: str, part: Amount | Decimal) -> None:
        """Change a price by a part of itself: `"0.06"` is 6 % up, `"-0.06"` is 6 % down."""
        asset = self._assets[symbol]
        self._assets[symbol] = replace(asset, price=asset.price * (1 + Decimal(part)))

    def price(self, symbol: str, now: Instant) -> Decimal:
        """Price in USDT at this time."""
        price = self._assets[symbol].price
        step = int((now.true - self._opened) // self._rules.price_step)
        if symbol == QUOTA or step <= 0 or not self._rules.volatility:
            return price
        return price * (1 + self._rules.volatility * self._swing(symbol, step))

    def value(self, symbol: str, amount: Decimal, now: Instant) -> Decimal:
        """Value in USDT at this time; zero for an asset that is not listed."""
        return amount * self.price(symbol, now) if symbol in self._assets else Decimal(0)

    def _swing(self, symbol: str, step: int) -> Decimal:
        """Draw a number from -1 to 1; the same seed, asset and step give the same number."""
        drawn = hashlib.blake2b(f"{self._seed}/{symbol}/{step}".encode(), digest_size=4).digest()
        return Decimal(int.from_bytes(drawn)) / Decimal(2**31) - 1

    def _invented_price(self, symbol: str) -> str:
        """Draw a price of cents for an asset outside the catalogue, by seed and name."""
        drawn = hashlib.blake2b(f"{self._seed}/{symbol}".encode(), digest_size=4).digest()
        return str((1 + Decimal(int.from_bytes(drawn) % 9_999)) / 10_000)

    def __repr__(self) -> str:
        return f"<Market {len(self._assets)} assets>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What decides a conversion besides the account: the market, the rules and the time."""

    market: Market
    rules: Rules
    now: Instant
