"""A sync imports each record once, and reports records that are not shown."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from binance_dust import (
    ConfigurationError,
    Credentials,
    DustClient,
    DustError,
    Ledger,
    LedgerError,
    RejectedError,
    RetryPolicy,
    Session,
)
from binance_dust.ledger import Kind, LedgerEntry, LedgerLine, Observed, from_dust_log
from binance_dust.ledger._synced import Missing, SyncedRange
from binance_dust.sandbox import DebtExchange, Sandbox
from tests.ledger.makers import MINUTE, intent

LOG = "/sapi/v1/asset/dribblet"
HISTORY = "/sapi/v1/margin/exchange-small-liability-history"
DAY = timedelta(days=1)
NOW = datetime.now(UTC)
D = Decimal


@pytest.fixture
async def exchange() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7) as exchange:
        yield exchange


@pytest.fixture
def keys(exchange: Sandbox) -> Credentials:
    return exchange.open_account("alice", ADA="6.21", XRP="1.5")


def session_of(exchange: Sandbox) -> Session:
    return Session(base_url=exchange.url, retry=RetryPolicy(max_wait=0.01))


@pytest.fixture
async def alice(exchange: Sandbox, keys: Credentials) -> AsyncIterator[DustClient]:
    async with session_of(exchange) as session:
        yield session.client(keys)


async def all_of(ledger: Ledger, **query: Any) -> list[LedgerEntry]:
    return [entry async for entry in ledger.entries(**query)]


def what_the_exchange_did(exchange: Sandbox) -> list[tuple[object, ...]]:
    return sorted(
        (done.transaction_id, done.target, row.asset, row.amount, row.gross, row.fee)
        for done in exchange.conversions
        for row in done.rows
    )


def what_the_ledger_has(entries: list[LedgerEntry]) -> list[tuple[object, ...]]:
    return sorted(
        (entry.transaction_id, entry.target, line.asset, line.amount, line.gross, line.fee)
        for entry in entries
        for line in entry.lines
    )


@pytest.mark.long
async def test_ten_thousand_conversions_300_of_them_within_a_minute(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    start = NOW - 700 * DAY
    times = [start + n * timedelta(minutes=97) for n in range(9_000)]
    exchange.make_history("alice", times)
    exchange.make_history("alice", [time + DAY / 3 for time in times[:700]], target="USDT")
    exchange.make_history("alice", [NOW - 50 * DAY + n * MINUTE / 300 for n in range(300)])

    report = await ledger.sync(alice)
    again = await ledger.sync(alice)

    entries = await all_of(ledger)
    assert (report.added, report.complete, report.margin) == (10_000, True, False)
    assert what_the_ledger_has(entries) == what_the_exchange_did(exchange)
    assert len({entry.transaction_id for entry in entries}) == 10_000
    assert report.calls <= 10_000 / 99 + 700 / 90 + 10
    # The ranges that were read are known: one call for each wallet, at most a day's records.
    assert (again.added, again.calls) == (0, 2)
    text = io.StringIO(newline="")
    await ledger.export_csv(text)
    for target in ("BNB", "USDT"):
        done = [conversion for conversion in exchange.conversions if conversion.target == target]
        brought = sum((conversion.net for conversion in done), Decimal(0))
        rows = csv.DictReader(io.StringIO(text.getvalue()))
        exported = [row for row in rows if row["received_asset"] == target]
        (total,) = [total for total in await ledger.totals("target") if total.target == target]
        assert sum((Decimal(row["received_amount"]) for row in exported), Decimal(0)) == brought
        assert (total.net, total.count) == (brought, len(done))


async def test_a_second_sync_asks_for_what_is_new(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    exchange.make_history("alice", [NOW - n * 3 * DAY for n in range(1, 450)])
    first = await ledger.sync(alice, account_types=["SPOT"])
    await alice.dust_transfer(["ADA", "XRP"])

    second = await ledger.sync(alice, account_types=["SPOT"])

    assert (first.added, second.added, second.known, second.calls) == (449, 1, 0, 1)


async def test_a_sync_that_is_stopped_halfway_leaves_no_gap(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    exchange.make_history("alice", [NOW - n * DAY for n in range(1, 900)])
    exchange.faults.fail(400, code=-1100, endpoint=LOG, skip=4)

    with pytest.raises(DustError):
        await ledger.sync(alice, account_types=["SPOT"])
    kept = len(await all_of(ledger))
    report = await ledger.sync(alice, account_types=["SPOT"])

    assert 0 < kept < 899
    assert (report.added + kept, report.complete) == (899, True)
    assert what_the_ledger_has(await all_of(ledger)) == what_the_exchange_did(exchange)


async def test_several_syncs_at_once_are_as_one(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    exchange.make_history("alice", [NOW - n * DAY for n in range(1, 400)])

    reports = await asyncio.gather(*(ledger.sync(alice, account_types=["SPOT"]) for _ in range(3)))

    assert sum(report.added for report in reports) == 399
    assert what_the_ledger_has(await all_of(ledger)) == what_the_exchange_did(exchange)


async def test_since_reads_a_part_and_the_rest_later(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    exchange.make_history("alice", [NOW - n * DAY for n in range(1, 900)])

    part = await ledger.sync(alice, account_types=["SPOT"], since=NOW - 200.5 * DAY)
    rest = await ledger.sync(alice, account_types=["SPOT"])

    assert part.added == 200
    assert part.added + rest.added == 899


@pytest.mark.parametrize("hours", [1, 5, 23])
async def test_since_moves_no_mark_over_what_is_to_be_read_twice(
    exchange: Sandbox, alice: DustClient, ledger: Ledger, hours: int
) -> None:
    await ledger.mark_synced("alice", "SPOT", SyncedRange(NOW - 40 * DAY, NOW - 2 * DAY))
    exchange.make_history("alice", [NOW - 2 * DAY - timedelta(hours=hours, minutes=30)])

    since = NOW - 2 * DAY - timedelta(minutes=10)
    report = await ledger.sync(alice, account_types=["SPOT"], since=since)

    assert report.added == 1


async def test_what_was_missing_and_is_shown_later_is_missing_no_more(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    gap = Missing(
        account="alice",
        source="SPOT",
        start=NOW - timedelta(hours=3),
        end=NOW - timedelta(hours=2),
        shown=0,
        counted=7,
    )
    older = replace(gap, start=NOW - 30 * DAY, end=NOW - 29 * DAY)
    await ledger.mark_synced("alice", "SPOT", SyncedRange(datetime(2020, 12, 1, tzinfo=UTC), NOW))
    for each in (gap, older):
        await ledger.mark_missing(each)

    await ledger.sync(alice, account_types=["SPOT"])

    assert await ledger.missing("alice") == [older], "it was not read again"


async def test_a_record_that_appears_late_is_imported(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    await ledger.sync(alice, account_types=["SPOT"])
    exchange.make_history("alice", [NOW - timedelta(hours=5)])

    report = await ledger.sync(alice, account_types=["SPOT"])

    assert report.added == 1


async def test_a_range_that_touches_no_known_range_leaves_no_hole(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    await ledger.mark_synced(
        "alice", "SPOT", SyncedRange(datetime(2020, 12, 1, tzinfo=UTC), NOW - 40 * DAY)
    )
    exchange.make_history("alice", [NOW - n * DAY for n in range(1, 30)])

    part = await ledger.sync(alice, account_types=["SPOT"], since=NOW - 5.5 * DAY)
    rest = await ledger.sync(alice, account_types=["SPOT"])

    assert (part.added, rest.added) == (5, 24)
    # The known range is kept: one range was left to read, in one call.
    assert rest.calls == 1


async def test_only_one_error_means_that_there_is_no_margin_account(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    exchange.faults.fail(400, code=-3004, msg="Trade not allowed.", endpoint=LOG)

    with pytest.raises(RejectedError) as caught:
        await ledger.sync(alice, account_types=["MARGIN"])

    assert caught.value.code == -3004


async def test_records_that_are_not_shown_are_reported(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    crowded = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)
    exchange.make_history("alice", [crowded] * 150 + [crowded + DAY, crowded - DAY])

    report = await ledger.sync(alice, account_types=["SPOT"])

    (missing,) = report.missing
    assert (missing.source, missing.start, missing.end) == ("SPOT", crowded, crowded)
    assert (missing.shown, missing.counted, report.added) == (100, 150, 102)
    assert str(missing).startswith(
        "alice SPOT: 50 of 150 not shown, 2026-03-04T05:06:07.089000+00:00"
    )
    assert not report.complete
    assert await ledger.missing("alice") == [missing]
    assert report.to_plain() == {
        "account": "alice",
        "added": 102,
        "settled": [],
        "known": 0,
        "calls": report.calls,
        "margin": None,
        "unread": [],
        "missing": [
            {
                "account": "alice",
                "source": "SPOT",
                "start": "2026-03-04T05:06:07.089000Z",
                "end": "2026-03-04T05:06:07.089000Z",
                "shown": 100,
                "counted": 150,
            }
        ],
    }


async def test_our_own_conversion_is_known_by_its_id(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    await alice.dust_transfer(["ADA", "XRP"])
    log = await alice.dust_log()
    (observed,) = from_dust_log(log, "alice", "SPOT")
    now = alice.session.now()
    begun = await ledger.intend(
        intent(intended_at=now, sent_after=now - MINUTE, expires_at=now + MINUTE), length=MINUTE
    )
    await ledger.confirm(begun.id, observed.lines, transaction_id=observed.transaction_id, now=now)

    report = await ledger.sync(alice)

    assert (report.added, report.settled, report.known) == (0, (), 1)
    (entry,) = await all_of(ledger)
    assert not entry.imported


async def test_our_own_conversion_with_unknown_outcome_is_settled(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    await alice.session.learn_time()
    now = alice.session.now()
    begun = await ledger.intend(
        intent(intended_at=now, sent_after=now - MINUTE, expires_at=now + MINUTE), length=MINUTE
    )
    await alice.dust_transfer(["ADA", "XRP"])

    early = await ledger.sync(alice)
    exchange.faults.jump_clock(80.0)
    async with Session(base_url=exchange.url) as later:
        report = await ledger.sync(later.client(alice.credentials))

    # While the call can still be carried out, the record may be of another one.
    assert (early.added, early.settled, early.known) == (0, (), 1)
    assert (report.added, report.settled) == (0, (begun.id,))
    (entry,) = await all_of(ledger)
    assert entry.status == "confirmed"
    assert entry.net == exchange.conversions[0].net


async def test_margin_has_a_log_and_debts_of_its_own(exchange: Sandbox, ledger: Ledger) -> None:
    bob = exchange.open_account("bob", margin=True)
    exchange.make_history("bob", [NOW - 9 * DAY], wallet="MARGIN", target="USDT")
    account = exchange.account("bob")
    for asset, days in (("ETH", 80), ("BTC", 80), ("ADA", 20), ("XRP", 200)):
        account.record(
            DebtExchange(
                account="bob",
                asset=asset,
                amount=Decimal("0.00083434"),
                target="USDT",
                target_amount=Decimal("1.8576"),
                at_ms=int((NOW - days * DAY).timestamp() * 1000),
            )
        )

    async with session_of(exchange) as session:
        report = await ledger.sync(session.client(bob))
        again = await ledger.sync(session.client(bob))

    assert (report.margin, report.added) == (True, 3)
    assert (again.added, again.complete) == (0, True)
    debts = await all_of(ledger, kind=Kind.LIABILITIES)
    assert [sorted(line.asset for line in entry.lines) for entry in debts] == [
        ["BTC", "ETH"],
        ["ADA"],
    ]
    (converted,) = await all_of(ledger, account_type="MARGIN", kind=Kind.DUST_CONVERT)
    assert converted.target == "USDT"


async def test_debts_too_old_for_the_history_are_reported(
    exchange: Sandbox, ledger: Ledger
) -> None:
    bob = exchange.open_account("bob", margin=True)
    await ledger.mark_synced("bob", "liabilities", SyncedRange(NOW - 300 * DAY, NOW - 120 * DAY))

    async with session_of(exchange) as session:
        report = await ledger.sync(session.client(bob))
        again = await ledger.sync(session.client(bob))

    (missing,) = report.missing
    assert (missing.source, missing.start) == ("liabilities", NOW - 120 * DAY)
    assert abs(missing.end - (NOW - 90 * DAY)) < timedelta(hours=1)
    assert str(missing).startswith("bob liabilities: there may be more than the 0 shown")
    # Reported once, because it can't be mended; and kept by the ledger.
    assert again.complete
    assert await ledger.missing("bob") == await ledger.missing() == [missing]
    assert await ledger.missing("alice") == []


@pytest.mark.parametrize("place", ["detail", "group", "nowhere"])
async def test_the_target_is_read_wherever_the_log_has_it(place: Any, ledger: Ledger) -> None:
    async with Sandbox(log_target=place) as exchange:
        alice = exchange.open_account("alice")
        exchange.make_history("alice", [NOW - DAY], target="USDT")
        async with session_of(exchange) as session:
            await ledger.sync(session.client(alice), account_types=["SPOT"])

    (entry,) = await all_of(ledger)
    assert entry.target == ("BNB" if place == "nowhere" else "USDT")


async def test_a_slow_clock_hides_nothing(
    exchange: Sandbox, keys: Credentials, ledger: Ledger
) -> None:
    """The exchange's clock is two hours ahead of ours; its newest records are in our future."""
    exchange.faults.jump_clock(7_200)
    exchange.make_history("alice", [NOW + timedelta(hours=n / 100) for n in range(150)])
    await ledger.mark_synced("alice", "SPOT", SyncedRange(datetime(2020, 12, 1, tzinfo=UTC), NOW))

    async with session_of(exchange) as session:
        report = await ledger.sync(session.client(keys), account_types=["SPOT"])

    assert report.added == 150


async def test_wrong_parameters_are_refused_before_anything_is_sent(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    with pytest.raises(TypeError, match="a collection"):
        await ledger.sync(alice, account_types="SPOT")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="SPOT or MARGIN"):
        await ledger.sync(alice, account_types=["FUTURES"])  # type: ignore[list-item]
    with pytest.raises(ConfigurationError, match="no time zone"):
        await ledger.sync(alice, since=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
    assert exchange.requests == ()


async def test_a_record_that_can_not_be_read_is_named_and_the_others_are_imported(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    moment = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)
    exchange.make_history("alice", [moment, moment - DAY, moment - 2 * DAY])
    first = len(max(exchange.conversions, key=lambda done: done.at_ms).rows)
    bad = exchange.faults.put({"amount": None}, nth=first, times=None, endpoint=LOG)

    report = await ledger.sync(alice, account_types=["SPOT"])

    assert (report.added, report.complete) == (2, False)
    (text,) = report.unread
    assert text.startswith("SPOT: record ")
    assert "of 2026-03-03 05:06:07 UTC can't be read" in text
    (gap,) = await ledger.missing("alice")
    assert gap.start == gap.end == moment - DAY
    assert str(gap).startswith("alice SPOT: a record that is not shown or can't be read, 2026-03-0")
    bad.cancel()
    # It is read as soon as it can be: a sync of that time imports it.
    again = await ledger.sync(alice, account_types=["SPOT"], since=moment - 3 * DAY)
    assert again.unread == ()


async def test_a_page_full_of_records_that_can_not_be_read_hides_no_other(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    """They fill a page like others: what lies behind it has to be asked for."""
    first = datetime(2026, 3, 4, tzinfo=UTC)
    exchange.make_history("alice", [first + timedelta(hours=n) for n in range(150)])
    exchange.faults.put({"amount": None}, times=1, endpoint=LOG)

    report = await ledger.sync(alice, account_types=["SPOT"])

    assert len(report.unread) == 100
    assert report.added >= 50


async def test_debts_that_can_not_be_read_are_named_too(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    keys = exchange.open_account("bob", debts={"ETH": "0.001", "XRP": "0.5"})
    bob = alice.session.client(keys)
    await bob.exchange_small_liabilities(["ETH", "XRP"])
    exchange.faults.put({"targetAmount": "much"}, nth=0, times=None, endpoint=HISTORY)

    report = await ledger.sync(bob, account_types=["MARGIN"])

    assert report.added == 1
    (text,) = report.unread
    assert text.startswith("liabilities: $.rows[0] of ")


async def test_a_log_without_its_count_is_walked_all_the_same(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    first = datetime(2026, 3, 4, tzinfo=UTC)
    exchange.make_history("alice", [first + timedelta(hours=n) for n in range(250)])
    exchange.faults.leave_out("total", times=None, endpoint=LOG)

    report = await ledger.sync(alice, account_types=["SPOT"])

    assert report.added == 250
    assert report.complete


async def test_an_id_beyond_64_bits_is_named(
    exchange: Sandbox, alice: DustClient, ledger: Ledger
) -> None:
    exchange.make_history("alice", [datetime(2026, 3, 4, tzinfo=UTC)] * 2)
    exchange.faults.put({"transId": 2**63}, nth=0, times=None, endpoint=LOG)

    report = await ledger.sync(alice, account_types=["SPOT"])

    assert report.added == 1
    assert f"record {2**63} " in report.unread[0]


async def test_a_record_of_one_s_own_with_such_an_id_is_an_error_of_ours(ledger: Ledger) -> None:
    line = LedgerLine(asset="A", amount=D(1), gross=D(1), fee=D(0), at=NOW, transaction_id=2**63)
    seen = Observed(
        account="alice",
        kind=Kind.DUST,
        account_type="SPOT",
        target="BNB",
        transaction_id=2**63,
        at=NOW,
        lines=(line,),
    )

    with pytest.raises(LedgerError, match="64 bits"):
        await ledger.record([seen], now=NOW)
    assert await all_of(ledger) == []
