"""Hidden cooldowns are learnt: by what happened, by what was refused, and from each other."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust.ledger import Kind, LedgerEntry
from binance_dust.ledger._cooldown import DELAY, Cooldowns, Scope, next_eligible_at
from tests.ledger.entries import NOON, MakeEntry, entry_maker

HOUR = timedelta(hours=1)
JUST_AFTER = timedelta(minutes=1)
ADA = ("ADA", "6", "0.01", "0.0002")
XRP = ("XRP", "1", "0.01", "0.0002")
SPOT_DUST = Scope("alice", Kind.DUST, "SPOT")


@pytest.fixture
def make_entry() -> MakeEntry:
    return entry_maker()


class Exchange:
    """One account of an exchange with a rule that nobody told us, and a scheduler that learns."""

    def __init__(self, rule: timedelta, configured: timedelta) -> None:
        self.rule, self.configured = rule, configured
        self.make_entry = entry_maker()
        self.now = NOON
        self.history: list[LedgerEntry] = []
        self.converted = [NOON]
        self.refusals = 0
        self.history.append(self.make_entry(NOON, ADA))

    def attempt(self) -> None:
        """Wait until an attempt is worth making, and make it."""
        self.now = next_eligible_at(self.history, self.now, self.configured)
        if self.now - self.converted[-1] < self.rule:
            self.refusals += 1
            self.history.append(self.make_entry(self.now, code=-5006, assets=("ADA",)))
        else:
            self.converted.append(self.now)
            self.history.append(self.make_entry(self.now, ADA))

    def convert_again(self) -> timedelta:
        """Attempt until it works; tell how long after the time it could have."""
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
    exchange = Exchange(rule * HOUR, configured * HOUR)

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
def test_whatever_the_rule_is_it_is_never_asked_often_and_always_found(
    rule: timedelta, configured: timedelta
) -> None:
    exchange = Exchange(rule, configured)

    exchange.convert_again()
    late = [exchange.convert_again() for _ in range(4)]

    assert max(late) <= max(24 * HOUR, 2 * rule)
    assert exchange.refusals <= 12


def test_nothing_is_waited_for_where_nothing_happened() -> None:
    assert next_eligible_at([], NOON, HOUR) == NOON


def test_whoever_configures_no_cooldown_never_waits(make_entry: MakeEntry) -> None:
    history = [make_entry(NOON, ADA), make_entry(NOON + HOUR, code=-5006)]

    assert next_eligible_at(history, NOON, timedelta(0)) == NOON


def test_until_something_is_known_the_configured_time_is_kept(make_entry: MakeEntry) -> None:
    history = [make_entry(NOON, ADA)]

    assert next_eligible_at(history, NOON + HOUR, 6 * HOUR) == NOON + 6 * HOUR + DELAY
    assert next_eligible_at(history, NOON + 9 * HOUR, 6 * HOUR) == NOON + 9 * HOUR


def test_two_conversions_closer_together_prove_the_rule_shorter(make_entry: MakeEntry) -> None:
    """Somebody converted by hand, and the log says so."""
    history = [make_entry(NOON, ADA), make_entry(NOON + HOUR * 2, XRP)]

    assert next_eligible_at(history, NOON, 24 * HOUR) == NOON + 3 * HOUR + DELAY


def test_a_program_that_converts_one_by_one_proves_nothing(make_entry: MakeEntry) -> None:
    """Imported as dust, since the log doesn't tell; but -5006 knows another rule."""
    moments = (NOON + timedelta(seconds=n) for n in range(3))
    history = [
        make_entry(at, (asset, "1", "0.01", "0"))
        for at, asset in zip(moments, ("ADA", "XRP", "LTC"), strict=True)
    ]
    last = history[-1].at

    assert next_eligible_at(history, NOON, 6 * HOUR) == last + 6 * HOUR + DELAY

    again = [*history, make_entry(last + timedelta(minutes=3), ("LTC", "1", "0.01", "0"))]
    assert next_eligible_at(again, NOON, 6 * HOUR) == again[-1].at + timedelta(minutes=3) + DELAY


def test_a_refusal_proves_the_rule_longer(make_entry: MakeEntry) -> None:
    history = [make_entry(NOON, ADA), make_entry(NOON + HOUR + DELAY, code=-5006)]

    assert next_eligible_at(history, NOON + 2 * HOUR, HOUR) == NOON + 6 * HOUR + DELAY


def test_other_refusals_prove_nothing(make_entry: MakeEntry) -> None:
    history = [make_entry(NOON, ADA), make_entry(NOON + 2 * HOUR, code=-5001)]

    assert next_eligible_at(history, NOON, HOUR) == NOON + HOUR + DELAY


def test_a_refusal_that_nothing_explains_starts_the_waiting_anew(make_entry: MakeEntry) -> None:
    """Converted by hand a moment ago, not on record yet: no rule of thirty days is learnt."""
    later = NOON + timedelta(days=30)
    history = [
        make_entry(NOON, ADA),
        make_entry(NOON + HOUR + DELAY, ADA),
        make_entry(later, code=-5006),
    ]

    assert next_eligible_at(history, later, 6 * HOUR) == later + HOUR + DELAY


def test_a_first_refusal_is_the_beginning_where_no_conversion_is_known(
    make_entry: MakeEntry,
) -> None:
    history = [make_entry(NOON, code=-5006)]

    assert next_eligible_at(history, NOON, 6 * HOUR) == NOON + 6 * HOUR + DELAY


@pytest.mark.parametrize(("was", "becomes"), [(1, 6), (1, 24), (6, 24), (24, 1), (24, 6), (6, 1)])
def test_a_rule_that_changes_is_learnt_again(was: int, becomes: int) -> None:
    exchange = Exchange(was * HOUR, 6 * HOUR)
    for _ in range(3):
        exchange.convert_again()

    exchange.rule = becomes * HOUR
    late = [exchange.convert_again() for _ in range(4)]

    # What became shorter can't be seen from conversions that are made on time: only from others'.
    if becomes > was:
        assert late[-1] <= JUST_AFTER
    else:
        assert late[-1] <= (was - becomes) * HOUR + JUST_AFTER


def test_a_rule_that_turns_out_shorter_is_looked_for_from_the_shortest_on(
    make_entry: MakeEntry,
) -> None:
    history = [
        make_entry(NOON, ADA),
        make_entry(NOON + 6 * HOUR + DELAY, code=-5006),
        make_entry(NOON + 24 * HOUR + DELAY, ADA),
        make_entry(NOON + 26 * HOUR, ADA),
    ]

    assert next_eligible_at(history, NOON, 6 * HOUR) == NOON + 27 * HOUR + DELAY


def test_each_conversion_explains_the_refusals_before_it(make_entry: MakeEntry) -> None:
    """Converted by hand in May, and again in June: neither month teaches a rule of weeks."""
    may, june = NOON + timedelta(days=30), NOON + timedelta(days=60)
    history = [
        make_entry(NOON, ADA),
        make_entry(NOON + HOUR + DELAY, ADA),
        make_entry(may, code=-5006),
        make_entry(may + HOUR + DELAY, ADA),
        make_entry(june, code=-5006),
    ]

    assert next_eligible_at(history, june, 6 * HOUR) == june + HOUR + DELAY


def test_one_account_teaches_the_others_of_its_kind(make_entry: MakeEntry) -> None:
    cooldowns = Cooldowns([
        make_entry(NOON, ADA),
        make_entry(NOON + HOUR + DELAY, code=-5006),
        make_entry(NOON + 6 * HOUR + DELAY, ADA),
        make_entry(NOON, ADA, account="bob"),
        make_entry(NOON, ADA, account="bob", account_type="MARGIN"),
    ])  # fmt: skip

    spot = cooldowns.next_eligible_at(
        Scope("bob", Kind.DUST, "SPOT"), now=NOON, configured=24 * HOUR
    )
    margin = cooldowns.next_eligible_at(
        Scope("bob", Kind.DUST, "MARGIN"), now=NOON, configured=24 * HOUR
    )

    assert spot == NOON + 6 * HOUR + DELAY
    assert margin == NOON + 24 * HOUR + DELAY


def test_what_an_account_has_seen_itself_is_believed_before_what_others_say(
    make_entry: MakeEntry,
) -> None:
    cooldowns = Cooldowns([
        make_entry(NOON, ADA, account="bob"),
        make_entry(NOON + HOUR + DELAY, ADA, account="bob"),
        make_entry(NOON, ADA),
        make_entry(NOON + HOUR * 3, code=-5006),
    ])  # fmt: skip

    when = cooldowns.next_eligible_at(SPOT_DUST, now=NOON, configured=HOUR)

    assert when == NOON + 6 * HOUR + DELAY


def test_accounts_that_contradict_each_other_teach_nobody(make_entry: MakeEntry) -> None:
    cooldowns = Cooldowns([
        make_entry(NOON, ADA, account="bob"),
        make_entry(NOON + HOUR, ADA, account="bob"),
        make_entry(NOON, ADA, account="carol"),
        make_entry(NOON + 6 * HOUR + DELAY, code=-5006, account="carol"),
        make_entry(NOON, ADA),
    ])  # fmt: skip

    when = cooldowns.next_eligible_at(SPOT_DUST, now=NOON, configured=6 * HOUR)

    assert when == NOON + 6 * HOUR + DELAY


def test_assets_that_are_converted_one_by_one_do_not_wait_for_each_other(
    make_entry: MakeEntry,
) -> None:
    one_by_one = [
        make_entry(NOON, ADA, kind=Kind.DUST_CONVERT, target="USDT"),
        make_entry(NOON + timedelta(seconds=2), XRP, kind=Kind.DUST_CONVERT, target="USDT"),
    ]

    def when(asset: str) -> datetime:
        return next_eligible_at(one_by_one, NOON, 6 * HOUR, assets=[asset])

    assert when("LTC") == NOON
    # And two seconds between different assets prove nothing about the rule.
    assert when("ADA") == NOON + 6 * HOUR + DELAY
    assert when("XRP") == NOON + timedelta(seconds=2) + 6 * HOUR + DELAY
