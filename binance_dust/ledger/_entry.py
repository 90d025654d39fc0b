"""What the ledger remembers of one call that moved funds, or tried to."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from binance_dust._util.exact import total
from binance_dust._util.html import Record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from binance_dust.endpoints import AccountType

__all__ = [
    "KINDS",
    "OPEN",
    "WAYS",
    "Intent",
    "Kind",
    "LedgerEntry",
    "LedgerLine",
    "LineTotals",
    "SettledBy",
    "Status",
    "funds_of",
    "how_to_resolve",
    "why_blocked",
    "why_stuck",
]

Status = Literal["intended", "confirmed", "rejected", "unknown"]
"""The state of a call."""
OPEN: Final[tuple[Status, ...]] = ("intended", "unknown")
"""Statuses of entries without a known outcome."""


class Kind(enum.StrEnum):
    """The call that moves the funds."""

    DUST = "dust"
    """`dust_transfer`: dust into BNB."""
    DUST_CONVERT = "dust_convert"
    """`dust_convert`: dust into any target."""
    LIABILITIES = "liabilities"
    """`exchange_small_liabilities`: small debts in many assets into one debt in the target."""
    TRANSFER = "transfer"
    """`transfer`: dust of the funding wallet into the spot wallet. Nothing is sold or received."""
    SALE = "sale"
    """`convert_accept`: an asset that is too much for dust, sold for the target by quote."""
    REPAYMENT = "repayment"
    """`repay`: a debt of the cross-margin account, paid from what is held there."""

    @classmethod
    def of_record(cls, target: str) -> Kind:
        """Guess the kind of a dust log record from its target; the log does not name the call."""
        return cls.DUST if target == "BNB" else cls.DUST_CONVERT

    @property
    def converts(self) -> bool:
        """Whether the target is received for something: sums of what came in count only these."""
        return self in (Kind.DUST, Kind.DUST_CONVERT, Kind.SALE)

    @property
    def shares_records_with(self) -> frozenset[Kind]:
        """The kinds that the exchange's records don't tell from this one, itself included."""
        return _OF_THE_DUST_LOG if self in _OF_THE_DUST_LOG else frozenset({self})


_OF_THE_DUST_LOG: Final = frozenset({Kind.DUST, Kind.DUST_CONVERT})
_DEBTS: Final = frozenset({Kind.LIABILITIES, Kind.REPAYMENT})


class SettledBy(enum.StrEnum):
    """How the outcome of an entry was found out."""

    ANSWER = "answer"
    """The exchange answered the call."""
    READING = "reading"
    """The exchange's log and balances were read afterwards."""
    IMPORT = "import"
    """`sync` found it in the exchange's log."""
    HAND = "hand"
    """A person looked, and settled it with `resolve`."""


# For each entry that is read: a look into a table takes a quarter of the time of `Kind(text)`.
KINDS: Final = {str(kind): kind for kind in Kind}
WAYS: Final = {str(way): way for way in SettledBy}


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine(Record):
    """One asset of an entry: what was given, and what was received."""

    asset: str
    amount: Decimal
    """In `asset`: what was sold, moved or paid; for liabilities, the debt that ended."""
    gross: Decimal
    """In the entry's target, before the fee; for liabilities, the debt that replaced it; for a
    transfer or a repayment, the amount again."""
    fee: Decimal
    """In the entry's target."""
    at: datetime
    """When it happened, by the exchange's clock."""
    transaction_id: int | None = None
    """The exchange's id of this line; it can differ from the entry's."""

    @property
    def net(self) -> Decimal:
        """What was credited: gross less fee."""
        return total((self.gross, self.fee.copy_negate()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A call that is about to be sent, as it is written down before that."""

    account: str
    key_id: str | None = None
    """Identifies the API key without revealing it. Two names with one key are one account."""
    kind: Kind
    account_type: AccountType
    target: str
    held: Mapping[str, Decimal]
    """The assets to convert, each with its free balance (or its debt) just before."""
    amounts: Mapping[str, Decimal] = field(default_factory=dict)
    """How much of each asset, if the call says it; else the exchange takes all of it."""
    client_id: str | None = None
    """The id that is sent along; for a sale, the id of its quote."""
    intended_at: datetime
    sent_after: datetime
    """The exchange can't accept the call before this time of its own clock."""
    expires_at: datetime
    """The exchange can't accept the call after this time of its own clock."""


def funds_of(kind: Kind, account_type: AccountType) -> str:
    """Name what a call moves: the dust of one wallet, its debts, or what comes from elsewhere.

    Two calls that move different funds don't meet, so an open one does not block the other: each
    has its own balances or debts, and its own records. A sale takes from the balances that dust is
    in, and a repayment from the debts that can be exchanged.
    """
    if kind is Kind.TRANSFER:
        return f"{account_type} transfers"
    return f"{account_type} {'debts' if kind in _DEBTS else 'dust'}"


def why_blocked(entry: LedgerEntry, account: str) -> str:
    """Say why an open entry keeps its account from the next call, and what ends that."""
    if entry.needs_resolve:
        return f"{account}: {why_stuck(entry)}"
    return (
        f"{account}: how entry {entry.id} ended is not known yet ({entry.status}, account "
        f"{entry.account}): recover() first"
    )


def why_stuck(entry: LedgerEntry) -> str:
    """Say why it can't be known how a call ended, and what ends that."""
    return (
        f"how entry {entry.id} ended can't be known from here ({entry.reason}): "
        f"{how_to_resolve(entry.id)}"
    )


def how_to_resolve(entry_id: int) -> str:
    """Name the command that ends an entry that can't be known."""
    return (
        "look at the account's history on the website, then binance-dust resolve "
        f"{entry_id} --rejected (or --confirmed TRANSACTION) --reason TEXT"
    )


class LineTotals:
    """Base of what has `lines`: their sums, exact to the last digit."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def lines(self) -> tuple[Any, ...]: ...

    @property
    def gross(self) -> Decimal:
        """The sum before fees, in `target`."""
        return total(line.gross for line in self.lines)

    @property
    def fee(self) -> Decimal:
        """The sum of the fees, in `target`."""
        return total(line.fee for line in self.lines)

    @property
    def net(self) -> Decimal:
        """The sum after fees, in `target`."""
        return total(line.net for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry(LineTotals, Record):
    """One call that moved funds, or was meant to. Times are by the exchange's clock."""

    id: int
    account: str
    """The name that it was made with. `owner` is the same for all names of one account."""
    kind: Kind
    account_type: AccountType
    target: str
    assets: tuple[str, ...]
    """The assets asked for; `lines` are those that were converted."""
    status: Status
    at: datetime
    """When it happened; without a known conversion, when it was intended."""
    client_id: str | None = None
    """The id that was sent along, where the endpoint takes one; for a sale, its quote's."""
    key_id: str | None = None
    """Identifies the API key without revealing it."""
    held: Mapping[str, Decimal] = field(default_factory=dict)
    """Each asset's free balance (or debt) just before; empty for imported entries."""
    amounts: Mapping[str, Decimal] = field(default_factory=dict)
    """How much of each asset was asked for, if the call said it."""
    intended_at: datetime | None = None
    """When the intent was written; `None` for imported entries."""
    sent_after: datetime | None = None
    """The exchange can't have accepted the call before this time."""
    expires_at: datetime | None = None
    """The exchange can't have accepted the call after this time."""
    settled_at: datetime | None = None
    """When the outcome was written down."""
    settled_by: SettledBy | None = None
    transaction_id: int | None = None
    code: int | str | None = None
    """The exchange's error code, of a rejection or of an answer that left the outcome unknown."""
    reason: str | None = None
    """Why it was rejected, or why its outcome is unknown."""
    lines: tuple[LedgerLine, ...] = ()
    owner: str = ""
    """The first name that the account came with in this ledger. Totals by account add it up."""
    needs_resolve: bool = False
    """Whether it is open, and reading can't tell how it ended: only `Ledger.resolve` ends it."""

    def __post_init__(self) -> None:
        """Without an owner, the name is the account."""
        if not self.owner:
            object.__setattr__(self, "owner", self.account)

    @property
    def happened_at(self) -> datetime | None:
        """When the exchange converted the first line; `None` without lines."""
        return min((line.at for line in self.lines), default=None)

    @property
    def open(self) -> bool:
        """Whether the outcome is not known yet."""
        return self.status in OPEN

    @property
    def funds(self) -> str:
        """What its call moves."""
        return funds_of(self.kind, self.account_type)

    @property
    def imported(self) -> bool:
        """Whether it came from the exchange's records, and not from our call."""
        return self.intended_at is None
