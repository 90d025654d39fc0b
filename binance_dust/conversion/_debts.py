"""Which small debts are exchanged, and why the rest is not: values in, values out."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust import endpoints
from binance_dust._util import exact
from binance_dust.conversion import _show
from binance_dust.conversion._narrowing import Narrowing
from binance_dust.conversion._reasons import Reason, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from binance_dust.models import SmallLiability

__all__ = ["LiabilityLine", "LiabilityQuote", "changed_debts", "plan_debts", "target_of"]

_MOST_AT_ONCE: Final = endpoints.EXCHANGE_SMALL_LIABILITIES.most_names
_GROWTH: Final = Decimal("1.01")
"""Interest is added every hour; a debt that grew by more than this was added to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiabilityLine:
    """One small debt that can be exchanged now."""

    asset: str
    principal: Decimal
    interest: Decimal
    worth: Decimal
    """In the quote's target, as the exchange counts it."""

    @property
    def amount(self) -> Decimal:
        """What is owed: principal and interest."""
        return exact.total((self.principal, self.interest))


@dataclass(frozen=True, slots=True, kw_only=True)
class LiabilityQuote(Narrowing):
    """A plan: which small debts would become one debt. It does not reduce what is owed."""

    account: str
    target: str
    """What will be owed instead."""
    lines: tuple[LiabilityLine, ...]
    skipped: tuple[Skipped, ...] = ()
    """All else that is owed, and why it is not exchanged."""
    at: datetime
    """When it was read, by the exchange's clock."""
    expires_at: datetime
    """From when on it is too old to be carried out."""
    eligible_at: datetime | None = None
    """When the account may exchange, where that is later than now."""
    key_id: str | None = None
    """Tells the client that it is for, and nothing about its key."""

    @property
    def worth(self) -> Decimal:
        """What will be owed instead, in `target`."""
        return exact.total(line.worth for line in self.lines)

    def __str__(self) -> str:
        head = f"{self.account}: small debts into one of {self.target}, as of {self.at:%F %T} UTC"
        rows = [(line.asset, f"{line.amount:f}", f"{line.worth:f}") for line in self.lines]
        total = (f"{len(self.lines)} debts", "", f"{self.worth:f}")
        table = _show.table(("asset", "owed", self.target), rows, total)
        return "\n".join([head, *table, *(f"not: {skipped}" for skipped in self.skipped)])

    def _repr_html_(self) -> str:
        return _show.as_html(
            f"{self.account}: small debts into one of {self.target}",
            [(line.asset, line.amount, line.worth) for line in self.lines],
            ("all", None, self.worth),
            self.skipped,
            head=("asset", "owed", self.target),
        )


def target_of(listed: Sequence[SmallLiability]) -> str:
    """Say what small debts become: as the exchange lists them, or else what it was in 2026."""
    return listed[0].liability_asset if listed else "USDT"


def plan_debts(
    listed: Sequence[SmallLiability],
    owed: Mapping[str, Decimal],
    *,
    target: str,
    keep: frozenset[str],
    until: datetime | None,
) -> tuple[tuple[LiabilityLine, ...], tuple[Skipped, ...]]:
    """Divide what is owed into what is exchanged and what is not; the largest go first."""
    offers: dict[str, LiabilityLine] = {}
    for row in listed:
        # A list that names a debt twice has not twice as much of it.
        offers.setdefault(
            row.asset,
            LiabilityLine(
                asset=row.asset,
                principal=row.principal,
                interest=row.interest,
                worth=row.liability_qty,
            ),
        )
    lines: list[LiabilityLine] = []
    skipped: list[Skipped] = []
    for line in sorted(offers.values(), key=lambda each: each.worth, reverse=True):
        if line.asset in keep:
            skipped.append(_skipped(line, Reason.KEPT))
        elif until is not None:
            skipped.append(_skipped(line, Reason.COOLING_DOWN, until=until))
        elif len(lines) == _MOST_AT_ONCE:
            skipped.append(_skipped(line, Reason.TOO_MANY))
        else:
            lines.append(line)
    for asset, amount in sorted(owed.items()):
        if asset not in offers:
            skipped.append(_not_listed(asset, amount, target))
    return tuple(lines), tuple(skipped)


def _skipped(line: LiabilityLine, reason: Reason, *, until: datetime | None = None) -> Skipped:
    return Skipped(asset=line.asset, amount=line.amount, reason=reason, until=until)


def _not_listed(asset: str, amount: Decimal, target: str) -> Skipped:
    if asset == target:
        return Skipped(asset=asset, amount=amount, reason=Reason.TARGET)
    detail = "too large, or of an asset that is not exchanged"
    return Skipped(asset=asset, amount=amount, reason=Reason.UNSUPPORTED, detail=detail)


def changed_debts(
    lines: Iterable[LiabilityLine], owed: Mapping[str, Decimal]
) -> dict[str, Skipped]:
    """Find the debts that are not the quoted ones any more, but for the interest of an hour."""
    found: dict[str, Skipped] = {}
    for line in lines:
        now = owed.get(line.asset, Decimal(0))
        if not line.amount <= now <= exact.product(line.amount, _GROWTH):
            found[line.asset] = Skipped(
                asset=line.asset,
                amount=line.amount,
                reason=Reason.CHANGED,
                detail=f"{line.amount:f} then, {now:f} now",
            )
    return found
