"""Forecasts for users: what the budget foretells, others that go on, and the pace."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from binance_dust import RateLimits
from binance_dust._call.forecasts import Forecasts, PaceForecast
from binance_dust.budget import BudgetSnapshot, Charge, LimitKind, PoolSnapshot

LIST = Charge("GET /sapi/v1/margin/exchange-small-liability", LimitKind.IP, 100)
FREE = PoolSnapshot(
    name=LIST.pool,
    kind=LimitKind.IP,
    account=None,
    limit=12_000,
    used=0,
    in_flight=0,
    waiting=0,
    resets_in=0.0,
    shut_for=0.0,
    fixed=True,
    others=0,
)
HALF = replace(FREE, used=12_000, others=6_000, resets_in=30.0)


class ForetellingBudget:
    """A budget that foretells half a second for each call beyond those that `go_at_once`."""

    def __init__(
        self,
        *pools: PoolSnapshot,
        pace: float = 1e9,
        go_at_once: int = 0,
        shut_for: float = 0.0,
    ) -> None:
        self.pools = pools
        self.pace = pace
        self.go_at_once = go_at_once
        self.shut_for = shut_for
        self.looked = 0
        self.now = 0.0

    def snapshot(self) -> BudgetSnapshot:
        self.looked += 1
        return BudgetSnapshot(self.pools, 0.0, self.pace)

    def forecast(self, charge: Charge, calls: int) -> float:
        assert charge == LIST
        return max(self.shut_for, (calls - self.go_at_once) / 2)

    def forecasts(self, **limits: Any) -> Forecasts:
        budget: Any = self
        return Forecasts(budget, RateLimits(**limits), lambda: self.now)


@pytest.mark.parametrize(
    "pool", [[], [FREE], [replace(HALF, others=0)], [replace(HALF, others=0, fixed=False)]]
)
def test_without_others_and_with_a_quick_pace_it_is_what_the_budget_says(
    pool: list[PoolSnapshot],
) -> None:
    assert ForetellingBudget(*pool).forecasts().of_address(LIST, 240) == pytest.approx(120.0)


@pytest.mark.parametrize(
    ("pool", "calls", "of_budget"),
    [
        # Half of each window is theirs.
        (HALF, 240, 480),
        (replace(HALF, others=9_000), 240, 960),
        # Calls that wait take twice as long, too; the budget counts them itself.
        (replace(HALF, waiting=10), 240, 490),
        # 60 of our calls fit into this window beside theirs.
        (replace(HALF, used=0), 240, 240 + 180),
        (replace(HALF, used=0), 60, 60),
        (replace(HALF, used=0), 10, 10),
        # All of it is theirs: a call goes in each window all the same.
        (replace(HALF, others=12_000), 2, 240),
    ],
)
def test_in_fixed_windows_others_spend_between_our_calls(
    pool: PoolSnapshot, calls: int, of_budget: int
) -> None:
    assert ForetellingBudget(pool).forecasts().of_address(LIST, calls) == pytest.approx(
        of_budget / 2
    )


def test_others_that_have_a_part_of_their_own_take_nothing_of_ours() -> None:
    budget = ForetellingBudget(replace(HALF, limit=6_000, used=6_000))

    assert budget.forecasts(headroom=0.5).of_address(LIST, 240) == pytest.approx(120.0)
    budget = ForetellingBudget(replace(HALF, limit=6_000, used=6_000, others=9_000))
    assert budget.forecasts(headroom=0.5).of_address(LIST, 240) == pytest.approx(240.0)


@pytest.mark.parametrize(
    ("pool", "calls", "seconds"),
    [
        # 54 in each window: half is theirs, and a twentieth is left free.
        (HALF, 1, 30.0),
        (HALF, 54, 30.0),
        (HALF, 55, 90.0),
        (HALF, 540, 30.0 + 9 * 60.0),
        (replace(HALF, waiting=54), 54, 90.0),
        (replace(HALF, used=6_400), 50, 0.0),
        (replace(HALF, used=6_400), 51, 30.0),
        (replace(HALF, used=6_400), 104, 30.0),
        (replace(HALF, used=6_400), 105, 90.0),
        (replace(HALF, resets_in=0.0), 1, 60.0),
        (replace(HALF, shut_for=45.0), 1, 45.0),
        (replace(HALF, others=12_000), 3, 30.0 + 2 * 60.0),
    ],
)
def test_where_windows_slide_each_gives_back_what_we_have_spent(
    pool: PoolSnapshot, calls: int, seconds: float
) -> None:
    budget = ForetellingBudget(replace(pool, fixed=False), go_at_once=10_000)

    assert budget.forecasts().of_address(LIST, calls) == pytest.approx(seconds)


def test_it_is_never_less_than_what_the_budget_says() -> None:
    assert ForetellingBudget(replace(HALF, fixed=False)).forecasts().of_address(LIST, 100) == 90.0
    budget = ForetellingBudget(replace(HALF, fixed=False, used=0))
    assert budget.forecasts().of_address(LIST, 100) == 50.0


@pytest.mark.parametrize(
    ("calls", "at_once", "seconds"),
    [
        # 2 in a burst and 18 a second.
        (2, 999, 0.0),
        (3, 999, 1 / 18),
        (182, 999, 10.0),
        # The last burst has to go as well: one call, and 120, of 120 in a window.
        (121, 0, 60.5),
        (240, 0, 120.0 + 118 / 18),
        (0, 0, 0.0),
    ],
)
def test_the_pace_is_in_it(calls: int, at_once: int, seconds: float) -> None:
    budget = ForetellingBudget(pace=20.0, go_at_once=at_once)

    assert budget.forecasts().of_address(LIST, calls) == pytest.approx(seconds)


def test_calls_that_wait_already_are_foretold_without_any_more() -> None:
    assert ForetellingBudget(pace=20.0, shut_for=7.0).forecasts().of_address(LIST, 0) == 7.0
    budget = ForetellingBudget(replace(HALF, fixed=False, used=0, shut_for=90.0), shut_for=90.0)
    assert budget.forecasts().of_address(LIST, 1) == 90.0


def test_calls_that_accounts_pay_wait_for_the_pace_alone() -> None:
    assert ForetellingBudget(HALF, pace=20.0).forecasts().of_account(182) == pytest.approx(10.0)


def test_a_snapshot_is_used_again_the_longer_the_more_pools_there_are() -> None:
    accounts = [replace(FREE, kind=LimitKind.UID, account=f"a{n}") for n in range(999)]
    budget = ForetellingBudget(FREE, *accounts)
    forecasts = budget.forecasts()
    for budget.now, looked in ((0.0, 1), (0.49, 1), (0.51, 2), (1.0, 2), (2.0, 3)):
        forecasts.of_address(LIST, 1)
        assert budget.looked == looked

    budget.pools = (HALF,)
    budget.now = 2.51
    assert forecasts.of_address(LIST, 240) == pytest.approx(240.0)


def test_the_pools_of_accounts_are_not_those_of_the_address() -> None:
    theirs = replace(HALF, kind=LimitKind.UID, account="alice")

    assert ForetellingBudget(theirs).forecasts().of_address(LIST, 240) == pytest.approx(120.0)


def test_a_call_goes_at_once_as_far_as_a_burst_and_the_pace_allow() -> None:
    pace = PaceForecast(20.0)
    assert [pace.take(0.0) for _ in range(3)] == [True, True, False]
    # That one goes after an eighteenth of a second, and a burst is there again after two more.
    assert not pace.take(0.1)
    assert pace.take(0.3)
    assert [pace.take(10.0) for _ in range(3)] == [True, True, False]
    slow = PaceForecast(2.0)
    assert [slow.take(0.0) for _ in range(2)] == [True, False], "one goes, however slow the pace"
