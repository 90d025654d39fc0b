"""A quote: what would be converted, what it would bring, and what stays and why."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from binance_dust._util.exact import ratio
from binance_dust._util.words import count
from binance_dust.conversion import _show
from binance_dust.conversion._narrowing import Narrowing
from binance_dust.ledger._entry import LineTotals

if TYPE_CHECKING:
    from datetime import datetime

    from binance_dust.conversion._reasons import Skipped
    from binance_dust.endpoints import AccountType

__all__ = ["Quote", "QuoteLine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteLine:
    """One asset that can be converted now, with the exchange's own estimate."""

    asset: str
    full_name: str
    amount: Decimal
    """All of it that is free: a conversion takes nothing less."""
    gross: Decimal
    """In the target, before the fee."""
    fee: Decimal
    """In the target."""
    net: Decimal
    """In the target, after the fee."""

    @property
    def fee_rate(self) -> Decimal:
        """The part of the gross that the fee takes."""
        return _rate(self.fee, self.gross)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote(Narrowing, LineTotals):
    """A plan: nothing has happened yet. Read it, narrow it, print it, then `convert` it.

    The estimates are the exchange's. It locks no price: a conversion is settled at the market price
    of its moment, and is not carried out where that has moved by 5 %.
    """

    account: str
    account_type: AccountType
    target: str
    lines: tuple[QuoteLine, ...]
    skipped: tuple[Skipped, ...] = ()
    """All else that is held, and why it is not converted."""
    at: datetime
    """When it was read, by the exchange's clock."""
    expires_at: datetime
    """From when on it is too old to be converted."""
    eligible_at: datetime | None = None
    """When the account may convert, where that is later than now."""
    key_id: str | None = None
    """Tells the client that it is for, and nothing about its key."""

    @property
    def fee_rate(self) -> Decimal:
        """The part of the gross that the fees take together."""
        return _rate(self.fee, self.gross)

    def __str__(self) -> str:
        head = f"{self.account} ({self.account_type}) into {self.target}, as of {self.at:%F %T} UTC"
        rows = [
            (
                line.asset,
                f"{line.amount:f}",
                f"{line.gross:f}",
                f"{line.fee:f} ({_show.percent(line.fee_rate)})",
                f"{line.net:f}",
            )
            for line in self.lines
        ]
        total = (
            count(len(self.lines), "asset"),
            "",
            f"{self.gross:f}",
            f"{self.fee:f} ({_show.percent(self.fee_rate)})",
            f"{self.net:f}",
        )
        table = _show.table(("asset", "amount", "gross", "fee", "net"), rows, total)
        return "\n".join([head, *table, *(f"not: {skipped}" for skipped in self.skipped)])

    def _repr_html_(self) -> str:
        return _show.as_html(
            f"{self.account} ({self.account_type}) into {self.target}",
            [
                (f"{line.asset} ({line.full_name})", line.amount, line.gross, line.fee, line.net)
                for line in self.lines
            ],
            ("all", None, self.gross, self.fee, self.net),
            self.skipped,
        )


def _rate(fee: Decimal, gross: Decimal) -> Decimal:
    return ratio(fee, gross) if gross else Decimal(0)
