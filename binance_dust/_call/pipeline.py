"""What every call of a session goes through: its attempts, with pauses between them.

The steps of an attempt are in `attempts.py`, which failed ones are made again in `retry.py`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from binance_dust import endpoints
from binance_dust._call.attempts import Attempts
from binance_dust._call.clock import ClockReading, ServerClock
from binance_dust._call.retry import Act, RetryAllowance, RetryPolicy, act, send_again
from binance_dust.budget import Budget, Lane
from binance_dust.budget._payers import Payers
from binance_dust.errors import (
    ConfigurationError,
    DeliveryError,
    DustError,
    ExchangeError,
    UnreadableAnswerError,
)
from binance_dust.events import logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from binance_dust._call.attempts import Ready
    from binance_dust._call.signing import AccountKey
    from binance_dust._call.transport import Transport
    from binance_dust.budget import Immediate
    from binance_dust.endpoints import Call, ListStyle
    from binance_dust.events import Reporter

R = TypeVar("R")

CLOSED: Final = "this Session is closed: make another one"
_OPENED: Final = 1_500_000_000
_FAR_OFF: Final = 4_102_444_800
"""From 2017 to 2100. Near the ends of the calendar, adding a wait would overflow `datetime`."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Pipeline:
    """What every call of a session goes through, shared by all its accounts."""

    transport: Transport
    clock: ServerClock
    budget: Budget
    retry: RetryPolicy
    allowance: RetryAllowance
    report: Reporter
    recv_window: float
    """Milliseconds that a signed request stays valid."""
    lists: ListStyle
    enter: Callable[[], None]
    """Called first by every call: raises if nothing may be sent."""
    immediate: Immediate | None = None
    """The budget, if it can admit calls at once."""
    payers: Payers = field(default_factory=Payers)
    """Who pays for an endpoint, if not the payer in its row: configured, or learnt."""
    pausing: set[asyncio.Future[None]] = field(default_factory=set)
    """Calls between two attempts."""

    async def call(  # noqa: PLR0913, PLR0917 - what a call may be told
        self,
        call: Call[R],
        account: AccountKey | None,
        lane: Lane,
        between: tuple[datetime, datetime] | None = None,
        deadline: float | None = None,
        ready: Ready | None = None,
    ) -> R:
        """Send a call, again where that is safe; return its result or raise its error.

        `between` holds the earliest and the latest timestamp, in the exchange's time. Outside of
        them the call is not sent (`GuardError`), so a later reader of the ledger knows until when
        it can have been accepted. `deadline` replaces the policy's, in seconds. `ready` is awaited
        before each attempt that had to wait; if it raises, that one is not made.
        """
        self.enter()
        attempts = Attempts(self, call, account, lane, between, deadline, ready)
        self.allowance.earn()
        try:
            try:
                return await attempts.once()
            except (DeliveryError, ExchangeError) as error:
                failed = error
            # Only failed calls get here: a call that succeeds at once pays nothing for retries.
            return await send_again(
                attempts.once,
                failed,
                replay=call.endpoint.replay,
                policy=self.retry,
                allowance=self.allowance,
                left=attempts.left,
                sleep=self.pause,
                before=attempts.prepare,
            )
        except (DeliveryError, ExchangeError) as error:
            if act(call.endpoint.replay, error) is Act.UNKNOWN:
                raise attempts.outcome_unknown(error) from error
            raise

    async def pause(self, seconds: float) -> None:
        """Sleep before the next attempt; closing the session ends the sleep."""
        let_go: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.pausing.add(let_go)
        try:
            await asyncio.wait([let_go], timeout=seconds)
        finally:
            self.pausing.discard(let_go)
        if let_go.done():
            raise ConfigurationError(CLOSED)

    def let_go(self) -> None:
        """End all pauses: nothing is sent after this."""
        for call in self.pausing:
            if not call.done():
                call.set_result(None)

    async def learn_clock(self, past: int | None = None) -> None:
        """Learn the exchange's time if it is due; without an answer, keep the known offset.

        If the clock is really wrong, the exchange answers -1021 and the call raises that. An outage
        is logged with one warning, however many calls and attempts it meets.
        """
        try:
            if past is None:
                await self.clock.refresh()
            else:
                await self.clock.learn_past(past)
        except DustError as error:
            level = logging.WARNING if self.clock.is_news() else logging.DEBUG
            logger.log(level, "the exchange's clock was not learnt: %s", error)

    async def ask_time(self) -> ClockReading:
        """Read the exchange's clock, with one attempt: the clock itself decides when to retry."""
        attempts = Attempts(self, endpoints.SERVER_TIME(), None, Lane.CALL)
        result = await attempts.once()
        told = result.server_time.timestamp()
        if not _OPENED <= told < _FAR_OFF:
            raise UnreadableAnswerError(
                f"the exchange says that it is {result.server_time:%Y}",
                endpoint=endpoints.SERVER_TIME.title,
            )
        return ClockReading(told, *attempts.took)
