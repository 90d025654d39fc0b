"""The account and its key, the exchange and its assets: answers beside the point of dust."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from binance_dust.sandbox import Permissions, Rules
from binance_dust.sandbox._endpoints import BY_NAME, SERVED
from binance_dust.sandbox._replies import REPLIES
from binance_dust.sandbox._rules import RuleChanges

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import Bench


def test_every_law_has_an_answer_and_every_answer_a_law() -> None:
    assert set(REPLIES) == set(BY_NAME)
    assert len(BY_NAME) == len(SERVED)
    assert len({str(endpoint) for endpoint in SERVED}) == len(SERVED)


def test_the_bnb_switch_keeps_what_is_not_sent(bench: Bench) -> None:
    switch = "/sapi/v1/bnbBurn"
    assert bench.ask(f"GET {switch}").json == {"spotBNBBurn": True, "interestBNBBurn": False}

    bench.ask(f"POST {switch}", spotBNBBurn="false")
    bench.ask(f"POST {switch}", interestBNBBurn="true")

    assert bench.ask(f"GET {switch}").json == {"spotBNBBurn": False, "interestBNBBurn": True}
    assert bench.ask(f"POST {switch}", spotBNBBurn="True").code == -1130


def test_permissions_are_shown_as_they_are(new_bench: Callable[..., Bench]) -> None:
    bench = new_bench()
    bench.open(permissions=Permissions(withdrawals=True, margin=False))

    shown = bench.ask("GET /sapi/v1/account/apiRestrictions").json

    assert shown["enableWithdrawals"] is True
    assert shown["enableMargin"] is False
    assert shown["enableReading"] is True
    assert shown["enableSpotAndMarginTrading"] is True
    assert shown["ipRestrict"] is False
    assert shown["createTime"] == int(bench.time.now * 1000)


def test_the_other_wallets_are_there(new_bench: Callable[..., Bench]) -> None:
    bench = new_bench()
    bench.open(BTC="1", funding={"BTC": "2", "ADA": "1"}, margin={"BTC": "3"})

    rows = bench.ask("GET /sapi/v1/asset/wallet/balance", quoteAsset="BTC").json
    funding = bench.ask("POST /sapi/v1/asset/get-funding-asset", asset="BTC").json

    worth = {row["walletName"]: row["balance"] for row in rows}
    assert worth == {"Spot": "1", "Funding": "2.0000047", "Cross Margin": "3"}
    assert [row["free"] for row in funding] == ["2"]
    assert bench.ask("GET /sapi/v1/asset/wallet/balance", quoteAsset="NOSUCH").code == -1130
    valued = bench.ask("POST /sapi/v1/asset/get-funding-asset", needBtcValuation="true").json
    assert {row["asset"]: row["btcValuation"] for row in valued} == {"ADA": "0.0000047", "BTC": "2"}


def test_assets_that_can_not_be_converted_can_not_be_withdrawn_either(bench: Bench) -> None:
    detail = bench.ask("GET /sapi/v1/asset/assetDetail").json
    one = bench.ask("GET /sapi/v1/asset/assetDetail", asset="ADA").json
    coins = {row["coin"]: row for row in bench.ask("GET /sapi/v1/capital/config/getall").json}
    schedule = bench.ask("GET /sapi/v1/spot/delist-schedule").json

    assert detail["BZRX"]["withdrawStatus"] is False
    assert list(one) == ["ADA"]
    assert coins["ADA"]["free"] == "6.21"
    assert coins["BZRX"]["trading"] is False
    assert "BZRXUSDT" in schedule[0]["symbols"]


def test_exchange_info_lists_pairs_and_the_limits_of_api_alone(bench: Bench) -> None:
    info = bench.ask("GET /api/v3/exchangeInfo").json

    symbols = {row["symbol"] for row in info["symbols"]}
    assert {"ADAUSDT", "ADABNB", "BNBBTC", "BTCUSDT"} <= symbols
    assert not symbols & {"USDTBTC", "BTCBNB", "BZRXUSDT", "ADAADA"}
    assert info["rateLimits"][0]["limit"] == 6000


def test_the_exchange_tells_its_own_time(bench: Bench) -> None:
    bench.exchange.faults.drift_clock(3)

    told = bench.send("GET /api/v3/time", signed=False).json["serverTime"]

    assert told == int((bench.time.now + 3) * 1000)
    assert bench.ask("GET /sapi/v1/account/status").status == 200, "three seconds late is in time"
    bench.exchange.faults.drift_clock(-3)
    assert bench.ask("GET /sapi/v1/account/status").code == -1021


def test_rules_can_be_named_one_by_one() -> None:
    assert set(RuleChanges.__annotations__) == set(Rules.__dataclass_fields__)


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": 0},
        {"ceiling": "many"},
        {"volatility": "NaN"},
        {"minimum": -1},
        {"window": float("nan")},
        {"window_mode": "leaking"},
        {"several_assets": "json"},
        {"liability_body": "[]"},
        {"ip_weight": -1},
        {"cooldown": -1.0},
        {"log_lag": float("nan")},
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong: RuleChanges) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Rules(**wrong)  # type: ignore[arg-type]
