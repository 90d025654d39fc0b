"""A valve by itself: open, shut until some moment, or with one who went first."""

from __future__ import annotations

import pytest

from binance_dust.budget._valve import Valve

ONE, ANOTHER = object(), object()


def valve(*, wary: bool = True) -> Valve:
    return Valve(5.0, wary=wary)


def test_an_open_valve_lets_everybody_pass_at_any_time() -> None:
    open_valve = valve(wary=False)

    assert open_valve.open
    assert open_valve.passes(0.0)
    assert open_valve.next_chance(3.0) == 3.0


def test_behind_a_wary_one_the_others_wait_until_it_was_heard_of_or_for_some_time() -> None:
    wary = valve()
    assert not wary.open
    assert wary.passes(1.0)
    assert wary.next_chance(1.0) == 1.0

    wary.first(ONE, 1.0)

    assert [wary.passes(at) for at in (1.0, 5.9, 6.0)] == [False, False, True]
    assert wary.next_chance(2.0) == 6.0


@pytest.mark.parametrize("good", [True, False])
def test_a_valve_opens_if_the_first_one_ended_well_and_only_then(*, good: bool) -> None:
    wary = valve()
    wary.first(ONE, 0.0)

    assert not wary.heard(ANOTHER, good=good), "it was not the first"
    assert not wary.passes(1.0)
    assert wary.heard(ONE, good=good)
    assert wary.passes(1.0)
    assert wary.open is good
    assert not wary.heard(ONE, good=True), "it was heard of already"


def test_a_shut_valve_opens_at_the_latest_moment_that_was_told() -> None:
    shut = valve(wary=False)

    shut.shut(10.0)
    shut.shut(7.0)

    assert (shut.open, shut.until) == (False, 10.0)
    assert [shut.passes(at) for at in (7.0, 9.9, 10.0)] == [False, False, True]
    assert shut.next_chance(3.0) == 10.0
    assert shut.next_chance(12.0) == 12.0


def test_whoever_went_before_it_was_shut_opens_nothing() -> None:
    shut = valve()
    shut.first(ONE, 0.0)

    shut.shut(10.0)

    assert not shut.heard(ONE, good=True)
    assert not shut.open
    assert shut.passes(10.0)


def test_while_it_is_shut_no_patience_ends() -> None:
    shut = valve()
    shut.until = 10.0
    shut.first(ONE, 1.0)

    assert not shut.passes(7.0)
    assert shut.next_chance(7.0) == 10.0


def test_one_goes_first_through_a_valve_that_was_open() -> None:
    wary = valve(wary=False)

    wary.first(ONE, 0.0)

    assert not wary.open
    assert not wary.passes(1.0)


def test_being_wary_shuts_nobody_out() -> None:
    wary = valve(wary=False)

    wary.be_wary()

    assert not wary.open
    assert wary.passes(0.0)
