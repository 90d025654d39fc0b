"""Replies that are not about dust: account, key and wallets, the exchange and its assets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.sandbox import Permissions

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import ExchangeBench


def test_a_bnb_switch_that_is_not_sent_stays_as_it_is(bench: ExchangeBench) -> None:
    switch = "/sapi/v1/bnbBurn"
    assert bench.ask(f"GET {switch}").json == {"spotBNBBurn": True, "interestBNBBurn": False}

    bench.ask(f"POST {switch}", spotBNBBurn="false")
    bench.ask(f"POST {switch}", interestBNBBurn="true")

    assert bench.ask(f"GET {switch}").json == {"spotBNBBurn": False, "interestBNBBurn": True}
    assert bench.ask(f"POST {switch}", spotBNBBurn="yes").code == -1130
    for text, value in (("True", True), ("FALSE", False), ("TRUE", True), ("False", False)):
        answer = bench.ask(f"POST {switch}", spotBNBBurn=text).json
        assert answer == {"spotBNBBurn": value, "interestBNBBurn": True}


def test_permissions_of_the_key_are_shown(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench()
    bench.open(permissions=Permissions(withdrawals=True, margin=False))

    shown = bench.ask("GET /sapi/v1/account/apiRestrictions").json

    assert shown["enableWithdrawals"] is True
    assert shown["enableMargin"] is False
    assert shown["enableReading"] is True
    assert shown["enableSpotAndMarginTrading"] is True
    assert shown["ipRestrict"] is False
    assert shown["createTime"] == int(bench.time.now * 1000)


def test_funding_and_margin_wallets_are_shown(new_bench: Callable[..., ExchangeBench]) -> None:
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


def test_assets_that_cannot_be_converted_cannot_be_withdrawn_either(bench: ExchangeBench) -> None:
    detail = bench.ask("GET /sapi/v1/asset/assetDetail").json
    one = bench.ask("GET /sapi/v1/asset/assetDetail", asset="ADA").json
    coins = {row["coin"]: row for row in bench.ask("GET /sapi/v1/capital/config/getall").json}

    assert detail["BZRX"]["withdrawStatus"] is False
    assert list(one) == ["ADA"]
    assert coins["ADA"]["free"] == "6.21"
    assert coins["BZRX"]["trading"] is False


def test_exchange_info_lists_pairs_and_the_limits_of_api_alone(bench: ExchangeBench) -> None:
    info = bench.ask("GET /api/v3/exchangeInfo").json

    symbols = {row["symbol"] for row in info["symbols"]}
    assert {"ADAUSDT", "ADABNB", "BNBBTC", "BTCUSDT"} <= symbols
    assert not symbols & {"USDTBTC", "BTCBNB", "BZRXUSDT", "ADAADA"}
    assert info["rateLimits"][0]["limit"] == 6000


def test_the_exchange_gives_its_own_time(bench: ExchangeBench) -> None:
    bench.exchange.faults.drift_clock(3)

    told = bench.send("GET /api/v3/time", signed=False).json["serverTime"]

    assert told == int((bench.time.now + 3) * 1000)
    assert bench.ask("GET /sapi/v1/account/status").status == 200, "three seconds late is in time"
    bench.exchange.faults.drift_clock(-3)
    assert bench.ask("GET /sapi/v1/account/status").code == -1021
