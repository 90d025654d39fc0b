"""A receipt: what was converted, what it brought, and what was not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from binance_dust._util import exact
from binance_dust._util.words import count
from binance_dust.conversion import _show
from binance_dust.ledger._entry import LineTotals

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from binance_dust.conversion._reasons import Skipped
    from binance_dust.endpoints import AccountType
    from binance_dust.ledger import LedgerLine

__all__ = ["Receipt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt(LineTotals):
    """What a conversion did, as the exchange answered it. The ledger has the same."""

    account: str
    account_type: AccountType
    target: str
    lines: tuple[LedgerLine, ...]
    """What was converted, with gross, fee and net of each asset."""
    dropped: tuple[Skipped, ...] = ()
    """What was in the quote and was not converted, and why."""
    entry_ids: tuple[int, ...] = ()
    """The ledger's entries, one for each call that was sent, refused ones included."""
    quoted_net: Decimal
    """What the quote expected of the assets that were converted."""
    notes: tuple[str, ...] = ()
    """What is odd about the exchange's answers, or other than it was quoted, if anything is."""
    at: datetime
    """When it was over, by the exchange's clock."""

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets that were converted."""
        return tuple(line.asset for line in self.lines)

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
    def complete(self) -> bool:
        """Whether everything in the quote was converted."""
        return not self.dropped

    def __bool__(self) -> bool:
        return bool(self.lines)

    def __str__(self) -> str:
        head = f"{self.account} ({self.account_type}) into {self.target}, {self.at:%F %T} UTC"
        rows = [tuple(map(_show.text, row)) for row in self._rows()]
        total = tuple(map(_show.text, self._total(count(len(self.lines), "asset"))))
        table = _show.table(("asset", "amount", "gross", "fee", "net"), rows, total)
        dropped = (f"not: {skipped}" for skipped in self.dropped)
        return "\n".join([head, *table, *dropped, *self.notes])

    def _repr_html_(self) -> str:
        caption = f"{self.account} ({self.account_type}) into {self.target}"
        below: list[Skipped | str] = [*self.dropped, *self.notes]
        return _show.as_html(caption, self._rows(), self._total("all"), below)

    def _rows(self) -> list[tuple[_show.Cell, ...]]:
        return [(line.asset, line.amount, line.gross, line.fee, line.net) for line in self.lines]

    def _total(self, label: str) -> tuple[_show.Cell, ...]:
        return label, None, self.gross, self.fee, self.net
