"""Accounts come in, from one or several sessions; reports go out, in the order of completion.

A task an account, a bounded number of them at once: memory is the same for a thousand accounts and
for a hundred thousand.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, Collection, Iterable
from typing import TYPE_CHECKING, Final

from binance_dust._util.checks import instance
from binance_dust._util.results import Results, Stream
from binance_dust.client import DustClient
from binance_dust.errors import ConfigurationError
from binance_dust.reports import AccountReport
from binance_dust.scanner._desk import Desk, Share, questions
from binance_dust.scanner._progress import ScanProgress, lanes_of, seconds_left
from binance_dust.scanner._visit import Visit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from binance_dust.endpoints import AccountType
    from binance_dust.scanner._desk import Liabilities
    from binance_dust.session import Session

__all__ = ["Scan", "scan"]

_AHEAD: Final = 2048
"""Accounts that are read ahead, so that one session's do not hide another's behind them."""


def scan(  # noqa: PLR0913 - the public face, all by keyword
    clients: Iterable[DustClient] | AsyncIterable[DustClient],
    *,
    target: str = "BNB",
    liabilities: Liabilities = "auto",
    concurrency: int = 64,
    account_type: AccountType | None = None,
    skip: Collection[str] = (),
) -> Scan:
    """Read many accounts at once, and report on each as soon as it is done.

        async for report in scan(clients):
            print(report.account, report.net, report.errors)

    `liabilities` says whether small debts are asked for: `True` always (weight 100 an account),
    `False` never, `"auto"` only where cheaper questions have found a debt. `concurrency` is how
    many accounts of a session are asked at once; `skip` are names of accounts to leave out, those
    that an earlier scan has done, say.
    """
    if not isinstance(clients, Iterable | AsyncIterable):
        raise TypeError(f"clients must be iterable, not {type(clients).__name__}")
    if account_type not in (None, "SPOT", "MARGIN"):
        raise ConfigurationError(f"account_type must be 'SPOT' or 'MARGIN', not {account_type!r}")
    if instance(concurrency, int, "concurrency") < 1:
        raise ConfigurationError(f"concurrency must be at least 1, not {concurrency}")
    if not instance(target, str, "target").strip():
        raise ConfigurationError("target is empty; name an asset, BNB say")
    if isinstance(skip, str):
        raise TypeError("skip must be a collection of names, not one text")
    return Scan(
        _Work(
            clients,
            target=target,
            liabilities=liabilities,
            concurrency=concurrency,
            account_type=account_type,
            skip=frozenset(skip),
        )
    )


class Scan(Stream[AccountReport]):
    """A scan under way: iterate it for its reports, look at `progress` meanwhile.

    Leaving the loop early stops it. `async with scan(...) as reports` stops it before going on.
    """

    __slots__ = ("_work",)

    def __init__(self, work: _Work) -> None:
        """Prepare; nothing is asked before the first report is waited for."""
        super().__init__(work.results.of(work.run))
        self._work = work

    @property
    def progress(self) -> ScanProgress:
        """How far it is, and how long it will take."""
        return self._work.progress()

    def __repr__(self) -> str:
        work = self._work
        of = "" if work.total is None else f" of {work.total}"
        return f"<Scan {work.done}{of} accounts, {work.failed} failed>"


class _Work:
    """What a scan has to do, and has done."""

    def __init__(  # noqa: PLR0913 - what a scan is made of, all by keyword
        self,
        clients: Iterable[DustClient] | AsyncIterable[DustClient],
        *,
        target: str,
        liabilities: Liabilities,
        concurrency: int,
        account_type: AccountType | None,
        skip: frozenset[str],
    ) -> None:
        self._clients = clients
        self._target = target
        self._liabilities = liabilities
        self._asks = questions(liabilities)
        self._concurrency = concurrency
        self._account_type = account_type
        self._skip = skip
        self._ahead = asyncio.Semaphore(_AHEAD)
        self._desks: dict[Session, Desk] = {}
        self._margin, self._debt = Share(), Share()
        self._began: float | None = None
        self._ended: float | None = None
        self.results: Results[AccountReport] = Results(concurrency)
        self.total: int | None = None
        self.done: int = 0
        self.failed: int = 0

    async def run(self) -> None:
        """Visit every account."""
        self._began = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as group:
                async for client in self._wanted():
                    await self._ahead.acquire()
                    group.create_task(self._visit(client))
        finally:
            self._ended = asyncio.get_running_loop().time()

    async def _wanted(self) -> AsyncGenerator[DustClient, None]:
        clients = self._clients
        if isinstance(clients, AsyncIterable):
            async for client in clients:
                if self._wants(client):
                    yield client
            return
        if isinstance(clients, Collection):
            wanted = [client for client in clients if self._wants(client)]
            self.total = len(wanted)
            for session, count in Counter(client.session for client in wanted).items():
                self._desk(session).accounts = count
            clients = wanted
        for client in clients:
            if self.total is not None or self._wants(client):
                yield client

    def _wants(self, client: DustClient) -> bool:
        return instance(client, DustClient, "each client").name not in self._skip

    def _desk(self, session: Session) -> Desk:
        desk = self._desks.get(session)
        if desk is None:
            desk = self._desks[session] = Desk(session, self._concurrency)
        return desk

    async def _visit(self, client: DustClient) -> None:
        desk = self._desk(client.session)
        desk.begun += 1
        visit = Visit(
            client,
            desk=desk,
            target=self._target,
            account_type=self._account_type,
            margin=self._margin,
            debt=self._debt,
        )
        await visit.run(self._liabilities, self._deliver)
        self._ahead.release()

    async def _deliver(self, report: AccountReport) -> None:
        self.done += 1
        self.failed += not report.ok
        await self.results.put(report)

    def progress(self) -> ScanProgress:
        """Show how far it is."""
        if self._began is None:
            return ScanProgress(0, 0, self.total, 0.0, None, ())
        now = asyncio.get_running_loop().time() if self._ended is None else self._ended
        desks = tuple(self._desks.values())
        lanes = lanes_of(desks, self._asks, self._margin, self._debt)
        left = None
        if self.total is not None:
            left = seconds_left(desks, lanes, self._margin, self._concurrency)
        return ScanProgress(self.done, self.failed, self.total, now - self._began, left, lanes)
