"""Reports as plain values, and back: what is no report is refused with an error of ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from binance_dust import AccountReport, ConfigurationError, UnreadableAnswerError
from binance_dust._util.plain import FORMAT
from binance_dust.errors import BannedError, NotConvertibleError
from binance_dust.models import UserAsset
from binance_dust.reports import Settled

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
    "rows that are none": put("assets", value=[{"asset": "ADA"}]),
    "no rows at all": put("liabilities", value=5),
    "settled by nobody": put("settled_by", value="a coin"),
    "a format that is none": put("format", value="new"),
    "an error that is none": put("errors", "quote", value=7),
    "an error's delivery": put("errors", "quote", "delivery", value="by pigeon"),
    "an error's time": put("errors", "liabilities", "until", value="never"),
}


def test_a_report_of_a_newer_version_is_refused_in_plain_words() -> None:
    value = REPORT.to_plain() | {"format": FORMAT + 1, "quote": "kept otherwise"}

    with pytest.raises(ConfigurationError, match=r"this report .*newer version.*upgrade"):
        AccountReport.from_plain(value)


def test_keys_that_are_new_are_passed_over_and_a_report_without_a_format_is_of_the_first() -> None:
    value = REPORT.to_plain() | {"mood": "calm"}
    del value["format"]

    assert AccountReport.from_plain(value).to_plain() == REPORT.to_plain()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_no_report_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    value = REPORT.to_plain()
    change(value)

    with pytest.raises(ConfigurationError, match="no report of a scan") as caught:
        AccountReport.from_plain(value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("value", [None, [], "report", {}])
def test_other_things_are_no_reports(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="no report of a scan"):
        AccountReport.from_plain(value)


def test_an_amount_that_is_none_is_found_out_where_it_is_read() -> None:
    value = REPORT.to_plain()
    value["assets"][0]["free"] = "NaN"

    (row,) = AccountReport.from_plain(value).assets

    with pytest.raises(UnreadableAnswerError, match=r"UserAsset\.free"):
        _ = row.free
