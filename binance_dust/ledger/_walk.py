"""Which time ranges to ask a log for that shows only its newest hundred rows: a plan without I/O.

A walk is a generator. It yields the range to ask for next (`None`: the whole log, without bounds)
and is sent the page of the answer. What is known of the log, and what is not:

- It shows at most a hundred rows of a range, the newest ones, and none from before December 2020.
  Its `total` may exceed the rows. What a range longer than 90 days would do is not documented.
- It is not documented whether the hundred are the newest of the *range* or of the whole log, nor
  whether `total` counts the range.

So the walk begins with the cheap way: it takes everything after the oldest row of a full page as
seen, and goes on before that row, a hundred rows a call. It also compares the counts of the pages.
If they don't add up, it no longer trusts them, and halves ranges until each shows less than a full
page. That finds every row that such a log can show. Rows that are counted but not shown are a
`Gap` with its range. If the log shows rows from outside the range, it can't be searched: the walk
ends with one gap over everything.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, TypeAlias

__all__ = ["FIRST_RECORD", "LONGEST", "PAGE", "Gap", "Page", "TimeRange", "Walk"]

FIRST_RECORD: Final = 1_606_780_800_000
"""2020-12-01: "only return records after 2020/12/01", says the page of the dust log (2026-11)."""
LONGEST: Final = 90 * 86_400_000
"""The longest range of one call: -4047 says 0-90 days."""
PAGE: Final = 100
"""Rows of a full page: "only return last 100 records"."""
_TOLERANCE: Final = 60_000
"""How far a row may lie outside the range: the log may search by another time than it shows."""


@dataclass(frozen=True, slots=True, order=True)
class TimeRange:
    """From the first to the last millisecond, both included."""

    start: int
    end: int

    def halves(self) -> tuple[TimeRange, TimeRange]:
        """Split in two, the newer half first."""
        middle = (self.start + self.end) // 2
        return TimeRange(middle + 1, self.end), TimeRange(self.start, middle)


@dataclass(frozen=True, slots=True)
class Page:
    """What the log showed of a range: its count, and the time and id of each row."""

    total: int
    rows: tuple[tuple[int, int], ...]

    @property
    def oldest(self) -> int:
        """The time of the oldest row."""
        return min(at for at, _ in self.rows)


@dataclass(frozen=True, slots=True)
class Gap:
    """A range of which the log does not show all rows, however it is asked."""

    span: TimeRange
    shown: int
    counted: int | None
    """`None` if the counts are not reliable: rows may be missing, or none."""


Steps: TypeAlias = Generator[TimeRange | None, Page, None]


class Walk:
    """One walk through a log, from `until` back to `since`, in milliseconds of the log's clock."""

    def __init__(self, since: int, until: int, *, page: int = PAGE) -> None:
        """Prepare; `steps` asks."""
        self.since = max(since, FIRST_RECORD)
        self.until = until
        self.gaps: list[Gap] = []
        self.found: set[tuple[int, int]] = set()
        self._page = page
        self._counts_hold = True
        self._ranges_hold = True

    def steps(self) -> Steps:
        """Yield each range to ask for, and receive its page."""
        if self.until < self.since:
            return
        if self.until - self.since <= LONGEST:
            span = TimeRange(self.since, self.until)
            yield from self._walk_rest(span, (yield from self._ask(span)))
        else:
            yield from self._walk_whole()
        if not self._ranges_hold:
            self.gaps = [Gap(TimeRange(self.since, self.until), len(self.found), None)]
        elif not self._counts_hold:
            # Without reliable counts, only a full page can hide rows.
            full = (gap for gap in self.gaps if gap.shown >= self._page)
            self.gaps = [Gap(gap.span, gap.shown, None) for gap in full]

    # --- the whole log, which is longer than the longest range ---

    def _walk_whole(self) -> Steps:
        """Ask first without bounds: often that shows the whole log."""
        page = yield from self._ask(None)
        if self._is_complete(page):
            return
        counted = page.total if page.total > len(page.rows) else None
        oldest = page.oldest if page.rows else self.until
        yield from self._walk_back(oldest, self.since, counted)
        if self._has_all(counted):
            return
        # The rows of the first page were perhaps not the newest, so look after them too.
        yield from self._walk_back(self.until, max(oldest + 1, self.since), counted)
        if self.since > FIRST_RECORD or counted is None or not self._counts_hold:
            return
        named = sum(gap.counted - gap.shown for gap in self.gaps if gap.counted is not None)
        missing = counted - len(self.found) - named
        if missing > 0:
            below = sum(at <= oldest for at, _ in self.found)
            self.gaps.append(Gap(TimeRange(self.since, oldest), below, below + missing))

    def _walk_back(self, end: int, floor: int, counted: int | None) -> Steps:
        """Ask for one longest range after another, until all counted rows are found."""
        while end >= floor and self._ranges_hold and not self._has_all(counted):
            span = TimeRange(max(floor, end - LONGEST), end)
            yield from self._walk_rest(span, (yield from self._ask(span)))
            end = span.start - 1

    def _has_all(self, counted: int | None) -> bool:
        """Whether as many rows were found as the whole log counts."""
        return counted is not None and self._counts_hold and len(self.found) >= counted

    # --- a range that one call may ask for ---

    def _walk_rest(self, span: TimeRange, page: Page) -> Steps:
        """Go on before the oldest row of a full page, as long as the counts agree."""
        while self._ranges_hold and not self._is_complete(page):
            if span.start == span.end:
                self._note_gap(span, page)
                return
            if not self._is_full(page) or not self._counts_more(page):
                yield from self._halve(span, page)
                return
            # More rows of the oldest millisecond may be hidden, so ask for it again. But if that
            # millisecond fills a page by itself, the log can't show more of it.
            oldest = min(max(page.oldest, span.start), span.end)
            only = oldest == span.end
            below = TimeRange(span.start, span.end - 1 if only else oldest)
            older = yield from self._ask(below)
            newer = sum(at > below.end for at, _ in page.rows)
            agreed = older.total + newer == page.total and newer > 0
            if only and page.total >= older.total + newer:
                self._note_gap(
                    TimeRange(span.end, span.end), Page(page.total - older.total, page.rows)
                )
            elif not agreed:
                # The rows are not the newest of the range, or the counts are not of the range.
                self._counts_hold &= older.total + newer == page.total
                above = TimeRange(below.end + 1, span.end)
                yield from self._walk_rest(above, (yield from self._ask(above)))
            span, page = below, older

    def _halve(self, span: TimeRange, page: Page) -> Steps:
        """Ask for both halves of a range that hides rows."""
        known = len(self.found)
        newer, older = span.halves()
        newer_page = yield from self._ask(newer)
        older_page = yield from self._ask(older)
        if newer_page.total + older_page.total != page.total:
            self._counts_hold = False
        if not self._is_full(page) and self._counts_hold and len(self.found) == known:
            # The count is right, and its rows are shown neither here nor in the halves.
            self._note_gap(span, page)
            return
        yield from self._walk_rest(newer, newer_page)
        yield from self._walk_rest(older, older_page)

    def _ask(self, span: TimeRange | None) -> Generator[TimeRange | None, Page, Page]:
        page = yield span
        self.found.update(page.rows)
        if span is not None and any(
            not span.start - _TOLERANCE <= at <= span.end + _TOLERANCE for at, _ in page.rows
        ):
            self._ranges_hold = False
        if page.total < len(page.rows):
            self._counts_hold = False
        return page

    def _note_gap(self, span: TimeRange, page: Page) -> None:
        """Note a gap, if the page does not show all rows of the range."""
        counted = page.total if self._counts_hold else None
        if counted is None or counted > len(page.rows):
            self.gaps.append(Gap(span, len(page.rows), counted))

    def _is_full(self, page: Page) -> bool:
        return len(page.rows) >= self._page

    def _counts_more(self, page: Page) -> bool:
        return self._counts_hold and page.total > len(page.rows)

    def _is_complete(self, page: Page) -> bool:
        return not self._is_full(page) and not self._counts_more(page)
