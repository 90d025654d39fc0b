"""What is believed of one pool: its limit, what calls weigh, and what its headers are worth.

Each begins as documented. Evidence that lets less through is believed soon, evidence that lets more
through only after more of it. What stops holding is unlearnt. Each change is news, to be told.
"""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, Final

from binance_dust.budget._ceiling import NEAR, WeightCeiling
from binance_dust.budget._price import Prices
from binance_dust.budget._trust import HeaderTrust

if TYPE_CHECKING:
    from binance_dust.budget._boundary import Boundary, ServerWindow
    from binance_dust.budget._count import AdmittedCall, Count

SOON: Final = 1 / 120
"""Part of a window after the last answer in which others have hardly spent anything."""
FEW: Final = 4
"""Calls that have to be let in before something is learnt from a refusal."""
BEFORE_CUT: Final = 1 / 8
"""Part of a window before its cut in which a header may be low already: clocks differ."""


class News(enum.Enum):
    """What an answer has changed in what is believed of a pool."""

    FIXED = "fixed"
    """Windows are fixed: a witness has proved it."""
    NOT_FIXED = "not fixed"
    """A cut did not hold."""
    LIMIT = "limit"
    WEIGHT = "weight"
    HEADERS = "headers"
    """Headers that can't be, or that don't count what we count."""


class Beliefs:
    """What is believed of one pool, and the evidence."""

    __slots__ = (
        "_cut_number",
        "_highest",
        "_highest_at",
        "_soon",
        "_whole",
        "_window",
        "ceiling",
        "news",
        "prices",
        "trust",
    )

    def __init__(self, window: float, whole: int) -> None:
        """Start as documented: `whole` is the exchange's limit."""
        self._window = window
        self._soon = window * SOON
        self._whole = whole
        self._cut_number = -1
        """Number of the window in which `Count.cut` was told of its beginning."""
        self._highest = 0
        """The most weight that a window held when a call was let in."""
        self._highest_at = -math.inf
        self.ceiling: WeightCeiling = WeightCeiling(window)
        self.prices: Prices = Prices()
        self.trust: HeaderTrust = HeaderTrust()
        self.news: list[News] = []
        """What has changed, and nobody was told yet."""

    def set_whole(self, whole: int) -> None:
        """Take another limit of the exchange."""
        self._whole = whole

    def admit(self, call: AdmittedCall, count: Count, now: float) -> None:
        """Mark what the answer to a call can tell."""
        call.soon = now - count.last_answer < self._soon
        call.number = self.prices.admit(alone=count.in_flight == 0)

    def cut(self, number: int) -> None:
        """Record that our first call of a window goes."""
        self._cut_number = number

    def is_possible(self, used: int) -> bool:
        """Whether a header can be: no call is let in above the limit."""
        if used <= self._whole:
            if self.trust.odd:
                self.trust.possible()
            return True
        if self.trust.impossible():
            self.news.append(News.HEADERS)
        return False

    def weigh_header(
        self, call: AdmittedCall, used: int, count: Count, window: ServerWindow, now: float
    ) -> bool:
        """Compare a header with what it has to show; return whether it shows less.

        Around a cut it may do so: nobody knows what the exchange had forgotten.
        """
        if self.prices.read(call.documented, call.number, used, soon=call.soon):
            self.news.append(News.WEIGHT)
        same_window = call.cut_before == count.cut_at and self._cut_number == window.number >= 0
        if not call.since_cut or not same_window:
            return False
        if used >= call.since_cut + call.weight:
            self.trust.right()
            return False
        return now < window.closes - self._window * BEFORE_CUT

    def refute(self, call: AdmittedCall, boundary: Boundary) -> None:
        """Give up a belief that a header contradicts: a higher weight, or else the headers."""
        if call.weight > call.documented:
            if self.prices.unlearn(call.documented):
                self.news.append(News.WEIGHT)
            self._cut_number = -1  # what was added up is too much: begin anew at the next cut
            return
        if self.trust.wrong():
            self.news.append(News.HEADERS)
        if boundary.fixed:
            boundary.lost()
            self.news.append(News.NOT_FIXED)

    def let_in(self, call: AdmittedCall, used: int | None, count: Count, now: float) -> None:
        """Remember how much a window held when a call was let in."""
        count.let_in(call)
        ours = count.since_cut if call.cut_before == count.cut_at and self._cut_number >= 0 else 0
        held = max(used or 0, ours)
        if held >= self._highest or now - self._highest_at > self._window:
            self._highest, self._highest_at = held, now
        if self.ceiling.let_in(held, call.weight, self._whole, test=call.test):
            self.news.append(News.LIMIT)

    def refused(self, call: AdmittedCall, count: Count, now: float) -> bool:
        """Record a refusal; return whether a lower limit explains it, and not others."""
        if not call.test and not self._too_soon(call.weight, count, now):
            return False
        if self.ceiling.refused(self._highest, call.weight, now):
            self.news.append(News.LIMIT)
        self.prices.doubt()
        return True

    def _too_soon(self, weight: int, count: Count, now: float) -> bool:
        """Whether a refusal came far below the limit, and nobody is known who filled the window."""
        if count.others is not None or now - self._highest_at > self._window:
            return False
        return FEW * weight <= self._highest < min(self._whole, self.ceiling.weight) * NEAR

    def __repr__(self) -> str:
        return f"<Beliefs {self.ceiling!r}, {self.prices!r}, {self.trust!r}>"
