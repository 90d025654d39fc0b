"""Totals of a scan."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from binance_dust import UnreadableAnswerError, models
from binance_dust.cli._output import reason_of
from binance_dust.cli._scan_results import ScanTotals
from binance_dust.reports import AccountReport, Settled


def report(name: str, *, free: Any = Decimal(1), net: str = "1", broken: bool = False) -> Any:
    row = models.ConvertibleAsset(
        asset="ADA",
        asset_full_name="Cardano",
        amount_free=Decimal(1),
        exchange=Decimal(0),
        to_quota_asset_amount=Decimal(1),
        to_target_asset_amount=Decimal(net),
        to_target_asset_off_exchange=Decimal(net),
    )
    zero = Decimal(0)
    quote = models.ConvertibleAssets(
        dribblet_percentage=zero,
        total_transfer_quota_asset_amount=zero,
        total_transfer_target_asset_amount=zero,
        dribblet_base=zero,
        details=[row],
    )
    problem = UnreadableAnswerError("broken", endpoint="GET /x", account=name)
    return AccountReport(
        account=name,
        at=datetime(2026, 11, 21, tzinfo=UTC),
        assets=[models.UserAsset("ADA", free, zero, zero, zero, zero, zero)],
        quote=quote,
        settled_by=Settled.NO_DEBT,
        errors={"liabilities": problem} if broken else {},
    )


def test_the_best_accounts_are_kept_and_everything_is_added() -> None:
    totals = ScanTotals("BNB")

    for number in range(100):
        totals.add(report(f"a{number}", net=str(number % 37), broken=number % 10 == 0))

    assert [each.net for each in totals.best] == [36, 36, 35, 35, 34, 34, 33, 33, 32, 32, 31, 31]
    assert [each.account for each in totals.best[:2]] == ["a36", "a73"]
    assert totals.net == sum(number % 37 for number in range(100))
    assert (totals.accounts, totals.failed) == (100, 10)
    assert totals.failures == {("liabilities", "GET /x: broken"): 10}
    assert (totals.assets, totals.holders) == ({"ADA": totals.net}, {"ADA": 100})


def test_totals_keep_every_digit() -> None:
    large, small = "1" + "0" * 20, "0." + "0" * 19 + "1"
    totals = ScanTotals("BNB")

    totals.add(report("alice", net=large))
    totals.add(report("bob", net=small))

    assert f"{totals.net:f}" == str(totals.assets).split()[0] == large + small[1:]


def test_a_reason_does_not_name_the_account() -> None:
    error = UnreadableAnswerError("no (alice) here", endpoint="GET /x", account="alice")

    assert reason_of(error, "alice") == "GET /x: no (alice) here"
