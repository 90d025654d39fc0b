"""A receipt: what was converted, what it brought, and what was not converted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from binance_dust._util import exact
from binance_dust._util.words import count
from binance_dust.conversion import _tables
from binance_dust.ledger._entry import LineTotals

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from binance_dust.conversion._quote import Skipped
    from binance_dust.endpoints import AccountType
    from binance_dust.ledger import LedgerLine

__all__ = ["BaseReceipt", "Receipt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseReceipt:
    """What was done, as the exchange answered it. The ledger has the same."""

    account: str
    lines: tuple[LedgerLine, ...]
    """What was converted, sold or paid."""
    dropped: tuple[Skipped, ...] = ()
    """What was in the quote and was not done, and why."""
    entry_ids: tuple[int, ...] = ()
    """The ledger's entries, one for each call that was sent, also for refused calls."""
    at: datetime
    """When it was over, by the exchange's clock."""

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets that were converted, sold or paid."""
        return tuple(line.asset for line in self.lines)

    @property
    def complete(self) -> bool:
        """Whether everything in the quote was done."""
        return not self.dropped

    def __bool__(self) -> bool:
        return bool(self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt(BaseReceipt, LineTotals):
    """What a conversion did, with gross, fee and net of each asset."""

    account_type: AccountType
    target: str
    gathered: tuple[LedgerLine, ...] = ()
    """What was brought from the funding wallet before; no sum has it."""
    quoted_net: Decimal
    """What the quote expected for the assets that were converted."""
    notes: tuple[str, ...] = ()
    """What is odd in the exchange's answers, or differs from the quote."""

    @property
    def transaction_ids(self) -> tuple[int, ...]:
        """The exchange's ids, each once."""
        ids = (line.transaction_id for line in self.lines)
        return tuple(dict.fromkeys(number for number in ids if number is not None))

    @property
    def slippage(self) -> Decimal:
        """How much more was credited than the quote expected; negative if less."""
        return exact.total((self.net, self.quoted_net.copy_negate()))

    @property
    def _caption(self) -> str:
        return f"{self.account} ({self.account_type}) into {self.target}"

    def __str__(self) -> str:
        return _tables.as_text(
            f"{self._caption}, {self.at:%F %T} UTC",
            self._rows(),
            self._total(count(len(self.lines), "asset")),
            self.dropped,
            notes=(*self._first, *self.notes),
        )

    def _repr_html_(self) -> str:
        below: list[Skipped | str] = [*self.dropped, *self._first, *self.notes]
        return _tables.as_html(self._caption, self._rows(), self._total("all"), below)

    @property
    def _first(self) -> list[str]:
        return [
            f"first: {line.asset} {line.amount:f} came from the funding wallet"
            for line in self.gathered
        ]

    def _rows(self) -> list[tuple[_tables.Cell, ...]]:
        return [(line.asset, line.amount, line.gross, line.fee, line.net) for line in self.lines]

    def _total(self, label: str) -> tuple[_tables.Cell, ...]:
        return label, None, self.gross, self.fee, self.net
