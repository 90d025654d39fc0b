"""Rows of the tables, and what they stand for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from binance_dust._util.exact import to_amount
from binance_dust.errors import ConfigurationError
from binance_dust.ledger._entry import Kind, LedgerEntry, LedgerLine, SettledBy

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from decimal import Decimal

__all__ = ["entry_of", "line_of", "line_row", "moment", "moment_or_none", "stamp", "stamp_or_none"]


def stamp(time: datetime) -> str:
    """Write a time, all of one width: `2026-11-21T12:00:00.123000Z`."""
    if not isinstance(time, datetime):
        raise TypeError(f"a time must be a datetime, not {type(time).__name__}")
    if time.utcoffset() is None:
        raise ConfigurationError(f"{time} has no time zone: say which, datetime(..., tzinfo=UTC)")
    try:
        time = time.astimezone(UTC)
    except OverflowError:  # the calendar ends earlier in other zones
        raise ConfigurationError(f"{time} is no time in UTC") from None
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def stamp_or_none(time: datetime | None) -> str | None:
    """Write a time, or nothing."""
    return None if time is None else stamp(time)


def moment(text: str) -> datetime:
    """Read a time."""
    return datetime.fromisoformat(text)


def moment_or_none(text: str | None) -> datetime | None:
    """Read a time, or nothing."""
    return None if text is None else moment(text)


def line_row(entry_id: int, position: int, line: LedgerLine) -> tuple[Any, ...]:
    """Write a line."""
    return (
        entry_id,
        position,
        line.asset,
        f"{line.amount:f}",
        f"{line.gross:f}",
        f"{line.fee:f}",
        f"{line.net:f}",
        stamp(line.at),
        line.transaction_id,
    )


def line_of(row: sqlite3.Row) -> LedgerLine:
    """Read a line."""
    return LedgerLine(
        asset=row["asset"],
        amount=to_amount(row["amount"]),
        gross=to_amount(row["gross"]),
        fee=to_amount(row["fee"]),
        at=moment(row["at"]),
        transaction_id=row["transaction_id"],
    )


def entry_of(
    row: sqlite3.Row, asked: Iterable[sqlite3.Row], lines: Iterable[sqlite3.Row]
) -> LedgerEntry:
    """Read an entry."""
    asked = list(asked)
    held: dict[str, Decimal] = {
        each["asset"]: to_amount(each["held"]) for each in asked if each["held"] is not None
    }
    settled_by = row["settled_by"]
    return LedgerEntry(
        id=row["id"],
        account=row["account"],
        key_id=row["key_id"],
        kind=Kind(row["kind"]),
        account_type=row["account_type"],
        target=row["target"],
        assets=tuple(each["asset"] for each in asked),
        held=held,
        status=row["status"],
        at=moment(row["at"]),
        client_id=row["client_id"],
        intended_at=moment_or_none(row["intended_at"]),
        sent_after=moment_or_none(row["sent_after"]),
        expires_at=moment_or_none(row["expires_at"]),
        settled_at=moment_or_none(row["settled_at"]),
        settled_by=None if settled_by is None else SettledBy(settled_by),
        transaction_id=row["transaction_id"],
        code=row["code"],
        reason=row["reason"],
        lines=tuple(line_of(each) for each in lines),
    )
