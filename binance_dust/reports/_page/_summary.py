"""The top of the page: its most important figures, each with all its digits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from binance_dust._util.html import escaped, figure
from binance_dust._util.words import count

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from binance_dust.reports._page._figures import Books, Desk, Money

__all__ = ["summary"]

_HEAD: Final = re.compile(r"-?[\d,]+\.(?:(?<=^0\.)0{2,}\d\d|\d{4})")
"""What is set large of a figure: four places, or of a small one its first two digits."""


def summary(desk: Desk, books: Books) -> str:
    """Give the tiles as a list of terms."""
    return f'<dl class="tiles">{"".join(_tiles(desk, books))}</dl>'


def _tiles(desk: Desk, books: Books) -> Iterator[str]:
    for target, sums in desk.by_target.items():
        yield _tile("Dust would bring", _amount(sums.net, target), _cost(sums, target))
    if desk.accounts and not desk.by_target:
        yield _tile("Dust would bring", "nothing", "no account has dust to convert")
    for asset, worth in desk.owed.items():
        owing = sum(each.debts > 0 for each in desk.accounts)
        words = f"{count(len(desk.debts), 'debt')} in {count(owing, 'account')}"
        yield _tile("Small debts", _amount(worth, asset), words)
    if desk.accounts:
        whole = sum(not each.failed for each in desk.accounts)
        words = "all read whole" if whole == len(desk.accounts) else f"{whole:,} read whole"
        yield _tile("Accounts", f"{len(desk.accounts):,}", words)
    if desk.failures:
        among = count(len(desk.accounts) - whole, "account")
        words = f'in {among}; <a href="#failures">why, and what to do</a>'
        yield _tile("Failures", f"{len(desk.failures):,}", words, alarm=True)
    for target, sums in books.by_target.items():
        words = f"{count(sums.count, 'asset')} converted, {_fees(sums)}"
        yield _tile("Came in so far", _amount(sums.net, target), words)
    if books.open:
        words = 'calls to settle; <a href="#history">which ones</a>'
        yield _tile("Outcomes open", f"{books.open:,}", words, alarm=True)


def _tile(term: str, value: str, words: str, *, alarm: bool = False) -> str:
    kind = ' class="alarm"' if alarm else ""
    return f'<div{kind}><dt>{term}</dt><dd class="value">{value}</dd><dd>{words}</dd></div>'


def _amount(value: Decimal, unit: str) -> str:
    text = figure(value)
    head = _HEAD.match(text)
    cut = head.end() if head else len(text)
    return f'{text[:cut]}<small>{text[cut:]}</small> <span class="unit">{escaped(unit)}</span>'


def _cost(sums: Money, target: str) -> str:
    gross = figure(sums.gross)
    return f"of {gross} {escaped(target)}, {_fees(sums)}"


def _fees(sums: Money) -> str:
    rate = f" ({_rate(sums)})" if sums.gross > 0 else ""
    return f"less {figure(sums.fee)} in fees{rate}"


def _rate(sums: Money) -> str:
    """Say about how much of it the fee is; the figures beside it are the exact ones."""
    return f"{int((sums.fee * 20_000 // sums.gross + 1) // 2) / 100:.2f}\u00a0%"
