"""How one account's turn in a sweep ended."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from binance_dust._util.html import Record
from binance_dust._util.words import count
from binance_dust.conversion import LiabilityQuote, Reason, RepaymentQuote, RepaymentReceipt
from binance_dust.errors import OutcomeUnknownError
from binance_dust.ledger._entry import why_stuck

if TYPE_CHECKING:
    from datetime import datetime

    from binance_dust.conversion import Quote, Receipt
    from binance_dust.endpoints import AccountType
    from binance_dust.errors import DustError
    from binance_dust.ledger import LedgerEntry

__all__ = ["Outcome", "SweepReport", "how_much"]


def how_much(done: Quote | LiabilityQuote | RepaymentQuote | Receipt | RepaymentReceipt) -> str:
    """Say in a few words what was done, or what would be."""
    assets = count(len(done.assets), "asset")
    if isinstance(done, RepaymentQuote | RepaymentReceipt):
        return f"{count(len(done.assets), 'debt')} paid"
    worth = done.worth if isinstance(done, LiabilityQuote) else done.net
    return f"{assets} into {worth:f} {done.target}"


class Outcome(enum.StrEnum):
    """How a turn ended."""

    PLANNED = "planned"
    """A dry run: this would be converted."""
    CONVERTED = "converted"
    """The call was carried out: `receipt` says what it did, or else `settled`."""
    NOTHING = "nothing to convert"
    """The exchange's rules and yours leave nothing to convert."""
    NOT_NEEDED = "not needed"
    """There is enough of what `when_below` names. `quote.skipped` has what was left."""
    RESTING = "cooling down"
    """The account may not convert yet; `next_at` says when."""
    STOPPED = "stopped by a rule"
    """A safety rule of this package stopped it before anything was sent."""
    BUSY = "another process is at it"
    """Another process, or another task of this one, is converting or recovering the account."""
    FAILED = "failed"
    """Nothing was converted: reading failed, or the exchange refused, or it accepted the call and
    did nothing (then `receipt` says so)."""
    UNKNOWN = "unknown"
    """Funds may have moved, and reading could not tell yet. The next sweep reads again."""
    UNKNOWABLE = "can't be known"
    """Funds may have moved, and reading can't tell. `unsettled` are the entries that keep this part
    of the account from the next call, until `binance-dust resolve` or `Ledger.resolve`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport(Record):
    """One account's turn in a sweep."""

    account: str
    what: str
    """`dust`, `liabilities` for small margin debts, or `repayments`."""
    account_type: AccountType
    target: str
    """Empty for repayments: each debt is paid in its own asset."""
    outcome: Outcome
    at: datetime
    """When it was over, by the exchange's clock."""
    quote: Quote | LiabilityQuote | RepaymentQuote | None = None
    """The plan, with the reasons why the rest is not converted."""
    receipt: Receipt | RepaymentReceipt | None = None
    """What was done. If that had to be found out by reading, see `settled`."""
    settled: tuple[LedgerEntry, ...] = ()
    """Open entries of this turn or earlier ones, as reading has settled them. If a lost answer left
    no receipt, also what else this turn did."""
    unsettled: tuple[LedgerEntry, ...] = ()
    """Entries of the account that are still open, after reading."""
    error: DustError | None = None
    """Why it was stopped, failed, or is unknown."""
    next_at: datetime | None = None
    """When its turn comes again; `None` in a single sweep unless the account is cooling down."""

    @property
    def why(self) -> str | None:
        """Why nothing was converted, or why that isn't known; `None` if there is no more to say.

        If an answer was lost and reading has settled it since: what that has shown.
        """
        if (proof := self.proven_not_done) is not None:
            return proof
        if self.outcome is Outcome.UNKNOWABLE:
            stuck = (entry for entry in self.unsettled if entry.needs_resolve)
            return "; ".join(why_stuck(entry) for entry in stuck)
        if self.error is not None:
            return str(self.error)
        if self.outcome is Outcome.UNKNOWN:
            left = (f"entry {entry.id}: {entry.reason}" for entry in self.unsettled)
            return "; ".join(left) or None
        return self._why_left

    @property
    def _why_left(self) -> str | None:
        """What the plan or the receipt says about all that was left."""
        if self.outcome is Outcome.NOT_NEEDED and self.quote is not None:
            reasons = (each for each in self.quote.skipped if each.reason is Reason.NOT_NEEDED)
            return next((each.detail for each in reasons), None)
        if self.outcome is Outcome.FAILED and self.receipt is not None:
            return "; ".join(map(str, self.receipt.dropped))
        return None

    @property
    def proven_not_done(self) -> str | None:
        """What reading has proven since `error` left the outcome unknown; `None` if nothing.

        The next turn tries again.
        """
        if self.outcome is not Outcome.FAILED or not isinstance(self.error, OutcomeUnknownError):
            return None
        reasons = [entry.reason for entry in self.settled if entry.status == "rejected"]
        return (
            f"the answer was lost, and it was not carried out: {reasons[-1]}" if reasons else None
        )

    def __str__(self) -> str:
        text = f"{self.account} ({self.account_type} {self.what}): {self.outcome}"
        done = self.receipt or (self.quote if self.outcome is Outcome.PLANNED else None)
        if done:
            text += f", {how_much(done)}"
        elif self.why is not None:
            text += f": {self.why}"
        return text if self.next_at is None else f"{text}; next {self.next_at:%F %T} UTC"
