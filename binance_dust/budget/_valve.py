"""A valve: open, shut until some moment, or letting one through to see.

Both the whole address (after a 418) and a single pool (when it is new, or after a 429) open gently:
one call goes first, and the others wait for what it hears. If nothing is heard from it for a while,
another may go first.
"""

from __future__ import annotations

import math


class Valve:
    """Says whether a call may pass, and remembers who went first."""

    __slots__ = ("_first", "_lapses", "_patience", "open", "until")

    def __init__(self, patience: float, *, wary: bool) -> None:
        """Begin open, or `wary`: with one to go first, given up after `patience` seconds."""
        self._patience = patience
        self._first: object | None = None
        self._lapses = math.inf
        self.until: float = -math.inf
        self.open: bool = not wary
        """Whether anybody may pass, without asking further; else the next one goes alone."""

    def passes(self, now: float) -> bool:
        """Say whether somebody may pass now: alone, if the valve is wary."""
        return self.open or (now >= self.until and (self._first is None or now >= self._lapses))

    def next_chance(self, now: float) -> float:
        """Say when somebody may pass at the latest, if nothing is heard before."""
        if self.open:
            return now
        return max(self.until, now) if self._first is None else max(self.until, self._lapses)

    def first(self, who: object, now: float) -> None:
        """Let one through, and hold the others until it is heard of."""
        self._first = who
        self._lapses = now + self._patience
        self.open = False

    def heard(self, who: object, *, good: bool) -> bool:
        """Hear how one ended; tell whether that makes others free to ask again."""
        if self._first is not who:
            return False
        self._first = None
        self.open = good
        return True

    def be_wary(self) -> None:
        """Have the next one go alone."""
        self.open = False

    def shut(self, until: float) -> None:
        """Shut for some time, then be wary."""
        self.until = max(self.until, until)
        self._first = None
        self.be_wary()

    def __repr__(self) -> str:
        if self.open:
            return "<Valve open>"
        return f"<Valve {'one went first' if self._first else f'shut until {self.until:.3f}'}>"
