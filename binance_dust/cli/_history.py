"""What the exchange still remembers of one account: conversions, and exchanged debts.

One answer of the dust log spans 90 days and holds the newest hundred conversions. A longer time is
asked for in spans, and a full answer is followed up by what lies before its oldest conversion.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from binance_dust.errors import DustError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from binance_dust.client import DustClient
    from binance_dust.endpoints import AccountType
    from binance_dust.models import DustLogEntry, SmallLiabilityExchange

SPAN: Final = timedelta(days=90)
"""What one question may ask for (-4047 beyond it)."""
FULL: Final = 100
"""Conversions in an answer, at most."""
FIRST: Final = datetime(2020, 12, 1, tzinfo=UTC)
"""The log holds nothing older."""
_MILLISECOND: Final = timedelta(milliseconds=1)

Kind = Literal["dust", "margin dust", "liability"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One asset that was converted, or one debt that was exchanged."""

    account: str
    kind: Kind
    at: datetime
    asset: str
    amount: Decimal
    target: str
    gross: Decimal
    fee: Decimal | None = None
    """`None` for a debt: its exchange shows no fee."""
    transaction_id: int | None = None
    """`None` for a debt: its exchange has no id."""

    @property
    def net(self) -> Decimal:
        """What came in, or is owed now."""
        return self.gross if self.fee is None else self.gross - self.fee


@dataclass(slots=True)
class History:
    """All that was found of one account, oldest first, and what could not be read."""

    lines: list[Line] = field(default_factory=list)
    errors: dict[Kind, DustError] = field(default_factory=dict)


def spans(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Cut a time into spans that can be asked for, the newest first."""
    since = max(since, FIRST)
    while since < until:
        start = max(since, until - SPAN)
        yield start, until
        until = start - _MILLISECOND


async def read_history(
    client: DustClient,
    *,
    dust: bool = True,
    liabilities: bool = True,
    since: datetime | None = None,
    until: datetime | None = None,
) -> History:
    """Read what is asked for; a part that fails leaves the others."""
    history = History()
    if dust:
        await _add_dust(history, client, "dust", since, until)
    margin = await _has_margin(client)
    if dust and margin:
        await _add_dust(history, client, "margin dust", since, until)
    if liabilities and margin:
        await _add_exchanges(history, client, since, until)
    history.lines.sort(key=lambda line: line.at)
    return history


async def dust_entries(
    client: DustClient,
    account_type: AccountType,
    since: datetime | None,
    until: datetime | None,
) -> list[DustLogEntry]:
    """Read the conversions of a time, however many; without `since`, the newest hundred."""
    if since is None:
        log = await client.dust_log(end=until, account_type=account_type)
        return log.user_asset_dribblets
    found: dict[int, DustLogEntry] = {}
    for first, last in spans(since, until or client.session.now()):
        end = last
        while True:
            log = await client.dust_log(start=first, end=end, account_type=account_type)
            entries = log.user_asset_dribblets
            fresh = [entry for entry in entries if entry.trans_id not in found]
            found.update((entry.trans_id, entry) for entry in fresh)
            times = [entry.happened_at for entry in fresh if entry.happened_at is not None]
            if len(entries) < FULL or not times:
                break
            # Up to and with the oldest: another conversion may share its millisecond.
            end = max(first, min(times))
    return list(found.values())


async def _has_margin(client: DustClient) -> bool:
    try:
        return (await client.account_info()).is_margin_enabled
    except DustError:
        return True  # then the questions themselves will tell


async def _add_dust(
    history: History,
    client: DustClient,
    kind: Literal["dust", "margin dust"],
    since: datetime | None,
    until: datetime | None,
) -> None:
    try:
        entries = await dust_entries(client, "SPOT" if kind == "dust" else "MARGIN", since, until)
    except DustError as error:
        history.errors[kind] = error
        return
    history.lines += [line for entry in entries for line in _conversion(client.name, kind, entry)]


def _conversion(account: str, kind: Kind, entry: DustLogEntry) -> Iterator[Line]:
    for detail in entry.user_asset_dribblet_details:
        yield Line(
            account=account,
            kind=kind,
            at=entry.happened_at or detail.operate_time,
            asset=detail.from_asset,
            amount=detail.amount,
            target=entry.target_of(detail),
            gross=detail.transferred_amount,
            fee=detail.service_charge_amount,
            transaction_id=entry.trans_id,
        )


async def _add_exchanges(
    history: History, client: DustClient, since: datetime | None, until: datetime | None
) -> None:
    asked: list[tuple[datetime | None, datetime | None]] = [(None, until)]
    if since is not None:
        asked = [*spans(since, until or client.session.now())]
    try:
        for start, end in asked:
            async for row in client.small_liability_history(start=start, end=end):
                history.lines.append(_exchange(client.name, row))
    except DustError as error:
        history.errors["liability"] = error


def _exchange(account: str, row: SmallLiabilityExchange) -> Line:
    return Line(
        account=account,
        kind="liability",
        at=row.timestamp,
        asset=row.asset,
        amount=row.amount,
        target=row.target_asset,
        gross=row.target_amount,
    )
