"""When there will be room in one pool: at best, and as it is foretold.

The limit is 1,200 a minute, and a cut of the clock comes when `at` is 50, but for the margin of a
quarter of a second.
"""

from __future__ import annotations

import pytest

from binance_dust.budget._pool import Go
from tests.budget.bench import PoolBench

# --- at best: deadlines are compared with it -----------------------------------------------------


@pytest.mark.parametrize(
    ("windows", "weight", "at"),
    [
        # With the reserve of a hundred there is just room; the last waiter takes it after a while.
        ("unknown", 1_000, 1.0),
        ("unknown", 1_001, 4.0),
        ("unknown", 1_100, 4.0),
        ("unknown", 1_101, 50.25),  # the cut was never seen not to hold
        ("unknown", 1_100 + 1_100, 50.25),
        ("unknown", 1_100 + 1_101, 110.25),
        ("sliding", 1_100, 4.0),
        ("sliding", 1_101, 60.06),
        ("sliding", 1_200, 60.06),
        ("sliding", 1_201, 61.06),  # and a call that goes now is forgotten a window later
        ("fixed", 1_000, 1.0),
        ("fixed", 1_100, 4.0),
        ("fixed", 1_101, 50.25),
        ("fixed", 1_100 + 1_100, 50.25),
        ("fixed", 1_100 + 1_101, 110.25),
        ("fixed", 1_100 + 2_201, 170.25),
    ],
)
def test_a_deadline_is_compared_with_the_best_that_may_come(
    windows: str, weight: int, at: float
) -> None:
    bench = PoolBench(fixed=windows == "fixed")
    bench.boundary.slides = windows == "sliding"
    bench.spend(100, 0.0)

    assert bench.earliest(weight, 1.0) == pytest.approx(at)


def test_by_the_sliding_rule_each_round_waits_for_what_was_spent_before() -> None:
    bench = PoolBench()
    bench.boundary.slides = True
    bench.spend(100, 0.0)
    bench.spend(500, 10.0)
    bench.pool._largest = 100

    # 600 left, the last hundred for the only waiter; then a hundred comes back, then 500.
    assert bench.earliest(500, 20.0) == 20.0
    assert bench.earliest(501, 20.0) == pytest.approx(23.0)
    assert bench.earliest(601, 20.0) == pytest.approx(60.06)
    assert bench.earliest(700, 20.0) == pytest.approx(60.06)
    assert bench.earliest(701, 20.0) == pytest.approx(70.06)
    assert bench.earliest(600 + 1_100 + 100, 20.0) == pytest.approx(120.06)


def test_a_cut_without_a_witness_may_have_given_back_all() -> None:
    bench = PoolBench()
    bench.spend(600, 40.0)
    bench.spend(500, 40.0)
    bench.pool._largest = 100
    assert bench.earliest(200, 50.0) == pytest.approx(50.25)

    assert bench.earliest(1_200, 51.0) == 51.0
    assert bench.earliest(1_201, 51.0) == pytest.approx(100.06)

    witness = bench.send(100, 51.0)
    assert witness.witness
    assert bench.earliest(1_000, 51.1) == 51.1, "what it hears may be the best"
    assert bench.earliest(1_001, 51.1) == pytest.approx(54.1)
    bench.answer(witness, 1_200, 51.2)
    assert bench.earliest(100, 51.3) == pytest.approx(100.06), "it was not"


def test_a_deadline_does_not_count_on_a_window_without_a_witness() -> None:
    bench = PoolBench()
    bench.spend(1_100, 55.0)
    bench.pool.asked += 8

    assert bench.earliest(200, 56.0) == pytest.approx(115.06), "the cut comes sooner"


def test_a_deadline_does_not_count_on_cuts_once_a_count_went_on_past_one() -> None:
    bench = PoolBench()
    bench.boundary.slides = True
    bench.spend(1_100, 40.0)

    assert bench.earliest(200, 51.0) == pytest.approx(100.06)


@pytest.mark.parametrize(
    ("fixed", "flying", "at"), [(True, False, 50.25), (True, True, 3.0), (False, False, 3.0)]
)
def test_what_others_were_seen_to_spend_counts_where_it_counts_for_certain(
    *, fixed: bool, flying: bool, at: float
) -> None:
    bench = PoolBench(fixed=fixed)
    bench.spend(100, 1.0, used=900)
    assert bench.pool.count.others is not None
    bench.pool.count.others.share = 1_200.0
    if flying:
        bench.pool.count.in_flight += 1

    assert bench.earliest(300, 3.0) == 3.0, "what they are expected to spend does not"
    assert bench.earliest(400, 3.0) == pytest.approx(at)


def test_nothing_is_left_if_others_have_spent_the_limit() -> None:
    bench = PoolBench(fixed=True)
    bench.spend(100, 1.0, used=1_200)

    assert bench.earliest(1, 3.0) == pytest.approx(50.25)


def test_a_cut_is_forecast_by_this_machines_clock_until_the_exchanges_is_known() -> None:
    bench = PoolBench(known=False)
    bench.spend(1_200, 0.0)

    assert bench.earliest(100, 1.0) == pytest.approx(50.25)
    assert bench.pool.blocked_until(100, 1.0) == pytest.approx(50.25)


def test_after_a_cut_that_holds_all_is_there_at_once() -> None:
    bench = PoolBench(fixed=True)
    bench.spend(100, 0.0)
    bench.spend(1_000, 1.0)
    bench.pool._largest = 100

    assert bench.earliest(1_200, 51.0) == 51.0
    assert bench.earliest(1_201, 51.0) == pytest.approx(110.25)
    assert bench.forecast(1_200, 51.0) == 51.0
    assert bench.forecast(1_201, 51.0) == pytest.approx(110.25)


def test_from_the_moment_of_a_cut_on_it_is_past() -> None:
    def full() -> PoolBench:
        bench = PoolBench(fixed=True)
        bench.spend(100, 0.0)
        bench.spend(1_000, 1.0, used=1_100)
        bench.pool._largest = 100
        return bench

    assert full().ask(100, 50.25) is not Go.NO
    assert full().earliest(1_100, 50.25) == 50.25
    assert full().forecast(1_200, 50.25) == 50.25
    assert full().forecast(1_200, 50.24) > 50.24


# --- as it is foretold ---------------------------------------------------------------------------


def test_the_whole_limit_of_a_new_pool_is_forecast_at_once() -> None:
    bench = PoolBench()

    assert bench.earliest(1_200, 0.0) == 0.0
    assert bench.earliest(1_201, 0.0) > 0.0
    assert bench.forecast(1_200, 0.0) == 0.0


def test_a_full_pool_promises_nothing() -> None:
    bench = PoolBench()
    for _ in range(12):
        bench.spend(100, 0.0)

    for weight, seconds in ((1, 60.06), (1_100, 60.06), (1_101, 120.06)):
        assert bench.forecast(weight, 1.0) == pytest.approx(seconds)
    bench.boundary.fixed = True
    for weight, seconds in ((1, 50.25), (1_200, 50.25), (1_201, 110.25)):
        assert bench.forecast(weight, 1.0) == pytest.approx(seconds)


@pytest.mark.parametrize("weight", [1, 5_000])
def test_nothing_is_forecast_before_a_shut_pool_opens(weight: int) -> None:
    bench = PoolBench(fixed=True)
    bench.spend(100, 0.0)
    bench.refuse(bench.send(100, 1.0), 300.0, 1.0)

    least = 301.0
    assert bench.earliest(weight, 2.0) >= least
    assert bench.forecast(weight, 2.0) >= least
    bench.boundary.fixed = False
    assert bench.earliest(weight, 2.0) >= least
    assert bench.forecast(weight, 2.0) >= least


@pytest.mark.parametrize(
    ("weight", "fixed", "slides"),
    [
        (0, 40.0, 40.0),
        (900, 40.0, 40.0),  # of 1,200 two hundred are spent, and one is the witness's
        (901, 50.25, 60.06),
        (900 + 100, 50.25, 60.06),
        (900 + 101, 50.25, 98.06),
        (900 + 200, 50.25, 98.06),
        (900 + 201, 50.25, 100.06),
        (900 + 1_100, 50.25, 100.06),
        (900 + 1_101, 50.25, 120.06),
        (900 + 1_200, 50.25, 120.06),
        (900 + 1_201, 110.25, 158.06),
    ],
)
def test_a_forecast_takes_windows_to_slide_until_they_are_proven_fixed(
    weight: int, fixed: float, slides: float
) -> None:
    bench = PoolBench()
    bench.spend(100, 0.0)
    bench.spend(100, 38.0)

    assert bench.forecast(weight, 40.0) == pytest.approx(slides)
    bench.boundary.fixed = True
    assert bench.forecast(weight, 40.0) == pytest.approx(fixed)


@pytest.mark.parametrize(
    ("weight", "at"),
    [
        (590, 1.0),  # ten are the witness's, and nothing is kept of what all that waits fits in
        (591, 60.06),
        (1_210, 61.06),
        (1_680, 61.06),
        # A window later what was kept comes back in shares, and then the rest.
        (1_681, 76.0),
        (1_714, 76.0 + 15.0),
        (1_748, 76.0 + 30.0),
        (1_781, 120.06),
    ],
)
def test_where_windows_slide_what_is_kept_from_scans_comes_back_in_shares(
    weight: int, at: float
) -> None:
    bench = PoolBench()
    for _ in range(60):
        bench.spend(10, 0.0)

    assert bench.forecast(weight, 1.0, of=10) == pytest.approx(at)


@pytest.mark.parametrize(
    ("weight", "at"),
    [
        (1_180, 1.0),  # the only call so far had a weight of ten
        (1_181, 50.25),
        (1_090 + 1_200, 50.25),
        (1_090 + 1_201, 110.25),
        (1_090 + 1_200 + 1_100, 110.25),
        (1_090 + 1_200 + 1_101, 170.25),
    ],
)
def test_of_each_window_one_call_is_left_for_the_witness(weight: int, at: float) -> None:
    bench = PoolBench(fixed=True)
    bench.spend(10, 0.0)

    assert bench.forecast(weight, 1.0, of=100) == pytest.approx(at)
