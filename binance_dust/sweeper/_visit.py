"""One account's turn: settle what is open, quote, and convert."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from binance_dust.errors import (
    CooldownError,
    DustError,
    GuardError,
    OutcomeUnknownError,
    PriceMovedError,
)
from binance_dust.sweeper._report import Outcome, SweepReport

if TYPE_CHECKING:
    from binance_dust.conversion import Converter, Quote, Receipt
    from binance_dust.ledger import LedgerEntry

_TRIES: Final = 2
"""Quotes that are tried in one turn: where the price has moved, the exchange says to try later."""


class Moving:
    """Conversions under way: they are finished, whoever stops the sweep."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        """Begin with none."""
        self._tasks: set[asyncio.Task[Any]] = set()

    async def convert(self, converter: Converter, quote: Quote) -> Receipt:
        """Convert in a task of its own, so that a sweep that is left does not cut it short."""
        task = asyncio.create_task(converter.convert(quote), name="binance-dust conversion")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def finish(self) -> None:
        """Wait until none is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


class Visit:
    """One account's turn."""

    __slots__ = ("_converter", "_dry_run", "_moving", "_quote", "_settled")

    def __init__(self, converter: Converter, moving: Moving, *, dry_run: bool) -> None:
        """Prepare; nothing is asked."""
        self._converter = converter
        self._moving = moving
        self._dry_run = dry_run
        self._quote: Quote | None = None
        self._settled: list[LedgerEntry] = []

    async def run(self) -> SweepReport:
        """Do all that can be done now; whatever happens is part of the report."""
        try:
            return await self._try()
        except CooldownError as error:
            return await self._resting(error)
        except GuardError as error:
            if error.retry_at is not None and self._quote is not None:
                return self._report(Outcome.RESTING, error=error, next_at=error.retry_at)
            return self._report(Outcome.STOPPED, error=error)
        except DustError as error:
            return self._report(Outcome.FAILED, error=error)

    async def _try(self) -> SweepReport:
        self._settled += await self._converter.recover()
        if any(entry.open for entry in self._settled):
            return self._report(Outcome.UNKNOWN)
        for tries_left in reversed(range(_TRIES)):
            quote = self._quote = await self._converter.quote()
            if not quote:
                outcome = Outcome.NOTHING if quote.eligible_at is None else Outcome.RESTING
                return self._report(outcome, next_at=quote.eligible_at)
            if self._dry_run:
                return self._report(Outcome.PLANNED)
            try:
                receipt = await self._moving.convert(self._converter, quote)
            except OutcomeUnknownError as error:
                return await self._find_out(error)
            except PriceMovedError:
                if not tries_left:
                    raise
            else:
                return self._report(Outcome.CONVERTED, receipt=receipt)
        raise AssertionError  # the last try returns or raises

    async def _find_out(self, error: OutcomeUnknownError) -> SweepReport:
        """Read how it ended, at once: the next turn may be days away."""
        settled = await self._converter.recover()
        self._settled += settled
        if not settled or any(entry.open for entry in settled):
            return self._report(Outcome.UNKNOWN, error=error)
        if any(entry.status == "confirmed" for entry in settled):
            return self._report(Outcome.CONVERTED)
        return self._report(Outcome.FAILED, error=error)

    async def _resting(self, error: CooldownError) -> SweepReport:
        """Say until when an account rests that the exchange has found to come too early."""
        try:
            next_at = await self._converter.next_eligible_at()
        except DustError:
            next_at = None
        return self._report(Outcome.RESTING, error=error, next_at=next_at)

    def _report(self, outcome: Outcome, **more: Any) -> SweepReport:
        converter = self._converter
        return SweepReport(
            account=converter.client.name,
            account_type=converter.account_type,
            target=converter.target,
            outcome=outcome,
            at=converter.client.session.now(),
            quote=self._quote,
            settled=tuple(self._settled),
            **more,
        )
