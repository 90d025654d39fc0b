"""Which times to ask a log for that shows its newest hundred only: planning, and no I/O.

A walk is a generator: it yields the span that it wants to see next (`None` is the whole log, asked
without bounds) and is sent the page that came back. What is known of the log, and what isn't:

- It shows the newest hundred of what was asked for, nothing from before December 2020, and its
  `total` may exceed the rows. No document says what a range longer than 90 days would do.
- Whether the hundred are the newest of the *range*, or of all times, is documented nowhere. Nor is
  whether `total` counts the range.

So the first choice is the cheap one: everything after the oldest row of a full page is taken for
seen, and the walk goes on below it, a hundred rows a call. The counts are held against each other
on the way. Where they don't add up they are believed no longer, and spans are halved until each
holds less than a full page: that finds everything that any log of this kind can show. What is
counted and still not shown is a `Gap`, which names its span. A log that shows other times than it
was asked for can't be searched at all: the walk ends, and says so by one gap.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, TypeAlias

__all__ = ["FIRST_RECORD", "LONGEST", "PAGE", "Gap", "Page", "TimeRange", "Walk"]

FIRST_RECORD: Final = 1_606_780_800_000
"""2020-12-01: "only return records after 2020/12/01", says the page of the dust log (2026-11)."""
LONGEST: Final = 90 * 86_400_000
"""What one question may span: -4047 says 0-90 days."""
PAGE: Final = 100
"""Rows of a page that is full: "only return last 100 records"."""
_ASIDE: Final = 60_000
"""How far a row may lie outside the span that was asked for: what a log searches by need not be the
very time that it shows."""


@dataclass(frozen=True, slots=True, order=True)
class TimeRange:
    """A time from the first to the last millisecond, both included."""

    start: int
    end: int

    def halves(self) -> tuple[TimeRange, TimeRange]:
        """Cut in two, the newer one first."""
        middle = (self.start + self.end) // 2
        return TimeRange(middle + 1, self.end), TimeRange(self.start, middle)


@dataclass(frozen=True, slots=True)
class Page:
    """What the log showed of a span: the time and the id of each record, and its count."""

    total: int
    rows: tuple[tuple[int, int], ...]

    @property
    def oldest(self) -> int:
        """When the oldest record shown happened."""
        return min(at for at, _ in self.rows)


@dataclass(frozen=True, slots=True)
class Gap:
    """A span of which the log counts more than it shows, however it is asked."""

    span: TimeRange
    shown: int
    counted: int | None
    """`None` where the counts can't be believed: there may be more, and there may be none."""


Steps: TypeAlias = Generator[TimeRange | None, Page, None]


class Walk:
    """One walk through a log, from `until` back to `since`, in milliseconds of its own clock."""

    def __init__(self, since: int, until: int, *, page: int = PAGE) -> None:
        """Plan; nothing is asked before `steps` is begun."""
        self.since = max(since, FIRST_RECORD)
        self.until = until
        self.gaps: list[Gap] = []
        self.found: set[tuple[int, int]] = set()
        self._page = page
        self._counts_hold = True
        self._spans_hold = True

    def steps(self) -> Steps:
        """Yield each span to ask for, and take its page."""
        if self.until < self.since:
            return
        if self.until - self.since <= LONGEST:
            span = TimeRange(self.since, self.until)
            yield from self._rest_of(span, (yield from self._ask(span)))
        else:
            yield from self._whole()
        if not self._spans_hold:
            self.gaps = [Gap(TimeRange(self.since, self.until), len(self.found), None)]
        elif not self._counts_hold:
            # Gaps that only a count spoke for are none; where a page was full nobody can tell.
            full = (gap for gap in self.gaps if gap.shown >= self._page)
            self.gaps = [Gap(gap.span, gap.shown, None) for gap in full]

    # --- the whole log, which is longer than a question may be ---

    def _whole(self) -> Steps:
        """Begin with the newest of all times: that is often all there is."""
        page = yield from self._ask(None)
        if self._is_complete(page):
            return
        counted = page.total if page.total > len(page.rows) else None
        oldest = page.oldest if page.rows else self.until
        yield from self._back_from(oldest, self.since, counted)
        if self._has_all(counted):
            return
        # Nothing has proven yet that the rows of the first page were the newest.
        yield from self._back_from(self.until, max(oldest + 1, self.since), counted)
        if self.since > FIRST_RECORD or counted is None or not self._counts_hold:
            return
        named = sum(gap.counted - gap.shown for gap in self.gaps if gap.counted is not None)
        missing = counted - len(self.found) - named
        if missing > 0:
            below = sum(at <= oldest for at, _ in self.found)
            self.gaps.append(Gap(TimeRange(self.since, oldest), below, below + missing))

    def _back_from(self, end: int, floor: int, counted: int | None) -> Steps:
        """Ask for one longest span after another, until all that is counted was found."""
        while end >= floor and self._spans_hold and not self._has_all(counted):
            span = TimeRange(max(floor, end - LONGEST), end)
            yield from self._rest_of(span, (yield from self._ask(span)))
            end = span.start - 1

    def _has_all(self, counted: int | None) -> bool:
        """Tell whether as many were found as the whole log counts."""
        return counted is not None and self._counts_hold and len(self.found) >= counted

    # --- a span that may be asked for ---

    def _rest_of(self, span: TimeRange, page: Page) -> Steps:
        """Go on below the oldest row of a full page, as long as the counts agree with that."""
        while self._spans_hold and not self._is_complete(page):
            if span.start == span.end:
                self._name(span, page)
                return
            if not self._is_full(page) or not self._counts_more(page):
                yield from self._halve(span, page)
                return
            # Rows of the oldest millisecond may be hidden too, so it is asked for again; one that
            # fills a page by itself can't show more.
            oldest = min(max(page.oldest, span.start), span.end)
            only = oldest == span.end
            below = TimeRange(span.start, span.end - 1 if only else oldest)
            older = yield from self._ask(below)
            newer = sum(at > below.end for at, _ in page.rows)
            agreed = older.total + newer == page.total and newer > 0
            if only and page.total >= older.total + newer:
                self._name(TimeRange(span.end, span.end), Page(page.total - older.total, page.rows))
            elif not agreed:
                # Either the rows are not the newest, or the counts are none of this span.
                self._counts_hold &= older.total + newer == page.total
                above = TimeRange(below.end + 1, span.end)
                yield from self._rest_of(above, (yield from self._ask(above)))
            span, page = below, older

    def _halve(self, span: TimeRange, page: Page) -> Steps:
        """Ask for both halves of a span that hides something."""
        known = len(self.found)
        newer, older = span.halves()
        newer_page = yield from self._ask(newer)
        older_page = yield from self._ask(older)
        if newer_page.total + older_page.total != page.total:
            self._counts_hold = False
        if not self._is_full(page) and self._counts_hold and len(self.found) == known:
            # A count, and a true one, of what is shown neither here nor in the halves.
            self._name(span, page)
            return
        yield from self._rest_of(newer, newer_page)
        yield from self._rest_of(older, older_page)

    def _ask(self, span: TimeRange | None) -> Generator[TimeRange | None, Page, Page]:
        page = yield span
        self.found.update(page.rows)
        if span is not None and any(
            not span.start - _ASIDE <= at <= span.end + _ASIDE for at, _ in page.rows
        ):
            self._spans_hold = False
        if page.total < len(page.rows):
            self._counts_hold = False
        return page

    def _name(self, span: TimeRange, page: Page) -> None:
        """Name what can't be recovered, if there is something."""
        counted = page.total if self._counts_hold else None
        if counted is None or counted > len(page.rows):
            self.gaps.append(Gap(span, len(page.rows), counted))

    def _is_full(self, page: Page) -> bool:
        return len(page.rows) >= self._page

    def _counts_more(self, page: Page) -> bool:
        return self._counts_hold and page.total > len(page.rows)

    def _is_complete(self, page: Page) -> bool:
        return not self._is_full(page) and not self._counts_more(page)
