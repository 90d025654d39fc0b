"""Cooldowns are learnt from conversions, from refusals and from other accounts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust import Ledger
from binance_dust.ledger import Kind, LedgerEntry, Observed
from binance_dust.ledger._cooldown import (
    DELAY,
    SLACK,
    Cooldowns,
    Lesson,
    Scope,
    combined,
    next_eligible_at,
)
from tests.ledger.makers import (
    HOUR,
    NOW,
    MakeEntry,
    converted,
    entry_maker,
    line,
    numbered,
    refused,
    seen,
)

JUST_AFTER = timedelta(minutes=1)
ADA = ("ADA", "6", "0.01", "0.0002")
XRP = ("XRP", "1", "0.01", "0.0002")
SPOT_DUST = Scope("alice", Kind.DUST, "SPOT")


@pytest.fixture
def make_entry() -> MakeEntry:
    return entry_maker()


class HiddenRule:
    """One account of an exchange with a hidden rule, and a scheduler that learns it."""

    def __init__(self, rule: timedelta, configured: timedelta) -> None:
        self.rule, self.configured = rule, configured
        self.make_entry = entry_maker()
        self.now = NOW
        self.history: list[LedgerEntry] = []
        self.converted = [NOW]
        self.refusals = 0
        self.history.append(self.make_entry(NOW, ADA))

    def attempt(self) -> None:
        """Wait until the learnt time, and try once."""
        self.now = next_eligible_at(self.history, self.now, self.configured)
        if self.now - self.converted[-1] < self.rule:
            self.refusals += 1
            self.history.append(self.make_entry(self.now, code=-5006, assets=("ADA",)))
        else:
            self.converted.append(self.now)
            self.history.append(self.make_entry(self.now, ADA))

    def convert_again(self) -> timedelta:
        """Try until it works; return how long after the earliest possible time that was."""
        done = len(self.converted)
        for _ in range(20):
            self.attempt()
            if len(self.converted) > done:
                return self.converted[-1] - self.converted[-2] - self.rule
        raise AssertionError("it never converts again")


@pytest.mark.parametrize("configured", [1, 6, 24])
@pytest.mark.parametrize("rule", [1, 6, 24])
def test_the_second_scheduled_conversion_lands_just_after_eligibility(
    rule: int, configured: int
) -> None:
    exchange = HiddenRule(rule * HOUR, configured * HOUR)

    exchange.convert_again()
    second = exchange.convert_again()
    refusals = exchange.refusals
    third = exchange.convert_again()

    assert timedelta(0) <= second <= JUST_AFTER
    assert timedelta(0) <= third <= JUST_AFTER
    assert refusals <= 2
    assert exchange.refusals == refusals


@given(
    rule=st.integers(60, 14 * 86_400).map(lambda seconds: timedelta(seconds=seconds)),
    configured=st.sampled_from([HOUR, 6 * HOUR, 24 * HOUR]),
)
def test_any_rule_is_found_with_few_refusals(rule: timedelta, configured: timedelta) -> None:
    exchange = HiddenRule(rule, configured)

    exchange.convert_again()
    late = [exchange.convert_again() for _ in range(4)]

    assert max(late) <= max(24 * HOUR, 2 * rule)
    assert exchange.refusals <= 12


# --- what is proven ---


def lesson(longer_than: float = 0, at_most: float | None = None) -> Lesson:
    """Make a lesson of hours."""
    return Lesson(longer_than * HOUR, None if at_most is None else at_most * HOUR)


@pytest.mark.parametrize(
    ("known", "refused_after", "proven"),
    [
        (lesson(), 2, lesson(2)),
        (lesson(3), 2, lesson(3)),
        (lesson(1, 6), 2, lesson(2, 6)),
        # That was enough before, so the rule has become longer.
        (lesson(1, 6), 6, lesson(6)),
        (lesson(1, 6), 7, lesson(7)),
    ],
)
def test_a_refusal_proves_that_it_is_longer(
    known: Lesson, refused_after: int, proven: Lesson
) -> None:
    assert known.after_refusal(refused_after * HOUR) == proven


@pytest.mark.parametrize(
    ("known", "converted_after", "proven"),
    [
        (lesson(), 5, lesson(0, 5)),
        (lesson(0, 4), 5, lesson(0, 4)),
        (lesson(0, 6), 5, lesson(0, 5)),
        (lesson(3, 6), 4, lesson(3, 4)),
        # That was too short before, so the rule has become shorter.
        (lesson(3), 3, lesson(0, 3)),
        (lesson(3, 6), 2, lesson(0, 2)),
    ],
)
def test_a_conversion_proves_that_it_is_no_longer(
    known: Lesson, converted_after: int, proven: Lesson
) -> None:
    assert known.after_conversion(converted_after * HOUR) == proven


@pytest.mark.parametrize(
    ("known", "hours"), [(lesson(), 24), (lesson(0, 6), 6), (lesson(0, 48), 24), (lesson(48), 24)]
)
def test_a_refusal_is_a_surprise_where_all_known_rules_are_over(known: Lesson, hours: int) -> None:
    assert known.surprised_by(hours * HOUR)
    assert not known.surprised_by(hours * HOUR - JUST_AFTER)


@pytest.mark.parametrize(
    ("known", "configured", "wait"),
    [
        (lesson(), 5, 5),
        (lesson(), 0, 1),
        (lesson(5), 5, 6),
        (lesson(6), 6, 24),
        (lesson(24), 24, 48),
        (lesson(0, 30), 24, 1),
        (lesson(1, 30), 24, 6),
        (lesson(6, 30), 12, 12),
        (lesson(6, 12), 24, 12),
        (lesson(6, 6), 24, 6),
    ],
)
def test_the_shortest_rule_that_is_not_excluded_is_tried(
    known: Lesson, configured: int, wait: int
) -> None:
    assert known.wait(configured * HOUR) == wait * HOUR


@pytest.mark.parametrize(
    ("lessons", "joined"),
    [
        ([], lesson()),
        ([lesson(1), lesson(3), lesson(2)], lesson(3)),
        ([lesson(0, 4), lesson(0, 6)], lesson(0, 4)),
        ([lesson(0, 6), lesson(0, 4)], lesson(0, 4)),
        ([lesson(3), lesson(0, 6)], lesson(3, 6)),
        ([lesson(5), lesson(0, 6)], lesson(5, 6)),
        ([lesson(6), lesson(0, 6)], lesson()),
        ([lesson(7), lesson(0, 6)], lesson()),
    ],
)
def test_lessons_are_joined_unless_they_contradict_each_other(
    lessons: list[Lesson], joined: Lesson
) -> None:
    assert combined(lessons) == joined


TWO = (ADA, XRP)
"""Their times are 37 milliseconds apart."""
APART = timedelta(milliseconds=37)
CONVERT = Scope("alice", Kind.DUST_CONVERT, "SPOT")


def test_an_age_is_from_the_last_row_of_one_to_the_first_row_of_the_next(
    make_entry: MakeEntry,
) -> None:
    history = [make_entry(NOW, *TWO), make_entry(NOW + 2 * HOUR, *TWO)]

    assert Cooldowns(history).lesson(SPOT_DUST) == Lesson(at_most=2 * HOUR - APART)


def test_the_age_of_a_refusal_is_counted_cautiously(make_entry: MakeEntry) -> None:
    history = [make_entry(NOW, *TWO), make_entry(NOW + 2 * HOUR, code=-5006)]

    assert Cooldowns(history).lesson(SPOT_DUST) == Lesson(2 * HOUR - APART - SLACK)


@pytest.mark.parametrize("apart", [timedelta(0), timedelta(seconds=-0.4)])
def test_what_is_not_later_than_what_is_known_proves_nothing(
    make_entry: MakeEntry, apart: timedelta
) -> None:
    """Exchanged debts have no ids, so one of them may be seen twice."""
    entries = [make_entry(NOW, ADA), make_entry(NOW + apart, ADA)]
    bare = [
        replace(
            each,
            transaction_id=None,
            lines=tuple(replace(line, transaction_id=None) for line in each.lines),
        )
        for each in entries
    ]

    assert Cooldowns(bare).lesson(SPOT_DUST) == Lesson()


def test_an_asset_s_age_is_its_own_where_each_cools_down_by_itself(make_entry: MakeEntry) -> None:
    minute = timedelta(minutes=1)
    convert: dict[str, Any] = {"kind": Kind.DUST_CONVERT, "target": "USDT"}
    one_by_one = [
        make_entry(NOW, ADA, **convert),
        make_entry(NOW + minute, XRP, **convert),
        make_entry(NOW + 5 * minute, ADA, **convert),
    ]
    together = [
        make_entry(NOW, ADA, **convert),
        make_entry(NOW + HOUR, XRP, **convert),
        make_entry(NOW + 3 * HOUR, *TWO, **convert),
    ]

    assert Cooldowns(one_by_one).lesson(CONVERT) == Lesson(at_most=5 * minute)
    assert Cooldowns(together).lesson(CONVERT) == lesson(0, 2)


def test_of_several_assets_one_that_was_refused_before_makes_a_refusal_believed(
    make_entry: MakeEntry,
) -> None:
    later = NOW + timedelta(days=30)
    history = [
        make_entry(NOW, ADA, kind=Kind.DUST_CONVERT),
        make_entry(later, code=-5006, assets=("ADA",), kind=Kind.DUST_CONVERT),
        make_entry(later + 25 * HOUR, code=-5006, assets=("ADA", "XRP"), kind=Kind.DUST_CONVERT),
    ]

    assert Cooldowns(history).lesson(CONVERT) == Lesson(25 * HOUR - SLACK)


@pytest.mark.parametrize(
    ("changes", "evidence"),
    [
        ({"code": -5006}, True),
        ({"code": -9000, "reason": "POST: -9000 USER_CAN_NOT_REQUEST_IN_24_HOURS"}, True),
        ({"code": -9000, "reason": "POST: -9000 something else"}, False),
        ({"code": -9000}, False),
        ({}, False),
        ({"code": -5006, "status": "unknown"}, False),
        ({"status": "confirmed"}, False),  # by hand, and what it did is not known
    ],
)
def test_what_is_no_refusal_for_the_cooldown_proves_nothing(
    make_entry: MakeEntry, changes: dict[str, Any], evidence: bool
) -> None:
    history = [make_entry(NOW, ADA), make_entry(NOW + 2 * HOUR, assets=("ADA",), **changes)]

    assert (Cooldowns(history).lesson(SPOT_DUST) != Lesson()) is evidence


def test_all_names_of_an_account_have_one_history(make_entry: MakeEntry) -> None:
    cooldowns = Cooldowns([make_entry(NOW, ADA, account="desk", owner="alice")])

    for name in ("desk", "alice"):
        scope = SPOT_DUST._replace(account=name)
        assert cooldowns.next_eligible_at(scope, now=NOW, configured=HOUR) == NOW + HOUR + DELAY


# --- when to try ---


def test_without_entries_there_is_no_wait() -> None:
    assert next_eligible_at([], NOW, HOUR) == NOW


def test_without_a_configured_cooldown_there_is_no_wait(make_entry: MakeEntry) -> None:
    history = [make_entry(NOW, ADA), make_entry(NOW + HOUR, code=-5006)]

    assert next_eligible_at(history, NOW, timedelta(0)) == NOW


def test_without_evidence_the_configured_time_is_kept(make_entry: MakeEntry) -> None:
    history = [make_entry(NOW, ADA)]

    assert next_eligible_at(history, NOW + HOUR, 6 * HOUR) == NOW + 6 * HOUR + DELAY
    assert next_eligible_at(history, NOW + 9 * HOUR, 6 * HOUR) == NOW + 9 * HOUR


def test_two_conversions_closer_together_prove_a_shorter_rule(make_entry: MakeEntry) -> None:
    """A person converted by hand, and the log shows it."""
    history = [make_entry(NOW, ADA), make_entry(NOW + HOUR * 2, XRP)]

    assert next_eligible_at(history, NOW, 24 * HOUR) == NOW + 3 * HOUR + DELAY


@pytest.mark.parametrize("apart", [timedelta(milliseconds=20), timedelta(seconds=-0.4)])
def test_one_conversion_that_is_seen_twice_proves_nothing(
    make_entry: MakeEntry, apart: timedelta
) -> None:
    """By its answer and by the log, whose times are some milliseconds later, or whole seconds."""
    known = [make_entry(NOW - 2 * HOUR, ADA), make_entry(NOW, XRP)]
    again = replace(
        known[-1],
        at=NOW + apart,
        lines=tuple(replace(line, at=line.at + apart) for line in known[-1].lines),
    )

    once = next_eligible_at(known, NOW, 24 * HOUR)
    assert next_eligible_at([*known, again], NOW, 24 * HOUR) == once


def test_a_program_that_converts_one_by_one_proves_nothing(make_entry: MakeEntry) -> None:
    """Imported as dust, because the log does not name the call; but -5006 follows another rule."""
    moments = (NOW + timedelta(seconds=n) for n in range(3))
    history = [
        make_entry(at, (asset, "1", "0.01", "0"))
        for at, asset in zip(moments, ("ADA", "XRP", "LTC"), strict=True)
    ]
    last = history[-1].at

    assert next_eligible_at(history, NOW, 6 * HOUR) == last + 6 * HOUR + DELAY

    again = [*history, make_entry(last + timedelta(minutes=3), ("LTC", "1", "0.01", "0"))]
    assert next_eligible_at(again, NOW, 6 * HOUR) == again[-1].at + timedelta(minutes=3) + DELAY


def test_a_refusal_proves_a_longer_rule(make_entry: MakeEntry) -> None:
    history = [make_entry(NOW, ADA), make_entry(NOW + HOUR + DELAY, code=-5006)]

    assert next_eligible_at(history, NOW + 2 * HOUR, HOUR) == NOW + 6 * HOUR + DELAY


def test_other_refusals_prove_nothing(make_entry: MakeEntry) -> None:
    history = [make_entry(NOW, ADA), make_entry(NOW + 2 * HOUR, code=-5001)]

    assert next_eligible_at(history, NOW, HOUR) == NOW + HOUR + DELAY


def test_a_refusal_that_nothing_explains_restarts_the_wait(make_entry: MakeEntry) -> None:
    """A conversion by hand just now is not in the log yet: no rule of thirty days is learnt."""
    later = NOW + timedelta(days=30)
    history = [
        make_entry(NOW, ADA),
        make_entry(NOW + HOUR + DELAY, ADA),
        make_entry(later, code=-5006),
    ]

    assert next_eligible_at(history, later, 6 * HOUR) == later + HOUR + DELAY


def test_without_a_known_conversion_a_refusal_starts_the_cooldown(
    make_entry: MakeEntry,
) -> None:
    history = [make_entry(NOW, code=-5006)]

    assert next_eligible_at(history, NOW, 6 * HOUR) == NOW + 6 * HOUR + DELAY


@pytest.mark.parametrize(("was", "becomes"), [(1, 6), (1, 24), (6, 24), (24, 1), (24, 6), (6, 1)])
def test_a_rule_that_changes_is_learnt_again(was: int, becomes: int) -> None:
    exchange = HiddenRule(was * HOUR, 6 * HOUR)
    for _ in range(3):
        exchange.convert_again()

    exchange.rule = becomes * HOUR
    late = [exchange.convert_again() for _ in range(4)]

    # Conversions at the learnt time can't show a shorter rule; only conversions by others can.
    if becomes > was:
        assert late[-1] <= JUST_AFTER
    else:
        assert late[-1] <= (was - becomes) * HOUR + JUST_AFTER


def test_a_shorter_rule_is_searched_from_the_shortest_on(
    make_entry: MakeEntry,
) -> None:
    history = [
        make_entry(NOW, ADA),
        make_entry(NOW + 6 * HOUR + DELAY, code=-5006),
        make_entry(NOW + 24 * HOUR + DELAY, ADA),
        make_entry(NOW + 26 * HOUR, ADA),
    ]

    assert next_eligible_at(history, NOW, 6 * HOUR) == NOW + 27 * HOUR + DELAY


def test_each_conversion_explains_the_refusals_before_it(make_entry: MakeEntry) -> None:
    """Conversions by hand in May and in June: neither teaches a rule of weeks."""
    may, june = NOW + timedelta(days=30), NOW + timedelta(days=60)
    history = [
        make_entry(NOW, ADA),
        make_entry(NOW + HOUR + DELAY, ADA),
        make_entry(may, code=-5006),
        make_entry(may + HOUR + DELAY, ADA),
        make_entry(june, code=-5006),
    ]

    assert next_eligible_at(history, june, 6 * HOUR) == june + HOUR + DELAY


def test_one_account_is_evidence_for_others_of_its_kind(make_entry: MakeEntry) -> None:
    cooldowns = Cooldowns([
        make_entry(NOW, ADA),
        make_entry(NOW + HOUR + DELAY, code=-5006),
        make_entry(NOW + 6 * HOUR + DELAY, ADA),
        make_entry(NOW, ADA, account="bob"),
        make_entry(NOW, ADA, account="bob", account_type="MARGIN"),
    ])  # fmt: skip

    spot = cooldowns.next_eligible_at(
        Scope("bob", Kind.DUST, "SPOT"), now=NOW, configured=24 * HOUR
    )
    margin = cooldowns.next_eligible_at(
        Scope("bob", Kind.DUST, "MARGIN"), now=NOW, configured=24 * HOUR
    )

    assert spot == NOW + 6 * HOUR + DELAY
    assert margin == NOW + 24 * HOUR + DELAY


def test_an_account_s_own_evidence_comes_before_that_of_others(
    make_entry: MakeEntry,
) -> None:
    cooldowns = Cooldowns([
        make_entry(NOW, ADA, account="bob"),
        make_entry(NOW + HOUR + DELAY, ADA, account="bob"),
        make_entry(NOW, ADA),
        make_entry(NOW + HOUR * 3, code=-5006),
    ])  # fmt: skip

    when = cooldowns.next_eligible_at(SPOT_DUST, now=NOW, configured=HOUR)

    assert when == NOW + 6 * HOUR + DELAY


def test_accounts_that_contradict_each_other_share_no_evidence(make_entry: MakeEntry) -> None:
    cooldowns = Cooldowns([
        make_entry(NOW, ADA, account="bob"),
        make_entry(NOW + HOUR, ADA, account="bob"),
        make_entry(NOW, ADA, account="carol"),
        make_entry(NOW + 6 * HOUR + DELAY, code=-5006, account="carol"),
        make_entry(NOW, ADA),
    ])  # fmt: skip

    when = cooldowns.next_eligible_at(SPOT_DUST, now=NOW, configured=6 * HOUR)

    assert when == NOW + 6 * HOUR + DELAY


def test_assets_that_are_converted_one_by_one_do_not_wait_for_each_other(
    make_entry: MakeEntry,
) -> None:
    one_by_one = [
        make_entry(NOW, ADA, kind=Kind.DUST_CONVERT, target="USDT"),
        make_entry(NOW + timedelta(seconds=2), XRP, kind=Kind.DUST_CONVERT, target="USDT"),
    ]

    def when(asset: str) -> datetime:
        return next_eligible_at(one_by_one, NOW, 6 * HOUR, assets=[asset])

    assert when("LTC") == NOW
    # Two seconds between different assets are no evidence.
    assert when("ADA") == NOW + 6 * HOUR + DELAY
    assert when("XRP") == NOW + timedelta(seconds=2) + 6 * HOUR + DELAY


# --- by a ledger ---


async def test_a_ledger_learns_the_next_time_from_its_entries(ledger: Ledger) -> None:
    async def when(configured: timedelta) -> timedelta:
        found = await ledger.next_eligible_at(
            "alice", Kind.DUST, configured=configured, now=NOW + HOUR
        )
        return found - NOW - DELAY

    await converted(ledger, timedelta(0), 1)
    assert await when(24 * HOUR) == 24 * HOUR

    await refused(ledger, HOUR + DELAY)
    assert await when(HOUR) == 6 * HOUR

    await converted(ledger, 6 * HOUR + DELAY, 2)
    assert await when(24 * HOUR) == 12 * HOUR + DELAY


async def test_a_ledger_learns_from_other_accounts(ledger: Ledger) -> None:
    await converted(ledger, timedelta(0), 1, "bob")
    await converted(ledger, HOUR + DELAY, 2, "bob")
    await converted(ledger, timedelta(0), 3)

    one = await ledger.next_eligible_at("alice", Kind.DUST, configured=24 * HOUR, now=NOW)
    learnt = await ledger.cooldowns()
    many = learnt.next_eligible_at(Scope("alice", Kind.DUST, "SPOT"), now=NOW, configured=24 * HOUR)

    assert one == many == NOW + HOUR + DELAY


async def test_a_refusal_for_another_reason_is_no_evidence(ledger: Ledger) -> None:
    await converted(ledger, timedelta(0), 1)
    await refused(ledger, HOUR + DELAY, code=-5001)

    when = await ledger.next_eligible_at("alice", Kind.DUST, configured=HOUR, now=NOW)

    assert when == NOW + HOUR + DELAY


async def test_evidence_is_the_newest_of_all_accounts_and_the_account_s_own(ledger: Ledger) -> None:
    of_others = [replace(numbered(n), account="bob") for n in range(2, 303)]
    elsewhere = [
        replace(numbered(400), target="USDT", kind=Kind.DUST_CONVERT),
        replace(numbered(401), account_type="MARGIN"),
    ]
    await ledger.record([*of_others, *elsewhere, numbered(1), numbered(0)], now=NOW)

    found = await ledger.cooldown_evidence(SPOT_DUST)

    assert [entry.transaction_id for entry in found] == [0, 1, *range(3, 303)]


async def test_all_cooldowns_are_learnt_from_each_account_s_newest_entries(ledger: Ledger) -> None:
    def record(account: str, number: int, hours: int) -> Observed:
        at = NOW + hours * HOUR
        done = seen(line(transaction_id=number, at=at), transaction_id=number, at=at)
        return replace(done, account=account)

    # Two that are an hour apart, and three hundred later ones: the two are no evidence any more.
    mine = [record("alice", 1, -1), *(record("alice", n, 25 * n) for n in range(302))]
    await ledger.record([*mine, record("bob", 1000, 1)], now=NOW)

    learnt = await ledger.cooldowns()
    newer = await ledger.cooldowns(since=NOW + 2 * HOUR)

    of_bob = SPOT_DUST._replace(account="bob")
    assert learnt.lesson(SPOT_DUST) == newer.lesson(SPOT_DUST) == Lesson(at_most=25 * HOUR)
    assert learnt.next_eligible_at(of_bob, now=NOW, configured=HOUR) > NOW
    assert newer.next_eligible_at(of_bob, now=NOW, configured=HOUR) == NOW
