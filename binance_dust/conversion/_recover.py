"""Recovery: find out by reading how open entries ended. Nothing here can move funds.

Safe to kill at any line: the entry stays open until its outcome is written, and the next recovery
begins again. A claim keeps recoveries apart; it expires if its holder dies.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from binance_dust.conversion._account import read_debts, read_holdings
from binance_dust.conversion._evidence import (
    Done,
    Evidence,
    NotDone,
    NotYet,
    Unknowable,
    conclude,
)
from binance_dust.conversion._policy import wallet_to_name
from binance_dust.errors import DeliveryError, RateLimitedError, UnavailableError
from binance_dust.events import logger
from binance_dust.ledger import (
    OPEN,
    Kind,
    SettledBy,
    can_have_done,
    from_dust_log,
    from_liabilities,
)
from binance_dust.ledger._records import PROCESSING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from binance_dust.conversion._account import AccountContext
    from binance_dust.conversion._evidence import Conclusion
    from binance_dust.ledger import Claim, LedgerEntry, Observed
    from binance_dust.models import DustLog, UnreadRow

__all__ = ["pause_before_next", "recover"]

_CLAIM_LENGTH: Final = timedelta(seconds=45)
"""Renewed after each reading. If it expires early, two processes read the same: no harm."""
_BETWEEN_READINGS: Final = 10.0
"""Seconds: about seven readings of three calls each, for an entry that was not carried out."""
_JUST_AFTER: Final = 0.5
"""Seconds after which a moment is certainly over."""
_AFTERWARDS: Final = timedelta(minutes=2)
"""How long after the entry expires its records are looked for."""
_FULL_PAGE: Final = 100
"""Records that the dust log shows at most."""
_REMEMBERED: Final = timedelta(days=89)
"""How far back the history of debts is certainly complete: ninety days, by an older page."""
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
    began = elapsed()
    while True:
        conclusion = await _examine(context, entry)
        entry = await context.ledger.entry(entry.id)
        if not entry.open:
            # The sender is alive and got its answer in the meantime.
            return entry
        if not isinstance(conclusion, NotYet) or elapsed() - began > _LONGEST:
            return await _write(context, entry, conclusion)
        logger.info("%s: entry %d: %s", context.account, entry.id, conclusion.reason)
        await asyncio.sleep(pause_before_next(entry.expires_at, context.now()))
        await context.ledger.extend(claim, now=context.machine_time(), length=_CLAIM_LENGTH)


def pause_before_next(expires_at: datetime | None, now: datetime) -> float:
    """Return the seconds until the next reading, at the latest just after the call is over."""
    if expires_at is None or expires_at + PROCESSING <= now:
        return _BETWEEN_READINGS
    left = (expires_at + PROCESSING - now).total_seconds()
    return min(left + _JUST_AFTER, _BETWEEN_READINGS)


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
        return conclude(entry, await _read(context, entry, clock, start, end + _AFTERWARDS))
    except (DeliveryError, UnavailableError, RateLimitedError) as error:
        return NotYet(f"the exchange could not be read: {error}")


async def _read(
    context: AccountContext, entry: LedgerEntry, clock: datetime, start: datetime, end: datetime
) -> Evidence:
    held: dict[str, Decimal]
    unread: list[UnreadRow] = []
    if entry.kind is Kind.LIABILITIES:
        # Older rows are refused, and would make all of it unreadable.
        shown = max(start, clock - _REMEMBERED)
        records = await _read_history(context, entry, shown, max(end, shown), unread)
        complete = start > clock - _REMEMBERED
        held = await read_debts(context.client)
    else:
        records, full = await _read_log(context, entry, start, end, unread)
        complete = not full
        found = any(can_have_done(entry, record) for record in records)
        if complete and not found and end < clock:
            complete = await _log_reaches_back(context, entry, start, records)
        holdings = await read_holdings(context.client, entry.account_type)
        held = {asset: holding.free for asset, holding in holdings.items()}
    unclaimed = await context.ledger.unclaimed(records, besides=entry.id)
    # The exchange may show records from outside the range.
    unread = [row for row in unread if row.at is None or start <= row.at <= end]
    return Evidence(clock=clock, records=unclaimed, complete=complete, unread=unread, held=held)


async def _read_history(
    context: AccountContext,
    entry: LedgerEntry,
    start: datetime,
    end: datetime,
    unread: list[UnreadRow],
) -> list[Observed]:
    """Read the history of debts between two times."""
    rows = context.client.small_liability_history(start=start, end=end, unread=unread)
    return list(from_liabilities([row async for row in rows], entry.account))


async def _read_log(
    context: AccountContext,
    entry: LedgerEntry,
    start: datetime,
    end: datetime,
    unread: list[UnreadRow],
) -> tuple[list[Observed], bool]:
    """Read the dust log between two times, and tell whether the page is full."""
    # Both bounds: with the first alone the exchange answers -1102.
    log = await context.client.dust_log(
        start=start, end=end, account_type=wallet_to_name(entry.account_type)
    )
    unread += log.unread
    return _records(log, entry), _is_full(log)


async def _log_reaches_back(
    context: AccountContext, entry: LedgerEntry, start: datetime, shown: Sequence[Observed]
) -> bool:
    """Tell whether the log would still show a conversion of that time.

    It holds a hundred records. No document says whether they are of the requested time or of all
    times.
    """
    newest = await context.client.dust_log(account_type=wallet_to_name(entry.account_type))
    if not _is_full(newest):
        return True
    times = [record.at for record in _records(newest, entry)]
    if not times:
        return False
    return min(times) <= start or any(record.at < min(times) for record in shown)


def _is_full(log: DustLog) -> bool:
    return len(log.user_asset_dribblets) + len(log.unread) >= _FULL_PAGE


def _records(log: DustLog, entry: LedgerEntry) -> list[Observed]:
    return list(from_dust_log(log, entry.account, entry.account_type))


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
