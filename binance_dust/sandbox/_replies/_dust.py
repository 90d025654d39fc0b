"""Convertible dust, conversions, and the dust log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from binance_dust.sandbox import _dust as dust
from binance_dust.sandbox import _refusals as refusal
from binance_dust.sandbox._amounts import ZERO, rounded, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binance_dust.sandbox._account import Conversion, Row
    from binance_dust.sandbox._replies._call import Answering, Call

_ON_RECORD: Final = 100
_FIRST_RECORD_MS: Final = 1_606_780_800_000
"""2020-12-01: the log holds nothing older."""


def convertible_assets(call: Call) -> dict[str, Any]:
    """Show what could be converted to a target now: the oracle of `dust_convert`."""
    target = _target(call)
    price = call.form.amount("dustQuotaAssetToTargetAssetPrice")
    if price is not None and price <= 0:
        raise refusal.invalid("dustQuotaAssetToTargetAssetPrice")
    lines = dust.preview(call.account, call.wallet(), target, call.scene, quota_price=price)
    return {
        "dribbletPercentage": "0.02",
        "totalTransferQuotaAssetAmount": text(sum((line.quota for line in lines), ZERO)),
        "totalTransferTargetAssetAmount": text(sum((line.gross for line in lines), ZERO)),
        "dribbletBase": text(call.scene.rules.ceiling),
        "details": [
            {
                "asset": line.asset.symbol,
                "assetFullName": line.asset.full_name,
                "amountFree": text(line.amount),
                "exchange": text(line.fee),
                "toQuotaAssetAmount": text(line.quota),
                "toTargetAssetAmount": text(line.gross),
                "toTargetAssetOffExchange": text(line.net),
            }
            for line in lines
        ],
    }


def dust_assets(call: Call) -> dict[str, Any]:
    """Show what could be converted to BNB now: the oracle of `dust_transfer`."""
    scene = call.scene
    bitcoin = scene.market.price("BTC", scene.moment)
    lines = dust.preview(call.account, call.wallet(), "BNB", scene)
    worth = [
        rounded(scene.market.value(line.asset.symbol, line.amount, scene.moment) / bitcoin)
        for line in lines
    ]
    return {
        "details": [
            {
                "asset": line.asset.symbol,
                "assetFullName": line.asset.full_name,
                "amountFree": text(line.amount),
                "toBTC": text(in_bitcoin),
                "toBNB": text(line.gross),
                "toBNBOffExchange": text(line.net),
                "exchange": text(line.fee),
            }
            for line, in_bitcoin in zip(lines, worth, strict=True)
        ],
        "totalTransferBtc": text(sum(worth, ZERO)),
        "totalTransferBNB": text(sum((line.gross for line in lines), ZERO)),
        "dribbletPercentage": "0.02",
    }


def dust_transfer(call: Call) -> dict[str, Any]:
    """Convert assets to BNB."""
    assets, wallet = call.form.several("asset"), call.wallet()
    if dust.is_cooling(call.account, call.law.name, call.scene):
        raise refusal.dust(call.scene.rules.cooldown_code)
    done = dust.convert(call.account, wallet, assets, "BNB", call.scene, endpoint=call.law.name)
    return _receipt(done)


def dust_convert(call: Call) -> dict[str, Any]:
    """Convert assets to a target, BNB unless named."""
    rules = call.scene.rules
    assets, wallet = call.form.several("asset", rules.several_assets), call.wallet()
    target = _target(call)
    cooled = assets if rules.convert_cooldown == "asset" else None
    if dust.is_cooling(call.account, call.law.name, call.scene, assets=cooled):
        raise refusal.dust(rules.cooldown_code)
    done = dust.convert(
        call.account,
        wallet,
        assets,
        target,
        call.scene,
        endpoint=call.law.name,
        client_id=call.form.text("clientId"),
    )
    return _receipt(done)


def dust_log(call: Call) -> dict[str, Any]:
    """Show the conversions on record: the newest hundred."""
    start, end = call.span()
    if start is not None and end is None and not call.scene.rules.log_one_bound:
        # The exchange's own slip of the pen, seen live on 2026-09-07.
        raise refusal.missing("endTTime")
    wallet, scene = call.wallet(), call.scene
    since = max(start or 0, _FIRST_RECORD_MS)
    until = scene.moment.ms if end is None else end
    visible = scene.moment.true - scene.rules.log_lag
    found = [
        conversion
        for conversion in call.account.conversions
        if conversion.wallet == wallet
        and since <= conversion.at_ms <= until
        and conversion.done_at <= visible
    ]
    place = scene.rules.log_target
    return {
        # Counts them all; the rows stop at a hundred.
        "total": len(found),
        "userAssetDribblets": [_group(item, place) for item in reversed(found[-_ON_RECORD:])],
    }


def nothing_converted() -> dict[str, Any]:
    """Give the 200 that converted nothing."""
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


def _row(row: Row) -> dict[str, Any]:
    return {
        "fromAsset": row.asset,
        "amount": text(row.amount),
        "transferedAmount": text(row.gross),
        "serviceChargeAmount": text(row.fee),
        "operateTime": row.at_ms,
    }


def _target(call: Call) -> str:
    target = call.form.text("targetAsset") or "BNB"
    if not dust.is_target(target, call.scene.market):
        raise refusal.invalid("targetAsset")
    return target


ANSWERS: Final[Mapping[str, Answering]] = {
    "convertible_assets": convertible_assets,
    "dust_convert": dust_convert,
    "dust_assets": dust_assets,
    "dust_transfer": dust_transfer,
    "dust_log": dust_log,
}
