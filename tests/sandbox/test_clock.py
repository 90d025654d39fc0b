"""The exchange's own clock, and what follows it rather than true time."""

from __future__ import annotations

import pytest

from binance_dust.sandbox._clock import ExchangeClock
from binance_dust.sandbox._weight import FixedWindow, SlidingWindow


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
