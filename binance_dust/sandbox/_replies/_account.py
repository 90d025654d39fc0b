"""Replies about an account: its wallets, its status, its BNB switch, and its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from binance_dust.sandbox import _refusals
from binance_dust.sandbox._amounts import ZERO, rounded, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from binance_dust.sandbox._account import Holding, Wallet
    from binance_dust.sandbox._admission import AdmittedRequest, ReplyFunction


def user_assets(request: AdmittedRequest) -> list[dict[str, str]]:
    """List the spot wallet, or one asset of it."""
    return _holdings(request, request.account.spot)


def funding_assets(request: AdmittedRequest) -> list[dict[str, str]]:
    """List the funding wallet; its rows have no `ipoable`."""
    rows = _holdings(request, request.account.funding)
    for row in rows:
        del row["ipoable"]
    return rows


def wallet_balance(request: AdmittedRequest) -> list[dict[str, Any]]:
    """Show what each wallet is worth, in bitcoin by default."""
    quote = request.parameters.text("quoteAsset") or "BTC"
    market, now = request.market, request.now
    if quote not in market:
        raise _refusals.invalid("quoteAsset")
    price = market.price(quote, now)

    def worth(wallet: Wallet) -> str:
        value = sum((market.value(asset, held.total, now) for asset, held in wallet), ZERO)
        return text(rounded(value / price))

    account = request.account
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


def spot_account(request: AdmittedRequest) -> dict[str, Any]:
    """Show the spot account the way `/api` does."""
    account = request.account
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
            for asset, held in _balances(request)
        ],
        "permissions": ["SPOT"],
        "uid": account.uid,
    }


def bnb_burn(request: AdmittedRequest) -> dict[str, bool]:
    """Show the two BNB switches."""
    account = request.account
    return {
        "spotBNBBurn": account.spot_bnb_burn,
        "interestBNBBurn": account.interest_bnb_burn,
    }


def set_bnb_burn(request: AdmittedRequest) -> dict[str, bool]:
    """Set one BNB switch, or both."""
    account = request.account
    spot = request.parameters.flag("spotBNBBurn")
    interest = request.parameters.flag("interestBNBBurn")
    if spot is None and interest is None:
        raise _refusals.missing("spotBNBBurn")
    account.spot_bnb_burn = account.spot_bnb_burn if spot is None else spot
    account.interest_bnb_burn = account.interest_bnb_burn if interest is None else interest
    return bnb_burn(request)


def key_permissions(request: AdmittedRequest) -> dict[str, Any]:
    """Show what the key may do."""
    rights = request.account.permissions
    return {
        "ipRestrict": bool(rights.addresses),
        "createTime": request.account.opened_ms,
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


def account_status(request: AdmittedRequest) -> dict[str, str]:
    """Reply that the account is normal; no other value is documented."""
    del request
    return {"data": "Normal"}


def trading_status(request: AdmittedRequest) -> dict[str, Any]:
    """Reply that trading is not locked."""
    return {
        "data": {
            "isLocked": False,
            "plannedRecoverTime": 0,
            "triggerCondition": {"GCR": 150, "IFER": 150, "UFR": 300},
            "updateTime": request.account.opened_ms,
        }
    }


def account_info(request: AdmittedRequest) -> dict[str, Any]:
    """Show which products are enabled; margin is enabled if there is a margin account."""
    return {
        "vipLevel": 0,
        "isMarginEnabled": request.account.margin is not None,
        "isFutureEnabled": False,
        "isOptionsEnabled": False,
        "isPortfolioMarginRetailEnabled": False,
    }


def _balances(request: AdmittedRequest) -> Iterator[tuple[str, Holding]]:
    """List what is held; unless they are to be omitted, also all other assets, at zero."""
    spot = request.account.spot
    yield from spot
    if not request.parameters.flag("omitZeroBalances"):
        yield from (
            (asset.symbol, spot[asset.symbol])
            for asset in request.market
            if not spot[asset.symbol].total
        )


def _holdings(request: AdmittedRequest, wallet: Wallet) -> list[dict[str, str]]:
    """List a wallet, or the one asset in the parameter `asset`."""
    market, now = request.market, request.now
    only = request.parameters.text("asset")
    valued = request.parameters.flag("needBtcValuation")
    bitcoin = market.price("BTC", now)
    rows = []
    for asset, held in wallet:
        if only not in (None, asset):
            continue
        value = market.value(asset, held.total, now) / bitcoin if valued else ZERO
        rows.append(
            {
                "asset": asset,
                "free": text(held.free),
                "locked": text(held.locked),
                "freeze": text(held.freeze),
                "withdrawing": text(held.withdrawing),
                "ipoable": text(held.ipoable),
                # "0" also means that no valuation was asked for.
                "btcValuation": text(rounded(value)),
            }
        )
    return rows


REPLIES: Final[Mapping[str, ReplyFunction]] = {
    "user_assets": user_assets,
    "funding_assets": funding_assets,
    "wallet_balance": wallet_balance,
    "spot_account": spot_account,
    "bnb_burn": bnb_burn,
    "set_bnb_burn": set_bnb_burn,
    "key_permissions": key_permissions,
    "account_status": account_status,
    "trading_status": trading_status,
    "account_info": account_info,
}
