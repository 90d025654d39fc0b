"""What came in, and what it cost: by month, by asset, by account, by target.

Amounts of different targets are never added up: what isn't of one kind has no sum. Nor are small
debts that were exchanged added to dust that was converted: nothing came in for them. Only what is
confirmed counts.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from binance_dust._util.exact import total
from binance_dust._util.plain import plain
from binance_dust.errors import ConfigurationError
from binance_dust.ledger._entry import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from binance_dust.ledger._entry import LedgerEntry, LedgerLine

__all__ = ["By", "Tally", "Total", "totals"]

By = Literal["month", "asset", "account", "target"]

_KEYS: Final[dict[str, Callable[[LedgerEntry, LedgerLine], str]]] = {
    "month": lambda entry, _: entry.at.astimezone(UTC).strftime("%Y-%m"),
    "asset": lambda _, line: line.asset,
    "account": lambda entry, _: entry.account,
    "target": lambda entry, _: entry.target,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """One sum, of one target."""

    key: str
    """The month (`2026-11`, in UTC), the asset, the account or the target."""
    target: str
    """What the amounts are of."""
    count: int
    """Conversions that are in it."""
    gross: Decimal
    fee: Decimal
    net: Decimal
    """What was credited: gross less fee."""
    sold: Decimal | None = None
    """How much of the asset went, where the sum is one asset's."""

    def to_plain(self) -> dict[str, Any]:
        """Give the sum as what JSON has: amounts are texts, exact."""
        return {field.name: plain(getattr(self, field.name)) for field in fields(self)}


class Tally:
    """Adds up entries as they come, whatever their number."""

    def __init__(self, by: By = "month", *, liabilities: bool = False) -> None:
        """Say by what, and whether of exchanged debts; else of converted dust."""
        if by not in get_args(By):
            raise ConfigurationError(f"by must be one of {', '.join(get_args(By))}, not {by!r}")
        self._by = by
        self._key = _KEYS[by]
        self._liabilities = liabilities
        self._sums: dict[tuple[str, str], Total] = {}

    def note(self, entry: LedgerEntry) -> None:
        """Add an entry, if it is one that counts."""
        if entry.status != "confirmed" or (entry.kind is Kind.LIABILITIES) != self._liabilities:
            return
        counted: set[tuple[str, str]] = set()
        for line in entry.lines:
            key = self._key(entry, line), entry.target
            self._sums[key] = self._with(key, line, first=key not in counted)
            counted.add(key)

    def totals(self) -> list[Total]:
        """Give the sums, in the order of their keys."""
        return [self._sums[key] for key in sorted(self._sums)]

    def _with(self, key: tuple[str, str], line: LedgerLine, *, first: bool) -> Total:
        zero = Decimal(0)
        sofar = self._sums.get(key) or Total(
            key=key[0], target=key[1], count=0, gross=zero, fee=zero, net=zero
        )
        gross, fee = total((sofar.gross, line.gross)), total((sofar.fee, line.fee))
        sold = total((sofar.sold or zero, line.amount)) if self._by == "asset" else None
        return Total(
            key=sofar.key,
            target=sofar.target,
            count=sofar.count + first,
            gross=gross,
            fee=fee,
            net=total((gross, fee.copy_negate())),
            sold=sold,
        )


def totals(
    entries: Iterable[LedgerEntry], by: By = "month", *, liabilities: bool = False
) -> list[Total]:
    """Add up entries."""
    tally = Tally(by, liabilities=liabilities)
    for entry in entries:
        tally.note(entry)
    return tally.totals()
