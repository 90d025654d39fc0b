"""The exchange's clock as seen from here, and the only module that reads the time.

The offset is learnt from `/api/v3/time`. An answer tells the server's time at some moment between
sending and receiving, so half the round trip is the best guess, wrong by at most that half. The
server refuses timestamps more than a second ahead of it but forgives seconds behind it, so the
correction for a slow round trip stops short of a second.

The exchange's time is kept against the monotonic clock: once learnt, the machine's own clock may
jump as it likes.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from binance_dust.errors import DustError, NotSentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_MOST_CORRECTION: Final = 0.9
"""Seconds; below the one second that a timestamp may be ahead."""
_LEARN_AGAIN: Final = 900.0
"""Seconds after which drift is worth a request; crystals drift by a few milliseconds in these."""
_LEARN_AGAIN_FIRST: Final = 60.0
_PAUSE_AFTER_FAILURE: Final = 10.0


class TimeSource(Protocol):
    """Where time comes from; tests bring their own."""

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
        """Read the clock that the event loop goes by, so that a virtual loop drives this too."""
        if self._of_loop is None:
            try:
                # Looked up once: a session lives in one loop, and every call asks seven times.
                self._of_loop = asyncio.get_running_loop().time
            except RuntimeError:
                return time.monotonic()
        return self._of_loop()

    def wall(self) -> float:
        """Read the machine's clock."""
        return time.time()


@dataclass(frozen=True, slots=True)
class ClockReading:
    """One look at the exchange's clock: what it said, and when we asked and heard, monotonic."""

    server: float
    sent: float
    received: float


class ServerClock:
    """Knows the exchange's time, and learns it when it has to; concurrent learners share one."""

    __slots__ = (
        "_again_at",
        "_ask",
        "_learning",
        "_offset",
        "_told",
        "generation",
        "on_learnt",
        "source",
    )

    def __init__(
        self, ask: Callable[[], Awaitable[ClockReading]], source: TimeSource | None = None
    ) -> None:
        """Take how to ask the exchange for its time."""
        self.source = source or SystemTime()
        self.generation = 0
        """How often the offset was learnt; a timestamp belongs to the generation it was made in."""
        self.on_learnt: Callable[[float, float], None] | None = None
        """Told of each offset to this machine's clock, with the round trip, in seconds."""
        self._ask = ask
        self._offset: float | None = None
        self._again_at = -math.inf
        self._learning: asyncio.Task[DustError | None] | None = None
        self._told = False

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self.source.monotonic()

    def server_time(self) -> float | None:
        """Give the exchange's time, `None` until it was learnt."""
        return None if self._offset is None else self.source.monotonic() + self._offset

    def now(self) -> float:
        """Give the exchange's time; this machine's own until it was learnt."""
        learnt = self.server_time()
        return self.source.wall() if learnt is None else learnt

    def now_utc(self) -> datetime:
        """Give the exchange's time as an aware datetime."""
        return datetime.fromtimestamp(self.now(), tz=UTC)

    def timestamp(self) -> int:
        """Give the exchange's time in milliseconds, as a call carries it."""
        return int(self.now() * 1000)

    @property
    def due(self) -> bool:
        """Whether the offset should be learnt before the next signed call."""
        return self.source.monotonic() >= self._again_at or (
            self._learning is not None and self.generation == 0 and not self._learning.done()
        )

    async def refresh(self) -> None:
        """Learn the offset if it is due; raises what kept it from being learnt."""
        if self.due:
            await self._learn_once()

    async def learn_past(self, generation: int) -> bool:
        """Learn the offset again, unless somebody has since `generation`; tell if it is new."""
        if self.generation == generation:
            await self._learn_once()
        return self.generation != generation

    def is_news(self) -> bool:
        """Tell, but once until the time is learnt again, that it was not learnt."""
        told, self._told = self._told, True
        return not told

    async def close(self) -> None:
        """Let go of a lookup that is under way."""
        if self._learning is not None:
            self._learning.cancel()
            await asyncio.gather(self._learning, return_exceptions=True)

    async def _learn_once(self) -> None:
        # A task of its own: a caller who is cancelled must not take the others' answer along.
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
        # Nobody need ask again until the answer is here; after a failure, not for a while.
        self._again_at = self.source.monotonic() + _PAUSE_AFTER_FAILURE
        try:
            reading = await self._ask()
        except DustError as error:
            return error
        round_trip = reading.received - reading.sent
        self._offset = reading.server + min(round_trip / 2, _MOST_CORRECTION) - reading.received
        self.generation += 1
        self._told = False
        # The first round trip had a handshake in it; the second is nearer the truth.
        self._again_at = reading.received + (
            _LEARN_AGAIN_FIRST if self.generation == 1 else _LEARN_AGAIN
        )
        if self.on_learnt is not None:
            self.on_learnt(self.now() - self.source.wall(), round_trip)
        return None


def being_cancelled() -> bool:
    """Tell whether somebody cancels this task, or only what it waited for was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
