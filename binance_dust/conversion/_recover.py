"""Settling what is open, by reading alone. Nothing here can send anything that moves funds.

Safe to kill at any line: until the verdict is written the entry stays open, and the next recoverer
begins again. One at a time, by a claim that runs out if its holder dies.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from binance_dust.conversion._holdings import read_debts, read_holdings
from binance_dust.conversion._judge import Done, NotDone, NotYet, Reading, Unknowable, judge
from binance_dust.conversion._policy import wallet
from binance_dust.errors import DeliveryError, RateLimitedError, UnavailableError
from binance_dust.events import logger
from binance_dust.ledger import (
    Kind,
    SettledBy,
    can_have_done,
    from_dust_log,
    from_liabilities,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from binance_dust.conversion._account import Desk
    from binance_dust.conversion._judge import Verdict
    from binance_dust.ledger import Claim, LedgerEntry, Observed
    from binance_dust.models import DustLog

__all__ = ["recover", "until_next"]

_CLAIM: Final = timedelta(seconds=45)
"""Renewed after each reading. Should it run out while its holder lives, two read the same."""
_BETWEEN_READINGS: Final = 10.0
"""Seconds: seven readings or so of three calls each, for an entry that was not carried out."""
_JUST_AFTER: Final = 0.5
"""Seconds after which a moment is certainly over."""
_AFTERWARDS: Final = timedelta(minutes=2)
"""How far behind the last moment the log is asked for."""
_FULL_PAGE: Final = 100
"""Records that the dust log gives at the most."""
_REMEMBERED: Final = timedelta(days=89)
"""How long the history of debts surely shows what was done: ninety days, by an older page."""
_LONGEST: Final = 300.0
"""Seconds that one entry is worked on at the most: far more than it takes if reading works."""


async def recover(desk: Desk) -> list[LedgerEntry]:
    """Settle the account's open entries; gives each as it stands afterwards."""
    await desk.refuse_other_books()
    if not await desk.open_entries():
        return []
    async with desk.claimed("recover", _CLAIM) as claim:
        # Asked again: whoever had the claim before may have settled it.
        return [await _settle(desk, claim, entry) for entry in await desk.open_entries()]


async def _settle(desk: Desk, claim: Claim, entry: LedgerEntry) -> LedgerEntry:
    elapsed = asyncio.get_running_loop().time
    began = elapsed()
    while True:
        verdict = await _look(desk, entry)
        entry = await desk.ledger.entry(entry.id)
        if not entry.open:
            # The sender lives, and has heard the answer meanwhile.
            return entry
        if not isinstance(verdict, NotYet) or elapsed() - began > _LONGEST:
            return await _write(desk, entry, verdict)
        logger.info("%s: entry %d: %s", desk.account, entry.id, verdict.reason)
        await asyncio.sleep(until_next(entry.expires_at, desk.now()))
        await desk.ledger.extend(claim, now=desk.claim_clock(), length=_CLAIM)


def until_next(expires_at: datetime | None, now: datetime) -> float:
    """Say when to read again: soon, or when it can't be accepted any more where that is sooner."""
    if expires_at is None or expires_at <= now:
        return _BETWEEN_READINGS
    left = (expires_at - now).total_seconds()
    return min(left + _JUST_AFTER, _BETWEEN_READINGS)


async def _look(desk: Desk, entry: LedgerEntry) -> Verdict:
    """Read and judge; an exchange that can't be read now is asked again later."""
    start, end = entry.sent_after, entry.expires_at
    if start is None or end is None:
        return Unknowable("the ledger does not say when it can have been accepted")
    try:
        return judge(entry, await _read(desk, entry, start, end + _AFTERWARDS))
    except (DeliveryError, UnavailableError, RateLimitedError) as error:
        return NotYet(f"the exchange could not be read: {error}")


async def _read(desk: Desk, entry: LedgerEntry, start: datetime, end: datetime) -> Reading:
    # In this order: what the clock proves about time holds for everything read after it.
    clock = (await desk.client.server_time()).server_time
    held: dict[str, Decimal]
    if entry.kind is Kind.LIABILITIES:
        records = await _debts(desk, entry, start, end)
        complete = start > clock - _REMEMBERED
        held = await read_debts(desk.client)
    else:
        records, full = await _page(desk, entry, start, end)
        complete = not full
        found = any(can_have_done(entry, record) for record in records)
        if complete and not found and end < clock:
            complete = await _reaches_back(desk, entry, start, records)
        holdings = await read_holdings(desk.client, entry.account_type)
        held = {asset: holding.free for asset, holding in holdings.items()}
    free = await desk.ledger.unclaimed(records, besides=entry.id)
    return Reading(clock=clock, records=free, complete=complete, held=held)


async def _debts(desk: Desk, entry: LedgerEntry, start: datetime, end: datetime) -> list[Observed]:
    """Read the history of debts of the time in question."""
    rows = desk.client.small_liability_history(start=start, end=end)
    return list(from_liabilities([row async for row in rows], entry.account))


async def _page(
    desk: Desk, entry: LedgerEntry, start: datetime, end: datetime
) -> tuple[list[Observed], bool]:
    """Read the dust log of the time in question, and tell whether it is all that fits a page."""
    # Both bounds: with the first alone the exchange answers -1102.
    log = await desk.client.dust_log(start=start, end=end, account_type=wallet(entry.account_type))
    return _records(log, entry), len(log.user_asset_dribblets) >= _FULL_PAGE


async def _reaches_back(
    desk: Desk, entry: LedgerEntry, start: datetime, shown: Sequence[Observed]
) -> bool:
    """Tell whether the log would still show what happened then.

    It holds a hundred records: of the time that is asked for, or of all times, no document says.
    """
    newest = await desk.client.dust_log(account_type=wallet(entry.account_type))
    if len(newest.user_asset_dribblets) < _FULL_PAGE:
        return True
    times = [record.at for record in _records(newest, entry)]
    if not times:
        return False
    return min(times) <= start or any(record.at < min(times) for record in shown)


def _records(log: DustLog, entry: LedgerEntry) -> list[Observed]:
    return list(from_dust_log(log, entry.account, entry.account_type))


async def _write(desk: Desk, entry: LedgerEntry, verdict: Verdict) -> LedgerEntry:
    match verdict:
        case Done(record, note):
            return await desk.ledger.confirm(
                entry.id,
                record.lines,
                transaction_id=record.transaction_id,
                target=record.target,
                reason=note,
                now=desk.now(),
                by=SettledBy.READING,
            )
        case NotDone(reason):
            return await desk.ledger.reject(entry.id, reason, now=desk.now(), by=SettledBy.READING)
        case _:
            return await desk.ledger.leave_unknown(entry.id, verdict.reason, now=desk.now())
