"""Dust: what an account can convert now, and the conversion itself.

- Only the free part is converted. Locked, frozen and withdrawing parts stay.
- An asset worth its ceiling or more is no dust. One that rounds to nothing is too little.
- Previews round half up, conversions round down, both at eight places. They may differ by 1e-8 a
  row (recomputed from published rows of 2021 to 2026).
- One asset that can't be converted fails the whole batch.
- `gross` is what the log calls `transferedAmount`; the account is credited gross less fee.
- A price that moved by 5 % since it was shown stops the conversion (FAQ, 2021 and later).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust.sandbox import _refusals
from binance_dust.sandbox._account import Conversion, ConversionRow
from binance_dust.sandbox._amounts import ZERO, floored, rounded
from binance_dust.sandbox._market import QUOTA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from binance_dust.sandbox._account import Account, WalletName
    from binance_dust.sandbox._market import Asset, Conditions, Market

_PRICE_LIMIT: Final = Decimal("0.05")
_SHOWN_FOR: Final = 300.0
"""Seconds for which a shown price is remembered; later, no price counts as shown."""

# Why an asset can't be converted: codes of the exchange.
_SWITCHED_OFF: Final = -5001
_SHORT: Final = -5002
_NOT_HELD: Final = -5003
_TOO_MUCH: Final = -5004
_TOO_LITTLE: Final = -5005


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRow:
    """One asset that can be converted now."""

    asset: Asset
    amount: Decimal
    quota: Decimal
    """Its value in USDT."""
    gross: Decimal
    fee: Decimal

    @property
    def net(self) -> Decimal:
        """Amount that would be credited."""
        return self.gross - self.fee


def preview(
    account: Account,
    wallet: WalletName,
    target: str,
    conditions: Conditions,
    *,
    quota_price: Decimal | None = None,
) -> list[PreviewRow]:
    """List what can be converted to `target` now, and remember the prices that were shown.

    `quota_price` is the caller's own price of USDT in the target; the market's by default.
    """
    rows = list(_preview_rows(account, wallet, target, conditions, quota_price))
    market, now = conditions.market, conditions.now
    for row in rows:
        symbol = row.asset.symbol
        account.shown_prices[symbol] = now.true, market.price(symbol, now)
    return rows


def _preview_rows(
    account: Account,
    wallet: WalletName,
    target: str,
    conditions: Conditions,
    quota_price: Decimal | None,
) -> Iterator[PreviewRow]:
    market, now = conditions.market, conditions.now
    if quota_price is None:
        quota_price = 1 / market.price(target, now)
    for symbol, held in account.wallet(wallet):
        if _why_not(symbol, held.free, target, conditions) is not None:
            continue
        asset = market[symbol]
        value = market.value(symbol, held.free, now)
        gross = rounded(value * quota_price)
        yield PreviewRow(
            asset=asset,
            amount=held.free,
            quota=rounded(value),
            gross=gross,
            fee=rounded(gross * asset.fee),
        )


def convert(  # noqa: PLR0913 - the parts of a request to convert
    account: Account,
    wallet: WalletName,
    assets: list[str],
    target: str,
    conditions: Conditions,
    *,
    endpoint: str,
    client_id: str | None = None,
) -> Conversion | None:
    """Convert the whole free balances of `assets` to `target`: all of them, or none.

    `None` means that nothing was converted, and that the exchange answers an empty 200.
    """
    market, now, rules = conditions.market, conditions.now, conditions.rules
    if rules.max_assets is not None and len(assets) > rules.max_assets:
        raise _refusals.invalid("asset")
    holdings = account.wallet(wallet)
    for symbol in assets:
        reason = _why_not(symbol, holdings[symbol].free, target, conditions)
        if reason is not None:
            held = holdings[symbol]
            # Held but not free has another code than not held.
            short = reason == _NOT_HELD and held.total > 0
            raise _refusals.dust(_SHORT if short else reason, symbol)
    if any(_moved_too_far(account, symbol, conditions) for symbol in assets):
        if rules.price_moved_code is not None:
            raise _refusals.price_moved(rules.price_moved_code)
        return None

    target_price = market.price(target, now)
    rows = []
    for n, symbol in enumerate(assets):
        amount = holdings[symbol].free
        gross = floored(amount * market.price(symbol, now) / target_price)
        fee = floored(gross * market[symbol].fee)
        # In real logs, the rows of one conversion are tens of milliseconds apart.
        rows.append(
            ConversionRow(asset=symbol, amount=amount, gross=gross, fee=fee, at_ms=now.ms + 37 * n)
        )
    conversion = Conversion(
        account=account.name,
        endpoint=endpoint,
        transaction_id=account.first_transaction + len(account.conversions),
        wallet=wallet,
        target=target,
        rows=tuple(rows),
        at_ms=now.ms,
        done_at=now.true,
        client_id=client_id,
    )
    for row in rows:
        holdings.add(row.asset, row.amount.copy_negate())
    holdings.add(target, conversion.net)
    account.conversions.append(conversion)
    return conversion


def is_cooling(
    account: Account, endpoint: str, conditions: Conditions, *, assets: list[str] | None = None
) -> bool:
    """Tell whether the account, or one of these assets, was converted here too recently."""
    since = conditions.now.true - conditions.rules.cooldown
    for conversion in reversed(account.conversions):
        if conversion.done_at <= since:
            return False
        if conversion.endpoint != endpoint:
            continue
        if assets is None or any(row.asset in assets for row in conversion.rows):
            return True
    return False


def _why_not(symbol: str, available: Decimal, target: str, conditions: Conditions) -> int | None:
    """Give the code why this can't be converted, or `None` if it can."""
    market, rules, now = conditions.market, conditions.rules, conditions.now
    asset = market.get(symbol)
    if asset is None:
        return _NOT_HELD
    if not asset.convertible or symbol == target:
        return _SWITCHED_OFF
    if available <= ZERO:
        return _NOT_HELD
    value = market.value(symbol, available, now)
    if value >= (rules.ceiling if asset.ceiling is None else asset.ceiling):
        return _TOO_MUCH
    if value < rules.minimum or not floored(value / market.price(target, now)):
        return _TOO_LITTLE
    return None


def _moved_too_far(account: Account, symbol: str, conditions: Conditions) -> bool:
    now = conditions.now
    at, price = account.shown_prices.get(symbol, (-_SHOWN_FOR, ZERO))
    if now.true - at > _SHOWN_FOR or not price:
        return False
    return abs(conditions.market.price(symbol, now) / price - 1) >= _PRICE_LIMIT


def is_target(symbol: str, market: Market) -> bool:
    """Tell whether dust may be converted to this; the list is not documented, these were seen."""
    return symbol in ("BNB", "BTC", "ETH", "USDC", QUOTA) and symbol in market
