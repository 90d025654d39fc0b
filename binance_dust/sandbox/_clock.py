"""The exchange's own clock, which need not agree with ours.

Two times matter. `server` is what the exchange believes: timestamps are checked against it, fixed
windows are cut at its multiples, and the dust log is dated with it. `true` is what has really
passed: bans, cooldowns and sliding windows run on it, so that moving the exchange's clock in a test
neither lifts a ban nor gives weight back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Moment(NamedTuple):
    """One reading of both times, in seconds since the epoch."""

    server: float
    true: float

    @property
    def ms(self) -> int:
        """The exchange's time as it writes it: whole milliseconds."""
        return int(self.server * 1000)


class ServerClock:
    """Reads a source of true time, and sets the exchange's clock apart from it."""

    __slots__ = ("_from", "_over", "_since", "_source", "_to")

    def __init__(self, source: Callable[[], float]) -> None:
        """Agree with `source` (seconds since the epoch) until told otherwise."""
        self._source = source
        self._from = 0.0
        self._to = 0.0
        self._since = 0.0
        self._over = 0.0

    def moment(self) -> Moment:
        """Read both times at once."""
        true = self._source()
        return Moment(true + self._offset(true), true)

    def set_apart(self, offset: float, *, over: float = 0.0) -> None:
        """Go `offset` seconds ahead of true time, at once or gradually `over` some seconds."""
        true = self._source()
        self._from, self._to = self._offset(true), offset
        self._since, self._over = true, over

    def jump(self, seconds: float) -> None:
        """Move at once, from wherever the clock is now."""
        self.set_apart(self._offset(self._source()) + seconds)

    def _offset(self, true: float) -> float:
        passed = true - self._since
        if passed >= self._over:
            return self._to
        return self._from + (self._to - self._from) * passed / self._over

    def __repr__(self) -> str:
        return f"<ServerClock {self._offset(self._source()):+.3f} s>"
