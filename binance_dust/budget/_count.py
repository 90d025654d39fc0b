"""How much of a window is spent: the smaller of two upper bounds.

Both bounds hold for our own weight, whichever way the exchange counts:

- by time (`OwnWeight`): weight answered longer than a window ago is forgotten.
- by header: an answer says "used u". So of our weight answered before its call left, and of the
  call itself, only u still counts. The rest is forgotten, and stays forgotten.

        forgotten  >=  weight answered before it left  +  its own weight  -  u

  This needs no pause: calls in flight, late or out of order, are not "answered before". The
  spending of others can only make u larger, so the bound smaller.

By header, a fixed window is seen to be empty as soon as its first call is answered. By time, a
sliding window is known to be empty. Neither bound can lead over the limit, even if every idea that
we have of the exchange's windows is wrong: our idea of the cuts decides when we look, not what we
see. Only weight spent before a cut can be found forgotten, so that a header which is too low for
another reason does no harm.

The weight of others behind the same address comes on top (`Others`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from binance_dust.budget._others import Others
from binance_dust.budget._own import OwnWeight

if TYPE_CHECKING:
    from binance_dust.budget._boundary import ServerWindow
    from binance_dust.budget._gates import Valve
    from binance_dust.budget._pool import Pool

FEW: Final = 4
"""Calls that are no burst: so many may go before it is heard whether there is room for them."""
OLD: Final = 1 / 60
"""Part of a window after which a header that said "full" is asked again before a burst."""


class AdmittedCall:
    """A call that was admitted, and what was known when it left: its header is read with that."""

    __slots__ = (
        "alone",
        "answered_before",
        "cleared_before",
        "cut_before",
        "documented",
        "extra",
        "number",
        "sent_at",
        "since_cut",
        "soon",
        "test",
        "weight",
        "witness",
    )

    sent_at: float
    answered_before: int
    """Weight of the pool that was answered before: the header can't have missed it."""
    cleared_before: int
    """Weight that the exchange had certainly forgotten: the header can't show it."""
    cut_before: int
    """All weight taken before the last cut: tells which window the header belongs to."""
    since_cut: int
    """Weight that was let in since that cut, by the answers before: the header holds it."""

    def __init__(self, weight: int, documented: int | None = None) -> None:
        """Start without marks: `Count.mark` sets them when the call is admitted, and sent."""
        self.weight: int = weight
        self.documented: int = weight if documented is None else documented
        self.number: int = 0
        """Tells whether another call was admitted before the answer came."""
        self.soon: bool = False
        """Whether it left right after another answer."""
        self.test: bool = False
        """Whether it went above what is believed of the limit."""
        self.extra: int = 0
        """Weight of copies that the transport sent without asking."""
        self.witness: bool = False
        """Whether this is the first call after a cut."""
        self.alone: bool = False
        """Whether, besides, nothing was in flight around the cut."""


class PoolCall(AdmittedCall):
    """A call that was admitted to a pool."""

    __slots__ = ("pool",)

    pool: Pool

    def stopped(self, gate: Valve) -> bool:
        """Whether a refusal or a ban was heard since: what takes long to sign leaves later."""
        pool = self.pool
        door = pool.door
        return not (gate.lets(self) and pool.valve.lets(self) and (door is None or door.lets(self)))


class Count:
    """The weight that counts in one pool: ours, and what is known of others'."""

    __slots__ = (
        "_window",
        "cut_at",
        "gone",
        "heard_at",
        "heard_gone",
        "in_flight",
        "last_answer",
        "others",
        "own",
        "since_cut",
        "whole",
    )

    def __init__(self, window: float, whole: int) -> None:
        """Start with nothing spent and no others seen."""
        self._window = window
        self.whole: int = whole
        """The limit of the exchange, as it is believed."""
        self.own: OwnWeight = OwnWeight(window)
        self.gone: int = 0
        """Our weight that headers proved forgotten."""
        self.others: Others | None = None
        self.in_flight: int = 0
        """Calls admitted and not answered."""
        self.last_answer: float = float("-inf")
        self.heard_at: float = math.inf
        """When the last header was heard; infinite if the last answer had none."""
        self.heard_gone: int = 0
        """The most weight that a header showed to be forgotten, whether it proves that or not."""
        self.cut_at: int = 0
        """All weight taken before the last cut."""
        self.since_cut: int = 0
        """Weight that was let in since, as answers have said."""

    def ours(self, now: float) -> int:
        """Return the most of our own weight that the exchange may be counting."""
        own = self.own
        spent, held = own.spent(now), own.taken - self.gone
        return min(spent, held)

    @property
    def held(self) -> int:
        """Our own weight, less what headers proved forgotten."""
        return self.own.taken - self.gone

    def total(self, now: float, *, fixed: bool) -> float:
        """Return the weight that the exchange may be counting, with others' as far as seen."""
        own = self.own
        spent, held = own.spent(now), own.taken - self.gone
        if self.others is None:
            return min(spent, held)
        return self.others.expected(now, spent, held, fixed=fixed)

    # --- calls -----------------------------------------------------------------------------------

    def take(self, weight: int) -> None:
        """Spend the weight of an admitted call."""
        self.own.taken += weight
        self.in_flight += 1

    def mark(self, call: AdmittedCall, now: float) -> None:
        """Record what is known when a call leaves."""
        own, gone = self.own, self.gone
        call.sent_at = now
        call.answered_before = own.answered
        call.cleared_before = max(gone, own.forgotten)
        call.cut_before = self.cut_at
        call.since_cut = self.since_cut

    def add_copies(self, call: AdmittedCall, copies: int) -> None:
        """Spend the weight of copies that the transport sent without asking."""
        weight = call.weight * copies
        call.extra += weight
        self.own.taken += weight

    def take_more(self, call: AdmittedCall, used: int, now: float) -> None:
        """Take for ours what a header shows: calls were found to weigh more than was counted."""
        more = max(0, used - self.ours(now))
        self.own.taken += more
        self.own.answer(more, call.sent_at, now)
        self.others = None

    def give_back(self, weight: int) -> None:
        """Undo an admission: the call never left."""
        self.own.taken -= weight
        self.in_flight -= 1

    def answer(self, weight: int, sent: float, now: float) -> None:
        """Record that a call was answered."""
        self.own.answer(weight, sent, now)
        self.in_flight -= 1
        self.last_answer = now
        if self.others is not None and self.others.expired(now):
            self.others = None

    def lose(self, weight: int, sent: float, now: float) -> None:
        """Record that a call was sent and gets no answer."""
        self.own.lose(weight, sent, now)
        self.in_flight -= 1

    # --- what the exchange says ------------------------------------------------------------------

    def let_in(self, call: AdmittedCall) -> None:
        """Record that the exchange let a call in."""
        if call.cut_before == self.cut_at:
            self.since_cut += call.weight

    def read_header(  # noqa: PLR0913 - what one header says, and what it is worth
        self,
        call: AdmittedCall,
        used: int,
        now: float,
        window: ServerWindow,
        *,
        fixed: bool,
        trusted: bool,
    ) -> None:
        """Take what the header of an answer proves; if it is not `trusted`, only what is more."""
        taken, others = self.own.taken, self.others
        shown = call.weight + call.answered_before - used
        self.heard_at = now
        self.heard_gone = max(self.heard_gone, shown)
        gone = min(shown, self.cut_at) if trusted else self.gone
        seen = used > taken - call.cleared_before
        if others is None:
            self.gone = max(self.gone, gone)
            if not seen:
                return
            others = self.others = Others(self._window, self.whole, now)
        else:
            if fixed or others.fresh(call.sent_at):
                others.surprised(now, used - self.total(now, fixed=fixed))
            if trusted and gone >= self.gone - others.grown:
                self.gone = gone
                others.grown = 0
        if call.cut_before != self.cut_at:
            return  # the header belongs to a window that is over
        certain = self._certain(now, fixed=fixed)
        others.unsure = 0 if fixed else self.own.spent(now) - certain
        others.read_header(
            now,
            used - certain,
            used - (taken - self.gone),
            _since(window, now),
            seen=seen,
            last=self.in_flight == 1,
        )

    def full_when_heard(self, weight: int, free: float, now: float) -> bool:
        """Whether there is no room by the headers, and only time says that there is some now.

        Windows may be longer than documented, or the exchange's clock was set back. Weight that
        comes back bit by bit, while headers come all the time, needs no asking.
        """
        if self.heard_at == math.inf:
            return False
        if now - self.heard_at < self._window * OLD and free < FEW * weight:
            return False
        return self.own.taken - self.heard_gone + weight > self.whole

    def heard_nothing(self) -> None:
        """Record a good answer without a header: what headers said before is out of date."""
        self.heard_at = math.inf

    def proven_gone(self, call: AdmittedCall, used: int) -> int:
        """Return the weight that a header proves forgotten.

        Weight is forgotten at cuts, or as time goes by. A header that is lower than it can be in
        the middle of a window counts something else than we do.
        """
        return min(call.weight + call.answered_before - used, self.cut_at)

    def refused(self, now: float, window: ServerWindow, *, fixed: bool) -> None:
        """Record a refusal: others must be spending."""
        if self.others is None:
            self.others = Others(self._window, self.whole, now)
        beyond = self.whole - self._certain(now, fixed=fixed)
        self.others.refused(now, beyond, _since(window, now))

    def cut(self) -> None:
        """Record that the exchange has begun a new window, as far as we know."""
        self.cut_at = self.own.taken
        self.since_cut = 0
        if self.others is not None:
            self.others.close_window()

    def was_ours(self, weight: int, limit: int, now: float) -> bool:
        """Whether what is thought to be others' may have been ours, and is forgotten by now."""
        others, spent = self.others, self.own.spent(now)
        if others is None or others.unsure <= weight or spent > self._certain(now, fixed=False):
            return False
        return weight + others.level - others.unsure <= limit - self.ours(now)

    def _certain(self, now: float, *, fixed: bool) -> int:
        """Return the part of what the exchange counts that is certainly ours.

        By the sliding rule, weight that may be forgotten does not belong here. It is still in
        `OwnWeight.spent`, which would hide as much of theirs.
        """
        return self.own.taken - (self.cut_at if fixed else self.own.maybe_forgotten(now))

    def __repr__(self) -> str:
        extra = "" if self.others is None else f", {self.others!r}"
        return (
            f"<Count {self.own!r}, {self.gone} gone by header, {self.in_flight} in flight{extra}>"
        )


def _since(window: ServerWindow, now: float) -> float:
    return now - window.opened if window.number >= 0 else 0.0
