"""How long a scan would take: each worker estimates its part."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from binance_dust.errors import NotSentError
from binance_dust.events import logger
from binance_dust.fleet._asking import Asking
from binance_dust.fleet._messages import ESTIMATE, REQUEST_STATUS, Index, Moment
from binance_dust.scanner import LaneEstimate, Question, ScanEstimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from binance_dust.fleet._job import Timing
    from binance_dust.fleet._messages import WorkerStatus, WorkResult
    from binance_dust.fleet._queues import FleetQueues

__all__ = ["EstimateJob", "share_out"]


class _EstimateAnswer(msgspec.Struct, frozen=True):
    """How long a worker's part would take, and each of its lanes."""

    seconds: Moment
    lanes: list[tuple[str, Index, Index, Moment]]


class EstimateJob(Asking):
    """Asks which workers are there, gives each a part, and puts their estimates together."""

    def __init__(
        self,
        queues: FleetQueues,
        timing: Timing,
        names: Iterable[str] | None,
        options: dict[str, Any],
    ) -> None:
        """Prepare; nothing is sent."""
        super().__init__(queues, timing)
        self._names = names
        self._options = options
        self._workers: dict[str, WorkerStatus] = {}
        self._asked: set[int] = set()
        self._answers: dict[int, _EstimateAnswer] = {}

    async def on_status(self, status: WorkerStatus) -> None:
        """Take note that a worker is there."""
        if not status.leaving and status.accounts is not None:
            self._workers[status.worker] = status
            self._wake.set()

    async def on_result(self, result: WorkResult) -> None:
        """Take note of how long a worker's part would take."""
        if result.job != self.id or result.number not in self._asked:
            return
        try:
            self._answers[result.number] = msgspec.convert(result.value, _EstimateAnswer)
        except msgspec.ValidationError:
            logger.warning("%s sent an estimate that can't be read", result.worker)
        self._wake.set()

    async def run(self) -> ScanEstimate:
        """Ask, and put the answers together."""
        async with self._hearing():
            return await self._ask()

    async def _ask(self) -> ScanEstimate:
        timing = self._timing
        time = asyncio.get_running_loop().time
        latest = time() + timing.wait
        while not self._workers:
            await self._broadcast(REQUEST_STATUS)
            await self._rest(timing.pulse)
            if time() > latest:
                raise NotSentError("no worker is there")
        # The others received the same request, and answer it about now.
        await asyncio.sleep(timing.pulse / 2)
        workers = sorted(self._workers.values(), key=lambda each: (each.name, each.worker))
        shares = share_out(self._names, {each.worker: each.accounts or () for each in workers})
        asked = {number: worker for number, worker in enumerate(workers) if shares[worker.worker]}
        for number, worker in asked.items():
            self._asked.add(number)
            await self._hand(
                worker.worker,
                ESTIMATE,
                number=number,
                account="",
                options={**self._options, "accounts": shares[worker.worker]},
                worker_time=worker.worker_time,
            )
        latest = time() + timing.patience
        while not self._answers.keys() >= asked.keys():
            if time() > latest:
                raise NotSentError("a worker was lost while it was asked for an estimate")
            await self._rest(timing.pulse)
        return self._sum(sum(map(len, shares.values())))

    def _sum(self, accounts: int) -> ScanEstimate:
        lanes = [
            LaneEstimate(number, Question(question), calls, weight, seconds)
            for number, answer in self._answers.items()
            for question, calls, weight, seconds in answer.lanes
        ]
        lanes.sort(key=lambda lane: lane.seconds, reverse=True)
        seconds = max((answer.seconds for answer in self._answers.values()), default=0.0)
        return ScanEstimate(accounts, seconds, tuple(lanes))


def share_out(
    names: Iterable[str] | None, keys: Mapping[str, Iterable[str]]
) -> dict[str, list[str]]:
    """Share accounts out: each to the worker with the fewest, of those that have its key."""
    workers_with_key: dict[str, list[str]] = {}
    for worker, accounts in keys.items():
        for account in accounts:
            workers_with_key.setdefault(account, []).append(worker)
    wanted: Iterable[str] = workers_with_key
    if names is not None:
        wanted = [name for name in dict.fromkeys(names) if name in workers_with_key]
    shares: dict[str, list[str]] = {worker: [] for worker in keys}
    for account in sorted(wanted, key=lambda account: len(workers_with_key[account])):
        fewest = min(workers_with_key[account], key=lambda worker: len(shares[worker]))
        shares[fewest].append(account)
    return shares
