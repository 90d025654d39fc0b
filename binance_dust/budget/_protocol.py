"""The seam between calls and budgets: what a call says, and what a budget promises.

    admission = await budget.admit(charge, deadline=..., lane=...)
    admission.sent()                    # it is leaving now
    admission.settle(feedback)          # or .unknown(), or, if it never left, .release()

An admission ends once. Whatever is said after the first ending is ignored, so that a `finally` may
say `release()` without knowing how far the call got.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec

from binance_dust.endpoints import LimitKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust._answers.weight import Feedback
    from binance_dust.budget._limits import RateLimits
    from binance_dust.events import Event

__all__ = [
    "Admission",
    "Attachable",
    "Budget",
    "BudgetSnapshot",
    "Charge",
    "Clock",
    "Lane",
    "PoolSnapshot",
]


class Lane(enum.Enum):
    """Which of a pool's two lines a call waits in."""

    CALL = "call"
    """Somebody waits for this one answer. It goes ahead of scans."""
    SCAN = "scan"
    """One of thousands. It is never left out: a fifth of the weight is theirs if they need it."""


# A struct, like all that is made anew for each call: a frozen dataclass takes ten times as long.
class Charge(msgspec.Struct, frozen=True, gc=False):
    """What one call costs, and whose pool pays."""

    pool: str
    """The endpoint: `GET /sapi/v1/margin/exchange-small-liability`."""
    kind: LimitKind
    weight: int
    account: str | None = None
    """Whose pool it is, where the pool is an account's; a key that says nothing."""
    moves_funds: bool = False
    """Whether it must not be sent on a guess, when what is spent is not known for certain."""


class Clock(Protocol):
    """Where a budget reads the time."""

    def monotonic(self) -> float:
        """Seconds that never go back; the event loop's own clock."""
        ...

    def server_time(self) -> float | None:
        """Give the exchange's time in seconds since the epoch; `None` until it was learnt."""
        ...

    def now(self) -> float:
        """Give the exchange's time; this machine's own until it was learnt."""
        ...


class Admission(Protocol):
    """The right to send one call."""

    def sent(self, extra: int = 0) -> None:
        """Say that the call leaves now, or that `extra` copies of it left unseen: they count."""
        ...

    def settle(self, answer: Feedback) -> None:
        """Say what the exchange answered."""
        ...

    def unknown(self) -> None:
        """Say that it was sent and nothing came back: it counts for a full window from now."""
        ...

    def release(self) -> None:
        """Say that it never left this machine: its weight goes back."""
        ...


class Budget(Protocol):
    """Weight to spend, waited for in line."""

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> Admission:
        """Wait until a call may be sent.

        Raises `BudgetExceededError` as soon as it is known that the call can't be sent before
        `deadline` (on `Clock.monotonic`), and `BannedError` when the address is shut out for longer
        than anybody wants to wait.
        """
        ...

    def snapshot(self) -> BudgetSnapshot:
        """Show every pool as it is now."""
        ...

    def forecast(self, charge: Charge, calls: int) -> float:
        """Foretell the seconds until the last of so many more calls can be sent.

        They are counted behind those that stand in line now, and as if nobody else came. Windows
        that were not seen to be cut by the clock are taken to slide, which is never too short.
        """
        ...

    async def close(self) -> None:
        """Let go of whoever waits. No task and no timer is left."""
        ...


@runtime_checkable
class Attachable(Protocol):
    """A budget that is made before the session which it serves."""

    def attach(
        self,
        clock: Clock,
        observer: Callable[[Event], None],
        *,
        patience: float,
        limits: RateLimits,
    ) -> None:
        """Take what a session has: the exchange's time, who listens, the longest wait, limits."""
        ...


@dataclass(frozen=True, slots=True)
class PoolSnapshot:
    """One pool at one moment."""

    name: str
    kind: LimitKind
    account: str | None
    limit: int
    """Weight a window that is ours."""
    used: int
    """Weight that the exchange may be counting now, others' included."""
    in_flight: int
    """Calls admitted and not yet answered."""
    waiting: int
    """Calls in line."""
    resets_in: float
    """Seconds until all that is used now is given back, unless more is spent; 0 if none is."""
    shut_for: float
    """Seconds for which a refusal (429) keeps the pool shut; 0 if none does."""
    fixed: bool
    """Whether the exchange was seen to count fixed windows here."""
    others: int
    """Weight that others behind the same address were last seen to spend in a window."""


@dataclass(frozen=True, slots=True)
class BudgetSnapshot:
    """All pools of one address at one moment."""

    pools: tuple[PoolSnapshot, ...]
    shut_for: float
    """Seconds for which a ban (418) keeps the whole address shut; 0 if none does."""
    requests_per_second: float
    """Calls of all pools together that may leave in a second."""

    @property
    def waiting(self) -> int:
        """Calls in line, in all pools."""
        return sum(pool.waiting for pool in self.pools)
