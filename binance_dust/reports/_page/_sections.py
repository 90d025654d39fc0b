"""The sections of the page, each made from the figures that it needs."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from binance_dust._util.html import escaped
from binance_dust._util.words import count
from binance_dust.ledger import Kind, SettledBy
from binance_dust.reports._page._rows import without
from binance_dust.reports._page._table import Column, Table, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from binance_dust._util.html import Cell
    from binance_dust.ledger import LedgerEntry
    from binance_dust.reports._page._figures import LedgerFigures, Money, ReportFigures
    from binance_dust.reports._page._rows import TableRows
    from binance_dust.reports._page._sorting import SortedRows

__all__ = ["Section", "sections"]

_OTHER_KINDS: Final[Mapping[Kind, str]] = {
    Kind.LIABILITIES: "small liabilities",
    Kind.TRANSFER: "transfer to spot",
    Kind.SALE: "sale by quote",
    Kind.REPAYMENT: "repayment",
}


class Section(NamedTuple):
    """One section: its name in links, its title, its first sentence, and its tables."""

    key: str
    title: str
    lead: str
    tables: tuple[Table, ...]


def sections(
    reports: ReportFigures, rows: TableRows, ledger: LedgerFigures, manual: str | None = None
) -> list[Section]:
    """Make the sections that have something to show; `manual` is where the pages of docs are."""
    made: list[tuple[object, Callable[[], Section]]] = [
        (rows.delistings.count, lambda: _delistings(reports, rows.delistings)),
        (reports.dust, lambda: _assets(reports)),
        (reports.accounts, lambda: _accounts(reports, rows.accounts)),
        (rows.debts.count, lambda: _liabilities(reports, rows.debts)),
        (rows.elsewhere.count, lambda: _elsewhere(rows.elsewhere)),
        (rows.stays.count, lambda: _stays(rows.stays)),
        (ledger.entries, lambda: _history(ledger)),
        (rows.failures.count, lambda: _failures(rows, manual)),
        (reports.dust, lambda: _balances(reports, rows.balances)),
    ]
    return [make() for found, make in made if found]


def _assets(reports: ReportFigures) -> Section:
    """Show the dust by asset, over all accounts."""
    by_asset = sorted(reports.by_asset.items(), key=lambda item: item[1].net, reverse=True)
    one = _only(reports.by_target)
    rows = [
        texts(asset, *_unit(target, one), sums.count, sums.amount, sums.gross, sums.fee, sums.net)
        for (target, asset), sums in by_asset
    ]
    table = Table(
        key="assets",
        caption=f"Dust by asset{_in(one)}",
        columns=(Column("asset"), *_unit_column(one), *_figures("accounts", "amount"), *_sums(one)),
        rows=iter(rows),
        count=len(rows),
        sorted_by="net",
        footer=_footer(reports.by_target, one, count(len(rows), "asset"), blank=2),
    )
    lead = "What converting each asset would bring over all accounts, as the exchange estimates it."
    return Section("assets", "Dust by asset", lead, (table,))


def _accounts(reports: ReportFigures, rows: SortedRows) -> Section:
    """Show what each account has."""
    one = _only(reports.targets)
    table = Table(
        key="accounts",
        caption=f"Dust by account{_in(one)}",
        columns=(
            Column("account"),
            *_unit_column(one),
            *_sums(one),
            *_figures("convertible", "assets held", "small debts"),
            Column("state"),
            Column("read at", time=True),
        ),
        rows=_with_unit(1, rows, one),
        count=rows.count,
        sorted_by="net",
        footer=_footer(reports.by_target, one, count(rows.count, "account"), blank=0, after=5),
    )
    return Section("accounts", "Dust by account", "", (table,))


def _balances(reports: ReportFigures, rows: SortedRows) -> Section:
    """Show each asset of each account."""
    one = _only(reports.by_target)
    table = Table(
        key="balances",
        caption=f"Every convertible balance{_in(one)}",
        columns=(*_named("account", "asset"), *_unit_column(one), *_figures("amount"), *_sums(one)),
        rows=_with_unit(2, rows, one),
        count=rows.count,
        sorted_by="net",
        footer=_footer(reports.by_target, one, count(rows.count, "balance"), blank=2),
    )
    return Section("balances", "Every balance", "", (table,))


def _liabilities(reports: ReportFigures, rows: SortedRows) -> Section:
    """Show the small debts."""
    one = _only(reports.owed)
    table = Table(
        key="debts",
        caption="Small liabilities that can be exchanged",
        columns=(
            *_named("account", "asset"),
            *_figures("principal", "interest"),
            Column("worth", figures=True, adds_up=one is not None),
            Column("counted in"),
        ),
        rows=iter(rows),
        count=rows.count,
        sorted_by="worth",
        footer=None
        if one is None
        else (count(rows.count, "debt"), "", "", "", reports.owed[one], one),
    )
    return Section("liabilities", "Small liabilities", "", (table,))


def _delistings(reports: ReportFigures, rows: SortedRows) -> Section:
    """Show what will be delisted, and until when it can be converted."""
    one = _only(reports.targets_of_last_chances)
    table = Table(
        key="delistings",
        caption=f"What is about to be delisted{_in(one)}",
        columns=(
            *_named("account", "asset", "wallet"),
            *_unit_column(one),
            *_figures("net"),
            Column("until", time=True),
            Column("what is known"),
        ),
        rows=_with_unit(3, rows, one),
        count=rows.count,
        sorted_by="until",
        descending=False,
    )
    lead = (
        "Taken from the exchange's schedules. No document says how long dust can be converted: it"
        " is taken to be until the pairs stop trading."
    )
    return Section("delistings", "Soon delisted", lead, (table,))


def _elsewhere(rows: SortedRows) -> Section:
    """Show what lies in other wallets than spot."""
    table = Table(
        key="elsewhere",
        caption="What lies in other wallets",
        columns=(*_named("account", "wallet", "asset"), *_figures("free", "total", "worth in BTC")),
        rows=iter(rows),
        count=rows.count,
        sorted_by="worth in BTC",
    )
    lead = "Only what lies in spot and margin can be converted: the rest has to be moved first."
    return Section("elsewhere", "In other wallets", lead, (table,))


def _stays(rows: SortedRows) -> Section:
    """Show what can't be converted now, and why."""
    table = Table(
        key="stays",
        caption="What stays, and why",
        columns=(*_named("account", "asset"), *_figures("amount"), *_named("because it is")),
        rows=iter(rows),
        count=rows.count,
        sorted_by="account",
        descending=False,
    )
    lead = (
        "What is held and can't be converted now. What is not on the exchange's list is too much"
        " for dust, too little, or not supported: <code>binance-dust quote</code> says which."
    )
    return Section("stays", "What stays", lead, (table,))


def _failures(rows: TableRows, manual: str | None) -> Section:
    """Show what could not be read, why, and what to do about it."""
    kinds = sorted(rows.kinds.items(), key=lambda item: -item[1][0])
    what_to_do = Table(
        key="advice",
        caption="What to do about each kind",
        columns=(*_named("kind"), *_figures("times"), *_named("what to do")),
        rows=(texts(kind, *rest) for kind, rest in kinds),
        count=len(kinds),
        sorted_by="times",
    )
    each = Table(
        key="failures",
        caption="Every failure",
        columns=tuple(_named("account", "part", "kind", "reason")),
        rows=iter(rows.failures),
        count=rows.failures.count,
        sorted_by="",
    )
    lead = "What could not be read is missing from every sum on this page."
    if manual is not None:
        link = escaped(f"{manual}how-to/handle-errors.md")
        lead += f' <a href="{link}">What each error means, and what to do about it</a>.'
    return Section("failures", "Failures", lead, (what_to_do, each))


def _history(ledger: LedgerFigures) -> Section:
    """Show what came in, by month and by call."""
    one = _only(ledger.by_target)
    months = Table(
        key="months",
        caption=f"What came in by month{_in(one)}",
        columns=(Column("month"), *_unit_column(one), *_figures("assets converted"), *_sums(one)),
        rows=(
            texts(month, *_unit(target, one), sums.count, sums.gross, sums.fee, sums.net)
            for (target, month), sums in sorted(
                ledger.by_month.items(), key=lambda item: item[0][1], reverse=True
            )
        ),
        count=len(ledger.by_month),
        sorted_by="month",
        footer=_footer(ledger.by_target, one, count(len(ledger.by_month), "month"), blank=1),
    )
    calls = Table(
        key="entries",
        caption="Every call that moved funds, or may have",
        columns=(
            Column("when", time=True),
            *_named("account", "what", "assets", "state"),
            *_figures("gross", "fee", "net"),
            *_named("in", "transaction"),
        ),
        rows=map(_call, ledger.entries),
        count=len(ledger.entries),
        sorted_by="when",
    )
    tables = (months, calls) if ledger.by_month else (calls,)
    return Section("history", "What came in", "", tables)


def _call(entry: LedgerEntry) -> list[str]:
    done = bool(entry.lines) and entry.kind not in (Kind.TRANSFER, Kind.REPAYMENT)
    return texts(
        entry.at,
        entry.account,
        _what(entry),
        ", ".join(entry.assets),
        _state(entry),
        *((entry.gross, entry.fee, entry.net) if done else (None,) * 3),
        entry.target,
        None if entry.transaction_id is None else str(entry.transaction_id),
    )


def _what(entry: LedgerEntry) -> str:
    if (other := _OTHER_KINDS.get(entry.kind)) is not None:
        return other
    return "dust" if entry.account_type == "SPOT" else f"dust, {entry.account_type.lower()}"


def _state(entry: LedgerEntry) -> str:
    """Say how a call ended, and how that is known if the exchange's answer did not say it."""
    known = "" if entry.settled_by in (None, SettledBy.ANSWER) else f", by {entry.settled_by}"
    return f"{entry.status}{known}{f': {entry.reason}' if entry.reason else ''}"


def _only(keys: Iterable[str]) -> str | None:
    """Give the key if there is only one: then figures add up, and the page names it once."""
    found = list(islice(keys, 2))
    return found[0] if len(found) == 1 else None


def _in(one: str | None) -> str:
    return f", in {one}" if one else ""


def _unit(target: str, one: str | None) -> tuple[str, ...]:
    return (target,) if one is None else ()


def _unit_column(one: str | None) -> tuple[Column, ...]:
    return (Column("in"),) if one is None else ()


def _named(*names: str) -> Iterator[Column]:
    return map(Column, names)


def _figures(*names: str) -> Iterator[Column]:
    return (Column(name, figures=True) for name in names)


def _with_unit(column: int, rows: SortedRows, one: str | None) -> Iterator[list[str]]:
    """Give rows that have their unit in this column, and leave it out if there is only one."""
    return iter(rows) if one is None else without(column, rows)


def _sums(one: str | None) -> tuple[Column, ...]:
    return tuple(replace(each, adds_up=one is not None) for each in _figures("gross", "fee", "net"))


def _footer(
    sums: Mapping[str, Money], one: str | None, first: str, *, blank: int, after: int = 0
) -> tuple[Cell, ...] | None:
    if one is None or one not in sums:
        return None
    all_of_it = sums[one]
    money = (all_of_it.gross, all_of_it.fee, all_of_it.net)
    return (first, *("",) * blank, *money, *("",) * after)
