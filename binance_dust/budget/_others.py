"""What others behind the same address spend, estimated from headers that show more than our own.

Others can't be asked. From each header we take the least that it proves:

- `level`: weight above all that we may have spent in the window. In a sliding window it stays about
  the same while others go on as before.
- `grown`: weight above what the best header so far promised. In a fixed window it only grows, until
  the cut.
- `share`: their weight in a whole window, from how much had come together how long after the cut.
  In a fixed window it is left to them beforehand. A program that takes a whole window in its first
  second leaves others nothing but refusals, and their refusals ban this address too. Until the
  share is known, half of the window is theirs.
- `surprise`: by how much a header was above our estimate. Twice as much is kept as a cushion, as
  TCP keeps four deviations of the round trip (RFC 6298). At first the whole cushion is kept.

While others are active, a header is `fresh` for a second only: before every burst one call goes
alone.

All of this is advice. It expires a window after the last header, and others that were not seen for
ten windows are forgotten.
"""

from __future__ import annotations

from typing import Final

CUSHION: Final = 2.0
MOST_CUSHION: Final = 1 / 50
"""Part of the limit: a larger cushion would waste more than the refusals it prevents."""
HALF_LIFE: Final = 8.0
"""Windows after which a surprise counts half."""
GROUP: Final = 1 / 4
"""Part of a window after which the highest header is taken, if calls are always in flight."""
SAMPLE: Final = 1 / 8
"""The least part of a window from which the whole of it is estimated."""
FAR_OFF: Final = 1.5
"""A sample so many times the share counts at once, and not only from the next cut."""
PROBES: Final = 8
"""In a window: the weight of one call is held back for each probe of what others have spent."""
FRESH: Final = 1 / 60
"""Part of a window for which a header is recent enough to send a burst."""
MOST_GROWTH: Final = 1 / 20
"""Part of half the limit: the most that is kept for the growth of others since the last header."""
FORGET: Final = 10.0
"""Windows without a sign of others, after which they are forgotten."""
EASE: Final = 1 / 4
"""How much of a lower share is believed at once. A higher share is believed whole."""


class Others:
    """Estimates of what others spend in one pool."""

    __slots__ = (
        "_begin",
        "_cap",
        "_half",
        "_half_life",
        "_least",
        "_peak",
        "_peak_since",
        "_sample",
        "_seen",
        "_surprise",
        "_surprised_at",
        "_window",
        "grown",
        "heard",
        "level",
        "share",
        "unsure",
    )

    def __init__(self, window: float, limit: int, now: float) -> None:
        """Start with others that were just seen for the first time."""
        self._window = window
        self._begin = now
        self._half = limit / 2
        self._half_life = HALF_LIFE * window
        self._cap = limit * MOST_CUSHION / CUSHION
        self._least = self._cap / 2
        self._peak = 0
        self._peak_since = now
        self._sample: float | None = None
        self._seen = now
        self._surprise = self._cap
        self._surprised_at = now
        self.level: int = 0
        self.grown: int = 0
        self.heard: float = now
        self.share: float | None = None
        self.unsure: int = 0
        """Weight of ours that the last header may have counted: a part of `level` at worst."""

    def fresh(self, now: float) -> bool:
        """Whether the last header is recent enough to send more than one call."""
        return now - self.heard <= FRESH * self._window

    def expected(self, now: float, spent: int, held: int, *, fixed: bool) -> float:
        """Return the weight that the exchange should be counting, ours and theirs.

        `spent` is ours by the sliding rule, `held` the part that the best header leaves.
        """
        age = now - self.heard
        if age > self._window:
            return min(spent, held)
        if fixed:
            return held + self.grown + self._window_share() * age / self._window
        return min(held + self.grown, spent + self.level)

    def reserved(self, now: float, closes: float, weight: int, *, fixed: bool) -> float:
        """Return the weight to leave unspent: their share, our probes, and the cushion."""
        age = now - self.heard
        if age > self._window:
            return 0.0
        left = min(1.0, max(0.0, closes - now) / self._window)
        if fixed:
            theirs = self._window_share() * left + weight * int(left * PROBES)
        else:
            # They may have begun to spend more since the last header.
            theirs = min(self._half * age / self._window, self._half * MOST_GROWTH)
            if now - self._begin < self._window:
                # Windows may be fixed, and theirs may have just begun.
                theirs += max(0.0, self._half - self.level) * left
        return theirs + self.cushion(now)

    def cushion(self, now: float) -> float:
        """Return the weight to leave for what can't be foreseen."""
        return CUSHION * self._faded(now)

    def probe_due(self, now: float) -> bool:
        """Whether it is time to probe again what they have spent."""
        return now - self.heard >= self._window / PROBES

    def _window_share(self) -> float:
        return self._half if self.share is None else self.share

    def read_header(  # noqa: PLR0913 - what one header says
        self, now: float, beyond: int, grown: int, since_cut: float, *, seen: bool, last: bool
    ) -> None:
        """Take what a header says: weight `beyond` ours, and `grown` since the best header.

        Others were certainly `seen` if it shows more than can be ours.

        While more calls of ours are in flight, one header shows less than there is. With the `last`
        of them the highest header has seen all that we sent, and is believed.
        """
        self._peak = max(self._peak, beyond)
        self.level = max(self.level, beyond)
        self.grown = max(self.grown, grown)
        if seen:
            self._seen = now
        self.heard = now
        if last or now - self._peak_since > GROUP * self._window:
            self.level = self._peak
            self._peak = 0
            self._peak_since = now
            self._estimate_share(since_cut)

    def surprised(self, now: float, by: float) -> None:
        """Record by how much a header was above our estimate, if it was."""
        # Most headers are near the estimate, and the last surprise never counts less than `_least`.
        if by >= self._least and by >= self._faded(now):
            self._surprise, self._surprised_at = min(by, self._cap), now

    def _faded(self, now: float) -> float:
        # In a straight line, and not by a power: that would differ from one machine to another.
        # No surprise is above the cap, so that after one half-life the least is all there is.
        age = (now - self._surprised_at) / self._half_life
        return self._least if age >= 1 else max(self._surprise * (1 - age / 2), self._least)

    def refused(self, now: float, beyond: int, since_cut: float) -> None:
        """Record a refusal: about the whole limit is spent, and `beyond` ours of it by them."""
        self.level = max(self.level, beyond)
        self.surprised(now, self._cap)
        self._seen = self.heard = now
        self._estimate_share(since_cut)

    def _estimate_share(self, since_cut: float) -> None:
        """Estimate a whole window from what came together since its cut."""
        if since_cut >= SAMPLE * self._window:
            self._sample = min(self.level * self._window / since_cut, 2 * self._half)
            if self.share is not None and self._sample > self.share * FAR_OFF:
                self.share = self._sample

    def close_window(self) -> None:
        """Take the estimate of a window into the share, at its cut."""
        sample, self._sample = self._sample, None
        if sample is not None:
            low = sample if self.share is None else self.share + (sample - self.share) * EASE
            self.share = max(low, sample)

    def expired(self, now: float) -> bool:
        """Whether no other spender was seen for `FORGET` windows."""
        return now - self._seen > FORGET * self._window

    def __repr__(self) -> str:
        return (
            f"<Others level {self.level}, grown {self.grown},"
            f" share {self._window_share():.0f}, surprise {self._surprise:.1f}>"
        )
