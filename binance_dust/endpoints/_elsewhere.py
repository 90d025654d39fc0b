"""The endpoints beside dust: other wallets, delistings, transfers, repayments, sales by quote."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from msgspec import field

from binance_dust import models
from binance_dust.endpoints._spec import Endpoint, NoParams, Params, Replay, Security, ip, uid

# --- other wallets -----------------------------------------------------------------------------


class FundingAssetsParams(Params, frozen=True, kw_only=True):
    """Without `asset`: all positive balances."""

    asset: str | None = None
    need_btc_valuation: bool | None = None


FUNDING_ASSETS: Final = Endpoint(
    method="POST",
    path="/sapi/v1/asset/get-funding-asset",
    security=Security.USER_DATA,
    weight=ip(1),
    replay=Replay.SAFE,
    params=FundingAssetsParams,
    result=list[models.FundingAsset],
)


class WalletBalancesParams(Params, frozen=True, kw_only=True):
    """`need_balance_detail` is there since 2026-08-21."""

    quote_asset: str | None = None
    need_balance_detail: bool | None = None


WALLET_BALANCES: Final = Endpoint(
    method="GET",
    path="/sapi/v1/asset/wallet/balance",
    security=Security.USER_DATA,
    weight=ip(60),
    replay=Replay.SAFE,
    params=WalletBalancesParams,
    result=list[models.WalletBalance],
)


class TransferParams(Params, frozen=True, kw_only=True):
    """`kind` names both wallets: `FUNDING_MAIN` is from the funding to the spot wallet."""

    kind: str = field(name="type")
    asset: str
    amount: Decimal


TRANSFER: Final = Endpoint(
    method="POST",
    path="/sapi/v1/asset/transfer",
    security=Security.USER_DATA,
    weight=uid(300),
    replay=Replay.NEVER,
    params=TransferParams,
    result=models.TransactionId,
)


class TransfersParams(Params, frozen=True, kw_only=True):
    """Without times: the last seven days. The exchange keeps six months."""

    kind: str = field(name="type")
    current: int | None = None
    size: int | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None


TRANSFERS: Final = Endpoint(
    method="GET",
    path="/sapi/v1/asset/transfer",
    security=Security.USER_DATA,
    weight=ip(1),
    replay=Replay.SAFE,
    params=TransfersParams,
    result=models.TransferHistory,
)

# --- delistings: the key alone -----------------------------------------------------------------

DELIST_SCHEDULE: Final = Endpoint(
    method="GET",
    path="/sapi/v1/spot/delist-schedule",
    security=Security.MARKET_DATA,
    weight=ip(100),
    replay=Replay.SAFE,
    params=NoParams,
    result=list[models.Delisting],
)

MARGIN_DELIST_SCHEDULE: Final = Endpoint(
    method="GET",
    path="/sapi/v1/margin/delist-schedule",
    security=Security.MARKET_DATA,
    weight=ip(100),
    replay=Replay.SAFE,
    params=NoParams,
    result=list[models.MarginDelisting],
)

# --- the margin account ------------------------------------------------------------------------


class CapitalFlowParams(Params, frozen=True, kw_only=True):
    """At most seven days between the times (-4047), at most 1,000 rows."""

    kind: str | None = field(name="type", default=None)
    start_time: datetime | None = None
    end_time: datetime | None = None
    limit: int | None = None


CAPITAL_FLOW: Final = Endpoint(
    method="GET",
    path="/sapi/v1/margin/capital-flow",
    security=Security.USER_DATA,
    weight=ip(100),
    replay=Replay.SAFE,
    params=CapitalFlowParams,
    result=list[models.CapitalFlow],
)


class RepayParams(Params, frozen=True, kw_only=True):
    """The exchange borrows by the same call: `type` says which."""

    asset: str
    is_isolated: Literal["FALSE"]
    amount: Decimal
    type: Literal["REPAY"]


REPAY: Final = Endpoint(
    method="POST",
    path="/sapi/v1/margin/borrow-repay",
    security=Security.MARGIN,
    weight=uid(1500),
    replay=Replay.NEVER,
    params=RepayParams,
    result=models.TransactionId,
)

# --- sales by quote ----------------------------------------------------------------------------


class ConvertPairsParams(Params, frozen=True, kw_only=True):
    """One of them at least."""

    from_asset: str | None = None
    to_asset: str | None = None


CONVERT_PAIRS: Final = Endpoint(
    method="GET",
    path="/sapi/v1/convert/exchangeInfo",
    security=Security.NONE,
    weight=ip(3000),
    replay=Replay.SAFE,
    params=ConvertPairsParams,
    result=list[models.ConvertPair],
)


class ConvertQuoteParams(Params, frozen=True, kw_only=True):
    """`wallet_type` is where the amount is taken from."""

    from_asset: str
    to_asset: str
    from_amount: Decimal | None = None
    wallet_type: str | None = None


CONVERT_QUOTE: Final = Endpoint(
    method="POST",
    path="/sapi/v1/convert/getQuote",
    security=Security.TRADE,
    weight=uid(200),
    replay=Replay.SAFE,
    params=ConvertQuoteParams,
    result=models.ConvertQuote,
)


class ConvertAcceptParams(Params, frozen=True, kw_only=True):
    """A quote can be accepted once, while it is valid."""

    quote_id: str


CONVERT_ACCEPT: Final = Endpoint(
    method="POST",
    path="/sapi/v1/convert/acceptQuote",
    security=Security.TRADE,
    weight=uid(500),
    replay=Replay.NEVER,
    params=ConvertAcceptParams,
    result=models.ConvertOrder,
)


class ConvertStatusParams(Params, frozen=True, kw_only=True):
    """One of the two."""

    quote_id: str | None = None
    order_id: int | None = None


CONVERT_STATUS: Final = Endpoint(
    method="GET",
    path="/sapi/v1/convert/orderStatus",
    security=Security.USER_DATA,
    weight=uid(100),
    replay=Replay.SAFE,
    params=ConvertStatusParams,
    result=models.ConvertOrder,
)
