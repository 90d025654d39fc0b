"""What an account holds: exact amounts, changed by a test and shown by the exchange."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import pytest

from binance_dust.sandbox import Holding

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import ExchangeBench

ASSETS = "POST /sapi/v3/asset/getUserAsset"


def test_only_assets_above_zero_are_listed_with_exact_amounts(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench()
    bench.open(
        USDT="50300000001.44911105",
        BNB=Holding("887.47061626", freeze="10.52", withdrawing="0.1"),
        ADA="0",
        XRP=Holding(0, locked="3"),
    )

    rows = {row["asset"]: row for row in bench.ask(ASSETS).json}

    assert list(rows) == ["BNB", "USDT", "XRP"]
    assert rows["USDT"]["free"] == "50300000001.44911105"
    assert rows["BNB"] == {
        "asset": "BNB",
        "free": "887.47061626",
        "locked": "0",
        "freeze": "10.52",
        "withdrawing": "0.1",
        "ipoable": "0",
        "btcValuation": "0",
    }
    assert rows["XRP"]["locked"] == "3"
    worth = Decimal("898.09061626") * 910 / 96000
    (only,) = bench.ask(ASSETS, asset="BNB", needBtcValuation="true").json
    assert only["btcValuation"] == str(worth.quantize(Decimal("1e-8"), ROUND_HALF_UP))
    assert bench.ask(ASSETS, asset="ADA").json == []


@pytest.mark.parametrize("wrong", [1.5, True])
def test_an_amount_that_is_not_exact_is_refused(bench: ExchangeBench, wrong: Any) -> None:
    with pytest.raises(TypeError):
        bench.exchange.accounts["alice"].deposit("ADA", wrong)


@pytest.mark.parametrize("wrong", ["-1", "NaN", "Infinity", "many"])
def test_an_amount_that_is_negative_or_no_number_is_refused(
    bench: ExchangeBench, wrong: str
) -> None:
    with pytest.raises(ValueError, match="amount"):
        bench.exchange.accounts["alice"].deposit("ADA", wrong)


def test_a_test_can_change_balances(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench()
    account = bench.open(ADA="1")

    account.deposit("ADA", "0.5")
    account.withdraw("ADA", "0.2")
    account.hold("XRP", Holding("2", locked="1"))

    rows = {row["asset"]: (row["free"], row["locked"]) for row in bench.ask(ASSETS).json}
    assert rows == {"ADA": ("1.3", "0"), "XRP": ("2", "1")}
    with pytest.raises(ValueError, match="amount"):
        account.withdraw("ADA", 2)
