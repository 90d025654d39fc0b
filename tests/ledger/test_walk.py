"""A walk finds every row that a log can show, however the log behaves."""

from __future__ import annotations

import bisect
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust.ledger._walk import FIRST_RECORD, LONGEST, PAGE, Page, TimeRange, Walk

DAY = 86_400_000
MINUTE = 60_000
NOW = 1_795_000_000_000  # in November 2026
ALL = FIRST_RECORD
Counting = Literal["range", "ever", "shown", "too many", "nothing", "whole"]


@dataclass
class WalkedLog:
    """A log as the exchange's may be: which rows of a range it shows, and what it counts."""

    times: list[int]
    page: int = PAGE
    order: Literal["newest", "oldest"] = "newest"
    counting: Counting = "range"
    forgets: bool = False
    """The log keeps only the newest page of all times."""
    deaf: bool = False
    """It ignores the range, and shows the newest of all times."""

    def __post_init__(self) -> None:
        self.times.sort()
        self.asked: list[TimeRange | None] = []

    @property
    def records(self) -> list[tuple[int, int]]:
        return [(at, number) for number, at in enumerate(self.times)]

    def show(self, span: TimeRange | None) -> Page:
        self.asked.append(span)
        assert span is None or 0 <= span.end - span.start <= LONGEST
        if self.deaf:
            span = None
        low = 0 if span is None else bisect.bisect_left(self.times, span.start)
        high = len(self.times) if span is None else bisect.bisect_right(self.times, span.end)
        numbers = range(low, high)
        if self.forgets:
            shown = [n for n in numbers if n >= len(self.times) - self.page]
        else:
            cut = slice(-self.page, None) if self.order == "newest" else slice(0, self.page)
            shown = list(numbers[cut])
        total = {
            "range": len(numbers),
            "ever": len(self.times),
            "shown": len(shown),
            "too many": len(numbers) + 6,
            "nothing": 0,
            # Without a range, all rows that ever were; with a range, the rows shown.
            "whole": len(self.times) if span is None else len(shown),
        }[self.counting]
        return Page(total, tuple((self.times[n], n) for n in shown))


def walk_through(log: WalkedLog, since: int = ALL, until: int = NOW) -> Walk:
    walk = Walk(since, until, page=log.page)
    steps = walk.steps()
    try:
        span = next(steps)
        while True:
            span = steps.send(log.show(span))
    except StopIteration:
        return walk


def recoverable(log: WalkedLog, since: int = ALL) -> set[tuple[int, int]]:
    """Of a millisecond with more rows than a page, the log shows one page."""
    if log.forgets:
        return set(log.records[-log.page :])
    by_time: dict[int, list[tuple[int, int]]] = {}
    for record in log.records:
        by_time.setdefault(record[0], []).append(record)
    cut = slice(-log.page, None) if log.order == "newest" else slice(0, log.page)
    return {one for at, same in by_time.items() if at >= since for one in same[cut]}


clusters = st.lists(
    st.tuples(
        st.one_of(
            st.integers(FIRST_RECORD, NOW),
            st.integers(NOW - LONGEST - 5, NOW),
            st.integers(NOW - 20, NOW),
            st.just(FIRST_RECORD),
        ),
        st.integers(1, 9),
        st.sampled_from([0, 0, 1, 7, MINUTE, DAY]),
    ),
    max_size=12,
)


@given(
    clusters=clusters,
    page=st.integers(1, 7),
    order=st.sampled_from(["newest", "oldest"]),
    counting=st.sampled_from(["range", "ever", "shown", "too many", "nothing", "whole"]),
    forgets=st.booleans(),
    since=st.one_of(st.just(ALL), st.integers(NOW - 2 * LONGEST, NOW)),
)
def test_everything_that_a_log_can_show_is_found(  # noqa: PLR0917 - what a log may be like
    clusters: list[tuple[int, int, int]],
    page: int,
    order: Literal["newest", "oldest"],
    counting: Counting,
    forgets: bool,
    since: int,
) -> None:
    times = [at + n * step for at, count, step in clusters for n in range(count)]
    log = WalkedLog([min(at, NOW) for at in times], page, order, counting, forgets)

    walk = walk_through(log, since)

    assert {one for one in walk.found if one[0] >= since} >= {
        one for one in recoverable(log, since) if one[0] >= since
    }
    for gap in walk.gaps:
        # A gap is either counted, or a full page that may hide rows.
        assert gap.shown >= page if gap.counted is None else gap.counted > gap.shown


@given(clusters=clusters, page=st.integers(1, 7))
def test_exactly_what_an_honest_log_hides_is_a_gap(
    clusters: list[tuple[int, int, int]], page: int
) -> None:
    times = [at + n * step for at, count, step in clusters for n in range(count)]
    log = WalkedLog([min(at, NOW) for at in times], page)

    walk = walk_through(log)

    crowded = {at: count for at, count in Counter(log.times).items() if count > page}
    named = {gap.span.start: gap.counted for gap in walk.gaps if gap.counted is not None}
    # If the count is only that of the rows shown, a full page may hide rows or not. Only there a
    # gap may hide nothing, and its count is `None`.
    assert named == crowded
    assert all(gap.span.start == gap.span.end for gap in walk.gaps)
    assert all(gap.counted is not None for gap in walk.gaps)


def test_a_short_log_is_one_call() -> None:
    log = WalkedLog([NOW - n * 20 * DAY for n in range(99)])

    walk = walk_through(log)

    assert log.asked == [None]
    assert (len(walk.found), walk.gaps) == (99, [])


def test_an_empty_log_is_one_call() -> None:
    log = WalkedLog([])

    assert walk_through(log).found == set()
    assert log.asked == [None]


def test_a_second_look_is_one_call() -> None:
    log = WalkedLog([NOW - n * DAY for n in range(2000)])

    walk = walk_through(log, since=NOW - 40 * DAY)

    assert log.asked == [TimeRange(NOW - 40 * DAY, NOW)]
    assert len(walk.found) == 41


def test_ten_thousand_records_take_about_a_hundred_calls() -> None:
    """300 rows within a minute, the others spread over two years."""
    spread = [NOW - (n * 2 * 365 * DAY) // 9_700 for n in range(9_700)]
    dense = [NOW - 400 * DAY + n * 199 for n in range(300)]
    log = WalkedLog(spread + dense)

    walk = walk_through(log)

    assert walk.found == set(log.records)
    assert walk.gaps == []
    assert len(log.asked) <= 10_000 / 99 + 2 * 365 / 90 + 5


def test_a_log_that_behaves_differently_costs_more_calls_and_loses_nothing() -> None:
    spread = [NOW - (n * 365 * DAY) // 2_000 for n in range(2_000)]
    dense = [NOW - 100 * DAY + n * 199 for n in range(300)]
    for counting in ("ever", "shown", "nothing"):
        log = WalkedLog(spread + dense, counting=counting)

        walk = walk_through(log)

        assert walk.found == set(log.records)
        assert len(log.asked) < 200


def test_a_crowded_millisecond_is_a_gap_with_its_count() -> None:
    log = WalkedLog([NOW - 5 * DAY] * 250 + [NOW - n * DAY for n in range(40)])

    walk = walk_through(log)

    (gap,) = walk.gaps
    assert gap.span == TimeRange(NOW - 5 * DAY, NOW - 5 * DAY)
    assert (gap.shown, gap.counted) == (100, 251)
    assert len(walk.found) == 139


def test_a_log_that_forgets_differs_from_one_that_pages() -> None:
    log = WalkedLog([NOW - n * DAY for n in range(250)], forgets=True)

    walk = walk_through(log)

    assert len(walk.found) == 100
    hidden = sum((gap.counted or 0) - gap.shown for gap in walk.gaps)
    assert hidden == 150
    assert all(gap.span.end < NOW - 98 * DAY for gap in walk.gaps)


def test_rows_counted_by_the_whole_log_but_in_no_range_are_a_gap() -> None:
    log = WalkedLog([NOW - n * DAY for n in range(250)], forgets=True, counting="whole")

    walk = walk_through(log)

    (gap,) = walk.gaps
    assert (gap.shown, gap.counted) == (1, 151)
    assert gap.span == TimeRange(ALL, NOW - 99 * DAY)


@pytest.mark.parametrize("counting", ["shown", "nothing"])
def test_a_crowded_millisecond_is_a_gap_without_a_reliable_count(
    counting: Counting,
) -> None:
    log = WalkedLog([NOW - 5 * DAY] * 250 + [NOW - n * DAY for n in range(40)], counting=counting)

    walk = walk_through(log)

    (gap,) = walk.gaps
    assert gap.span == TimeRange(NOW - 5 * DAY, NOW - 5 * DAY)
    assert (gap.shown, gap.counted) == (100, None)


def test_no_millisecond_between_two_ranges_is_left_out() -> None:
    newest = [NOW - n for n in range(PAGE)]
    oldest = newest[-1]
    edges = [oldest - LONGEST * n + step for n in (1, 2) for step in (-2 * n, -n, -1, 0, 1)]
    log = WalkedLog([*newest, *edges, ALL])

    assert walk_through(log).found == set(log.records)


def test_the_documented_sample_takes_few_calls() -> None:
    """Its `total` is 8, but it has 2 rows."""
    log = WalkedLog([NOW - DAY, NOW - 2 * DAY], counting="too many")

    walk = walk_through(log)

    assert len(walk.found) == 2
    assert len(log.asked) < 60


@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1])
def test_a_page_that_is_just_full_is_not_the_end(count: int) -> None:
    log = WalkedLog([NOW - n * DAY for n in range(count)])

    walk = walk_through(log)

    assert len(walk.found) == count
    assert walk.gaps == []


def test_a_log_that_ignores_ranges_is_not_searched() -> None:
    log = WalkedLog([NOW - n * DAY for n in range(900)], deaf=True)

    walk = walk_through(log)

    (gap,) = walk.gaps
    assert (gap.span, gap.shown, gap.counted) == (TimeRange(ALL, NOW), 100, None)
    assert len(log.asked) <= 3


def test_rows_just_outside_the_range_are_accepted() -> None:
    """The log searches by the time of the call, and shows the time of the conversion."""
    log = WalkedLog([NOW - n * DAY for n in range(300)])
    show = log.show

    def late(span: TimeRange | None) -> Page:
        page = show(span)
        return Page(page.total, tuple((at + 900, number) for at, number in page.rows))

    log.show = late  # type: ignore[method-assign]

    walk = walk_through(log)

    assert {number for _, number in walk.found} == set(range(300))


def test_counts_that_prove_wrong_later_make_no_gap() -> None:
    walk = Walk(NOW - DAY, NOW)
    steps = walk.steps()
    pages = {
        # The newer half counts five and shows none, like its own halves: it looks like a gap.
        TimeRange(NOW - DAY, NOW): Page(10, ((NOW - DAY, 1),)),
        TimeRange(NOW - DAY // 2 + 1, NOW): Page(5, ()),
        TimeRange(NOW - DAY, NOW - DAY // 2): Page(5, ((NOW - DAY, 1), (NOW - DAY + 9, 2))),
        TimeRange(NOW - DAY // 4 + 1, NOW): Page(5, ()),
        TimeRange(NOW - DAY // 2 + 1, NOW - DAY // 4): Page(0, ()),
    }
    span = next(steps)
    try:
        while True:
            assert span is not None
            # But the halves of the older half count nine each, and the half itself counted five.
            span = steps.send(pages.get(span, Page(9, ())))
    except StopIteration:
        pass

    assert walk.gaps == []


def test_an_empty_range_is_not_asked_for() -> None:
    log = WalkedLog([NOW])

    assert walk_through(log, since=NOW + 1).found == set()
    assert log.asked == []
