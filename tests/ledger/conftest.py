"""Ledgers to try, and things to write into them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from binance_dust import Ledger
from binance_dust.ledger import Intent, Kind, LedgerLine, Observed

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dust.db"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[Ledger]:
    async with Ledger(path) as ledger:
        yield ledger


def intent(**changes: Any) -> Intent:
    fields: dict[str, Any] = {
        "account": "alice",
        "kind": Kind.DUST,
        "account_type": "SPOT",
        "target": "BNB",
        "held": {"ADA": Decimal("6.21"), "XRP": Decimal("1.5")},
        "intended_at": NOW,
        "sent_after": NOW - timedelta(seconds=1),
        "expires_at": NOW + timedelta(seconds=35),
    }
    return Intent(**fields | changes)


def line(asset: str = "ADA", **changes: Any) -> LedgerLine:
    fields: dict[str, Any] = {
        "asset": asset,
        "amount": Decimal("6.21"),
        "gross": Decimal("0.01777302"),
        "fee": Decimal("0.00035546"),
        "at": NOW,
        "transaction_id": 45178372831,
    }
    return LedgerLine(**fields | changes)


def seen(*lines: LedgerLine, **changes: Any) -> Observed:
    fields: dict[str, Any] = {
        "account": "alice",
        "kind": Kind.DUST,
        "account_type": "SPOT",
        "target": "BNB",
        "transaction_id": 45178372831,
        "at": NOW,
        "lines": lines or (line("ADA"), line("XRP")),
    }
    return Observed(**fields | changes)


def numbered(number: int) -> Observed:
    """Give one of many records, all of them different."""
    at = NOW + number * MINUTE
    return seen(line(transaction_id=number, at=at), transaction_id=number, at=at)
