"""What comes back from a fleet: one stream, in the order of completion."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from binance_dust._util.results import Stream
from binance_dust.fleet._progress import FleetProgress, progress_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from binance_dust.fleet._job import Job

__all__ = ["FleetStream"]

R = TypeVar("R")


class FleetStream(Stream[R], Generic[R]):
    """A fleet's job under way: iterate it for its results, look at `progress` meanwhile.

    Leaving the loop early stops it. `async with fleet.scan(...) as reports` stops it before going
    on.
    """

    __slots__ = ("_job",)

    def __init__(self, job: Job[R]) -> None:
        """Prepare; nothing is asked before the first result is waited for."""
        super().__init__(_read(job))
        self._job = job

    @property
    def progress(self) -> FleetProgress:
        """How far it is, who works, and how long it will take."""
        job = self._job
        elapsed = 0.0
        if job.began is not None:
            now = asyncio.get_running_loop().time() if job.ended is None else job.ended
            elapsed = now - job.began
        return progress_of(job.assignments, failed=job.failed, elapsed=elapsed)

    def __repr__(self) -> str:
        assignments = self._job.assignments
        return f"<FleetStream {assignments.done} of {assignments.total} accounts>"


async def _read(job: Job[R]) -> AsyncGenerator[R, None]:
    stream = job.results.of(job.run)
    try:
        async for item in stream:
            job.unread -= 1
            yield item
    finally:
        await stream.aclose()
