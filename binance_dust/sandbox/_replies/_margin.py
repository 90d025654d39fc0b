"""The margin account and its small liabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from binance_dust.sandbox import _liabilities as liabilities
from binance_dust.sandbox import _refusals as refusal
from binance_dust.sandbox._account import Debt
from binance_dust.sandbox._amounts import ZERO, rounded, text
from binance_dust.sandbox._market import QUOTA
from binance_dust.sandbox._replies._call import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from binance_dust.sandbox._replies._call import Answering, Call

_MOST_ROWS: Final = 100


def small_liabilities(call: Call) -> list[dict[str, Any]]:
    """List the debts that may be exchanged."""
    return [
        {
            "asset": item.asset,
            "interest": text(item.debt.interest),
            "principal": text(item.debt.principal),
            "liabilityAsset": QUOTA,
            # The one amount that travels as a JSON number.
            "liabilityQty": msgspec.Raw(text(item.quantity).encode()),
        }
        for item in liabilities.listed(call.margin, call.scene)
    ]


def exchange_small_liabilities(call: Call) -> msgspec.Raw:
    """Exchange debts; no answer is documented, so the body is a rule of the sandbox."""
    assets = call.form.several("assetNames")
    liabilities.exchange(call.account, call.margin, assets, call.scene)
    return msgspec.Raw(call.scene.rules.liability_body.encode())


def small_liability_history(call: Call) -> dict[str, Any]:
    """List exchanged debts, newest first, by the page."""
    current, size = call.form.whole_number("current"), call.form.whole_number("size")
    if not current:
        raise refusal.invalid("current")
    if not size or size > _MOST_ROWS:
        raise refusal.invalid("size")
    start, end = call.span()
    now = call.scene.moment.ms
    until = now if end is None else end
    since = until - 30 * DAY_MS if start is None else start
    call.margin  # noqa: B018 - refuses who has no margin account
    found = [done for done in reversed(call.account.debt_exchanges) if since <= done.at_ms <= until]
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


def margin_account(call: Call) -> dict[str, Any]:
    """Show the cross-margin account, with every debt that the liability list is drawn from."""
    margin, scene = call.margin, call.scene
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
        assets_worth += scene.market.value(asset, own, scene.moment)
        debts_worth += scene.market.value(asset, owed.total, scene.moment)
    return {
        "created": True,
        "borrowEnabled": True,
        "marginLevel": _level(assets_worth, debts_worth),
        "collateralMarginLevel": _level(assets_worth, debts_worth),
        **_totals(call, assets_worth, debts_worth),
        "tradeEnabled": True,
        "transferInEnabled": True,
        "transferOutEnabled": True,
        "accountType": "MARGIN_1",
        "userAssets": rows,
    }


def isolated_margin_pairs(call: Call) -> list[dict[str, Any]]:
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
        for asset in call.scene.market
        if asset.marginable and asset.symbol != QUOTA
    ]


def margin_pairs(call: Call) -> list[dict[str, Any]]:
    """List the pairs of cross margin: the same, and numbered."""
    pairs = isolated_margin_pairs(call)
    return [{"id": 351_637_150_141_315_861 + n, **pair} for n, pair in enumerate(pairs)]


def _totals(call: Call, assets_worth: Decimal, debts_worth: Decimal) -> dict[str, str]:
    bitcoin = call.scene.market.price("BTC", call.scene.moment)
    return {
        "totalAssetOfBtc": text(rounded(assets_worth / bitcoin)),
        "totalLiabilityOfBtc": text(rounded(debts_worth / bitcoin)),
        "totalNetAssetOfBtc": text(rounded((assets_worth - debts_worth) / bitcoin)),
        # The documents' own capital T.
        "TotalCollateralValueInUSDT": text(rounded(assets_worth)),
        "totalOpenOrderLossInUSDT": "0",
    }


def _level(assets_worth: Decimal, debts_worth: Decimal) -> str:
    """Assets by debts; 999 is what the exchange writes where nothing is owed."""
    return text(rounded(assets_worth / debts_worth)) if debts_worth else "999"


ANSWERS: Final[Mapping[str, Answering]] = {
    "small_liabilities": small_liabilities,
    "exchange_small_liabilities": exchange_small_liabilities,
    "small_liability_history": small_liability_history,
    "margin_account": margin_account,
    "margin_pairs": margin_pairs,
    "isolated_margin_pairs": isolated_margin_pairs,
}
