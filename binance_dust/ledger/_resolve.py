"""Settles by hand what can't be known: a person looked at the exchange, and says how it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from binance_dust.errors import ConfigurationError, DustError
from binance_dust.events import logger
from binance_dust.ledger._entries import Settlement
from binance_dust.ledger._entry import Kind, SettledBy
from binance_dust.ledger._witness import read_records

if TYPE_CHECKING:
    from datetime import datetime

    from binance_dust.client import DustClient
    from binance_dust.ledger._entry import LedgerEntry, Status
    from binance_dust.ledger._ledger import Ledger
    from binance_dust.ledger._records import Observed

__all__ = ["resolve"]

_AROUND: Final = timedelta(hours=1)
"""How far from a call's time its record is looked for."""


async def resolve(  # noqa: PLR0913 - what a person knows of the outcome
    ledger: Ledger,
    entry_id: int,
    status: Status,
    reason: str,
    *,
    now: datetime,
    transaction_id: int | None,
    client: DustClient | None,
) -> tuple[Settlement, list[Observed]]:
    """Check what a person says of an entry; return it with the exchange's records of that time."""
    if status not in ("rejected", "confirmed"):
        raise ConfigurationError(
            f"an entry can be resolved as 'rejected' or 'confirmed', not {status!r}"
        )
    if status == "rejected" and transaction_id is not None:
        raise ConfigurationError("a call that was not carried out has no transaction_id")
    entry = await ledger.entry(entry_id)
    shown: list[Observed] = []
    if status == "confirmed":
        if transaction_id is None and entry.kind is not Kind.LIABILITIES:
            raise ConfigurationError(
                f"entry {entry_id}: to resolve it as confirmed, give the number of the exchange's "
                "record (transaction_id)"
            )
        if client is not None:
            owner = (await ledger.identify(client)).owner
            if owner != entry.owner:
                raise ConfigurationError(
                    f"entry {entry_id} is of account {entry.owner}, and this client of {owner}"
                )
            shown = await _read_around(entry, client, now)
    settlement = Settlement(
        status=status, now=now, by=SettledBy.HAND, reason=reason, transaction_id=transaction_id
    )
    return settlement, shown


async def _read_around(entry: LedgerEntry, client: DustClient, now: datetime) -> list[Observed]:
    """Read the exchange's records of that time; none if they can't be read."""
    start, end = entry.at - _AROUND, entry.at + _AROUND
    try:
        shown = await read_records(client, entry, clock=now, start=start, end=end)
        return [replace(each, account=entry.owner) for each in shown.records]
    except DustError as error:
        logger.warning("entry %d is resolved without the exchange's log: %s", entry.id, error)
        return []
