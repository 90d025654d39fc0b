"""The rows of the tables that grow with the number of reports: what each report adds to them.

Also what to do about each kind of error, which a row for the kind says.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust import errors
from binance_dust.reports._page._sorting import SortedRows
from binance_dust.reports._page._table import texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from binance_dust.errors import DustError
    from binance_dust.reports._page._figures import AccountRow, LastChanceRow, ReportRows
    from binance_dust.reports._page._sorting import Scratch

__all__ = ["TableRows", "advice", "without"]

_ADVICE: Final[Mapping[type[DustError], str]] = {
    errors.ConfigurationError: "Correct this account's settings.",
    errors.BudgetExceededError: "Give it more time, or ask for less: the weight was already taken.",
    errors.DeliveryError: "Scan this account again.",
    errors.NotSentError: "Check the network, the proxy and the name of the host; then scan again.",
    errors.NoAnswerError: "Scan again; if it stays so, allow a longer timeout.",
    errors.UnreadableAnswerError: "The answer has a new form: look for a newer release.",
    errors.ExchangeError: "Read the exchange's reason.",
    errors.RejectedError: "Not allowed for this account, or not from here: read the reason.",
    errors.CredentialsError: "Check the key, its permissions and its list of addresses.",
    errors.ClockError: "Set this machine's clock, or widen recv_window.",
    errors.RateLimitedError: "Others spend this address's weight: leave headroom, scan later.",
    errors.BannedError: "Send nothing from this address until the ban ends; leave more headroom.",
    errors.UnavailableError: "The exchange was busy: scan again in a while.",
    errors.MaintenanceError: "Closed for maintenance: look at the exchange's status, scan later.",
    errors.DustRejectedError: "The exchange's rules for dust forbid it: read the reason.",
    errors.CooldownError: "Converted too recently: wait.",
    errors.CoolingDownError: "Converted too recently: wait until the time in the reason.",
    errors.NotConvertibleError: "Leave the asset out.",
    errors.PriceMovedError: "The price moved: take a new quote.",
    errors.GuardError: "A safety rule stopped it: change the rule, or leave it.",
    errors.LedgerError: "Look at the ledger's file: nothing is sent while it can't be written.",
    errors.OutcomeUnknownError: "Don't send it again: recover it, which only reads.",
}


class TableRows:
    """Rows by table. Cells are text already: so a row is put aside, and comes back, as it is."""

    def __init__(self, scratch: Scratch) -> None:
        """Begin without rows."""
        self.accounts = SortedRows(scratch, Decimal, reverse=True)
        self.balances = SortedRows(scratch, Decimal, reverse=True)
        self.debts = SortedRows(scratch, Decimal, reverse=True)
        self.elsewhere = SortedRows(scratch, Decimal, reverse=True)
        self.stays = SortedRows(scratch, tuple)
        self.delistings = SortedRows(scratch, tuple)
        self.failures = SortedRows(scratch, int)
        """As they came."""
        self.kinds: dict[str, tuple[int, str]] = {}
        """How often each kind of error was met, and what to do about it."""

    def add(self, found: ReportRows) -> None:
        """Add the rows of one report."""
        account = found.account
        self.accounts.add(str(account.dust.net) if account.dust else "-1", _account(account))
        for row in found.dust:
            cells = (row.account, row.asset, row.target, row.amount, row.gross, row.fee, row.net)
            self.balances.add(str(row.net), texts(*cells))
        for debt in found.debts:
            self.debts.add(str(debt.worth), texts(*debt))
        for each in found.elsewhere:
            worth = "-1" if each.worth is None else str(each.worth)
            cells_elsewhere = (each.account, each.wallet, each.asset or "all of it", *each[3:])
            self.elsewhere.add(worth, texts(*cells_elsewhere))
        for left in found.stays:
            stays = texts(*left)
            self.stays.add(stays[:2], stays)
        for chance in found.last_chances:
            order = (not chance.chance.goes, chance.chance.until.timestamp())
            self.delistings.add(order, _delisting(chance))
        for name, part, error in found.failures:
            kind = type(error).__name__
            self.failures.add(0, texts(name, part, kind, str(error)))
            self.kinds[kind] = (self.kinds.get(kind, (0, ""))[0] + 1, advice(error))


def advice(error: DustError) -> str:
    """Say what to do about an error, by the nearest class that has advice."""
    return next((_ADVICE[kind] for kind in type(error).__mro__ if kind in _ADVICE), "")


def without(column: int, rows: SortedRows) -> Iterator[list[str]]:
    """Give rows without one of their columns."""
    return ([*row[:column], *row[column + 1 :]] for row in rows)


def _account(each: AccountRow) -> list[str]:
    return texts(
        each.name,
        each.target,
        *((each.dust.gross, each.dust.fee, each.dust.net) if each.dust else (None,) * 3),
        each.dust.count if each.dust else None,
        each.held,
        None if "liabilities" in each.failed else each.debts,
        f"failed: {', '.join(each.failed)}" if each.failed else "read",
        each.at,
    )


def _delisting(row: LastChanceRow) -> list[str]:
    chance = row.chance
    wallet = chance.account_type.lower()
    about = (row.account, chance.asset, wallet, row.target, row.net, chance.until)
    return texts(*about, str(chance))
