"""What travels between a fleet and its workers: plain values, names of accounts but never keys.

Fleets and workers of different versions read each other's messages. So the names of the tasks, and
of fields on the way (`rename`), stay as they are.

The tasks are declared once, on taskiq's shared broker. A worker that declared tasks of its own
would stay for ever in the globals of taskiq's module. The state of the broker that brings a message
says who handles it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Protocol, TypeVar

import msgspec
from taskiq import TaskiqDepends, TaskiqState, async_shared_broker

from binance_dust.events import logger

__all__ = [
    "CONVERT",
    "END_JOB",
    "ESTIMATE",
    "READ",
    "REQUEST_STATUS",
    "RESULT",
    "STATUS",
    "FleetHandler",
    "StatusRequest",
    "WorkItem",
    "WorkResult",
    "WorkerHandler",
    "WorkerStatus",
]

# To workers.
REQUEST_STATUS: Final = "binance_dust.roll_call"
END_JOB: Final = "binance_dust.dismiss"
READ: Final = "binance_dust.visit"
CONVERT: Final = "binance_dust.convert"
ESTIMATE: Final = "binance_dust.foresee"
# To fleets.
STATUS: Final = "binance_dust.here"
RESULT: Final = "binance_dust.result"


class StatusRequest(msgspec.Struct, frozen=True, kw_only=True, rename={"more": "rest"}):
    """A fleet's question to all workers about one job: who is there, and with what in hand."""

    job: str
    reply_to: str
    known: tuple[str, ...] = ()
    """Workers that need not name their accounts again."""
    more: int = 0
    """Accounts that each worker will have to do besides those in its hand."""
    patience: float
    """Seconds without an answer after which a worker is lost."""


class WorkerStatus(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"exchange_time": "clock", "worker_time": "tick"},
):
    """A worker's answer to a status request."""

    worker: str
    """Its id: a worker that starts again has another one."""
    name: str
    room: int
    """Accounts that it may have in hand for this job at once."""
    holding: tuple[int, ...] = ()
    """Work items that it has in hand."""
    begun: tuple[int, ...] = ()
    """When leaving: work items that may have moved funds, finished ones included."""
    leaving: bool = False
    """It begins nothing more, and gives back what it does not hold."""
    ledger: str | None = None
    """The identity of its ledger; without one it moves no funds."""
    exchange_time: float
    """The exchange's time, as far as the worker knows it."""
    worker_time: float
    """The worker's own clock; only the worker can use it."""
    seconds_left: float = 0.0
    """Until its budgets let it send the last call of its part of this job."""
    accounts: tuple[str, ...] | None = None
    """`None` if the fleet knows them."""


class WorkItem(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"options": "asks", "worker_time": "tick"},
):
    """One account of one job, handed to one worker."""

    job: str
    number: int
    account: str
    reply_to: str
    options: dict[str, Any] = {}
    """The keyword arguments of `scan`, or of a `Converter`."""
    worker_time: float
    """The worker's own clock in its last status: an order to move funds soon gets too old."""
    since: float | None = None
    """Only for a conversion that another worker may have begun: the exchange's time when the
    account was first handed out."""


class WorkResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a work item."""

    job: str
    number: int
    worker: str
    value: dict[str, Any]


class WorkerHandler(Protocol):
    """What a worker does with a fleet's messages."""

    async def on_status_request(self, request: StatusRequest, /) -> None:
        """Answer a status request."""

    async def on_job_end(self, job: str, /) -> None:
        """Drop what was asked for in a job that has ended."""

    async def on_read(self, item: WorkItem, /) -> None:
        """Read an account, and report."""

    async def on_convert(self, item: WorkItem, /) -> None:
        """Convert an account's dust, or find out the outcome, and report."""

    async def on_estimate(self, item: WorkItem, /) -> None:
        """Say how long the limits would make reading some accounts last."""


class FleetHandler(Protocol):
    """What a fleet does with its workers' messages."""

    def on_status(self, status: WorkerStatus, /) -> None:
        """Take note that a worker is there."""

    async def on_result(self, result: WorkResult, /) -> None:
        """Take note of the result of a work item."""


# --- tasks ---------------------------------------------------------------------------------------

State = Annotated[TaskiqState, TaskiqDepends()]
S = TypeVar("S", bound=msgspec.Struct)


@async_shared_broker.task(REQUEST_STATUS)
async def _request_status(message: dict[str, Any], state: State) -> None:
    await _worker(state).on_status_request(_read(message, StatusRequest))


@async_shared_broker.task(END_JOB)
async def _end_job(message: dict[str, Any], state: State) -> None:
    await _worker(state).on_job_end(_read(message, StatusRequest).job)


@async_shared_broker.task(READ)
async def _read_account(message: dict[str, Any], state: State) -> None:
    await _worker(state).on_read(_read(message, WorkItem))


@async_shared_broker.task(ESTIMATE)
async def _estimate(message: dict[str, Any], state: State) -> None:
    await _worker(state).on_estimate(_read(message, WorkItem))


@async_shared_broker.task(CONVERT)
async def _convert(message: dict[str, Any], state: State) -> None:
    await _worker(state).on_convert(_read(message, WorkItem))


@async_shared_broker.task(STATUS)
async def _status(message: dict[str, Any], state: State) -> None:
    _fleet(state).on_status(_read(message, WorkerStatus))


@async_shared_broker.task(RESULT)
async def _result(message: dict[str, Any], state: State) -> None:
    await _fleet(state).on_result(_read(message, WorkResult))


def _worker(state: TaskiqState) -> WorkerHandler:
    handler: WorkerHandler = state.handler
    return handler


def _fleet(state: TaskiqState) -> FleetHandler:
    handler: FleetHandler = state.handler
    return handler


def _read(message: dict[str, Any], kind: type[S]) -> S:
    try:
        return msgspec.convert(message, kind)
    except msgspec.ValidationError:
        logger.warning("a message in the fleet can't be read: another program or version sent it")
        raise
