"""Until when assets can be converted, as far as the two delisting schedules tell.

The schedules name pairs of the spot market, and assets of cross margin. No document says until when
the dust of a delisted asset can be converted: it is taken to be until its pairs stop trading.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from binance_dust._util.exact import AnswerStruct, Moment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from binance_dust.models._elsewhere import Delisting, MarginDelisting

_MAIN: Final = "USDT"
"""The market of nearly every asset. A pair with it stops when the asset itself goes; other pairs
come and go for want of trade."""
# fmt: off
_QUOTES: Final = frozenset({
    "ARS", "AEUR", "AUD", "BFUSD", "BIDR", "BNB", "BRL", "BTC", "BUSD", "COP", "CZK", "DAI",
    "DOGE", "DOT", "ETH", "EUR", "EURI", "FDUSD", "GBP", "GYEN", "IDR", "IDRT", "JPY", "KRW",
    "MXN", "NGN", "PAX", "PLN", "RLUSD", "RON", "RUB", "SOL", "TRX", "TRY", "TUSD", "U", "UAH",
    "USD1", "USDC", "USDE", "USDP", "USDS", "USDT", "UST", "VAI", "XRP", "XUSD", "ZAR",
})
# fmt: on
"""Assets that others are priced in. A pair is two names in one word, so that the second has to be
known. From the pairs of 2020 to 2026 as remembered, not from a document."""


_CROSS_MARGIN: Final = "Cross Margin"
"""The name of margin among the wallets."""


class LastChance(AnswerStruct, frozen=True, kw_only=True):
    """An asset that is about to be delisted, in spot or in margin."""

    asset: str
    account_type: str
    """Where it lies: `SPOT`, `MARGIN`, or another wallet by the exchange's name (`Funding`)."""
    until: Moment
    """When the first of its pairs stops trading, or when it leaves cross margin."""
    pairs: list[str]
    """Its pairs that stop trading; none if it only leaves cross margin."""
    goes: bool
    """Whether the asset itself is taken to go: its pair with USDT stops, or it leaves cross margin.
    Otherwise it may stay, and stay convertible, with the pairs that it still has."""

    def __str__(self) -> str:
        when = f"{self.until:%Y-%m-%d %H:%M} UTC"
        if not self.goes:
            return f"{self.asset}: may stay; {', '.join(self.pairs)} stops at {when}"
        why = ", ".join(self.pairs) or "it leaves cross margin"
        return f"{self.asset}: convert it before {when} ({why})"


def soonest(chance: LastChance) -> tuple[bool, datetime, str]:
    """Order last chances: those that end first come first, those that may stay last."""
    return not chance.goes, chance.until, chance.asset


class _Stop(NamedTuple):
    at: datetime
    pair: str | None


class Delistings:
    """Both schedules, asked about assets: one reading serves a whole desk."""

    __slots__ = ("_margin", "_spot", "unread")

    def __init__(
        self, spot: Iterable[Delisting] = (), margin: Iterable[MarginDelisting] = ()
    ) -> None:
        """Find the assets of all pairs."""
        self._spot: defaultdict[str, list[_Stop]] = defaultdict(list)
        self._margin: defaultdict[str, list[_Stop]] = defaultdict(list)
        unread: dict[str, None] = {}
        for each in spot:
            for pair in each.symbols:
                bases = [pair.removesuffix(quote) for quote in _QUOTES if pair.endswith(quote)]
                for base in filter(None, bases):
                    # More than one, if two names end alike (EUR, AEUR): only one of them is held.
                    self._spot[base].append(_Stop(each.delist_time, pair))
                if not any(bases):
                    unread[pair] = None
        for leaving in margin:
            for asset in leaving.cross_margin_assets or ():
                self._margin[asset].append(_Stop(leaving.delist_time, None))
        self.unread: tuple[str, ...] = tuple(unread)
        """Pairs that stop trading, and can't be split into two assets."""

    def of(self, asset: str, account_type: str | None = "SPOT") -> LastChance | None:
        """Say until when an asset can be converted; `None` if nothing is known to end it."""
        stops = list(self._spot.get(asset, ()))
        if account_type == _CROSS_MARGIN:
            account_type = "MARGIN"
        if account_type == "MARGIN":
            stops += self._margin.get(asset, ())
        if not stops:
            return None
        # The time is of what ends it, not of a pair that went before.
        ends = [stop for stop in stops if stop.pair in (None, asset + _MAIN)]
        return LastChance(
            asset=asset,
            account_type=account_type or "SPOT",
            until=min(stop.at for stop in ends or stops),
            pairs=sorted({stop.pair for stop in stops if stop.pair is not None}),
            goes=bool(ends),
        )

    def among(
        self, assets: Iterable[str], account_type: str | None = "SPOT"
    ) -> tuple[LastChance, ...]:
        """Find the assets that are about to be delisted; those that end first come first."""
        found = (self.of(asset, account_type) for asset in dict.fromkeys(assets))
        return tuple(sorted((each for each in found if each is not None), key=soonest))

    def __bool__(self) -> bool:
        return bool(self._spot or self._margin or self.unread)

    def __repr__(self) -> str:
        return f"<Delistings, {len(self._spot)} assets in spot, {len(self._margin)} in margin>"
