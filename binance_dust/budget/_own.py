"""Our own weight, remembered for a window after each answer: the hard guard.

The exchange counts a request when it arrives, some time between sending and answer. So a request
counts here from its admission until a window after its answer. By then the exchange has forgotten
it, however it cuts its windows and however late the request arrived. A request without an answer
may still be on its way when we give it up, so it counts for a while longer.

Nothing is kept for each call. Weights are running totals. Answered weight lies in slots: calls
answered within one `grain` share a slot and are forgotten together. At most `GRAINS` + 2 slots are
alive, whatever the load; an account that calls now and then has one.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

GRAINS: Final = 240
"""Slots in a window: weight comes back a quarter of a second late at most, for a minute."""
DRIFT: Final = 0.001
"""Extra wait, as part of a window: two clocks never run at quite the same speed."""
STRAY: Final = 1 / 6
"""Part of a window for which a request may still be on its way after we gave it up."""


class WeightSlot:
    """Weight answered within one grain of time."""

    __slots__ = ("earliest", "last", "newer", "opened", "weight")

    def __init__(self, earliest: float, now: float) -> None:
        self.earliest = earliest
        """When the earliest of these calls was sent."""
        self.opened = now
        self.last = now
        self.weight = 0
        self.newer: WeightSlot | None = None


class SlotChain:
    """Slots, the oldest first."""

    __slots__ = ("_newest", "oldest")

    def __init__(self) -> None:
        self.oldest: WeightSlot | None = None
        self._newest: WeightSlot | None = None

    def add(self, weight: int, sent: float, now: float, grain: float) -> None:
        """Put weight into the newest slot, or into a new one."""
        slot = self._newest
        if slot is None or now - slot.opened >= grain:
            fresh = WeightSlot(sent, now)
            if slot is None:
                self.oldest = fresh
            else:
                slot.newer = fresh
            slot = self._newest = fresh
        elif sent < slot.earliest:
            slot.earliest = sent
        slot.last = now
        slot.weight += weight

    def drop(self, keep: float, now: float) -> int:
        """Remove the slots that ended `keep` seconds ago or earlier; return their weight.

        The test adds, as `OwnWeight.room_at` does: both get the same moment to the last bit.
        """
        dropped = 0
        slot = self.oldest
        while slot is not None and slot.last + keep <= now:
            dropped += slot.weight
            slot = slot.newer
        self.oldest = slot
        if slot is None:
            self._newest = None
        return dropped

    def sent_by(self, moment: float) -> int:
        """Return the weight of the slots in which some call was sent by then.

        Written out, because every header asks for it while others are seen.
        """
        weight, slot = 0, self.oldest
        while slot is not None:
            if slot.earliest <= moment:
                weight += slot.weight
            slot = slot.newer
        return weight

    @staticmethod
    def of(slots: list[WeightSlot]) -> SlotChain:
        """Make a chain of slots."""
        chain = SlotChain()
        for slot in reversed(slots):
            slot.newer, chain.oldest = chain.oldest, slot
        chain._newest = slots[-1] if slots else None
        return chain

    def copy(self) -> SlotChain:
        """Return a chain of the same slots, from which they can be dropped."""
        copied = SlotChain()
        copied.oldest, copied._newest = self.oldest, self._newest
        return copied

    def __iter__(self) -> Iterator[WeightSlot]:
        slot = self.oldest
        while slot is not None:
            yield slot
            slot = slot.newer


class OwnWeight:
    """Running totals of our weight in one pool, and the slots that will be forgotten."""

    __slots__ = ("_certain", "_grain", "_lost", "_slots", "answered", "forgotten", "keep", "taken")

    def __init__(self, window: float) -> None:
        """Start with nothing spent."""
        self.keep: float = window * (1 + DRIFT)
        """Seconds for which weight counts after its answer."""
        self._certain = window * (1 - DRIFT)
        self._grain = window / GRAINS
        self._slots = SlotChain()
        self._lost: SlotChain | None = None
        self.taken: int = 0
        """All weight that was ever admitted and not given back."""
        self.answered: int = 0
        """The part of `taken` that has certainly arrived: answered, or given up long ago."""
        self.forgotten: int = 0
        """The part of `taken` that no window holds any more."""

    def spent(self, now: float) -> int:
        """Return the weight that may count now, in flight or answered."""
        slot = self._slots.oldest
        if slot is not None and slot.last + self.keep <= now:
            self.forgotten += self._slots.drop(self.keep, now)
        if self._lost is not None:
            self._give_up(self._lost, now)
        return self.taken - self.forgotten

    def answer(self, weight: int, sent: float, now: float) -> None:
        """Record the answer to an admitted call."""
        self._slots.add(weight, sent, now, self._grain)
        self.answered += weight

    def lose(self, weight: int, sent: float, now: float) -> None:
        """Record that a call gets no answer. It may still arrive at the exchange."""
        if self._lost is None:
            self._lost = SlotChain()
        self._lost.add(weight, sent, now, self._grain)

    def add(self, rows: list[tuple[float, float, int]], lost: int, now: float) -> None:
        """Add what was spent elsewhere: times of sending and answer, with the weight; and the rest.

        The rest may still be on its way.
        """
        old = [(slot.earliest, slot.last, slot.weight) for slot in self._slots]
        weight = sum(row[2] for row in rows)
        self.taken += weight + lost
        self.answered += weight
        self._slots = SlotChain()
        for earliest, last, part in sorted([*old, *rows], key=lambda row: row[1]):
            self._slots.add(part, earliest, last, 0.0)
        if lost:
            self.lose(lost, now, now)

    def copy(self) -> OwnWeight:
        """Return one that forgets as time goes by, and leaves this one alone."""
        copied = object.__new__(OwnWeight)
        for name in OwnWeight.__slots__:
            setattr(copied, name, getattr(self, name))
        copied._slots = self._slots.copy()
        copied._lost = None if self._lost is None else self._lost.copy()
        return copied

    def maybe_forgotten(self, now: float) -> int:
        """Return the weight that a sliding window may have forgotten: sent a window ago or earlier.

        A sliding window certainly holds all other answered weight.
        """
        oldest = now - self._certain
        weight = self.forgotten + self._slots.sent_by(oldest)
        return weight if self._lost is None else weight + self._lost.sent_by(oldest)

    def room_at(self, weight: int, now: float) -> float:
        """Return when `weight` of what counts now is forgotten, if all of it is answered now."""
        back = ((slot.last + self.keep, slot.weight) for slot in self._slots)
        if self._lost is not None:
            stray = self.keep * (1 + STRAY)
            back = heapq.merge(back, ((slot.last + stray, slot.weight) for slot in self._lost))
        for at, part in back:
            weight -= part
            if weight <= 0:
                return max(now, at)
        return now + self.keep

    def answered_slots(self) -> Iterator[WeightSlot]:
        """Return the answered slots that still count, the oldest first."""
        return iter(self._slots)

    def __iter__(self) -> Iterator[WeightSlot]:
        yield from self._slots
        if self._lost is not None:
            yield from self._lost

    def _give_up(self, lost: SlotChain, now: float) -> None:
        """Forget lost calls that can't arrive any more."""
        gone = lost.drop(self.keep * (1 + STRAY), now)
        self.forgotten += gone
        self.answered += gone
        if lost.oldest is None:
            self._lost = None

    def __repr__(self) -> str:
        slots = sum(1 for _ in self)
        return f"<OwnWeight {self.taken - self.forgotten} spent, in {slots} slots>"
