"""The account and its key: permissions, status, switches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from binance_dust.sandbox import _refusals as refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust.sandbox._replies._call import Answering, Call


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


ANSWERS: Final[Mapping[str, Answering]] = {
    "bnb_burn": bnb_burn,
    "set_bnb_burn": set_bnb_burn,
    "key_permissions": key_permissions,
    "account_status": account_status,
    "trading_status": trading_status,
    "account_info": account_info,
}
