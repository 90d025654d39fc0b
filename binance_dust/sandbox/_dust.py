"""Dust: what an account could convert now, and converting it.

- Only the free part converts. Locked, frozen and withdrawing parts stay.
- An asset worth its ceiling or more is no dust; one that comes to nothing is too little.
- Previews round half up, conversions cut, both at eight places: they may differ by 1e-8 a row
  (recomputed from published rows of 2021 to 2026).
- One asset that can't be converted fails the whole batch.
- `gross` is what the log calls `transferedAmount`; credited is gross less fee.
- A price that moved by 5 % since it was shown stops the conversion (FAQ, 2021 and later).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust.sandbox import _refusals as refusal
from binance_dust.sandbox._account import Conversion, Row
from binance_dust.sandbox._amounts import ZERO, floored, rounded
from binance_dust.sandbox._market import QUOTA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from binance_dust.sandbox._account import Account, WalletName
    from binance_dust.sandbox._clock import Moment
    from binance_dust.sandbox._market import Asset, Market
    from binance_dust.sandbox._rules import Rules

_TOO_FAR: Final = Decimal("0.05")
_SHOWN_FOR: Final = 300.0
"""Seconds for which a preview is remembered; a user who asks later saw another price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where and when something happens."""

    market: Market
    rules: Rules
    moment: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One asset that could be converted now."""

    asset: Asset
    amount: Decimal
    quota: Decimal
    """Its value in USDT."""
    gross: Decimal
    fee: Decimal

    @property
    def net(self) -> Decimal:
        """What would come in."""
        return self.gross - self.fee


def preview(
    account: Account,
    wallet: WalletName,
    target: str,
    scene: Scene,
    *,
    quota_price: Decimal | None = None,
) -> list[Line]:
    """List what could be converted to `target` now, and remember the prices that were shown.

    `quota_price` is the caller's own price from USDT to the target; without it, the market's.
    """
    lines = list(_lines(account, wallet, target, scene, quota_price))
    for line in lines:
        symbol = line.asset.symbol
        account.shown[symbol] = scene.moment.true, scene.market.price(symbol, scene.moment)
    return lines


def _lines(
    account: Account, wallet: WalletName, target: str, scene: Scene, quota_price: Decimal | None
) -> Iterator[Line]:
    market, moment = scene.market, scene.moment
    if quota_price is None:
        quota_price = 1 / market.price(target, moment)
    for symbol, held in account.wallet(wallet):
        if _why_not(symbol, held.free, target, scene) is not None:
            continue
        asset = market[symbol]
        value = market.value(symbol, held.free, moment)
        gross = rounded(value * quota_price)
        yield Line(
            asset=asset,
            amount=held.free,
            quota=rounded(value),
            gross=gross,
            fee=rounded(gross * asset.fee),
        )


def convert(  # noqa: PLR0913 - what is asked, all of it
    account: Account,
    wallet: WalletName,
    assets: list[str],
    target: str,
    scene: Scene,
    *,
    endpoint: str,
    client_id: str | None = None,
) -> Conversion | None:
    """Convert whole free balances to `target`: all of `assets`, or none.

    `None` means that nothing was converted, and that the exchange says so by an empty 200.
    """
    market, moment, rules = scene.market, scene.moment, scene.rules
    if rules.max_assets is not None and len(assets) > rules.max_assets:
        raise refusal.invalid("asset")
    holdings = account.wallet(wallet)
    for symbol in assets:
        reason = _why_not(symbol, holdings[symbol].free, target, scene)
        if reason is not None:
            held = holdings[symbol]
            # Held, but not to be used: that is another answer than not held at all.
            short = reason == _NOT_HELD and held.total > 0
            raise refusal.dust(_SHORT if short else reason, symbol)
    if any(_moved_too_far(account, symbol, scene) for symbol in assets):
        if rules.price_moved_code is not None:
            raise refusal.price_moved(rules.price_moved_code)
        return None

    target_price = market.price(target, moment)
    rows = []
    for n, symbol in enumerate(assets):
        amount = holdings[symbol].free
        gross = floored(amount * market.price(symbol, moment) / target_price)
        fee = floored(gross * market[symbol].fee)
        # Rows of one conversion are seen tens of milliseconds apart.
        rows.append(
            Row(asset=symbol, amount=amount, gross=gross, fee=fee, at_ms=moment.ms + 37 * n)
        )
    conversion = Conversion(
        account=account.name,
        endpoint=endpoint,
        transaction_id=account.first_transaction + len(account.conversions),
        wallet=wallet,
        target=target,
        rows=tuple(rows),
        at_ms=moment.ms,
        done_at=moment.true,
        client_id=client_id,
    )
    for row in rows:
        holdings.add(row.asset, row.amount.copy_negate())
    holdings.add(target, conversion.net)
    account.conversions.append(conversion)
    return conversion


def is_cooling(
    account: Account, endpoint: str, scene: Scene, *, assets: list[str] | None = None
) -> bool:
    """Tell whether the account, or one of these assets, was converted here too recently."""
    since = scene.moment.true - scene.rules.cooldown
    for conversion in reversed(account.conversions):
        if conversion.done_at <= since:
            return False
        if conversion.endpoint != endpoint:
            continue
        if assets is None or any(row.asset in assets for row in conversion.rows):
            return True
    return False


_SWITCHED_OFF: Final = -5001
_SHORT: Final = -5002
_NOT_HELD: Final = -5003
_TOO_MUCH: Final = -5004
_TOO_LITTLE: Final = -5005


def _why_not(symbol: str, available: Decimal, target: str, scene: Scene) -> int | None:
    """Give the code that speaks against converting this, or `None`."""
    market, rules = scene.market, scene.rules
    asset = market.get(symbol)
    if asset is None:
        return _NOT_HELD
    if not asset.convertible or symbol == target:
        return _SWITCHED_OFF
    if available <= ZERO:
        return _NOT_HELD
    value = market.value(symbol, available, scene.moment)
    if value >= (rules.ceiling if asset.ceiling is None else asset.ceiling):
        return _TOO_MUCH
    if value < rules.minimum or not floored(value / market.price(target, scene.moment)):
        return _TOO_LITTLE
    return None


def _moved_too_far(account: Account, symbol: str, scene: Scene) -> bool:
    at, price = account.shown.get(symbol, (-_SHOWN_FOR, ZERO))
    if scene.moment.true - at > _SHOWN_FOR or not price:
        return False
    return abs(scene.market.price(symbol, scene.moment) / price - 1) >= _TOO_FAR


def is_target(symbol: str, market: Market) -> bool:
    """Tell whether dust may be converted to this; the list is undocumented, these were seen."""
    return symbol in ("BNB", "BTC", "ETH", "USDC", QUOTA) and symbol in market
