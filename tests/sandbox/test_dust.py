"""Dust: previews, conversions, refusals, prices and cooldowns."""

from __future__ import annotations

from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, Inexact, localcontext
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_dust.sandbox import Holding

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import ExchangeBench

ASSETS = "POST /sapi/v3/asset/getUserAsset"
QUERY = "POST /sapi/v1/asset/dust-convert/query-convertible-assets"
CONVERT = "POST /sapi/v1/asset/dust-convert/convert"
LIST = "POST /sapi/v1/asset/dust-btc"
DUST = "POST /sapi/v1/asset/dust"
LOG = "GET /sapi/v1/asset/dribblet"
STEP = Decimal("1e-8")


def floor(value: Decimal) -> Decimal:
    return value.quantize(STEP, ROUND_FLOOR)


def half_up(value: Decimal) -> Decimal:
    return value.quantize(STEP, ROUND_HALF_UP)


# Previews


def test_a_preview_matches_the_exchanges_own_sample(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    """The documents' numbers: AR at 4.3 and BNB at 910, in the quota asset itself."""
    bench = new_bench()
    bench.open(AR="0.00856", BNB="0.00082768")

    assert bench.ask(QUERY, targetAsset="USDT").json == {
        "dribbletPercentage": "0.02",
        "totalTransferQuotaAssetAmount": "0.7899968",
        "totalTransferTargetAssetAmount": "0.7899968",
        "dribbletBase": "10",
        "details": [
            {
                "asset": "AR",
                "assetFullName": "AR",
                "amountFree": "0.00856",
                "exchange": "0.00073616",
                "toQuotaAssetAmount": "0.036808",
                "toTargetAssetAmount": "0.036808",
                "toTargetAssetOffExchange": "0.03607184",
            },
            {
                "asset": "BNB",
                "assetFullName": "BNB",
                "amountFree": "0.00082768",
                "exchange": "0.01506378",
                "toQuotaAssetAmount": "0.7531888",
                "toTargetAssetAmount": "0.7531888",
                "toTargetAssetOffExchange": "0.73812502",
            },
        ],
    }


def test_previews_round_half_up_and_conversions_round_down(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench()
    bench.open(ADA="6.21", GBP="0.15949157")
    bench.exchange.market.list_asset("GBP", price="4.132534")

    lines = {line["asset"]: line for line in bench.ask(LIST).json["details"]}
    rows = bench.ask(DUST, asset="ADA,GBP").json["transferResult"]

    # 6.21 x 0.4512 / 910 is 0.00307906813..., and 2 % of that 0.0000615813...
    assert (lines["ADA"]["toBNB"], lines["ADA"]["exchange"]) == ("0.00307907", "0.00006158")
    assert (rows[0]["transferedAmount"], rows[0]["serviceChargeAmount"]) == (
        "0.00307906",
        "0.00006158",
    )
    # As in a published row of 2021, the fee falls between two steps: the preview rounds it up, the
    # conversion down.
    assert (lines["GBP"]["toBNB"], lines["GBP"]["exchange"]) == ("0.00072429", "0.00001449")
    assert rows[1]["serviceChargeAmount"] == "0.00001448"


def test_a_preview_uses_the_callers_own_price(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench()
    bench.open(ADA="10")

    (line,) = bench.ask(QUERY, targetAsset="BTC", dustQuotaAssetToTargetAssetPrice="0.5").json[
        "details"
    ]

    assert line["toQuotaAssetAmount"] == "4.512"
    assert line["toTargetAssetAmount"] == "2.256"


@pytest.mark.parametrize(
    ("price", "code"), [("0", -1130), ("1e3", -1100), ("9" * 21, -1100), ("9" * 20, None)]
)
def test_the_callers_price_is_a_number_above_zero_of_at_most_twenty_digits(
    bench: ExchangeBench, price: str, code: int | None
) -> None:
    reply = bench.ask(QUERY, targetAsset="BTC", dustQuotaAssetToTargetAssetPrice=price)

    assert reply.code == code


def test_only_what_can_be_converted_now_is_listed(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench()
    bench.exchange.market.list_asset("AAA", price="1", ceiling="2")
    bench.open(
        ADA=Holding("1", locked="50", freeze="60", withdrawing="70"),
        XRP=Holding(0, locked="1"),  # nothing free
        LTC="5",  # too much
        SHIB="0.0001",  # comes to nothing
        BZRX="3",  # unsupported
        AAA="2",  # at a ceiling of its own
        BNB="0.001",
        USDT="1",
    )

    def listed(endpoint: str, **parameters: Any) -> list[str]:
        return [line["asset"] for line in bench.ask(endpoint, **parameters).json["details"]]

    assert listed(LIST) == ["ADA", "USDT"]
    assert listed(QUERY, targetAsset="BNB") == ["ADA", "USDT"]
    assert listed(QUERY, targetAsset="USDT") == ["ADA", "BNB"]
    (line, _) = bench.ask(LIST).json["details"]
    assert line["amountFree"] == "1"


# Converting


def test_a_conversion_moves_balances_to_the_digit(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench()
    account = bench.open(ADA=Holding("6.21", locked="1"), XRP="1.5", BNB="0.01", ALPHACA="100")

    done = bench.ask(DUST, asset="ADA,XRP,ALPHACA").json

    gross = {
        "ADA": floor(Decimal("6.21") * Decimal("0.4512") / 910),
        "XRP": floor(Decimal("1.5") * Decimal("2.14") / 910),
        "ALPHACA": floor(100 * Decimal("0.0213") / 910),
    }
    fee = {asset: floor(amount / 50) for asset, amount in gross.items()}
    fee["ALPHACA"] = floor(gross["ALPHACA"] / 10)
    for row in done["transferResult"]:
        assert Decimal(row["transferedAmount"]) == gross[row["fromAsset"]]
        assert Decimal(row["serviceChargeAmount"]) == fee[row["fromAsset"]]
    assert Decimal(done["totalTransfered"]) == sum(gross.values())
    assert Decimal(done["totalServiceCharge"]) == sum(fee.values())
    net = sum(gross.values()) - sum(fee.values())
    assert account.free("BNB") == Decimal("0.01") + net, "gross less fee"
    assert account.spot["ADA"] == Holding(0, locked="1"), "the locked part stays"
    assert [row["asset"] for row in bench.ask(ASSETS).json] == ["ADA", "BNB"]


AMOUNTS = st.decimals("0.00000001", "1000000", places=8, allow_nan=False)


@settings(max_examples=60)
@given(
    holdings=st.dictionaries(st.sampled_from(["ADA", "XRP", "SHIB", "KOGE", "BTC"]), AMOUNTS),
    target=st.sampled_from(["BNB", "USDT", "USDC"]),
)
def test_a_conversion_differs_from_its_preview_by_one_step_at_most(
    new_bench: Callable[..., ExchangeBench], holdings: dict[str, Decimal], target: str
) -> None:
    bench = new_bench()
    account = bench.open(**holdings)
    preview = {line["asset"]: line for line in ask_preview(bench, target)}
    if not preview:
        return

    reply = bench.ask(CONVERT, asset=",".join(preview), targetAsset=target)

    assert reply.status == 200
    came_in = Decimal(0)
    for row in reply.json["transferResult"]:
        line = preview[row["fromAsset"]]
        gross, fee = Decimal(row["transferedAmount"]), Decimal(row["serviceChargeAmount"])
        assert 0 <= Decimal(line["toTargetAssetAmount"]) - gross <= STEP
        assert 0 <= Decimal(line["exchange"]) - fee <= STEP
        assert account.free(row["fromAsset"]) == 0
        came_in += gross - fee
    assert account.free(target) == holdings.get(target, 0) + came_in
    assert all(account.free(asset) == holdings[asset] for asset in holdings.keys() - preview.keys())


def ask_preview(bench: ExchangeBench, target: str) -> list[dict[str, str]]:
    lines: list[dict[str, str]] = bench.ask(QUERY, targetAsset=target).json["details"]
    return lines


@pytest.mark.parametrize(
    ("asset", "code", "words"),
    [
        ("BZRX", -5001, "micro assets"),
        ("BNB", -5001, "micro assets"),
        ("XRP", -5002, "insufficient"),
        ("DOGE", -5003, "don't have"),
        ("NOSUCH", -5003, "don't have"),
        ("LTC", -5004, "of LTC have exceeded"),
        ("SHIB", -5005, "of SHIB is too low"),
    ],
)
def test_one_asset_that_cannot_be_converted_fails_the_batch(
    new_bench: Callable[..., ExchangeBench], asset: str, code: int, words: str
) -> None:
    bench = new_bench()
    account = bench.open(
        ADA="1", BZRX="3", BNB="1", XRP=Holding(0, locked="1"), LTC="5", SHIB="0.0001"
    )

    for endpoint in (DUST, CONVERT):
        reply = bench.ask(endpoint, asset=f"ADA,{asset}")

        assert (reply.status, reply.code) == (400, code)
        assert words in reply.json["msg"]
    assert not account.conversions
    assert account.free("ADA") == 1
    assert bench.ask(DUST, asset="ADA").status == 200, "a refusal starts no cooldown"


def test_rules_set_a_minimum_value_and_a_greatest_number_of_assets(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench(minimum="0.5", max_assets=2)
    bench.open(ADA="1", XRP="1", TRX="20", DOGE="20")

    assert bench.ask(DUST, asset="ADA").code == -5005
    assert bench.ask(DUST, asset="XRP,TRX,DOGE").code == -1130
    assert bench.ask(DUST, asset="XRP,TRX").status == 200


def test_each_asset_may_have_its_own_fee(new_bench: Callable[..., ExchangeBench]) -> None:
    bench = new_bench()
    bench.exchange.market.list_asset("ADA", fee="0.025")
    bench.open(ADA="1", KOGE="0.01")

    lines = ask_preview(bench, "USDT")

    assert [(line["asset"], line["exchange"]) for line in lines] == [
        ("ADA", "0.01128"),
        ("KOGE", "0.0479"),
    ]


# Prices


def test_prices_move_by_seed_within_their_bounds(new_bench: Callable[..., ExchangeBench]) -> None:
    def prices(seed: int) -> list[str]:
        bench = new_bench(seed=seed)
        bench.open(ADA="1")
        found = []
        for _ in range(20):
            (line,) = ask_preview(bench, "USDT")
            found.append(line["toQuotaAssetAmount"])
            bench.time.pass_by(60)
        return found

    assert prices(1) == prices(1)
    assert prices(1) != prices(2)
    assert len(set(prices(1))) > 10
    assert all(
        abs(Decimal(price) / Decimal("0.4512") - 1) <= Decimal("0.004") for price in prices(1)
    )


@pytest.mark.parametrize(("part", "converts"), [("0.049", True), ("0.05", False), ("-0.06", False)])
def test_a_price_that_moved_by_five_percent_stops_the_conversion(
    new_bench: Callable[..., ExchangeBench], part: str, converts: bool
) -> None:
    bench = new_bench()
    account = bench.open(ADA="1", XRP="1")
    bench.ask(LIST)

    bench.exchange.market.move_price("ADA", part)
    reply = bench.ask(DUST, asset="ADA,XRP")

    assert (reply.status == 200) is converts
    assert bool(account.conversions) is converts
    if not converts:
        assert reply.code == -5010
        assert "fluctuated" in reply.json["msg"]
        bench.ask(LIST)
        assert bench.ask(DUST, asset="ADA,XRP").status == 200, "a new price was shown"


def test_a_rule_answers_a_moved_price_with_nothing_converted(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench(price_moved_code=None)
    account = bench.open(ADA="1")
    bench.ask(LIST)
    bench.exchange.market.move_price("ADA", "0.1")

    reply = bench.ask(DUST, asset="ADA")

    assert reply.json == {"totalServiceCharge": "0", "totalTransfered": "0", "transferResult": []}
    assert account.free("ADA") == 1
    bench.time.pass_by(301)
    assert bench.ask(DUST, asset="ADA").json["transferResult"], "the old price is forgotten"


# Cooldowns


@pytest.mark.parametrize("code", [-5006, 32110])
def test_an_account_cools_down_after_a_conversion(
    new_bench: Callable[..., ExchangeBench], code: int
) -> None:
    bench = new_bench(cooldown=600.0, cooldown_code=code)
    account = bench.open(ADA="1", XRP="1")
    bench.open("bob", ADA="1")
    assert bench.ask(DUST, asset="ADA").status == 200

    assert bench.ask(DUST, asset="XRP").code == code
    assert bench.ask(DUST, account="bob", asset="ADA").status == 200
    bench.time.pass_by(599.9)
    assert bench.ask(DUST, asset="XRP").code == code
    bench.time.pass_by(0.1)
    assert bench.ask(DUST, asset="XRP").status == 200
    assert len(account.conversions) == 2


def test_moving_the_exchanges_clock_ends_no_cooldown(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench()
    bench.open(ADA="1", XRP="1")
    bench.ask(DUST, asset="ADA")

    bench.exchange.faults.jump_clock(7200)
    stamp = int((bench.time.now + 7200) * 1000)

    assert bench.ask(DUST, asset="XRP", timestamp=stamp).code == -5006


@pytest.mark.parametrize(("scope", "second"), [("asset", 200), ("account", 400)])
def test_dust_convert_cools_down_by_asset_or_by_account(
    new_bench: Callable[..., ExchangeBench], scope: str, second: int
) -> None:
    bench = new_bench(convert_cooldown=scope)
    account = bench.open(ADA="1", XRP="1", TRX="1")

    assert bench.ask(CONVERT, asset="ADA", targetAsset="USDT").status == 200
    assert bench.ask(CONVERT, asset="XRP", targetAsset="USDT").status == second
    account.deposit("ADA", 1)
    assert bench.ask(CONVERT, asset="ADA", targetAsset="USDT").code == -5006
    assert bench.ask(DUST, asset="TRX").status == 200, "the other endpoint has its own"


def test_the_margin_wallet_has_its_own_dust_and_its_own_log(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench()
    account = bench.open(ADA="1", margin={"XRP": "1"})

    (line,) = bench.ask(LIST, accountType="MARGIN").json["details"]
    assert line["asset"] == "XRP"
    assert bench.ask(DUST, accountType="MARGIN", asset="XRP").status == 200
    assert account.free("BNB", "MARGIN") > 0
    assert account.free("BNB") == 0
    assert bench.ask(LOG).json["total"] == 0
    assert bench.ask(LOG, accountType="MARGIN").json["total"] == 1


def test_an_account_without_margin_has_no_margin_wallet(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench()
    account = bench.open(ADA="1")

    assert bench.ask(LIST, accountType="MARGIN").code == -3003
    with pytest.raises(LookupError, match="no margin"):
        account.free("ADA", "MARGIN")


def test_the_decimal_context_of_a_test_does_not_change_the_exchange(
    new_bench: Callable[..., ExchangeBench],
) -> None:
    bench = new_bench()
    for name in ("alice", "bob"):
        bench.open(name, ADA="6.21", SHIB="399999.123456789012345678")
    plain = bench.ask(DUST, "bob", asset="ADA,SHIB")

    with localcontext(Context(prec=5, traps=[Inexact])):
        bench.exchange.accounts["alice"].deposit("ADA", "0.0012345678901234567890123456789012345")
        bench.exchange.accounts["alice"].withdraw("ADA", "0.0012345678901234567890123456789012345")
        strict = bench.ask(DUST, "alice", asset="ADA,SHIB")

    assert strict.json["totalTransfered"] == plain.json["totalTransfered"]
    assert bench.exchange.accounts["alice"].free("SHIB") == 0
