"""A living account: what can be converted, what it comes to, what is refused, what the log says."""

from __future__ import annotations

from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, Inexact, localcontext
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_dust.sandbox import Holding

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import Bench

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


# What is there


def test_assets_are_exact_and_only_the_positive_ones(new_bench: Callable[..., Bench]) -> None:
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
    (only,) = bench.ask(ASSETS, asset="BNB", needBtcValuation="true").json
    assert only["btcValuation"] == str(half_up(Decimal("898.09061626") * 910 / 96000))
    assert bench.ask(ASSETS, asset="ADA").json == []


def test_a_preview_matches_the_exchanges_own_sample(new_bench: Callable[..., Bench]) -> None:
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


def test_previews_round_half_up_and_conversions_cut(new_bench: Callable[..., Bench]) -> None:
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
    # As in a published row of 2021, the fee falls between two steps: shown up, carried out down.
    assert (lines["GBP"]["toBNB"], lines["GBP"]["exchange"]) == ("0.00072429", "0.00001449")
    assert rows[1]["serviceChargeAmount"] == "0.00001448"


def test_the_callers_own_price_makes_the_preview(new_bench: Callable[..., Bench]) -> None:
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
def test_a_price_of_the_callers_is_a_number_above_zero_in_twenty_digits(
    bench: Bench, price: str, code: int | None
) -> None:
    reply = bench.ask(QUERY, targetAsset="BTC", dustQuotaAssetToTargetAssetPrice=price)

    assert reply.code == code


def test_only_what_can_be_converted_now_is_listed(new_bench: Callable[..., Bench]) -> None:
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


def test_a_conversion_moves_balances_to_the_digit(new_bench: Callable[..., Bench]) -> None:
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
def test_what_the_preview_lists_converts_within_one_step_of_it(
    new_bench: Callable[..., Bench], holdings: dict[str, Decimal], target: str
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


def ask_preview(bench: Bench, target: str) -> list[dict[str, str]]:
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
def test_one_asset_that_can_not_be_converted_fails_the_batch(
    new_bench: Callable[..., Bench], asset: str, code: int, words: str
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


def test_a_minimum_and_a_greatest_number_of_assets_are_rules(
    new_bench: Callable[..., Bench],
) -> None:
    bench = new_bench(minimum="0.5", max_assets=2)
    bench.open(ADA="1", XRP="1", TRX="20", DOGE="20")

    assert bench.ask(DUST, asset="ADA").code == -5005
    assert bench.ask(DUST, asset="XRP,TRX,DOGE").code == -1130
    assert bench.ask(DUST, asset="XRP,TRX").status == 200


def test_each_asset_may_have_a_fee_of_its_own(new_bench: Callable[..., Bench]) -> None:
    bench = new_bench()
    bench.exchange.market.list_asset("ADA", fee="0.025")
    bench.open(ADA="1", KOGE="0.01")

    lines = ask_preview(bench, "USDT")

    assert [(line["asset"], line["exchange"]) for line in lines] == [
        ("ADA", "0.01128"),
        ("KOGE", "0.0479"),
    ]


# Prices


def test_prices_move_by_seed_within_their_bounds(new_bench: Callable[..., Bench]) -> None:
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
def test_a_price_that_moved_by_a_twentieth_stops_the_conversion(
    new_bench: Callable[..., Bench], part: str, converts: bool
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


def test_a_moved_price_may_be_answered_with_nothing_converted(
    new_bench: Callable[..., Bench],
) -> None:
    bench = new_bench(price_moved_code=None)
    account = bench.open(ADA="1")
    bench.ask(LIST)
    bench.exchange.market.move_price("ADA", "0.1")

    reply = bench.ask(DUST, asset="ADA")

    assert reply.json == {"totalServiceCharge": "0", "totalTransfered": "0", "transferResult": []}
    assert account.free("ADA") == 1
    bench.time.pass_by(301)
    assert bench.ask(DUST, asset="ADA").json["transferResult"], "nobody remembers the old price"


# Cooldowns


@pytest.mark.parametrize("code", [-5006, 32110])
def test_an_account_cools_down_after_a_conversion(
    new_bench: Callable[..., Bench], code: int
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


def test_moving_the_exchanges_clock_warms_nobody(new_bench: Callable[..., Bench]) -> None:
    bench = new_bench()
    bench.open(ADA="1", XRP="1")
    bench.ask(DUST, asset="ADA")

    bench.exchange.faults.jump_clock(7200)
    stamp = int((bench.time.now + 7200) * 1000)

    assert bench.ask(DUST, asset="XRP", timestamp=stamp).code == -5006


@pytest.mark.parametrize(("scope", "second"), [("asset", 200), ("account", 400)])
def test_dust_convert_cools_down_by_asset_or_by_account(
    new_bench: Callable[..., Bench], scope: str, second: int
) -> None:
    bench = new_bench(convert_cooldown=scope)
    account = bench.open(ADA="1", XRP="1", TRX="1")

    assert bench.ask(CONVERT, asset="ADA", targetAsset="USDT").status == 200
    assert bench.ask(CONVERT, asset="XRP", targetAsset="USDT").status == second
    account.deposit("ADA", 1)
    assert bench.ask(CONVERT, asset="ADA", targetAsset="USDT").code == -5006
    assert bench.ask(DUST, asset="TRX").status == 200, "the other endpoint has its own"


# The log


def test_the_log_tells_what_was_converted(new_bench: Callable[..., Bench]) -> None:
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
def test_where_the_log_names_the_target_is_a_rule(
    new_bench: Callable[..., Bench], place: str, in_group: bool, in_detail: bool
) -> None:
    bench = new_bench(log_target=place)
    bench.open(ADA="1")
    bench.ask(DUST, asset="ADA")

    (group,) = bench.ask(LOG).json["userAssetDribblets"]

    assert ("targetAsset" in group) is in_group
    assert ("targetAsset" in group["userAssetDribbletDetails"][0]) is in_detail


def test_the_log_holds_the_last_hundred_and_counts_them_all(
    new_bench: Callable[..., Bench],
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


def test_the_log_wants_both_bounds_or_none(new_bench: Callable[..., Bench]) -> None:
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


def test_a_conversion_may_take_its_time_to_show(new_bench: Callable[..., Bench]) -> None:
    bench = new_bench(log_lag=5.0)
    bench.open(ADA="1")
    bench.ask(DUST, asset="ADA")

    assert bench.ask(LOG).json["total"] == 0
    bench.time.pass_by(5)
    assert bench.ask(LOG).json["total"] == 1


def test_the_margin_wallet_has_its_own_dust_and_its_own_log(
    new_bench: Callable[..., Bench],
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


def test_a_wallet_without_margin_can_not_be_asked_for(new_bench: Callable[..., Bench]) -> None:
    bench = new_bench()
    account = bench.open(ADA="1")

    assert bench.ask(LIST, accountType="MARGIN").code == -3003
    with pytest.raises(LookupError, match="no margin"):
        account.free("ADA", "MARGIN")


# Amounts as tests write them


@pytest.mark.parametrize("wrong", [1.5, True])
def test_an_amount_that_is_not_exact_is_refused(bench: Bench, wrong: Any) -> None:
    with pytest.raises(TypeError):
        bench.exchange.accounts["alice"].deposit("ADA", wrong)


@pytest.mark.parametrize("wrong", ["-1", "NaN", "Infinity", "many"])
def test_an_amount_that_is_none_is_refused(bench: Bench, wrong: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        bench.exchange.accounts["alice"].deposit("ADA", wrong)


def test_balances_follow_what_a_test_does(new_bench: Callable[..., Bench]) -> None:
    bench = new_bench()
    account = bench.open(ADA="1")

    account.deposit("ADA", "0.5")
    account.withdraw("ADA", "0.2")
    account.hold("XRP", Holding("2", locked="1"))

    rows = {row["asset"]: (row["free"], row["locked"]) for row in bench.ask(ASSETS).json}
    assert rows == {"ADA": ("1.3", "0"), "XRP": ("2", "1")}
    with pytest.raises(ValueError, match="amount"):
        account.withdraw("ADA", 2)


def test_the_exchange_counts_as_ever_in_whatever_context_a_test_counts(
    new_bench: Callable[..., Bench],
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
