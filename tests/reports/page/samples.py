"""Reports and entries to make pages of."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from binance_dust.ledger import Kind, LedgerEntry, LedgerLine
from binance_dust.models import ConvertibleAssets, SmallLiability, UserAsset
from binance_dust.reports import AccountReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from binance_dust.errors import DustError
    from binance_dust.ledger import Status

AT = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)


def dust(asset: str, amount: str, gross: str, fee: str, net: str | None = None) -> dict[str, Any]:
    """Give one convertible asset as the wire has it."""
    return {
        "asset": asset,
        "assetFullName": asset.title(),
        "amountFree": amount,
        "exchange": fee,
        "toQuotaAssetAmount": gross,
        "toTargetAssetAmount": gross,
        "toTargetAssetOffExchange": net or f"{Decimal(gross) - Decimal(fee):f}",
    }


def held(asset: str) -> UserAsset:
    """Give one asset of the wallet."""
    amounts = dict.fromkeys(
        ("free", "locked", "freeze", "withdrawing", "ipoable", "btcValuation"), "1"
    )
    return msgspec.convert({"asset": asset, **amounts}, UserAsset)


def debt(asset: str, principal: str, interest: str, worth: str) -> SmallLiability:
    """Give one small liability, counted in USDT."""
    wire = {
        "asset": asset,
        "interest": interest,
        "principal": principal,
        "liabilityAsset": "USDT",
        "liabilityQty": worth,
    }
    return msgspec.convert(wire, SmallLiability)


def report(
    account: str,
    *rows: dict[str, Any],
    target: str = "BNB",
    debts: Iterable[SmallLiability] = (),
    errors: Mapping[str, DustError] | None = None,
) -> AccountReport:
    """Give the report of one account; one whose quote failed has none."""
    wire = {
        "dribbletPercentage": "0.02",
        "totalTransferQuotaAssetAmount": "0",
        "totalTransferTargetAssetAmount": "0",
        "dribbletBase": "10",
        "details": list(rows),
    }
    failed = "quote" in (errors or {})
    return AccountReport(
        account=account,
        target=target,
        at=AT,
        assets=[] if "assets" in (errors or {}) else [held(row["asset"]) for row in rows],
        quote=None if failed else msgspec.convert(wire, ConvertibleAssets),
        liabilities=list(debts),
        errors=errors or {},
    )


def entry(  # noqa: PLR0917 - a row of a table
    number: int,
    account: str,
    at: datetime,
    gross: str,
    fee: str,
    status: Status = "confirmed",
    *,
    asset: str = "ADA",
    target: str = "BNB",
    kind: Kind = Kind.DUST,
) -> LedgerEntry:
    """Give an entry of the ledger; only a confirmed one brought something."""
    line = LedgerLine(
        asset=asset,
        amount=Decimal("6.21"),
        gross=Decimal(gross),
        fee=Decimal(fee),
        at=at,
        transaction_id=number,
    )
    return LedgerEntry(
        id=number,
        account=account,
        kind=kind,
        account_type="SPOT",
        target=target,
        assets=(asset,),
        status=status,
        at=at,
        intended_at=at,
        transaction_id=number,
        lines=(line,) if status == "confirmed" else (),
    )
