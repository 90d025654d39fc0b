"""The interface between calls and budgets: what a call costs, and what a budget promises.

    admission = await budget.admit(charge, deadline=..., lane=...)
    admission.sent()                    # the call leaves now
    admission.settle(feedback)          # or .unknown(), or, if it never left, .release()

An admission ends once. Later endings are ignored, so that a `finally` may call `release()` without
knowing how far the call got.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec

from binance_dust._util.html import Record
from binance_dust.endpoints import LimitKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust._answers.weight import Feedback
    from binance_dust.budget._limits import RateLimits
    from binance_dust.events import Event


class Lane(enum.Enum):
    """The two lanes in which calls wait for a pool."""

    CALL = "call"
    """A single call, with a caller that waits for its answer. It goes ahead of scans."""
    SCAN = "scan"
    """One of thousands of calls. Scans get a fifth of the weight if they need it."""


# A struct, like everything made for each call: a frozen dataclass takes ten times as long.
class Charge(msgspec.Struct, frozen=True, gc=False):
    """What one call costs, and which pool pays."""

    pool: str
    """The endpoint: `GET /sapi/v1/margin/exchange-small-liability`."""
    kind: LimitKind
    weight: int
    account: str | None = None
    """The account that pays, for a pool of an account; an opaque key."""
    moves_funds: bool = False
    """Whether the call moves funds: it is not sent while the spent weight is uncertain."""


class Clock(Protocol):
    """Where a budget reads the time."""

    def monotonic(self) -> float:
        """Return seconds that never go back: the event loop's clock."""
        ...

    def server_time(self) -> float | None:
        """Return the exchange's time in seconds since the epoch; `None` until it is known."""
        ...

    def now(self) -> float:
        """Return the exchange's time; this machine's time until it is known."""
        ...


class Admission(Protocol):
    """The right to send one call."""

    def sent(self, extra: int = 0) -> None:
        """Record that the call leaves now, or that the transport sent `extra` copies of it.

        Raises `NotSentError`, and ends, if the admission has lapsed: a refusal was heard since, or
        it was shared, and this process was stopped for so long that the others took it for dead.
        """
        ...

    def settle(self, answer: Feedback) -> None:
        """End with the answer of the exchange."""
        ...

    def unknown(self) -> None:
        """End without an answer to a call that was sent: it counts for a full window from now."""
        ...

    def release(self) -> None:
        """End a call that never left this machine: its weight goes back."""
        ...


class Budget(Protocol):
    """Weight to spend; calls queue for it."""

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> Admission:
        """Wait until a call may be sent.

        Raises `BudgetExceededError` as soon as it is known that the call can't be sent before
        `deadline` (on `Clock.monotonic`), and `BannedError` when the address is shut out for longer
        than the patience of the budget.
        """
        ...

    def snapshot(self) -> BudgetSnapshot:
        """Return every pool as it is now."""
        ...

    def forecast(self, charge: Charge, calls: int) -> float:
        """Return the seconds until the last of so many more calls can be sent.

        The forecast puts them behind the calls that wait now, and assumes that no others come.
        Windows are taken to slide until they are proven fixed, which is never too short.
        """
        ...

    async def close(self) -> None:
        """Refuse all waiters. No task and no timer is left."""
        ...


@runtime_checkable
class Immediate(Protocol):
    """A budget that can admit a call without waiting."""

    def admit_at_once(
        self, charge: Charge, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> Admission | None:
        """Admit a call that leaves now, `sent` with it; `None` if it has to wait, by `admit`."""
        ...


@runtime_checkable
class Attachable(Protocol):
    """A budget that is made before its session."""

    def attach(
        self,
        clock: Clock,
        observer: Callable[[Event], None],
        *,
        patience: float,
        limits: RateLimits,
    ) -> None:
        """Take what a session has: the exchange's time, the observer, the longest wait, limits."""
        ...


@runtime_checkable
class Movable(Protocol):
    """A budget that can charge its waiters to another payer."""

    def move(self, endpoint: str, payer: LimitKind) -> None:
        """Let all calls of an endpoint that wait for another payer's pool wait for this one's.

        They keep the places that they have by the time at which they came.
        """
        ...


class PoolSnapshot(msgspec.Struct, Record, frozen=True):
    """One pool at one moment."""

    name: str
    kind: LimitKind
    account: str | None
    limit: int
    """Weight per window that is ours."""
    used: int
    """Weight that the exchange may be counting now, with others'."""
    in_flight: int
    """Calls admitted and not yet answered."""
    waiting: int
    """Calls that wait."""
    resets_in: float
    """Seconds until all used weight is given back, unless more is spent; 0 if none is used."""
    shut_for: float
    """Seconds for which a refusal (429) keeps the pool shut; 0 if it is open."""
    fixed: bool
    """Whether the exchange was seen to count fixed windows here."""
    others: int
    """Weight that others behind the same address were last seen to spend in a window."""


class BudgetSnapshot(msgspec.Struct, Record, frozen=True):
    """All pools of one address at one moment."""

    pools: tuple[PoolSnapshot, ...]
    shut_for: float
    """Seconds for which a ban (418) keeps the whole address shut; 0 if it is open."""
    requests_per_second: float
    """The most calls of all pools together in a second."""

    @property
    def waiting(self) -> int:
        """Calls that wait, in all pools."""
        return sum(pool.waiting for pool in self.pools)
