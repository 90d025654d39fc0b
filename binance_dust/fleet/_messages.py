"""What travels between a fleet and its workers: plain values, names of accounts but never keys.

Fleets and workers of different versions read each other's messages. So the names of the tasks, and
of fields on the way (`rename`), stay as they are.

The tasks are declared once, on taskiq's shared broker. A worker that declared tasks of its own
would stay for ever in the globals of taskiq's module. The state of the broker that brings a message
says who handles it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

import msgspec
from taskiq import TaskiqDepends, TaskiqState, async_shared_broker

from binance_dust.events import logger
from binance_dust.fleet._seal import NotBelievedError, Seal

__all__ = [
    "CONVERT",
    "END_JOB",
    "ESTIMATE",
    "READ",
    "REQUEST_STATUS",
    "RESULT",
    "STATUS",
    "StatusRequest",
    "WorkItem",
    "WorkResult",
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


Index = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
"""Of an account in a job."""
Moment = Annotated[float, msgspec.Meta(ge=0, le=1e11)]
"""Seconds: of any clock, within what a calendar has."""
Patience = Annotated[float, msgspec.Meta(gt=0, le=3600)]
"""A fleet that is silent for an hour is no fleet."""


class StatusRequest(msgspec.Struct, frozen=True, kw_only=True, rename={"more": "rest"}):
    """A fleet's question to all workers about one job: which are there, with what in hand."""

    job: str
    reply_to: str
    known: tuple[str, ...] = ()
    """Workers that need not name their accounts again."""
    more: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0
    """Accounts that each worker will have to do besides those in its hand."""
    patience: Patience
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
    room: Index
    """Accounts that it may have in hand for this job at once."""
    holding: tuple[Index, ...] = ()
    """Work items that it has in hand."""
    begun: tuple[Index, ...] = ()
    """When leaving: work items that may have moved funds, finished ones included."""
    leaving: bool = False
    """It begins nothing more, and gives back what it does not hold."""
    ledger: str | None = None
    """The identity of its ledger; without one it moves no funds."""
    exchange_time: Moment
    """The exchange's time, as far as the worker knows it."""
    worker_time: Moment
    """The worker's own clock; only the worker can use it."""
    seconds_left: Moment = 0.0
    """Until its budgets let it send the last call of its part of this job."""
    accounts: tuple[str, ...] | None = None
    """`None` if the fleet knows them."""
    in_hand: Index = 0
    """Accounts that it has in hand, for all fleets."""
    shut_for: Moment = 0.0
    """Seconds for which a ban keeps its address shut."""
    version: str = ""
    """Of the package."""
    rehearsal: bool = False
    """Whether its exchange is on its own machine."""


class WorkItem(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"options": "asks", "worker_time": "tick"},
):
    """One account of one job, handed to one worker."""

    job: str
    number: Index
    account: str
    reply_to: str
    options: dict[str, Any] = {}
    """The keyword arguments of `scan`, or of a `Converter`."""
    worker_time: Moment
    """The worker's own clock in its last status: an order to move funds soon gets too old."""
    since: Moment | None = None
    """Only for a conversion that another worker may have begun: the exchange's time when the
    account was first handed out."""


class WorkResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a work item."""

    job: str
    number: Index
    worker: str
    value: dict[str, Any]


# --- tasks ---------------------------------------------------------------------------------------

State = Annotated[TaskiqState, TaskiqDepends()]
S = TypeVar("S", bound=msgspec.Struct)

_TASKS: Final[dict[str, tuple[type[msgspec.Struct], str]]] = {
    REQUEST_STATUS: (StatusRequest, "on_status_request"),
    END_JOB: (StatusRequest, "on_job_end"),
    READ: (WorkItem, "on_read"),
    ESTIMATE: (WorkItem, "on_estimate"),
    CONVERT: (WorkItem, "on_convert"),
    STATUS: (WorkerStatus, "on_status"),
    RESULT: (WorkResult, "on_result"),
}
"""The message of each, and the method that takes it: of a `Worker`, or of an `Asking`."""


def _declare(task: str, kind: type[msgspec.Struct], method: str) -> None:
    @async_shared_broker.task(task)
    async def handle(message: dict[str, Any], state: State) -> None:
        read = _read(message, kind, task, state)
        if read is not None:
            await getattr(state.handler, method)(read)


for _task, (_kind, _method) in _TASKS.items():
    _declare(_task, _kind, _method)


def _read(message: dict[str, Any], kind: type[S], task: str, state: TaskiqState) -> S | None:
    """Read a message; `None` if it is not believed or can't be read: it is dropped."""
    seal: Seal = state.seal
    try:
        return msgspec.convert(seal.open(message, task, state.queue_name), kind)
    except NotBelievedError as error:
        logger.warning("a message in the fleet is not believed and dropped: %s", error)
    except msgspec.MsgspecError:
        logger.warning("a message in the fleet can't be read: another program or version sent it")
    return None
