"""The figures of a page are the reports' own, to the digit, and no account spoils them."""

from __future__ import annotations

import decimal
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust import errors
from binance_dust.errors import CredentialsError, DustError, UnreadableAnswerError
from binance_dust.ledger import Kind
from binance_dust.reports import AccountReport
from binance_dust.reports._page._figures import (
    EXACT,
    LedgerFigures,
    ReportFigures,
    ReportRows,
    ledger_figures,
    read_report,
)
from binance_dust.reports._page._overview import months_between
from binance_dust.reports._page._rows import advice
from tests.reports.page.samples import debt, dust, entry, report

AMOUNTS = st.integers(0, 10**14).map(lambda units: f"{Decimal(units).scaleb(-8):f}")
ROWS = st.builds(dust, st.sampled_from(["ADA", "XRP", "币安人生"]), AMOUNTS, AMOUNTS, AMOUNTS)
REPORTS = st.builds(
    lambda name, rows, target: report(name, *rows, target=target),
    st.text(max_size=5),
    st.lists(ROWS, max_size=4),
    st.sampled_from(["BNB", "USDT"]),
)


def read_all(reports: list[AccountReport]) -> tuple[ReportFigures, list[ReportRows]]:
    """Give the figures of reports, and what each of them says."""
    made, rows = ReportFigures(), [read_report(each) for each in reports]
    for each in rows:
        made.add(each)
    return made, rows


@given(st.lists(REPORTS, max_size=5))
def test_sums_are_those_of_the_reports_to_the_digit(reports: list[AccountReport]) -> None:
    made, rows = read_all(reports)

    with decimal.localcontext(EXACT):
        for target in {each.target for each in reports if each.quote and each.quote.details}:
            mine = [each for each in reports if each.target == target]
            sums = made.by_target[target]
            assert sums.gross == sum(each.gross for each in mine)
            assert sums.net == sum(each.net for each in mine)
            assert sums.fee == sum(each.fee for each in mine)
            by_asset = [money for (of, _), money in made.by_asset.items() if of == target]
            assert sum(money.net for money in by_asset) == sums.net
    for account, each in zip([each.account for each in rows], reports, strict=True):
        assert account.dust is not None
        assert (account.name, account.dust.gross) == (each.account, each.gross)


def test_amounts_with_more_digits_than_a_context_has_are_not_rounded() -> None:
    made, _ = read_all(
        [
            report("a", dust("X", "1", "1" + "0" * 30, "0", "0")),
            report("b", dust("X", "1", "0." + "0" * 30 + "1", "0", "0")),
        ]
    )

    assert f"{made.by_target['BNB'].gross:f}" == f"1{'0' * 30}.{'0' * 30}1"


def test_accounts_of_the_same_name_stay_apart() -> None:
    made, rows = read_all(
        [report("a", dust("X", "1", "2", "0")), report("a", dust("X", "1", "3", "0"))]
    )

    assert [each.account.dust.gross for each in rows if each.account.dust] == [2, 3]
    assert made.by_asset["BNB", "X"].count == 2


def test_a_part_that_failed_is_missing_and_not_zero() -> None:
    made, rows = read_all(
        [report("a", errors={"quote": CredentialsError("no"), "assets": DustError("no")})]
    )

    ((account, failures),) = ((each.account, each.failures) for each in rows)
    assert account.dust is None
    assert account.held is None
    assert (made.failures, made.complete) == (2, 0)
    assert [(each.account, each.part) for each in failures] == [
        ("a", "quote"),
        ("a", "assets"),
    ]


def test_an_amount_that_cannot_be_read_is_a_failure_of_its_part_alone() -> None:
    made, rows = read_all(
        [
            report("bad", dust("X", "1", "2", "0"), dust("Y", "1", "NaN", "0", net="1")),
            report("worse", dust("X", "1", "4", "0"), debts=[debt("ETH", "1", "?", "2")]),
        ]
    )

    assert made.by_target["BNB"].gross == 4
    assert made.owed == {}
    failures = [failure for each in rows for failure in each.failures]
    assert [(each.account, each.part) for each in failures] == [
        ("bad", "quote"),
        ("worse", "liabilities"),
    ]
    assert [each.account.failed for each in rows] == [["quote"], ["liabilities"]]
    assert all(isinstance(each.error, UnreadableAnswerError) for each in failures)


def test_debts_add_up_by_what_they_are_counted_in() -> None:
    made, rows = read_all(
        [
            report("a", debts=[debt("ETH", "1", "0", "0.3552"), debt("ADA", "1", "0", "2")]),
            report("b", debts=[debt("ETH", "1", "0", "0.00000001")]),
        ]
    )

    assert made.owed == {"USDT": Decimal("2.35520001")}
    assert [each.account.debts for each in rows] == [2, 1]
    assert (made.debts, made.owing) == (3, 2)


def test_of_many_accounts_the_largest_are_kept_and_of_equal_ones_the_first() -> None:
    nets = [3, 9, 9, 1, 9, 2, 7, 7, 5, 0, 9]
    made, _ = read_all(
        [report(str(n), dust("X", "1", str(net), "0")) for n, net in enumerate(nets)]
    )

    largest = made.largest["BNB"]
    assert largest.count == len(nets)
    best = sorted(enumerate(nets), key=lambda each: each[1], reverse=True)[:8]
    assert largest.rows == [(str(n), Decimal(net)) for n, net in best]


def of_entries() -> LedgerFigures:
    east = datetime(2026, 3, 1, 5, tzinfo=timezone(timedelta(hours=8)))
    may = datetime(2026, 5, 9, tzinfo=UTC)
    return ledger_figures(
        [
            entry(1, "a", east, "1", "0.02"),
            entry(2, "a", may, "2", "0.04"),
            entry(3, "b", may, "3", "0.06"),
            entry(4, "b", may, "0.5", "0", kind=Kind.LIABILITIES, target="USDT"),
            entry(5, "b", may, "9", "0", "rejected"),
            entry(6, "b", may, "9", "0", "unknown"),
        ]
    )


def test_what_came_in_is_counted_by_month_in_utc_and_debts_are_no_income() -> None:
    made = of_entries()

    assert {key: money.net for key, money in made.by_month.items()} == {
        ("BNB", "2026-02"): Decimal("0.98"),
        ("BNB", "2026-05"): Decimal("4.90"),
    }
    assert made.by_target["BNB"].fee == Decimal("0.12")


def test_entries_are_shown_newest_first_and_open_ones_are_counted() -> None:
    made = of_entries()

    assert [each.id for each in made.entries] == [6, 5, 4, 3, 2, 1]
    assert made.open == 1


@pytest.mark.parametrize(
    ("first", "last", "most", "expected"),
    [
        ("2026-05", "2026-05", 9, ["2026-05"]),
        ("2025-11", "2026-02", 9, ["2025-11", "2025-12", "2026-01", "2026-02"]),
        ("0001-01", "2026-01", 2, ["2025-12", "2026-01"]),
    ],
)
def test_months_between_leave_none_out_and_are_not_too_many(
    first: str, last: str, most: int, expected: list[str]
) -> None:
    assert months_between(first, last, most=most) == expected


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, DustError) and kind is not DustError
    ],
)
def test_every_kind_of_error_has_its_own_advice(kind: type[DustError]) -> None:
    parent = kind.__mro__[1]

    assert advice(DustError.__new__(kind))
    if parent is not DustError:
        assert advice(DustError.__new__(kind)) != advice(DustError.__new__(parent))
