"""One pool of weight: may this call go now, and if not, when.

Only the exchange knows what is spent, and it tells only in answers. So a pool asks with calls that
are wanted anyway, at the moments when the answer is worth most, and holds the others back until the
answer is here:

- The first call of a pool goes alone, also after a window of silence. Its header tells what others
  have spent; then the rest may go in one burst.
- The weight of one call is left unspent (`reserve`). It pays for the witness: when the pool is
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

from binance_dust.budget._beliefs import Beliefs, News
from binance_dust.budget._boundary import ServerWindow
from binance_dust.budget._count import Count
from binance_dust.budget._gates import Valve
from binance_dust.budget._kept import Cut, Kept

if TYPE_CHECKING:
    from binance_dust.budget._boundary import Boundary
    from binance_dust.budget._count import AdmittedCall
    from binance_dust.budget._door import Door
    from binance_dust.budget._others import Others
    from binance_dust.endpoints import LimitKind

PATIENCE: Final = 1 / 12
"""Part of a window for which the others wait for the answer to the first call."""
LEAST_WAIT: Final = 1 / 2000
"""Part of a window: the shortest time until a recheck, unless something was heard."""
MOST_RESERVE: Final = 1 / 4
"""Part of the limit: no reserve is kept where a single call costs so much."""
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


_NO, _YES, _ALONE = Go  # for each call: a name of an enumeration is slow to look up


class Pool:
    """The weight that one payer may spend on one endpoint."""

    __slots__ = (
        "_caution",
        "_largest",
        "_window",
        "account",
        "asked",
        "beliefs",
        "boundary",
        "count",
        "current",
        "documented",
        "door",
        "kept",
        "kind",
        "limit",
        "name",
        "ours",
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
        self.documented: int = limits[1]
        """The whole limit, as documented; `whole` is what is believed of it."""
        self.ours: int = limits[0]
        """Our part of it; `limit` is our part of what is believed."""
        self.limit: int = limits[0]
        self.whole: int = limits[1]
        self.door: Door | None = None
        """Half open until it is known that accounts pay for the endpoint, if they are said to."""
        self.boundary: Boundary = boundary
        self._window = boundary.window
        self.beliefs: Beliefs = Beliefs(boundary.window, self.whole)
        self.kept: Kept = Kept(boundary.window)
        self.count: Count = Count(boundary.window, self.whole)
        self.valve: Valve = Valve(boundary.window * PATIENCE, half_open=True)
        self.current: ServerWindow = _UNKNOWN
        self.asked = -1
        """Number of the last window that had its witness."""
        self._largest = 0
        self._caution = 1
        """Cuts without a witness after the last refused one."""

    # --- may it go -------------------------------------------------------------------------------

    def may_go(  # noqa: PLR0911 - one for each reason
        self, weight: int, now: float, *, use_reserve: bool = False, kept: int = 0
    ) -> Go:
        """Decide whether the next call may go, and leave the weight that is `kept`.

        `use_reserve` if no other call has waited for long.
        """
        valve, count = self.valve, self.count
        if not valve.open and not valve.passes(now):
            return _NO
        if now >= self.current.closes:
            self.current = self.boundary.window_at(now)
        others = count.others
        free = self.limit - count.ours(now) if others is None else self.free(now)
        if not valve.open or now - count.last_answer > self._window:
            if valve.careful and count.in_flight and self.beliefs.prices.in_doubt(weight):
                return _NO
            room = weight <= free or self.cut_passed()
            return _ALONE if room and not self._is_set_back(weight, now) else _NO
        # A witness is of no use if no other call waits for what it finds out.
        if weight + kept + (0 if use_reserve else self.reserve(weight)) <= free:
            prices = self.beliefs.prices
            if prices.doubtful and prices.in_doubt(weight):
                return _NO if count.in_flight else _ALONE
            if others is not None and not others.fresh(now):
                return _ALONE
            if count.full_when_heard(weight, free, now):
                return _NO if self._is_set_back(weight, now) else _ALONE
            return _YES
        return _ALONE if self._may_probe(weight, others, now) else _NO

    def _is_set_back(self, weight: int, now: float) -> bool:
        """Whether the exchange is in the window that was full: its clock was set back."""
        window = self.boundary.window_at(now) if self.boundary.fixed else None
        if window is None or not self.beliefs.is_full(window, weight, self.limit, self.count):
            return False
        self.current = window
        return True

    def kept_weight(self, weight: int, now: float) -> int:
        """Return what scans leave to single calls, as long as others leave something to us."""
        if self.count.others is not None and not self.boundary.fixed:
            return 0
        return self.kept.weight(weight, self.limit, now, self.count.own, self._next_cut())

    def window_at(self, now: float) -> ServerWindow:
        """Return the exchange's window at this moment."""
        if now >= self.current.closes:
            self.current = self.boundary.window_at(now)
        return self.current

    def _next_cut(self) -> Cut:
        current, boundary = self.current, self.boundary
        at = current.closes if current.number >= 0 else math.inf
        return Cut(at, boundary.fixed and at < math.inf, boundary.slides)

    def _may_probe(self, weight: int, others: Others | None, now: float) -> bool:
        """Whether one call may go to learn from its header, without room for a burst."""
        count, fixed = self.count, self.boundary.fixed
        if count.in_flight:
            return False
        if self.beliefs.ceiling.test_due(now) and self._full_to_the_ceiling(weight, now):
            return True
        witness_due = self.witness_due()
        if others is None:
            return witness_due and weight <= self.free(now)
        room = min(self.limit - count.ours(now), self.whole - count.total(now, fixed=fixed))
        if fixed:
            # Others may have spent the reserve of the witness, but cuts were seen to hold.
            due = others.probe_due(now) and weight + others.cushion(now) <= room
            return witness_due or due
        return weight <= room if witness_due else count.was_ours(weight, self.limit, now)

    def free(self, now: float) -> float:
        """Return the weight that may be spent in one burst."""
        count = self.count
        own = self.limit - count.ours(now)
        others = count.others
        if others is None:
            return own
        fixed = self.boundary.fixed
        reserved = others.reserved(now, self.current.closes, self._largest, fixed=fixed)
        return min(own, self.whole - count.total(now, fixed=fixed) - reserved)

    def reserve(self, weight: int) -> int:
        """Return the weight kept for a witness, where there can be one."""
        if self.count.others is not None and (
            self.boundary.fixed or self.asked > self.current.number
        ):
            return 0  # the witness goes anyway, or not at all
        largest = max(weight, self._largest)
        return largest if self.current.number >= 0 and largest < self.limit * MOST_RESERVE else 0

    def witness_due(self) -> bool:
        """Whether a cut has passed, no witness was sent since, and nothing is in flight."""
        return self.current.number > self.asked and self.count.in_flight == 0

    def cut_passed(self) -> bool:
        """Whether a new window has begun, as far as one can know before a witness."""
        return self.boundary.fixed and self.witness_due()

    # --- when ------------------------------------------------------------------------------------

    def recheck_at(self, weight: int, now: float, *, kept: int = 0) -> float:
        """Return when to check again whether a call may go, if nothing is heard before."""
        valve, count = self.valve, self.count
        if not valve.passes(now):
            return valve.next_chance(now)
        room = self.free(now) - weight - (self.reserve(weight) if valve.open else 0) - kept
        own = count.own
        chances = []
        if kept:
            chances.append(self.kept.until(weight, self.limit, now, own, self._next_cut()))
        chances.append(own.room_at(max(1, round(-room)), now))
        if self.current.number >= 0:
            chances.append(self.current.closes)
        if count.others is not None:
            # The next probe of others, and the end of what is known of them.
            chances.append(count.others.heard + self._window * (1 + LEAST_WAIT))
            if self.boundary.fixed:
                # Often before the cut: then what others have left over is ours.
                left = self.current.closes - now
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
        if self.current.number < 0:  # the exchange's time may be learnt, and so its cuts
            again = min(again, self.boundary.likely_close(now))
        return max(shut, again)

    # --- what happened ---------------------------------------------------------------------------

    def admit(self, call: AdmittedCall, now: float, go: Go) -> None:
        """Spend the weight of a call, and mark what is known as it leaves."""
        weight, count, current = call.weight, self.count, self.current
        if not count.in_flight and now - count.last_answer > self._window:
            self.kept.begun = now
        if current.number > self.asked:
            # The first call after a cut: its header tells whether there was one.
            call.witness = True
            call.alone = count.in_flight == 0 and count.last_answer < (
                current.opened - 2 * self.boundary.margin
            )
            self.asked = current.number
            count.cut()
            self.beliefs.cut(current.number)
        self.beliefs.admit(call, count, now, first=go is _ALONE)
        if self.whole < self.documented:
            call.test = weight > self.free(now)
        count.mark(call, now)
        self._largest = max(self._largest, weight)
        count.own.taken += weight
        count.in_flight += 1
        if go is _ALONE:
            self.valve.let_first(call, now)

    def give_back(self, call: AdmittedCall) -> None:
        """Take back the weight of a call that never left."""
        self.count.give_back(call.weight + call.extra)
        if call.witness and call.cut_before == self.count.cut_at:
            self.asked -= 1

    def lose(self, call: AdmittedCall, now: float) -> None:
        """Record that a call gets no answer."""
        self.count.lose(call.weight + call.extra, call.sent_at, now)

    def answer(
        self,
        call: AdmittedCall,
        used: int | None,
        now: float,
        *,
        good: bool = True,
        result: bool = True,
    ) -> None:
        """Record an answer and what its header says.

        The call of a `good` one was counted. Only one with a `result` tells what is let in.
        """
        count, boundary, beliefs = self.count, self.boundary, self.beliefs
        if used is not None and not beliefs.is_possible(used):
            if not beliefs.trust.numb:
                self.valve.open_half()  # full, as it seems: one call asks whether that is so
            used = None
        if used is not None:
            if good and result and beliefs.weigh_header(call, used, count, self.current, now):
                beliefs.refute(call, boundary)
            if call.witness:
                gone = count.proven_gone(call, used)
                beliefs.test_cut(call, gone, count, boundary, self.limit, now)
            fixed = boundary.fixed
            trusted = beliefs.trusts(fixed=fixed)
            count.read_header(call, used, now, self.current, fixed=fixed, trusted=trusted)
        elif good and result:
            count.heard_nothing()
            beliefs.heard_nothing(call)
        if good and result:
            beliefs.let_in(call, used, count, self.current, now)
            if self.whole < self.documented:
                self._believe_limit()
        if good:
            count.answer(call.weight + call.extra, call.sent_at, now)
        else:
            # Whether the exchange has counted it, nobody knows: it proves nothing.
            self.lose(call, now)

    def set_limits(self, ours: int, whole: int) -> None:
        """Take other limits: our part, and the whole."""
        self.ours, self.documented = ours, whole
        self.beliefs.set_whole(whole)
        self._believe_limit()

    def _believe_limit(self) -> None:
        """Let no more through than is believed to be let in."""
        limit, whole = self.ours, self.documented
        ceiling = self.beliefs.ceiling.weight
        if ceiling < whole:
            limit, whole = min(limit, math.ceil(ceiling * limit / whole)), int(ceiling)
        self.limit, self.whole = limit, whole
        self.count.whole = whole

    def refuse(self, call: AdmittedCall, wait: float | None, now: float) -> None:
        """Record a refusal, and shut the pool."""
        if call.witness:
            # Others have spent the reserve. Don't send a witness at every cut.
            self._caution = min(self._caution * CAUTION, MOST_CAUTION)
            self.asked += self._caution
            if self.boundary.fixed:
                self.boundary.lost()
                self.beliefs.news.append(News.NOT_FIXED)
        # Retry-After is sometimes 0: shut until the window ends, as far as its end is known.
        if not wait:
            end = self.current.closes if self.boundary.fixed else now + self.count.own.keep
            wait = max(end - now, self.boundary.margin)
        first = now >= self.valve.until
        if self.beliefs.refused(call, self.count, now, wait, first=first):
            self._believe_limit()
        elif first and self.count.last_answer > _NEVER:
            # Before anything was let in, it may be what an earlier process of ours has spent.
            self.count.refused(now, self.current, fixed=self.boundary.fixed)
        self.valve.shut(now + wait, now)

    def bar(self, call: AdmittedCall, now: float) -> None:
        """Record that the address was banned: in a burst of refusals this is one of them."""
        shut = self.valve.until - now
        if shut > 0 and self.beliefs.refused(call, self.count, now, shut, first=False):
            self._believe_limit()

    def _full_to_the_ceiling(self, weight: int, now: float) -> bool:
        """Whether nothing but the ceiling forbids a call, so that it can test it."""
        spent = self.count.total(now, fixed=self.boundary.fixed)
        return spent + weight > self.limit >= spent and spent + weight <= self.ours

    # --- how it looks ----------------------------------------------------------------------------

    def idle(self, now: float) -> bool:
        """Whether nothing is lost if this pool is forgotten."""
        learnt = self.whole < self.documented
        return now >= self.valve.until and self.count.own.spent(now) == 0 and not learnt

    def __repr__(self) -> str:
        account = f" ({self.account})" if self.account else ""
        return f"<Pool {self.name}{account}: {self.count!r}, {self.valve!r}>"
