"""What a worker has in hand for one job of one fleet, and its part of a scan."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from binance_dust._call.forecasts import PaceForecast
from binance_dust.errors import GuardError
from binance_dust.scanner import Question, scan
from binance_dust.scanner._lanes import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from binance_dust.client import DustClient
    from binance_dust.fleet._messages import StatusRequest, WorkItem
    from binance_dust.fleet._options import ReadOptions
    from binance_dust.reports import AccountReport

__all__ = ["WorkerJob"]


class WorkerJob:
    """A job as a worker knows it: the work items in hand, and when it last heard from the fleet."""

    __slots__ = ("_concurrency", "_heard_at", "_scan", "begun", "in_hand", "request")

    def __init__(self, request: StatusRequest, *, concurrency: int) -> None:
        """Begin with nothing in hand."""
        self.in_hand: set[int] = set()
        """Work items that have no result yet."""
        self.begun: set[int] = set()
        """Work items that may have moved funds, finished ones included."""
        self._concurrency = concurrency
        self._scan: OpenScan | None = None
        self.heard(request)

    def heard(self, request: StatusRequest) -> None:
        """Take note that the fleet is there."""
        self.request, self._heard_at = request, _now()

    @property
    def silent_for(self) -> float:
        """Seconds since the fleet was heard."""
        return _now() - self._heard_at

    @property
    def seconds_left(self) -> float:
        """Foretell when the last call of this job can be sent."""
        return self._scan.seconds_left(self.request.more) if self._scan else 0.0

    async def read(self, client: DustClient, options: ReadOptions) -> AccountReport:
        """Read an account; `CancelledError` if the job ends before that."""
        if self._scan is None:
            asked = msgspec.structs.asdict(options)
            self._scan = OpenScan(concurrency=self._concurrency, **asked)
        return await self._scan.read(client)

    def is_too_late(self, item: WorkItem) -> bool:
        """Whether a work item travelled for so long that the fleet may take it for lost."""
        return _now() - item.worker_time > self.request.patience / 2

    def check_fleet_is_heard(self, item: WorkItem) -> None:
        """Refuse to move funds for a fleet that may take this worker for lost by now.

        The fleet does so `patience` after the last status that it received, and this worker sent
        each status in answer to a request that it received. Half of the time is left for what comes
        before the intent is in the ledger.
        """
        if self.silent_for > self.request.patience / 2:
            raise GuardError(f"{item.account}: the fleet has been silent for too long")

    async def stop_reading(self) -> None:
        """Stop what only reads. Conversions that may have begun go on."""
        reading, self._scan = self._scan, None
        if reading is not None:
            await reading.stop()
        self.in_hand &= self.begun


class OpenScan:
    """A `scan` that is given its accounts one by one, until it is stopped."""

    __slots__ = ("_asked", "_clients", "_reports", "_running", "_scan")

    def __init__(self, *, concurrency: int, **options: Any) -> None:
        """Begin without any account."""
        self._clients: asyncio.Queue[DustClient] = asyncio.Queue()
        self._reports: dict[str, asyncio.Future[AccountReport]] = {}
        self._asked: dict[str, DustClient] = {}
        self._scan = scan(self._feed(), concurrency=concurrency, **options)
        self._running = asyncio.create_task(self._run(), name="binance-dust fleet scan")

    async def read(self, client: DustClient) -> AccountReport:
        """Read an account; `CancelledError` if the scan is stopped before that is done."""
        report = self._reports.get(client.name)
        if report is None:
            report = asyncio.get_running_loop().create_future()
            self._reports[client.name] = report
            self._asked[client.name] = client
            self._clients.put_nowait(client)
        return await asyncio.shield(report)

    def seconds_left(self, more: int) -> float:
        """Foretell when the last call can be sent if so many accounts more come."""
        progress = self._scan.progress
        sessions = {client.session for client in self._asked.values()}
        # Every account is asked for its assets, once.
        accounts = sum(lane.expected for lane in progress.lanes if lane.question is Question.ASSETS)
        latest, calls_in_all = 0.0, 0
        for lane in progress.lanes:
            due = lane.expected - lane.asked + round(more * lane.expected / max(1, accounts))
            calls_in_all += due
            for session in sessions:
                calls = -(-due // len(sessions))
                latest = max(latest, session.forecast(ENDPOINTS[lane.question], calls))
        for session in sessions:
            pace = PaceForecast(session.budget.snapshot().requests_per_second)
            latest = max(latest, pace.seconds(calls_in_all / len(sessions)))
        return latest

    async def stop(self) -> None:
        """Leave nothing running."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._scan.aclose()
        for report in self._reports.values():
            report.cancel()
        self._reports.clear()

    async def _run(self) -> None:
        try:
            async for report in self._scan:
                self._asked.pop(report.account, None)
                waiting = self._reports.pop(report.account, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(report)
        finally:
            # However it ended, nothing may wait for ever.
            for waiting in self._reports.values():
                waiting.cancel()

    async def _feed(self) -> AsyncGenerator[DustClient, None]:
        while True:
            yield await self._clients.get()


def _now() -> float:
    return asyncio.get_running_loop().time()
