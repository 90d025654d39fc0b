"""Workers of a newer version: a report that can't be read is an error of its account alone."""

from __future__ import annotations

from typing import Any

import pytest

from binance_dust import AccountReport, NotSentError
from binance_dust.fleet import Fleet
from binance_dust.sandbox import Sandbox
from tests.fleet.conftest import Hire


async def test_a_report_that_is_too_new_is_an_error_of_its_account(
    exchange: Sandbox, hire: Hire, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = AccountReport.to_plain

    def newer(report: AccountReport) -> dict[str, Any]:
        return written(report) | ({"format": 2} if report.account == "bob" else {})

    monkeypatch.setattr(AccountReport, "to_plain", newer)
    await hire([exchange.open_account(name, ADA="6.21") for name in ("alice", "bob")])

    found = {report.account: report async for report in fleet.scan()}

    assert found["alice"].ok
    assert set(found["bob"].errors) == {"assets", "quote", "liabilities"}
    assert isinstance(found["bob"].errors["assets"], NotSentError)
