"""Counting weight: fixed windows, sliding windows, and the most that was ever asked."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust.sandbox._clock import ExchangeClock, Instant
from binance_dust.sandbox._weight import FixedWindow, PoolMeter, SlidingWindow, Window

# Gaps between requests in eighths of a second, which floats hold exactly, and their weights.
REQUESTS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 100)), max_size=60)
LENGTH = 4.0


def at(seconds: float) -> Instant:
    return Instant(seconds, seconds)


def timed(requests: list[tuple[int, int]]) -> list[tuple[float, int]]:
    times = accumulate(gap for gap, _ in requests)
    return [(time / 8, weight) for time, (_, weight) in zip(times, requests, strict=True)]


@given(REQUESTS)
def test_a_fixed_window_is_cut_at_multiples_of_its_length(requests: list[tuple[int, int]]) -> None:
    window, seen = FixedWindow(LENGTH), timed(requests)

    for n, (time, weight) in enumerate(seen):
        same = [w for t, w in seen[:n] if t // LENGTH == time // LENGTH]
        assert window.used(at(time)) == sum(same)
        assert window.add(weight, at(time)) == sum(same) + weight


@given(REQUESTS)
def test_a_sliding_window_looks_back_by_its_length(requests: list[tuple[int, int]]) -> None:
    window, seen = SlidingWindow(LENGTH), timed(requests)

    for n, (time, weight) in enumerate(seen):
        recent = [w for t, w in seen[:n] if t > time - LENGTH]
        assert window.used(at(time)) == sum(recent)
        assert window.add(weight, at(time)) == sum(recent) + weight


@pytest.mark.parametrize("make", [FixedWindow, SlidingWindow])
@given(requests=REQUESTS, weight=st.integers(1, 300))
def test_there_is_room_when_it_was_promised_and_not_before(
    make: type[FixedWindow | SlidingWindow], requests: list[tuple[int, int]], weight: int
) -> None:
    limit, window, now = 300, make(LENGTH), 0.0
    for time, spent in timed(requests):
        now = time
        window.add(spent, at(now))

    wait = window.room_in(weight, limit, at(now))

    assert 0 <= wait <= LENGTH
    assert window.used(at(now + wait)) + weight <= limit
    if wait:
        assert room_just_before(make, requests, now + wait - 1 / 16) + weight > limit


def room_just_before(
    make: type[FixedWindow | SlidingWindow], requests: list[tuple[int, int]], moment: float
) -> int:
    window: Window = make(LENGTH)
    for time, spent in timed(requests):
        window.add(spent, at(time))
    return window.used(at(moment))


@given(REQUESTS)
def test_a_meter_keeps_the_most_that_was_asked_in_either_kind_of_window(
    requests: list[tuple[int, int]],
) -> None:
    meter, seen = PoolMeter(100, LENGTH, "fixed"), timed(requests)
    for time, weight in seen:
        meter.note_asked(weight, at(time))

    sliding = [
        sum(w for t, w in seen[: n + 1] if t > seen[n][0] - LENGTH) for n in range(len(seen))
    ]
    fixed = [
        sum(w for t, w in seen[: n + 1] if t // LENGTH == seen[n][0] // LENGTH)
        for n in range(len(seen))
    ]
    assert meter.peaks == {"fixed": max(fixed, default=0), "sliding": max(sliding, default=0)}


def test_fixed_windows_follow_the_exchanges_clock_and_sliding_ones_true_time() -> None:
    now = [1000.0]
    clock = ExchangeClock(lambda: now[0])
    fixed, sliding = FixedWindow(60.0), SlidingWindow(60.0)
    clock.jump(-600)
    for window in (fixed, sliding):
        window.add(5, clock.now())
        assert window.used(clock.now()) == 5

    clock.jump(60)

    assert fixed.used(clock.now()) == 0
    assert sliding.used(clock.now()) == 5
    now[0] += 60
    assert sliding.used(clock.now()) == 0


def test_a_clock_drifts_jumps_and_comes_back() -> None:
    now = [1000.0]
    clock = ExchangeClock(lambda: now[0])

    clock.set_offset(3)
    assert clock.now() == (1003.0, 1000.0)
    clock.jump(-5)
    assert clock.now().server == 998.0
    clock.set_offset(8, over=20)
    assert clock.now().server == 998.0
    now[0] = 1010.0
    assert clock.now().server == pytest.approx(1013.0)
    now[0] = 1025.0
    assert clock.now().server == 1033.0
    clock.set_offset(0)
    assert clock.now() == (1025.0, 1025.0)
    assert clock.now().ms == 1_025_000
