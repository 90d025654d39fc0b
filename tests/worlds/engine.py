"""True time, and processes that each have an event loop and a clock of their own.

Nobody waits: true time jumps to the next thing that happens. A process may be stopped for a while
(what arrives meanwhile lies in its sockets), its clock may run fast, and it may die.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from asyncio import events
from collections.abc import Callable
from typing import Any, Final

_TICK: Final = 1e-6
"""Seconds that pass until a timer at least."""
_SPINS: Final = 50_000
"""Rounds in a row without a wait: a real process would do nothing else for ever."""


class SpinningError(Exception):
    """A process never waits."""


class ProcessLoop(asyncio.BaseEventLoop):
    """An event loop that runs when true time says so, and reads a clock that may run fast."""

    def __init__(self, engine: Engine, drift: float = 0.0) -> None:
        super().__init__()
        self.set_debug(False)
        self._selector = self
        self._engine = engine
        self._rate = 1.0 + drift
        self._asleep = 0.0
        self._idle = False
        self._spins = 0
        self.wake = math.inf
        """True time of its next timer."""
        self.stopped_until = -math.inf
        self.problems: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, problem: self.problems.append(problem))

    def time(self) -> float:
        return (self._engine.now - self._asleep) * self._rate

    def select(self, timeout: float | None) -> list[Any]:
        """Wait for nothing, and note until when one would have waited."""
        self._idle = timeout is None or timeout > 0
        self._spins = 0 if timeout is None or timeout > _TICK else self._spins + 1
        if self._spins > _SPINS:
            raise SpinningError(f"at {self.time():.3f}")
        if self._idle:
            self.wake = math.inf
            if timeout is not None:
                self.wake = self._engine.now + max(timeout / self._rate, _TICK)
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none: nothing here has a file."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in `select`."""

    @property
    def has_work(self) -> bool:
        """Whether something is ready to run."""
        return bool(self._ready)  # type: ignore[attr-defined]

    def turn(self) -> None:
        """Run until there is nothing left to do at this moment."""
        before = events._get_running_loop()
        events._set_running_loop(self)
        try:
            self._idle = False
            while not self._idle:
                self._run_once()  # type: ignore[attr-defined]
        finally:
            events._set_running_loop(before)

    def stop_for(self, seconds: float) -> None:
        """Run nothing for a while."""
        self.stopped_until = self._engine.now + seconds

    def go_to_sleep(self, seconds: float) -> None:
        """Run nothing for a while, with the machine: the monotonic clock stands still, too."""
        self.stop_for(seconds)
        self._engine.at(self.stopped_until, self._slept, seconds)

    def _slept(self, seconds: float) -> None:
        self._asleep += seconds
        self.wake += seconds

    def end(self) -> None:
        """Cancel every task, let them see it, and close."""
        for _ in range(3):
            for task in asyncio.all_tasks(self):
                task.cancel()
            self.turn()
        self.close()


class Engine:
    """What happens in a world, in the order of true time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.loops: list[ProcessLoop] = []
        self._happens: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._number = itertools.count()

    def at(self, when: float, act: Callable[..., object], *arguments: Any) -> None:
        """Have something happen at a moment of true time."""
        heapq.heappush(self._happens, (when, next(self._number), act, arguments))

    def run(self, until: float, done: Callable[[], bool]) -> None:
        """Let time pass until all is done, or nothing more happens, or it is late."""
        while True:
            now = self.now
            for loop in self.loops:
                if (loop.has_work or loop.wake <= now) and loop.stopped_until <= now:
                    loop.turn()
            if done():
                return
            soonest = self._happens[0][0] if self._happens else math.inf
            for loop in self.loops:
                wake = now if loop.has_work else loop.wake
                soonest = min(soonest, max(wake, loop.stopped_until))
            if soonest > until:
                self.now = max(now, until if until < math.inf else now)
                return
            self.now = max(now, soonest)
            while self._happens and self._happens[0][0] <= self.now:
                _, _, act, arguments = heapq.heappop(self._happens)
                act(*arguments)
