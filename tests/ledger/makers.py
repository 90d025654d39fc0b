"""Intents, lines, records and entries to use in tests, and by the processes that they start."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from binance_dust import Ledger
from binance_dust.ledger import Intent, Kind, LedgerEntry, LedgerLine, Observed
from binance_dust.ledger._rows import BookRow
from binance_dust.ledger._schema import stamp

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

MakeEntry = Callable[..., LedgerEntry]


def intent(**changes: Any) -> Intent:
    fields: dict[str, Any] = {
        "account": "alice",
        "kind": Kind.DUST,
        "account_type": "SPOT",
        "target": "BNB",
        "held": {"ADA": Decimal("6.21"), "XRP": Decimal("1.5")},
        "intended_at": NOW,
        "sent_after": NOW - timedelta(seconds=1),
        "expires_at": NOW + timedelta(seconds=35),
    }
    return Intent(**fields | changes)


def line(asset: str = "ADA", **changes: Any) -> LedgerLine:
    fields: dict[str, Any] = {
        "asset": asset,
        "amount": Decimal("6.21"),
        "gross": Decimal("0.01777302"),
        "fee": Decimal("0.00035546"),
        "at": NOW,
        "transaction_id": 45178372831,
    }
    return LedgerLine(**fields | changes)


def seen(*lines: LedgerLine, **changes: Any) -> Observed:
    fields: dict[str, Any] = {
        "account": "alice",
        "kind": Kind.DUST,
        "account_type": "SPOT",
        "target": "BNB",
        "transaction_id": 45178372831,
        "at": NOW,
        "lines": lines or (line("ADA"), line("XRP")),
    }
    return Observed(**fields | changes)


def numbered(number: int) -> Observed:
    """Make a record that differs for each number."""
    at = NOW + number * MINUTE
    return seen(line(transaction_id=number, at=at), transaction_id=number, at=at)


def entry_maker() -> MakeEntry:
    """Return a function that makes entries, numbered one after the other."""
    numbers = count(1)

    def make(at: datetime = NOW, /, *sold: tuple[str, str, str, str], **fields: Any) -> LedgerEntry:
        """Make an entry. Each of `sold` is: asset, amount, gross, fee."""
        number = next(numbers)
        lines = tuple(
            LedgerLine(
                asset=asset,
                amount=Decimal(amount),
                gross=Decimal(gross),
                fee=Decimal(fee),
                at=at + timedelta(milliseconds=37 * n),
                transaction_id=4_000_000 + number,
            )
            for n, (asset, amount, gross, fee) in enumerate(sold)
        )
        usual: dict[str, Any] = {
            "id": number,
            "account": "alice",
            "kind": Kind.DUST,
            "account_type": "SPOT",
            "target": "BNB",
            "assets": tuple(line.asset for line in lines),
            "status": "confirmed" if lines else "rejected",
            "at": at,
            "transaction_id": 4_000_000 + number if lines else None,
            "lines": lines,
        }
        return LedgerEntry(**(usual | fields))

    return make


def rows_of_entry(entry: LedgerEntry) -> list[BookRow]:
    """Make the rows of an entry as a ledger's file has them."""
    first = BookRow(
        entry=entry.id,
        account=entry.account,
        account_type=entry.account_type,
        kind=entry.kind.value,
        target=entry.target,
        status=entry.status,
        transaction_id=entry.transaction_id,
        at=stamp(entry.at),
        asset="",
        amount="",
        gross="",
        fee="",
        net="",
        line_id=None,
    )
    if entry.status == "confirmed":
        return [
            first._replace(
                at=stamp(line.at),
                asset=line.asset,
                amount=f"{line.amount:f}",
                gross=f"{line.gross:f}",
                fee=f"{line.fee:f}",
                net=f"{line.net:f}",
                line_id=line.transaction_id,
            )
            for line in entry.lines
        ]
    return [first._replace(asset=asset) for asset in entry.assets if entry.open]


async def converted(ledger: Ledger, at: timedelta, number: int, account: str = "alice") -> None:
    happened = NOW + at
    done = seen(
        line(at=happened, transaction_id=number),
        at=happened,
        transaction_id=number,
        account=account,
    )
    await ledger.record([done], now=happened)


async def refused(ledger: Ledger, at: timedelta, code: int = -5006) -> None:
    happened = NOW + at
    begun = await ledger.intend(
        intent(intended_at=happened, sent_after=happened, expires_at=happened + MINUTE),
        length=MINUTE,
    )
    await ledger.reject(begun.id, "too soon", now=happened, code=code)
