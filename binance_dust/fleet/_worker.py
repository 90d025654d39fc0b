"""The worker: has the keys of accounts and an address, and does what fleets ask."""

from __future__ import annotations

import asyncio
import platform
import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, Self

from binance_dust._util.checks import instance
from binance_dust._util.lifetimes import Closing
from binance_dust._version import __version__
from binance_dust.errors import (
    ConfigurationError,
    DustError,
    GuardError,
    NotSentError,
)
from binance_dust.events import logger
from binance_dust.fleet._accounts import by_name, not_read, try_out
from binance_dust.fleet._conversions import (
    convert,
    find_outcome,
    ledger_identity,
    report_to_plain,
    stopped,
)
from binance_dust.fleet._messages import (
    RESULT,
    STATUS,
    StatusRequest,
    WorkerStatus,
    WorkItem,
    WorkResult,
)
from binance_dust.fleet._options import (
    ConvertOptions,
    EstimateOptions,
    OwnRules,
    ReadOptions,
    read_options,
)
from binance_dust.fleet._queues import FleetQueues, listen, wait
from binance_dust.fleet._worker_job import WorkerJob
from binance_dust.ledger import Ledger
from binance_dust.scanner import estimate_scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from binance_dust.client import DustClient
    from binance_dust.reports import AccountReport
    from binance_dust.sweeper import AccountRules, SweepReport, SweepRules

__all__ = ["Worker"]

_ROOM: Final = 256
"""Accounts that a worker has in hand at once. Two windows' worth of the heaviest question: enough
wait for the next window, and few enough to be taken over soon."""
_TASKS: Final = 1 << 16
"""Tasks that taskiq runs at once: never the limit, for that is `room`."""
_GONE: Final = 6
"""A fleet is gone if it is silent for so many times its own patience."""
_MOST_JOBS: Final = 256
"""Jobs at once: more would be an attack on the memory."""
_REMEMBERED: Final = 1024
"""Ended jobs that are remembered, so that their late messages are ignored."""


class Worker(Closing):
    """Reads accounts and converts dust for fleets, until it is closed.

        async with Session(local_addr="10.0.0.2") as session:
            clients = [session.client(credentials) for credentials in Credentials.load(path)]
            async with Worker(clients, "redis://queue.internal") as worker:
                await stop.wait()

    Only names of accounts travel, never keys.
    """

    def __init__(  # noqa: PLR0913 - the public face, all but two by keyword
        self,
        clients: Iterable[DustClient],
        url: str = "memory://",
        *,
        ledger: Ledger | None = None,
        fleet: str = "binance-dust",
        key: str | None = None,
        rules: SweepRules | None = None,
        each: Callable[[DustClient], AccountRules] | None = None,
        liabilities: bool = False,
        name: str | None = None,
        concurrency: int = 64,
        room: int = _ROOM,
        grace: float = 10.0,
        on_report: Callable[[AccountReport | SweepReport], object] | None = None,
    ) -> None:
        """Take the accounts; nothing is opened.

        With an open `ledger` it also converts, if a fleet asks for that. Fleets and workers with
        the same `fleet` name and `key` meet at a URL; messages without the key are
        dropped. `rules` are the worker's own for conversions, as for `Converter`: of two rules the
        tighter one counts. So what a fleet may not loosen, like the cooldown, is loosened here.
        `each` gives the rules and wallets of one account, as for `sweep`; each rule that it gives
        replaces the one for all.
        Debts are exchanged only with `liabilities`.
        `concurrency` is as for `scan`; `room` limits how many accounts it has in hand at once. When
        it is closed, accounts in hand have `grace` seconds to finish, and the rest is given back.
        It waits for conversions that have begun. `on_report` gets each report before it is sent,
        for metrics say.
        """
        self._clients = by_name(clients)
        self._ledger = ledger if ledger is None else instance(ledger, Ledger, "ledger")
        self._ledger_id = None if ledger is None else ledger_identity(ledger)
        for option, value in (("concurrency", concurrency), ("room", room)):
            if instance(value, int, option) < 1:
                raise ConfigurationError(f"{option} must be at least 1, not {value}")
        self._queues = FleetQueues(url, fleet, key=key)
        self._rules: dict[str, OwnRules] = {}
        for account, client in self._clients.items():
            own: Any = {**(rules or {}), **(each(client) if each is not None else {})}
            self._rules[account] = OwnRules(own, liabilities=liabilities)
        self._name = name or platform.node() or "worker"
        # Another one for each start: messages to an earlier start don't reach this one.
        self._id = f"{self._name}-{secrets.token_hex(4)}"
        self._concurrency = concurrency
        self._room = room
        self._grace = grace
        self._on_report = on_report
        self._jobs: dict[str, WorkerJob] = {}
        self._ended_jobs: list[WorkerJob] = []
        """Those with conversions that still go on."""
        self._ended_ids: OrderedDict[str, None] = OrderedDict()
        self._idle = asyncio.Event()
        self._has_job = asyncio.Event()
        self._ending = asyncio.Event()
        self._leaving = False
        self._running: list[asyncio.Task[None]] = []

    @property
    def name(self) -> str:
        """Its name in the progress of fleets."""
        return self._name

    @property
    def in_hand(self) -> int:
        """How many accounts it has in hand."""
        return sum(len(job.in_hand) for job in (*self._jobs.values(), *self._ended_jobs))

    # --- life ------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Try the address, the clock and some keys, and begin to listen.

        If they don't work, raise `ConfigurationError`: this worker would only fail accounts.
        """
        if self._running:
            raise ConfigurationError("this worker is open already")
        if self._ledger is not None:
            for session in {client.session for client in self._clients.values()}:
                await self._ledger.refuse_other(session)
        try:
            await try_out(self._clients.values())
        except DustError as error:
            raise ConfigurationError(f"{self._name} takes no work: {error}") from error
        await self._queues.open()
        for queue in (self._queues.broadcast, self._queues.queue(self._id)):
            broker = self._queues.reader(queue)
            broker.state.handler = self
            await broker.startup()
            listening = listen(broker, self._ending, at_once=_TASKS, grace=self._grace)
            name = f"binance-dust worker {self._name}"
            self._running.append(asyncio.create_task(listening, name=name))
        watching = self._drop_silent_jobs()
        self._running.append(asyncio.create_task(watching, name="binance-dust worker watch"))

    async def close(self) -> None:
        """Finish what has begun and give back the rest. Closing twice is no harm."""
        if not self._running:
            return
        self._leaving = True
        await self._send_all_status()
        await self._finish()
        await self._send_all_status()
        self._jobs.clear()
        self._ending.set()
        self._running[-1].cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running.clear()
        await self._queues.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    # --- what fleets ask -------------------------------------------------------------------------

    async def on_status_request(self, request: StatusRequest) -> None:
        """Answer a status request; the first one of a job begins it."""
        if request.job in self._ended_ids:
            return
        job = self._jobs.get(request.job)
        if job is None:
            if self._leaving or len(self._jobs) >= _MOST_JOBS:
                return
            job = self._jobs[request.job] = WorkerJob(request, concurrency=self._concurrency)
            self._has_job.set()
        job.heard(request)
        await self._send_status(job)

    async def on_job_end(self, request: StatusRequest) -> None:
        """Drop what was asked for in a job that has ended."""
        await self._drop(request.job)

    async def _drop(self, job_id: str) -> None:
        self._ended_ids[job_id] = None
        if len(self._ended_ids) > _REMEMBERED:
            self._ended_ids.popitem(last=False)
        job = self._jobs.pop(job_id, None)
        if job is not None:
            self._ended_jobs.append(job)
            await job.stop_reading()
            self._check_idle()

    async def on_read(self, item: WorkItem) -> None:
        """Read an account, and report."""
        job = self._take(item)
        if job is None:
            return
        try:
            try:
                options = read_options(item.options, ReadOptions)
            except ConfigurationError as error:
                report = not_read(item.account, error)
            else:
                report = await job.read(self._clients[item.account], options)
            self._note(report)
            await self._send(item, report.to_plain())
        except asyncio.CancelledError:
            # The job has ended. Without this, taskiq would log an error.
            logger.debug("%s: dropped", item.account)
        finally:
            job.in_hand.discard(item.number)
            self._check_idle()

    async def on_convert(self, item: WorkItem) -> None:
        """Convert an account's dust, or find out the outcome, and report."""
        ledger, job = self._ledger, self._jobs.get(item.job)
        if ledger is None or job is None:
            return
        if item.since is None and (item.number in job.begun or job.is_too_late(item)):
            # The message came twice, or too late.
            return
        if self._take(item) is None:
            return
        client = self._clients[item.account]
        asked = ConvertOptions()
        try:
            try:
                asked = read_options(item.options, ConvertOptions)
                rules = self._rules[item.account].with_those_of(asked)
            except (ConfigurationError, GuardError) as error:
                report = stopped(client, asked, error)
            else:
                if item.since is None:
                    job.begun.add(item.number)
                    report = await convert(
                        client, ledger, asked, rules, check=lambda: job.check_fleet_is_heard(item)
                    )
                else:
                    report = await find_outcome(client, ledger, asked, item.since)
            self._note(report)
            await self._send(item, report_to_plain(report))
        finally:
            job.in_hand.discard(item.number)
            self._check_idle()

    async def on_estimate(self, item: WorkItem) -> None:
        """Say how long the limits would make reading some accounts last."""
        if item.job not in self._jobs:
            return
        try:
            asked = read_options(item.options, EstimateOptions)
        except ConfigurationError as error:
            logger.warning("%s: %s", self._name, error)
            return
        found = estimate_scan(
            [self._clients[name] for name in asked.accounts if name in self._clients],
            liabilities=asked.liabilities,
            elsewhere=asked.elsewhere,
            margin_share=asked.margin_share,
            debt_share=asked.debt_share,
        )
        lanes = [[lane.question, lane.calls, lane.weight, lane.seconds] for lane in found.lanes]
        await self._send(item, {"seconds": found.seconds, "lanes": lanes})

    # --- parts -----------------------------------------------------------------------------------

    def _take(self, item: WorkItem) -> WorkerJob | None:
        """Take a work item in hand, unless it is there already or comes too late."""
        job = self._jobs.get(item.job)
        if self._leaving or job is None or item.account not in self._clients:
            return None
        if item.number in job.in_hand:
            return None
        job.in_hand.add(item.number)
        self._idle.clear()
        return job

    def _note(self, report: AccountReport | SweepReport) -> None:
        try:
            if self._on_report is not None:
                self._on_report(report)
        except Exception:  # noqa: BLE001 - of a user
            logger.exception("on_report failed")

    def _status(self, job: WorkerJob) -> WorkerStatus:
        for_other_jobs = self.in_hand - len(job.in_hand)
        known = self._id in job.request.known
        return WorkerStatus(
            worker=self._id,
            name=self._name,
            room=0 if self._leaving else max(0, self._room - for_other_jobs),
            holding=tuple(job.in_hand),
            begun=tuple(job.begun) if self._leaving else (),
            leaving=self._leaving,
            ledger=self._ledger_id,
            exchange_time=self._any_client.session.now().timestamp(),
            worker_time=asyncio.get_running_loop().time(),
            seconds_left=job.seconds_left,
            accounts=None if known else tuple(self._clients),
            in_hand=self.in_hand,
            shut_for=self._any_client.session.budget.snapshot().shut_for,
            version=__version__,
            rehearsal=self._any_client.session.is_local,
        )

    async def _send_status(self, job: WorkerJob) -> None:
        try:
            await self._queues.send(job.request.reply_to, STATUS, self._status(job))
        except NotSentError as error:
            # The fleet asks again, and after a while takes this worker for lost.
            logger.debug("%s: %s", self._name, error)

    async def _send_all_status(self) -> None:
        for job in list(self._jobs.values()):
            await self._send_status(job)

    async def _send(self, item: WorkItem, value: dict[str, Any]) -> None:
        result = WorkResult(job=item.job, number=item.number, worker=self._id, value=value)
        try:
            await self._queues.send(item.reply_to, RESULT, result)
        except NotSentError as error:
            # The fleet notices that it is missing, and hands the account out again.
            logger.warning("%s: the result of %s is lost: %s", self._name, item.account, error)

    async def _finish(self) -> None:
        """Wait until nothing is in hand; after `grace`, only for conversions."""
        self._check_idle()
        await wait(self._idle, self._grace)
        for job in list(self._jobs.values()):
            await job.stop_reading()
        self._check_idle()
        await self._idle.wait()

    def _check_idle(self) -> None:
        self._ended_jobs = [job for job in self._ended_jobs if job.in_hand]
        if self.in_hand == 0:
            self._idle.set()

    async def _drop_silent_jobs(self) -> None:
        """Drop the jobs of fleets that are silent for too long: they have died."""
        while True:
            await self._has_job.wait()
            self._has_job.clear()
            while self._jobs:
                await asyncio.sleep(min(job.request.patience for job in self._jobs.values()))
                for job_id, job in list(self._jobs.items()):
                    if job.silent_for > job.request.patience * _GONE:
                        logger.info("%s: a fleet has gone silent, its job is dropped", self._name)
                        await self._drop(job_id)

    @property
    def _any_client(self) -> DustClient:
        return next(iter(self._clients.values()))

    def __repr__(self) -> str:
        return f"<Worker {self._name}, {len(self._clients)} accounts, {self.in_hand} in hand>"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("a Worker holds clients, which hold keys, and is never pickled")
