"""A process's event loop that counts its steps; and the thread of a ledger, without a thread."""

from __future__ import annotations

import asyncio
import heapq
import math
from asyncio import events
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from tests.worlds.engine import Engine, ProcessLoop

_TICK = 1e-6


class StepLoop(ProcessLoop):
    """Runs one step at a time, and asks before each whether there is a next."""

    def __init__(self, engine: Engine, before_step: Callable[[int], None]) -> None:
        super().__init__(engine)
        self.engine = engine
        self.alive = True
        self.steps = 0
        self.slow = 0.0
        """Seconds that a piece of work in another thread takes."""
        self.before_work: Callable[[], None] = lambda: None
        self.after_work: Callable[[BaseException | None], None] = lambda _: None
        self._before_step = before_step
        self._burying = False

    def turn(self) -> None:
        """Run until nothing is left to do at this moment, or it is stopped, or it dies."""
        before = events._get_running_loop()
        events._set_running_loop(self)
        ready = self._ready  # type: ignore[attr-defined]
        try:
            while True:
                self._wake_timers()
                if not ready:
                    return
                handle = ready.popleft()
                if handle._cancelled:
                    continue
                if not self._burying:
                    self.steps += 1
                    self._before_step(self.steps)
                    if not self.alive or self.stopped_until > self.engine.now:
                        ready.appendleft(handle)
                        return
                handle._run()
        finally:
            events._set_running_loop(before)

    def _wake_timers(self) -> None:
        """Move what is due to what is ready; note when the next is due."""
        scheduled = self._scheduled  # type: ignore[attr-defined]
        now = self.time()
        while scheduled and (scheduled[0]._cancelled or scheduled[0]._when <= now):
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            if not handle._cancelled:
                self._ready.append(handle)  # type: ignore[attr-defined]
        self.wake = math.inf
        if scheduled:
            self.wake = self.engine.now + max(scheduled[0]._when - now, _TICK)

    def _timer_handle_cancelled(self, handle: Any) -> None:
        """Cancelled timers are left where they are, until their time comes."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """Do the work at once, and tell when it would be done."""
        future = self.create_future()
        if not self.alive:
            return future  # nobody will ever hear of it
        result: Future[Any] = Future()
        self.work(result, func, args)

        def tell() -> None:
            if future.done() or not self.alive:
                return
            if (error := result.exception()) is not None:
                future.set_exception(error)
            else:
                future.set_result(result.result())

        if self.slow:
            self.call_later(self.slow, tell)
        else:
            self.call_soon(tell)
        return future

    def work(self, future: Future[Any], func: Any, args: Any) -> None:
        """Do a piece of work on a ledger."""
        self.before_work()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - as a thread hands it over
            future.set_exception(error)
        self.after_work(future.exception())

    def bury(self) -> None:
        """Cancel every task of a dead process; what it still wants to do reaches nobody."""
        self._burying = True
        self.alive = False
        for _ in range(6):
            tasks = asyncio.all_tasks(self)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self.turn()
        self.close()


class InlineThread(Executor):
    """Stands for the thread of a ledger: it works in its process's own thread, and dies with it."""

    def __init__(self, workers: int = 1, thread_name_prefix: str = "") -> None:
        del workers, thread_name_prefix
        loop = asyncio.get_running_loop()
        assert isinstance(loop, StepLoop)
        self._loop = loop

    def submit(self, func: Any, /, *args: Any, **more: Any) -> Future[Any]:
        """Do it at once, unless the process is dead."""
        del more
        future: Future[Any] = Future()
        if self._loop.alive:
            self._loop.work(future, func, args)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """There is no thread to end."""
