"""Entries as the ledger gives them, made up: for rules that need no ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from binance_dust.ledger import Kind, LedgerEntry, LedgerLine

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

MakeEntry = Callable[..., LedgerEntry]


def entry_maker() -> MakeEntry:
    """Give a function that makes entries, numbered in the order they are made."""
    numbers = count(1)

    def make(
        at: datetime = NOON, /, *sold: tuple[str, str, str, str], **fields: Any
    ) -> LedgerEntry:
        """Make an entry that sold these: asset, amount, gross, fee."""
        number = next(numbers)
        lines = tuple(
            LedgerLine(
                asset=asset,
                amount=Decimal(amount),
                gross=Decimal(gross),
                fee=Decimal(fee),
                at=at + timedelta(milliseconds=37 * n),
                transaction_id=4_000_000 + number,
            )
            for n, (asset, amount, gross, fee) in enumerate(sold)
        )
        usual: dict[str, Any] = {
            "id": number,
            "account": "alice",
            "kind": Kind.DUST,
            "account_type": "SPOT",
            "target": "BNB",
            "assets": tuple(line.asset for line in lines),
            "status": "confirmed" if lines else "rejected",
            "at": at,
            "transaction_id": 4_000_000 + number if lines else None,
            "lines": lines,
        }
        return LedgerEntry(**(usual | fields))

    return make
