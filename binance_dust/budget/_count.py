"""How much of a window is spent: the least of what is certainly true.

Two upper bounds hold for our own weight, whichever way the exchange counts:

- by time (`Ledger`): what was answered longer than a window ago is forgotten.
- by header: an answer that says "used u" says that, of all our weight that had been answered before
  its call left, and of the call itself, only u is still counted. The rest is forgotten, and stays
  so.

        forgotten  >=  weight answered before it left  +  its own weight  -  u

  It needs no pause: calls in flight, late or out of order, are simply not among those "answered
  before". Others' spending can only make u larger, so the bound smaller.

The lesser bound counts. By header a fixed window is seen to be empty as soon as its first call is
answered; by time a sliding one is known to be. Neither can lead over the limit, even if every idea
that we have of the exchange's windows is wrong: where we take the cuts to be decides when we look,
not what we see. Only what was spent before such a cut can be found forgotten, though, so that a
header which is too low for any other reason does no harm.

With others behind the same address their weight comes on top (`Others`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.budget._ledger import Ledger
from binance_dust.budget._others import Others

if TYPE_CHECKING:
    from binance_dust.budget._admission import LocalAdmission
    from binance_dust.budget._boundary import Span


class Count:
    """Weight of one pool: ours, and what is known of others'."""

    __slots__ = ("_whole", "_window", "cut_at", "flying", "gone", "last_answer", "ledger", "others")

    def __init__(self, window: float, whole: int) -> None:
        """Begin with nothing spent and nobody seen."""
        self._window = window
        self._whole = whole
        self.ledger: Ledger = Ledger(window)
        self.gone: int = 0
        """Our weight that headers prove forgotten."""
        self.others: Others | None = None
        self.flying: int = 0
        """Calls that were admitted and are not answered."""
        self.last_answer: float = float("-inf")
        self.cut_at: int = 0
        """All weight that was taken before the last cut."""

    def ours(self, now: float) -> int:
        """Give the most of our own weight that the exchange may be counting."""
        ledger = self.ledger
        spent = ledger.spent(now)
        return min(self.held, spent)

    @property
    def held(self) -> int:
        """Our own weight, less what headers prove forgotten."""
        return self.ledger.taken - self.gone

    def total(self, now: float, *, fixed: bool) -> float:
        """Give the weight that the exchange may be counting, others' as far as they were seen."""
        if self.others is None:
            return self.ours(now)
        return self.others.expected(now, self.ledger.spent(now), self.held, fixed=fixed)

    def take(self, weight: int) -> None:
        """Spend: a call is admitted."""
        self.ledger.taken += weight
        self.flying += 1

    def give_back(self, weight: int) -> None:
        """Undo: a call never left."""
        self.ledger.taken -= weight
        self.flying -= 1

    def answer(self, weight: int, sent: float, now: float) -> None:
        """Note that a call was answered."""
        self.ledger.answer(weight, sent, now)
        self.flying -= 1
        self.last_answer = now
        if self.others is not None and self.others.gone(now):
            self.others = None

    def lose(self, weight: int, sent: float, now: float) -> None:
        """Note that a call was sent, and that no answer will come."""
        self.ledger.lose(weight, sent, now)
        self.flying -= 1

    def listen(
        self, call: LocalAdmission, used: int, now: float, span: Span, *, fixed: bool
    ) -> None:
        """Take what the header of an answer proves."""
        gone, taken, others = self.proven_gone(call, used), self.ledger.taken, self.others
        seen = used > taken - call.cleared_before
        if others is None:
            self.gone = max(self.gone, gone)
            if not seen:
                return
            others = self.others = Others(self._window, self._whole, now)
        else:
            if fixed or others.fresh(call.sent_at):
                others.surprised(now, used - self.total(now, fixed=fixed))
            if gone >= self.gone - others.grown:
                self.gone = gone
                others.grown = 0
        if call.cut_before != self.cut_at:
            return  # it tells of a window that is over
        others.listen(
            now,
            used - self._certain(now, fixed=fixed),
            used - (taken - self.gone),
            _since(span, now),
            seen=seen,
            last=self.flying == 1,
        )

    @property
    def cleared(self) -> int:
        """Our weight that no window holds any more."""
        return max(self.ledger.forgotten, self.gone)

    def proven_gone(self, call: LocalAdmission, used: int) -> int:
        """Give the weight that is forgotten by the account of a header.

        Weight is forgotten at cuts, or as time goes by. A header that is lower than it can be in
        the middle of a window is some other count than ours.
        """
        return min(call.weight + call.answered_before - used, self.cut_at)

    def refused(self, now: float, span: Span, *, fixed: bool) -> None:
        """Note a refusal: somebody else must be spending."""
        if self.others is None:
            self.others = Others(self._window, self._whole, now)
        beyond = self._whole - self._certain(now, fixed=fixed)
        self.others.refused(now, beyond, _since(span, now))

    def _certain(self, now: float, *, fixed: bool) -> int:
        """Give what is ours of the weight that the exchange counts.

        By the sliding rule only what is counted for certain: what may be forgotten already is still
        in `Ledger.spent`, and would hide as much of theirs.
        """
        return self.ledger.taken - (self.cut_at if fixed else self.ledger.maybe_forgotten(now))

    def cut(self) -> None:
        """Note that a window of the exchange's has begun, as we believe."""
        self.cut_at = self.ledger.taken
        if self.others is not None:
            self.others.turn()

    def __repr__(self) -> str:
        extra = "" if self.others is None else f", {self.others!r}"
        return (
            f"<Count {self.ledger!r}, {self.gone} gone by header, {self.flying} in flight{extra}>"
        )


def _since(span: Span, now: float) -> float:
    return now - span.opened if span.number >= 0 else 0.0
