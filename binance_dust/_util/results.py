"""Results that are made in the background, and read in the order of completion.

The reader's side is a generator that only waits; whatever ends it (the end, an early `break`, a
cancellation, an error) stops the runner first. A slow reader is waited for: what is made and not
yet taken is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from types import TracebackType

T = TypeVar("T")


class Results(Generic[T]):
    """What a runner in the background has made."""

    __slots__ = ("_ready",)

    def __init__(self, capacity: int) -> None:
        """Hold so many that nobody has taken yet."""
        self._ready: asyncio.Queue[T | _End] = asyncio.Queue(capacity)

    async def put(self, result: T) -> None:
        """Hand a result to the reader, when there is room."""
        await self._ready.put(result)

    async def of(
        self, run: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]] | None = None
    ) -> AsyncGenerator[T, None]:
        """Run in the background, and give its results; `stop` is asked to end it gently first."""
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
            # A task group's: the first of them is what happened.
            problem = problems.exceptions[0]
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody ended this: something that it waited for was cancelled elsewhere.
            problem = error
        except Exception as error:  # noqa: BLE001 - told to whoever reads
            problem = error
        await self._ready.put(_End(problem))


class Stream(AsyncIterator[T]):
    """What users iterate: results as they come, stopped by leaving the loop or the context."""

    __slots__ = ("_cut_short", "_results")

    def __init__(self, results: AsyncGenerator[T, None]) -> None:
        """Prepare; nothing runs before the first result is waited for.

        The generator must not know this object, so that the last reference to a stream that
        somebody broke out of is really the last, and ends the generator there and then.
        """
        self._results = results
        self._cut_short = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if self._cut_short:
            # The end, said here, would pass for everything having been read.
            raise ConfigurationError(
                f"{self!r} stopped when waiting for it was cancelled, by a timeout perhaps: "
                "put the timeout around all of it, or begin another"
            )
        try:
            return await anext(self._results)
        except asyncio.CancelledError:
            self._cut_short = True
            raise

    async def aclose(self) -> None:
        """Stop whatever is still under way. Stopping twice is no harm."""
        await self._results.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class _End:
    """The last thing that a reader hears."""

    __slots__ = ("problem",)

    def __init__(self, problem: BaseException | None) -> None:
        self.problem = problem
