"""What scans leave to single calls, and when they get it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust.budget._kept import LATE, SHARES, Cut, Kept
from binance_dust.budget._own import OwnWeight

if TYPE_CHECKING:
    from collections.abc import Iterable

WINDOW = 60.0
LIMIT = 12_000
LIST = 100
SHARES_GIVEN = ((16.2, 300), (31.2, 300), (46.2, 400))
UNKNOWN = Cut(math.inf, proven=False, slides=False)
SLIDES = Cut(50.0, proven=False, slides=True)


def answered(*calls: tuple[float, int]) -> OwnWeight:
    own = OwnWeight(WINDOW)
    for at, weight in calls:
        own.taken += weight
        own.answer(weight, at, at)
    return own


def kept(now: float, own: OwnWeight, cut: Cut = SLIDES, of: int = LIST) -> int:
    return Kept(WINDOW).weight(of, LIMIT, now, own, cut)


def test_before_the_first_call_a_twelfth_is_kept() -> None:
    assert kept(0.0, answered()) == kept(0.0, answered(), UNKNOWN) == 1_000


@pytest.mark.parametrize("of", [1_001, 12_000])
def test_of_what_costs_more_than_a_twelfth_nothing_is_kept(of: int) -> None:
    assert kept(0.0, answered(), of=of) == 0


def test_a_call_that_costs_a_twelfth_is_kept_whole() -> None:
    assert kept(0.0, answered(), of=1_000) == 1_000
    assert kept(31.0, answered((1.0, 11_000)), of=1_000) == 1_000
    assert kept(31.1, answered((1.0, 11_000)), of=1_000) == 0


@pytest.mark.parametrize(
    ("given", "now", "weight"),
    [
        (0, 2.0, 1_000),
        (0, 16.0, 1_000),
        (0, 16.1, 666),
        (1, 31.0, 666),
        (1, 31.1, 333),
        (2, 46.0, 333),
        (2, 46.1, 0),
        (3, 46.4, 0),
    ],
)
def test_where_windows_slide_it_is_given_in_shares_a_quarter_apart(
    given: int, now: float, weight: int
) -> None:
    assert kept(now, answered((1.0, 11_000), *SHARES_GIVEN[:given])) == weight


def test_shares_that_come_back_one_by_one_are_enough() -> None:
    own = answered((1.0, 11_000), *SHARES_GIVEN)

    assert [kept(now, own) for now in (47.0, 61.0, 61.3)] == [0] * 3


def test_what_came_back_before_is_no_gap() -> None:
    shares = ((35.0, 300), (50.0, 300), (65.0, 300))

    assert kept(79.0, answered((1.0, 300), (20.0, 11_000), *shares)) == 0


@pytest.mark.parametrize("calls", [(332, 333, 333, 333), (333, 333, 332, 333)])
def test_what_comes_back_is_a_share_to_the_last_weight(calls: tuple[int, ...]) -> None:
    """A twelfth in three shares is 333 calls of one."""
    first, *shares = calls
    given = zip((16.2, 31.2, 46.2), shares, strict=True)

    assert kept(47.0, answered((1.0, first), *given), of=1) == 333


def test_a_share_is_whole_calls() -> None:
    """A third of the twelfth is 333, which only three lists of 100 fit in."""
    own = answered((1.0, 11_000), (16.2, 200), (31.2, 300), (46.2, 300))

    assert kept(61.0, own) == 333, "two lists are no share"


@pytest.mark.parametrize(("now", "weight"), [(10.0, 1_000), (49.9, 1_000), (50.0, 0), (59.0, 0)])
def test_where_windows_are_cut_all_is_kept_until_the_cut_is_near(now: float, weight: int) -> None:
    own = answered((1.0, 11_000))

    assert kept(now, own, Cut(60.0, proven=True, slides=False)) == weight


def test_where_windows_are_cut_shares_that_come_back_count_for_nothing() -> None:
    own = answered((1.0, 11_000), *SHARES_GIVEN)

    assert kept(47.0, own, Cut(60.0, proven=True, slides=False)) == 1_000


@pytest.mark.parametrize(("now", "weight"), [(54.9, 1_000), (55.0, 0)])
def test_all_is_kept_for_half_a_window_after_the_first_call(now: float, weight: int) -> None:
    late = Kept(WINDOW)
    late.begun = 25.0

    cut = Cut(60.0, proven=True, slides=False)
    assert late.weight(LIST, LIMIT, now, answered((25.0, 100)), cut) == weight


def test_a_cut_that_may_come_gives_what_is_left() -> None:
    own = answered((1.0, 11_000))

    assert kept(49.0, own, Cut(60.0, proven=False, slides=False)) == 666
    assert kept(50.0, own, Cut(60.0, proven=False, slides=False)) == 0


def test_it_says_when_more_is_given() -> None:
    own, kept = answered((1.0, 11_000)), Kept(WINDOW)

    assert kept.until(LIST, LIMIT, 2.0, own, SLIDES) == pytest.approx(16.06, abs=0.01)
    assert kept.until(LIST, LIMIT, 20.0, own, SLIDES) == pytest.approx(31.06, abs=0.01)
    assert kept.until(LIST, LIMIT, 36.0, own, SLIDES) == pytest.approx(46.06, abs=0.01)
    for first, at in ((300, 16.06), (200, 17.06)):  # two lists are no share
        few = answered((1.0, first), (2.0, 11_000))
        assert kept.until(LIST, LIMIT, 3.0, few, SLIDES) == pytest.approx(at, abs=0.01)
    assert kept.until(LIST, LIMIT, 20.0, own, Cut(60.0, proven=True, slides=False)) == 50.0


def test_it_is_given_at_the_very_moment_that_was_said() -> None:
    own, kept = answered((1.0, 11_000)), Kept(WINDOW)
    at = kept.until(LIST, LIMIT, 2.0, own, SLIDES)

    assert kept.weight(LIST, LIMIT, at, own, SLIDES) == 666


@pytest.mark.parametrize(("second", "weight"), [(34.1, 0), (34.4, 333)])
def test_a_share_may_come_back_late_by_a_fifth_of_a_gap(second: float, weight: int) -> None:
    own = answered((1.0, 11_000), (16.2, 300), (second, 300), (46.2, 400))

    assert kept(61.0, own) == weight


def waits(calls: Iterable[tuple[float, int]], share: int) -> list[float]:
    """Return how long one has to wait for each share that comes back."""
    times, back = [0.0], 0
    for at, weight in sorted(calls):
        back += weight
        if back >= share:
            times.append(at)
            back = 0
    return [later - sooner for sooner, later in pairwise(times)]


@given(
    st.lists(st.tuples(st.floats(0, 59), st.integers(1, 40)), max_size=60),
    st.sampled_from([1, 10, LIST]),
)
def test_nothing_is_kept_only_if_a_share_comes_back_in_every_gap(
    calls: list[tuple[float, int]], of: int
) -> None:
    calls = sorted((at, calls_of * of) for at, calls_of in calls)
    own, now = answered(*calls), 59.0
    share = LIMIT // 12 // SHARES // of * of

    if not kept(now, own, of=of):
        longest = WINDOW / (SHARES + 1) * (1 + LATE)
        slots = [(slot.last + own.keep - now, slot.weight) for slot in own.answered_slots()]
        assert all(wait <= longest + 0.01 for wait in waits(slots, share))
