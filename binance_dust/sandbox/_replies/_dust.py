"""Replies about dust: what is convertible, conversions, and the dust log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from binance_dust.sandbox import _dust, _refusals
from binance_dust.sandbox._amounts import ZERO, rounded, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust.sandbox._account import Conversion, ConversionRow
    from binance_dust.sandbox._admission import AdmittedRequest, ReplyFunction

_ON_RECORD: Final = 100
_FIRST_RECORD_MS: Final = 1_606_780_800_000
"""2020-12-01; the log has nothing older."""


def convertible_assets(request: AdmittedRequest) -> dict[str, Any]:
    """Show what `dust_convert` would convert to a target now."""
    target = _target(request)
    price = request.parameters.amount("dustQuotaAssetToTargetAssetPrice")
    if price is not None and price <= 0:
        raise _refusals.invalid("dustQuotaAssetToTargetAssetPrice")
    rows = _dust.preview(request.account, request.wallet(), target, request, quota_price=price)
    return {
        "dribbletPercentage": "0.02",
        "totalTransferQuotaAssetAmount": text(sum((row.quota for row in rows), ZERO)),
        "totalTransferTargetAssetAmount": text(sum((row.gross for row in rows), ZERO)),
        "dribbletBase": text(request.rules.ceiling),
        "details": [
            {
                "asset": row.asset.symbol,
                "assetFullName": row.asset.full_name,
                "amountFree": text(row.amount),
                "exchange": text(row.fee),
                "toQuotaAssetAmount": text(row.quota),
                "toTargetAssetAmount": text(row.gross),
                "toTargetAssetOffExchange": text(row.net),
            }
            for row in rows
        ],
    }


def dust_assets(request: AdmittedRequest) -> dict[str, Any]:
    """Show what `dust_transfer` would convert to BNB now."""
    market, now = request.market, request.now
    bitcoin = market.price("BTC", now)
    rows = _dust.preview(request.account, request.wallet(), "BNB", request)
    worth = [rounded(market.value(row.asset.symbol, row.amount, now) / bitcoin) for row in rows]
    return {
        "details": [
            {
                "asset": row.asset.symbol,
                "assetFullName": row.asset.full_name,
                "amountFree": text(row.amount),
                "toBTC": text(in_bitcoin),
                "toBNB": text(row.gross),
                "toBNBOffExchange": text(row.net),
                "exchange": text(row.fee),
            }
            for row, in_bitcoin in zip(rows, worth, strict=True)
        ],
        "totalTransferBtc": text(sum(worth, ZERO)),
        "totalTransferBNB": text(sum((row.gross for row in rows), ZERO)),
        "dribbletPercentage": "0.02",
    }


def dust_transfer(request: AdmittedRequest) -> dict[str, Any]:
    """Convert assets to BNB."""
    assets, wallet = request.parameters.several("asset"), request.wallet()
    if _dust.is_cooling(request.account, request.endpoint.name, request):
        raise _refusals.dust(request.rules.cooldown_code)
    done = _dust.convert(
        request.account, wallet, assets, "BNB", request, endpoint=request.endpoint.name
    )
    return _receipt(done)


def dust_convert(request: AdmittedRequest) -> dict[str, Any]:
    """Convert assets to a target, BNB by default."""
    rules = request.rules
    assets, wallet = request.parameters.several("asset", rules.several_assets), request.wallet()
    target = _target(request)
    cooled = assets if rules.convert_cooldown == "asset" else None
    if _dust.is_cooling(request.account, request.endpoint.name, request, assets=cooled):
        raise _refusals.dust(rules.cooldown_code)
    done = _dust.convert(
        request.account,
        wallet,
        assets,
        target,
        request,
        endpoint=request.endpoint.name,
        client_id=request.parameters.text("clientId"),
    )
    return _receipt(done)


def dust_log(request: AdmittedRequest) -> dict[str, Any]:
    """Show the newest hundred conversions."""
    start, end = request.time_range()
    if start is not None and end is None and not request.rules.log_one_bound:
        # The exchange's own misspelling, seen live on 2026-09-07.
        raise _refusals.missing("endTTime")
    wallet, now = request.wallet(), request.now
    since = max(start or 0, _FIRST_RECORD_MS)
    until = now.ms if end is None else end
    visible = now.true - request.rules.log_lag
    found = [
        conversion
        for conversion in request.account.conversions
        if conversion.wallet == wallet
        and since <= conversion.at_ms <= until
        and conversion.done_at <= visible
    ]
    place = request.rules.log_target
    return {
        # The count of all, though only a hundred are listed.
        "total": len(found),
        "userAssetDribblets": [_group(item, place) for item in reversed(found[-_ON_RECORD:])],
    }


def nothing_converted() -> dict[str, Any]:
    """Reply to a conversion that converted nothing."""
    return {"totalServiceCharge": "0", "totalTransfered": "0", "transferResult": []}


def _receipt(done: Conversion | None) -> dict[str, Any]:
    if done is None:
        return nothing_converted()
    return {
        "totalServiceCharge": text(done.fee),
        "totalTransfered": text(done.gross),
        "transferResult": [
            # Here it is `tranId`; in the log the same number is `transId`.
            {"tranId": done.transaction_id, **_row(row)}
            for row in done.rows
        ],
    }


def _group(done: Conversion, place: str) -> dict[str, Any]:
    named = {"targetAsset": done.target}
    return {
        "operateTime": done.at_ms,
        "totalTransferedAmount": text(done.gross),
        "totalServiceChargeAmount": text(done.fee),
        "transId": done.transaction_id,
        **(named if place == "group" else {}),
        "userAssetDribbletDetails": [
            {
                "transId": done.transaction_id,
                **_row(row),
                **(named if place == "detail" else {}),
            }
            for row in done.rows
        ],
    }


def _row(row: ConversionRow) -> dict[str, Any]:
    return {
        "fromAsset": row.asset,
        "amount": text(row.amount),
        "transferedAmount": text(row.gross),
        "serviceChargeAmount": text(row.fee),
        "operateTime": row.at_ms,
    }


def _target(request: AdmittedRequest) -> str:
    target = request.parameters.text("targetAsset") or "BNB"
    if not _dust.is_target(target, request.market):
        raise _refusals.invalid("targetAsset")
    return target


REPLIES: Final[Mapping[str, ReplyFunction]] = {
    "convertible_assets": convertible_assets,
    "dust_convert": dust_convert,
    "dust_assets": dust_assets,
    "dust_transfer": dust_transfer,
    "dust_log": dust_log,
}
