"""The exchange's records become entries or outcomes, each once, also when shown in parts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from binance_dust import Ledger, LedgerEntry
from binance_dust.ledger import Kind, SettledBy
from tests.ledger.makers import MINUTE, NOW, intent, line, seen

OVER = NOW + MINUTE
"""Nothing more can come from a call of these tests."""
LATER = NOW + timedelta(milliseconds=37)
ADA, XRP = line("ADA"), line("XRP", at=LATER)
DEBTS: dict[str, Any] = {"kind": Kind.LIABILITIES, "account_type": "MARGIN", "target": "USDT"}


async def books(ledger: Ledger) -> list[LedgerEntry]:
    return [entry async for entry in ledger.entries()]


async def test_a_new_record_is_imported_once(ledger: Ledger) -> None:
    first = await ledger.record([seen(), seen()], now=NOW)
    again = await ledger.record([seen()], now=NOW)

    assert (len(first.added), first.known) == (1, 1)
    assert (again.added, again.known) == ((), 1)
    (entry,) = await books(ledger)
    assert entry.imported
    assert (entry.status, entry.settled_by, entry.key_id) == ("confirmed", "import", None)
    assert entry.assets == ("ADA", "XRP")


@pytest.mark.parametrize(
    "other", [{"account": "bob"}, {"account_type": "MARGIN"}, {"target": "USDT"}]
)
async def test_one_id_in_two_places_is_two_records(ledger: Ledger, other: dict[str, str]) -> None:
    await ledger.record([seen()], now=NOW)

    recorded = await ledger.record([seen(**other)], now=NOW)

    assert len(recorded.added) == 1


async def test_a_record_settles_our_call_that_made_it(ledger: Ledger) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)

    recorded = await ledger.record([seen()], now=OVER)

    assert (recorded.settled, recorded.added) == ((entry.id,), ())
    done = await ledger.entry(entry.id)
    assert (done.status, done.settled_by, done.transaction_id) == (
        "confirmed",
        "import",
        45178372831,
    )


async def test_a_record_overrules_a_rejection_by_its_absence(ledger: Ledger) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    await ledger.reject(entry.id, "not in the log", now=NOW, by=SettledBy.READING)

    recorded = await ledger.record([seen()], now=OVER)

    assert recorded.settled == (entry.id,)


async def test_a_record_never_overrules_the_exchange_s_own_refusal(ledger: Ledger) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    await ledger.reject(entry.id, "no", now=NOW, code=-5006)

    recorded = await ledger.record([seen()], now=NOW)

    assert len(recorded.added) == 1
    assert (await ledger.entry(entry.id)).status == "rejected"


async def test_the_log_s_own_id_replaces_the_id_of_a_row(ledger: Ledger) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    rows = [line("ADA", transaction_id=4359321), line("XRP", transaction_id=4359322)]
    await ledger.confirm(entry.id, rows, transaction_id=4359321, now=NOW)

    recorded = await ledger.record([seen(*rows)], now=NOW)
    again = await ledger.record([seen(*rows)], now=NOW)

    assert (recorded.known, again.known) == (1, 1)
    assert (await ledger.entry(entry.id)).transaction_id == 45178372831


@pytest.mark.parametrize(
    ("changes", "settles"),
    [
        ({}, True),
        ({"at": NOW - timedelta(seconds=1)}, True),
        ({"at": NOW + timedelta(seconds=45)}, True),
        ({"at": NOW - timedelta(seconds=1.001)}, False),
        ({"at": NOW + timedelta(seconds=45.001)}, False),
        ({"target": "USDT"}, False),
        ({"account_type": "MARGIN"}, False),
        ({"account": "bob"}, False),
        ({"kind": Kind.LIABILITIES}, False),
        # The log does not tell which of the two calls made a record.
        ({"kind": Kind.DUST_CONVERT}, True),
        ({"lines": (line("ADA"), line("XRP"), line("LTC"))}, False),
    ],
)
async def test_the_records_that_settle_a_call(
    ledger: Ledger, changes: dict[str, object], settles: bool
) -> None:
    await ledger.intend(intent(), length=MINUTE)

    recorded = await ledger.record([seen(**changes)], now=OVER)

    assert bool(recorded.settled) is settles
    assert bool(recorded.added) is not settles


# --- found without an id, or at another time ---


async def test_a_record_without_an_id_is_known_by_its_lines(ledger: Ledger) -> None:
    """Rows of one exchange of debts may differ in time; the record may have any of these times."""
    later = NOW + timedelta(seconds=3)
    lines = (
        line("ETH", transaction_id=None, at=later),
        line("BTC", transaction_id=None, at=NOW),
    )
    debts = seen(
        *lines,
        kind=Kind.LIABILITIES,
        account_type="MARGIN",
        target="USDT",
        transaction_id=None,
        at=later,
    )

    first = await ledger.record([debts], now=NOW)
    again = await ledger.record([debts], now=NOW)

    assert (len(first.added), again.added, again.known) == (1, (), 1)


async def test_a_record_of_our_own_call_is_known_by_its_lines(ledger: Ledger) -> None:
    later = NOW + timedelta(seconds=13)
    lines = (line("ETH", transaction_id=None, at=later), line("BTC", transaction_id=None, at=NOW))
    begun = await ledger.intend(intent(), length=MINUTE)
    await ledger.confirm(begun.id, lines, transaction_id=None, now=later)

    recorded = await ledger.record([seen(*lines, transaction_id=9, at=later)], now=later)

    assert (recorded.added, recorded.known) == ((), 1)
    assert (await ledger.entry(begun.id)).transaction_id == 9


async def test_a_late_record_confirms_a_call_that_reading_had_rejected(
    ledger: Ledger,
) -> None:
    begun = await ledger.intend(intent(), length=MINUTE)
    await ledger.reject(begun.id, "not in the log", now=NOW, by=SettledBy.READING)
    later = NOW + timedelta(seconds=20)
    done = seen(line("ADA", at=later), line("XRP", at=later), at=later)

    recorded = await ledger.record([done], now=NOW + MINUTE)

    assert (recorded.added, recorded.settled) == ((), (begun.id,))


async def test_records_of_other_calls_are_dropped(ledger: Ledger) -> None:
    """By an id or by the lines; another record of the same time is kept."""
    first = seen(line("ADA", transaction_id=1), transaction_id=1)
    renumbered = seen(line("ADA", transaction_id=2), transaction_id=2)
    another_asset = seen(line("XRP", transaction_id=1), transaction_id=1)
    news = seen(line("XRP", transaction_id=3), transaction_id=3)
    entry = await ledger.intend(intent(held={"ADA": Decimal("6.21")}), length=MINUTE)
    await ledger.confirm(entry.id, first.lines, transaction_id=1, now=NOW)
    records = [first, renumbered, another_asset, news]

    assert await ledger.unclaimed(records, besides=entry.id + 1) == [news]
    assert await ledger.unclaimed(records, besides=entry.id) == records


async def test_imported_records_may_be_of_a_call(ledger: Ledger) -> None:
    await ledger.record([seen()], now=NOW)

    assert await ledger.unclaimed([seen()], besides=7) == [seen()]


async def test_a_record_is_known_by_its_id_at_any_time(ledger: Ledger) -> None:
    await ledger.record([seen(line("ADA"))], now=NOW)
    moved = seen(line("ADA", at=NOW + 60 * MINUTE), at=NOW + 60 * MINUTE)

    recorded = await ledger.record([moved], now=NOW)

    assert (recorded.added, recorded.known) == ((), 1)


async def test_an_entry_has_the_time_of_its_first_row_and_is_settled_once(
    ledger: Ledger,
) -> None:
    begun = await ledger.intend(intent(), length=MINUTE)
    later = NOW + timedelta(seconds=3)
    done = seen(line("ADA", at=later), line("XRP", at=NOW), at=NOW)

    first = await ledger.record([done], now=NOW + MINUTE)
    again = await ledger.record([done], now=NOW + MINUTE)

    assert (first.added, first.settled, first.known) == ((), (begun.id,), 0)
    assert (again.added, again.settled, again.known) == ((), (), 1)
    assert (await ledger.entry(begun.id)).at == NOW


# --- shown in parts ---


async def test_a_log_that_shows_more_than_the_answer_completes_the_entry(
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


async def test_rows_of_one_exchange_of_debts_may_differ_in_time(
    ledger: Ledger,
) -> None:
    rows = [replace(each, transaction_id=None) for each in (ADA, XRP)]
    begun = await ledger.intend(intent(**DEBTS), length=MINUTE)
    await ledger.confirm(begun.id, rows, transaction_id=None, now=NOW)
    apart = [seen(row, transaction_id=None, at=row.at, **DEBTS) for row in rows]

    recorded = await ledger.record(apart, now=NOW)

    assert (recorded.added, recorded.settled, recorded.known) == ((), (), 2)
    assert len(await books(ledger)) == 1


async def test_a_part_of_a_call_in_progress_is_not_a_conversion_of_its_own(ledger: Ledger) -> None:
    begun = await ledger.intend(intent(), length=MINUTE)

    recorded = await ledger.record([seen(ADA)], now=NOW)

    assert (recorded.added, recorded.settled) == ((), ())
    assert [entry.status for entry in await books(ledger)] == ["intended"]
    # The sender gets the complete answer, and that stays.
    await ledger.confirm(begun.id, [ADA, XRP], transaction_id=ADA.transaction_id, now=NOW)
    assert (await ledger.record([seen(ADA)], now=NOW)).known == 1
    assert [entry.lines for entry in await books(ledger)] == [(ADA, XRP)]


async def test_a_part_is_a_record_of_its_own_once_nothing_more_can_follow(ledger: Ledger) -> None:
    begun = await ledger.intend(intent(), length=MINUTE)
    assert begun.expires_at is not None
    last_moment = begun.expires_at + timedelta(seconds=10)
    afterwards = last_moment + timedelta(milliseconds=1)

    early = await ledger.record([seen(ADA)], now=last_moment)
    assert (early.added, early.settled) == ((), ())

    (part,) = (await ledger.record([seen(ADA)], now=afterwards)).added
    # Balances decide whether it was of our call. Once they have, it counts once.
    await ledger.confirm(
        begun.id, [ADA], transaction_id=ADA.transaction_id, now=afterwards, by=SettledBy.READING
    )
    whole = await ledger.record([seen(ADA, XRP)], now=afterwards)

    assert whole.settled == (begun.id,)
    ours, folded = await books(ledger)
    assert (ours.lines, folded.id, folded.status) == ((ADA, XRP), part, "rejected")
    assert folded.reason == "the same record as entry 1"
