"""Reports as plain values and back, errors for anything else, and reports in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from binance_dust import AccountReport, ConfigurationError, UnreadableAnswerError
from binance_dust._util.plain import FORMAT
from binance_dust.errors import BannedError, CredentialsError, NotConvertibleError
from binance_dust.models import UserAsset
from binance_dust.reports import Settled
from tests.reports.page.samples import debt, dust, report

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NONE = Decimal(0)
ROW = UserAsset(
    asset="ADA",
    free=Decimal("6.21"),
    locked=NONE,
    freeze=NONE,
    withdrawing=NONE,
    ipoable=NONE,
    btc_valuation=NONE,
)
REPORT = AccountReport(
    account="alice",
    at=NOON,
    assets=[ROW],
    settled_by=Settled.NO_DEBT,
    errors={
        "quote": NotConvertibleError("no", assets=("ADA",), code=-5001),
        "liabilities": BannedError("shut", until=NOON, status=418),
    },
)


def test_a_report_comes_back_whole() -> None:
    read = AccountReport.from_plain(REPORT.to_plain())

    assert read.to_plain() == REPORT.to_plain()
    assert read.assets == REPORT.assets
    assert read.at == NOON
    assert {part: type(error) for part, error in read.errors.items()} == {
        "quote": NotConvertibleError,
        "liabilities": BannedError,
    }
    assert vars(read.errors["liabilities"])["until"] == NOON


def put(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(report: dict[str, Any]) -> None:
        for name in path[:-1]:
            report = report[name]
        report[path[-1]] = value

    return change


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "a part is missing": lambda report: report.__delitem__("quote"),
    "no account": put("account", value=None),
    "no target": put("target", value=float("inf")),
    "no time": put("at", value="soon"),
    "a time out of the calendar": put("at", value="0001-01-01T00:00:00+23:59"),
    "rows without their fields": put("assets", value=[{"asset": "ADA"}]),
    "no rows at all": put("liabilities", value=5),
    "settled by nobody": put("settled_by", value="a coin"),
    "a format that is not a number": put("format", value="new"),
    "an error that is a number": put("errors", "quote", value=7),
    "an error's delivery": put("errors", "quote", "delivery", value="by pigeon"),
    "an error's time": put("errors", "liabilities", "until", value="never"),
}


def test_a_report_of_a_newer_version_is_refused_in_plain_words() -> None:
    value = REPORT.to_plain() | {"format": FORMAT + 1, "quote": "kept otherwise"}

    with pytest.raises(ConfigurationError, match=r"this report .*newer version.*upgrade"):
        AccountReport.from_plain(value)


def test_new_keys_are_ignored_and_a_report_without_a_format_has_the_first() -> None:
    value = REPORT.to_plain() | {"mood": "calm"}
    del value["format"]

    assert AccountReport.from_plain(value).to_plain() == REPORT.to_plain()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_report_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    value = REPORT.to_plain()
    change(value)

    with pytest.raises(ConfigurationError, match="no report of a scan") as caught:
        AccountReport.from_plain(value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("value", [None, [], "report", {}])
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="no report of a scan"):
        AccountReport.from_plain(value)


def test_an_amount_that_is_not_a_number_is_an_error_where_it_is_read() -> None:
    value = REPORT.to_plain()
    value["assets"][0]["free"] = "NaN"

    (row,) = AccountReport.from_plain(value).assets

    with pytest.raises(UnreadableAnswerError, match=r"UserAsset\.free"):
        _ = row.free


# In a notebook


def of_alice(*, asset: str = "ADA", net: str | None = None) -> AccountReport:
    return report(
        "alice",
        dust(asset, "6.21", "0.0099", "0.000198", net),
        debts=[debt("ETH", "0.001", "0.00083334", "0.3552")],
        errors={"assets": CredentialsError("no <i>permission</i>", code=-2015)},
    )


def test_a_report_shows_as_tables_in_a_notebook() -> None:
    text = of_alice(asset="<b>币安</b>")._repr_html_()

    assert "<b>" not in text
    assert "<i>" not in text
    assert "<bdi>&lt;b&gt;币安&lt;/b&gt;</bdi>" in text
    assert "0.000198" in text
    assert "0.3552" in text
    assert "CredentialsError" in text
    assert "2026-11-21 12:30:00 UTC" in text


def test_a_report_with_an_amount_that_cannot_be_read_still_shows() -> None:
    text = of_alice(net="NaN")._repr_html_()

    assert "is not a finite number" in text
    assert "0.3552" in text


def test_a_report_without_anything_shows_its_name() -> None:
    text = AccountReport(account="<alice>", at=NOON)._repr_html_()

    assert "<table" not in text
    assert "&lt;alice&gt;" in text
