"""The top of the page: its main figures, where the dust is, and what came in over time.

Charts are SVG, a few lines each. Their words are text of the page, so that everybody can read them.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from binance_dust._util.html import PLACES, escaped, figure
from binance_dust._util.words import count
from binance_dust.reports._page._figures import BARS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from binance_dust.reports._page._figures import LedgerFigures, Money, ReportFigures
    from binance_dust.reports._price import TargetPrice

__all__ = ["months_between", "overview"]

_HEAD: Final = re.compile(r"-?[\d,]+\.(?:(?<=^0\.)0{2,}\d\d|\d{4})")
"""The part of a figure that is set large: four places, or the first two digits of a small one."""
_MONTHS: Final = 36
_HEIGHT: Final = 300
_PLOT: Final = 270
"""The part of the height that columns may fill; the months are below it."""
_LABELS: Final = 5
"""The most months that are named under the columns."""
_EDGE: Final = 92
"""From this percentage of the width on, the name of a month ends where its column ends."""


def overview(
    reports: ReportFigures, ledger: LedgerFigures, price: TargetPrice | None = None
) -> str:
    """Give the main figures as a list of terms, and a chart for each target."""
    tiles = "".join(_tiles(reports, ledger, price))
    charts = "".join([*_charts_of_dust(reports), *_charts_of_income(ledger)])
    drawn = f'<div class="charts">{charts}</div>' if charts else ""
    return f'<dl class="tiles">{tiles}</dl>{drawn}'


# --- main figures ---------------------------------------------------------------------------------


def _tiles(
    reports: ReportFigures, ledger: LedgerFigures, price: TargetPrice | None
) -> Iterator[str]:
    for target, sums in reports.by_target.items():
        yield _tile("Dust would bring", _amount(sums.net, target), _cost(sums, target))
        if price is not None and price.of == target:
            yield _worth(sums, price)
    if reports.accounts and not reports.by_target:
        yield _tile("Dust would bring", "nothing", "no account has dust to convert")
    for asset, worth in reports.owed.items():
        words = f"{count(reports.debts, 'debt')} in {count(reports.owing, 'account')}"
        yield _tile("Small debts", _amount(worth, asset), words)
    if reports.accounts:
        words = (
            "all read completely"
            if reports.complete == reports.accounts
            else f"{reports.complete:,} read completely"
        )
        yield _tile("Accounts", f"{reports.accounts:,}", words)
    if reports.failures:
        among = count(reports.accounts - reports.complete, "account")
        words = f'in {among}; <a href="#failures">why, and what to do</a>'
        yield _tile("Failures", f"{reports.failures:,}", words, alarm=True)
    if reports.ending:
        holders = count(reports.ending_accounts, "account")
        words = f'in {holders}; <a href="#delistings">until when to convert</a>'
        yield _tile("Soon delisted", count(reports.ending, "balance"), words, alarm=True)
    for target, sums in ledger.by_target.items():
        words = f"{count(sums.count, 'asset')} converted, {_fees(sums)}"
        yield _tile("Came in so far", _amount(sums.net, target), words)
    if ledger.open:
        words = 'calls to settle; <a href="#history">which ones</a>'
        yield _tile("Outcomes open", f"{ledger.open:,}", words, alarm=True)


def _worth(sums: Money, price: TargetPrice) -> str:
    if price.value is None:
        return _tile(f"Worth in {escaped(price.unit)}", "not known", escaped(price.source))
    of, unit = escaped(price.of), escaped(price.unit)
    words = f"at {figure(price.value)} {unit} for 1 {of}: {escaped(price.source)}"
    return _tile("That is worth", _amount(sums.net * price.value, price.unit), words)


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
    """Give the fee as a rounded percentage; the exact figures are beside it."""
    return f"{int((sums.fee * 20_000 // sums.gross + 1) // 2) / 100:.2f}\u00a0%"


# --- charts ---------------------------------------------------------------------------------------


def _charts_of_dust(reports: ReportFigures) -> Iterator[str]:
    for target in reports.by_target:
        assets = [
            (asset, sums.net) for (of, asset), sums in reports.by_asset.items() if of == target
        ]
        assets.sort(key=lambda row: row[1], reverse=True)
        yield _largest("Dust by asset, after fees", assets[:BARS], len(assets), target)
        accounts = reports.largest[target]
        yield _largest("Dust by account, after fees", accounts.rows, accounts.count, target)


def _charts_of_income(ledger: LedgerFigures) -> Iterator[str]:
    for target in ledger.by_target:
        by_month = {
            month: sums.net for (of, month), sums in ledger.by_month.items() if of == target
        }
        named = months_between(min(by_month), max(by_month), most=_MONTHS)
        rows = [(month, by_month.get(month, Decimal(0))) for month in named]
        yield _columns("What came in, after fees", rows, target)


def _largest(title: str, rows: Sequence[tuple[str, Decimal]], of: int, unit: str) -> str:
    note = "" if of <= BARS else f"the {BARS} largest of {of:,}"
    return _bars(title, rows, unit, note)


def _bars(title: str, rows: Sequence[tuple[str, Decimal]], unit: str, note: str = "") -> str:
    """Draw a list with a name, a figure and a bar in each row."""
    most = max((value for _, value in rows), default=Decimal(0))
    items = "".join(
        f'<li><span class="name" title="{escaped(name)}">{escaped(name)}</span>'
        f'<span class="value">{figure(value, places=PLACES)}</span>'
        '<svg class="bar" aria-hidden="true" focusable="false" width="100%" height="8">'
        f'<rect class="track" width="100%" height="8" rx="2"/>'
        f'<rect class="fill" width="{_percent(value, most)}%" height="8" rx="2"/></svg></li>'
        for name, value in rows
    )
    return _figure(title, unit, note, f'<ol class="bars">{items}</ol>')


def _columns(title: str, rows: Sequence[tuple[str, Decimal]], unit: str) -> str:
    """Draw a column for each month, in order of time."""
    most = max((value for _, value in rows), default=Decimal(0))
    step = 100 / max(len(rows), 1)
    every = -(-len(rows) // _LABELS)
    drawn: list[str] = []
    for index, (month, value) in enumerate(rows):
        height = _percent(value, most) / 100 * _PLOT
        wide = min(step * 0.72, 12)
        left = index * step + (step - wide) / 2
        text = f"{month}: {figure(value, places=PLACES)} {unit}"
        drawn.append(
            f'<rect class="fill" x="{left:.3f}%" y="{_PLOT - height:.2f}" width="{wide:.3f}%"'
            f' height="{height:.2f}" rx="2"><title>{escaped(text)}</title></rect>'
        )
        if (len(rows) - 1 - index) % every == 0:
            at, kind = (
                (left + wide, ' class="last"') if left + wide > _EDGE else (left + wide / 2, "")
            )
            drawn.append(f'<text{kind} x="{at:.3f}%" y="{_PLOT + 20}">{month}</text>')
    last, highest = rows[-1], max(rows, key=lambda row: row[1])
    words = (
        f"{title}: {len(rows)} months to {last[0]}; the most in {highest[0]},"
        f" {figure(highest[1], places=PLACES)} {unit}. The table has every figure."
    )
    svg = (
        f'<svg class="columns" role="img" aria-label="{escaped(words)}" width="100%"'
        f' height="{_HEIGHT}"><line class="rule" x1="0" x2="100%" y1="{_PLOT}" y2="{_PLOT}"/>'
        f"{''.join(drawn)}</svg>"
    )
    note = f"the most in {highest[0]}: {figure(highest[1], places=PLACES)}"
    return _figure(title, unit, note, svg)


def months_between(first: str, last: str, *, most: int) -> list[str]:
    """Name every month from the first to the last, but only the latest `most`."""
    year, month = (int(part) for part in last.split("-"))
    named: list[str] = []
    while len(named) < most and (name := f"{year:04}-{month:02}") >= first:
        named.append(name)
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return named[::-1]


def _figure(title: str, unit: str, note: str, drawing: str) -> str:
    words = ", ".join(filter(None, [unit, note]))
    caption = f'{escaped(title)} <span class="unit">{escaped(words)}</span>'
    return f"<figure><figcaption>{caption}</figcaption>{drawing}</figure>"


def _percent(value: Decimal, most: Decimal) -> float:
    """Give a length for a drawing; only here a figure may be cut."""
    if most <= 0 or value <= 0:
        return 0.0
    return int(value * 10_000 // most) / 100
