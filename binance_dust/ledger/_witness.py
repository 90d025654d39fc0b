"""What the exchange's own records show of our call: each kind of call has its witness.

| Kind | Where its record is | How it is found there |
| --- | --- | --- |
| dust, dust_convert | the dust log of the wallet | assets, target, time |
| liabilities | the history of exchanged debts | assets, time |
| transfer | the history of transfers | asset, amount, time |
| sale | the order | the quote's id |
| repayment | the capital flow of the margin account | asset, amount, time |

What the margin account does stands a second time in its capital flow: conversions of dust, and
exchanged debts. It has numbers and no fees, so it tells whether a call was carried out, and not
what it brought.

Only read here. What follows from it is said in `conversion/_evidence.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from binance_dust.errors import Delivery, ExchangeError, RejectedError
from binance_dust.ledger._entry import Kind
from binance_dust.ledger._records import (
    Observed,
    can_have_done,
    from_capital_flow,
    from_dust_log,
    from_liabilities,
    from_order,
    from_transfers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from binance_dust.client import DustClient
    from binance_dust.endpoints import AccountType
    from binance_dust.ledger._entry import LedgerEntry
    from binance_dust.models import CapitalFlow, DustLog, UnreadRow

__all__ = [
    "GATHERING",
    "REPAYING",
    "Flow",
    "Movement",
    "Shown",
    "has_second_witness",
    "read_again",
    "read_records",
    "wallet_to_name",
]

GATHERING: Final = "FUNDING_MAIN"
"""The transfer that is ever made: from the funding to the spot wallet."""
REPAYING: Final = "REPAY"
"""The type of a repayment in the capital flow."""
_SECOND: Final[Mapping[Kind, str]] = {
    Kind.DUST: "SMALL_BALANCE_CONVERT",
    Kind.DUST_CONVERT: "SMALL_BALANCE_CONVERT",
    Kind.LIABILITIES: "SMALL_CONVERT",
}
"""The types under which the capital flow has what another record shows first."""
_UNDER_WAY: Final = "PENDING"
_FULL_PAGE: Final = 100
"""Records that the dust log shows at most."""
_NINETY_DAYS: Final = timedelta(days=89)
"""How far back the history of debts and the capital flow are certainly complete."""
_OLDER: Final = ", and its record may be older"
_SIX_MONTHS: Final = timedelta(days=179)
"""How far back the history of transfers is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the exchange showed of a time."""

    records: Sequence[Observed] = ()
    unread: Sequence[UnreadRow] = ()
    """Records that can't be read."""
    hidden: str | None = None
    """Why it may have records of that time that it did not show."""
    pending: str | None = None
    """What says that the exchange has the call, and is not done with it."""
    refused: str | None = None
    """What says that the exchange has tried the call, and that it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What the capital flow has under one number: one call, ours or another."""

    number: int | None
    at: datetime
    assets: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What the capital flow showed of a time."""

    movements: Sequence[Movement] = ()
    hidden: str | None = None
    """Why it may have more of that time."""


@dataclass(slots=True)
class _Reading:
    """One reading in progress."""

    client: DustClient
    entry: LedgerEntry
    clock: datetime
    start: datetime
    end: datetime
    unread: list[UnreadRow] = field(default_factory=list)


async def read_records(
    client: DustClient, entry: LedgerEntry, *, clock: datetime, start: datetime, end: datetime
) -> Shown:
    """Read the records of a time in which the call of an entry can have been carried out.

    `clock` is the exchange's time, read before.
    """
    reading = _Reading(client, entry, clock, start, end)
    match entry.kind:
        case Kind.LIABILITIES:
            return await _read_debts(reading)
        case Kind.TRANSFER:
            return await _read_transfers(reading)
        case Kind.SALE:
            return await _read_order(reading)
        case Kind.REPAYMENT:
            return await _read_flow(reading)
        case _:
            return await _read_log(reading)


# --- dust ----------------------------------------------------------------------------------------


async def _read_log(reading: _Reading) -> Shown:
    entry, start, end = reading.entry, reading.start, reading.end
    # Both bounds: with the first alone the exchange answers -1102.
    log = await reading.client.dust_log(
        start=start, end=end, account_type=wallet_to_name(entry.account_type)
    )
    records = _records(log, entry)
    complete = not _is_full(log)
    if complete and not any(can_have_done(entry, each) for each in records) and end < reading.clock:
        complete = await _log_reaches_back(reading, records)
    return Shown(
        records=records,
        unread=_of_that_time(reading, log.unread),
        hidden=None if complete else f"the log shows its newest hundred records only{_OLDER}",
    )


async def _log_reaches_back(reading: _Reading, shown: Sequence[Observed]) -> bool:
    """Tell whether the log would still show a conversion of that time.

    It holds a hundred records. No document says whether they are of the requested time or of all
    times.
    """
    entry = reading.entry
    newest = await reading.client.dust_log(account_type=wallet_to_name(entry.account_type))
    if not _is_full(newest):
        return True
    times = [record.at for record in _records(newest, entry)]
    if not times:
        return False
    return min(times) <= reading.start or any(record.at < min(times) for record in shown)


def _is_full(log: DustLog) -> bool:
    return len(log.user_asset_dribblets) + len(log.unread) >= _FULL_PAGE


def _records(log: DustLog, entry: LedgerEntry) -> list[Observed]:
    return list(from_dust_log(log, entry.account, entry.account_type))


def wallet_to_name(account_type: AccountType) -> AccountType | None:
    """Say which wallet to name in a call. SPOT is not named: older pages know no other wallet."""
    return None if account_type == "SPOT" else account_type


# --- debts ---------------------------------------------------------------------------------------


async def _read_debts(reading: _Reading) -> Shown:
    start, end = _within(reading, _NINETY_DAYS)
    rows = reading.client.small_liability_history(start=start, end=end, unread=reading.unread)
    records = list(from_liabilities([row async for row in rows], reading.entry.account))
    return Shown(
        records=records,
        unread=_of_that_time(reading, reading.unread),
        hidden=_older(reading, _NINETY_DAYS, "the history of debts goes back ninety days only"),
    )


async def _read_flow(reading: _Reading) -> Shown:
    start, end = _within(reading, _NINETY_DAYS)
    rows = [row async for row in reading.client.capital_flow(kind=REPAYING, start=start, end=end)]
    return Shown(
        records=list(from_capital_flow(rows, reading.entry.account)),
        hidden=_older(reading, _NINETY_DAYS, "the capital flow goes back ninety days only"),
    )


def has_second_witness(entry: LedgerEntry) -> bool:
    """Whether the capital flow has the calls of this kind as well."""
    return entry.account_type == "MARGIN" and entry.kind in _SECOND


async def read_again(
    client: DustClient, entry: LedgerEntry, *, clock: datetime, start: datetime, end: datetime
) -> Flow:
    """Read the capital flow of that time. One call of it costs 100."""
    reading = _Reading(client, entry, clock, start, end)
    since, until = _within(reading, _NINETY_DAYS)
    groups: dict[object, list[CapitalFlow]] = {}
    async for row in client.capital_flow(kind=_SECOND[entry.kind], start=since, end=until):
        # Rows of one conversion may be tens of milliseconds apart.
        groups.setdefault(row.tran_id or row.timestamp, []).append(row)
    movements = [
        Movement(
            number=rows[0].tran_id,
            at=rows[0].timestamp,
            assets=frozenset(row.asset for row in rows),
        )
        for rows in groups.values()
    ]
    hidden = _older(reading, _NINETY_DAYS, "the capital flow goes back ninety days only")
    return Flow(movements=movements, hidden=hidden)


# --- transfers and sales -------------------------------------------------------------------------


async def _read_transfers(reading: _Reading) -> Shown:
    start, end = _within(reading, _SIX_MONTHS)
    history = reading.client.transfers(kind=GATHERING, start=start, end=end, unread=reading.unread)
    rows = [row async for row in history]
    waits = (row for row in rows if row.status == _UNDER_WAY and row.asset in reading.entry.assets)
    waiting = next(waits, None)
    return Shown(
        records=list(from_transfers(rows, reading.entry.account)),
        unread=_of_that_time(reading, reading.unread),
        hidden=_older(reading, _SIX_MONTHS, "the history of transfers goes back six months only"),
        pending=None if waiting is None else f"transfer {waiting.tran_id} is still under way",
    )


async def _read_order(reading: _Reading) -> Shown:
    quote_id = reading.entry.client_id
    if quote_id is None:
        return Shown(hidden="the ledger does not have the quote's id")
    try:
        order = await reading.client.convert_status(quote_id=quote_id)
    except RejectedError:
        # It knows no order for this quote: it was not accepted, or is not known yet.
        return Shown()
    except ExchangeError as error:
        if error.delivery is not Delivery.UNCLEAR:
            raise
        return Shown(hidden=f"the exchange does not say what became of the quote: {error}")
    if order.is_failed:
        return Shown(refused=f"the exchange's order {order.order_id} has failed")
    done = from_order(order, reading.entry)
    if done is None:
        return Shown(pending=f"order {order.order_id} is {order.order_status}")
    return Shown(records=[done])


# --- what they share -----------------------------------------------------------------------------


def _within(reading: _Reading, kept: timedelta) -> tuple[datetime, datetime]:
    """Cut a range to what the exchange keeps: older rows are refused, and all with them."""
    start = max(reading.start, reading.clock - kept)
    return start, max(reading.end, start)


def _older(reading: _Reading, kept: timedelta, why: str) -> str | None:
    return None if reading.start > reading.clock - kept else f"{why}{_OLDER}"


def _of_that_time(reading: _Reading, unread: Sequence[UnreadRow]) -> list[UnreadRow]:
    """Take the unreadable records of the range: the exchange may show others as well."""
    return [row for row in unread if row.at is None or reading.start <= row.at <= reading.end]
