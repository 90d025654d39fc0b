"""Rows for analysts: what was read and what was done, flat and exact, for any data frame.

    frame = pandas.DataFrame(rows([entry async for entry in ledger.entries()]))

A row is a plain dict. Amounts are `Decimal`, times are aware `datetime`s, ids are `int`, all other
values are texts, truth values or `None`. All rows of one call have the same columns, also where one
has nothing to say. `bars` draws what a column adds up to, by asset or by month.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from binance_dust._util import html
from binance_dust._util.exact import total
from binance_dust._util.html import field_names
from binance_dust.budget import BudgetSnapshot
from binance_dust.conversion import LiabilityQuote, Quote, Receipt, Skipped
from binance_dust.errors import ConfigurationError
from binance_dust.ledger import LedgerEntry, Series
from binance_dust.models import Estimates
from binance_dust.reports import AccountReport
from binance_dust.reports._lines import report_rows
from binance_dust.sweeper import SweepReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Bars", "Rows", "bars", "rows"]

_CELLS: Final = (str, int, Decimal, datetime)
_REPORT: Final = ("amount", "unavailable", "gross", "fee", "net", "unit", "error")
_MONTH: Final = "month"


class Rows(list[dict[str, Any]]):
    """Rows with the same columns. It is a list of dicts, and a notebook shows it as a table."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns; empty if there is no row."""
        return tuple(self[0]) if self else ()

    def _repr_html_(self) -> str:
        shown = ([_shown(value) for value in row.values()] for row in self)
        return html.table(f"{len(self):,} rows", self.columns, shown)


def rows(x: object) -> Rows:
    """Make rows of one thing, or of many of one kind.

    Assets and other answers of the exchange, reports of scans and sweeps, quotes, receipts,
    entries, totals, snapshots, estimates. A quote has a row for each line, and one for each asset
    that stays, with the reason. A report has a row for each asset of each part of it. An entry
    has a row for each asset that was converted; if none was, for each that was asked for.
    """
    several: Iterable[object] = x if isinstance(x, Iterable) else [x]
    made = Rows(row for each in several for row in _rows(each))
    columns = dict.fromkeys(name for row in made for name in row)
    for row in made:
        if row.keys() != columns.keys():
            raise ConfigurationError(
                f"rows of several kinds can't be one table: {', '.join(row)} and "
                f"{', '.join(columns.keys() - row.keys())}"
            )
    return made


def _rows(x: object) -> Iterator[dict[str, Any]]:
    for kind, make in _KINDS.items():
        if isinstance(x, kind):
            yield from make(x)
            return
    if isinstance(x, type) or not field_names(x):
        raise TypeError(f"rows() has no rows for {type(x).__name__}")
    yield _flat(x)


def _flat(x: Any) -> dict[str, Any]:
    """Give the fields of a record. What is no cell, a list of parts say, is counted."""
    return {name: _cell(getattr(x, name)) for name in field_names(x)}


def _cell(value: object) -> object:
    if isinstance(value, enum.Enum):
        return str(value.value)
    if value is None or isinstance(value, (*_CELLS, float)):
        return value
    if isinstance(value, tuple | list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return len(value) if hasattr(value, "__len__") else str(value)


def _report(report: AccountReport) -> Iterator[dict[str, Any]]:
    for row in report_rows(report):
        yield {
            "account": report.account,
            "at": report.at,
            "part": row["part"],
            "asset": row.get("asset"),
            **{name: row.get(name) for name in _REPORT},
        }


def _quote(quote: Quote | LiabilityQuote) -> Iterator[dict[str, Any]]:
    figures = ("gross", "fee", "net") if isinstance(quote, Quote) else ("worth",)
    return _lines(quote, figures, quote.skipped)


def _receipt(receipt: Receipt) -> Iterator[dict[str, Any]]:
    return _lines(receipt, ("gross", "fee", "net", "transaction_id"), receipt.dropped)


def _lines(
    x: Quote | LiabilityQuote | Receipt, names: tuple[str, ...], rest: tuple[Skipped, ...]
) -> Iterator[dict[str, Any]]:
    common = {
        "account": x.account,
        "account_type": getattr(x, "account_type", "MARGIN"),
        "target": x.target,
        "at": x.at,
    }
    for each in (*x.lines, *rest):
        about = {"asset": each.asset, "amount": each.amount}
        figures = {name: getattr(each, name, None) for name in names}
        why: dict[str, Any] = {"reason": None, "detail": None, "until": None}
        if isinstance(each, Skipped):
            why = {"reason": str(each.reason), "detail": each.detail, "until": each.until}
        yield common | about | figures | why


def _entry(entry: LedgerEntry) -> Iterator[dict[str, Any]]:
    common = {
        "entry": entry.id,
        "account": entry.account,
        "owner": entry.owner,
        "kind": str(entry.kind),
        "account_type": str(entry.account_type),
        "target": entry.target,
        "status": entry.status,
        "settled_by": None if entry.settled_by is None else str(entry.settled_by),
        "reason": entry.reason,
    }
    for line in entry.lines:
        number = entry.transaction_id if line.transaction_id is None else line.transaction_id
        yield {
            **common,
            "at": line.at,
            "transaction_id": number,
            "asset": line.asset,
            "amount": line.amount,
            "gross": line.gross,
            "fee": line.fee,
            "net": line.net,
        }
    if not entry.lines:
        nothing = dict.fromkeys(("amount", "gross", "fee", "net"))
        for asset in entry.assets:
            number = entry.transaction_id
            yield {**common, "at": entry.at, "transaction_id": number, "asset": asset, **nothing}


def _turn(turn: SweepReport) -> Iterator[dict[str, Any]]:
    done = turn.receipt or turn.quote
    yield {
        "account": turn.account,
        "what": turn.what,
        "account_type": str(turn.account_type),
        "target": turn.target,
        "outcome": str(turn.outcome),
        "at": turn.at,
        "next_at": turn.next_at,
        "assets": len(done.assets) if done else 0,
        **{name: getattr(done, name, None) for name in ("gross", "fee", "net")},
        "why": turn.why,
    }


_KINDS: Final[dict[type, Callable[[Any], Iterable[dict[str, Any]]]]] = {
    AccountReport: _report,
    Quote: _quote,
    LiabilityQuote: _quote,
    Receipt: _receipt,
    LedgerEntry: _entry,
    SweepReport: _turn,
    Series: lambda x: map(_flat, x.months),
    BudgetSnapshot: lambda x: map(_flat, x.pools),
    Estimates: lambda x: (_flat(row) | _estimate(row) for row in x.details),
}


def _estimate(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("amount", "gross", "fee", "net")}


# --- bars ----------------------------------------------------------------------------------------


class Bars:
    """Bars of what a column adds up to. A notebook draws it; `sums` has the exact figures."""

    def __init__(self, title: str, sums: Mapping[str, Decimal]) -> None:
        """Take the sums, in the order of the bars."""
        self.title = title
        self.sums = dict(sums)

    def __repr__(self) -> str:
        return f"<Bars {self.title}: {len(self.sums)} bars>"

    def _repr_html_(self) -> str:
        most = max(self.sums.values(), default=Decimal(0))
        drawn = "".join(_bar(name, value, most) for name, value in self.sums.items())
        return (
            f'<figure style="margin:0"><figcaption style="font-weight:600">'
            f"{html.escaped(self.title)}</figcaption>"
            f'<table style="font-variant-numeric:tabular-nums">{drawn}</table></figure>'
        )


def bars(x: Iterable[Mapping[str, Any]], *, by: str = "asset", of: str = "net") -> Bars:
    """Add up a column of rows, and draw a bar for each value of another.

    `by="month"` is the month of `at`, in UTC, in order of time; all else goes from the largest sum
    to the smallest. Rows without a figure count nothing. Amounts of several targets are never added
    up: choose the rows of one.
    """
    units: set[str] = set()
    sums: dict[str, list[Decimal]] = {}
    for row in x:
        if (by != _MONTH and by not in row) or of not in row:
            raise ConfigurationError(f"these rows have no {of if by in row else by}")
        if (value := row[of]) is None:
            continue
        units.add(str(row.get("target") or row.get("unit") or ""))
        name = row["at"].astimezone(UTC).strftime("%Y-%m") if by == _MONTH else str(row[by])
        sums.setdefault(name, []).append(value)
    if len(units) > 1:
        raise ConfigurationError(f"these are amounts of {', '.join(sorted(units))}: choose one")
    added = {name: total(values) for name, values in sums.items()}
    by_size = sorted(added.items(), key=lambda item: item[1], reverse=True)
    ordered = sorted(added.items()) if by == _MONTH else by_size
    unit = "".join(f", in {each}" for each in units if each)
    return Bars(f"{of} by {by}{unit}", dict(ordered))


def _bar(name: str, value: Decimal, most: Decimal) -> str:
    # Only the drawing may cut a figure.
    length = float(value / most * 100) if most > 0 and value > 0 else 0.0
    return (
        f'<tr><th style="text-align:left">{html.escaped(name)}</th>'
        f'<td style="text-align:right">{html.figure(value, places=html.PLACES)}</td>'
        '<td style="width:20em;text-align:left"><svg width="100%" height="10" aria-hidden="true">'
        f'<rect width="{length:.2f}%" height="10" rx="2" fill="#b7791f"/></svg></td></tr>'
    )


def _shown(value: object) -> Any:
    return str(value) if isinstance(value, bool | float) else value
