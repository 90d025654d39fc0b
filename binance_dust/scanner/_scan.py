"""Accounts come in, from one or several sessions; reports go out, in the order of completion.

Each session has its own queue of accounts, so that all sessions work from the start, in whatever
order their accounts come. Each account has its own task, and only so many run at once for a
session. Accounts from a generator are read ahead, up to `_AHEAD`: a hundred thousand of them take
no more memory than ten thousand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Collection, Iterable
from typing import TYPE_CHECKING, Final

from binance_dust._util.checks import instance
from binance_dust._util.results import Results, Stream
from binance_dust.client import DustClient
from binance_dust.endpoints import to_account_type
from binance_dust.errors import ConfigurationError
from binance_dust.models import Delistings
from binance_dust.reports import AccountReport
from binance_dust.scanner._account import AccountScan, DeskSchedules, ScanPlan
from binance_dust.scanner._lanes import (
    ScanProgress,
    SessionPart,
    lanes_of,
    questions,
    seconds_left,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from binance_dust.endpoints import WalletName
    from binance_dust.scanner._lanes import Liabilities
    from binance_dust.session import Session

__all__ = ["Scan", "scan"]

_AHEAD: Final = 8192
"""Clients that are read ahead from a generator, in all sessions together. While the clients of one
session wait for room, those of another are found behind them."""


def scan(  # noqa: PLR0913 - the public face, all by keyword
    clients: Iterable[DustClient] | AsyncIterable[DustClient],
    *,
    target: str = "BNB",
    liabilities: Liabilities = "auto",
    elsewhere: bool = False,
    concurrency: int = 64,
    account_type: WalletName | None = None,
    delistings: Delistings | bool = False,
    skip: Collection[str] = (),
) -> Scan:
    """Read many accounts at once, and report on each as soon as it is done.

        async for report in scan(clients):
            print(report.account, report.net, report.errors)

    `liabilities` says whether small debts are asked for: `True` always (weight 100 an account),
    `False` never, `"auto"` only where cheaper questions have found a debt. `elsewhere=True` also
    asks what lies in other wallets (weight 60 an account: 200 a minute). `delistings=True` also
    says which assets will be delisted, and when: one account asks for all (weight 200). What
    `client.delistings()` gave will do as well. `concurrency` is how many accounts of a session are
    asked at once. `skip` names accounts to leave out, for example those that an earlier scan has
    done.
    """
    if not isinstance(clients, Iterable | AsyncIterable):
        raise TypeError(f"clients must be iterable, not {type(clients).__name__}")
    if instance(concurrency, int, "concurrency") < 1:
        raise ConfigurationError(f"concurrency must be at least 1, not {concurrency}")
    if not instance(target, str, "target").strip():
        raise ConfigurationError("target is empty; name an asset, BNB say")
    if not isinstance(delistings, Delistings | bool):
        raise TypeError(f"delistings must be Delistings or bool, not {type(delistings).__name__}")
    if isinstance(skip, str):
        raise TypeError("skip must be a collection of names, not one text")
    return Scan(
        _ScanRun(
            clients,
            ScanPlan(
                schedules=DeskSchedules(delistings),
                target=target,
                liabilities=liabilities,
                elsewhere=elsewhere,
                account_type=None if account_type is None else to_account_type(account_type),
            ),
            concurrency=concurrency,
            skip=frozenset(skip),
        )
    )


class Scan(Stream[AccountReport]):
    """A running scan: iterate it for its reports, look at `progress` meanwhile.

    Leaving the loop early stops it. `async with scan(...) as reports` waits until it has stopped.
    """

    __slots__ = ("_run",)

    def __init__(self, run: _ScanRun) -> None:
        """Prepare; nothing is asked until the first report is waited for."""
        super().__init__(run.results.of(run.run))
        self._run = run

    @property
    def progress(self) -> ScanProgress:
        """How far it is, and how long it will take."""
        return self._run.progress()

    def __repr__(self) -> str:
        run = self._run
        of = "" if run.total is None else f" of {run.total}"
        return f"<Scan {run.done}{of} accounts, {run.failed} failed>"


class _ScanRun:
    """The work of one scan, and how much of it is done."""

    def __init__(
        self,
        clients: Iterable[DustClient] | AsyncIterable[DustClient],
        plan: ScanPlan,
        *,
        concurrency: int,
        skip: frozenset[str],
    ) -> None:
        self._clients = clients
        self._plan = plan
        self._asked = questions(plan.liabilities, elsewhere=plan.elsewhere)
        self._concurrency = concurrency
        self._skip = skip
        self._ahead: asyncio.Semaphore | None = None
        """Room for clients that are read ahead; `None` if all are here already."""
        self._parts: dict[Session, SessionPart] = {}
        self._began: float | None = None
        self._ended: float | None = None
        self.results: Results[AccountReport] = Results(concurrency)
        self.total: int | None = None
        self.done: int = 0
        self.failed: int = 0

    async def run(self) -> None:
        """Read every account."""
        self._began = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as group:
                if isinstance(self._clients, Collection):
                    self._begin_all(group, self._clients)
                else:
                    await self._begin_as_they_come(group, self._clients)
        finally:
            self._ended = asyncio.get_running_loop().time()

    def _begin_all(self, group: asyncio.TaskGroup, clients: Collection[DustClient]) -> None:
        """Give each session its accounts, before any of them is begun."""
        wanted = [client for client in clients if self._wants(client)]
        self.total = len(wanted)
        for client in wanted:
            self._part(client.session).add(client)
        for part in self._parts.values():
            part.accounts = part.came
            self._begin(group, part)

    async def _begin_as_they_come(
        self, group: asyncio.TaskGroup, clients: Iterable[DustClient] | AsyncIterable[DustClient]
    ) -> None:
        """Read ahead, so that a session with much to do does not keep another one waiting."""
        self._ahead = ahead = asyncio.Semaphore(_AHEAD)
        async for client in _each(clients):
            if self._wants(client):
                await ahead.acquire()
                part = self._part(client.session)
                part.add(client)
                self._begin(group, part)

    def _begin(self, group: asyncio.TaskGroup, part: SessionPart) -> None:
        """Begin as many accounts of a session as there is room for."""
        while (client := part.begin()) is not None:
            group.create_task(self._read(group, part, client))
            if self._ahead is not None:
                self._ahead.release()

    def _wants(self, client: DustClient) -> bool:
        return instance(client, DustClient, "each client").name not in self._skip

    def _part(self, session: Session) -> SessionPart:
        part = self._parts.get(session)
        if part is None:
            part = self._parts[session] = SessionPart(session, self._concurrency)
        return part

    async def _read(self, group: asyncio.TaskGroup, part: SessionPart, client: DustClient) -> None:
        await AccountScan(client, part, self._plan).run(self._deliver)
        part.under_way -= 1
        self._begin(group, part)

    async def _deliver(self, report: AccountReport) -> None:
        self.done += 1
        self.failed += not report.ok
        await self.results.put(report)

    def progress(self) -> ScanProgress:
        """Show how far it is."""
        if self._began is None:
            return ScanProgress(0, 0, self.total, 0.0, None, ())
        now = asyncio.get_running_loop().time() if self._ended is None else self._ended
        parts = tuple(self._parts.values())
        lanes = lanes_of(parts, self._asked, self._plan.margin, self._plan.debt)
        left = None
        if self.total is not None:
            left = seconds_left(parts, lanes, self._plan.margin, self._concurrency)
        return ScanProgress(self.done, self.failed, self.total, now - self._began, left, lanes)


async def _each(
    clients: Iterable[DustClient] | AsyncIterable[DustClient],
) -> AsyncGenerator[DustClient, None]:
    if isinstance(clients, AsyncIterable):
        async for client in clients:
            yield client
        return
    for client in clients:
        yield client
