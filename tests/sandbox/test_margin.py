"""The margin account and small liabilities: at most ten exchanged per call, once in six hours."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_dust.sandbox import Debt

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import ExchangeBench

LIST = "GET /sapi/v1/margin/exchange-small-liability"
EXCHANGE = "POST /sapi/v1/margin/exchange-small-liability"
HISTORY = "GET /sapi/v1/margin/exchange-small-liability-history"
ACCOUNT = "GET /sapi/v1/margin/account"
INFO = "GET /sapi/v1/account/info"
BORROWED = ["ADA", "XRP", "TRX", "DOGE", "DOT", "LINK", "LTC", "NEAR", "SOL", "UNI", "XLM"]


def test_a_small_debt_is_listed_with_a_number_for_its_value(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench()
    bench.open(debts={"ETH": Debt("0.001", interest="0.00083334")})

    assert bench.ask(LIST).json == [
        {
            "asset": "ETH",
            "interest": "0.00083334",
            "principal": "0.001",
            "liabilityAsset": "USDT",
            "liabilityQty": Decimal("6.233356"),  # read from a JSON number
        }
    ]


def test_only_debts_below_the_ceiling_and_in_other_assets_are_listed(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench()
    bench.exchange.market.list_asset("TEN", price="10")
    bench.open(debts={"TEN": "1", "USDT": "3", "ADA": "22", "XRP": "0", "SOL": "1"})

    assert [debt["asset"] for debt in bench.ask(LIST).json] == ["ADA"]


def test_an_account_without_margin_has_no_list(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench()
    bench.open("alice")
    bench.open("bob", margin=True)

    for endpoint in (LIST, ACCOUNT, EXCHANGE, HISTORY):
        reply = bench.ask(endpoint, assetNames="ADA", current=1, size=10)
        assert (reply.status, reply.code) == (400, -3003), endpoint
    assert bench.ask(INFO).json["isMarginEnabled"] is False
    assert bench.ask(INFO, account="bob").json["isMarginEnabled"] is True
    assert bench.ask(LIST, account="bob").json == []


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(BORROWED), st.integers(1, 2000)))
def test_margin_account_and_account_info_agree_with_the_list(
    new_bench: Callable[..., ExchangeBench], owed: dict[str, int]
) -> None:
    bench = new_bench()
    debts = {asset: Debt(Decimal(amount) / 100, interest="0.01") for asset, amount in owed.items()}
    bench.open(margin={"USDT": "500"}, debts=debts)

    rows = {row["asset"]: row for row in bench.ask(ACCOUNT).json["userAssets"]}

    assert bench.ask(INFO).json["isMarginEnabled"] is True
    assert {asset for asset, row in rows.items() if Decimal(row["borrowed"])} == set(owed)
    for debt in bench.ask(LIST).json:
        row = rows[debt["asset"]]
        assert (row["borrowed"], row["interest"]) == (debt["principal"], debt["interest"])
        assert Decimal(row["netAsset"]) == -Decimal(row["borrowed"]) - Decimal(row["interest"])


def test_exchanging_turns_debts_into_one_in_usdt_and_reduces_nothing(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench()
    account = bench.open(debts={"ETH": "0.001", "ADA": "10", "USDT": "1"})

    answer = bench.ask(EXCHANGE, assetNames="ETH,ADA")

    assert (answer.status, answer.json) == (200, {})
    assert account.margin is not None
    worth = Decimal("0.001") * 3400 + 10 * Decimal("0.4512")
    assert account.margin.debts == {"USDT": Debt(1 + worth)}
    assert bench.ask(LIST).json == []
    history = bench.ask(HISTORY, current=1, size=10).json
    assert history["total"] == 2
    assert history["rows"][1] == {
        "asset": "ETH",
        "amount": "0.001",
        "targetAsset": "USDT",
        "targetAmount": "3.4",
        "bizType": "EXCHANGE_SMALL_LIABILITY",
        "timestamp": int(bench.time.now * 1000),
    }


@pytest.mark.parametrize(("body", "read"), [("", None), ("{}", {})])
def test_a_rule_sets_the_body_of_an_exchange(
    new_bench: Callable[..., ExchangeBench], body: str, read: Any
) -> None:
    bench = new_bench(liability_body=body)
    bench.open(debts={"ETH": "0.001"})

    assert bench.ask(EXCHANGE, assetNames="ETH").json == read


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (",".join(BORROWED), -3026),
        ("ADA,BTC", -3015),  # no debt
        ("ADA,SOL", -3015),  # too large a debt
        ("ADA,NOSUCH", -3027),
        ("ADA,KOGE", -3027),
        ("ADA,ADA", -1101),
        ("", -1102),
    ],
)
def test_an_exchange_is_refused_as_a_whole(
    new_bench: Callable[..., ExchangeBench], names: str, code: int
) -> None:
    bench = new_bench()
    account = bench.open(debts={**dict.fromkeys(BORROWED, "0.01"), "SOL": "1"})
    assert account.margin is not None
    before = dict(account.margin.debts)

    reply = bench.ask(EXCHANGE, assetNames=names)

    assert (reply.status, reply.code) == (400, code)
    assert account.margin.debts == before
    assert bench.ask(EXCHANGE, assetNames="ADA").status == 200, "a refusal starts no cooldown"


def test_an_exchange_may_follow_after_six_hours(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench(liability_cooldown_code=-3007)
    bench.open(debts={"ETH": "0.001", "ADA": "1"})
    assert bench.ask(EXCHANGE, assetNames="ETH").status == 200

    bench.time.pass_by(6 * 3600 - 1)
    assert bench.ask(EXCHANGE, assetNames="ADA").code == -3007
    bench.time.pass_by(1)
    assert bench.ask(EXCHANGE, assetNames="ADA").status == 200


def test_the_history_comes_in_pages_newest_first(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench(liability_cooldown=0.0)
    account = bench.open(debts={})
    began = int(bench.time.now * 1000)
    for n in range(1, 6):
        account.owe("ADA", n)
        assert bench.ask(EXCHANGE, assetNames="ADA").status == 200
        bench.time.pass_by(1)

    def amounts(**parameters: Any) -> list[str]:
        answer = bench.ask(HISTORY, **parameters).json
        return [row["amount"] for row in answer["rows"]]

    assert amounts(current=1, size=2) == ["5", "4"]
    assert amounts(current=3, size=2) == ["1"]
    assert amounts(current=4, size=2) == []
    assert amounts(current=1, size=9, startTime=began + 1000, endTime=began + 2000) == ["3", "2"]
    bench.time.pass_by(30 * 86_400)
    assert amounts(current=1, size=9) == [], "thirty days back by default"


def test_each_endpoint_costs_what_the_documents_say(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench()
    bench.open(debts={"ETH": "0.001"})

    assert bench.ask(LIST).headers == {"X-SAPI-USED-IP-WEIGHT-1M": "100"}
    assert bench.ask(EXCHANGE, assetNames="ETH").headers == {"X-SAPI-USED-UID-WEIGHT-1M": "3000"}
    history = bench.ask(HISTORY, current=1, size=1)
    assert history.headers == {"X-SAPI-USED-UID-WEIGHT-1M": "100"}
    assert bench.ask(ACCOUNT).headers == {"X-SAPI-USED-IP-WEIGHT-1M": "10"}
