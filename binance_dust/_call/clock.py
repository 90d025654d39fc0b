"""The exchange's clock as seen from here, and the only module that reads the time.

The offset is learnt from `/api/v3/time`. An answer tells the server's time at some moment between
sending and receiving. Half the round trip is the best guess, and it is wrong by at most that half.
The server refuses timestamps more than a second ahead of its clock but accepts some seconds behind.
So the correction for a slow round trip stays below a second.

The exchange's time is kept against the monotonic clock: once it is learnt, the machine's own clock
may jump. But the monotonic clock stands still while a machine is suspended. So if one of the two
clocks has stepped against the other, the time is learnt again before anything is signed. The same
happens after a timestamp was refused. In both cases all calls wait for the one lookup, since
whatever they send until then would be refused as well, and paid for.
"""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from binance_dust.errors import DustError, NotSentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_MOST_CORRECTION: Final = 0.9
"""Seconds; below the second that a timestamp may be ahead."""
_LEARN_AGAIN: Final = 900.0
"""Seconds between two lookups; a clock drifts by a few milliseconds in this time."""
_LEARN_AGAIN_FIRST: Final = 60.0
_PAUSE_AFTER_FAILURE: Final = 10.0
_STEP: Final = 1.0
"""Seconds by which one clock of the machine has to step against the other to be noticed. It is as
far as a timestamp may be ahead; a network's time service moves a clock by less, or slowly."""


class TimeSource(Protocol):
    """Where time comes from. Tests pass their own."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch, as this machine believes."""
        ...


class SystemTime:
    """The clocks of this machine, the monotonic one as the event loop reads it."""

    __slots__ = ("_of_loop",)

    def __init__(self) -> None:
        """Begin without a loop."""
        self._of_loop: Callable[[], float] | None = None

    def monotonic(self) -> float:
        """Read the event loop's clock, so that a virtual loop drives this too."""
        if self._of_loop is None:
            try:
                # Kept: a session belongs to one loop, and every call reads the clock six times.
                self._of_loop = _clock_of(asyncio.get_running_loop())
            except RuntimeError:
                return time.monotonic()
        return self._of_loop()

    wall = staticmethod(time.time)
    """Reads the machine's clock."""


def _clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Give what a loop reads as its time: for asyncio's own loops, without the call of a method."""
    asyncios = getattr(loop.time, "__func__", None) is asyncio.BaseEventLoop.time
    return time.monotonic if asyncios else loop.time


class ClockReading(msgspec.Struct, frozen=True):
    """One reading of the exchange's clock, with the monotonic times of asking and hearing."""

    server: float
    sent: float
    received: float


class ServerClock:
    """Keeps the exchange's time, and learns it when due. Concurrent calls share one lookup."""

    __slots__ = (
        "_again_at",
        "_ask",
        "_distance",
        "_learning",
        "_offset",
        "_told",
        "_wrong",
        "generation",
        "monotonic",
        "on_learnt",
        "source",
    )

    def __init__(
        self, ask: Callable[[], Awaitable[ClockReading]], source: TimeSource | None = None
    ) -> None:
        """`ask` reads the exchange's clock once."""
        self.source = source or SystemTime()
        self.monotonic: Callable[[], float] = self.source.monotonic
        """Seconds that never go back."""
        self.generation = 0
        """How often the offset was learnt. Each timestamp belongs to one generation."""
        self.on_learnt: Callable[[float, float], None] | None = None
        """Called with each new offset to this machine's clock and the round trip, in seconds."""
        self._ask = ask
        self._offset: float | None = None
        self._again_at = -math.inf
        self._learning: asyncio.Task[DustError | None] | None = None
        self._told = False
        self._distance = 0.0
        """From the monotonic clock to the machine's own, when the time was last asked for."""
        self._wrong = True
        """Whether calls have to wait for a lookup: the time is not known yet, or is wrong."""

    def server_time(self) -> float | None:
        """Give the exchange's time; `None` before it is learnt."""
        return None if self._offset is None else self.monotonic() + self._offset

    def now(self) -> float:
        """Give the exchange's time; before it is learnt, this machine's own."""
        learnt = self.server_time()
        return self.source.wall() if learnt is None else learnt

    def now_utc(self) -> datetime:
        """Give the exchange's time as an aware datetime."""
        return datetime.fromtimestamp(self.now(), tz=UTC)

    def timestamp(self) -> int:
        """Give the exchange's time in milliseconds, as a call carries it."""
        offset = self._offset
        return int((self.source.wall() if offset is None else self.monotonic() + offset) * 1000)

    @property
    def due(self) -> bool:
        """Whether the offset should be learnt before the next signed call."""
        monotonic = self.monotonic()
        return (
            monotonic >= self._again_at
            or not -_STEP <= self.source.wall() - monotonic - self._distance <= _STEP
            or (self._wrong and self._asks())
        )

    @property
    def wrong(self) -> bool:
        """Whether no call can be stamped before the next lookup: the time is unknown, or wrong."""
        return self._wrong

    def _asks(self) -> bool:
        return self._learning is not None and not self._learning.done()

    async def refresh(self) -> None:
        """Learn the offset if it is due; raises the reason if that fails."""
        if self.due:
            await self._learn_once()

    async def learn_past(self, generation: int) -> bool:
        """Learn the offset again unless that happened after `generation`; tell if it is new."""
        if self.generation == generation:
            await self._learn_once()
        return self.generation != generation

    def refused(self, generation: int) -> None:
        """Record that a timestamp was refused: the calls after it wait until the time is known."""
        if self.generation == generation:
            self._wrong = True
            if not self._asks():
                self._again_at = -math.inf

    def is_news(self) -> bool:
        """Whether a failed lookup is news: only the first one after a success is."""
        told, self._told = self._told, True
        return not told

    async def close(self) -> None:
        """Cancel a lookup that is under way."""
        if self._learning is not None:
            self._learning.cancel()
            await asyncio.gather(self._learning, return_exceptions=True)

    async def _learn_once(self) -> None:
        # In a task of its own: a cancelled caller must not cancel the lookup for the others.
        if self._learning is None or self._learning.done():
            self._learning = asyncio.create_task(self._learn(), name="binance-dust clock")
        learning = self._learning
        try:
            problem = await asyncio.shield(learning)
        except asyncio.CancelledError:
            if not learning.cancelled() or being_cancelled():
                raise
            problem = NotSentError("the session was closed while its clock was being learnt")
        if problem is not None:
            raise problem

    async def _learn(self) -> DustError | None:
        # No second lookup until the answer is here, and a pause after a failure.
        monotonic = self.source.monotonic()
        self._again_at = monotonic + _PAUSE_AFTER_FAILURE
        distance = self.source.wall() - monotonic
        self._wrong = self._wrong or abs(distance - self._distance) > _STEP
        self._distance = distance
        try:
            reading = await self._ask()
        except DustError as error:
            return error
        round_trip = reading.received - reading.sent
        self._offset = reading.server + min(round_trip / 2, _MOST_CORRECTION) - reading.received
        self.generation += 1
        self._told = self._wrong = False
        # The first round trip includes a handshake; the second one is more exact.
        self._again_at = reading.received + (
            _LEARN_AGAIN_FIRST if self.generation == 1 else _LEARN_AGAIN
        )
        if self.on_learnt is not None:
            self.on_learnt(self.now() - self.source.wall(), round_trip)
        return None


def being_cancelled() -> bool:
    """Whether this task itself is cancelled, not only what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
