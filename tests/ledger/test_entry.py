"""What an entry says of itself; sums keep all digits, also beyond 28 (the default context's)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from binance_dust.conversion import Receipt
from binance_dust.ledger import Kind, LedgerLine
from binance_dust.ledger._entry import why_blocked
from tests.ledger.makers import entry_maker

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


def test_an_entry_happened_when_its_first_line_did() -> None:
    make = entry_maker()
    entry = make(NOW, ("ADA", "1", "1", "0"), ("XRP", "1", "1", "0"))

    assert replace(entry, lines=entry.lines[::-1]).happened_at == NOW
    assert replace(entry, lines=entry.lines[1:]).happened_at == NOW + timedelta(milliseconds=37)
    assert make(NOW).happened_at is None


def test_an_account_without_another_name_is_its_own_owner() -> None:
    make = entry_maker()

    assert make(account="desk").owner == "desk"
    assert make(account="desk", owner="alice").owner == "alice"


@pytest.mark.parametrize(("target", "kind"), [("BNB", Kind.DUST), ("USDT", Kind.DUST_CONVERT)])
def test_the_kind_of_a_record_is_guessed_from_its_target(target: str, kind: Kind) -> None:
    assert Kind.of_record(target) is kind


def test_what_ends_an_open_entry_is_said() -> None:
    entry = entry_maker()(status="unknown", reason="there is less")

    assert why_blocked(entry, "desk") == (
        "desk: how entry 1 ended is not known yet (unknown, account alice): recover() first"
    )
    stuck = why_blocked(replace(entry, needs_resolve=True), "desk")
    assert stuck.startswith("desk: how entry 1 ended can't be known from here (there is less): ")
    assert "binance-dust resolve 1 --rejected" in stuck
