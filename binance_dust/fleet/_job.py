"""One job of a fleet: it asks for workers, hands accounts out, and gives the results as a stream.

The stream's `progress` says how far the job is.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from binance_dust._util.checks import seconds
from binance_dust._util.results import Results, Stream
from binance_dust.errors import ConfigurationError, NotSentError
from binance_dust.events import logger
from binance_dust.fleet._asking import Asking
from binance_dust.fleet._messages import REQUEST_STATUS
from binance_dust.fleet._states import first_of_worker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable
    from datetime import timedelta

    from binance_dust.errors import DustError
    from binance_dust.fleet._assignments import Assignments, Handout
    from binance_dust.fleet._messages import WorkerStatus, WorkResult
    from binance_dust.fleet._queues import FleetQueues

__all__ = ["FleetProgress", "FleetStream", "Job", "JobKind", "Jobs", "Timing", "WorkerProgress"]

R = TypeVar("R")

_UNREAD: Final = 2048
"""Results that may wait for the reader; with more, no new account is handed out."""
_FIRST_ANSWERS: Final = 0.5
"""The part of a pulse that workers have to answer before the first accounts are handed out."""


@dataclass(frozen=True, slots=True, init=False)
class Timing:
    """How often a fleet asks which workers are there, and how long it waits for them.

    Times are given in seconds or as timedeltas.
    """

    pulse: float
    """Seconds between two status requests."""
    patience: float
    """Seconds without an answer after which a worker is lost."""
    gather: float
    """Seconds that all workers have to answer before the first order to move funds is handed out.
    Workers that keep different ledgers of one account have to be noticed by then."""
    wait: float
    """Seconds that an account waits for a worker that can do it, when none can."""

    def __init__(
        self,
        pulse: timedelta | float = 1.0,
        patience: timedelta | float = 5.0,
        gather: timedelta | float = 2.0,
        wait: timedelta | float = 30.0,
    ) -> None:
        """Refuse what can't work."""
        given = {"pulse": pulse, "patience": patience, "gather": gather, "wait": wait}
        for name, value in given.items():
            object.__setattr__(self, name, seconds(value, name))
        if self.patience < 2 * self.pulse:
            raise ConfigurationError("patience must be at least two pulses: one may be missed")


@dataclass(frozen=True, kw_only=True)
class JobKind(Generic[R]):
    """What workers are asked, and what comes back."""

    task: str
    options: dict[str, Any]
    read: Callable[[dict[str, Any]], R]
    """Makes a result of what a worker sends."""
    account: Callable[[R], str]
    """Whose result it is."""
    give_up: Callable[[str, NotSentError], R]
    """Makes the result of an account that no worker can do."""
    has_failed: Callable[[R], bool]
    errors: Callable[[R], Iterable[DustError]]
    """Why it failed, if the account can be done anew."""
    funds: bool = False
    """Whether it may move funds."""


class Job(Asking, Generic[R]):
    """Accounts, each handed to one worker after the other until there is a result."""

    def __init__(
        self, queues: FleetQueues, assignments: Assignments, kind: JobKind[R], *, timing: Timing
    ) -> None:
        """Prepare; nothing is sent."""
        super().__init__(queues, timing)
        self.assignments = assignments
        # Unbounded: messages must be handled while the reader is slow. `_UNREAD` is the bound.
        self.results: Results[R] = Results(0)
        self.unread: int = 0
        self.began: float | None = None
        self.ended: float | None = None
        self.failed: int = 0
        self._kind = kind
        self._unreachable_since: float | None = None
        self._held: dict[int, R] = {}
        """Results that failed, while another worker tries the account."""
        self._put_aside: set[str] = set()
        """Workers of which that was said."""

    # --- what workers say ------------------------------------------------------------------------

    async def on_status(self, status: WorkerStatus) -> None:
        """Take note that a worker is there."""
        self.assignments.on_status(status, _now())
        self._wake.set()

    async def on_result(self, result: WorkResult) -> None:
        """Take note of the result of a work item; a second one is ignored."""
        if result.job != self.id:
            return
        # Read before it counts: if it can't be read, the account is handed out again.
        try:
            item = self._kind.read(result.value)
            account = self._kind.account(item)
        except Exception as error:  # noqa: BLE001 - whatever is sent, the others go on
            logger.warning("a result of %s can't be read: %s", result.worker, type(error).__name__)
            return
        if not self.assignments.is_of(result.number, account):
            logger.warning("%s sent a result that nobody asked for", result.worker)
            return
        failure = first_of_worker(self._kind.errors(item))
        number, worker = result.number, result.worker
        if failure and self.assignments.on_failure(number, worker, failure, _now()):
            self._held[number] = item
        elif self.assignments.on_result(number, worker, failed=failure is not None):
            self._held.pop(number, None)
            await self._deliver(item)
        self._wake.set()
        self._log_put_aside()

    def _log_put_aside(self) -> None:
        for key, worker in self.assignments.workers.items():
            if worker.health.aside and key not in self._put_aside:
                self._put_aside.add(key)
                name, why = worker.status.name, worker.health.why
                logger.warning("worker %s is put aside, it fails what others can do: %s", name, why)

    async def _deliver(self, item: R) -> None:
        self.failed += self._kind.has_failed(item)
        self.unread += 1
        await self.results.put(item)

    # --- what is done ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Get a result for every account."""
        self.began = _now()
        try:
            async with self._hearing():
                await self._work()
        finally:
            self.ended = _now()

    async def _work(self) -> None:
        began, ask_at = _now(), _now()
        gathered = began + self._gather
        while not (self.assignments.ended and _now() >= gathered):
            if _now() >= ask_at:
                ask_at = _now() + self._timing.pulse
                await self._request_status()
            if _now() >= gathered:
                await self._hand_out()
                self._check_a_worker_came(began)
            gathers = self.assignments.ended or _now() < gathered < ask_at
            await self._rest((gathered if gathers else ask_at) - _now())

    def _check_a_worker_came(self, began: float) -> None:
        waited = _now() - began > self._timing.wait
        if waited and self.assignments.no_worker_came and self._unreachable_since is None:
            raise NotSentError("no worker is there")

    @property
    def _gather(self) -> float:
        """Seconds until accounts are handed out; a worker that answers later misses the first."""
        timing = self._timing
        return timing.gather if self._kind.funds else timing.pulse * _FIRST_ANSWERS

    async def _request_status(self) -> None:
        """Ask which workers are there; while that can't be sent, no worker is taken for lost."""
        try:
            workers = tuple(self.assignments.workers)
            more = -(-self.assignments.waiting // max(1, len(workers)))
            await self._broadcast(REQUEST_STATUS, known=workers, more=more)
        except NotSentError as problem:
            now = _now()
            if self._unreachable_since is None:
                self._unreachable_since = now
            logger.debug("%s", problem)
            if now - self._unreachable_since > self._timing.wait:
                raise
        else:
            if self._unreachable_since is not None:
                self.assignments.excuse_silence(_now())
            self._unreachable_since = None

    async def _hand_out(self) -> None:
        for number, account, reason in self.assignments.give_up(_now()):
            given_up = self._kind.give_up(account, NotSentError(reason, account=account))
            await self._deliver(self._held.pop(number, given_up))
        if self._unreachable_since is not None:
            return
        room = _UNREAD - self.unread
        for handout in self.assignments.hand_out(_now(), room):
            try:
                await self._send(handout)
            except NotSentError as problem:
                logger.debug("%s", problem)
                if self._kind.funds:
                    # It may be in the queue all the same: only the reply was lost.
                    self.assignments.take_back_doubtful(handout.number)
                else:
                    self.assignments.take_back_unsent(handout.number)

    async def _send(self, handout: Handout) -> None:
        fields = handout._asdict()
        worker = fields.pop("worker")
        await self._hand(worker, self._kind.task, options=self._kind.options, **fields)


class Jobs(Generic[R]):
    """The jobs of a stream, one after the other: here just one."""

    def __init__(self, job: Job[R]) -> None:
        """Begin with a job."""
        self.job = job

    def note(self, item: R) -> R:
        """Take note of a result, and give what is delivered."""
        return item

    def outlives(self, error: NotSentError) -> bool:
        """Whether the next job comes although no worker came for this one."""
        del error
        return False

    async def follow(self) -> bool:
        """Make the next job, in its time; say whether there is one."""
        return False


class FleetStream(Stream[R], Generic[R]):
    """A fleet's running job: iterate it for its results, look at `progress` meanwhile.

    Leaving the loop early stops it. `async with fleet.scan(...) as reports` waits until it has
    stopped.
    """

    __slots__ = ("_jobs",)

    def __init__(self, jobs: Jobs[R]) -> None:
        """Prepare; nothing is asked until the first result is waited for."""
        super().__init__(_results_of(jobs))
        self._jobs = jobs

    @property
    def _job(self) -> Job[R]:
        return self._jobs.job

    @property
    def progress(self) -> FleetProgress:
        """How far it is, which workers do it, and how long it will take."""
        job, assignments = self._job, self._job.assignments
        elapsed = 0.0
        if job.began is not None:
            elapsed = (_now() if job.ended is None else job.ended) - job.began
        workers = [
            WorkerProgress(
                worker.status.name,
                worker.done,
                len(worker.in_hand),
                worker.status.seconds_left if here else 0.0,
                here,
                worker.health.failed,
                worker.health.aside,
                worker.health.why if worker.health.failed or worker.health.aside else None,
            )
            for group, here in ((assignments.workers, True), (assignments.past_workers, False))
            for worker in group.values()
            if here or worker.done or worker.health.failed
        ]
        left = max((each.seconds_left for each in workers if each.here), default=None)
        if assignments.ended and assignments.total:
            left = 0.0
        return FleetProgress(
            assignments.done, job.failed, assignments.total, elapsed, left, tuple(workers)
        )

    @property
    def rehearsal(self) -> bool:
        """Whether the exchange of a worker is on its own machine, so that nothing of it is real."""
        assignments = self._job.assignments
        known = itertools.chain(assignments.workers.values(), assignments.past_workers.values())
        return any(worker.status.rehearsal for worker in known)

    def __repr__(self) -> str:
        assignments = self._job.assignments
        return f"<FleetStream {assignments.done} of {assignments.total} accounts>"


async def _results_of(jobs: Jobs[R]) -> AsyncGenerator[R, None]:
    while True:
        job = jobs.job
        stream = job.results.of(job.run)
        try:
            async for item in stream:
                job.unread -= 1
                yield jobs.note(item)
        except NotSentError as error:
            if not jobs.outlives(error):
                raise
        finally:
            await stream.aclose()
        if not await jobs.follow():
            return


@dataclass(frozen=True, slots=True)
class WorkerProgress:
    """One worker's part."""

    name: str
    done: int
    in_hand: int
    seconds_left: float
    """As its budgets foretell, with its share of the accounts that no worker has in hand."""
    here: bool
    """Whether it is still there."""
    failed: int = 0
    """Accounts that failed here and not on another worker."""
    aside: bool = False
    """Whether it gets no more accounts while others can do them, because it failed again and again.
    """
    why: str | None = None
    """The error that it failed with last."""


@dataclass(frozen=True, slots=True)
class FleetProgress:
    """A fleet's job at one moment."""

    done: int
    failed: int
    total: int
    """As far as is known: workers may come that have more accounts."""
    elapsed: float
    seconds_left: float | None
    """`None` while no worker is there."""
    workers: tuple[WorkerProgress, ...]


def _now() -> float:
    return asyncio.get_running_loop().time()
