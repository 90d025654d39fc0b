"""The hard guard, against a plain list that remembers every call."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_dust.budget._own import STRAY, OwnWeight

WINDOW = 60.0

calls = st.lists(
    st.tuples(
        st.floats(0, 20),  # pause before it is sent
        st.floats(0.001, 8),  # time until its answer
        st.integers(1, 100),
        st.booleans(),  # whether the answer was lost
    ),
    max_size=60,
)


@settings(max_examples=200)
@given(calls)
def test_nothing_is_forgotten_before_a_window_has_passed_since_its_answer(
    calls: list[tuple[float, float, int, bool]],
) -> None:
    own = OwnWeight(WINDOW)
    events: list[tuple[float, int, int]] = []
    plain: list[tuple[float, float, int, bool]] = []
    known: list[tuple[float, float, int, bool]] = []
    now = 0.0
    for number, (pause, way, weight, lost) in enumerate(calls):
        now += pause
        plain.append((now, now + way, weight, lost))
        events += [(now, 0, number), (now + way, 1, number)]

    for at, kind, number in sorted(events):
        sent, _, weight, lost = plain[number]
        if kind == 0:
            own.taken += weight
            known.append(plain[number])
        elif lost:
            own.lose(weight, sent, at)
        else:
            own.answer(weight, sent, at)
        spent = own.spent(at)
        needed = sum(w for _, a, w, _ in known if a > at - WINDOW)
        slack = WINDOW * 0.001 + WINDOW / 240
        most = sum(
            w for _, a, w, stray in known if a > at - (WINDOW + slack) * (1.2 if stray else 1.0)
        )
        assert needed <= spent <= most
        # What a sliding window holds for certain arrived less than a window ago.
        certain = own.answered - own.maybe_forgotten(at)
        assert certain <= sum(w for s, a, w, _ in known if a <= at and s > at - WINDOW)


def test_what_is_lost_counts_for_longer_and_as_arrived_only_then() -> None:
    own = OwnWeight(WINDOW)
    own.taken = 5
    own.lose(5, 0.0, 1.0)

    assert (own.spent(61.5), own.answered) == (5, 0)
    assert (own.spent(72.0), own.answered) == (0, 5)


def test_what_is_about_to_be_forgotten_counts_and_is_not_taken_for_certain() -> None:
    """Two clocks differ a little: just then we can't tell whether the exchange still counts it."""
    own = OwnWeight(WINDOW)
    own.taken = 5
    own.answer(5, 0.0, 0.01)

    assert [own.maybe_forgotten(at) for at in (59.9, 59.95, 60.03)] == [0, 5, 5]
    assert [own.spent(at) for at in (59.95, 60.03, 60.1)] == [5, 5, 0]


def test_memory_is_the_same_whatever_the_load() -> None:
    own = OwnWeight(WINDOW)
    for number in range(200_000):
        at = number / 1_000
        own.taken += 1
        own.answer(1, at, at)
        own.spent(at)

    slots = list(own)

    assert len(slots) <= 242
    assert sum(sys.getsizeof(slot) for slot in slots) < 30_000


@pytest.mark.parametrize("weight", [1, 50, 51, 100])
def test_room_comes_when_it_was_forecast(weight: int) -> None:
    own = OwnWeight(WINDOW)
    for at in (0.0, 10.0):
        own.taken += 50
        own.answer(50, at, at)

    at = own.room_at(weight, 20.0)

    assert own.spent(at - 1e-6) > 100 - weight
    assert own.spent(at) <= 100 - weight


def test_room_of_calls_in_flight_is_forecast_as_if_they_were_answered_now() -> None:
    own = OwnWeight(WINDOW)
    own.taken = 10

    assert own.room_at(10, 5.0) == pytest.approx(65.0, abs=0.1)


def test_what_was_lost_may_have_been_forgotten_a_window_after_it_was_sent() -> None:
    own = OwnWeight(WINDOW)
    own.taken = 5
    own.lose(5, 0.0, 10.0)

    assert [own.maybe_forgotten(at) for at in (59.9, WINDOW * (1 - 0.001), 75.0)] == [0, 5, 5]
    assert own.spent(81.0) == 0
    assert own.maybe_forgotten(81.0) == 5


@pytest.mark.parametrize(
    ("first", "second", "slots", "forgotten_at"),
    [
        ((0.0, 1.0), (0.5, 1.2), 1, 60.0),
        ((0.5, 1.0), (0.0, 1.2), 1, 60.0),
        ((0.0, 1.0), (0.5, 1.25), 2, 60.0),
    ],
)
def test_calls_answered_within_a_grain_share_a_slot_and_the_earliest_sending(
    first: tuple[float, float], second: tuple[float, float], slots: int, forgotten_at: float
) -> None:
    own = OwnWeight(WINDOW)
    for sent, answered in (first, second):
        own.taken += 5
        own.answer(5, sent, answered)

    assert len(list(own)) == slots
    assert own.maybe_forgotten(59.9) == 0
    assert own.maybe_forgotten(forgotten_at) == (10 if slots == 1 else 5)
    assert own.maybe_forgotten(60.5) == 10


def test_each_of_several_lost_calls_counts_for_its_own_time() -> None:
    own = OwnWeight(WINDOW)
    own.taken = 10
    own.lose(5, 0.0, 1.0)
    own.lose(5, 20.0, 21.0)

    assert [own.spent(at) for at in (71.0, 71.1, 91.0, 91.1)] == [10, 5, 5, 0]
    assert own.answered == 10


def test_what_is_answered_after_all_was_forgotten_is_remembered_as_well() -> None:
    own = OwnWeight(WINDOW)
    for at in (0.0, 100.0, 100.1):
        assert own.spent(at) == (5 if at == 100.1 else 0)
        own.taken += 5
        own.answer(5, at, at)

    assert [own.spent(at) for at in (160.0, 160.1, 160.2)] == [10, 10, 0]


def test_room_comes_back_from_what_is_answered_and_from_what_is_lost_in_the_order_of_time() -> None:
    own = OwnWeight(WINDOW)
    own.taken = 10
    own.lose(5, 0.0, 1.0)
    own.answer(5, 9.0, 20.0)

    answered, lost = 20.0 + own.keep, 1.0 + own.keep * (1 + STRAY)
    assert lost < answered
    assert [own.room_at(weight, 30.0) for weight in (1, 5, 6, 10, 11)] == [
        *(lost, lost, answered, answered, 30.0 + own.keep),
    ]
    assert own.spent(lost) == 5
