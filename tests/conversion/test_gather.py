"""Dust of the funding wallet: planned by worths, moved once, converted in the spot wallet."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from binance_dust import (
    ConfigurationError,
    Converter,
    GuardError,
    NotSentError,
    OutcomeUnknownError,
)
from binance_dust.conversion import Reason
from binance_dust.conversion._account import HeldAsset
from binance_dust.conversion._gather import plan_gather
from binance_dust.conversion._worth import Worth
from binance_dust.ledger import Kind
from binance_dust.models import FundingAsset
from binance_dust.sandbox import Permissions
from tests.conversion.far import ASSETS, DUST, LIST, entries_of, unsent
from tests.conversion.scene import DUST_OF_TWO, Scene, in_virtual_time
from tests.conversion.values import policy

D = Decimal
TRANSFER = "POST /sapi/v1/asset/transfer"
WORTH = Worth(limit=D(10), bitcoin=D(100_000), target=D(100))


def scene_with(funding: dict[str, str], spot: dict[str, str] | None = None, **rules: Any) -> Scene:
    """Open an account with something in its funding wallet, and a key that may move it."""
    scene = Scene(DUST_OF_TWO if spot is None else spot, volatility="0", **rules)
    for asset, amount in funding.items():
        scene.alice.deposit(asset, amount, "FUNDING")
    scene.alice.permissions = Permissions(universal_transfer=True)
    return scene


# --- the plan: values in, values out -------------------------------------------------------------


def row(asset: str, worth: str, free: str = "1", **parts: str) -> FundingAsset:
    amounts = {name: D(amount) for name, amount in parts.items()}
    return FundingAsset(asset=asset, free=D(free), btc_valuation=D(worth), **amounts)


@pytest.mark.parametrize(
    ("asset", "reason"),
    [
        (row("ADA", "0.00009"), None),
        (row("ADA", "0.0001"), Reason.ABOVE_CEILING),
        (row("ADA", "0"), Reason.TOO_SMALL),
        (FundingAsset(asset="ADA", free=D(1)), Reason.TOO_SMALL),
        (row("BNB", "0.00001"), Reason.TARGET),
        (row("LTC", "0.00001"), Reason.KEPT),
        (row("ADA", "0.00001", free="0"), "nothing"),
        # Only what is free is moved, and only that has to be below the ceiling.
        (row("ADA", "0.00018", locked="1"), None),
        # Below min_value, which is 0.0005 of the target.
        (row("ADA", "0.000004"), Reason.BELOW_MIN_VALUE),
        # In the spot wallet there is as much, or it is not on the list there.
        (row("XRP", "0.00004"), None),
        (row("XRP", "0.00006"), Reason.ABOVE_CEILING),
        (row("SHIB", "0.00001"), Reason.UNSUPPORTED),
        # What is in the spot wallet is in an order, so the list does not show it.
        (row("DOT", "0.00001"), None),
    ],
)
def test_what_is_gathered_and_what_stays(asset: FundingAsset, reason: Reason | str | None) -> None:
    held = {name: _held(name, "0.00005") for name in ("XRP", "SHIB")}
    held["DOT"] = HeldAsset(asset="DOT", free=D(0), unusable={Reason.IN_ORDER: D(1)})
    rules = policy(keep=frozenset({"LTC"}), min_value=D("0.0005"))

    lines, skipped = plan_gather([asset], rules, WORTH, held, frozenset({"XRP"}))

    if reason is None:
        assert [(line.asset, line.amount) for line in lines] == [(asset.asset, asset.free)]
    else:
        assert lines == ()
        assert [each.reason for each in skipped] == ([] if reason == "nothing" else [reason])


def test_a_second_row_of_an_asset_does_not_mean_twice_as_much() -> None:
    rows = [row("ADA", "0.00001"), row("ADA", "0.00001", free="2")]

    lines, _ = plan_gather(rows, policy(), WORTH, {}, frozenset())

    assert [(line.asset, line.amount) for line in lines] == [("ADA", D(1))]


def _held(asset: str, worth: str) -> Any:
    return HeldAsset(asset=asset, free=D(1), in_bitcoin=D(worth))


def test_without_a_ceiling_to_compare_with_nothing_is_gathered() -> None:
    for worth in (Worth(), Worth(limit=D(10)), Worth(bitcoin=D(100_000))):
        lines, (skipped,) = plan_gather([row("ADA", "0.00001")], policy(), worth, {}, frozenset())

        assert (lines, skipped.reason) == ((), Reason.NO_PRICE)


# --- against the exchange ------------------------------------------------------------------------


@in_virtual_time
async def test_funding_dust_is_moved_then_converted_with_the_rest() -> None:
    scene = scene_with({"DOGE": "20", "ADA": "0.5", "BTC": "0.5"})
    async with scene.process(gather=True) as process:
        quote = await process.converter.quote()
        assert [(line.asset, line.amount) for line in quote.gather] == [
            ("ADA", D("0.5")),
            ("DOGE", D(20)),
        ]
        assert quote.why_not("BTC")[0].reason is Reason.ABOVE_CEILING
        assert "first: DOGE 20 from the funding" in str(quote)

        receipt = await process.converter.convert(quote)

        assert set(receipt.assets) == {"ADA", "DOGE", "XRP"}
        assert [line.asset for line in receipt.gathered] == ["ADA", "DOGE"]
        assert receipt.complete
        (done,) = scene.world.conversions()
        assert {line.asset: line.amount for line in done.rows}["ADA"] == D("6.71")
        assert scene.alice.free("DOGE", "FUNDING") == 0
        entries = await entries_of(process.ledger)
        assert [entry.kind for entry in entries] == [Kind.TRANSFER, Kind.TRANSFER, Kind.DUST]
        assert [entry.transaction_id for entry in entries[:2]] == [
            each.transaction_id for each in scene.alice.transfers
        ]
        (total,) = await process.ledger.totals("month")
        assert (total.count, total.net) == (1, receipt.net)


@in_virtual_time
async def test_an_account_with_nothing_but_funding_dust() -> None:
    """The exchange's list is empty, so the price of a BTC comes from a quote that nobody takes."""
    scene = scene_with({"DOGE": "20"}, spot={"BNB": "0"})
    async with scene.process(gather=True, target="USDT") as process:
        quote = await process.converter.quote()
        assert (quote.lines, quote.assets, bool(quote)) == ((), ("DOGE",), True)

        receipt = await process.converter.convert(quote)

        assert receipt.assets == ("DOGE",)
        assert scene.alice.sales == {}


@in_virtual_time
async def test_without_the_permission_nothing_is_sent_and_it_is_said() -> None:
    scene = scene_with({"DOGE": "20"})
    scene.alice.permissions = Permissions()
    async with scene.process(gather=True) as process:
        quote = await process.converter.quote()
        (why,) = quote.why_not("DOGE")
        receipt = await process.converter.convert(quote)

    assert (why.reason, why.detail) == (Reason.NOT_PERMITTED, "permitsUniversalTransfer")
    assert set(receipt.assets) == {"ADA", "XRP"}
    assert scene.alice.transfers == []


@in_virtual_time
async def test_a_quote_is_narrowed_for_both_wallets() -> None:
    scene = scene_with({"DOGE": "20", "ADA": "0.5"})
    async with scene.process(gather=True) as process:
        quote = await process.converter.quote()

        narrow = quote.only("ADA")
        assert ([line.asset for line in narrow.lines], len(narrow.gather)) == (["ADA"], 1)
        assert quote.without("DOGE").assets == ("ADA", "XRP")
        assert [each.reason for each in quote.without("DOGE").why_not("DOGE")] == [Reason.LEFT_OUT]
        receipt = await process.converter.convert(quote.only("DOGE"))
        assert receipt.assets == ("DOGE",)
        assert scene.alice.free("ADA") == D("6.21")


@in_virtual_time
async def test_what_has_changed_in_the_funding_wallet_stays_there() -> None:
    scene = scene_with({"DOGE": "20", "TRX": "7.5"})
    async with scene.process(gather=True) as process:
        quote = await process.converter.quote()
        scene.alice.deposit("DOGE", "5", "FUNDING")
        receipt = await process.converter.convert(quote)

        assert [line.asset for line in receipt.gathered] == ["TRX"]
        assert [(each.asset, each.reason) for each in receipt.dropped] == [("DOGE", Reason.CHANGED)]


@in_virtual_time
async def test_what_is_refused_in_the_spot_wallet_is_said_to_be_there() -> None:
    scene = scene_with({"DOGE": "20"})
    async with scene.process(gather=True) as process:
        quote = await process.converter.quote()
        scene.world.exchange.market.list_asset("DOGE", convertible=False)
        receipt = await process.converter.convert(quote)

    (dropped,) = receipt.dropped
    assert (dropped.asset, dropped.reason) == ("DOGE", Reason.UNSUPPORTED)
    assert "in the spot wallet now" in dropped.detail
    assert scene.alice.free("DOGE") == 20


@in_virtual_time
async def test_nothing_is_brought_while_the_account_cools_down() -> None:
    scene = scene_with({"DOGE": "20"})
    async with scene.process(gather=True, cooldown=3600) as process:
        await process.converter.convert((await process.converter.quote()).only("ADA"))

        quote = await process.converter.quote()

        assert (bool(quote), quote.eligible_at is not None) == (False, True)
        assert [each.reason for each in quote.why_not("DOGE")] == [Reason.COOLING_DOWN]


@pytest.mark.parametrize("executed", [True, False])
@in_virtual_time
async def test_a_lost_answer_of_a_transfer_is_settled_by_its_history(executed: bool) -> None:
    scene = scene_with({"DOGE": "20"})
    async with scene.process(gather=True) as process:
        scene.faults.lose_answer(after_executing=executed, endpoint=TRANSFER.split()[1])
        quote = await process.converter.quote()
        with pytest.raises(OutcomeUnknownError) as caught:
            await process.converter.convert(quote)

        assert caught.value.entry_ids == (1,)
        assert DUST not in scene.asked
        with pytest.raises(GuardError, match="entry 1"):
            await process.converter.convert(await process.converter.quote())
        (entry,) = await process.converter.recover()

        assert entry.status == ("confirmed" if executed else "rejected")
        assert [each.transaction_id for each in scene.alice.transfers] == (
            [entry.transaction_id] if executed else []
        )
        receipt = await process.convert_all()
        assert "DOGE" in receipt.assets
        assert len(scene.alice.transfers) == 1


@in_virtual_time
async def test_an_open_transfer_is_no_obstacle_to_a_converter_that_gathers_nothing() -> None:
    scene = scene_with({"DOGE": "20"})
    async with scene.process(gather=True) as process:
        scene.faults.lose_answer(after_executing=False, endpoint=TRANSFER.split()[1])
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()
        plain = Converter(process.client, ledger=process.ledger)

        receipt = await plain.convert(await plain.quote())

        assert receipt.assets == ("ADA", "XRP")
        assert [entry.open for entry in await entries_of(process.ledger)] == [True, False]


@in_virtual_time
async def test_what_is_gathered_does_not_wait_for_what_cools_down_in_the_spot_wallet() -> None:
    scene = scene_with({}, {"ADA": "6.21"})
    async with scene.process(gather=True, target="USDT", cooldown=3600) as process:
        await process.convert_all()
        scene.alice.deposit("ADA", "6.21")
        scene.alice.deposit("DOGE", "20", "FUNDING")
        quote = await process.converter.quote()
        assert [each.reason for each in quote.why_not("ADA")] == [Reason.COOLING_DOWN]
        assert (quote.lines, quote.assets, quote.eligible_at) == ((), ("DOGE",), None)

        receipt = await process.converter.convert(quote)

    assert receipt.assets == ("DOGE",)


@in_virtual_time
async def test_the_transfer_of_somebody_else_is_not_taken_for_ours() -> None:
    """The owner moves as much at the same time: which of the two is ours can't be known."""
    scene = scene_with({"DOGE": "20"})
    async with scene.process(gather=True) as process:
        quote = await process.converter.quote()
        scene.faults.lose_answer(after_executing=True, endpoint=TRANSFER.split()[1])
        with pytest.raises(OutcomeUnknownError):
            await process.converter.convert(quote)
        scene.alice.deposit("DOGE", "20", "FUNDING")
        await process.client.transfer("DOGE", D(20))
        (entry,) = await process.converter.recover()

    assert (entry.status, entry.needs_resolve) == ("unknown", True)


@in_virtual_time
async def test_gathering_is_for_the_spot_wallet() -> None:
    scene = scene_with({})
    async with scene.process() as process:
        with pytest.raises(ConfigurationError, match="spot wallet"):
            Converter(process.client, ledger=process.ledger, account_type="MARGIN", gather=True)
        with pytest.raises(TypeError, match="gather"):
            Converter(process.client, ledger=process.ledger, gather="yes")  # type: ignore[arg-type]
    assert ASSETS not in scene.asked


@in_virtual_time
async def test_nothing_more_is_asked_than_there_is_to_know() -> None:
    """An empty funding wallet ends it; the permission is asked for if something is to be moved."""
    for funding, asked in (({}, False), ({"BTC": "0.5"}, False), ({"DOGE": "20"}, True)):
        scene = scene_with(funding)
        async with scene.process(gather=True, min_value="0.0001") as process:
            await process.converter.quote()
            assert ("/sapi/v1/account/apiRestrictions" in scene.asked) is asked


@in_virtual_time
async def test_a_price_in_the_target_is_asked_for_only_if_a_rule_needs_it() -> None:
    """The ceiling needs one quote; a worth in the target needs two more."""
    for min_value, quotes in (("0", 1), ("0.0001", 3)):
        scene = scene_with({"DOGE": "20"}, spot={"BNB": "0"})
        async with scene.process(gather=True, min_value=min_value) as process:
            await process.converter.quote()
        assert scene.asked.count("/sapi/v1/convert/getQuote") == quotes


@in_virtual_time
async def test_min_value_is_asked_of_what_is_gathered() -> None:
    scene = scene_with({"DOGE": "20"}, spot={"BNB": "0"})
    async with scene.process(gather=True, min_value="100", target="USDT") as process:
        quote = await process.converter.quote()

    assert [each.reason for each in quote.why_not("DOGE")] == [Reason.BELOW_MIN_VALUE]


@in_virtual_time
async def test_a_refusal_that_is_not_about_the_asset_is_met_once() -> None:
    scene = scene_with({"DOGE": "20", "ADA": "0.5"})
    async with scene.process(gather=True) as process:
        quote = await process.converter.quote()
        scene.faults.fail(401, code=-2015, after_executing=False, endpoint=TRANSFER, times=None)

        receipt = await process.converter.convert(quote)

    assert scene.asked.count("/sapi/v1/asset/transfer") == 1
    assert scene.asked.count(LIST) == 1, "nothing came, so the plan is the same"
    assert set(receipt.assets) == {"ADA", "XRP"}
    assert [(each.asset, each.reason) for each in receipt.dropped] == [
        ("ADA", Reason.REFUSED),
        ("DOGE", Reason.NOT_TRIED),
    ]


@in_virtual_time
async def test_an_error_that_is_no_refusal_ends_it_before_anything_was_gathered() -> None:
    scene = scene_with({"DOGE": "20", "ADA": "0.5"})
    async with scene.process(gather=True) as process:
        quote = await process.converter.quote()

        with unsent("/sapi/v1/asset/transfer") as failed, pytest.raises(NotSentError):
            await process.converter.convert(quote)

    assert len(failed) == 1
    assert DUST not in scene.asked


@in_virtual_time
async def test_what_is_refused_of_one_asset_does_not_keep_the_next_one() -> None:
    scene = scene_with({"DOGE": "20", "ADA": "0.5"})
    async with scene.process(gather=True) as process:
        quote = await process.converter.quote()
        scene.faults.fail(400, code=-1102, after_executing=False, endpoint=TRANSFER)

        receipt = await process.converter.convert(quote)

    assert [line.asset for line in receipt.gathered] == ["DOGE"]
    assert ("ADA", Reason.REFUSED) in [(each.asset, each.reason) for each in receipt.dropped]


@in_virtual_time
async def test_what_came_to_the_spot_wallet_meanwhile_is_not_converted_with_it() -> None:
    scene = scene_with({"DOGE": "20"})
    async with scene.process(gather=True) as process:
        quote = await process.converter.quote()

        def deposit(path: str, body: bytes) -> bytes:
            if path == "/sapi/v1/asset/transfer":
                scene.alice.deposit("DOGE", "1")
            return body

        scene.world.garble = deposit
        receipt = await process.converter.convert(quote)

    assert "DOGE" not in receipt.assets
    (left,) = [each for each in receipt.dropped if each.asset == "DOGE"]
    assert left.reason is Reason.CHANGED
    assert left.detail == "20 expected, 21 listed, it is in the spot wallet now"


@in_virtual_time
async def test_an_error_that_is_no_refusal_keeps_the_rest_where_it_is() -> None:
    scene = scene_with({"ADA": "0.5", "DOGE": "20", "SHIB": "9000", "TRX": "7.5"})
    async with scene.process(gather=True) as process:
        quote = await process.converter.quote()
        assert len(quote.gather) == 4

        with unsent("/sapi/v1/asset/transfer", after=1) as failed:
            receipt = await process.converter.convert(quote)

    assert len(failed) == 1
    assert [line.asset for line in receipt.gathered] == ["ADA"]
    assert [(each.asset, each.reason) for each in receipt.dropped] == [
        (asset, Reason.NOT_TRIED) for asset in ("DOGE", "SHIB", "TRX")
    ]


@in_virtual_time
async def test_what_was_gathered_keeps_to_the_rules_of_the_list() -> None:
    """Only there, its fee shows."""
    scene = scene_with({"DOGE": "20"})
    async with scene.process(gather=True, max_fee_rate="0.01") as process:
        receipt = await process.convert_all()

    (left,) = receipt.dropped
    assert (left.asset, left.reason) == ("DOGE", Reason.FEE_TOO_HIGH)
    assert left.detail == "2.00 %, at most 1.00 % allowed, it is in the spot wallet now"


@in_virtual_time
async def test_nothing_is_brought_if_the_account_has_converted_since_the_quote() -> None:
    scene = scene_with({"DOGE": "20"})
    async with scene.process(gather=True, cooldown=3600) as process:
        quote = (await process.converter.quote()).only("DOGE")
        assert not quote.lines
        other = Converter(process.client, ledger=process.ledger)
        await other.convert(await other.quote())

        with pytest.raises(GuardError, match="cooling down"):
            await process.converter.convert(quote)

    assert "/sapi/v1/asset/transfer" not in scene.asked
