"""What is shown in parts is one conversion: whole in the end, and none of it twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from binance_dust import Ledger, LedgerEntry
from binance_dust.ledger import Kind
from tests.ledger.conftest import MINUTE, NOW, intent, line, seen

LATER = NOW + timedelta(milliseconds=37)
ADA, XRP = line("ADA"), line("XRP", at=LATER)
DEBTS: dict[str, Any] = {"kind": Kind.LIABILITIES, "account_type": "MARGIN", "target": "USDT"}


async def books(ledger: Ledger) -> list[LedgerEntry]:
    return [entry async for entry in ledger.entries()]


async def test_a_log_that_shows_more_than_the_answer_did_completes_the_entry(
    ledger: Ledger,
) -> None:
    begun = await ledger.intend(intent(), length=MINUTE)
    await ledger.confirm(begun.id, [ADA], transaction_id=ADA.transaction_id, now=NOW)

    first = await ledger.record([seen(ADA, XRP)], now=NOW)
    again = await ledger.record([seen(ADA, XRP)], now=NOW)

    assert (first.added, first.settled, again.settled, again.known) == ((), (begun.id,), (), 1)
    assert (await ledger.entry(begun.id)).lines == (ADA, XRP)


async def test_a_record_that_was_shown_in_part_is_completed(ledger: Ledger) -> None:
    await ledger.record([seen(ADA)], now=NOW)

    recorded = await ledger.record([seen(ADA, XRP)], now=NOW)

    (entry,) = await books(ledger)
    assert (recorded.added, recorded.settled) == ((), (entry.id,))
    assert (entry.assets, entry.lines) == (("ADA", "XRP"), (ADA, XRP))


async def test_rows_of_debts_that_are_moments_apart_are_the_exchange_that_the_ledger_has(
    ledger: Ledger,
) -> None:
    rows = [replace(each, transaction_id=None) for each in (ADA, XRP)]
    begun = await ledger.intend(intent(**DEBTS), length=MINUTE)
    await ledger.confirm(begun.id, rows, transaction_id=None, now=NOW)
    apart = [seen(row, transaction_id=None, at=row.at, **DEBTS) for row in rows]

    recorded = await ledger.record(apart, now=NOW)

    assert (recorded.added, recorded.settled, recorded.known) == ((), (), 2)
    assert len(await books(ledger)) == 1


async def test_a_part_of_what_is_under_way_is_no_conversion_of_its_own(ledger: Ledger) -> None:
    begun = await ledger.intend(intent(), length=MINUTE)

    recorded = await ledger.record([seen(ADA)], now=NOW)

    assert (recorded.added, recorded.settled) == ((), ())
    assert [entry.status for entry in await books(ledger)] == ["intended"]
    # Whoever sent it hears the whole answer, and that stands.
    await ledger.confirm(begun.id, [ADA, XRP], transaction_id=ADA.transaction_id, now=NOW)
    assert (await ledger.record([seen(ADA)], now=NOW)).known == 1
    assert [entry.lines for entry in await books(ledger)] == [(ADA, XRP)]


async def test_a_part_that_shows_when_nothing_can_follow_settles_the_entry(ledger: Ledger) -> None:
    begun = await ledger.intend(intent(), length=MINUTE)
    assert begun.expires_at is not None
    afterwards = begun.expires_at + timedelta(seconds=11)

    part = await ledger.record([seen(ADA)], now=afterwards)
    whole = await ledger.record([seen(ADA, XRP)], now=afterwards)

    assert (part.settled, whole.settled) == ((begun.id,), (begun.id,))
    assert [entry.lines for entry in await books(ledger)] == [(ADA, XRP)]
