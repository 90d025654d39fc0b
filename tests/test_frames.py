"""Rows for data frames: plain, flat, exact; bars of what they add up to; records in notebooks."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest

from binance_dust import (
    AccountReport,
    ConfigurationError,
    DustError,
    Kind,
    LedgerEntry,
    LedgerLine,
    Outcome,
    Quote,
    QuoteLine,
    Reason,
    Receipt,
    Skipped,
    SweepReport,
    Total,
    models,
)
from binance_dust._util.exact import total
from binance_dust.budget import BudgetSnapshot, LimitKind, PoolSnapshot
from binance_dust.frames import Rows, bars, rows
from tests.contract.test_returned_types import PUBLIC, reachable

D = Decimal
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
PLAIN = (str, int, float, bool, Decimal, datetime, type(None))
LONG = D("50300000001.449111051234567890123456789")
"""More digits than a float or the default context keeps."""


def line(asset: str, net: str, at: datetime = NOW) -> LedgerLine:
    gross = total((D(net), D(1)))
    return LedgerLine(asset=asset, amount=D(7), gross=gross, fee=D(1), at=at, transaction_id=9)


def entry(number: int, *lines: LedgerLine, target: str = "BNB", **more: Any) -> LedgerEntry:
    fields: dict[str, Any] = {
        "account": "alice",
        "kind": Kind.DUST,
        "account_type": "SPOT",
        "target": target,
        "assets": tuple(each.asset for each in lines),
        "status": "confirmed",
        "at": NOW,
        "lines": lines,
    }
    return LedgerEntry(id=number, **{**fields, **more})


QUOTE = Quote(
    account="alice",
    account_type="SPOT",
    target="BNB",
    lines=(
        QuoteLine(asset="ADA", full_name="Cardano", amount=LONG, gross=D(3), fee=D(1), net=D(2)),
    ),
    skipped=(Skipped(asset="XRP", amount=D("2.5"), reason=Reason.KEPT),),
    at=NOW,
    expires_at=NOW + timedelta(minutes=1),
)
RECEIPT = Receipt(
    account="alice",
    account_type="SPOT",
    target="BNB",
    lines=(line("ADA", "2"),),
    dropped=(Skipped(asset="XRP", amount=D(1), reason=Reason.REFUSED, detail="no"),),
    quoted_net=D(2),
    at=NOW,
)
HELD = models.UserAsset(asset="ADA", free=LONG, locked=D(1))
LISTED = models.ConvertibleAsset(
    asset="ADA",
    amount_free=D(5),
    to_target_asset_amount=D(3),
    to_target_asset_off_exchange=D(2),
)
REPORT = AccountReport(
    account="alice",
    at=NOW,
    assets=[HELD],
    quote=models.ConvertibleAssets(details=[LISTED]),
    errors={"liabilities": DustError("no answer")},
)
POOL = PoolSnapshot(
    name="POST /x",
    kind=LimitKind.IP,
    account=None,
    limit=12_000,
    used=5,
    in_flight=0,
    waiting=0,
    resets_in=1.5,
    shut_for=0.0,
    fixed=True,
    others=0,
)
SNAPSHOT = BudgetSnapshot(pools=(POOL,), shut_for=0.0, requests_per_second=500.0)
TURN = SweepReport(
    account="alice",
    what="dust",
    account_type="SPOT",
    target="BNB",
    outcome=Outcome.CONVERTED,
    at=NOW,
    receipt=RECEIPT,
)
TOTAL = Total(key="2026-11", target="BNB", count=2, gross=LONG, fee=D(1), net=total((LONG, D(-1))))
KINDS: dict[str, tuple[Any, int]] = {
    "assets": ([HELD, HELD], 2),
    "convertible": (models.ConvertibleAssets(details=[LISTED]), 1),
    "quote": (QUOTE, 2),
    "receipt": ([RECEIPT], 2),
    "report": ([REPORT, REPORT], 6),
    "entries": ([entry(1, line("ADA", "2"), line("XRP", "3")), entry(2, line("ADA", "1"))], 3),
    "asked": (entry(3, assets=("ADA", "XRP"), status="unknown"), 2),
    "turn": (TURN, 1),
    "totals": ([TOTAL], 1),
    "snapshot": (SNAPSHOT, 1),
    "nothing": ([], 0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_plain_flat_and_have_the_same_columns(kind: str) -> None:
    x, count = KINDS[kind]

    made = rows(x)

    assert (type(made), len(made)) == (Rows, count)
    assert {type(row) for row in made} <= {dict}
    assert {tuple(row) for row in made} <= {made.columns}
    assert all(type(value) in PLAIN for row in made for value in row.values())
    assert made._repr_html_().count("<tr>") >= count


def test_values_are_exact_and_say_why_what_stays_stays() -> None:
    ada, xrp = rows(QUOTE)

    assert (ada["amount"], ada["net"], ada["reason"]) == (LONG, D(2), None)
    assert (xrp["amount"], xrp["net"], xrp["reason"]) == (D("2.5"), None, "kept")
    assert rows([HELD])[0]["free"] == LONG
    assert [row["part"] for row in rows(REPORT)] == ["assets", "quote", "liabilities"]
    assert rows(REPORT)[2]["error"] == "no answer"
    assert rows(entry(1, line("ADA", "2"), transaction_id=5))[0]["transaction_id"] == 9


@pytest.mark.parametrize("x", ["ADA", 7, None, object(), {"asset": "ADA"}, AccountReport])
def test_what_has_no_rows_is_refused(x: object) -> None:
    with pytest.raises(TypeError, match=r"rows\(\) has no rows for|not iterable"):
        rows(x)


def test_several_kinds_are_no_one_table() -> None:
    with pytest.raises(ConfigurationError, match="several kinds"):
        rows([QUOTE, RECEIPT])


def test_bars_add_up_exactly_by_asset_and_by_month() -> None:
    before = datetime(2026, 10, 31, 23, 59, tzinfo=UTC)
    lines = (line("ADA", "0.1"), line("XRP", str(LONG)), line("ADA", "0.2", before))
    made = rows([entry(1, *lines), entry(2, assets=("TRX",), status="rejected")])

    by_asset, by_month = bars(made), bars(made, by="month")

    assert list(by_asset.sums.items()) == [("XRP", LONG), ("ADA", D("0.3"))]
    assert by_month.sums == {"2026-10": D("0.2"), "2026-11": total((LONG, D("0.1")))}
    assert list(by_month.sums) == ["2026-10", "2026-11"]
    assert by_asset.title == "net by asset, in BNB"
    assert by_asset._repr_html_().count("<rect") == 2
    assert bars(made, of="fee").sums == {"ADA": D(2), "XRP": D(1)}


def test_bars_never_add_up_what_is_of_two_units_or_not_there() -> None:
    two = rows([entry(1, line("ADA", "1")), entry(2, line("ADA", "1"), target="USDT")])

    with pytest.raises(ConfigurationError, match="amounts of BNB, USDT"):
        bars(two)
    with pytest.raises(ConfigurationError, match="no worth"):
        bars(two, of="worth")
    assert bars([]).sums == {}


def test_names_in_bars_and_tables_are_escaped() -> None:
    made = rows(entry(1, line("<script>", "1")))

    assert "<script>" not in bars(made)._repr_html_() + made._repr_html_()


@pytest.mark.parametrize("name", ["pandas", "polars"])
@pytest.mark.parametrize("kind", KINDS)
def test_data_frames_take_rows_without_losing_a_digit(name: str, kind: str) -> None:
    library: ModuleType = pytest.importorskip(name)
    made = rows(KINDS[kind][0])

    frame = library.DataFrame(made)

    assert frame.shape == (len(made), len(made.columns))
    back = frame.to_dict("records") if name == "pandas" else frame.to_dicts()
    for given, found in zip(made, back, strict=True):
        for column, value in given.items():
            if isinstance(value, Decimal | str):
                assert found[column] == value


# --- what a notebook shows -----------------------------------------------------------------------


def test_everything_that_is_returned_shows_itself_in_a_notebook() -> None:
    shown = {*reachable()} & {name for name, thing in PUBLIC.items() if is_record(thing)}
    silent = {name for name in shown if not hasattr(PUBLIC[name], "_repr_html_")}

    assert len(shown) > 25
    assert silent - {"RateLimits", "RetryPolicy", "Identity", "Admission"} == set()
    assert all(hasattr(getattr(models, name), "_repr_html_") for name in answers())


def is_record(thing: Any) -> bool:
    return isinstance(thing, type) and any(
        hasattr(thing, name) for name in ("__dataclass_fields__", "__struct_fields__")
    )


def answers() -> list[str]:
    module = importlib.import_module("binance_dust.models")
    return [name for name in module.__all__ if hasattr(getattr(module, name), "__struct_fields__")]


@pytest.mark.parametrize(
    ("record", "parts"),
    [
        (TURN, ["SweepReport", "converted", "alice (SPOT) into BNB"]),
        (entry(1, line("ADA", "2")), ["LedgerEntry", "confirmed", "lines", "ADA"]),
        (TOTAL, ["Total", "2026-11", "50,300,000,001.449111051234567890123456789"]),
        (SNAPSHOT, ["BudgetSnapshot", "pools", "POST /x", "12,000"]),
        (models.ConvertibleAssets(details=[LISTED]), ["ConvertibleAssets", "details", "ADA"]),
        (models.UserAsset(asset="ADA", free="one"), ["UserAsset", "is not a finite number"]),  # type: ignore[arg-type]
    ],
)
def test_a_record_shows_its_fields_and_its_parts(record: Any, parts: list[str]) -> None:
    html = record._repr_html_()

    assert all(part in html for part in parts)
    assert html.count("<table") == html.count("</table>")
