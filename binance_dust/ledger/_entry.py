"""What the ledger remembers of one call that moved funds, or tried to."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from binance_dust._util.exact import total

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from binance_dust.endpoints import AccountType

__all__ = [
    "OPEN",
    "Intent",
    "Kind",
    "LedgerEntry",
    "LedgerLine",
    "LineTotals",
    "SettledBy",
    "Status",
]

Status = Literal["intended", "confirmed", "rejected", "unknown"]
"""How a call stands."""
OPEN: Final[tuple[Status, ...]] = ("intended", "unknown")
"""Entries of which it is still to be found out how they ended."""


class Kind(enum.StrEnum):
    """Which call moved the funds."""

    DUST = "dust"
    """`dust_transfer`: dust into BNB."""
    DUST_CONVERT = "dust_convert"
    """`dust_convert`: dust into any target."""
    LIABILITIES = "liabilities"
    """`exchange_small_liabilities`: small debts of many assets into one of the target."""

    @classmethod
    def of_record(cls, target: str) -> Kind:
        """Say what a record of the dust log most likely was; it doesn't tell which call made it."""
        return cls.DUST if target == "BNB" else cls.DUST_CONVERT


class SettledBy(enum.StrEnum):
    """How it is known how an entry ended."""

    ANSWER = "answer"
    """The exchange answered the call itself."""
    READING = "reading"
    """The exchange's log and balances were read afterwards."""
    IMPORT = "import"
    """`sync` found it in the exchange's log."""
    HAND = "hand"
    """Somebody looked, and said so with `resolve`."""


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
        return total((self.gross, self.fee.copy_negate()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A call that is about to be sent, as the ledger has it before that happens."""

    account: str
    key_id: str | None = None
    """Tells one API key from another, and nothing about it: two names may be one account."""
    kind: Kind
    account_type: AccountType
    target: str
    held: Mapping[str, Decimal]
    """The assets asked for, with what was free of each (or owed) just before."""
    client_id: str | None = None
    intended_at: datetime
    sent_after: datetime
    """By the exchange's clock: it can't accept the call before."""
    expires_at: datetime
    """By the exchange's clock: it can't accept the call later."""


class LineTotals:
    """Has `lines`, each with a gross and a fee in the same target."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def lines(self) -> tuple[Any, ...]: ...

    @property
    def gross(self) -> Decimal:
        """All of it before fees, in `target`."""
        return total(line.gross for line in self.lines)

    @property
    def fee(self) -> Decimal:
        """What it costs, in `target`."""
        return total(line.fee for line in self.lines)

    @property
    def net(self) -> Decimal:
        """All of it after fees, in `target`."""
        return total(line.net for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry(LineTotals):
    """One call that moved funds, or was about to. Times are by the exchange's clock."""

    id: int
    account: str
    kind: Kind
    account_type: AccountType
    target: str
    assets: tuple[str, ...]
    """What was asked for; `lines` are what was done."""
    status: Status
    at: datetime
    """When it happened; where it did not (or nobody knows yet) when it was intended."""
    client_id: str | None = None
    """The correlation id that went along, where the endpoint takes one."""
    key_id: str | None = None
    """Tells one API key from another, and nothing about it."""
    held: Mapping[str, Decimal] = field(default_factory=dict)
    """What was free of each asset (or owed) just before; empty for what was imported."""
    intended_at: datetime | None = None
    """When the intent was written; `None` for what was imported."""
    sent_after: datetime | None = None
    """The exchange can't have accepted the call before."""
    expires_at: datetime | None = None
    """The exchange can't have accepted the call later."""
    settled_at: datetime | None = None
    """When the outcome was written."""
    settled_by: SettledBy | None = None
    transaction_id: int | None = None
    code: int | str | None = None
    """The exchange's, where it refused, or where its answer left open how the call ended."""
    reason: str | None = None
    """Why it was rejected, or is unknown."""
    lines: tuple[LedgerLine, ...] = ()

    @property
    def happened_at(self) -> datetime | None:
        """When the exchange did it; `None` where it did not."""
        return min((line.at for line in self.lines), default=None)

    @property
    def open(self) -> bool:
        """Whether it is still to be found out how this ended."""
        return self.status in OPEN

    @property
    def imported(self) -> bool:
        """Whether it came from the exchange's log, and not from a call of ours."""
        return self.intended_at is None
