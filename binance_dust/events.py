"""What happens inside a session, as typed events for logs and metrics.

    def watch(event: Event) -> None:
        match event:
            case Waited(pool=pool, seconds=seconds): ...
            case Refused(pool=pool): ...

    Session(observer=watch)

An observer is called in the middle of calls, so it should be quick; what it raises is logged and
goes no further. Without an observer the same events go to the logger `binance_dust`: refusals, bans
and retries as warnings, the rest at DEBUG.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "Answered",
    "Banned",
    "BoundaryLearnt",
    "BoundaryLost",
    "ClockLearnt",
    "Event",
    "Observer",
    "PayerLearnt",
    "Refused",
    "Retried",
    "Sent",
    "SharedBudgetBack",
    "SharedBudgetLost",
    "Waited",
]

logger: Final = logging.getLogger("binance_dust")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""


@dataclass(frozen=True, slots=True)
class Waited(Event):
    """A call waited in line for weight."""

    pool: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Sent(Event):
    """An attempt at a call is leaving this machine."""

    endpoint: str
    account: str | None
    attempt: int


@dataclass(frozen=True, slots=True)
class Answered(Event):
    """The exchange answered an attempt, whatever it said."""

    endpoint: str
    account: str | None
    status: int
    seconds: float
    """From sending to the end of the answer."""


@dataclass(frozen=True, slots=True)
class Retried(Event):
    """An attempt failed, and the call will be sent again after a pause."""

    endpoint: str
    account: str | None
    attempt: int
    """The one that failed; the first is 1."""
    reason: str
    pause: float


@dataclass(frozen=True, slots=True)
class Refused(Event):
    """The exchange answered 429: a pool is shut for a while."""

    pool: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Banned(Event):
    """The exchange answered 418: the whole address is shut, for every account behind it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class BoundaryLearnt(Event):
    """The headers proved that the exchange counts fixed windows, cut by the clock."""

    pool: str


@dataclass(frozen=True, slots=True)
class BoundaryLost(Event):
    """Fixed windows stopped holding: the safe sliding rule is back."""

    pool: str


@dataclass(frozen=True, slots=True)
class PayerLearnt(Event):
    """The headers show that an endpoint's weight is counted elsewhere than was documented."""

    endpoint: str
    payer: str
    """`ip` or `uid`."""


@dataclass(frozen=True, slots=True)
class ClockLearnt(Event):
    """The exchange's time was asked for."""

    offset: float
    """Seconds by which the exchange is ahead of this machine's clock."""
    round_trip: float
    at: datetime


@dataclass(frozen=True, slots=True)
class SharedBudgetLost(Event):
    """The budget that processes share can't be asked: reads go on within a share of this one."""

    reason: str


@dataclass(frozen=True, slots=True)
class SharedBudgetBack(Event):
    """The budget that processes share can be asked again."""

    seconds: float
    """For which it could not."""


class Observer(Protocol):
    """Whoever wants to know."""

    def __call__(self, event: Event, /) -> None:
        """Take note of an event, quickly."""
        ...


class Reporter:
    """Passes events on: to the observer, or else to the log."""

    __slots__ = ("_observer",)

    _LOUD: Final = (Refused, Banned, Retried, BoundaryLost, SharedBudgetLost, SharedBudgetBack)

    def __init__(self, observer: Observer | None) -> None:
        """Report to an observer, or to the log."""
        self._observer = observer

    @property
    def wants_details(self) -> bool:
        """Whether somebody listens to what every call does; asked before such an event is made."""
        return self._observer is not None or logger.isEnabledFor(logging.DEBUG)

    def __call__(self, event: Event, /) -> None:
        """Report an event; never raises."""
        if self._observer is None:
            level = logging.WARNING if isinstance(event, self._LOUD) else logging.DEBUG
            logger.log(level, "%s", event)
            return
        try:
            self._observer(event)
        except Exception:
            logger.exception("an observer failed on %s", type(event).__name__)
