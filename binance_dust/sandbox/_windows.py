"""Counting weight in windows: the two ways that an exchange may count, and the most ever asked.

`FixedWindow` is cut at multiples of its length since the epoch, in the exchange's own time: at the
cut everything is forgotten. `SlidingWindow` looks back by its length from each moment.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from binance_dust.sandbox._clock import Moment
    from binance_dust.sandbox._rules import Mode


class Window(Protocol):
    """Weight that was spent lately."""

    def used(self, moment: Moment) -> int:
        """Weight in the window at this moment."""
        ...

    def add(self, weight: int, moment: Moment) -> int:
        """Spend, and tell the weight in the window afterwards."""
        ...

    def room_in(self, weight: int, limit: int, moment: Moment) -> float:
        """Seconds until `weight` more would fit below `limit`, if nobody else spends."""
        ...


class FixedWindow:
    """Counts from one multiple of its length to the next, in server time."""

    __slots__ = ("_index", "_length", "_used")

    def __init__(self, length: float) -> None:
        """Begin empty."""
        self._length = length
        self._index = -1
        self._used = 0

    def used(self, moment: Moment) -> int:
        """Weight since the last cut."""
        return self._used if moment.server // self._length == self._index else 0

    def add(self, weight: int, moment: Moment) -> int:
        """Spend in the window of this moment."""
        index = int(moment.server // self._length)
        if index != self._index:
            self._index, self._used = index, 0
        self._used += weight
        return self._used

    def room_in(self, weight: int, limit: int, moment: Moment) -> float:
        """Seconds to the next cut, unless there is room now."""
        if self.used(moment) + weight <= limit:
            return 0.0
        return self._length - moment.server % self._length


class SlidingWindow:
    """Counts what was spent within its length before each moment, in true time."""

    __slots__ = ("_length", "_spent", "_used")

    def __init__(self, length: float) -> None:
        """Begin empty."""
        self._length = length
        self._spent: deque[tuple[float, int]] = deque()
        self._used = 0

    def used(self, moment: Moment) -> int:
        """Weight within one length before this moment."""
        spent, oldest = self._spent, moment.true - self._length
        while spent and spent[0][0] <= oldest:
            self._used -= spent.popleft()[1]
        return self._used

    def add(self, weight: int, moment: Moment) -> int:
        """Spend at this moment."""
        self.used(moment)
        self._spent.append((moment.true, weight))
        self._used += weight
        return self._used

    def room_in(self, weight: int, limit: int, moment: Moment) -> float:
        """Seconds until enough of the oldest weight is a length ago."""
        over = self.used(moment) + weight - limit
        if over <= 0:
            return 0.0
        for at, spent in self._spent:
            over -= spent
            if over <= 0:
                return max(0.0, at + self._length - moment.true)
        return self._length


class Meter:
    """One pool of weight: its limit, what is left of it, and the most that was asked of it."""

    __slots__ = ("_asked", "limit", "overruns", "peaks", "window")

    def __init__(self, limit: int, length: float, mode: Mode) -> None:
        """Begin empty."""
        self.limit: int = limit
        self.window: Window = FixedWindow(length) if mode == "fixed" else SlidingWindow(length)
        self.overruns: int = 0
        """Requests refused one after another, since the last that was admitted."""
        self._asked: dict[Mode, Window] = {
            "fixed": FixedWindow(length),
            "sliding": SlidingWindow(length),
        }
        self.peaks: dict[Mode, int] = {"fixed": 0, "sliding": 0}
        """Most weight that clients asked in any one window, admitted or refused."""

    def ask(self, weight: int, moment: Moment) -> None:
        """Note what a client asks, before it is decided."""
        peaks = self.peaks
        for mode, window in self._asked.items():
            asked = window.add(weight, moment)
            peaks[mode] = max(peaks[mode], asked)

    def __repr__(self) -> str:
        return f"<Meter limit {self.limit}, peaks {self.peaks}>"
