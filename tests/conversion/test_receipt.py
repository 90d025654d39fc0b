"""A receipt is printed."""

from __future__ import annotations

from decimal import Decimal

from binance_dust import Receipt
from binance_dust.conversion import Reason, Skipped
from binance_dust.ledger import LedgerLine
from tests.conversion.values import NOW

D = Decimal


def test_a_receipt_can_be_read() -> None:
    done = LedgerLine(asset="ADA", amount=D("6.21"), gross=D("0.5"), fee=D("1E-8"), at=NOW)
    why = Skipped(asset="XRP", amount=D(1), reason=Reason.REFUSED, detail="no")

    receipt = Receipt(
        account="alice",
        account_type="SPOT",
        target="BNB",
        lines=(done,),
        dropped=(why,),
        quoted_net=D("0.4"),
        notes=("something is odd",),
        at=NOW,
    )

    assert str(receipt).splitlines() == [
        "alice (SPOT) into BNB, 2026-11-21 12:00:00 UTC",
        "asset    amount  gross         fee         net",
        "ADA        6.21    0.5  0.00000001  0.49999999",
        "1 asset            0.5  0.00000001  0.49999999",
        "not: XRP 1: refused by the exchange (no)",
        "something is odd",
    ]
    assert "<li>XRP 1: refused by the exchange (no)</li>" in receipt._repr_html_()
    assert receipt.slippage == D("0.09999999")
    assert not receipt.complete
    assert receipt.transaction_ids == ()
