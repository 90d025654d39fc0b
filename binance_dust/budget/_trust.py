"""Whether the headers of a pool count what we count: evidence for and against.

A header says how much weight a window holds. Whatever the exchange's windows are, in the middle of
one the header can't be below what we have had answered since its cut, plus the call itself. That is
the `floor`. Headers that come from an old copy, from another node, or from a broken gateway fall
below it soon. A header can't be above the limit either, since the call was let in.

A header that shows *more* than ours is always heeded: it lets less through. One that shows less, so
that weight seems to be forgotten, lets more through. It is heeded only after enough headers in a
row were right where they could have been wrong, and each header that was wrong asks for more.
"""

from __future__ import annotations

from typing import Final

ENOUGH: Final = 4
"""Right headers in a row after which headers are trusted."""
MOST: Final = 4_096
HARDER: Final = 8
"""So many times more are needed after each wrong header, up to the most."""
EASIER: Final = 4
"""After so many times what was needed, half of it is enough."""
ODD: Final = 3
"""Impossible headers of lone calls in a row, after which such headers are ignored."""


class HeaderTrust:
    """What the headers of one pool are worth."""

    __slots__ = ("_needed", "_right", "odd")

    def __init__(self) -> None:
        """Start without evidence."""
        self._right = 0
        self._needed = ENOUGH
        self.odd: int = 0
        """Impossible headers in a row."""

    @property
    def earned(self) -> bool:
        """Whether a header that shows less than ours may be believed."""
        return self._right >= self._needed

    @property
    def numb(self) -> bool:
        """Whether impossible headers are the rule here, so that they say nothing."""
        return self.odd >= ODD

    def right(self) -> None:
        """Record a header that could have been wrong, and was not."""
        self._right += 1
        if self._right >= EASIER * self._needed and self._needed > ENOUGH:
            self._needed //= 2
            self._right = self._needed

    def wrong(self) -> bool:
        """Record a header below its floor; return whether trust is lost by it."""
        lost = self.earned
        self._right = 0
        self._needed = min(self._needed * HARDER, MOST)
        return lost

    def impossible(self) -> bool:
        """Record a header above the limit; return whether it is the first of them."""
        self.odd = min(self.odd + 1, ODD)
        return self.odd == 1

    def possible(self) -> None:
        """Record a header that can be."""
        self.odd = 0

    def __repr__(self) -> str:
        return f"<HeaderTrust {self._right} right of {self._needed} needed>"
