"""What is held of others, figure by figure: their level, their share, and what is kept for them.

The window is a minute, the limit 12,000: half of it is theirs until more is known, and the cushion
is between 120 and 240.
"""

from __future__ import annotations

import pytest

from binance_dust.budget._others import Others

LEAST, MOST = 120.0, 240.0


def others(*, level: int = 0, grown: int = 0, share: float | None = None) -> Others:
    found = Others(60.0, 12_000, 0.0)
    found.level, found.grown, found.share = level, grown, share
    return found


@pytest.mark.parametrize(("at", "fresh"), [(0.0, True), (1.0, True), (1.01, False)])
def test_a_header_is_fresh_for_a_second(at: float, fresh: bool) -> None:
    assert others().fresh(at) is fresh


@pytest.mark.parametrize(("at", "due"), [(7.4, False), (7.5, True)])
def test_an_eighth_of_a_window_after_a_probe_another_is_due(at: float, due: bool) -> None:
    assert others().probe_due(at) is due


@pytest.mark.parametrize(
    ("fixed", "at", "spent", "held", "share", "expected"),
    [
        # Fixed: what the best header leaves, what has come since, and what comes as time goes by.
        (True, 0.0, 900, 500, 1_200.0, 500 + 70),
        (True, 30.0, 900, 500, 1_200.0, 500 + 70 + 600),
        (True, 30.0, 900, 500, None, 500 + 70 + 3_000),
        (True, 60.0, 900, 500, 1_200.0, 500 + 70 + 1_200),
        # Sliding: the lesser of what the header leaves and of all that may count.
        (False, 30.0, 900, 500, 1_200.0, 500 + 70),
        (False, 30.0, 400, 500, 1_200.0, 400 + 50),
        # What was heard longer ago is no advice.
        (True, 60.1, 900, 500, 1_200.0, 500),
        (False, 60.1, 400, 500, 1_200.0, 400),
    ],
)
def test_what_the_exchange_should_be_counting(
    *, fixed: bool, at: float, spent: int, held: int, share: float | None, expected: float
) -> None:
    found = others(level=50, grown=70, share=share)

    assert found.expected(at, spent, held, fixed=fixed) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("at", "closes", "share", "kept"),
    [
        (0.0, 60.0, 1_200.0, 1_200 + 8 * 100),
        (0.0, 90.0, 1_200.0, 1_200 + 8 * 100),
        (0.0, 30.0, 1_200.0, 600 + 4 * 100),
        (0.0, 29.9, 1_200.0, 598 + 3 * 100),
        (0.0, 30.0, None, 3_000 + 4 * 100),
        (0.0, -5.0, 1_200.0, 0),
    ],
)
def test_in_a_fixed_window_their_share_is_reserved_and_one_call_for_each_probe(
    at: float, closes: float, share: float | None, kept: float
) -> None:
    found = others(share=share)

    assert found.reserved(at, closes, 100, fixed=True) == pytest.approx(kept + MOST)


@pytest.mark.parametrize(
    ("at", "heard", "closes", "level", "kept"),
    [
        # They may have begun but now: what they lack of a half, for what is left of the window.
        (0.0, 0.0, 60.0, 1_000, 5_000),
        (0.0, 0.0, 30.0, 1_000, 2_500),
        (0.0, 0.0, 60.0, 7_000, 0),
        # And they may spend more since we looked: up to a twentieth of a half.
        (1.5, 0.0, 1.5, 1_000, 150),
        (3.0, 0.0, 3.0, 1_000, 300),
        (30.0, 0.0, 30.0, 1_000, 300),
        (59.9, 59.9, 119.9, 1_000, 5_000),
        (60.0, 60.0, 120.0, 1_000, 0),
    ],
)
def test_in_a_sliding_window_room_is_reserved_for_their_growth(
    at: float, heard: float, closes: float, level: int, kept: float
) -> None:
    found = others(level=level)
    found.heard = heard

    cushion = found.cushion(at)
    assert found.reserved(at, closes, 100, fixed=False) == pytest.approx(kept + cushion)


@pytest.mark.parametrize("fixed", [True, False])
def test_nothing_is_reserved_for_a_header_older_than_a_window(*, fixed: bool) -> None:
    assert others().reserved(60.0, 120.0, 100, fixed=fixed) > 0
    assert others().reserved(60.1, 120.0, 100, fixed=fixed) == 0


def test_their_first_window_begins_when_they_are_first_seen() -> None:
    found = Others(60.0, 12_000, 1_000.0)

    assert found.reserved(1_000.0, 1_060.0, 100, fixed=False) == 6_000 + MOST
    found.heard = 1_060.0
    assert found.reserved(1_060.0, 1_120.0, 100, fixed=False) == found.cushion(1_060.0)


def test_a_surprise_is_half_forgotten_in_eight_windows_and_half_a_cushion_stays() -> None:
    found = others()

    assert found.cushion(0.0) == MOST
    assert found.cushion(240.0) == pytest.approx(MOST * 0.75)
    assert found.cushion(480.0) == LEAST
    assert found.cushion(4_800.0) == LEAST


@pytest.mark.parametrize(
    ("by", "cushion"), [(-5.0, LEAST), (50.0, LEAST), (100.0, 200.0), (500.0, MOST)]
)
def test_a_surprise_is_remembered_twofold_up_to_a_fiftieth_of_the_limit(
    by: float, cushion: float
) -> None:
    found = others()

    found.surprised(4_800.0, by)

    assert found.cushion(4_800.0) == cushion


def test_a_lesser_surprise_does_not_take_away_a_greater_one() -> None:
    found = others()

    found.surprised(240.0, 0.0)

    assert found.cushion(240.0) == pytest.approx(MOST * 0.75)
    assert found.cushion(480.0) == pytest.approx(MOST * 0.5)


def test_the_level_is_the_highest_header_until_the_last_of_our_calls_is_answered() -> None:
    found = others()

    found.read_header(1.0, 500, 0, 1.0, seen=True, last=False)
    found.read_header(2.0, 300, 0, 2.0, seen=True, last=False)
    assert found.level == 500
    found.read_header(3.0, 200, 0, 3.0, seen=True, last=True)
    assert found.level == 500
    found.read_header(4.0, 200, 0, 4.0, seen=True, last=True)
    assert found.level == 200
    assert found.heard == 4.0


def test_with_calls_always_in_flight_a_header_is_old_after_a_quarter_of_a_window() -> None:
    found = others()
    found.read_header(1.0, 500, 0, 1.0, seen=True, last=True)

    found.read_header(16.0, 200, 0, 16.0, seen=True, last=False)
    assert found.level == 500
    found.read_header(16.1, 100, 0, 16.1, seen=True, last=False)
    assert found.level == 200
    found.read_header(31.0, 50, 0, 31.0, seen=True, last=False)
    assert found.level == 200
    found.read_header(31.2, 60, 0, 31.2, seen=True, last=False)
    assert found.level == 60


def test_growth_is_the_most_that_was_seen() -> None:
    found = others()

    for grown in (5, 9, 7):
        found.read_header(1.0, 0, grown, 1.0, seen=True, last=True)

    assert found.grown == 9


@pytest.mark.parametrize(("seen", "gone"), [(True, 900.0), (False, 600.0)])
def test_others_expire_when_they_were_not_seen_for_ten_windows(*, seen: bool, gone: float) -> None:
    found = others()
    found.read_header(300.0, 0, 0, 1.0, seen=seen, last=True)

    assert not found.expired(gone)
    assert found.expired(gone + 0.1)


@pytest.mark.parametrize(
    ("since_cut", "share"),
    [
        (7.4, None),  # too short a sample
        (7.5, 6_000 * 60 / 7.5 / 4),
        (30.0, 3_000.0),
        (60.0, 1_500.0),
    ],
)
def test_their_share_is_judged_at_a_cut_by_what_came_together_since_the_last_one(
    since_cut: float, share: float | None
) -> None:
    found = others()
    found.read_header(1.0, 1_500, 0, since_cut, seen=True, last=True)
    assert found.share is None

    found.close_window()

    assert found.share == share
    found.close_window()
    assert found.share == share, "a window in which nothing was heard says nothing"


def test_their_share_is_the_whole_limit_at_the_most() -> None:
    found = others()
    found.read_header(1.0, 9_000, 0, 10.0, seen=True, last=True)
    found.close_window()

    assert found.share == 12_000


@pytest.mark.parametrize(
    ("sample", "at_once", "after_the_cut"),
    [
        (1_000, 2_000.0, 1_750.0),  # a lower one is believed by a quarter, ...
        (2_400, 2_000.0, 2_400.0),  # ... a higher one whole, ...
        (3_000, 2_000.0, 3_000.0),
        (3_001, 3_001.0, 3_001.0),  # ... and one that is half as high again at once
    ],
)
def test_a_new_share_is_believed_the_sooner_the_higher_it_is(
    sample: int, at_once: float, after_the_cut: float
) -> None:
    found = others(share=2_000.0)

    found.read_header(1.0, sample, 0, 60.0, seen=True, last=True)
    assert found.share == at_once
    found.close_window()
    assert found.share == after_the_cut


def test_a_refusal_counts_as_a_header_and_a_surprise() -> None:
    found = others(level=100)
    found.surprised(4_800.0, 0.0)

    found.refused(4_800.0, 3_000, 30.0)

    assert found.level == 3_000
    assert found.heard == 4_800.0
    assert not found.expired(5_400.0)
    assert found.expired(5_400.1)
    assert found.cushion(4_800.0) == MOST
    found.close_window()
    assert found.share == 6_000


def test_a_refusal_lowers_no_level() -> None:
    found = others(level=5_000)

    found.refused(4_800.0, 3_000, 1.0)

    assert found.level == 5_000
