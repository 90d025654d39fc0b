"""What came in over time: as numbers without holes, and as bars for a terminal.

    BNB, credited by month
    2026-09  ████████████████▌                0.01741756
    2026-10                                   0.00000000
    2026-11  ██████████████████████████████▍  0.03205112

Every target has bars of its own: their lengths compare months, never different assets.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from binance_dust._util.exact import product, ratio
from binance_dust.errors import ConfigurationError
from binance_dust.ledger._totals import Total

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Series", "chart", "series"]

_NARROWEST: Final = 40
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Series:
    """What came in of one target, a total for every month from the first to the last."""

    target: str
    months: tuple[Total, ...]

    def to_plain(self) -> dict[str, Any]:
        """Give the numbers as what JSON has: amounts are texts, exact."""
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
    """Order totals by month into one series a target; months without anything are there, empty."""
    found: dict[str, dict[str, Total]] = {}
    for total in totals:
        found.setdefault(total.target, {})[total.key] = total
    return [
        Series(target, tuple(_without_holes(target, months)))
        for target, months in sorted(found.items())
    ]


def chart(totals: Iterable[Total], *, width: int = 80, unicode: bool = True) -> str:
    """Draw totals by month as text, no line wider than `width`; without `unicode`, in ASCII."""
    if width < _NARROWEST:
        raise ConfigurationError(f"width must be {_NARROWEST} columns at least, not {width}")
    drawn = [_drawn(one, width, unicode=unicode) for one in series(totals)]
    return "\n\n".join(drawn)


def _without_holes(target: str, months: dict[str, Total]) -> Iterator[Total]:
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
    """Count the places that say something, so that all figures stand below each other."""
    return len(f"{amount:f}".partition(".")[2].rstrip("0"))


def _bar(amount: Decimal, most: Decimal, room: int, *, unicode: bool) -> str:
    """Draw a length; what isn't nothing is seen."""
    if amount <= 0 or most <= 0:
        return ""
    steps = 8 if unicode else 1
    length = max(int(ratio(product(amount, Decimal(room * steps)), most)), 1)
    if not unicode:
        return "#" * length
    whole, part = divmod(length, steps)
    return "█" * whole + (_EIGHTHS[part] if part else "")
