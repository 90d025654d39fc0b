"""One account's turn: settle what is open, quote, and convert."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from binance_dust._answers.codes import has_no_margin
from binance_dust.errors import (
    CooldownError,
    DustError,
    GuardError,
    LedgerError,
    OutcomeUnknownError,
    PriceMovedError,
)
from binance_dust.sweeper._report import Outcome, SweepReport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from binance_dust.client import DustClient
    from binance_dust.conversion import LiabilityQuote, Quote, Receipt
    from binance_dust.endpoints import AccountType
    from binance_dust.ledger import LedgerEntry

    Plan: TypeAlias = Quote | LiabilityQuote
    Choose: TypeAlias = Callable[[Any], Any]
    """Looks at a plan before it is carried out, and gives what of it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be done of one account: its dust in one wallet, or its small debts."""

    client: DustClient
    what: str
    account_type: AccountType
    target: str
    check: Callable[[], Awaitable[None]]
    """Raises what is wrong before anything is read: the wrong ledger."""
    quote: Callable[[], Awaitable[Plan]]
    carry_out: Callable[[Any], Awaitable[Receipt]]
    recover: Callable[[], Awaitable[list[LedgerEntry]]]
    next_eligible_at: Callable[[], Awaitable[datetime]]
    entry: Callable[[int], Awaitable[LedgerEntry]]


class Moving:
    """Funds under way: what has begun is finished, whoever stops the sweep."""

    __slots__ = ("_ending", "_tasks")

    def __init__(self) -> None:
        """Begin with none."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ending = False

    async def carry_out(self, job: Job, plan: Plan) -> Receipt:
        """Work in a task of its own, so that a sweep that is left does not cut it short."""
        if self._ending:
            raise asyncio.CancelledError
        task = asyncio.ensure_future(job.carry_out(plan))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def finish(self) -> None:
        """Wait until none is under way; nothing new is begun."""
        self._ending = True
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


class Visit:
    """One account's turn."""

    __slots__ = ("_choose", "_dry_run", "_job", "_moving", "_plan", "_settled")

    def __init__(self, job: Job, moving: Moving, *, choose: Choose | None, dry_run: bool) -> None:
        """Prepare; nothing is asked."""
        self._job = job
        self._moving = moving
        self._choose = choose
        self._dry_run = dry_run
        self._plan: Plan | None = None
        self._settled: list[LedgerEntry] = []

    async def run(self) -> SweepReport:
        """Do all that can be done now; whatever happens is part of the report."""
        try:
            return await self._settle_and_move()
        except CooldownError as error:
            return await self._resting(error)
        except GuardError as error:
            if error.retry_at is not None and self._plan is not None:
                return self._report(Outcome.RESTING, error=error, next_at=error.retry_at)
            return self._report(Outcome.STOPPED, error=error)
        except DustError as error:
            if has_no_margin(error):
                return self._report(Outcome.NOTHING)
            return self._report(Outcome.FAILED, error=error)

    async def _settle_and_move(self) -> SweepReport:
        await self._job.check()
        if (unknown := await self._still_unknown()) is not None:
            return unknown
        with contextlib.suppress(PriceMovedError):
            return await self._quote_and_move()
        # By the prices of now. Should they move again, it is another turn's.
        return await self._quote_and_move()

    async def _quote_and_move(self) -> SweepReport:
        plan = self._plan = await self._job.quote()
        if plan and self._choose is not None:
            plan = self._plan = self._choose(plan)
        if not plan:
            # An account that rests and has nothing to convert need not be looked at any sooner.
            waits = any(skipped.until is not None for skipped in plan.skipped)
            outcome = Outcome.RESTING if waits and plan.eligible_at else Outcome.NOTHING
            return self._report(outcome, next_at=plan.eligible_at)
        if self._dry_run:
            return self._report(Outcome.PLANNED)
        try:
            receipt = await self._moving.carry_out(self._job, plan)
        except OutcomeUnknownError as error:
            return await self._find_out(error)
        except LedgerError as error:
            if not error.entry_ids:
                raise  # before anything was sent
            return await self._find_out(error)
        # The exchange may say yes and do nothing; the receipt says so of each asset.
        return self._report(Outcome.CONVERTED if receipt else Outcome.FAILED, receipt=receipt)

    async def _still_unknown(self, error: DustError | None = None) -> SweepReport | None:
        """Settle what is open by reading; report if that can't be done."""
        try:
            self._settled += await self._job.recover()
        except GuardError:
            if error is None:
                raise
            # Another process is finding out.
            return self._report(Outcome.UNKNOWN, error=error)
        except DustError as unread:
            # Only where something is open is anything read: whether funds moved is not known.
            return self._report(Outcome.UNKNOWN, error=error or unread)
        if any(entry.open for entry in self._settled):
            return self._report(Outcome.UNKNOWN, error=error)
        return None

    async def _find_out(self, error: OutcomeUnknownError | LedgerError) -> SweepReport:
        """Read how it ended, at once: the next turn may be days away."""
        before = len(self._settled)
        try:
            # What this turn did before, one call an asset, is on record, and in no receipt.
            calls = [await self._job.entry(number) for number in error.entry_ids]
        except DustError:
            return self._report(Outcome.UNKNOWN, error=error)
        self._settled += [entry for entry in calls if entry.status == "confirmed"]
        if (unknown := await self._still_unknown(error)) is not None:
            return unknown
        if any(entry.status == "confirmed" for entry in self._settled[before:]):
            # A ledger that failed may have kept the rest from being tried.
            told = error if isinstance(error, LedgerError) else None
            return self._report(Outcome.CONVERTED, error=told)
        return self._report(Outcome.FAILED, error=error)

    async def _resting(self, error: CooldownError) -> SweepReport:
        """Say until when an account rests that the exchange has found to come too early."""
        try:
            next_at = await self._job.next_eligible_at()
        except DustError:
            next_at = None
        return self._report(Outcome.RESTING, error=error, next_at=next_at)

    def _report(self, outcome: Outcome, **more: Any) -> SweepReport:
        job, plan = self._job, self._plan
        return SweepReport(
            account=job.client.name,
            what=job.what,
            account_type=job.account_type,
            target=job.target if plan is None else plan.target,
            outcome=outcome,
            at=job.client.session.now(),
            quote=plan,
            settled=tuple(self._settled),
            **more,
        )
