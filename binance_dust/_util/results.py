"""Results made in the background, and read in the order of completion.

The reader has a generator that only waits. However it ends (the last result, an early `break`, a
cancellation, an error), it stops the runner first. The runner waits for a slow reader: the number
of results that are made but not read is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

T = TypeVar("T")


class Results(Generic[T]):
    """A bounded queue between a runner in the background and its reader."""

    __slots__ = ("_ready",)

    def __init__(self, capacity: int) -> None:
        """Hold at most `capacity` unread results."""
        self._ready: asyncio.Queue[T | _End] = asyncio.Queue(capacity)

    async def put(self, result: T) -> None:
        """Pass a result to the reader; waits while the queue is full."""
        await self._ready.put(result)

    async def of(
        self, run: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]] | None = None
    ) -> AsyncGenerator[T, None]:
        """Run in the background and yield the results; `stop` ends the run cleanly."""
        runner = asyncio.create_task(self._run(run), name="binance-dust results")
        try:
            while not isinstance(item := await self._ready.get(), _End):
                yield item
            if item.problem is not None:
                raise item.problem
        finally:
            try:
                if stop is not None and not runner.done():
                    await stop()
            finally:
                runner.cancel()
                await asyncio.gather(runner, return_exceptions=True)

    async def _run(self, run: Callable[[], Awaitable[None]]) -> None:
        problem: BaseException | None = None
        try:
            await run()
        except BaseExceptionGroup as problems:
            # From a task group: the first one is the cause.
            problem = problems.exceptions[0]
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # This task was not cancelled: something that it waited for was.
            problem = error
        except Exception as error:  # noqa: BLE001 - passed on to the reader
            problem = error
        await self._ready.put(_End(problem))


class Stream(AsyncIterator[T]):
    """Results as they come, for users to iterate. Leaving the loop or the context stops it."""

    __slots__ = ("_cut_short", "_results")

    def __init__(self, results: AsyncGenerator[T, None]) -> None:
        """Prepare; nothing runs before the first result is awaited.

        The generator must not refer to this object. Then dropping the last reference to a stream,
        after a `break`, ends the generator at once.
        """
        self._results = results
        self._cut_short = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if self._cut_short:
            # Ending here silently would look as if everything had been read.
            raise ConfigurationError(
                f"{self!r} stopped when waiting for it was cancelled, perhaps by a timeout: "
                "put the timeout around the whole loop, or start another"
            )
        try:
            return await anext(self._results)
        except asyncio.CancelledError:
            self._cut_short = True
            raise

    async def aclose(self) -> None:
        """Stop what is still under way. Stopping twice does no harm."""
        await self._results.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _End:
    """The last item in the queue."""

    __slots__ = ("problem",)

    def __init__(self, problem: BaseException | None) -> None:
        self.problem = problem
