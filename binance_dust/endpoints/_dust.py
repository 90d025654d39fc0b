"""The endpoints of dust, small debts and settings, and what is read of an account around them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

from msgspec import field

from binance_dust import models
from binance_dust.endpoints._spec import (
    Endpoint,
    LimitKind,
    NoParams,
    Params,
    Replay,
    Security,
    WalletName,
    Weight,
    ip,
    uid,
)

# --- the spot wallet ---------------------------------------------------------------------------


class UserAssetsParams(Params, frozen=True, kw_only=True):
    """Without `asset`: all positive balances."""

    asset: str | None = None
    need_btc_valuation: bool | None = None


USER_ASSETS: Final = Endpoint(
    method="POST",
    path="/sapi/v3/asset/getUserAsset",
    security=Security.USER_DATA,
    weight=ip(5),
    replay=Replay.SAFE,
    params=UserAssetsParams,
    result=list[models.UserAsset],
)

# --- dust into any target ----------------------------------------------------------------------


class ConvertibleAssetsParams(Params, frozen=True, kw_only=True):
    """`price` is the caller's price of the quota asset in the target; it is undocumented."""

    target_asset: str
    account_type: WalletName | None = None
    price: Decimal | None = field(name="dustQuotaAssetToTargetAssetPrice", default=None)


CONVERTIBLE_ASSETS: Final = Endpoint(
    method="POST",
    path="/sapi/v1/asset/dust-convert/query-convertible-assets",
    security=Security.USER_DATA,
    weight=ip(1),
    replay=Replay.SAFE,
    params=ConvertibleAssetsParams,
    result=models.ConvertibleAssets,
)


class DustConvertParams(Params, frozen=True, kw_only=True):
    """`client_id` is a correlation id; it is not promised to make the call idempotent."""

    assets: Iterable[str] = field(name="asset")
    target_asset: str | None = None
    account_type: WalletName | None = None
    client_id: str | None = None


DUST_CONVERT: Final = Endpoint(
    method="POST",
    path="/sapi/v1/asset/dust-convert/convert",
    security=Security.USER_DATA,
    weight=uid(10),
    replay=Replay.NEVER,
    params=DustConvertParams,
    result=models.DustConversion,
)

# --- dust into BNB -----------------------------------------------------------------------------


class DustAssetsParams(Params, frozen=True, kw_only=True):
    """Without `account_type`: the spot wallet."""

    account_type: WalletName | None = None


DUST_ASSETS: Final = Endpoint(
    method="POST",
    path="/sapi/v1/asset/dust-btc",
    security=Security.USER_DATA,
    weight=ip(1),
    replay=Replay.SAFE,
    params=DustAssetsParams,
    result=models.DustAssets,
)


class DustTransferParams(Params, frozen=True, kw_only=True):
    """All assets of one batch."""

    assets: Iterable[str] = field(name="asset")
    account_type: WalletName | None = None


DUST_TRANSFER: Final = Endpoint(
    method="POST",
    path="/sapi/v1/asset/dust",
    security=Security.USER_DATA,
    weight=uid(10),
    replay=Replay.NEVER,
    params=DustTransferParams,
    result=models.DustConversion,
)


class DustLogParams(Params, frozen=True, kw_only=True):
    """Both bounds or none: with one alone the server answers -1102 (seen 2026-09-07)."""

    account_type: WalletName | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None


DUST_LOG: Final = Endpoint(
    method="GET",
    path="/sapi/v1/asset/dribblet",
    security=Security.USER_DATA,
    weight=ip(1),
    replay=Replay.SAFE,
    params=DustLogParams,
    result=models.DustLog,
)

# --- small margin debts ------------------------------------------------------------------------

# Sources differ on which budget pays (ip in the newest ones, uid in the specification
# of 2024). The stricter reading costs only time; the headers tell which is right.
SMALL_LIABILITIES: Final = Endpoint(
    method="GET",
    path="/sapi/v1/margin/exchange-small-liability",
    security=Security.USER_DATA,
    weight=ip(100),
    replay=Replay.SAFE,
    params=NoParams,
    result=list[models.SmallLiability],
)


class ExchangeSmallLiabilitiesParams(Params, frozen=True, kw_only=True):
    """At most ten assets, each with a debt below 10 USDT, once in six hours."""

    assets: Iterable[str] = field(name="assetNames")


# No answer is documented, so any JSON, or an empty body, is read as nothing.
EXCHANGE_SMALL_LIABILITIES: Final = Endpoint(
    method="POST",
    path="/sapi/v1/margin/exchange-small-liability",
    security=Security.MARGIN,
    weight=uid(3000),
    replay=Replay.NEVER,
    params=ExchangeSmallLiabilitiesParams,
    result=type(None),
    most_names=10,
)


class SmallLiabilityHistoryParams(Params, frozen=True, kw_only=True):
    """Page and size are documented as mandatory, although with defaults: both are always sent."""

    current: int
    size: int
    start_time: datetime | None = None
    end_time: datetime | None = None


SMALL_LIABILITY_HISTORY: Final = Endpoint(
    method="GET",
    path="/sapi/v1/margin/exchange-small-liability-history",
    security=Security.USER_DATA,
    weight=uid(100),
    replay=Replay.SAFE,
    params=SmallLiabilityHistoryParams,
    result=models.SmallLiabilityHistory,
)

# --- fees in BNB, which avoid dust -------------------------------------------------------------

BNB_BURN: Final = Endpoint(
    method="GET",
    path="/sapi/v1/bnbBurn",
    security=Security.USER_DATA,
    weight=ip(1),
    replay=Replay.SAFE,
    params=NoParams,
    result=models.BnbBurn,
)


class SetBnbBurnParams(Params, frozen=True, kw_only=True):
    """At least one of the two."""

    spot: bool | None = field(name="spotBNBBurn", default=None)
    interest: bool | None = field(name="interestBNBBurn", default=None)


SET_BNB_BURN: Final = Endpoint(
    method="POST",
    path="/sapi/v1/bnbBurn",
    security=Security.USER_DATA,
    weight=ip(1),
    replay=Replay.SAFE,
    params=SetBnbBurnParams,
    result=models.BnbBurn,
)

# --- the account and the exchange --------------------------------------------------------------


class SpotAccountParams(Params, frozen=True, kw_only=True):
    """Without `omit_zero_balances`: hundreds of assets that the account does not have."""

    omit_zero_balances: bool | None = None


SPOT_ACCOUNT: Final = Endpoint(
    method="GET",
    path="/api/v3/account",
    security=Security.USER_DATA,
    weight=Weight(LimitKind.REQUEST, 20),
    replay=Replay.SAFE,
    params=SpotAccountParams,
    result=models.SpotAccount,
)

KEY_PERMISSIONS: Final = Endpoint(
    method="GET",
    path="/sapi/v1/account/apiRestrictions",
    security=Security.USER_DATA,
    weight=ip(1),
    replay=Replay.SAFE,
    params=NoParams,
    result=models.KeyPermissions,
)

ACCOUNT_STATUS: Final = Endpoint(
    method="GET",
    path="/sapi/v1/account/status",
    security=Security.USER_DATA,
    weight=ip(1),
    replay=Replay.SAFE,
    params=NoParams,
    result=models.AccountStatus,
)

ACCOUNT_INFO: Final = Endpoint(
    method="GET",
    path="/sapi/v1/account/info",
    security=Security.USER_DATA,
    weight=ip(1),
    replay=Replay.SAFE,
    params=NoParams,
    result=models.AccountInfo,
)

MARGIN_ACCOUNT: Final = Endpoint(
    method="GET",
    path="/sapi/v1/margin/account",
    security=Security.USER_DATA,
    weight=ip(10),
    replay=Replay.SAFE,
    params=NoParams,
    result=models.MarginAccount,
)

SYSTEM_STATUS: Final = Endpoint(
    method="GET",
    path="/sapi/v1/system/status",
    security=Security.NONE,
    weight=ip(1),
    replay=Replay.SAFE,
    params=NoParams,
    result=models.SystemStatus,
)

SERVER_TIME: Final = Endpoint(
    method="GET",
    path="/api/v3/time",
    security=Security.NONE,
    weight=Weight(LimitKind.REQUEST, 1),
    replay=Replay.SAFE,
    params=NoParams,
    result=models.ServerTime,
)
