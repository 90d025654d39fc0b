"""What comes back from a fleet: one stream, in the order of completion."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from binance_dust.fleet._progress import FleetProgress, progress_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import TracebackType

    from binance_dust.fleet._job import Job

__all__ = ["FleetStream"]

R = TypeVar("R")


class FleetStream(AsyncIterator[R], Generic[R]):
    """A fleet's job under way: iterate it for its results, look at `progress` meanwhile.

    Leaving the loop early stops it. `async with fleet.scan(...) as reports` stops it before going
    on.
    """

    __slots__ = ("_job", "_results")

    def __init__(self, job: Job[R]) -> None:
        """Prepare; nothing is asked before the first result is waited for."""
        self._job = job
        # The generator knows the job and not this object: see `binance_dust.scanner.Scan`.
        self._results = _deliver(job)

    @property
    def progress(self) -> FleetProgress:
        """How far it is, who works, and how long it will take."""
        job = self._job
        elapsed = 0.0
        if job.began is not None:
            elapsed = (job.ended or asyncio.get_running_loop().time()) - job.began
        return progress_of(job.assignments, failed=job.failed, elapsed=elapsed)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R:
        return await anext(self._results)

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

    def __repr__(self) -> str:
        assignments = self._job.assignments
        return f"<FleetStream {assignments.done} of {assignments.total} accounts>"


async def _deliver(job: Job[R]) -> AsyncGenerator[R, None]:
    runner = asyncio.create_task(job.run(), name="binance-dust fleet job")
    try:
        while (item := await job.ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)
