"""What the ledger remembers of one call that moved funds, or tried to."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from binance_dust._spec import AccountType

__all__ = ["Kind", "LedgerEntry", "LedgerLine", "Status"]

Status = Literal["intended", "confirmed", "rejected", "unknown"]


class Kind(enum.StrEnum):
    """Which call moved the funds."""

    DUST = "dust"
    """`dust_transfer`: dust into BNB."""
    DUST_CONVERT = "dust_convert"
    """`dust_convert`: dust into any target."""
    LIABILITIES = "liabilities"
    """`exchange_small_liabilities`: small debts of many assets into one of the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One asset of an entry: what went, and what came."""

    asset: str
    amount: Decimal
    """Of `asset`: sold, or for liabilities the debt that was taken away."""
    gross: Decimal
    """Of the entry's target, before the fee: for liabilities the debt that took its place."""
    fee: Decimal
    """Of the entry's target."""
    at: datetime
    """When the exchange did it, by its own clock."""
    transaction_id: int | None = None
    """The exchange's, as this line has it; sometimes not the entry's."""

    @property
    def net(self) -> Decimal:
        """What was credited."""
        return self.gross - self.fee


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One call that moved funds, or was about to."""

    id: int
    account: str
    kind: Kind
    account_type: AccountType
    target: str
    assets: tuple[str, ...]
    """What was asked for; `lines` are what was done."""
    status: Status
    client_id: str | None
    """The correlation id that went along; `None` for what was imported."""
    intended_at: datetime | None
    """When the intent was written, by this machine's clock; `None` for what was imported."""
    sent_after: datetime | None = None
    """By the exchange's clock: it can't have accepted the call before."""
    expires_at: datetime | None = None
    """By the exchange's clock: it can't have accepted the call later."""
    settled_at: datetime | None = None
    """When the outcome was written, by this machine's clock."""
    transaction_id: int | None = None
    reason: str | None = None
    """Why it was rejected, or is unknown."""
    lines: tuple[LedgerLine, ...] = ()

    @property
    def happened_at(self) -> datetime | None:
        """When the exchange did it, by its own clock; `None` where it did not."""
        return min((line.at for line in self.lines), default=None)

    @property
    def gross(self) -> Decimal:
        """What was brought in before fees, in `target`."""
        return sum((line.gross for line in self.lines), Decimal(0))

    @property
    def fee(self) -> Decimal:
        """What it cost, in `target`."""
        return sum((line.fee for line in self.lines), Decimal(0))

    @property
    def net(self) -> Decimal:
        """What was credited, in `target`."""
        return self.gross - self.fee

    @property
    def open(self) -> bool:
        """Whether it is still to be found out how this ended."""
        return self.status in ("intended", "unknown")
