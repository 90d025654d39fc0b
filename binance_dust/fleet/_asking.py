"""Asking workers: one request to all of them, their answers, and the end of it.

The shortest question is which workers are there, and how they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from binance_dust.errors import NotSentError
from binance_dust.fleet._messages import END_JOB, REQUEST_STATUS, StatusRequest, WorkItem
from binance_dust.fleet._queues import replies, wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from binance_dust.fleet._job import Timing
    from binance_dust.fleet._messages import WorkerStatus, WorkResult
    from binance_dust.fleet._queues import FleetQueues

__all__ = ["Asking", "StatusJob", "WorkerInfo"]


class Asking:
    """Asks all workers, and hears what they answer into a queue of its own."""

    def __init__(self, queues: FleetQueues, timing: Timing) -> None:
        """Prepare; nothing is sent."""
        self.id: str = secrets.token_hex(8)
        self._queues = queues
        self._timing = timing
        self._reply_to = queues.queue(self.id)
        self._wake = asyncio.Event()

    async def on_status(self, status: WorkerStatus) -> None:
        """Take note that a worker is there."""
        raise NotImplementedError

    async def on_result(self, result: WorkResult) -> None:
        """Ignore the result of a work item: nothing was handed out."""

    @asynccontextmanager
    async def _hearing(self) -> AsyncIterator[None]:
        """Hear answers; at the end tell workers to drop what they have in hand.

        If they miss that, the silence tells them. Their queues may be what has failed.
        """
        async with replies(self._queues, self._reply_to, self):
            try:
                yield
            finally:
                with contextlib.suppress(NotSentError):
                    await self._broadcast(END_JOB)

    async def _broadcast(self, task: str, **more: Any) -> None:
        request = StatusRequest(
            job=self.id, reply_to=self._reply_to, patience=self._timing.patience, **more
        )
        await self._queues.send(self._queues.broadcast, task, request)

    async def _hand(self, worker: str, task: str, **fields: Any) -> None:
        item = WorkItem(job=self.id, reply_to=self._reply_to, **fields)
        await self._queues.send(self._queues.queue(worker), task, item)

    async def _rest(self, seconds: float) -> None:
        """Wait until something was heard, but not longer than this."""
        await wait(self._wake, seconds)
        self._wake.clear()


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker that is there."""

    name: str
    accounts: tuple[str, ...]
    """Those that it has keys of."""
    converts: bool
    """Whether it has a ledger; without one it only reads."""
    in_hand: int
    """Accounts that it has in hand, for all fleets."""
    shut_for: float
    """Seconds for which a ban keeps its address shut."""
    leaving: bool
    version: str
    """Of its package."""


class StatusJob(Asking):
    """Asks all workers once, and waits for their answers."""

    def __init__(self, queues: FleetQueues, timing: Timing) -> None:
        """Prepare; nothing is sent."""
        super().__init__(queues, timing)
        self._found: dict[str, WorkerStatus] = {}

    async def on_status(self, status: WorkerStatus) -> None:
        """Take note that a worker is there."""
        self._found.setdefault(status.worker, status)

    async def run(self) -> tuple[WorkerInfo, ...]:
        """Ask, and give the answers that came within `gather` seconds."""
        async with self._hearing():
            await self._broadcast(REQUEST_STATUS)
            await asyncio.sleep(self._timing.gather)
        found = sorted(self._found.values(), key=lambda each: (each.name, each.worker))
        return tuple(
            WorkerInfo(
                name=each.name,
                accounts=each.accounts or (),
                converts=each.ledger is not None,
                in_hand=each.in_hand,
                shut_for=each.shut_for,
                leaving=each.leaving,
                version=each.version,
            )
            for each in found
        )
