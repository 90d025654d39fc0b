"""Which workers are there, what they do, and how they are."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from binance_dust.errors import NotSentError
from binance_dust.fleet._messages import END_JOB, REQUEST_STATUS, StatusRequest
from binance_dust.fleet._queues import replies

if TYPE_CHECKING:
    from binance_dust.fleet._job import Timing
    from binance_dust.fleet._messages import WorkerStatus, WorkResult
    from binance_dust.fleet._queues import FleetQueues

__all__ = ["StatusJob", "WorkerInfo"]


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker that is there."""

    name: str
    accounts: tuple[str, ...]
    """Those that it has keys of."""
    converts: bool
    """Whether it has a ledger; without one it only reads."""
    in_hand: int
    """Accounts that it has in hand, for all who ask."""
    shut_for: float
    """Seconds for which a ban keeps its address shut."""
    leaving: bool
    version: str
    """Of its package."""


class StatusJob:
    """Asks all workers once, and waits for those who answer."""

    def __init__(self, queues: FleetQueues, timing: Timing) -> None:
        """Prepare; nothing is sent."""
        self._queues = queues
        self._timing = timing
        self._id = secrets.token_hex(8)
        self._reply_to = queues.queue(self._id)
        self._found: dict[str, WorkerStatus] = {}

    def on_status(self, status: WorkerStatus) -> None:
        """Take note that a worker is there."""
        self._found.setdefault(status.worker, status)

    async def on_result(self, result: WorkResult) -> None:
        """Ignore a result: nothing was handed out."""

    async def run(self) -> tuple[WorkerInfo, ...]:
        """Ask, and give the answers that came within `gather` seconds."""
        async with replies(self._queues, self._reply_to, self):
            await self._broadcast(REQUEST_STATUS)
            await asyncio.sleep(self._timing.gather)
            with contextlib.suppress(NotSentError):
                await self._broadcast(END_JOB)
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

    async def _broadcast(self, task: str) -> None:
        patience = self._timing.patience
        request = StatusRequest(job=self._id, reply_to=self._reply_to, patience=patience)
        await self._queues.send(self._queues.broadcast, task, request)
