"""How much weight a window really takes: the documented limit, or less, as refusals have shown.

A refusal says that the window was full. If it was refused far below the limit, and no others are
known who could have filled it, then the limit is lower than documented: what was let in just before
is the `ceiling`. It may also be that others came in that moment. So the ceiling is tested from
below: when a window is full up to it, one call goes alone. If it is let in, the ceiling rises by a
step, and by more with each step, up to a few calls. If it is refused, the next test comes later,
and later with each refusal.

A ceiling is kept through bans and silence. It goes when the documented limit is reached again.
"""

from __future__ import annotations

import math
from typing import Final

NEAR: Final = 0.9
"""Part of the limit above which a refusal is no news: others may have spent the rest."""
MOST_STEPS: Final = 16
"""The most calls that a ceiling rises by at once: fewer than an exchange bans for."""
MOST_RISE: Final = 1 / 4
"""Part of a ceiling that it rises by at the most, unless that is less than a call."""
SELDOM: Final = 64
"""Windows: the longest time until the next test."""
DEAR: Final = 16
"""A test that shuts the pool for longer than a window waits for so many times the rest of it."""


class WeightCeiling:
    """What is believed of the limit of one pool."""

    __slots__ = ("_pause", "_step", "_test_at", "_window", "weight")

    def __init__(self, window: float) -> None:
        """Start as documented."""
        self._window = window
        self.weight: float = math.inf
        """The most weight of a window; infinite as long as the documents are believed."""
        self._step = 1
        self._pause = 1
        """Windows from a refused test to the next one."""
        self._test_at = math.inf

    def refused(self, let_in: int, least: int, now: float, wait: float) -> bool:
        """Record a refusal after `let_in`, which holds a call of the `least` weight at any rate.

        Return whether the ceiling was lowered. What shuts the pool for a long `wait` is tried less.
        """
        self._step = 1
        self._test_at = now + self._window * self._pause + DEAR * max(0.0, wait - self._window)
        self._pause = min(self._pause * 2, SELDOM)
        weight = max(let_in, least)
        lower = weight < self.weight
        self.weight = min(self.weight, weight)
        return lower

    def test_due(self, now: float) -> bool:
        """Whether one call may go above the ceiling."""
        return now >= self._test_at

    def let_in(self, used: int, weight: int, limit: int, *, test: bool) -> bool:
        """Record that a call was let in when `used` was spent; return whether the ceiling is gone.

        Only a `test` raises it by more than was seen.
        """
        if used <= self.weight:
            return False
        self.weight = used
        if test:
            self._test_at = -math.inf
            self.weight += min(self._step * weight, max(weight, self.weight * MOST_RISE))
            self._step = min(self._step * 2, MOST_STEPS)
        if self.weight < limit:
            return False
        self.weight, self._pause, self._test_at = math.inf, 1, math.inf
        return True

    def __repr__(self) -> str:
        return f"<WeightCeiling {self.weight:g}>"
