"""Sums of entries and receipts keep all digits, also beyond the 28 of the default context."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from binance_dust.conversion import Receipt
from binance_dust.ledger import LedgerLine

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LARGE = Decimal("123456789012345678901234567890.12345678")
SMALL = Decimal("0.00000001")


def line(gross: Decimal, fee: Decimal) -> LedgerLine:
    return LedgerLine(asset="ADA", amount=Decimal(1), gross=gross, fee=fee, at=NOW)


def test_nothing_is_rounded_on_the_way_to_a_sum() -> None:
    receipt = Receipt(
        account="alice",
        account_type="SPOT",
        target="BNB",
        lines=(line(LARGE, SMALL), line(SMALL, Decimal(0))),
        quoted_net=SMALL,
        at=NOW,
    )

    assert str(receipt.lines[0].net) == "123456789012345678901234567890.12345677"
    assert str(receipt.gross) == "123456789012345678901234567890.12345679"
    assert receipt.fee == SMALL
    assert str(receipt.net) == "123456789012345678901234567890.12345678"
    assert str(receipt.slippage) == "123456789012345678901234567890.12345677"
