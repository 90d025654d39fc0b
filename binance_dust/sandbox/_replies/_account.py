"""Replies about an account: its number, its status, its BNB switch, and its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from binance_dust.sandbox import _refusals
from binance_dust.sandbox._amounts import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from binance_dust.sandbox._account import Holding
    from binance_dust.sandbox._admission import AdmittedRequest, ReplyFunction


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
        "permitsUniversalTransfer": rights.universal_transfer,
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


REPLIES: Final[Mapping[str, ReplyFunction]] = {
    "spot_account": spot_account,
    "bnb_burn": bnb_burn,
    "set_bnb_burn": set_bnb_burn,
    "key_permissions": key_permissions,
    "account_status": account_status,
    "trading_status": trading_status,
    "account_info": account_info,
}
