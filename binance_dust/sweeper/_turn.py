"""One account's turn: settle what is open, quote, and convert."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from binance_dust._answers.codes import has_no_margin
from binance_dust.conversion import Reason
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

    from binance_dust.conversion import (
        Converter,
        LiabilityExchanger,
        LiabilityQuote,
        Quote,
        Receipt,
        Repayer,
        RepaymentQuote,
        RepaymentReceipt,
    )
    from binance_dust.endpoints import AccountType
    from binance_dust.ledger import LedgerEntry

    Plan: TypeAlias = Quote | LiabilityQuote | RepaymentQuote
    Choose: TypeAlias = Callable[[Any], Any]
    """Gets a plan before it is carried out, and returns the part that should be."""


@dataclass(frozen=True, slots=True)
class CleanUp:
    """What a sweep does for one account: convert a wallet's dust, exchange debts, or pay them."""

    mover: Converter | LiabilityExchanger | Repayer
    carry_out: Callable[[Any], Awaitable[Receipt | RepaymentReceipt]]
    """Its method that moves funds."""
    what: str
    target: str
    account_type: AccountType = "MARGIN"

    async def check_ledger(self) -> None:
        """Stop if the ledger is the wrong one for this account."""
        await self.mover.ledger.refuse_other(self.mover.client.session)
        await self.mover.ledger.identify(self.mover.client)


class UnderWay:
    """The conversions under way. Each that has begun is finished, even if the sweep is stopped."""

    __slots__ = ("_ending", "_tasks")

    def __init__(self) -> None:
        """Begin with none."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ending = False

    async def carry_out(self, clean_up: CleanUp, plan: Plan) -> Receipt | RepaymentReceipt:
        """Carry out a plan in a task of its own, so that stopping the sweep does not cancel it."""
        if self._ending:
            raise asyncio.CancelledError
        task = asyncio.ensure_future(clean_up.carry_out(plan))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def finish(self) -> None:
        """Begin nothing new, and wait until none is under way."""
        self._ending = True
        while self._tasks:
            # Not `gather`: it does not suspend if all are done (3.12), and none would be discarded.
            await asyncio.wait(self._tasks)


class AccountTurn:
    """One account's turn in a sweep."""

    __slots__ = (
        "_choose",
        "_clean_up",
        "_dry_run",
        "_plan",
        "_settled",
        "_under_way",
        "_unsettled",
    )

    def __init__(
        self, clean_up: CleanUp, under_way: UnderWay, *, choose: Choose | None, dry_run: bool
    ) -> None:
        """Prepare; nothing is sent."""
        self._clean_up = clean_up
        self._under_way = under_way
        self._choose = choose
        self._dry_run = dry_run
        self._plan: Plan | None = None
        self._settled: list[LedgerEntry] = []
        self._unsettled: list[LedgerEntry] = []

    async def run(self) -> SweepReport:
        """Do what can be done now. The report says what happened, also if it is an error."""
        try:
            return await self._settle_and_convert()
        except GuardError as error:
            if error.retry_at is not None and self._plan is not None and not error.busy:
                return self._report(Outcome.RESTING, error=error, next_at=error.retry_at)
            return self._report(Outcome.BUSY if error.busy else Outcome.STOPPED, error=error)
        except CooldownError as error:
            return await self._resting(error)
        except DustError as error:
            if has_no_margin(error):
                return self._report(Outcome.NOTHING)
            return self._report(Outcome.FAILED, error=error)

    async def _settle_and_convert(self) -> SweepReport:
        await self._clean_up.check_ledger()
        if (unknown := await self._still_unknown()) is not None:
            return unknown
        with contextlib.suppress(PriceMovedError):
            return await self._quote_and_convert()
        # Once more, with the new prices. If they move again, the next turn tries.
        return await self._quote_and_convert()

    async def _quote_and_convert(self) -> SweepReport:
        plan = self._plan = await self._clean_up.mover.quote()
        if plan and self._choose is not None:
            plan = self._plan = self._choose(plan)
        if not plan:
            # An account that is cooling down with nothing to convert keeps its usual schedule.
            if any(skipped.reason is Reason.NOT_NEEDED for skipped in plan.skipped):
                return self._report(Outcome.NOT_NEEDED)
            waits = any(skipped.until is not None for skipped in plan.skipped)
            outcome = Outcome.RESTING if waits and plan.eligible_at else Outcome.NOTHING
            return self._report(outcome, next_at=plan.eligible_at)
        if self._dry_run:
            return self._report(Outcome.PLANNED)
        try:
            receipt = await self._under_way.carry_out(self._clean_up, plan)
        except OutcomeUnknownError as error:
            return await self._find_out(error)
        except LedgerError as error:
            if not error.entry_ids:
                raise  # before anything was sent
            return await self._find_out(error)
        # The exchange may accept the call and do nothing; the receipt says so for each asset.
        return self._report(Outcome.CONVERTED if receipt else Outcome.FAILED, receipt=receipt)

    async def _still_unknown(self, error: DustError | None = None) -> SweepReport | None:
        """Settle open entries by reading; return a report if that can't be done."""
        try:
            read = await self._clean_up.mover.recover()
        except GuardError:
            if error is None:
                raise
            # Another process is reading already.
            return self._report(Outcome.UNKNOWN, error=error)
        except DustError as unread:
            # It reads only if an entry is open, so it is not known whether funds moved.
            return self._report(Outcome.UNKNOWN, error=error or unread)
        self._settled += [entry for entry in read if not entry.open]
        self._unsettled = [entry for entry in read if entry.open]
        left = [entry for entry in self._unsettled if entry.funds in self._clean_up.mover.funds]
        if not left:
            return None
        stuck = all(entry.needs_resolve for entry in left)
        return self._report(Outcome.UNKNOWABLE if stuck else Outcome.UNKNOWN, error=error)

    async def _find_out(self, error: OutcomeUnknownError | LedgerError) -> SweepReport:
        """Read at once how it ended: the next turn may be days away."""
        before = len(self._settled)
        try:
            # Earlier calls of this turn (one for each asset) are on record, without a receipt.
            calls = [await self._clean_up.mover.ledger.entry(number) for number in error.entry_ids]
        except DustError:
            return self._report(Outcome.UNKNOWN, error=error)
        self._settled += [entry for entry in calls if entry.status == "confirmed"]
        if (unknown := await self._still_unknown(error)) is not None:
            return unknown
        if any(entry.status == "confirmed" for entry in self._settled[before:]):
            # If the ledger failed, the rest may not have been tried: the error says so.
            reported = error if isinstance(error, LedgerError) else None
            return self._report(Outcome.CONVERTED, error=reported)
        return self._report(Outcome.FAILED, error=error)

    async def _resting(self, error: CooldownError) -> SweepReport:
        """Report an account that the exchange refused as too early, and when it may try again."""
        try:
            next_at = await self._clean_up.mover.next_eligible_at()
        except DustError:
            next_at = None
        return self._report(Outcome.RESTING, error=error, next_at=next_at)

    def _report(self, outcome: Outcome, **more: Any) -> SweepReport:
        clean_up, plan = self._clean_up, self._plan
        return SweepReport(
            account=clean_up.mover.client.name,
            what=clean_up.what,
            account_type=clean_up.account_type,
            target=clean_up.target if plan is None else plan.target,
            outcome=outcome,
            at=clean_up.mover.client.session.now(),
            quote=plan,
            settled=tuple(self._settled),
            unsettled=tuple(self._unsettled),
            **more,
        )
