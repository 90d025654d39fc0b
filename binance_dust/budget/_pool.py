"""One pool of weight: may this call go now, and if not, when.

Nobody but the exchange knows what is spent, and it tells only those who ask. So a pool asks with
calls that are wanted anyway, at the moments when the answer is worth most, and holds the others
back until it is here:

- The first call of a pool goes alone, also after a window of silence. Its header tells what others
  have spent; then the rest may go in one burst.
- One call's worth is left unspent (`reserve`). It pays for the witness: when the pool is full and a
  cut of the clock has passed, one call goes, with nothing in flight, and its header tells whether
  the count went on or began anew. If it went on, nothing is lost: there was room for it.

A witness *proves* fixed windows if by its header more is forgotten than a sliding window could have
forgotten: others' spending can only hide that, not fake it. It *disproves* them if the count went
on although much had been answered, and nothing was on its way, around the cut.

The proof is not what keeps us safe: `Count` is, for any windows at all. It decides how the time of
the next room is foretold, and how others are left their part.

- After a refusal (429) the pool is shut for as long as the exchange said, then opens to one alone.
"""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, Final

from binance_dust.budget._boundary import Span
from binance_dust.budget._count import Count
from binance_dust.budget._valve import Valve

if TYPE_CHECKING:
    import asyncio

    from binance_dust.budget._admission import LocalAdmission
    from binance_dust.budget._boundary import Boundary
    from binance_dust.budget._line import Line
    from binance_dust.budget._others import Others
    from binance_dust.endpoints import LimitKind

PATIENCE: Final = 1 / 12
"""Part of a window for which the others wait for what the first one hears."""
LONELY: Final = 1 / 20
"""Part of a window after which the last one in line takes what is left for a witness."""
LEAST_WAIT: Final = 1 / 2000
"""Part of a window: nobody looks again sooner, unless something was heard."""
MOST_RESERVE: Final = 1 / 4
"""Part of the limit: where a single call costs more, none is kept for a witness."""
UNDISPUTED: Final = 1 / 4
"""Part of the limit that others can't have spent in the moment after a cut."""
CAUTION: Final = 8
MOST_CAUTION: Final = 512
_NEVER: Final = float("-inf")
_UNKNOWN: Final = Span(-1, _NEVER, _NEVER)


class Go(enum.IntEnum):
    """Whether a call may go."""

    NO = 0
    YES = 1
    ALONE = 2


class Turn(enum.Enum):
    """What a witness has changed."""

    LEARNT = "learnt"
    LOST = "lost"


class Pool:
    """What one endpoint and one payer may spend."""

    __slots__ = (
        "_asked",
        "_caution",
        "_largest",
        "_span",
        "_window",
        "account",
        "boundary",
        "count",
        "kind",
        "limit",
        "line",
        "name",
        "timer",
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
        """Begin with nothing spent; `limits` are ours, and the whole."""
        self.name: str = name
        self.kind: LimitKind = kind
        self.account: str | None = account
        self.limit: int = limits[0]
        self.whole: int = limits[1]
        self.boundary: Boundary = boundary
        self._window = boundary.window
        self.count: Count = Count(boundary.window, self.whole)
        self.valve: Valve = Valve(boundary.window * PATIENCE, wary=True)
        self.line: Line | None = None
        self.timer: asyncio.TimerHandle | None = None
        self._span = _UNKNOWN
        self._asked = -1
        """The window that had its witness last."""
        self._largest = 0
        self._caution = 1
        """Cuts for which no witness is sent after one was refused, from one refusal to the next."""

    # --- may it go -------------------------------------------------------------------------------

    def may_go(self, weight: int, now: float, *, lonely: bool = False) -> Go:
        """Decide about a call whose turn it is, `lonely` if nobody has come behind it for long."""
        valve, count = self.valve, self.count
        if not valve.open and not valve.passes(now):
            return Go.NO
        if now >= self._span.closes:
            self._span = self.boundary.span(now)
        free = self._free(now)
        if not valve.open or now - count.last_answer > self._window:
            return Go.ALONE if weight <= free or self._cut_passed() else Go.NO
        others = count.others
        # Where nobody else waits, there is nobody for whom a witness would be of use.
        if weight + (0 if lonely else self._reserve(weight)) <= free:
            return Go.YES if others is None or others.fresh(now) else Go.ALONE
        return Go.ALONE if self._may_look(weight, others, now) else Go.NO

    def _may_look(self, weight: int, others: Others | None, now: float) -> bool:
        """Whether to ask with one call, though there is nothing for a burst."""
        count, fixed = self.count, self.boundary.fixed
        if count.flying:
            return False
        asks = self._unasked()
        if others is None:
            return asks and weight <= self._free(now)
        if fixed and asks:
            # They may have spent what was left for the witness; yet cuts were seen to hold.
            return True
        room = min(self.limit - count.ours(now), self.whole - count.total(now, fixed=fixed))
        if asks:
            return weight <= room
        return fixed and others.look_due(now) and weight + others.cushion(now) <= room

    def _free(self, now: float) -> float:
        """Give the weight that may be spent in one burst."""
        count = self.count
        own = self.limit - count.ours(now)
        others = count.others
        if others is None:
            return own
        fixed = self.boundary.fixed
        kept = others.kept(now, self._span.closes, self._largest, fixed=fixed)
        return min(own, self.whole - count.total(now, fixed=fixed) - kept)

    def _reserve(self, weight: int) -> int:
        """Give what is left for a witness, where there can be one."""
        if self.count.others is not None and (
            self.boundary.fixed or self._asked > self._span.number
        ):
            return 0  # it goes anyway, or not at all
        largest = max(weight, self._largest)
        return largest if self._span.number >= 0 and largest <= self.limit * MOST_RESERVE else 0

    def _unasked(self) -> bool:
        """Whether a cut has passed, no witness was sent since, and nothing is in flight."""
        return self._span.number > self._asked and self.count.flying == 0

    def _cut_passed(self) -> bool:
        """Whether a window began anew, as far as anybody can know before asking."""
        return self.boundary.fixed and self._unasked()

    # --- when ------------------------------------------------------------------------------------

    def look_again(self, weight: int, now: float) -> float:
        """Say when to look again whether a call may go, if nothing is heard before."""
        valve, count = self.valve, self.count
        if not valve.passes(now):
            return valve.next_chance(now)
        room = self._free(now) - weight - (self._reserve(weight) if valve.open else 0)
        chances = [count.ledger.room_at(max(1, round(-room)), now)]
        if self._span.number >= 0:
            chances.append(self._span.closes)
        if count.others is not None:
            # The next look at them, and the end of what is known of them.
            chances.append(count.others.heard + self._window)
            if self.boundary.fixed:
                # Often before the cut, when what they have left over is ours.
                left = self._span.closes - now
                chances.append(now + max(self._window / 240, min(self._window / 16, left / 4)))
        # What is past was no chance after all, or this would not be asked.
        soonest = now + self._window * LEAST_WAIT
        return max(soonest, min((chance for chance in chances if chance > now), default=soonest))

    def no_sooner(self, weight: int, now: float, *, lonely: bool = False) -> float:
        """Say before when nothing can go, whatever is heard.

        This is of the pool alone: whoever is held back by the pace, or by a ban that is just over,
        may go at any moment as far as its pool is concerned.
        """
        shut = max(self.valve.until, now)
        if self.count.flying or self.may_go(weight, now, lonely=lonely) is not Go.NO:
            return shut
        again = self.look_again(weight, now)
        if self._span.number < 0:  # the exchange's time may be learnt meanwhile, and so its cuts
            again = min(again, self.boundary.likely_close(now))
        return max(shut, again)

    def soonest(self, weight: int, now: float) -> float:
        """Say before when the last of `weight` can't go: what a deadline is held against.

        Whatever may yet be found free counts as free, for whoever is told "too late" does not come
        back to see: what others are expected to spend, a window that may have begun anew, and a cut
        ahead of us that was never seen not to hold.
        """
        begin = max(now, self.valve.until)
        if now >= self._span.closes:
            self._span = self.boundary.span(now)
        room, reserve = self._room_at_best(now), self._reserve(0)
        short = weight - room
        if short <= 0:
            # The last one takes the witness's part when nobody has come behind it for a while.
            alone = short + reserve > 0 and not self._unasked()
            return max(begin, now + self._window * LONELY) if alone else begin
        rounds, rest = divmod(math.ceil(short) - 1, self.limit - reserve)
        given_back = self.count.ledger.room_at(rest + 1, now)
        if not self._sliding:
            cut = self.boundary.likely_close(now) if self._span.number < 0 else self._span.closes
            given_back = cut if self.boundary.fixed else min(cut, given_back)
        return max(begin, given_back) + rounds * self._window

    @property
    def _sliding(self) -> bool:
        """Whether nothing is to be hoped for from cuts: a count went on, or none is asked for."""
        return self.boundary.slides or self._asked > self._span.number

    def _room_at_best(self, now: float) -> int:
        """Give the weight that might be spent, if every answer were the best that it can be."""
        count, ours = self.count, self.count.ours(now)
        if self._sliding:
            return self.limit - ours
        if self._span.number > self._asked:
            return self.limit
        if count.flying:
            return self.limit - min(ours, count.ledger.taken - count.cut_at)
        room = self.limit - ours
        if count.others is not None and self.boundary.fixed:
            # What they were seen to spend counts until the cut.
            room = min(room, self.whole - count.held - count.others.grown)
        return max(0, room)

    def forecast(self, weight: int, now: float) -> float:
        """Foretell when the last of `weight` will go, as users want to know it: not too short.

        Until windows were seen to be fixed this is the time that it takes if they slide. That is
        later than by the clock's cuts by less than a window, however many windows there are.
        """
        begin, boundary = max(now, self.valve.until), self.boundary
        if now >= self._span.closes:
            self._span = boundary.span(now)
        reserve = self._reserve(0)
        free = self.limit if self._cut_passed() else max(0, self._free(now) - reserve)
        short = weight - math.floor(free)
        if short <= 0:
            return begin
        if boundary.fixed:
            rounds = (short - 1) // self.limit
            return max(begin, boundary.likely_close(now)) + rounds * self._window
        rounds, rest = divmod(short - 1, self.limit - reserve)
        return max(begin, self.count.ledger.room_at(rest + 1, now)) + rounds * self._window

    # --- what happened ---------------------------------------------------------------------------

    def admit(self, admission: LocalAdmission, now: float, go: Go) -> None:
        """Spend a call's weight."""
        weight, count, span = admission.weight, self.count, self._span
        if span.number > self._asked:
            # The first after a cut: what it hears says whether there was one.
            admission.witness = True
            admission.alone = count.flying == 0 and count.last_answer < (
                span.opened - 2 * self.boundary.margin
            )
            self._asked = span.number
            count.cut()
            admission.mark(now)
        self._largest = max(self._largest, weight)
        count.take(weight)
        if go is Go.ALONE:
            self.valve.first(admission, now)

    def give_back(self, admission: LocalAdmission) -> None:
        """Take back an admission that never left."""
        self.count.give_back(admission.weight + admission.extra)
        if admission.witness and admission.cut_before == self.count.cut_at:
            self._asked -= 1

    def lose(self, admission: LocalAdmission, now: float) -> None:
        """Note that no answer came."""
        self.count.lose(admission.weight + admission.extra, admission.sent_at, now)

    def answer(self, admission: LocalAdmission, used: int | None, now: float) -> Turn | None:
        """Note an answer and what its header says; tell what that proves."""
        count, boundary = self.count, self.boundary
        turn: Turn | None = None
        if used is not None:
            if admission.witness:
                turn = self._judge(admission, count.proven_gone(admission, used), now)
            count.listen(admission, used, now, self._span, fixed=boundary.fixed)
        count.answer(admission.weight + admission.extra, admission.sent_at, now)
        return turn

    def refuse(self, admission: LocalAdmission, wait: float | None, now: float) -> Turn | None:
        """Note a refusal, and shut; tell what it proves."""
        turn: Turn | None = None
        if admission.witness:
            # Others have spent what was left for it. It will not be tried at every cut.
            self._caution = min(self._caution * CAUTION, MOST_CAUTION)
            self._asked += self._caution
            if self.boundary.fixed:
                self.boundary.lost()
                turn = Turn.LOST
        if now >= self.valve.until:
            fixed = self.boundary.fixed
            self.count.refused(now, self._span, fixed=fixed)
        # Retry-After is sometimes 0: then until the window ends, as far as its end is known.
        if not wait:
            end = self._span.closes if self.boundary.fixed else now + self.count.ledger.keep
            wait = max(end - now, self.boundary.margin)
        self.valve.shut(now + wait)
        return turn

    def _judge(self, witness: LocalAdmission, gone: int, now: float) -> Turn | None:
        boundary = self.boundary
        maybe_forgotten = self.count.ledger.maybe_forgotten(now)
        if gone > maybe_forgotten:
            if boundary.fixed:
                return None
            boundary.learnt()
            return Turn.LEARNT
        certain = witness.answered_before - maybe_forgotten
        if witness.alone and certain >= self.limit * UNDISPUTED:
            if boundary.fixed:
                boundary.lost()
                return Turn.LOST
            boundary.slides = True
        return None

    # --- how it looks ----------------------------------------------------------------------------

    def idle(self, now: float) -> bool:
        """Whether nothing would be lost if this pool were forgotten."""
        return self.line is None and now >= self.valve.until and self.count.ledger.spent(now) == 0

    def used(self, now: float) -> int:
        """Give the weight that the exchange may be counting."""
        return round(self.count.total(now, fixed=self.boundary.fixed))

    def others(self, now: float) -> int:
        """Give the weight a window that others were last seen to spend."""
        others = self.count.others
        if others is None or now - others.heard > self._window:
            return 0
        share = others.share if self.boundary.fixed else None
        return others.level if share is None else round(share)

    def resets_in(self, now: float) -> float:
        """Give the seconds until all that counts now is given back."""
        used = self.count.ours(now)
        if not used:
            return 0.0
        # All that the ledger still holds, also what a header has shown to be forgotten.
        ledger = self.count.ledger
        by_time = ledger.room_at(ledger.spent(now), now) - now
        if self.boundary.fixed:
            return min(by_time, self.boundary.span(now).closes - now)
        return by_time

    def __repr__(self) -> str:
        account = f" ({self.account})" if self.account else ""
        waiting = self.line.waiting if self.line else 0
        return f"<Pool {self.name}{account}: {self.count!r}, {waiting} waiting, {self.valve!r}>"
