"""What happens inside a session, as typed events for logs and metrics.

    def watch(event: Event) -> None:
        match event:
            case Waited(pool=pool, seconds=seconds): ...
            case Refused(pool=pool): ...

    Session(observer=watch)

An observer is called in the middle of calls, so it must be quick. An error that it raises is logged
and ignored. Without an observer the events go to the logger `binance_dust`: refusals, bans, retries
and losses (of fixed windows, of Redis) as warnings, the rest at DEBUG.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final, Literal, Protocol

import msgspec

__all__ = [
    "Answered",
    "Banned",
    "BoundaryLearnt",
    "BoundaryLost",
    "ClockLearnt",
    "Event",
    "FundsCallEnded",
    "HeadersDoubted",
    "LimitLearnt",
    "Observer",
    "OutcomeAwaited",
    "OutcomeRead",
    "PayerLearnt",
    "Refused",
    "Retried",
    "Sent",
    "SharedBudgetBack",
    "SharedBudgetLost",
    "Waited",
    "WeightLearnt",
]

logger: Final = logging.getLogger("binance_dust")


# Structs, because twenty dataclasses would take a tenth of the whole import.
class Event(msgspec.Struct, frozen=True):
    """Something that happened."""


class Waited(Event, frozen=True):
    """A call waited for weight."""

    pool: str
    seconds: float


class Sent(Event, frozen=True):
    """An attempt is about to leave this machine."""

    endpoint: str
    account: str | None
    attempt: int


class Answered(Event, frozen=True):
    """The exchange answered an attempt: a result or an error."""

    endpoint: str
    account: str | None
    status: int
    seconds: float
    """From sending to the end of the answer."""


class Retried(Event, frozen=True):
    """An attempt failed, and the call is sent again after a pause."""

    endpoint: str
    account: str | None
    attempt: int
    """The attempt that failed; the first is 1."""
    reason: str
    pause: float


class Refused(Event, frozen=True):
    """The exchange answered 429: a pool is shut for a while."""

    pool: str
    seconds: float


class Banned(Event, frozen=True):
    """Nothing is sent from this address for some time, for no account behind it.

    The exchange said that it is banned (418), or a firewall stands before it (403).
    """

    seconds: float
    guessed: bool = False
    """Whether a firewall answered (403), which does not say for how long: the time is our guess."""


class BoundaryLearnt(Event, frozen=True):
    """The headers proved that the exchange counts in fixed windows, cut by the clock."""

    pool: str


class BoundaryLost(Event, frozen=True):
    """The exchange no longer counts in fixed windows: the safe sliding rule is used again."""

    pool: str


class LimitLearnt(Event, frozen=True):
    """Refusals showed that a window takes less than documented, or good answers that it does not.

    What is believed is tested again and again from below, so that a limit which is raised is found.
    """

    pool: str
    limit: int
    """Weight in a window, as it is believed now."""
    documented: int


class WeightLearnt(Event, frozen=True):
    """Lone calls were seen to weigh something else than documented, or the documented again."""

    pool: str
    weight: int
    documented: int


class HeadersDoubted(Event, frozen=True):
    """Headers of a pool say what can't be: above the limit, or below what was just let in.

    Where they show less than ours, they are not believed until enough of them were right again.
    """

    pool: str


class PayerLearnt(Event, frozen=True):
    """The headers show that an endpoint's weight is not counted where the documents say."""

    endpoint: str
    payer: str
    """Who pays: `ip` or `uid`."""


class ClockLearnt(Event, frozen=True):
    """The session learnt the exchange's time."""

    offset: float
    """Seconds by which the exchange is ahead of this machine's clock."""
    round_trip: float
    at: datetime


class SharedBudgetLost(Event, frozen=True):
    """The shared budget can't be reached: reads go on within this process's share."""

    reason: str


class SharedBudgetBack(Event, frozen=True):
    """The shared budget can be reached again."""

    seconds: float
    """How long it could not be reached."""


class FundsCallEnded(Event, frozen=True):
    """A call that moves funds ended as the ledger has it, and only reading can say more."""

    account: str
    kind: str
    """Of `binance_dust.ledger.Kind`: `dust`, `liabilities` and so on."""
    outcome: Literal["confirmed", "rejected", "unknown"]
    """`unknown`: funds may have moved."""
    entry_id: int
    """Of the ledger's entry."""


class OutcomeAwaited(Event, frozen=True):
    """How a call ended is being read, and can't be known yet. It comes before each next reading."""

    account: str
    entry_id: int
    reason: str
    seconds: float
    """Until the exchange can't carry out the call any more; 0 if it can't already."""
    at_most: float
    """Seconds until reading gives up, and the outcome stays unknown."""


class OutcomeRead(Event, frozen=True):
    """Reading is over: how a call ended is known, or stays unknown."""

    account: str
    entry_id: int
    outcome: Literal["confirmed", "rejected", "unknown"]


class Observer(Protocol):
    """Receives events: `Session(observer=...)`."""

    def __call__(self, event: Event, /) -> None:
        """Take an event, quickly."""
        ...


class Reporter:
    """Passes events to the observer, or else to the log."""

    __slots__ = ("_observer",)

    _WARNINGS: Final = (
        *(Refused, Banned, Retried, BoundaryLost, SharedBudgetLost, SharedBudgetBack),
        *(PayerLearnt, LimitLearnt, WeightLearnt, HeadersDoubted),
    )

    def __init__(self, observer: Observer | None) -> None:
        """Report to an observer; `None` means the log."""
        self._observer = observer

    @property
    def wants_details(self) -> bool:
        """Whether events of every call are wanted; asked before such an event is created."""
        return self._observer is not None or logger.isEnabledFor(logging.DEBUG)

    def __call__(self, event: Event, /) -> None:
        """Report an event; never raises."""
        if self._observer is None:
            level = logging.WARNING if isinstance(event, self._WARNINGS) else logging.DEBUG
            logger.log(level, "%s", event)
            return
        try:
            self._observer(event)
        except Exception:
            logger.exception("an observer failed on %s", type(event).__name__)
