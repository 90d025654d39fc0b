"""Replies about the exchange itself: its clock, status, assets and symbols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from binance_dust.sandbox._amounts import text
from binance_dust.sandbox._market import QUOTA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust.sandbox._admission import AdmittedRequest, ReplyFunction


def ping(request: AdmittedRequest) -> dict[str, Any]:
    """Reply with nothing."""
    del request
    return {}


def server_time(request: AdmittedRequest) -> dict[str, int]:
    """Give the exchange's time."""
    return {"serverTime": request.now.ms}


def system_status(request: AdmittedRequest) -> dict[str, Any]:
    """Tell whether the exchange is in maintenance."""
    if request.in_maintenance:
        return {"status": 1, "msg": "system_maintenance"}
    return {"status": 0, "msg": "normal"}


def exchange_info(request: AdmittedRequest) -> dict[str, Any]:
    """List the traded symbols, and the limits of `/api`; those of `/sapi` are not listed."""
    market = request.market
    return {
        "timezone": "UTC",
        "serverTime": request.now.ms,
        "rateLimits": [
            _limit("REQUEST_WEIGHT", "MINUTE", 1, request.rules.spot_weight),
            _limit("ORDERS", "SECOND", 10, 100),
            _limit("ORDERS", "DAY", 1, 200_000),
            _limit("RAW_REQUESTS", "MINUTE", 5, 300_000),
        ],
        "exchangeFilters": [],
        "symbols": [
            _symbol(asset.symbol, quote, marginable=asset.marginable)
            for asset in market
            for quote in (QUOTA, "BNB", "BTC")
            if asset.convertible and asset.symbol != quote and _trades(asset.symbol, quote)
        ],
    }


def asset_detail(request: AdmittedRequest) -> dict[str, Any]:
    """Show deposit and withdrawal of each asset, or of one."""
    only = request.parameters.text("asset")
    return {
        asset.symbol: {
            "minWithdrawAmount": "0.001",
            "depositStatus": asset.convertible,
            # A JSON number, unlike `minWithdrawAmount`.
            "withdrawFee": msgspec.Raw(b"0.01"),
            "withdrawStatus": asset.convertible,
        }
        for asset in request.market
        if only in (None, asset.symbol)
    }


def coins(request: AdmittedRequest) -> list[dict[str, Any]]:
    """List all coins with the account's balances; general clients ask for this first."""
    return [
        {
            "coin": asset.symbol,
            "depositAllEnable": asset.convertible,
            "free": text(held.free),
            "freeze": text(held.freeze),
            "ipoable": text(held.ipoable),
            "ipoing": "0",
            "isLegalMoney": False,
            "locked": text(held.locked),
            "name": asset.full_name,
            "networkList": [],
            "storage": "0",
            "trading": asset.convertible,
            "withdrawAllEnable": asset.convertible,
            "withdrawing": text(held.withdrawing),
        }
        for asset in request.market
        for held in (request.account.spot[asset.symbol],)
    ]


def delist_schedule(request: AdmittedRequest) -> list[dict[str, Any]]:
    """List the pairs that stop trading, by time."""
    return [
        {
            "delistTime": at_ms,
            "symbols": [
                f"{symbol}{quote}"
                for symbol in symbols
                for quote in (QUOTA, "BNB", "BTC")
                if symbol != quote and _trades(symbol, quote)
            ],
        }
        for at_ms, symbols in _schedule(request)
    ]


def margin_delist_schedule(request: AdmittedRequest) -> list[dict[str, Any]]:
    """List what leaves margin, by time."""
    return [
        {
            "delistTime": at_ms,
            "crossMarginAssets": symbols,
            "isolatedMarginSymbols": [f"{symbol}{QUOTA}" for symbol in symbols],
        }
        for at_ms, listed in _schedule(request)
        if (symbols := [symbol for symbol in listed if request.market[symbol].marginable])
    ]


def _schedule(request: AdmittedRequest) -> list[tuple[int, list[str]]]:
    """Give what is still to be delisted, by time."""
    by_time: dict[int, list[str]] = {}
    for symbol, at_ms in sorted(request.market.delistings.items()):
        if at_ms > request.now.ms:
            by_time.setdefault(at_ms, []).append(symbol)
    return sorted(by_time.items())


def _limit(kind: str, interval: str, number: int, limit: int) -> dict[str, Any]:
    return {
        "rateLimitType": kind,
        "interval": interval,
        "intervalNum": number,
        "limit": limit,
    }


def _trades(base: str, quote: str) -> bool:
    """Tell whether a pair trades in this order: BNB/BTC does, BTC/BNB does not."""
    rank = {"BTC": 1, "BNB": 2}
    return base != QUOTA and rank.get(quote, 0) < rank.get(base, 3)


def _symbol(base: str, quote: str, *, marginable: bool) -> dict[str, Any]:
    return {
        "symbol": f"{base}{quote}",
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": marginable,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": "0.00000001",
                "maxPrice": "1000000.00000000",
                "tickSize": "0.00000001",
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": "0.01000000",
                "maxQty": "9000000.00000000",
                "stepSize": "0.01000000",
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": "5.00000000",
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
        ],
        "permissions": [],
        "permissionSets": [["SPOT", "MARGIN"] if marginable else ["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


REPLIES: Final[Mapping[str, ReplyFunction]] = {
    "ping": ping,
    "server_time": server_time,
    "system_status": system_status,
    "exchange_info": exchange_info,
    "asset_detail": asset_detail,
    "coins": coins,
    "delist_schedule": delist_schedule,
    "margin_delist_schedule": margin_delist_schedule,
}
