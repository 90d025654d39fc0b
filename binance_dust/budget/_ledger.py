"""What was spent, remembered for a window after its answer: the hard guard.

The exchange counts a request when it arrives, which is some time between sending and answer. So a
request counts here from the moment it is admitted until a window after its answer: then it is
certainly forgotten, however the exchange cuts its windows and however late it arrived.

Nothing is kept for each call. Weights are running totals, and what was answered lies in slots: calls
answered within one `grain` share a slot and are forgotten together. At most `_GRAINS` slots and two
are alive, whatever the load; an account that calls now and then has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_GRAINS: Final = 240
"""Slots a window: weight comes back a quarter of a second late at most, for a minute."""
_DRIFT: Final = 0.001
"""Part of a window by which we wait longer: two clocks never run at quite the same speed."""


class _Slot:
    """Weight answered within one grain of time."""

    __slots__ = ("earliest", "last", "lost", "newer", "opened", "weight")

    def __init__(self, earliest: float, now: float) -> None:
        self.earliest = earliest
        """When the earliest of these calls was sent."""
        self.opened = now
        self.last = now
        self.weight = 0
        self.lost = 0
        """The part whose answer never came."""
        self.newer: _Slot | None = None


class Ledger:
    """Running totals of weight, and the slots that will be forgotten."""

    __slots__ = ("_certain", "_grain", "_newest", "_oldest", "answered", "forgotten", "keep", "taken")

    def __init__(self, window: float) -> None:
        """Begin with nothing spent."""
        self.keep = window * (1 + _DRIFT)
        """Seconds after its answer for which weight counts."""
        self._certain = window * (1 - _DRIFT)
        self._grain = window / _GRAINS
        self._oldest: _Slot | None = None
        self._newest: _Slot | None = None
        self.taken = 0
        """All weight that was ever admitted and not given back."""
        self.answered = 0
        """The part of it that had arrived for certain, since an answer came (or never will)."""
        self.forgotten = 0
        """The part of it that no window holds any more."""

    def spent(self, now: float) -> int:
        """Give the weight that may count at this moment, in flight or answered."""
        slot = self._oldest
        if slot is not None and slot.last + self.keep <= now:
            self._forget(slot, now)
        return self.taken - self.forgotten

    def answer(self, weight: int, sent: float, now: float, *, lost: bool = False) -> None:
        """Note that taken weight was answered, or that no answer will come any more."""
        slot = self._newest
        if slot is None or now - slot.opened >= self._grain:
            slot = self._append(_Slot(sent, now))
        slot.earliest = min(slot.earliest, sent)
        slot.last = now
        slot.weight += weight
        if lost:
            # It may yet arrive: what counts as arrived is what the proof of a boundary stands on.
            slot.lost += weight
        else:
            self.answered += weight

    def maybe_forgotten(self, now: float) -> int:
        """Give the weight that a sliding window may have forgotten: sent longer ago than a window.

        Everything else that was answered is in it for certain.
        """
        oldest = now - self._certain
        return self.forgotten + sum(slot.weight for slot in self if slot.earliest <= oldest)

    def room_at(self, weight: int, now: float) -> float:
        """Say when `weight` of what counts now will be forgotten, if it was answered by now."""
        for slot in self:
            weight -= slot.weight
            if weight <= 0:
                return max(now, slot.last + self.keep)
        return now + self.keep

    def __iter__(self) -> Iterator[_Slot]:
        slot = self._oldest
        while slot is not None:
            yield slot
            slot = slot.newer

    def _append(self, slot: _Slot) -> _Slot:
        if self._newest is None:
            self._oldest = slot
        else:
            self._newest.newer = slot
        self._newest = slot
        return slot

    def _forget(self, slot: _Slot | None, now: float) -> None:
        while slot is not None and slot.last + self.keep <= now:
            self.forgotten += slot.weight
            self.answered += slot.lost
            slot = slot.newer
        self._oldest = slot
        if slot is None:
            self._newest = None

    def __repr__(self) -> str:
        slots = sum(1 for _ in self)
        return f"<Ledger {self.taken - self.forgotten} spent, in {slots} slots>"
