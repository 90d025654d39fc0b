"""A worker's part of one scan: a scan of its own, whose accounts come one by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from binance_dust.scanner import Question, scan
from binance_dust.scanner._lanes import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from binance_dust.client import DustClient
    from binance_dust.reports import AccountReport

__all__ = ["Round"]


class Round:
    """Visits accounts until it is stopped; the library's `scan` does the work."""

    __slots__ = ("_asked", "_clients", "_running", "_scan", "_waiting")

    def __init__(self, *, concurrency: int, **asks: Any) -> None:
        """Begin, with nobody to visit yet."""
        self._clients: asyncio.Queue[DustClient] = asyncio.Queue()
        self._waiting: dict[str, asyncio.Future[AccountReport]] = {}
        self._asked: dict[str, DustClient] = {}
        self._scan = scan(self._feed(), concurrency=concurrency, **asks)
        self._running = asyncio.create_task(self._run(), name="binance-dust fleet round")

    async def visit(self, client: DustClient) -> AccountReport:
        """Visit an account; `CancelledError` if the round is stopped before that is done."""
        report = self._waiting.get(client.name)
        if report is None:
            report = asyncio.get_running_loop().create_future()
            self._waiting[client.name] = report
            self._asked[client.name] = client
            self._clients.put_nowait(client)
        return await asyncio.shield(report)

    def seconds_left(self, rest: int) -> float:
        """Foretell when its last call can be sent if it gets so many accounts more."""
        progress = self._scan.progress
        sessions = {client.session for client in self._asked.values()}
        # Every account is asked for its assets, once.
        accounts = sum(lane.expected for lane in progress.lanes if lane.question is Question.ASSETS)
        latest = 0.0
        for lane in progress.lanes:
            due = lane.expected - lane.asked + round(rest * lane.expected / max(1, accounts))
            for session in sessions:
                calls = -(-due // len(sessions))
                latest = max(latest, session.forecast(ENDPOINTS[lane.question], calls))
        return latest

    async def stop(self) -> None:
        """Leave nothing running."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._scan.aclose()
        for report in self._waiting.values():
            report.cancel()
        self._waiting.clear()

    async def _run(self) -> None:
        try:
            async for report in self._scan:
                self._asked.pop(report.account, None)
                waiting = self._waiting.pop(report.account, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(report)
        finally:
            # Whatever ended it: those who wait must not wait for ever.
            for waiting in self._waiting.values():
                waiting.cancel()

    async def _feed(self) -> AsyncGenerator[DustClient, None]:
        while True:
            yield await self._clients.get()
