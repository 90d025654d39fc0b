"""Which batch to try next, when one asset that can't be converted fails all of them.

A definite refusal costs nothing: nothing was converted, and the cooldown is not spent. A success
spends it. So the search never tries a small batch to learn something: it would be told "yes", and
the rest would have to wait. It tries the largest batch that may work, and takes away

1. what the refusal names,
2. or what is no longer on the exchange's list,
3. or else one asset after another, until a batch without it goes through.

Where two assets are to blame and neither is named, it gives up: nothing was converted, and the
caller may narrow the quote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Search"]


class Search:
    """The batches of one conversion, from all assets down to those that can be converted."""

    def __init__(self, assets: tuple[str, ...], suspects: Iterable[str] | None = None) -> None:
        """Begin with all of them; where one has to be guessed, in the order of `suspects`."""
        self._order = tuple(assets if suspects is None else suspects)
        self.dropped: list[str] = []
        """Who is known to be to blame, so far."""
        self._assets = assets
        self._suspects: list[str] | None = None
        """Who is still to be left out once, the next one first; `None` before it comes to that."""
        self._left_out: str | None = None

    @property
    def batch(self) -> tuple[str, ...]:
        """What to try next; empty when there is nothing left to try."""
        return tuple(asset for asset in self._assets if asset != self._left_out)

    def refused(self, named: tuple[str, ...], unlisted: tuple[str, ...] = ()) -> None:
        """Take in that the batch was refused: for these by name, and with those off the list."""
        batch = self.batch
        if len(batch) == 1:
            # A batch of one needs no name.
            self._drop(batch)
            return
        blamed = tuple(asset for asset in named if asset in batch)
        if blamed and len(blamed) < len(batch):
            self._drop(blamed)
            return
        gone = tuple(asset for asset in unlisted if asset in batch)
        if gone:
            self._drop(gone)
            return
        if self._suspects is None:
            self._suspects = [asset for asset in self._order if asset in self._assets]
        if self._suspects:
            self._left_out = self._suspects.pop(0)
        else:
            # Left out one by one, all in vain: more than one is to blame.
            self._assets, self._left_out = (), None

    def succeeded(self) -> None:
        """Take in that the batch went through: who was left out is the culprit."""
        if self._left_out is not None:
            self._drop((self._left_out,))

    def _drop(self, culprits: tuple[str, ...]) -> None:
        self.dropped.extend(culprits)
        self._assets = tuple(asset for asset in self._assets if asset not in culprits)
        self._suspects, self._left_out = None, None
