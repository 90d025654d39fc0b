"""The pictures at the top of the page: where the dust is, and what came in over time."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Final

from binance_dust.reports._page._charts import bars, columns, months_between

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from binance_dust.reports._page._figures import Books, Desk

__all__ = ["pictures"]

_BARS: Final = 8
"""Bars of a chart; what is smaller stands in the table."""
_MONTHS: Final = 36


def pictures(desk: Desk, books: Books) -> str:
    """Draw what there is to draw, for each target."""
    drawn = "".join([*_of_dust(desk), *_of_time(books)])
    return f'<div class="charts">{drawn}</div>' if drawn else ""


def _of_dust(desk: Desk) -> Iterator[str]:
    for target in desk.by_target:
        assets = [(asset, sums.net) for (of, asset), sums in desk.by_asset.items() if of == target]
        yield _largest("Dust by asset, after fees", assets, target)
        accounts = [
            (each.name, each.dust.net)
            for each in desk.accounts
            if each.dust and each.dust.count and each.target == target
        ]
        yield _largest("Dust by account, after fees", accounts, target)


def _of_time(books: Books) -> Iterator[str]:
    for target in books.by_target:
        by_month = {month: sums.net for (of, month), sums in books.by_month.items() if of == target}
        named = months_between(min(by_month), max(by_month), most=_MONTHS)
        rows = [(month, by_month.get(month, Decimal(0))) for month in named]
        yield columns("What came in, after fees", rows, target)


def _largest(title: str, rows: Iterable[tuple[str, Decimal]], unit: str) -> str:
    ordered = sorted(rows, key=lambda row: row[1], reverse=True)
    note = "" if len(ordered) <= _BARS else f"the {_BARS} largest of {len(ordered):,}"
    return bars(title, list(islice(ordered, _BARS)), unit, note)
