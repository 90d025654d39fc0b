"""Recovery: find out by reading how open entries ended. Nothing here can move funds.

Safe to kill at any line: the entry stays open until its outcome is written, and the next recovery
begins again. A claim keeps recoveries apart; it expires if its holder dies.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from binance_dust.conversion._account import read_left
from binance_dust.conversion._evidence import (
    Done,
    Evidence,
    NotDone,
    NotYet,
    Unknowable,
    conclude,
    conclude_again,
)
from binance_dust.errors import DeliveryError, RateLimitedError, UnavailableError
from binance_dust.events import OutcomeAwaited, OutcomeRead, logger
from binance_dust.ledger import OPEN, SettledBy
from binance_dust.ledger._records import PROCESSING, as_observed
from binance_dust.ledger._witness import has_second_witness, read_again, read_records

if TYPE_CHECKING:
    from datetime import datetime

    from binance_dust.conversion._account import AccountContext
    from binance_dust.conversion._evidence import Conclusion
    from binance_dust.ledger import Claim, LedgerEntry
    from binance_dust.ledger._witness import Flow

__all__ = ["pause_before_next", "recover"]

_CLAIM_LENGTH: Final = timedelta(seconds=45)
"""Renewed after each reading. If it expires early, two processes read the same: no harm."""
_BETWEEN_READINGS: Final = 10.0
"""Seconds: about seven readings of three calls each, for an entry that was not carried out."""
_JUST_AFTER: Final = 0.5
"""Seconds after which a moment is certainly over."""
_AFTERWARDS: Final = timedelta(minutes=2)
"""How long after the entry expires its records are looked for."""
_LONGEST: Final = 300.0
"""Seconds to work on one entry at most: far more than is needed if the exchange can be read."""


async def recover(context: AccountContext) -> list[LedgerEntry]:
    """Settle the account's open entries, and return each as it is afterwards."""
    if not [entry async for entry in context.ledger.entries(status=OPEN, limit=1)]:
        await context.ledger.refuse_other(context.client.session)
        return []
    await context.check_ledger()
    if not await context.open_entries():
        return []
    async with context.claimed("recover", _CLAIM_LENGTH) as claim:
        # Read again: the claim's holder before us may have settled them.
        return [await _settle(context, claim, entry) for entry in await context.open_entries()]


async def _settle(context: AccountContext, claim: Claim, entry: LedgerEntry) -> LedgerEntry:
    elapsed = asyncio.get_running_loop().time
    began, report = elapsed(), context.client.session.report
    while True:
        conclusion = await _examine(context, entry)
        entry = await context.ledger.entry(entry.id)
        if not entry.open:
            # The sender is alive and got its answer in the meantime.
            return entry
        spent = elapsed() - began
        if not isinstance(conclusion, NotYet) or spent > _LONGEST:
            entry = await _write(context, entry, conclusion)
            report(OutcomeRead(context.client.name, entry.id, _outcome(entry)))
            return entry
        left = _left(entry.expires_at, context.now())
        at_most = _LONGEST - spent
        report(OutcomeAwaited(context.client.name, entry.id, conclusion.reason, left, at_most))
        logger.info("%s: entry %d: %s", context.account, entry.id, conclusion.reason)
        await asyncio.sleep(pause_before_next(entry.expires_at, context.now()))
        await context.ledger.extend(claim, now=context.machine_time(), length=_CLAIM_LENGTH)


def pause_before_next(expires_at: datetime | None, now: datetime) -> float:
    """Return the seconds until the next reading, at the latest just after the call is over."""
    left = _left(expires_at, now)
    return min(left + _JUST_AFTER, _BETWEEN_READINGS) if left else _BETWEEN_READINGS


def _left(expires_at: datetime | None, now: datetime) -> float:
    """Return the seconds until the exchange can't carry out a call any more."""
    if expires_at is None:
        return 0.0
    return max((expires_at + PROCESSING - now).total_seconds(), 0.0)


def _outcome(entry: LedgerEntry) -> Literal["confirmed", "rejected", "unknown"]:
    return "confirmed" if entry.status == "confirmed" else "unknown" if entry.open else "rejected"


async def _examine(context: AccountContext, entry: LedgerEntry) -> Conclusion:
    """Read and conclude. If the exchange can't be read now, it is read again later."""
    start, end = entry.sent_after, entry.expires_at
    if start is None or end is None:
        return Unknowable("the ledger does not say when the exchange can have accepted it")
    try:
        # The clock first: everything that is read after it is at least as new.
        clock = (await context.client.server_time()).server_time
        if clock <= end + PROCESSING:
            return NotYet("the exchange can still carry it out")
        return await _conclude(context, entry, clock, start, end)
    except (DeliveryError, UnavailableError, RateLimitedError) as error:
        return NotYet(f"the exchange could not be read: {error}")


async def _conclude(
    context: AccountContext, entry: LedgerEntry, clock: datetime, start: datetime, end: datetime
) -> Conclusion:
    """Read the kind's own witness, and the second one where the first can't tell."""
    evidence = await _read(context, entry, clock, start, end)
    conclusion = conclude(entry, evidence)
    if isinstance(conclusion, Unknowable) and has_second_witness(entry):
        flow = await _read_again(context, entry, evidence)
        return conclude_again(entry, evidence, flow, conclusion)
    return conclusion


async def _read(
    context: AccountContext, entry: LedgerEntry, clock: datetime, start: datetime, end: datetime
) -> Evidence:
    shown = await read_records(
        context.client, entry, clock=clock, start=start, end=end + _AFTERWARDS
    )
    held = await read_left(context.client, entry.kind, entry.account_type)
    unclaimed = await context.ledger.unclaimed(shown.records, besides=entry.id)
    shown = replace(shown, records=unclaimed)
    return Evidence(start=start, end=end, clock=clock, shown=shown, held=held)


async def _read_again(context: AccountContext, entry: LedgerEntry, evidence: Evidence) -> Flow:
    """Read the second witness, without the movements of our other calls."""
    flow = await read_again(
        context.client,
        entry,
        clock=evidence.clock,
        start=evidence.start,
        end=evidence.end + _AFTERWARDS,
    )
    seen = {
        as_observed(replace(entry, transaction_id=each.number, lines=(), at=each.at)): each
        for each in flow.movements
    }
    free = await context.ledger.unclaimed(seen, besides=entry.id)
    return replace(flow, movements=[seen[each] for each in free])


async def _write(
    context: AccountContext, entry: LedgerEntry, conclusion: Conclusion
) -> LedgerEntry:
    match conclusion:
        case Done(record, note):
            return await context.ledger.confirm(
                entry.id,
                record.lines,
                transaction_id=record.transaction_id,
                target=record.target,
                reason=note,
                now=context.now(),
                by=SettledBy.READING,
            )
        case NotDone(reason):
            return await context.ledger.reject(
                entry.id, reason, now=context.now(), by=SettledBy.READING
            )
        case _:
            return await context.ledger.leave_unknown(
                entry.id,
                conclusion.reason,
                now=context.now(),
                needs_resolve=isinstance(conclusion, Unknowable),
            )
