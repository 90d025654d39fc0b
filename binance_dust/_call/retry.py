"""Sending again: which calls, how often, and after what pause.

The table is the whole policy. It looks at the endpoint's row and at how far the request got, never
at the HTTP verb: four of the exchange's POSTs only read, and no answer to a conversion does not
mean that it failed. tenacity supplies waiting and stopping. A call that succeeds at once never
uses it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from binance_dust._util.checks import instance, seconds
from binance_dust.endpoints import Replay
from binance_dust.errors import (
    BannedError,
    ClockError,
    ConfigurationError,
    Delivery,
    DeliveryError,
    DustError,
    ExchangeError,
    RateLimitedError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

    import tenacity

T = TypeVar("T")

_FIRST_PAUSE: Final = 0.25
"""Seconds. The first pause is drawn from 0 to this, the next from 0 to twice this (full jitter)."""


class Act(enum.Enum):
    """What to do after a failed attempt."""

    AGAIN = "send again"
    RAISE = "raise"
    UNKNOWN = "raise OutcomeUnknownError"


TABLE: Final[dict[Delivery, tuple[Act, Act]]] = {
    #                     a read      moves funds
    Delivery.UNSENT: (Act.AGAIN, Act.AGAIN),
    Delivery.REFUSED: (Act.AGAIN, Act.AGAIN),
    Delivery.UNKNOWN: (Act.AGAIN, Act.UNKNOWN),
    Delivery.UNCLEAR: (Act.RAISE, Act.UNKNOWN),
    Delivery.FINAL: (Act.RAISE, Act.RAISE),
}


def act(replay: Replay, error: BaseException) -> Act:
    """Look an error up in the table. An error without a delivery was no attempt."""
    if not isinstance(error, DeliveryError | ExchangeError):
        return Act.RAISE
    read, write = TABLE[error.delivery]
    return read if replay is Replay.SAFE else write


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class RetryPolicy:
    """How often a call is sent, how long it pauses, and when it gives up.

    Times are given in seconds or as timedeltas. `attempts` includes the first one. `max_wait`
    limits each pause, also one that the exchange asks for: a longer ban is raised instead of waited
    for. `deadline` limits the whole call, including the wait for weight. Without it a call waits as
    long as the limits require.
    """

    attempts: int
    max_wait: float
    deadline: float | None

    def __init__(
        self,
        *,
        attempts: int = 5,
        max_wait: timedelta | float = 60.0,
        deadline: timedelta | float | None = None,
    ) -> None:
        """Check the values; times are kept in seconds."""
        if instance(attempts, int, "attempts") < 1:
            raise ConfigurationError("attempts must be 1 or more: the first one counts")
        object.__setattr__(self, "attempts", attempts)
        object.__setattr__(self, "max_wait", seconds(max_wait, "max_wait"))
        limit = None if deadline is None else seconds(deadline, "deadline")
        object.__setattr__(self, "deadline", limit)


class RetryAllowance:
    """Keeps an outage from multiplying traffic: each call earns a fifth of a retry.

    A full allowance lets every call of a busy session fail once. In a long outage, retries add at
    most a fifth to the traffic.
    """

    __slots__ = ("_left",)

    _EARNED: Final = 0.2
    _MOST: Final = 500.0

    def __init__(self) -> None:
        """Start full."""
        self._left = self._MOST

    def earn(self) -> None:
        """Count a call's first attempt."""
        self._left = min(self._MOST, self._left + self._EARNED)

    def spend(self) -> bool:
        """Take one retry if one is left."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


async def send_again(  # noqa: PLR0913 - the parts of a policy, all by keyword
    attempt: Callable[[], Awaitable[T]],
    failed: DustError,
    *,
    replay: Replay,
    policy: RetryPolicy,
    allowance: RetryAllowance,
    left: Callable[[], float | None],
    sleep: Callable[[float], Awaitable[None]],
    before: Callable[[DustError, int, float], Awaitable[None]],
) -> T:
    """Go on after a failed first attempt, until one succeeds or the policy ends it.

    `left` gives the seconds until the call's deadline. `before` runs before each pause.
    """
    import tenacity  # only when a call fails: most programs start faster without it

    first: DustError | None = failed

    async def once() -> T:
        nonlocal first
        if first is not None:
            error, first = first, None
            raise error
        return await attempt()

    def wanted(error: BaseException) -> bool:
        if act(replay, error) is not Act.AGAIN or _asks_too_much(error, policy):
            return False
        return _costs_nothing(error) or allowance.spend()

    def give_up(state: tenacity.RetryCallState) -> bool:
        if state.attempt_number >= policy.attempts:
            return True
        remaining = left()
        return remaining is not None and state.upcoming_sleep >= remaining

    async def announce(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, DustError):
            await before(error, state.attempt_number, state.upcoming_sleep)

    jitter = tenacity.wait_random_exponential(multiplier=_FIRST_PAUSE, max=policy.max_wait)

    def pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        # For these errors, the budget's queue or a new clock reading is the pause.
        return 0.0 if _costs_nothing(error) else jitter(state)

    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(wanted),
        stop=give_up,
        wait=pause,
        before_sleep=announce,
        sleep=sleep,
        reraise=True,
    )
    return await retrying(once)


def _costs_nothing(error: BaseException | None) -> bool:
    """Whether an error needs no pause here: the budget or the clock delays its retry."""
    return isinstance(error, RateLimitedError | BannedError | ClockError)


def _asks_too_much(error: BaseException, policy: RetryPolicy) -> bool:
    """Whether the exchange asks for a longer pause than the policy allows."""
    asked = error.retry_after if isinstance(error, RateLimitedError | BannedError) else None
    return asked is not None and asked > policy.max_wait
