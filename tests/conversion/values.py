"""Quotes, policies and holdings made for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from binance_dust import Quote
from binance_dust.conversion import QuoteLine
from binance_dust.conversion._policy import Policy
from binance_dust.models import ConvertedAsset, DustConversion, UserAsset

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
D = Decimal


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def policy(**changes: Any) -> Policy:
    fields: dict[str, Any] = {
        "target": "BNB",
        "account_type": "SPOT",
        "keep": frozenset(),
        "max_fee_rate": D("0.05"),
        "min_value": D(0),
        "quote_ttl": seconds(60),
        "cooldown": timedelta(hours=24),
    }
    return Policy(**fields | changes)


def line(asset: str = "ADA", **changes: Any) -> QuoteLine:
    fields: dict[str, Any] = {
        "full_name": asset,
        "amount": D("6.21"),
        "gross": D("0.01777302"),
        "fee": D("0.00035546"),
        "net": D("0.01741756"),
    }
    return QuoteLine(asset=asset, **fields | changes)


def quote(*lines: QuoteLine, **changes: Any) -> Quote:
    fields: dict[str, Any] = {
        "account": "alice",
        "key_id": "k",
        "account_type": "SPOT",
        "target": "BNB",
        "lines": lines or (line("ADA"), line("XRP")),
        "at": NOW,
        "expires_at": NOW + seconds(60),
    }
    return Quote(**fields | changes)


def user_asset(asset: str, **parts: str) -> UserAsset:
    names = ("free", "locked", "freeze", "withdrawing", "ipoable", "btc_valuation")
    amounts: dict[str, Any] = {name: D(parts.get(name, "0")) for name in names}
    return UserAsset(asset=asset, **amounts)


def conversion(
    *rows: tuple[str, str, str], gross: str, fee: str, amount: str = "1"
) -> DustConversion:
    return DustConversion(
        total_transferred=D(gross),
        total_service_charge=D(fee),
        transfer_result=[
            ConvertedAsset(
                tran_id=7,
                from_asset=asset,
                amount=D(amount),
                transferred_amount=D(transferred),
                service_charge_amount=D(charge),
                operate_time=NOW,
            )
            for asset, transferred, charge in rows
        ],
    )
