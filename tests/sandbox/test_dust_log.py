"""The dust log: what it shows, how far back, and by which parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import ExchangeBench

CONVERT = "POST /sapi/v1/asset/dust-convert/convert"
DUST = "POST /sapi/v1/asset/dust"
LOG = "GET /sapi/v1/asset/dribblet"


def test_the_log_shows_what_was_converted(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench(cooldown=0.0)
    bench.open(ADA="1", XRP="1", TRX="1")
    first = bench.ask(DUST, asset="ADA,XRP").json
    bench.time.pass_by(60)
    second = bench.ask(CONVERT, asset="TRX", targetAsset="USDC").json

    log = bench.ask(LOG).json

    assert log["total"] == 2
    newest, oldest = log["userAssetDribblets"]
    assert oldest["totalTransferedAmount"] == first["totalTransfered"]
    assert oldest["totalServiceChargeAmount"] == first["totalServiceCharge"]
    for group, receipt, target in ((newest, second, "USDC"), (oldest, first, "BNB")):
        for detail, row in zip(
            group["userAssetDribbletDetails"], receipt["transferResult"], strict=True
        ):
            assert detail.pop("targetAsset") == target
            assert detail.pop("transId") == row.pop("tranId") == group["transId"]
            assert detail == row
    ids = {newest["transId"], oldest["transId"]}
    assert len(ids) == 2
    times = [row["operateTime"] for row in oldest["userAssetDribbletDetails"]]
    assert times[0] != times[1], "rows of one conversion differ by some milliseconds"


@pytest.mark.parametrize(
    ("place", "in_group", "in_detail"),
    [("detail", False, True), ("group", True, False), ("nowhere", False, False)],
)
def test_a_rule_says_where_the_log_names_the_target(
    new_bench: Callable[..., ExchangeBench], place: str, in_group: bool, in_detail: bool
) -> None:
    bench = new_bench(log_target=place)
    bench.open(ADA="1")
    bench.ask(DUST, asset="ADA")

    (group,) = bench.ask(LOG).json["userAssetDribblets"]

    assert ("targetAsset" in group) is in_group
    assert ("targetAsset" in group["userAssetDribbletDetails"][0]) is in_detail


def test_the_log_holds_the_last_hundred_and_counts_them_all(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench(cooldown=0.0)
    account = bench.open()
    for _ in range(103):
        account.deposit("ADA", 1)
        assert bench.ask(DUST, asset="ADA").status == 200
        bench.time.pass_by(1)

    log = bench.ask(LOG).json

    assert log["total"] == 103
    assert len(log["userAssetDribblets"]) == 100
    newest = account.conversions[-1]
    assert log["userAssetDribblets"][0]["transId"] == newest.transaction_id


def test_the_log_requires_both_bounds_or_no_bound(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench(cooldown=0.0)
    bench.open(ADA="1", XRP="1")
    bench.ask(DUST, asset="ADA")
    bench.time.pass_by(100)
    bench.ask(DUST, asset="XRP")
    now = int(bench.time.now * 1000)

    refused = bench.ask(LOG, startTime=now - 1000)
    assert (refused.status, refused.code) == (400, -1102)
    assert "'endTTime'" in refused.json["msg"], "the exchange's own spelling"
    assert bench.ask(LOG, startTime=now - 50_000, endTime=now).json["total"] == 1
    assert bench.ask(LOG, startTime=now - 100_000, endTime=now).json["total"] == 2
    assert bench.ask(LOG, startTime=now + 1, endTime=now + 2).json["total"] == 0
    assert bench.ask(LOG, endTime=now - 50_000).json["total"] == 1


def test_a_conversion_may_show_late(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench(log_lag=5.0)
    bench.open(ADA="1")
    bench.ask(DUST, asset="ADA")

    assert bench.ask(LOG).json["total"] == 0
    bench.time.pass_by(5)
    assert bench.ask(LOG).json["total"] == 1
