"""Totals are exact and never mix targets; series and charts of them."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import count, product
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust import ConfigurationError, Ledger
from binance_dust._util.exact import total_of_texts
from binance_dust.ledger import Kind, LedgerEntry, _sums
from binance_dust.ledger._totals import By, Total, chart, series, totals
from tests.ledger.makers import (
    HOUR,
    NOW,
    converted,
    entry_maker,
    intent,
    line,
    numbered,
    refused,
    seen,
)

ADA = ("ADA", "6.21", "0.01777302", "0.00035546")
XRP = ("XRP", "1.5", "0.00349999", "0.00006999")
SEPTEMBER = datetime(2026, 9, 30, 23, 59, 59, tzinfo=UTC)


def test_totals_by_month_asset_account_and_target() -> None:
    make = entry_maker()
    entries = [
        make(SEPTEMBER, ADA, XRP),
        make(NOW, ADA),
        make(NOW, ("ADA", "1", "0.4512", "0.009"), target="USDT", kind=Kind.DUST_CONVERT),
        make(NOW, XRP, account="bob"),
    ]

    def shown(by: By) -> list[tuple[str, str, int, str]]:
        return [(t.key, t.target, t.count, f"{t.net:f}") for t in totals(entries, by)]

    assert shown("month") == [
        ("2026-09", "BNB", 1, "0.02084756"),
        ("2026-11", "BNB", 2, "0.02084756"),
        ("2026-11", "USDT", 1, "0.4422"),
    ]
    assert shown("asset") == [
        ("ADA", "BNB", 2, "0.03483512"),
        ("ADA", "USDT", 1, "0.4422"),
        ("XRP", "BNB", 2, "0.00686000"),
    ]
    assert shown("account") == [
        ("alice", "BNB", 2, "0.03826512"),
        ("alice", "USDT", 1, "0.4422"),
        ("bob", "BNB", 1, "0.00343000"),
    ]
    assert shown("target") == [("BNB", "BNB", 3, "0.04169512"), ("USDT", "USDT", 1, "0.4422")]
    assert [t.sold for t in totals(entries, "asset")] == [
        Decimal("12.42"),
        Decimal(1),
        Decimal("3.0"),
    ]


def test_a_total_as_plain_values() -> None:
    make = entry_maker()

    assert totals([make(NOW, ADA)], "asset")[0].to_plain() == {
        "key": "ADA",
        "target": "BNB",
        "count": 1,
        "gross": "0.01777302",
        "fee": "0.00035546",
        "net": "0.01741756",
        "sold": "6.21",
    }


def test_only_what_is_confirmed_counts_and_debts_are_counted_apart() -> None:
    make = entry_maker()
    debt = ("ETH", "0.00083434", "1.8576", "0")
    entries = [
        make(NOW, ADA, status="unknown"),
        make(NOW, code=-5006),
        make(NOW, debt, kind=Kind.LIABILITIES, target="USDT", account_type="MARGIN"),
    ]

    (total,) = totals(entries, "month", liabilities=True)

    assert totals(entries, "month") == []
    assert (total.target, total.gross, total.count) == ("USDT", Decimal("1.8576"), 1)


def test_a_month_is_a_month_in_utc() -> None:
    make = entry_maker()
    east = datetime.fromisoformat("2026-12-01T05:00:00+09:00")

    assert [t.key for t in totals([make(east, ADA)])] == ["2026-11"]


amounts = st.decimals(
    min_value=0, max_value=Decimal("1e30"), places=18, allow_nan=False, allow_infinity=False
)


@given(rows=st.lists(st.tuples(st.sampled_from("ABC"), amounts, amounts), min_size=1, max_size=9))
def test_not_a_digit_is_lost(rows: list[tuple[str, Decimal, Decimal]]) -> None:
    make = entry_maker()
    entries = [make(NOW, (asset, "1", f"{gross:f}", f"{fee:f}")) for asset, gross, fee in rows]

    by_target = totals(entries, "target")
    by_asset = totals(entries, "asset")

    expected = sum(Fraction(gross) - Fraction(fee) for _, gross, fee in rows)
    assert Fraction(by_target[0].net) == expected
    assert sum(Fraction(total.net) for total in by_asset) == expected


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="month, asset, account, target"):
        totals([], "weekday")  # type: ignore[arg-type]


def month(key: str, net: str, target: str = "BNB") -> Total:
    return Total(
        key=key, target=target, count=1, gross=Decimal(net), fee=Decimal(0), net=Decimal(net)
    )


def test_a_series_has_every_month_from_the_first_to_the_last() -> None:
    (one,) = series([month("2025-11", "1"), month("2026-02", "2")])

    assert [(m.key, m.count) for m in one.months] == [
        ("2025-11", 1),
        ("2025-12", 0),
        ("2026-01", 0),
        ("2026-02", 1),
    ]
    assert one.to_plain()["months"][0] == {
        "month": "2025-11",
        "count": 1,
        "gross": "1",
        "fee": "0",
        "net": "1",
    }


def test_the_chart_of_two_targets() -> None:
    drawn = chart(
        [month("2026-09", "0.5"), month("2026-11", "1.00"), month("2026-11", "7", "USDT")],
        width=40,
    )

    assert drawn.splitlines() == [
        "BNB, credited by month",
        "2026-09  █████████████               0.5",
        "2026-10                              0.0",
        "2026-11  ██████████████████████████  1.0",
        "",
        "USDT, credited by month",
        "2026-11  ████████████████████████████  7",
    ]


def test_without_unicode_the_chart_is_ascii() -> None:
    drawn = chart([month("2026-10", "0.0001"), month("2026-11", "1")], width=50, unicode=False)

    assert drawn.isascii()
    # An amount above zero is visible.
    assert drawn.splitlines()[1].count("#") == 1


@given(
    nets=st.lists(st.decimals("0", "1e9", places=8), min_size=1, max_size=30),
    width=st.integers(40, 200),
)
def test_no_line_is_wider_than_the_terminal(nets: list[Decimal], width: int) -> None:
    start = datetime(2024, 1, 15, tzinfo=UTC)
    months = [(start + timedelta(days=31 * n)).strftime("%Y-%m") for n in range(len(nets))]

    drawn = chart(
        [month(key, f"{net:f}") for key, net in zip(months, nets, strict=True)], width=width
    )

    assert max(map(len, drawn.splitlines())) <= width


def test_without_totals_the_chart_is_empty() -> None:
    assert chart([]) == ""
    with pytest.raises(ConfigurationError, match="40 columns"):
        chart([], width=10)


async def test_totals_and_chart_of_a_ledger(ledger: Ledger) -> None:
    await converted(ledger, timedelta(0), 1)
    await converted(ledger, timedelta(days=40), 2, "bob")
    await refused(ledger, timedelta(days=41))

    months = await ledger.totals("month")
    of_bob = await ledger.totals("account", account="bob")
    early = await ledger.totals("target", until=NOW + HOUR)

    assert [(total.key, total.net) for total in months] == [
        ("2026-11", Decimal("0.01741756")),
        ("2026-12", Decimal("0.01741756")),
    ]
    assert [(total.key, total.count) for total in of_bob] == [("bob", 1)]
    assert [(total.key, total.count) for total in early] == [("BNB", 1)]
    assert chart(months).splitlines()[0] == "BNB, credited by month"
    with pytest.raises(ConfigurationError):
        await ledger.totals("week")  # type: ignore[arg-type]


async def write_mixed_books(ledger: Ledger) -> list[LedgerEntry]:
    """Write entries of every kind, wallet, account, status and target, some with many lines."""
    numbers = count(1)
    for kind, account, day in product(Kind, ("alice", "bob"), range(0, 70, 14)):
        at, number = NOW + timedelta(days=day, minutes=next(numbers)), next(numbers)
        target = "BNB" if kind is Kind.DUST else f"T{day % 3}"
        lines = [
            line(asset, gross=Decimal(number) / 7, fee=Decimal(f"{place}e-12"), at=at)
            for place, asset in enumerate(("ADA", "币安人生", "ADA"))
        ]
        lines = [replace(each, transaction_id=number) for each in lines[: number % 3 + 1]]
        done = seen(*lines, account=account, kind=kind, target=target, at=at)
        done = replace(done, transaction_id=number, account_type="MARGIN" if day == 14 else "SPOT")
        await ledger.record([done], now=at)
    await refused(ledger, timedelta(days=80))
    await ledger.intend(intent(account="bob"), length=HOUR)
    return [entry async for entry in ledger.entries()]


@pytest.mark.parametrize(("size", "sparse"), [(7, 8), (7, 0), (20_000, 8)])
async def test_sums_by_sql_are_those_of_the_entries(
    ledger: Ledger, size: int, sparse: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sums, "_ENTRIES", size)
    monkeypatch.setattr(_sums, "_SPARSE", sparse)
    entries = await write_mixed_books(ledger)

    for by, liabilities in product(get_args(By), (False, True)):
        expected = totals(entries, by, liabilities=liabilities)
        assert await ledger.totals(by, liabilities=liabilities) == expected
        assert expected

    since, until = NOW + timedelta(days=14), NOW + timedelta(days=56)
    some = [entry for entry in entries if entry.owner == "bob" and since <= entry.at < until]
    for by in get_args(By):
        found = await ledger.totals(by, account="bob", since=since, until=until)
        assert found == totals(some, by)


@given(added=st.lists(amounts | amounts.map(lambda amount: -amount), min_size=1, max_size=9))
def test_texts_are_added_up_without_losing_a_digit(added: list[Decimal]) -> None:
    found = total_of_texts(" ".join(f"{amount:f}" for amount in added))

    assert Fraction(found) == sum(map(Fraction, added))


async def test_an_empty_ledger_adds_up_to_nothing(ledger: Ledger) -> None:
    assert await ledger.totals() == []


async def test_an_amount_that_is_none_is_never_added_up(ledger: Ledger, path: Path) -> None:
    await converted(ledger, timedelta(0), 1)
    for text in ("nan", "inf", "six", "1_0"):
        with closing(sqlite3.connect(path)) as hand, hand:
            hand.execute("UPDATE lines SET gross = ?", (text,))

        with pytest.raises(ValueError, match=text):
            await ledger.totals()


async def test_calls_go_on_between_the_parts_of_a_sum(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sums, "_ENTRIES", 1)
    await ledger.record([numbered(n) for n in range(40)], now=NOW)

    adding_up = asyncio.ensure_future(ledger.totals())
    await asyncio.sleep(0)
    await ledger.intend(intent(), length=HOUR)

    assert not adding_up.done()
    assert (await adding_up)[0].count == 40
