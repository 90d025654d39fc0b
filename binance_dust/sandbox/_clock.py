"""The exchange's own clock, which may differ from ours.

There are two times. `server` is what the exchange believes: it checks timestamps against it, cuts
fixed windows at multiples of it, and dates the dust log with it. `true` is the time that has really
passed: bans, cooldowns and sliding windows run on it. So when a test moves the exchange's clock,
no ban ends early and no weight comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

DAY_MS: Final = 86_400_000


class Instant(NamedTuple):
    """One reading of both times, in seconds since the epoch."""

    server: float
    true: float

    @property
    def ms(self) -> int:
        """Server time in whole milliseconds, as the exchange writes it."""
        return int(self.server * 1000)


class ExchangeClock:
    """Reads true time from a source, and adds the exchange's offset."""

    __slots__ = ("_from", "_over", "_since", "_source", "_to")

    def __init__(self, source: Callable[[], float]) -> None:
        """Start without an offset from `source` (seconds since the epoch)."""
        self._source = source
        self._from = 0.0
        self._to = 0.0
        self._since = 0.0
        self._over = 0.0

    def now(self) -> Instant:
        """Read both times at once."""
        true = self._source()
        return Instant(true + self._offset(true), true)

    def set_offset(self, offset: float, *, over: float = 0.0) -> None:
        """Go `offset` seconds ahead of true time, at once or gradually `over` some seconds."""
        true = self._source()
        self._from, self._to = self._offset(true), offset
        self._since, self._over = true, over

    def jump(self, seconds: float) -> None:
        """Add to the present offset, at once."""
        self.set_offset(self._offset(self._source()) + seconds)

    def _offset(self, true: float) -> float:
        passed = true - self._since
        if passed >= self._over:
            return self._to
        return self._from + (self._to - self._from) * passed / self._over

    def __repr__(self) -> str:
        return f"<ExchangeClock {self._offset(self._source()):+.3f} s>"
