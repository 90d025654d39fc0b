"""The tasks of a fleet, as taskiq knows them; who runs them is the state of the broker.

Declared once, on taskiq's shared broker: a task that is declared on a broker of its own, for every
worker anew, would leave the worker in the globals of its module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import msgspec
from taskiq import TaskiqDepends, TaskiqState, async_shared_broker

from binance_dust.events import logger
from binance_dust.fleet._messages import Call, Errand, Presence, Result

if TYPE_CHECKING:
    from binance_dust.fleet._post import Hears
    from binance_dust.fleet._worker import Worker

__all__ = ["CONVERT", "DISMISS", "FORESEE", "HERE", "RESULT", "ROLL_CALL", "VISIT"]

ROLL_CALL: Final = "binance_dust.roll_call"
DISMISS: Final = "binance_dust.dismiss"
VISIT: Final = "binance_dust.visit"
CONVERT: Final = "binance_dust.convert"
FORESEE: Final = "binance_dust.foresee"
HERE: Final = "binance_dust.here"
RESULT: Final = "binance_dust.result"

State = Annotated[TaskiqState, TaskiqDepends()]
S = TypeVar("S", bound=msgspec.Struct)

# What a worker hears.


@async_shared_broker.task(ROLL_CALL)
async def roll_call(message: dict[str, Any], state: State) -> None:
    """Say who is there."""
    await _worker(state).answer(_read(message, Call))


@async_shared_broker.task(DISMISS)
async def dismiss(message: dict[str, Any], state: State) -> None:
    """Drop what was asked for in a job that has ended."""
    await _worker(state).dismiss(_read(message, Call).job)


@async_shared_broker.task(VISIT)
async def visit(message: dict[str, Any], state: State) -> None:
    """Read an account."""
    await _worker(state).visit(_read(message, Errand))


@async_shared_broker.task(FORESEE)
async def foresee(message: dict[str, Any], state: State) -> None:
    """Say how long reading would take."""
    await _worker(state).foresee(_read(message, Errand))


@async_shared_broker.task(CONVERT)
async def convert(message: dict[str, Any], state: State) -> None:
    """Convert an account's dust, or find out what became of that."""
    await _worker(state).convert(_read(message, Errand))


# What a fleet hears.


@async_shared_broker.task(HERE)
async def here(message: dict[str, Any], state: State) -> None:
    """Hear that a worker is there."""
    _fleet(state).heard(_read(message, Presence))


@async_shared_broker.task(RESULT)
async def result(message: dict[str, Any], state: State) -> None:
    """Hear what became of an errand."""
    await _fleet(state).reported(_read(message, Result))


def _worker(state: TaskiqState) -> Worker:
    worker: Worker = state.worker
    return worker


def _fleet(state: TaskiqState) -> Hears:
    hears: Hears = state.hears
    return hears


def _read(message: dict[str, Any], kind: type[S]) -> S:
    try:
        return msgspec.convert(message, kind)
    except msgspec.ValidationError:
        logger.warning("a message in the fleet is not one of ours, or of another version")
        raise
