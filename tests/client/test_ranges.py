"""Ranges of time and pages of histories: nothing is left out, and nothing comes twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust import ConfigurationError
from binance_dust.client._ranges import check_order, halves, is_time, pieces, repeated
from binance_dust.models import FundingAsset

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
MS = timedelta(milliseconds=1)


@given(st.integers(0, 60), st.integers(1, 20))
def test_pieces_cover_each_millisecond_once_the_newest_first(length: int, longest: int) -> None:
    end = NOON + length * MS

    found = list(pieces(NOON, end, longest * MS))

    covered = [since + n * MS for since, until in found for n in range((until - since) // MS + 1)]
    assert sorted(covered) == [NOON + n * MS for n in range(length + 1)]
    assert all(timedelta(0) <= until - since <= longest * MS for since, until in found)
    assert found == sorted(found, reverse=True)
    assert len(found) == length // (longest + 1) + 1


def test_less_than_a_millisecond_is_no_piece_of_its_own() -> None:
    end = NOON + 1.5 * MS

    assert list(pieces(NOON, end, MS)) == [(NOON + 0.5 * MS, end)]


def test_a_range_at_the_beginning_of_the_calendar_is_cut_too() -> None:
    begin = datetime.min.replace(tzinfo=UTC)

    assert list(pieces(begin, begin + MS, timedelta(days=7))) == [(begin, begin + MS)]


@given(st.integers(1, 1_000))
def test_halves_meet_and_lose_nothing(length: int) -> None:
    cut = halves(NOON, NOON + length * MS)

    assert cut is not None
    (begin, middle), (after, end) = cut
    assert (begin, end) == (NOON, NOON + length * MS)
    assert begin <= middle < after <= end
    assert after - middle == MS


def test_a_millisecond_can_not_be_cut() -> None:
    assert halves(NOON, NOON) is None
    assert halves(NOON, NOON + timedelta(microseconds=999)) is None


def test_only_aware_times_are_times() -> None:
    assert is_time(NOON)
    assert not is_time(NOON.replace(tzinfo=None))
    assert not is_time("2026-12-01")


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    check_order(NOON, NOON)
    check_order(NOON, None)
    check_order("tomorrow", NOON)
    check_order(NOON, NOON.replace(tzinfo=None))  # the encoder says what is wrong with it
    with pytest.raises(ConfigurationError, match=r"start .* is after end"):
        check_order(NOON + MS, NOON)
    with pytest.raises(ConfigurationError, match="is after now"):
        check_order(NOON + MS, NOON, "now")


def rows(names: str) -> list[Any]:
    return [FundingAsset(asset=name, free=Decimal(1)) for name in names]


@pytest.mark.parametrize(
    ("before", "page", "again"),
    [("", "AB", 0), ("AB", "CD", 0), ("AB", "BC", 1), ("AB", "AB", 2), ("ABA", "ABAC", 3)],
)
def test_rows_that_a_page_repeats_are_counted(before: str, page: str, again: int) -> None:
    assert repeated(rows(before), rows(page)) == again
