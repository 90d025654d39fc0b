"""`endpoints`: the list of endpoints."""

from __future__ import annotations

from binance_dust import endpoints
from tests.cli.conftest import Run


def test_the_endpoints_are_listed_as_a_table_and_as_json(run: Run) -> None:
    table = run("endpoints").out
    rows = run("endpoints", "--json").rows

    assert [row["name"] for row in rows] == list(endpoints.ALL)
    assert all(row["path"] in table for row in rows)
    assert {row["name"] for row in rows if not row["sent_again"]} == {
        "convert_accept",
        "dust_convert",
        "dust_transfer",
        "exchange_small_liabilities",
        "repay",
        "transfer",
    }
