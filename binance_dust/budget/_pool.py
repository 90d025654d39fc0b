"""One pool of weight: may this call go now, and if not, when.

Only the exchange knows what is spent, and it tells only in answers. So a pool asks with calls that
are wanted anyway, at the moments when the answer is worth most, and holds the others back until the
answer is here:

- The first call of a pool goes alone, also after a window of silence. Its header tells what others
  have spent; then the rest may go in one burst.
- The weight of one call is left unspent (`_reserve`). It pays for the witness: when the pool is
  full and a cut has passed, one call goes, with nothing in flight, and its header tells whether the
  count went on or began anew. If it went on, nothing is lost: there was room for it.

A witness *proves* fixed windows if its header shows more forgotten than a sliding window could have
forgotten: the spending of others can hide that, but not fake it. It *disproves* them if the count
went on although much had been answered, and nothing was in flight, around the cut.

The proof is not what keeps us below the limit: `Count` does, for any windows at all. The proof
decides how the time of the next room is forecast, and how others are left their part.

- After a refusal (429) the pool is shut for as long as the exchange said. Then one call goes alone.

A pool is a value: it does no I/O, sets no timer and knows nothing of the calls that wait for it.
"""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, Final

from binance_dust.budget._boundary import ServerWindow
from binance_dust.budget._count import Count
from binance_dust.budget._gates import Valve

if TYPE_CHECKING:
    from binance_dust.budget._boundary import Boundary
    from binance_dust.budget._count import AdmittedCall
    from binance_dust.budget._others import Others
    from binance_dust.endpoints import LimitKind

PATIENCE: Final = 1 / 12
"""Part of a window for which the others wait for the answer to the first call."""
RESERVE_FREED: Final = 1 / 20
"""Part of a window after which the only call that waits may take the reserve of the witness."""
LEAST_WAIT: Final = 1 / 2000
"""Part of a window: the shortest time until a recheck, unless something was heard."""
MOST_RESERVE: Final = 1 / 4
"""Part of the limit: no reserve is kept where a single call costs more."""
UNDISPUTED: Final = 1 / 4
"""Part of the limit that others can't have spent in the moment after a cut."""
CAUTION: Final = 8
MOST_CAUTION: Final = 512
"""Each refused witness puts the next one off for so many times more cuts, up to the most."""
_NEVER: Final = float("-inf")
_UNKNOWN: Final = ServerWindow(-1, _NEVER, _NEVER)


class Go(enum.IntEnum):
    """Whether a call may go, and whether the others wait for its answer."""

    NO = 0
    YES = 1
    ALONE = 2


class Proof(enum.Enum):
    """What a witness has changed: windows are fixed, or a cut did not hold."""

    LEARNT = "learnt"
    LOST = "lost"


class Pool:
    """The weight that one payer may spend on one endpoint."""

    __slots__ = (
        "_asked",
        "_caution",
        "_current",
        "_largest",
        "_window",
        "account",
        "boundary",
        "count",
        "kind",
        "limit",
        "name",
        "valve",
        "whole",
    )

    def __init__(
        self,
        name: str,
        kind: LimitKind,
        account: str | None,
        limits: tuple[int, int],
        boundary: Boundary,
    ) -> None:
        """Start with nothing spent; `limits` are our part, and the whole."""
        self.name: str = name
        self.kind: LimitKind = kind
        self.account: str | None = account
        self.limit: int = limits[0]
        self.whole: int = limits[1]
        self.boundary: Boundary = boundary
        self._window = boundary.window
        self.count: Count = Count(boundary.window, self.whole)
        self.valve: Valve = Valve(boundary.window * PATIENCE, half_open=True)
        self._current = _UNKNOWN
        self._asked = -1
        """Number of the last window that had its witness."""
        self._largest = 0
        self._caution = 1
        """Cuts without a witness after the last refused one."""

    # --- may it go -------------------------------------------------------------------------------

    def may_go(self, weight: int, now: float, *, use_reserve: bool = False) -> Go:
        """Decide whether the next call may go; `use_reserve` if no other call waits for long."""
        valve, count = self.valve, self.count
        if not valve.open and not valve.passes(now):
            return Go.NO
        if now >= self._current.closes:
            self._current = self.boundary.window_at(now)
        free = self._free(now)
        if not valve.open or now - count.last_answer > self._window:
            return Go.ALONE if weight <= free or self._cut_passed() else Go.NO
        others = count.others
        # A witness is of no use if no other call waits for what it finds out.
        if weight + (0 if use_reserve else self._reserve(weight)) <= free:
            return Go.YES if others is None or others.fresh(now) else Go.ALONE
        return Go.ALONE if self._may_probe(weight, others, now) else Go.NO

    def _may_probe(self, weight: int, others: Others | None, now: float) -> bool:
        """Whether one call may go to learn from its header, without room for a burst."""
        count, fixed = self.count, self.boundary.fixed
        if count.in_flight:
            return False
        witness_due = self._witness_due()
        if others is None:
            return witness_due and weight <= self._free(now)
        if fixed and witness_due:
            # Others may have spent the reserve of the witness, but cuts were seen to hold.
            return True
        room = min(self.limit - count.ours(now), self.whole - count.total(now, fixed=fixed))
        if witness_due:
            return weight <= room
        return fixed and others.probe_due(now) and weight + others.cushion(now) <= room

    def _free(self, now: float) -> float:
        """Return the weight that may be spent in one burst."""
        count = self.count
        own = self.limit - count.ours(now)
        others = count.others
        if others is None:
            return own
        fixed = self.boundary.fixed
        reserved = others.reserved(now, self._current.closes, self._largest, fixed=fixed)
        return min(own, self.whole - count.total(now, fixed=fixed) - reserved)

    def _reserve(self, weight: int) -> int:
        """Return the weight kept for a witness, where there can be one."""
        if self.count.others is not None and (
            self.boundary.fixed or self._asked > self._current.number
        ):
            return 0  # the witness goes anyway, or not at all
        largest = max(weight, self._largest)
        return largest if self._current.number >= 0 and largest <= self.limit * MOST_RESERVE else 0

    def _witness_due(self) -> bool:
        """Whether a cut has passed, no witness was sent since, and nothing is in flight."""
        return self._current.number > self._asked and self.count.in_flight == 0

    def _cut_passed(self) -> bool:
        """Whether a new window has begun, as far as one can know before a witness."""
        return self.boundary.fixed and self._witness_due()

    # --- when ------------------------------------------------------------------------------------

    def recheck_at(self, weight: int, now: float) -> float:
        """Return when to check again whether a call may go, if nothing is heard before."""
        valve, count = self.valve, self.count
        if not valve.passes(now):
            return valve.next_chance(now)
        room = self._free(now) - weight - (self._reserve(weight) if valve.open else 0)
        chances = [count.own.room_at(max(1, round(-room)), now)]
        if self._current.number >= 0:
            chances.append(self._current.closes)
        if count.others is not None:
            # The next probe of others, and the end of what is known of them.
            chances.append(count.others.heard + self._window)
            if self.boundary.fixed:
                # Often before the cut: then what others have left over is ours.
                left = self._current.closes - now
                chances.append(now + max(self._window / 240, min(self._window / 16, left / 4)))
        # A chance that is past was none, or this would not be asked.
        soonest = now + self._window * LEAST_WAIT
        return max(soonest, min((chance for chance in chances if chance > now), default=soonest))

    def blocked_until(self, weight: int, now: float, *, use_reserve: bool = False) -> float:
        """Return the moment before which nothing can go, whatever is heard.

        Only the pool counts here: not the pace, and not a ban of the address.
        """
        shut = max(self.valve.until, now)
        if self.count.in_flight or self.may_go(weight, now, use_reserve=use_reserve) is not Go.NO:
            return shut
        again = self.recheck_at(weight, now)
        if self._current.number < 0:  # the exchange's time may be learnt, and so its cuts
            again = min(again, self.boundary.likely_close(now))
        return max(shut, again)

    def earliest(self, weight: int, now: float) -> float:
        """Return the earliest moment for the last of `weight`: deadlines are compared with it.

        Everything that may turn out to be free counts as free, since a call that is told "too late"
        never comes back: what others are expected to spend, a window that may have begun anew, and
        a cut ahead of us, unless one was seen not to hold.
        """
        begin = max(now, self.valve.until)
        if now >= self._current.closes:
            self._current = self.boundary.window_at(now)
        room, reserve = self._room_at_best(now), self._reserve(0)
        short = weight - room
        if short <= 0:
            # The last call may take the reserve when no other call has waited for a while.
            alone = short + reserve > 0 and not self._witness_due()
            return max(begin, now + self._window * RESERVE_FREED) if alone else begin
        rounds, rest = divmod(math.ceil(short) - 1, self.limit - reserve)
        given_back = self.count.own.room_at(rest + 1, now)
        if not self._sliding:
            cut = self._current.closes
            if self._current.number < 0:
                cut = self.boundary.likely_close(now)
            given_back = cut if self.boundary.fixed else min(cut, given_back)
        return max(begin, given_back) + rounds * self._window

    @property
    def _sliding(self) -> bool:
        """Whether no cut can be hoped for: a count went on past one, or no witness is sent."""
        return self.boundary.slides or self._asked > self._current.number

    def _room_at_best(self, now: float) -> int:
        """Return the weight that might be spent if every answer is the best possible."""
        count, ours = self.count, self.count.ours(now)
        if self._sliding:
            return self.limit - ours
        if self._current.number > self._asked:
            return self.limit
        if count.in_flight:
            return self.limit - min(ours, count.own.taken - count.cut_at)
        room = self.limit - ours
        if count.others is not None and self.boundary.fixed:
            # What others were seen to spend counts until the cut.
            room = min(room, self.whole - count.held - count.others.grown)
        return max(0, room)

    def forecast(self, weight: int, now: float) -> float:
        """Return when the last of `weight` will go: a forecast for users, not too short.

        Until windows are proven to be fixed, they are taken to slide. That is later than with cuts
        by less than a window, however many windows it takes.
        """
        begin, boundary = max(now, self.valve.until), self.boundary
        if now >= self._current.closes:
            self._current = boundary.window_at(now)
        reserve = self._reserve(0)
        free = self.limit if self._cut_passed() else max(0, self._free(now) - reserve)
        short = weight - math.floor(free)
        if short <= 0:
            return begin
        if boundary.fixed:
            rounds = (short - 1) // self.limit
            return max(begin, boundary.likely_close(now)) + rounds * self._window
        rounds, rest = divmod(short - 1, self.limit - reserve)
        return max(begin, self.count.own.room_at(rest + 1, now)) + rounds * self._window

    # --- what happened ---------------------------------------------------------------------------

    def admit(self, call: AdmittedCall, now: float, go: Go) -> None:
        """Spend the weight of a call, and mark what is known as it leaves."""
        weight, count, current = call.weight, self.count, self._current
        if current.number > self._asked:
            # The first call after a cut: its header tells whether there was one.
            call.witness = True
            call.alone = count.in_flight == 0 and count.last_answer < (
                current.opened - 2 * self.boundary.margin
            )
            self._asked = current.number
            count.cut()
        count.mark(call, now)
        self._largest = max(self._largest, weight)
        count.take(weight)
        if go is Go.ALONE:
            self.valve.let_first(call, now)

    def give_back(self, call: AdmittedCall) -> None:
        """Take back the weight of a call that never left."""
        self.count.give_back(call.weight + call.extra)
        if call.witness and call.cut_before == self.count.cut_at:
            self._asked -= 1

    def lose(self, call: AdmittedCall, now: float) -> None:
        """Record that a call gets no answer."""
        self.count.lose(call.weight + call.extra, call.sent_at, now)

    def answer(self, call: AdmittedCall, used: int | None, now: float) -> Proof | None:
        """Record an answer and what its header says; return what that proves."""
        count, boundary = self.count, self.boundary
        proof: Proof | None = None
        if used is not None:
            if call.witness:
                proof = self._test_cut(call, count.proven_gone(call, used), now)
            count.read_header(call, used, now, self._current, fixed=boundary.fixed)
        count.answer(call.weight + call.extra, call.sent_at, now)
        return proof

    def refuse(self, call: AdmittedCall, wait: float | None, now: float) -> Proof | None:
        """Record a refusal, and shut the pool; return what the refusal proves."""
        proof: Proof | None = None
        if call.witness:
            # Others have spent the reserve. Don't send a witness at every cut.
            self._caution = min(self._caution * CAUTION, MOST_CAUTION)
            self._asked += self._caution
            if self.boundary.fixed:
                self.boundary.lost()
                proof = Proof.LOST
        if now >= self.valve.until:
            fixed = self.boundary.fixed
            self.count.refused(now, self._current, fixed=fixed)
        # Retry-After is sometimes 0: shut until the window ends, as far as its end is known.
        if not wait:
            end = self._current.closes if self.boundary.fixed else now + self.count.own.keep
            wait = max(end - now, self.boundary.margin)
        self.valve.shut(now + wait)
        return proof

    def _test_cut(self, witness: AdmittedCall, gone: int, now: float) -> Proof | None:
        boundary = self.boundary
        maybe_forgotten = self.count.own.maybe_forgotten(now)
        if gone > maybe_forgotten:
            if boundary.fixed:
                return None
            boundary.learnt()
            return Proof.LEARNT
        certain = witness.answered_before - maybe_forgotten
        if witness.alone and certain >= self.limit * UNDISPUTED:
            if boundary.fixed:
                boundary.lost()
                return Proof.LOST
            boundary.slides = True
        return None

    # --- how it looks ----------------------------------------------------------------------------

    def idle(self, now: float) -> bool:
        """Whether nothing is lost if this pool is forgotten."""
        return now >= self.valve.until and self.count.own.spent(now) == 0

    def used(self, now: float) -> int:
        """Return the weight that the exchange may be counting."""
        return round(self.count.total(now, fixed=self.boundary.fixed))

    def others(self, now: float) -> int:
        """Return the weight that others were last seen to spend in a window."""
        others = self.count.others
        if others is None or now - others.heard > self._window:
            return 0
        share = others.share if self.boundary.fixed else None
        return others.level if share is None else round(share)

    def resets_in(self, now: float) -> float:
        """Return the seconds until all that counts now is given back."""
        used = self.count.ours(now)
        if not used:
            return 0.0
        # All that counts by time, also what a header has proven forgotten.
        own = self.count.own
        by_time = own.room_at(own.spent(now), now) - now
        if self.boundary.fixed:
            return min(by_time, self.boundary.window_at(now).closes - now)
        return by_time

    def __repr__(self) -> str:
        account = f" ({self.account})" if self.account else ""
        return f"<Pool {self.name}{account}: {self.count!r}, {self.valve!r}>"
