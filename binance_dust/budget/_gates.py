"""The valve: what a refusal or a ban shuts."""

from __future__ import annotations

import math
from typing import Final

AT_ONCE: Final = 3
"""Calls that are under way at a time where caution is needed: fewer than an exchange bans for."""
VAIN: Final = 3
"""After so many lone calls that told nothing the others go without knowing."""


class Valve:
    """A circuit breaker: open, shut until some moment, or half open.

    The address has one (shut by a 418), and so has each pool (half open when it is new, shut by a
    429). A shut valve becomes half open: one call goes first, and the others wait for its answer.
    Without an answer for some time, another call may go first. A good answer to any of them opens
    the valve, however late it comes.
    """

    __slots__ = (
        "_asking",
        "_expires",
        "_first",
        "_patience",
        "_refused",
        "_told",
        "_vain",
        "careful",
        "open",
        "since",
        "until",
    )

    def __init__(self, patience: float, *, half_open: bool) -> None:
        """Start open or half open; wait `patience` seconds for the answer of a first call."""
        self._patience = patience
        self._first: object | None = None
        self._asking: list[object] = []
        """Calls that went first since the valve was shut, and have no answer yet."""
        self._expires = math.inf
        self._vain = 0
        """Calls in a row that went first, and told nothing."""
        self._refused = False
        """Whether it was shut, and no call that went first was answered well since."""
        self._told = False
        """Whether a call that went first has told something since the valve was shut."""
        self.careful: bool = False
        """Whether a few calls at a time go until `trust`: nothing explains a ban so far."""
        self.until: float = -math.inf
        self.since: float = math.inf
        """When it was first shut, without a good answer in between; infinite if it is not."""
        self.open: bool = not half_open
        """Whether all calls may pass without further checks; else the next one goes alone."""

    def passes(self, now: float) -> bool:
        """Whether a call may pass now: alone, if the valve is half open."""
        if self.open:
            return True
        return now >= self.until and (self._has_room() or now >= self._expires)

    def next_chance(self, now: float) -> float:
        """Return when a call may pass at the latest, if nothing is heard before."""
        if self.open:
            return now
        return max(self.until, now if self._has_room() else self._expires)

    def _has_room(self) -> bool:
        """Whether one more call may go first, beside those that did and have no answer yet."""
        if self.careful and self._told:
            return len(self._asking) < AT_ONCE
        return self._first is None

    def let_first(self, call: object, now: float) -> None:
        """Let one call through, and hold the others until it ends."""
        self._first = call
        self._asking.append(call)
        self._expires = now + self._patience
        self.open = False

    def asks(self, call: object) -> bool:
        """Whether a call went first since the valve was shut."""
        return call in self._asking

    def lets(self, call: object) -> bool:
        """Whether a call may leave that was let through: no refusal is unanswered since."""
        return not self._refused or call in self._asking

    def ended(self, call: object, *, good: bool, told: bool = True) -> bool:
        """Record how a call ended. Return whether others may go now, or ask again.

        A good answer may have `told` nothing of what was asked: then the next call asks.
        """
        if call not in self._asking:
            return False
        self._asking.remove(call)
        next_may_ask = self._first == call
        if next_may_ask:
            self._first = None
        if good:
            self._vain = 0 if told else self._vain + 1
            self._told = told or self._vain >= VAIN
        if good and self._told and not self.careful:
            self.trust()
        return next_may_ask or good

    def beware(self) -> None:
        """Let only a few calls go at a time."""
        self.careful, self.open, self._refused = True, False, True

    def trust(self) -> None:
        """Let all go again, after a good answer to a call that went first."""
        self.careful, self.open, self._refused = False, True, False
        self.since = math.inf
        self._first = None
        self._asking.clear()

    def open_half(self) -> None:
        """Make the next call go alone. What was asked before tells nothing."""
        self._first = None
        self._asking.clear()
        self.open = self._told = False

    def hold(self) -> None:
        """Make the next call go alone, ahead of those that were let through and have not left."""
        self.open_half()
        self._refused = True

    def shut(self, until: float, now: float = math.inf) -> None:
        """Shut until some moment; then be half open."""
        self.until = max(self.until, until)
        self.since = min(self.since, now)
        self.hold()

    def follow(self, other: Valve, by: float) -> None:
        """Be shut or half open as another one is, whose clock is `by` behind: calls may be out."""
        self.shut(other.until + by)
        self._first, self._asking = other._first, list(other._asking)
        self._expires, self.since = other._expires + by, other.since + by
        self._told, self._vain = other._told, other._vain
        self.careful = self.careful or other.careful

    def __repr__(self) -> str:
        if self.open:
            return "<Valve open>"
        return f"<Valve {'one went first' if self._first else f'shut until {self.until:.3f}'}>"
