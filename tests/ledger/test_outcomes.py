"""Which outcome is believed, and that each record of the exchange counts once whatever happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from binance_dust import ConfigurationError, GuardError, Ledger, LedgerEntry
from binance_dust.ledger import Claim, Kind, LedgerLine, Observed, SettledBy
from tests.ledger.makers import MINUTE, NOW, intent, line, seen

OVER = NOW + MINUTE
READ: dict[str, Any] = {"now": OVER, "by": SettledBy.READING}


def shown(number: int, *, at: timedelta = timedelta(0)) -> Observed:
    """Make a record of the assets of our call."""
    rows = (line(asset, at=NOW + at, transaction_id=number) for asset in ("ADA", "XRP"))
    return seen(*rows, transaction_id=number, at=NOW + at)


ONE, OTHER = shown(1), shown(2, at=timedelta(seconds=5))


async def books(ledger: Ledger) -> list[LedgerEntry]:
    return [entry async for entry in ledger.entries()]


async def counted(ledger: Ledger) -> list[int]:
    """Give the record of each entry that counts."""
    return sorted(
        entry.transaction_id or 0
        for entry in await books(ledger)
        if entry.lines and entry.status == "confirmed"
    )


# --- the log ---


async def test_while_a_call_can_be_carried_out_no_record_is_taken_for_its_own(
    ledger: Ledger,
) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    assert entry.expires_at is not None
    last = entry.expires_at + timedelta(seconds=10)

    early = await ledger.record([ONE], now=last)
    late = await ledger.record([ONE], now=last + timedelta(milliseconds=1))

    assert (early.added, early.settled, early.known) == ((), (), 1)
    assert late.settled == (entry.id,)


@pytest.mark.parametrize("together", [True, False])
async def test_two_records_that_fit_settle_nothing_and_count_once_each(
    ledger: Ledger, together: bool
) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    await ledger.reject(entry.id, "read", **READ)
    if not together:
        # It was imported while another name of the account was not known as one. It is dated ten
        # seconds after the exchange can have accepted the call.
        late = shown(1, at=timedelta(seconds=45))
        await ledger.record([replace(late, account="other")], now=OVER)
        await ledger._thread.run(
            lambda store: store._connection.execute("UPDATE entries SET owner = 'alice'")
        )
    for _ in range(2):
        await ledger.record([ONE, OTHER] if together else [OTHER], now=OVER)

    assert (await ledger.entry(entry.id)).status == "rejected"
    assert await counted(ledger) == [1, 2]


async def test_a_record_that_was_imported_counts_once_when_it_is_our_call_s(ledger: Ledger) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    await ledger.record([replace(ONE, account="other")], now=OVER)
    await ledger._thread.run(
        lambda store: store._connection.execute("UPDATE entries SET owner = 'alice'")
    )

    assert await ledger.unclaimed([ONE], besides=entry.id) == [ONE]
    await ledger.confirm(entry.id, ONE.lines, transaction_id=1, **READ)

    assert await counted(ledger) == [1]
    assert (await books(ledger))[1].reason == f"the same record as entry {entry.id}"
    assert (await ledger.record([ONE], now=OVER)).added == ()


# --- the sender's answer ---


@pytest.mark.parametrize("imported", [True, False])
@pytest.mark.parametrize("by", [SettledBy.READING, SettledBy.IMPORT, SettledBy.HAND])
async def test_the_answer_overrules_a_record_and_both_count_once(
    ledger: Ledger, imported: bool, by: SettledBy
) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    await ledger.confirm(entry.id, ONE.lines, transaction_id=1, now=OVER, by=by)
    if imported:
        await ledger.record([OTHER], now=OVER)

    done = await ledger.confirm(entry.id, OTHER.lines, transaction_id=2, now=OVER)

    assert (done.lines, done.transaction_id, done.settled_by) == (OTHER.lines, 2, "answer")
    assert done.at == OTHER.at
    assert await counted(ledger) == [1, 2]
    assert (await ledger.record([ONE, OTHER], now=OVER)).added == ()
    assert await counted(ledger) == [1, 2]


async def test_a_refusal_by_answer_overrules_a_record(ledger: Ledger) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    await ledger.confirm(entry.id, OTHER.lines, transaction_id=2, **READ)
    assert (await ledger.entry(entry.id)).at == OTHER.at

    done = await ledger.reject(entry.id, "no", now=OVER, code=-5002)

    assert (done.status, done.lines, done.code, done.at) == ("rejected", (), -5002, NOW)
    assert await counted(ledger) == [2]
    assert (await ledger.record([OTHER], now=OVER)).added == ()


async def test_a_record_that_gave_way_counts_again_if_it_was_imported_before(
    ledger: Ledger,
) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    await ledger.reject(entry.id, "read", **READ)
    await ledger.record([ONE, OTHER], now=OVER)
    await ledger.confirm(entry.id, ONE.lines, transaction_id=1, now=OVER, by=SettledBy.IMPORT)
    assert await counted(ledger) == [1, 2]

    await ledger.confirm(entry.id, OTHER.lines, transaction_id=2, now=OVER)

    assert await counted(ledger) == [1, 2]
    assert len(await books(ledger)) == 3


async def test_the_answer_about_the_same_record_keeps_what_only_the_log_had(ledger: Ledger) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    record = seen(line("ADA", transaction_id=7), line("XRP", transaction_id=8), transaction_id=9)
    await ledger.confirm(entry.id, record.lines, transaction_id=9, **READ)

    done = await ledger.confirm(entry.id, record.lines[:1], transaction_id=7, now=OVER)

    assert (done.transaction_id, done.settled_by, done.lines) == (9, "answer", record.lines)
    assert len(await books(ledger)) == 1


async def test_what_was_answered_gives_way_to_nothing(ledger: Ledger) -> None:
    refused = await ledger.intend(intent(), length=MINUTE)
    await ledger.reject(refused.id, "no", now=NOW)
    done = await ledger.intend(intent(account="bob"), length=MINUTE)
    await ledger.confirm(done.id, ONE.lines, transaction_id=1, now=NOW)

    for entry in (refused, done):
        before = await ledger.entry(entry.id)
        for later in (
            ledger.confirm(entry.id, OTHER.lines, transaction_id=2, **READ),
            ledger.reject(entry.id, "read", **READ),
            ledger.leave_unknown(entry.id, "?", now=OVER),
        ):
            assert await later == before


# --- by hand ---


async def test_an_entry_is_resolved_by_hand_only_when_its_call_is_over(ledger: Ledger) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)

    with pytest.raises(GuardError, match="can still be carried out") as caught:
        await ledger.resolve(entry.id, "rejected", "I know", now=NOW)
    done = await ledger.resolve(entry.id, "rejected", "looked at the website", now=OVER)

    assert caught.value.retry_at == NOW + timedelta(seconds=45)
    assert (done.status, done.settled_by, done.reason) == (
        "rejected",
        "hand",
        "looked at the website",
    )
    with pytest.raises(ConfigurationError, match="is rejected: there is nothing to resolve"):
        await ledger.resolve(entry.id, "rejected", "again", now=OVER)


async def test_what_reading_could_not_tell_is_resolved_by_any_clock(ledger: Ledger) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    await ledger.leave_unknown(entry.id, "less", now=OVER, needs_resolve=True)

    done = await ledger.resolve(entry.id, "rejected", "sold", now=NOW - timedelta(hours=1))

    assert (done.status, done.needs_resolve) == ("rejected", False)


@pytest.mark.parametrize(
    ("status", "given", "words"),
    [
        ("unknown", {}, "not 'unknown'"),
        ("confirmed", {}, "give the number"),
        ("rejected", {"transaction_id": 7}, "has no transaction_id"),
    ],
)
async def test_what_a_person_says_has_to_make_sense(
    ledger: Ledger, status: Any, given: dict[str, Any], words: str
) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)

    with pytest.raises(ConfigurationError, match=words):
        await ledger.resolve(entry.id, status, "?", now=OVER, **given)
    with pytest.raises(ConfigurationError, match="no entry 99"):
        await ledger.resolve(99, "rejected", "?", now=OVER)
    assert (await ledger.entry(entry.id)).open


async def test_a_confirmation_by_hand_takes_the_lines_of_the_imported_record(
    ledger: Ledger,
) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    await ledger.record([ONE, OTHER], now=OVER)
    assert (await ledger.entry(entry.id)).open

    done = await ledger.resolve(entry.id, "confirmed", "at 12:00:05", now=OVER, transaction_id=2)

    assert (done.lines, done.settled_by, done.reason) == (OTHER.lines, "hand", "at 12:00:05")
    assert await counted(ledger) == [1, 2]


async def test_lines_that_are_not_known_yet_are_added_when_they_show(ledger: Ledger) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)

    bare = await ledger.resolve(entry.id, "confirmed", "seen", now=OVER, transaction_id=1)
    await ledger.record([ONE], now=OVER)

    assert (bare.status, bare.lines, bare.transaction_id) == ("confirmed", (), 1)
    assert await counted(ledger) == [1]
    assert [each.id for each in await books(ledger)] == [entry.id]


async def test_a_record_that_gives_way_has_its_own_time_though_its_lines_came_late(
    ledger: Ledger,
) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    await ledger.resolve(entry.id, "confirmed", "seen", now=OVER, transaction_id=2)
    await ledger.record([OTHER], now=OVER)

    await ledger.confirm(entry.id, ONE.lines, transaction_id=1, now=OVER)

    assert [(each.transaction_id, each.at) for each in await books(ledger)] == [
        (1, ONE.at),
        (2, OTHER.at),
    ]


@pytest.mark.parametrize(
    ("kind", "wallet", "known"),
    [(Kind.TRANSFER, "SPOT", True), (Kind.REPAYMENT, "MARGIN", True), (Kind.SALE, "SPOT", False)],
)
async def test_what_is_moved_as_it_is_needs_no_record_to_be_confirmed_by_hand(
    ledger: Ledger, kind: Kind, wallet: Any, known: bool
) -> None:
    """A transfer or a repayment said how much. What a sale brought, only its record says."""
    amounts = {"ADA": Decimal(7)}
    asked = intent(kind=kind, account_type=wallet, target="ADA", held=amounts, amounts=amounts)
    entry = await ledger.intend(asked, length=MINUTE)

    done = await ledger.resolve(entry.id, "confirmed", "seen", now=OVER, transaction_id=9)

    lines = [(each.asset, each.amount, each.net, each.transaction_id) for each in done.lines]
    assert lines == ([("ADA", Decimal(7), Decimal(7), 9)] if known else [])


async def test_the_record_of_another_call_can_not_be_named(ledger: Ledger) -> None:
    first = await ledger.intend(intent(), length=MINUTE)
    await ledger.confirm(first.id, ONE.lines, transaction_id=1, now=NOW)
    second = await ledger.intend(intent(), length=MINUTE)

    with pytest.raises(ConfigurationError, match="another call"):
        await ledger.resolve(second.id, "confirmed", "?", now=OVER, transaction_id=1)


async def test_exchanged_debts_are_confirmed_without_a_number(ledger: Ledger) -> None:
    debts: dict[str, Any] = {"kind": Kind.LIABILITIES, "account_type": "MARGIN", "target": "USDT"}
    row = LedgerLine(asset="ETH", amount=Decimal(1), gross=Decimal(2), fee=Decimal(0), at=NOW)
    entry = await ledger.intend(intent(held={"ETH": Decimal(1)}, **debts), length=MINUTE)
    await ledger.record([seen(row, transaction_id=None, **debts)], now=NOW)

    done = await ledger.resolve(entry.id, "confirmed", "seen", now=OVER)

    assert (done.status, done.lines) == ("confirmed", ())
    await ledger.record([seen(row, transaction_id=None, **debts)], now=OVER)
    assert sum(len(each.lines) for each in await books(ledger)) == 1


async def test_a_reading_settles_nothing_by_the_record_of_another_call(ledger: Ledger) -> None:
    first = await ledger.intend(intent(), length=MINUTE)
    await ledger.reject(first.id, "read", **READ)
    second = await ledger.intend(intent(), length=MINUTE)
    # While somebody reads about the second call, the first one's sender wakes up.
    await ledger.confirm(first.id, ONE.lines, transaction_id=1, now=OVER)

    done = await ledger.confirm(second.id, ONE.lines, transaction_id=1, **READ)

    assert done.status == "intended"
    assert await counted(ledger) == [1]


async def test_a_claim_under_any_name_is_a_claim_on_the_account(ledger: Ledger) -> None:
    await ledger.intend(intent(account="alice", key_id="k"), length=MINUTE)
    await ledger.intend(intent(account="desk", key_id="k", account_type="MARGIN"), length=MINUTE)
    one, other = Claim("alice", "convert", "one"), Claim("desk", "convert", "other")
    await ledger.claim(one, now=NOW, length=MINUTE)

    with pytest.raises(GuardError, match="under way"):
        await ledger.claim(other, now=NOW, length=MINUTE)
    await ledger.release(Claim("desk", "convert", "one"))

    await ledger.claim(other, now=NOW, length=MINUTE)


async def own(ledger: Ledger, owner: str = "alice") -> None:
    """Say that all entries are of one account, as a number that is learnt later does."""
    await ledger._thread.run(
        lambda store: store._connection.execute("UPDATE entries SET owner = ?", (owner,))
    )


async def test_of_two_conclusions_the_first_one_stays(ledger: Ledger) -> None:
    confirmed = await ledger.intend(intent(), length=MINUTE)
    await ledger.confirm(confirmed.id, ONE.lines, transaction_id=1, **READ)
    rejected = await ledger.intend(intent(account="bob"), length=MINUTE)
    await ledger.reject(rejected.id, "read", **READ)

    for entry in (confirmed, rejected):
        before = await ledger.entry(entry.id)
        assert await ledger.reject(entry.id, "again", **READ) == before
        assert await ledger.leave_unknown(entry.id, "?", now=OVER) == before
    before = await ledger.entry(confirmed.id)
    assert await ledger.confirm(confirmed.id, OTHER.lines, transaction_id=2, **READ) == before


async def test_only_records_that_fit_and_are_free_are_rivals(ledger: Ledger) -> None:
    first = await ledger.intend(intent(), length=MINUTE)
    await ledger.confirm(first.id, OTHER.lines, transaction_id=2, now=NOW)
    second = await ledger.intend(intent(), length=MINUTE)
    unrelated = seen(line("LTC", transaction_id=3), transaction_id=3)

    recorded = await ledger.record([ONE, OTHER, unrelated], now=OVER)

    assert (recorded.settled, len(recorded.added)) == ((second.id,), 1)
    assert await counted(ledger) == [1, 2, 3]


async def test_an_answer_takes_its_record_back_from_another_call(ledger: Ledger) -> None:
    """Two names turned out to be one account, and each had left the same call open."""
    first = await ledger.intend(intent(), length=MINUTE)
    second = await ledger.intend(intent(account="desk"), length=MINUTE)
    await own(ledger)
    await ledger.confirm(first.id, ONE.lines, transaction_id=1, **READ)

    done = await ledger.confirm(second.id, ONE.lines, transaction_id=1, now=OVER)

    again = await ledger.entry(first.id)
    assert (done.status, again.status, again.lines) == ("confirmed", "unknown", ())
    assert again.reason == f"its record turned out to be that of entry {second.id}"
    assert (again.settled_by, again.settled_at, again.at) == (None, None, NOW)
    assert await counted(ledger) == [1]


async def test_the_record_of_exchanged_debts_settles_one_call(ledger: Ledger) -> None:
    debts: dict[str, Any] = {"kind": Kind.LIABILITIES, "account_type": "MARGIN"}
    row = LedgerLine(asset="ETH", amount=Decimal(1), gross=Decimal(2), fee=Decimal(0), at=NOW)
    entries = []
    for name in ("alice", "desk"):
        asked = intent(account=name, held={"ETH": Decimal(1)}, target="USDT", **debts)
        entries.append(await ledger.intend(asked, length=MINUTE))
    await own(ledger)
    for entry in entries:
        await ledger.confirm(entry.id, [row], transaction_id=None, target="FDUSD", **READ)

    assert [each.status for each in await books(ledger)] == ["confirmed", "intended"]


@pytest.mark.parametrize(
    ("ids", "at"), [((7, 8), 1.0), ((17, 18), 0.0)], ids=["the same numbers", "the same lines"]
)
async def test_an_answer_knows_its_record_by_number_or_by_lines(
    ledger: Ledger, ids: tuple[int, int], at: float
) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    logged = [line("ADA", transaction_id=7), line("XRP", transaction_id=8)]
    await ledger.confirm(entry.id, logged, transaction_id=9, **READ)
    then = NOW + timedelta(seconds=at)
    answered = [
        line(asset, transaction_id=number, at=then)
        for asset, number in zip(("ADA", "XRP"), ids, strict=True)
    ]

    done = await ledger.confirm(entry.id, answered, transaction_id=ids[0], now=OVER)

    assert (done.transaction_id, list(done.lines)) == (9, answered)
    assert len(await books(ledger)) == 1


async def test_the_right_one_of_two_folded_records_counts_again(ledger: Ledger) -> None:
    first = await ledger.intend(intent(), length=MINUTE)
    await ledger.reject(first.id, "read", **READ)
    second = await ledger.intend(intent(), length=MINUTE)
    await ledger.reject(second.id, "read", **READ)
    third = shown(3, at=timedelta(seconds=8))
    await ledger.record([replace(each, account="other") for each in (OTHER, ONE)], now=OVER)
    await own(ledger)
    await ledger.confirm(first.id, ONE.lines, transaction_id=1, **READ)
    await ledger.confirm(second.id, OTHER.lines, transaction_id=2, **READ)
    assert await counted(ledger) == [1, 2]

    await ledger.confirm(first.id, third.lines, transaction_id=3, now=OVER)

    assert await counted(ledger) == [1, 2, 3]
    assert [entry.status for entry in await books(ledger)] == [
        "confirmed",
        "confirmed",
        "rejected",
        "confirmed",
    ]


async def test_a_folded_record_leaves_the_lines_that_only_it_had(ledger: Ledger) -> None:
    entry = await ledger.intend(intent(), length=MINUTE)
    await ledger.reject(entry.id, "read", **READ)
    await ledger.record([replace(ONE, account="other")], now=OVER)
    await own(ledger)

    await ledger.confirm(entry.id, ONE.lines[:1], transaction_id=1, now=OVER)

    ours, folded = await books(ledger)
    assert [each.asset for each in ours.lines] == ["ADA", "XRP"]
    assert folded.lines == ()


async def test_names_that_turn_out_to_be_one_account_count_each_record_once(
    ledger: Ledger,
) -> None:
    short, longer = seen(ONE.lines[0], transaction_id=1), ONE
    apart = [replace(each, account="desk") for each in (longer, OTHER)]
    await ledger.record([short, shown(3)], now=OVER)
    await ledger.record(apart, now=OVER)

    for name, key in (("alice", "k1"), ("desk", "k2")):
        await ledger._thread.run(lambda store, n=name, k=key: store.bind(n, k, 77))  # type: ignore[misc]

    assert await counted(ledger) == [1, 2, 3]
    assert [(entry.owner, entry.status, len(entry.lines)) for entry in await books(ledger)] == [
        ("alice", "confirmed", 2),
        ("alice", "confirmed", 2),
        ("alice", "rejected", 0),
        ("alice", "confirmed", 2),
    ]
