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
"""Calls of a burst that have to be let in, or refused, before the limit is doubted."""
MUCH: Final = 1 / 4
"""Part of the limit that has to be let in before headers agree again that have contradicted it."""
ENOUGH: Final = 3 / 4
"""Part of the limit that has to be let in after a ban until all calls go at once again."""
UNDISPUTED: Final = 1 / 4
"""Part of the limit that others can't have spent in the moment after a cut."""
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
        "_agreed",
        "_alone",
        "_compared_at",
        "_highest",
        "_highest_at",
        "_needed",
        "_peak",
        "_refusals",
        "_soon",
        "_unexplained",
        "_whole",
        "_window",
        "ceiling",
        "cut_number",
        "news",
        "prices",
        "trust",
    )

    def __init__(self, window: float, whole: int) -> None:
        """Start as documented: `whole` is the exchange's limit."""
        self._window = window
        self._soon = window * SOON
        self._whole = whole
        self.cut_number: int = -1
        """Number of the window in which `Count.cut` was told of its beginning."""
        self._highest = 0
        """The most weight that a window held when a call was let in."""
        self._highest_at = -math.inf
        self._peak = 0
        """The highest header since the last cut."""
        self._agreed = False
        """Whether it has reached what answers have let in."""
        self._needed = 0.0
        """So much has to be let in before it may be said to agree."""
        self._refusals = 0
        """Calls that were refused since a window was nearly full."""
        self._alone = True
        """Whether no others were seen before it."""
        self._unexplained = False
        """Whether they may turn out to be the limit's doing: too few had been let in so far."""
        self._compared_at = -math.inf
        """When a header was compared last."""
        self.ceiling: WeightCeiling = WeightCeiling(window)
        self.prices: Prices = Prices()
        self.trust: HeaderTrust = HeaderTrust()
        self.news: list[News] = []
        """What has changed, and nobody was told yet."""

    def set_whole(self, whole: int) -> None:
        """Take another limit of the exchange."""
        self._whole = whole

    def admit(self, call: AdmittedCall, count: Count, now: float, *, first: bool = False) -> None:
        """Mark what the answer to a call can tell."""
        call.soon = now - count.last_answer < self._soon
        call.number = self.prices.admit(alone=count.in_flight == 0, first=first)

    def cut(self, number: int) -> None:
        """Record that our first call of a window goes."""
        self.cut_number = number
        self._peak = 0

    def is_full(self, window: ServerWindow, weight: int, limit: int, count: Count) -> bool:
        """Whether a window is the one that was counted last, or an earlier one, and has no room."""
        full = count.own.taken - count.cut_at + weight > limit
        return window.number < self.cut_number or (window.number == self.cut_number and full)

    def test_cut(  # noqa: PLR0913, PLR0917 - what the header of a witness is compared with
        self,
        witness: AdmittedCall,
        gone: int,
        count: Count,
        boundary: Boundary,
        limit: int,
        now: float,
    ) -> None:
        """Learn from a witness whether windows are fixed: its header shows that so much is gone."""
        maybe_forgotten = count.own.maybe_forgotten(now)
        if gone > maybe_forgotten:
            if not boundary.fixed and self.trusts(fixed=False):
                boundary.learnt()
                self.news.append(News.FIXED)
            return
        certain = witness.answered_before - maybe_forgotten
        if witness.alone and certain >= limit * UNDISPUTED:
            if boundary.fixed:
                boundary.lost()
                self.news.append(News.NOT_FIXED)
            boundary.slides = True

    def trusts(self, *, fixed: bool) -> bool:
        """Whether headers that show less than ours are believed: right so far, and to the end.

        A header that counts a part of the calls only, or guesses, may be right for each call of a
        burst, but never reaches all that was let in.
        """
        return self.trust.earned and (fixed or self._agreed)

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
        learnt = self.prices.read(call.documented, call.number, used, soon=call.soon)
        odd = self.prices.doubtful or self.prices.learnt or count.others is not None
        if odd and not learnt:
            first = now - self._compared_at >= self._soon
            self._compared_at = now
            learnt = self.prices.compare(call.documented, used, first=first)
        if learnt:
            self.news.append(News.WEIGHT)
            count.take_more(call, used, now)
        else:
            self._give_up()
        same_window = call.cut_before == count.cut_at and self.cut_number == window.number >= 0
        if not call.since_cut or not same_window:
            return False
        if used >= call.since_cut + call.weight:
            self.trust.right()
            return False
        return now < window.closes - self._window * BEFORE_CUT

    def heard_nothing(self, call: AdmittedCall) -> None:
        """Record a good answer without a header."""
        self.prices.heard_nothing(call.documented, call.number, soon=call.soon)
        self._give_up()

    def _give_up(self) -> None:
        """Tell of a weight that nothing has confirmed."""
        if self.prices.doubtful and self.prices.give_up():
            self.news.append(News.WEIGHT)

    def refute(self, call: AdmittedCall, boundary: Boundary) -> None:
        """Give up a belief that a header contradicts: a higher weight, or else the headers."""
        if call.weight > call.documented:
            self.prices.refute(call.documented)
            self.cut_number = -1  # what was added up is too much: begin anew at the next cut
            return
        if self.trust.wrong():
            self.news.append(News.HEADERS)
        if boundary.fixed:
            boundary.lost()
            self.news.append(News.NOT_FIXED)

    def let_in(
        self, call: AdmittedCall, used: int | None, count: Count, window: ServerWindow, now: float
    ) -> None:
        """Remember how much a window held when a call was let in."""
        count.let_in(call)
        held = used or 0
        if call.cut_before == count.cut_at and self.cut_number == window.number >= 0:
            ours = count.since_cut
            # Compared by hand, for each call: `max` takes longer.
            if held > self._peak:  # noqa: PLR1730
                self._peak = held
            if self._peak < ours:
                # Near the next cut it may be past already: then a lower header means nothing.
                if now < window.closes - self._soon:
                    self._agreed, self._needed = False, self._whole * MUCH
            elif not self._agreed and ours >= self._needed:
                self._agreed = True
            if held < ours:  # noqa: PLR1730
                held = ours
        if held >= self._highest or now - self._highest_at > self._window:
            self._highest, self._highest_at = held, now
        if self.ceiling.let_in(held, call.weight, self._whole, test=call.test):
            self.news.append(News.LIMIT)

    def explains_ban(self, count: Count) -> bool:
        """Whether a ban would not come again: its cause was learnt, or much was let in since."""
        most = min(self._whole, self.ceiling.weight)
        if most < self._whole or self.prices.learnt or count.since_cut >= most * ENOUGH:
            return True
        return self.trusts(fixed=False) and self._highest >= most * ENOUGH

    def refused(
        self, call: AdmittedCall, count: Count, now: float, wait: float, *, first: bool
    ) -> bool:
        """Record a refusal; return whether a lower limit explains it, and not others.

        It shuts the pool for a `wait`. All refusals of a burst are one event: the `first` of them
        may come before it is heard how many of the burst were let in, so that later ones may
        explain it. They add up until a window was nearly full.
        """
        if first:
            self._unexplained, self._alone = True, count.others is None
            if call.number < 0:  # it was not alone, so that more of a burst may be refused
                self.prices.doubt(call.documented)
            if self._is_nearly_full:
                self._refusals = 0
        self._refusals += 1
        sudden = self._unexplained and self._too_soon(call.weight)
        if not sudden and not (first and call.test):
            return False
        self._unexplained, self._refusals = False, 0
        if not first:
            count.others = None  # they were only thought of to explain this burst
        if self.ceiling.refused(self._highest, call.weight, now, wait):
            self.news.append(News.LIMIT)
        return True

    def _too_soon(self, weight: int) -> bool:
        """Whether a burst was refused far below the limit, and that is no accident of a moment.

        If others were seen before, they may have taken what a few calls need.
        """
        enough = (self._alone and self._highest >= FEW * weight) or self._refusals >= FEW
        return enough and not self._is_nearly_full

    @property
    def _is_nearly_full(self) -> bool:
        """Whether the window that was counted last has held nearly as much as it may."""
        return self._highest >= min(self._whole, self.ceiling.weight) * NEAR

    def __repr__(self) -> str:
        return f"<Beliefs {self.ceiling!r}, {self.prices!r}, {self.trust!r}>"
