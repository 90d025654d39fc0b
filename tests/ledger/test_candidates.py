"""A record finds its entry, whatever else the account did, and at whatever moment."""

from __future__ import annotations

from datetime import timedelta

from binance_dust import Ledger
from binance_dust.ledger import Kind, SettledBy
from tests.ledger.conftest import MINUTE, NOW, intent, line, seen


async def test_a_record_without_an_id_is_known_by_its_lines(ledger: Ledger) -> None:
    """Rows of one exchange of debts may be moments apart, and the record's time any of them."""
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
    later = NOW + timedelta(seconds=3)
    lines = (line("ETH", transaction_id=None, at=later), line("BTC", transaction_id=None, at=NOW))
    begun = await ledger.intend(intent(), length=MINUTE)
    await ledger.confirm(begun.id, lines, transaction_id=None, now=later)

    recorded = await ledger.record([seen(*lines, transaction_id=9, at=later)], now=later)

    assert (recorded.added, recorded.known) == ((), 1)
    assert (await ledger.entry(begun.id)).transaction_id == 9


async def test_what_was_taken_for_not_done_by_reading_and_shows_later_was_done(
    ledger: Ledger,
) -> None:
    begun = await ledger.intend(intent(), length=MINUTE)
    await ledger.reject(begun.id, "not in the log", now=NOW, by=SettledBy.READING)
    later = NOW + timedelta(seconds=20)
    done = seen(line("ADA", at=later), line("XRP", at=later), at=later)

    recorded = await ledger.record([done], now=NOW + MINUTE)

    assert (recorded.added, recorded.settled) == ((), (begun.id,))


async def test_records_that_other_entries_have_are_left_out(ledger: Ledger) -> None:
    """By an id, or by the lines: another one of the same moment is not theirs."""
    first = seen(line("ADA", transaction_id=1), transaction_id=1)
    renumbered = seen(line("ADA", transaction_id=2), transaction_id=2)
    another_asset = seen(line("XRP", transaction_id=1), transaction_id=1)
    news = seen(line("XRP", transaction_id=3), transaction_id=3)
    (entry_id,) = (await ledger.record([first], now=NOW)).added
    records = [first, renumbered, another_asset, news]

    assert await ledger.unclaimed(records, besides=entry_id + 1) == [news]
    assert await ledger.unclaimed(records, besides=entry_id) == records


async def test_a_record_is_known_by_its_id_at_whatever_moment(ledger: Ledger) -> None:
    await ledger.record([seen(line("ADA"))], now=NOW)
    moved = seen(line("ADA", at=NOW + 60 * MINUTE), at=NOW + 60 * MINUTE)

    recorded = await ledger.record([moved], now=NOW)

    assert (recorded.added, recorded.known) == ((), 1)


async def test_an_entry_happened_when_its_first_row_did_and_is_settled_once(
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
