"""What the wallets hold, and what that is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from binance_dust.sandbox import _refusals as refusal
from binance_dust.sandbox._amounts import ZERO, rounded, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust.sandbox._account import Wallet
    from binance_dust.sandbox._replies._call import Answering, Call


def user_assets(call: Call) -> list[dict[str, str]]:
    """List what the spot wallet holds, or the one asset asked for."""
    return _holdings(call, call.account.spot)


def funding_assets(call: Call) -> list[dict[str, str]]:
    """List what the funding wallet holds; its rows have no `ipoable`."""
    rows = _holdings(call, call.account.funding)
    for row in rows:
        del row["ipoable"]
    return rows


def wallet_balance(call: Call) -> list[dict[str, Any]]:
    """Show what each wallet is worth, in bitcoin unless told otherwise."""
    quote = call.form.text("quoteAsset") or "BTC"
    scene = call.scene
    if quote not in scene.market:
        raise refusal.invalid("quoteAsset")
    price = scene.market.price(quote, scene.moment)

    def worth(wallet: Wallet) -> str:
        value = sum(
            (scene.market.value(asset, held.total, scene.moment) for asset, held in wallet), ZERO
        )
        return text(rounded(value / price))

    account = call.account
    margin = "0" if account.margin is None else worth(account.margin.wallet)
    return [
        {"activate": True, "balance": worth(account.spot), "walletName": "Spot"},
        {"activate": True, "balance": worth(account.funding), "walletName": "Funding"},
        {
            "activate": account.margin is not None,
            "balance": margin,
            "walletName": "Cross Margin",
        },
    ]


def spot_account(call: Call) -> dict[str, Any]:
    """Show the spot account the way `/api` does."""
    account = call.account
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": "0.00100000",
            "taker": "0.00100000",
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": account.permissions.spot_and_margin_trading,
        "canWithdraw": account.permissions.withdrawals,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": account.opened_ms,
        "accountType": "SPOT",
        "balances": [
            {
                "asset": asset,
                "free": text(held.free),
                "locked": text(held.locked),
            }
            for asset, held in account.spot
        ],
        "permissions": ["SPOT"],
        "uid": account.first_transaction,
    }


def _holdings(call: Call, wallet: Wallet) -> list[dict[str, str]]:
    """List what a wallet holds, or the one asset asked for."""
    scene, only = call.scene, call.form.text("asset")
    valued = call.form.flag("needBtcValuation")
    bitcoin = scene.market.price("BTC", scene.moment)
    rows = []
    for asset, held in wallet:
        if only not in (None, asset):
            continue
        value = scene.market.value(asset, held.total, scene.moment) / bitcoin if valued else ZERO
        rows.append(
            {
                "asset": asset,
                "free": text(held.free),
                "locked": text(held.locked),
                "freeze": text(held.freeze),
                "withdrawing": text(held.withdrawing),
                "ipoable": text(held.ipoable),
                # "0" where it was not asked for: that does not mean worthless.
                "btcValuation": text(rounded(value)),
            }
        )
    return rows


ANSWERS: Final[Mapping[str, Answering]] = {
    "user_assets": user_assets,
    "funding_assets": funding_assets,
    "wallet_balance": wallet_balance,
    "spot_account": spot_account,
}
