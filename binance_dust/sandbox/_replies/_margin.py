"""Replies about the margin account, and the rules of exchanging small liabilities.

Small liabilities are debts of less than 10 USDT. The exchange does not reduce them; it turns them
into one debt in USDT (margin documents, 2026-01): at most ten coins per call, once in six hours. No
document names the codes of its refusals, so the sandbox chose them from the margin list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from binance_dust.sandbox import _refusals
from binance_dust.sandbox._account import Debt, DebtExchange
from binance_dust.sandbox._amounts import ZERO, floored, rounded, text
from binance_dust.sandbox._clock import DAY_MS
from binance_dust.sandbox._market import QUOTA

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from binance_dust.sandbox._admission import AdmittedRequest, ReplyFunction

_MOST_COINS: Final = 10
_MOST_ROWS: Final = 100


def small_liabilities(request: AdmittedRequest) -> list[dict[str, Any]]:
    """List the debts that may be exchanged."""
    debts = request.margin.debts
    return [
        {
            "asset": asset,
            "interest": text(debts[asset].interest),
            "principal": text(debts[asset].principal),
            "liabilityAsset": QUOTA,
            # The only amount that is a JSON number.
            "liabilityQty": msgspec.Raw(text(rounded(value)).encode()),
        }
        for asset, value in _small_debts(request).items()
    ]


def exchange_small_liabilities(request: AdmittedRequest) -> msgspec.Raw:
    """Exchange debts; the body is a rule, since no document shows one."""
    _exchange(request, request.parameters.several("assetNames"))
    return msgspec.Raw(request.rules.liability_body.encode())


def small_liability_history(request: AdmittedRequest) -> dict[str, Any]:
    """List exchanged debts in pages, newest first."""
    current = request.parameters.whole_number("current")
    size = request.parameters.whole_number("size")
    if not current:
        raise _refusals.invalid("current")
    if not size or size > _MOST_ROWS:
        raise _refusals.invalid("size")
    start, end = request.time_range()
    now = request.now.ms
    until = now if end is None else end
    since = until - 30 * DAY_MS if start is None else start
    request.margin  # noqa: B018 - refuses an account without margin
    exchanges = reversed(request.account.debt_exchanges)
    found = [done for done in exchanges if since <= done.at_ms <= until]
    page = found[(current - 1) * size : current * size]
    return {
        "total": len(found),
        "rows": [
            {
                "asset": done.asset,
                "amount": text(done.amount),
                "targetAsset": done.target,
                "targetAmount": text(done.target_amount),
                "bizType": "EXCHANGE_SMALL_LIABILITY",
                "timestamp": done.at_ms,
            }
            for done in page
        ],
    }


def margin_account(request: AdmittedRequest) -> dict[str, Any]:
    """Show the cross-margin account, with all debts, small or not."""
    margin, market, now = request.margin, request.market, request.now
    holdings = dict(margin.wallet)
    rows, assets_worth, debts_worth = [], ZERO, ZERO
    for asset in sorted({*holdings, *(name for name, debt in margin.debts.items() if debt.total)}):
        held, owed = margin.wallet[asset], margin.debts.get(asset, Debt(0))
        own = held.free + held.locked
        rows.append(
            {
                "asset": asset,
                "borrowed": text(owed.principal),
                "free": text(held.free),
                "interest": text(owed.interest),
                "locked": text(held.locked),
                "netAsset": text(own - owed.total),
            }
        )
        assets_worth += market.value(asset, own, now)
        debts_worth += market.value(asset, owed.total, now)
    return {
        "created": True,
        "borrowEnabled": True,
        "marginLevel": _level(assets_worth, debts_worth),
        "collateralMarginLevel": _level(assets_worth, debts_worth),
        **_totals(request, assets_worth, debts_worth),
        "tradeEnabled": True,
        "transferInEnabled": True,
        "transferOutEnabled": True,
        "accountType": "MARGIN_1",
        "userAssets": rows,
    }


def isolated_margin_pairs(request: AdmittedRequest) -> list[dict[str, Any]]:
    """List the pairs of isolated margin."""
    return [
        {
            "base": asset.symbol,
            "isBuyAllowed": True,
            "isMarginTrade": True,
            "isSellAllowed": True,
            "quote": QUOTA,
            "symbol": f"{asset.symbol}{QUOTA}",
        }
        for asset in request.market
        if asset.marginable and asset.symbol != QUOTA
    ]


def margin_pairs(request: AdmittedRequest) -> list[dict[str, Any]]:
    """List the pairs of cross margin: those of isolated margin, with an id."""
    pairs = isolated_margin_pairs(request)
    return [{"id": 351_637_150_141_315_861 + n, **pair} for n, pair in enumerate(pairs)]


def _totals(
    request: AdmittedRequest, assets_worth: Decimal, debts_worth: Decimal
) -> dict[str, str]:
    bitcoin = request.market.price("BTC", request.now)
    return {
        "totalAssetOfBtc": text(rounded(assets_worth / bitcoin)),
        "totalLiabilityOfBtc": text(rounded(debts_worth / bitcoin)),
        "totalNetAssetOfBtc": text(rounded((assets_worth - debts_worth) / bitcoin)),
        # With a capital T in the documents.
        "TotalCollateralValueInUSDT": text(rounded(assets_worth)),
        "totalOpenOrderLossInUSDT": "0",
    }


def _level(assets_worth: Decimal, debts_worth: Decimal) -> str:
    """Assets divided by debts; the exchange writes 999 if there is no debt."""
    return text(rounded(assets_worth / debts_worth)) if debts_worth else "999"


def _small_debts(request: AdmittedRequest) -> dict[str, Decimal]:
    """Give the value in USDT of each debt below the ceiling, by asset."""
    values = {
        asset: request.market.value(asset, debt.total, request.now)
        for asset, debt in sorted(request.margin.debts.items())
        if asset != QUOTA
    }
    ceiling = request.rules.liability_ceiling
    return {asset: value for asset, value in values.items() if 0 < value < ceiling}


def _exchange(request: AdmittedRequest, assets: list[str]) -> None:
    """Exchange these debts into one in USDT: all of them, or none."""
    account, margin = request.account, request.margin
    rules, market, now = request.rules, request.market, request.now
    last = account.debts_exchanged_at
    if last is not None and now.true - last < rules.liability_cooldown:
        raise _refusals.Refusal(rules.liability_cooldown_code, "Only exchange once in 6 hours.")
    if len(assets) > _MOST_COINS:
        raise _refusals.Refusal(-3026, f"At most {_MOST_COINS} coins may be exchanged at once.")
    small = _small_debts(request)
    for asset in assets:
        if asset not in market or not market[asset].marginable:
            raise _refusals.Refusal(-3027, f"{asset} is not a valid margin asset.")
        if asset not in small:
            raise _refusals.Refusal(-3015, "Repay amount exceeds borrow amount.")

    done = []
    for asset in assets:
        owed = margin.debts.pop(asset)
        value = floored(market.value(asset, owed.total, now))
        done.append(
            DebtExchange(
                account=account.name,
                asset=asset,
                amount=owed.total,
                target=QUOTA,
                target_amount=value,
                at_ms=now.ms,
            )
        )
        before = margin.debts.get(QUOTA, Debt(0))
        margin.debts[QUOTA] = Debt(before.principal + value, interest=before.interest)
    account.debt_exchanges.extend(done)
    account.debts_exchanged_at = now.true


REPLIES: Final[Mapping[str, ReplyFunction]] = {
    "small_liabilities": small_liabilities,
    "exchange_small_liabilities": exchange_small_liabilities,
    "small_liability_history": small_liability_history,
    "margin_account": margin_account,
    "margin_pairs": margin_pairs,
    "isolated_margin_pairs": isolated_margin_pairs,
}
