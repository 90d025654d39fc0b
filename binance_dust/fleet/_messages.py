"""What travels between a fleet and its workers, all of it plain values: names, never keys."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Call", "Errand", "Presence", "Result"]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A roll call of one job: who is there, and what has everybody in hand."""

    job: str
    reply_to: str
    known: tuple[str, ...] = ()
    """Workers that need not name their accounts again."""
    rest: int = 0
    """Accounts that a worker will have to do besides those in its hand."""
    patience: float
    """Seconds after which a worker is lost that has not answered."""


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's answer to a roll call."""

    worker: str
    """Of this one life: a worker that starts again is another one."""
    name: str
    room: int
    """Accounts that it may have in hand for this job at once."""
    holding: tuple[int, ...] = ()
    """Errands that it has in hand."""
    begun: tuple[int, ...] = ()
    """When leaving: errands that may have moved funds, whether or not it is done with them."""
    leaving: bool = False
    """It begins nothing more, and what it doesn't hold it gives back."""
    ledger: str | None = None
    """What tells its ledger from others; without one it moves no funds."""
    clock: float
    """The exchange's time, as far as it knows."""
    tick: float
    """Its own clock, which nobody else can read anything from."""
    seconds_left: float = 0.0
    """Until its budgets let it send the last call, for this job's part of it."""
    accounts: tuple[str, ...] | None = None


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """One account of one job, handed to one worker."""

    job: str
    number: int
    account: str
    reply_to: str
    asks: dict[str, Any] = {}
    """What is asked for: the keyword arguments of `scan`, or of a `Converter`."""
    tick: float
    """The worker's own clock, as it last told it: an order to move funds soon gets too old."""
    since: float | None = None
    """For what may have moved funds already: when it was handed out first, by the exchange."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an errand."""

    job: str
    number: int
    worker: str
    value: dict[str, Any]
