"""After hours of trouble a session holds no more than at the beginning."""

from __future__ import annotations

import logging

import pytest

from tests.proof.soak import Soak, soak
from tests.proof.sockets import soak_sockets


@pytest.fixture(autouse=True)
def nobody_keeps_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """What is captured holds events, and they would be counted as kept."""
    caplog.set_level(logging.CRITICAL, logger="binance_dust")


def assert_flat(gone: Soak) -> None:
    """Nothing is under way between rounds, and no more is held at the end than at the beginning."""
    for weight in gone.weights:
        assert (weight.tasks, weight.timers) == (1, 0), weight
        assert (weight.waiting, weight.in_flight) == (0, 0), weight
        assert 0 < weight.allowance <= 500, weight
    third = len(gone.weights) // 3
    first, last = gone.weights[1 : third + 1], gone.weights[-third:]
    for name, slack in (("pools", 4), ("objects", 60)):
        before, after = (max(getattr(weight, name) for weight in part) for part in (first, last))
        assert after <= before * 1.1 + slack, f"{name}: {gone.weights}"


@pytest.mark.long
def test_an_hour_of_storms_and_calm_leaves_nothing_behind() -> None:
    gone = soak(seed=8, rounds=6, pace=1.0)

    assert gone.seconds > 3_600
    assert_flat(gone)
    assert len(gone.struck) == 6, "every kind of trouble came"
    assert gone.conversions > 0
    assert gone.calls["fine"] > 2_000
    assert {"BannedError", "OutcomeUnknownError", "cancelled"} <= set(gone.calls)


@pytest.mark.long
async def test_sockets_that_break_are_all_closed() -> None:
    gone = await soak_sockets(seed=8, rounds=4)

    assert gone.struck > 20
    assert gone.calls["fine"] > 100
    assert max(gone.open[1:]) <= gone.open[0], gone
    assert max(gone.tasks) <= gone.tasks[0], gone
