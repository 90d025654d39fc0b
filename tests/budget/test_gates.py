"""A valve by itself: open, shut until some moment, or half open. The pace, and a door, too."""

from __future__ import annotations

import pytest

from binance_dust.budget import Feedback
from binance_dust.budget._address import AddressGate
from binance_dust.budget._count import AdmittedCall
from binance_dust.budget._door import Door
from binance_dust.budget._gates import AT_ONCE, VAIN, Valve
from binance_dust.budget._own import OwnWeight
from binance_dust.budget._pace import Pace

ONE, ANOTHER = object(), object()


def valve(*, half_open: bool = True) -> Valve:
    return Valve(5.0, half_open=half_open)


def test_an_open_valve_lets_all_calls_pass_at_any_time() -> None:
    open_valve = valve(half_open=False)

    assert open_valve.open
    assert open_valve.passes(0.0)
    assert open_valve.next_chance(3.0) == 3.0


def test_behind_a_half_open_valve_calls_wait_until_the_first_one_ended_or_for_some_time() -> None:
    half_open = valve()
    assert not half_open.open
    assert half_open.passes(1.0)
    assert half_open.next_chance(1.0) == 1.0

    half_open.let_first(ONE, 1.0)

    assert [half_open.passes(at) for at in (1.0, 5.9, 6.0)] == [False, False, True]
    assert half_open.next_chance(2.0) == 6.0


@pytest.mark.parametrize("good", [True, False])
def test_a_valve_opens_only_if_the_first_call_ended_well(*, good: bool) -> None:
    half_open = valve()
    half_open.let_first(ONE, 0.0)

    assert not half_open.ended(ANOTHER, good=good), "it was not the first"
    assert not half_open.passes(1.0)
    assert half_open.ended(ONE, good=good)
    assert half_open.passes(1.0)
    assert half_open.open is good
    assert not half_open.ended(ONE, good=True), "it was heard of already"


def test_a_good_answer_that_tells_nothing_lets_the_next_call_ask_until_it_was_in_vain() -> None:
    half_open = valve()
    for number in range(VAIN):
        assert not half_open.open
        half_open.let_first(number, 0.0)
        assert half_open.ended(number, good=True, told=False)

    assert half_open.open

    half_open.shut(0.0)
    half_open.let_first(ONE, 0.0)
    half_open.ended(ONE, good=True, told=True)
    half_open.open_half()
    for number in range(VAIN - 1):
        half_open.let_first(number, 0.0)
        half_open.ended(number, good=True, told=False)
    assert not half_open.open, "what was in vain before counts no more"


def test_after_a_ban_that_nothing_explains_a_few_go_at_a_time_once_one_was_answered() -> None:
    careful = valve(half_open=False)
    careful.beware()
    assert careful.passes(0.0)
    for good in (False, True):
        careful.let_first(ONE, 0.0)
        assert not careful.passes(1.0)
        careful.ended(ONE, good=good)

    for number in range(AT_ONCE):
        assert careful.passes(1.0)
        careful.let_first(number, 1.0)
    assert [careful.passes(at) for at in (1.0, 5.9, 6.0)] == [False, False, True]
    careful.let_first(AT_ONCE, 6.0)
    careful.ended(AT_ONCE, good=False)
    assert not careful.passes(7.0), "the last that went first has ended: others have not"
    assert careful.next_chance(7.0) == 11.0
    careful.ended(0, good=True)
    assert careful.passes(7.0)

    careful.trust()
    assert careful.open
    assert not careful.ended(1, good=True), "nobody waits for it any more"


@pytest.mark.parametrize("way", ["beware", "hold", "shut"])
def test_what_was_let_through_may_leave_unless_a_refusal_came_since(way: str) -> None:
    shut = valve(half_open=False)
    assert shut.lets(ONE)

    if way == "shut":
        shut.shut(0.0)
    else:
        getattr(shut, way)()
    assert not shut.lets(ONE)
    shut.let_first(ANOTHER, 0.0)
    assert shut.lets(ANOTHER)
    shut.ended(ANOTHER, good=False)
    assert not shut.lets(ONE)
    shut.let_first(ANOTHER, 1.0)
    shut.ended(ANOTHER, good=True)
    assert shut.lets(ONE) is not shut.careful

    shut.trust()
    assert shut.lets(ONE)
    shut.open_half()
    assert shut.lets(ONE), "that is no refusal"


def test_once_a_valve_is_trusted_nobody_asks_any_more() -> None:
    careful = valve(half_open=False)
    careful.beware()
    careful.let_first(ONE, 0.0)
    careful.let_first(ANOTHER, 6.0)
    careful.ended(ONE, good=True, told=False)

    careful.trust()
    assert not careful.asks(ANOTHER)
    careful.beware()
    assert careful.passes(7.0)


def test_a_shut_valve_opens_at_the_latest_moment_that_was_told() -> None:
    shut = valve(half_open=False)

    shut.shut(10.0)
    shut.shut(7.0)

    assert (shut.open, shut.until) == (False, 10.0)
    assert [shut.passes(at) for at in (7.0, 9.9, 10.0)] == [False, False, True]
    assert shut.next_chance(3.0) == 10.0
    assert shut.next_chance(12.0) == 12.0


def test_a_call_from_before_it_was_shut_does_not_open_a_valve() -> None:
    shut = valve()
    shut.let_first(ONE, 0.0)

    shut.shut(10.0)

    assert not shut.ended(ONE, good=True)
    assert not shut.open
    assert shut.passes(10.0)


def test_while_it_is_shut_no_patience_ends() -> None:
    shut = valve()
    shut.until = 10.0
    shut.let_first(ONE, 1.0)

    assert not shut.passes(7.0)
    assert shut.next_chance(7.0) == 10.0


def test_an_open_valve_may_let_one_call_go_first() -> None:
    half_open = valve(half_open=False)

    half_open.let_first(ONE, 0.0)

    assert not half_open.open
    assert not half_open.passes(1.0)


def test_a_half_open_valve_lets_the_next_call_pass() -> None:
    half_open = valve(half_open=False)

    half_open.open_half()

    assert not half_open.open
    assert half_open.passes(0.0)


@pytest.mark.parametrize("rate", [0.5, 1.0, 3.0])
def test_a_slow_pace_lets_one_call_through_at_once(rate: float) -> None:
    pace = Pace(rate)

    assert pace.take(0.0)
    assert not pace.take(0.0)


@pytest.mark.parametrize(
    ("rate", "calls", "seconds"),
    [(100, 1, 0.0), (100, 10, 0.0), (100, 11, 1 / 90), (100, 100, 1.0), (0.5, 1, 0), (0.5, 10, 20)],
)
def test_the_least_wait_for_the_pace_is_exact(rate: float, calls: int, seconds: float) -> None:
    pace, now = Pace(rate), 1_000.0
    assert pace.least_wait(calls) == pytest.approx(seconds)

    for _ in range(calls):
        while not pace.take(now):
            now += 1 / 9_000
    assert seconds <= now - 1_000.0 <= seconds + 0.001


def test_a_slow_pace_is_asked_when_there_may_be_room_and_a_quick_one_for_a_few_calls() -> None:
    assert Pace(10).batch_in == pytest.approx(1 / 9)
    assert Pace(500).batch_in > 1 / 450


# --- what shuts the address ----------------------------------------------------------------------


def test_pages_of_one_burst_are_one_event_and_a_page_for_a_lone_call_is_a_wall() -> None:
    gate = AddressGate(5.0)
    burst = [AdmittedCall(1) for _ in range(3)]
    assert gate.open
    assert not gate.guessed
    assert not any(gate.meets_wall(call, 1.0) for call in burst[:2])
    assert gate.passes(1.0)
    lone = AdmittedCall(1)
    gate.let_first(lone, 2.0)

    assert not gate.meets_wall(burst[2], 2.5)
    assert not gate.passes(2.5), "a late page of the burst ends no question"
    assert not gate.ended(burst[2], good=True)
    assert gate.meets_wall(lone, 3.0)


def test_a_page_after_a_ban_is_the_first_of_its_kind_and_one_within_it_is_none() -> None:
    gate = AddressGate(5.0)
    assert gate.shut_for(60.0, 0.0, guessed=False)
    assert not gate.meets_wall(AdmittedCall(1), 30.0)
    first = AdmittedCall(1)
    gate.let_first(first, 60.0)

    assert not gate.meets_wall(first, 61.0)
    assert gate.passes(61.0)


def test_a_gate_that_was_ever_shut_by_a_ban_knows_it_whatever_comes_later() -> None:
    gate = AddressGate(5.0)
    gate.shut_for(300.0, 0.0, guessed=True)
    assert not gate.banned
    gate.shut_for(60.0, 400.0, guessed=False)
    gate.shut_for(300.0, 500.0, guessed=True)
    assert gate.banned


def test_a_gate_goes_on_as_another_one_by_its_own_clock() -> None:
    gate, other, shut = (AddressGate(5.0) for _ in range(3))
    asking = AdmittedCall(1)
    gate.meets_wall(AdmittedCall(1), 1.0)
    gate.let_first(asking, 2.0)
    other.follow(gate, 100.0)
    assert other.next_chance(102.0) == 107.0
    assert other.meets_wall(asking, 103.0)
    other.ended(asking, good=False)
    assert gate.asks(asking), "each has its own questions"

    gate.shut_for(60.0, 10.0, guessed=True)
    shut.follow(gate, 100.0)
    assert shut.next_chance(150.0) == 170.0
    assert shut.since == 110.0
    assert shut.guessed


def test_a_careful_valve_stays_so_whatever_it_follows() -> None:
    careful = valve(half_open=False)
    careful.beware()

    careful.follow(valve(), 100.0)

    careful.let_first(ONE, 100.0)
    careful.ended(ONE, good=True)
    assert not careful.open


def test_a_valve_that_follows_a_careful_one_is_careful() -> None:
    valve, other = Valve(5.0, half_open=True), Valve(5.0, half_open=True)
    valve.beware()
    for number in range(2):
        call = AdmittedCall(1)
        valve.let_first(call, 1.0)
        valve.ended(call, good=True)
        other.follow(valve, 100.0)
        assert not other.open, number
        for _ in range(AT_ONCE):
            assert other.passes(101.0)
            other.let_first(AdmittedCall(1), 101.0)
        assert not other.passes(101.0)


# --- the door of an endpoint ---------------------------------------------------------------------

BY_UID = Feedback(200, used_uid=100)


def asked(door: Door, now: float = 0.0) -> AdmittedCall:
    """Let a call through."""
    assert door.passes(now)
    call = AdmittedCall(100)
    door.let_first(call, now)
    return call


@pytest.mark.parametrize(
    ("answer", "opens"),
    [
        (BY_UID, True),
        (Feedback(200), True),
        (Feedback(200, used_ip=100), False),
        (Feedback(200, used_ip=100, used_uid=100), False),
        (Feedback(200, used_ip=99, used_uid=100), True),
        (Feedback(200, used_ip=99), False),
    ],
)
def test_a_door_opens_unless_the_address_was_charged(answer: Feedback, *, opens: bool) -> None:
    door = Door(5.0)
    call = asked(door)
    assert not door.passes(1.0)

    assert door.answered(call, answer, good=True)
    assert door.open is opens


def test_a_door_waits_for_the_first_call_as_a_valve_does() -> None:
    door = Door(5.0)
    assert door.next_chance(1.0) == 1.0
    first = asked(door, 2.0)
    assert door.next_chance(3.0) == 7.0

    assert not door.answered(AdmittedCall(100), BY_UID, good=True), "nobody asked it"
    second = asked(door, 7.0)
    assert not door.ended(first, good=False), "the second one asks now"
    assert not door.passes(8.0)
    assert door.answered(second, BY_UID, good=False)
    assert not door.open
    assert door.passes(8.0)


def test_a_refusal_behind_an_open_door_lets_one_call_ask() -> None:
    door = Door(5.0)
    door.answered(asked(door), BY_UID, good=True)
    assert door.open

    door.refused(AdmittedCall(100), until=30.0, now=0.0)
    assert not door.open
    asking = asked(door, 1.0)
    door.refused(AdmittedCall(100), until=30.0, now=0.0)
    assert not door.passes(1.0), "that one asks already"
    door.refused(asking, until=30.0, now=0.0)
    assert door.next_chance(1.0) == 30.0


@pytest.mark.parametrize(
    ("answer", "good"), [(Feedback(429, used_uid=601), False), (Feedback(200), True)]
)
def test_a_trial_goes_on_after_what_tells_nothing(answer: Feedback, *, good: bool) -> None:
    door = Door(5.0, trial=600)

    assert door.answered(asked(door), answer, good=good)
    assert door.trial == 600
    assert not door.open


def test_on_trial_a_few_calls_go_at_a_time_until_an_account_has_more_than_the_address() -> None:
    door = Door(5.0, trial=600)
    calls = [asked(door) for _ in range(AT_ONCE)]
    assert not door.passes(1.0)
    assert door.next_chance(1.0) == 6.0

    assert door.answered(calls[0], BY_UID, good=True)
    assert door.passes(1.0)
    assert not door.open
    assert not door.answered(calls[0], BY_UID, good=True), "it has ended"
    assert door.ended(calls[1], good=False)
    more = asked(door)
    assert door.answered(more, Feedback(200, used_uid=600), good=True)
    assert door.trial
    assert door.answered(calls[2], Feedback(200, used_uid=601), good=True)
    assert door.open
    assert not door.trial


def test_a_trial_ends_when_more_was_let_in_than_any_two_windows_of_the_address_hold() -> None:
    door, own = Door(5.0, trial=600), OwnWeight(60.0)
    own.taken = 1_200
    own.answer(1_200, 0.0, 0.0)

    door.weigh(own, 1.0)
    assert door.trial
    own.taken += 1
    door.weigh(own, 61.0)
    assert door.trial, "by then some of it may be forgotten"
    door.weigh(own, 1.0)
    assert not door.trial


def test_a_refusal_on_trial_shuts_the_door() -> None:
    door = Door(5.0, trial=600)
    door.refused(asked(door), until=30.0, now=0.0)

    assert not door.passes(29.9)
    assert door.next_chance(10.0) == 30.0
    assert door.passes(30.0)
