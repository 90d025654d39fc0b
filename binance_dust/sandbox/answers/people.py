"""The account and its key: permissions, status, switches, other wallets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from binance_dust.sandbox import refusal
from binance_dust.sandbox.amounts import ZERO, rounded, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust.sandbox.account import Wallet
    from binance_dust.sandbox.answers.call import Answering, Call


def bnb_burn(call: Call) -> dict[str, bool]:
    """Show the BNB switch."""
    account = call.account
    return {
        "spotBNBBurn": account.spot_bnb_burn,
        "interestBNBBurn": account.interest_bnb_burn,
    }


def set_bnb_burn(call: Call) -> dict[str, bool]:
    """Set the BNB switch: one half of it, or both."""
    account = call.account
    spot, interest = call.form.flag("spotBNBBurn"), call.form.flag("interestBNBBurn")
    if spot is None and interest is None:
        raise refusal.missing("spotBNBBurn")
    account.spot_bnb_burn = account.spot_bnb_burn if spot is None else spot
    account.interest_bnb_burn = account.interest_bnb_burn if interest is None else interest
    return bnb_burn(call)


def key_permissions(call: Call) -> dict[str, Any]:
    """Show what the key may do."""
    rights = call.account.permissions
    return {
        "ipRestrict": bool(rights.addresses),
        "createTime": call.account.opened_ms,
        "enableReading": rights.reading,
        "enableWithdrawals": rights.withdrawals,
        "enableInternalTransfer": False,
        "enableMargin": rights.margin,
        "enableFutures": False,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": rights.spot_and_margin_trading,
        "enablePortfolioMarginTrading": False,
    }


def account_status(call: Call) -> dict[str, str]:
    """Say that the account is well; no other value is documented."""
    del call
    return {"data": "Normal"}


def trading_status(call: Call) -> dict[str, Any]:
    """Say that trading is not locked."""
    return {
        "data": {
            "isLocked": False,
            "plannedRecoverTime": 0,
            "triggerCondition": {"GCR": 150, "IFER": 150, "UFR": 300},
            "updateTime": call.account.opened_ms,
        }
    }


def account_info(call: Call) -> dict[str, Any]:
    """Show which products are on; margin is on for who has a margin account."""
    return {
        "vipLevel": 0,
        "isMarginEnabled": call.account.margin is not None,
        "isFutureEnabled": False,
        "isOptionsEnabled": False,
        "isPortfolioMarginRetailEnabled": False,
    }


def funding_assets(call: Call) -> list[dict[str, str]]:
    """List what the funding wallet holds."""
    only = call.form.text("asset")
    valued = call.form.flag("needBtcValuation")
    scene = call.scene
    bitcoin = scene.market.price("BTC", scene.moment)
    return [
        {
            "asset": asset,
            "free": text(held.free),
            "locked": text(held.locked),
            "freeze": text(held.freeze),
            "withdrawing": text(held.withdrawing),
            "btcValuation": text(
                rounded(scene.market.value(asset, held.total, scene.moment) / bitcoin)
                if valued
                else ZERO
            ),
        }
        for asset, held in call.account.funding
        if only in (None, asset)
    ]


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


ANSWERS: Final[Mapping[str, Answering]] = {
    "bnb_burn": bnb_burn,
    "set_bnb_burn": set_bnb_burn,
    "key_permissions": key_permissions,
    "account_status": account_status,
    "trading_status": trading_status,
    "account_info": account_info,
    "funding_assets": funding_assets,
    "wallet_balance": wallet_balance,
    "spot_account": spot_account,
}
