"""What was received and what it cost: by month, asset, account, target or kind of call.

Amounts of different targets are never added up. Exchanged debts are never added to what was
converted, because nothing was received for them. Sales count as conversions. Transfers between
wallets of an account and repayments of debts are neither income nor cost, and never count. Only
confirmed entries count.

`chart` draws months as bars for a terminal:

    BNB, credited by month
    2026-09  ████████████████▌                0.01741756
    2026-10                                   0.00000000
    2026-11  ██████████████████████████████▍  0.03205112

Each target has its own scale: the bars compare months, not assets.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from binance_dust._util.exact import difference, product, ratio, total
from binance_dust._util.html import Record
from binance_dust._util.plain import plain
from binance_dust.errors import ConfigurationError
from binance_dust.ledger._entry import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from binance_dust.ledger._entry import LedgerEntry, LedgerLine

__all__ = ["By", "RunningTotals", "Series", "Total", "chart", "series", "totals"]

By = Literal["month", "asset", "account", "target", "kind"]

_KEYS: Final[dict[str, Callable[[LedgerEntry, LedgerLine], str]]] = {
    "month": lambda entry, _: entry.at.astimezone(UTC).strftime("%Y-%m"),
    "asset": lambda _, line: line.asset,
    "account": lambda entry, _: entry.owner,
    "target": lambda entry, _: entry.target,
    "kind": lambda entry, _: entry.kind.value,
}

_NARROWEST: Final = 40
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Total(Record):
    """One sum, in one target."""

    key: str
    """The month (`2026-11`, in UTC), the asset, the account, the target or the kind of call."""
    target: str
    """The asset of the amounts."""
    count: int
    """How many conversions it adds up."""
    gross: Decimal
    fee: Decimal
    net: Decimal
    """What was credited: gross less fee."""
    sold: Decimal | None = None
    """How much of the asset was sold, if the sum is of one asset."""

    def to_plain(self) -> dict[str, Any]:
        """Return the sum as JSON types; amounts are exact, as texts."""
        return {field.name: plain(getattr(self, field.name)) for field in fields(self)}


class RunningTotals:
    """Adds up entries one by one, in constant memory for each key."""

    def __init__(self, by: By = "month", *, liabilities: bool = False) -> None:
        """Choose the key; with `liabilities` count exchanged debts, else what was converted."""
        if by not in get_args(By):
            raise ConfigurationError(f"by must be one of {', '.join(get_args(By))}, not {by!r}")
        self.by: Final = by
        self.kinds: Final = [
            kind for kind in Kind if (kind is Kind.LIABILITIES if liabilities else kind.converts)
        ]
        """The kinds of calls that count."""
        self._key = _KEYS[by]
        self._sums: dict[tuple[str, str], Total] = {}

    def add(self, entry: LedgerEntry) -> None:
        """Add an entry, if it counts."""
        if entry.status != "confirmed" or entry.kind not in self.kinds:
            return
        counted: set[tuple[str, str]] = set()
        for line in entry.lines:
            key = self._key(entry, line), entry.target
            self.include(
                *key,
                count=key not in counted,
                gross=line.gross,
                fee=line.fee,
                sold=line.amount,
            )
            counted.add(key)

    def include(  # noqa: PLR0913 - the columns of a sum, by keyword
        self, key: str, target: str, *, count: int, gross: Decimal, fee: Decimal, sold: Decimal
    ) -> None:
        """Add what some lines of one key and target add up to."""
        sofar = self._sums.get((key, target)) or Total(
            key=key, target=target, count=0, gross=_ZERO, fee=_ZERO, net=_ZERO
        )
        gross, fee = total((sofar.gross, gross)), total((sofar.fee, fee))
        self._sums[key, target] = Total(
            key=key,
            target=target,
            count=sofar.count + count,
            gross=gross,
            fee=fee,
            net=difference(gross, fee),
            sold=total((sofar.sold or _ZERO, sold)) if self.by == "asset" else None,
        )

    def totals(self) -> list[Total]:
        """Return the sums, in order of their keys."""
        return [self._sums[key] for key in sorted(self._sums)]


def totals(
    entries: Iterable[LedgerEntry], by: By = "month", *, liabilities: bool = False
) -> list[Total]:
    """Add up entries."""
    running = RunningTotals(by, liabilities=liabilities)
    for entry in entries:
        running.add(entry)
    return running.totals()


@dataclass(frozen=True, slots=True)
class Series(Record):
    """What was received in one target: a total for every month from the first to the last."""

    target: str
    months: tuple[Total, ...]

    def to_plain(self) -> dict[str, Any]:
        """Return the numbers as JSON types; amounts are exact, as texts."""
        return {
            "target": self.target,
            "months": [
                {
                    "month": month.key,
                    "count": month.count,
                    "gross": f"{month.gross:f}",
                    "fee": f"{month.fee:f}",
                    "net": f"{month.net:f}",
                }
                for month in self.months
            ],
        }


def series(totals: Iterable[Total]) -> list[Series]:
    """Make one series for each target from totals by month; missing months become empty totals."""
    found: dict[str, dict[str, Total]] = {}
    for each in totals:
        found.setdefault(each.target, {})[each.key] = each
    return [
        Series(target, tuple(_every_month(target, months)))
        for target, months in sorted(found.items())
    ]


def chart(totals: Iterable[Total], *, width: int = 80, unicode: bool = True) -> str:
    """Draw totals by month as text, at most `width` columns wide; without `unicode`, in ASCII."""
    if width < _NARROWEST:
        raise ConfigurationError(f"width must be at least {_NARROWEST} columns, not {width}")
    drawn = [_drawn(one, width, unicode=unicode) for one in series(totals)]
    return "\n\n".join(drawn)


def _every_month(target: str, months: dict[str, Total]) -> Iterator[Total]:
    for month in _months(min(months), max(months)):
        empty = Total(key=month, target=target, count=0, gross=_ZERO, fee=_ZERO, net=_ZERO)
        yield months.get(month, empty)


def _months(first: str, last: str) -> Iterator[str]:
    year, month = int(first[:4]), int(first[5:])
    while (name := f"{year:04}-{month:02}") <= last:
        yield name
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)  # noqa: PLR2004 - a year


def _drawn(one: Series, width: int, *, unicode: bool) -> str:
    most = max(month.net for month in one.months)
    places = max(_places(month.net) for month in one.months)
    figures = [f"{month.net:.{places}f}" for month in one.months]
    room = width - len("2026-11  ") - 2 - max(map(len, figures))
    lines = [f"{one.target}, credited by month"]
    for month, figure in zip(one.months, figures, strict=True):
        bar = _bar(month.net, most, max(room, 1), unicode=unicode)
        lines.append(f"{month.key}  {bar.ljust(max(room, 1))}  {figure}".rstrip())
    return "\n".join(lines)


def _places(amount: Decimal) -> int:
    """Count the decimal places without trailing zeros, to align the numbers."""
    return len(f"{amount:f}".partition(".")[2].rstrip("0"))


def _bar(amount: Decimal, most: Decimal, room: int, *, unicode: bool) -> str:
    """Draw a bar; an amount above zero is always visible."""
    if amount <= 0 or most <= 0:
        return ""
    steps = 8 if unicode else 1
    length = max(int(ratio(product(amount, Decimal(room * steps)), most)), 1)
    if not unicode:
        return "#" * length
    whole, part = divmod(length, steps)
    return "█" * whole + (_EIGHTHS[part] if part else "")
