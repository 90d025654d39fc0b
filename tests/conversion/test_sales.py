"""What is too much for dust, sold by quote: by name, below a ceiling, at a checked price."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from binance_dust import (
    ConfigurationError,
    Converter,
    CooldownError,
    DustClient,
    NotSentError,
    OutcomeUnknownError,
    RejectedError,
)
from binance_dust._util.exact import to_moment
from binance_dust.conversion import Reason, Skipped
from binance_dust.conversion._account import HeldAsset
from binance_dust.conversion._sales import plan_sales, rule_against_now
from binance_dust.conversion._worth import Worth
from binance_dust.ledger import Kind
from binance_dust.models import ConvertPair, ConvertQuote
from binance_dust.sandbox import Permissions
from tests.conversion.far import DUST, entries_of, unsent
from tests.conversion.scene import DUST_OF_TWO, Scene, in_virtual_time
from tests.conversion.values import NOW, line, policy

D = Decimal
ACCEPT = "/sapi/v1/convert/acceptQuote"
STATUS = "/sapi/v1/convert/orderStatus"
PAIRS = "/sapi/v1/convert/exchangeInfo"
SELL: dict[str, Any] = {"above": "convert", "above_max": "1"}
"""Up to a BNB, which is worth hundreds of dollars."""


def scene_with(balances: dict[str, str], **rules: Any) -> Scene:
    return Scene(balances, volatility="0", **rules)


@in_virtual_time
async def test_what_is_too_much_is_sold_beside_dust() -> None:
    scene = scene_with(DUST_OF_TWO | {"LTC": "2"})
    async with scene.process(**SELL) as process:
        quote = await process.converter.quote()
        (sale,) = [each for each in quote.lines if each.sale]
        assert (sale.asset, sale.amount) == ("LTC", D(2))
        # The exchange takes 0.2 % by its price.
        assert D("0.001") < sale.fee_rate < D("0.003")
        assert "LTC, sold by quote" in str(quote)

        receipt = await process.converter.convert(quote)

        assert set(receipt.assets) == {"ADA", "XRP", "LTC"}
        (sold,) = [each for each in scene.alice.sales.values() if each.order_id]
        assert (sold.asset, sold.amount) == ("LTC", D(2))
        entries = await entries_of(process.ledger)
        assert [entry.kind for entry in entries] == [Kind.DUST, Kind.SALE]
        assert entries[1].client_id == sold.quote_id
        # It is not sent after the quote has expired.
        until = to_moment(sold.until_ms) + process.session.recv_window
        assert entries[1].expires_at == until
        assert (entries[1].transaction_id, entries[1].net) == (sold.order_id, sold.brings)
        assert scene.alice.free("BNB") == receipt.net
        totals = {each.key: each.net for each in await process.ledger.totals("kind")}
        assert totals["sale"] == sold.brings


@in_virtual_time
async def test_it_is_sold_without_any_dust_and_while_dust_cools_down() -> None:
    scene = scene_with({"LTC": "2", "ADA": "6.21"})
    async with scene.process(cooldown=3600, **SELL) as process:
        await process.converter.convert((await process.converter.quote()).only("ADA"))
        scene.alice.deposit("ADA", "6.21")

        quote = await process.converter.quote()
        receipt = await process.converter.convert(quote)

        assert [each.reason for each in quote.why_not("ADA")] == [Reason.COOLING_DOWN]
        assert receipt.assets == ("LTC",)


@in_virtual_time
async def test_nothing_is_sold_without_being_asked_for_by_name() -> None:
    scene = scene_with({"LTC": "2"})
    async with scene.process() as process:
        quote = await process.converter.quote()
        assert [each.reason for each in quote.why_not("LTC")] == [Reason.ABOVE_CEILING]

        def make(**options: Any) -> Converter:
            return Converter(process.client, ledger=process.ledger, **options)

        with pytest.raises(ConfigurationError, match="above_max"):
            make(above="convert")
        with pytest.raises(ConfigurationError, match="'convert' or None"):
            make(above="sell", above_max=1)
        with pytest.raises(ConfigurationError, match="'convert' or None"):
            make(above_max=1)
        with pytest.raises(ConfigurationError, match="above zero"):
            make(above="convert", above_max=0)
        with pytest.raises(ConfigurationError, match="spot wallet"):
            make(above="convert", above_max=1, account_type="MARGIN")
        with pytest.raises(TypeError, match="above_max"):
            make(above="convert", above_max=0.5)


@in_virtual_time
async def test_its_own_ceiling_its_minimum_and_keep_are_kept() -> None:
    scene = scene_with({"LTC": "2", "BTC": "0.5", "ETH": "0.01", "SOL": "1"}, quote_minimum="50")
    async with scene.process(keep=("SOL",), **SELL) as process:
        quote = await process.converter.quote()

    why = {each.asset: each for each in quote.skipped}
    assert quote.assets == ("LTC",)
    assert why["BTC"].reason is Reason.ABOVE_MAX
    assert "at most 1" in why["BTC"].detail
    assert why["ETH"].reason is Reason.NOT_SOLD
    assert why["ETH"].detail.startswith("at least 0.0")
    assert why["SOL"].reason is Reason.KEPT


@in_virtual_time
async def test_limits_that_cannot_be_read_are_not_needed() -> None:
    scene = scene_with({"ETH": "0.01", "LTC": "2"}, quote_minimum="50")
    scene.faults.fail(400, code=-1100, after_executing=False, endpoint=PAIRS)
    async with scene.process(**SELL) as process:
        quote = await process.converter.quote()

    assert quote.assets == ("LTC",)
    assert quote.why_not("ETH")[0].reason is Reason.NOT_SOLD


# --- the price -----------------------------------------------------------------------------------


PLANNED = line("LTC", amount=D(2), gross=D("0.2"), fee=D("0.0004"), net=D("0.1996"))


def offered(**changes: Any) -> ConvertQuote:
    given: dict[str, Any] = {
        "quote_id": "7",
        "from_amount": D(2),
        "to_amount": D("0.1996"),
        "valid_timestamp": NOW + timedelta(seconds=10),
    }
    return ConvertQuote(**given | changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"to_amount": D("0.25")}, None),
        ({"to_amount": D("0.191")}, None),
        ({"to_amount": D("0.1896")}, Reason.PRICE_MOVED),
        ({"to_amount": D("0.1899")}, Reason.FEE_TOO_HIGH),
        ({"from_amount": D("1.9")}, Reason.CHANGED),
        ({"quote_id": None}, Reason.CHANGED),
        ({"to_amount": D("1.1")}, Reason.ABOVE_MAX),
        ({"to_amount": D(1)}, None),
        ({"valid_timestamp": NOW + timedelta(seconds=1)}, Reason.REFUSED),
        ({"valid_timestamp": NOW + timedelta(seconds=1.5)}, None),
        ({"valid_timestamp": NOW}, Reason.REFUSED),
        ({"valid_timestamp": None}, None),
    ],
)
def test_an_offer_is_taken_only_if_it_keeps_the_rules(
    changes: dict[str, Any], reason: Reason | None
) -> None:
    rules = policy(above_max=D(1))

    found = rule_against_now(PLANNED, offered(**changes), rules, NOW)

    assert (found and found[0]) == reason


@in_virtual_time
async def test_a_price_that_moved_between_plan_and_sale_sells_nothing() -> None:
    scene = scene_with({"LTC": "2"})
    async with scene.process(**SELL) as process:
        quote = await process.converter.quote()
        scene.world.exchange.market.move_price("LTC", D("-0.1"))
        receipt = await process.converter.convert(quote)

    assert [each.reason for each in receipt.dropped] == [Reason.PRICE_MOVED]
    assert ACCEPT not in scene.asked


# --- outcomes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("executed", [True, False])
@in_virtual_time
async def test_a_lost_answer_of_a_sale_is_settled_by_its_order(executed: bool) -> None:
    scene = scene_with({"LTC": "2"})
    async with scene.process(**SELL) as process:
        quote = await process.converter.quote()
        scene.faults.lose_answer(after_executing=executed, endpoint=ACCEPT)
        with pytest.raises(OutcomeUnknownError):
            await process.converter.convert(quote)
        (entry,) = await process.converter.recover()

        assert entry.status == ("confirmed" if executed else "rejected")
        assert sum(1 for each in scene.alice.sales.values() if each.order_id) == executed
        if executed:
            assert entry.net == scene.alice.free("BNB")


@in_virtual_time
async def test_an_order_that_takes_long_is_waited_for_and_then_recovered() -> None:
    scene = scene_with({"LTC": "2"}, sale_seconds=30.0)
    async with scene.process(**SELL) as process:
        quote, clock = await process.converter.quote(), asyncio.get_running_loop().time
        began = clock()
        with pytest.raises(OutcomeUnknownError, match="not done yet"):
            await process.converter.convert(quote)
        # It is looked at six times, two seconds apart.
        assert 10 < clock() - began < 12
        (entry,) = await process.converter.recover()

        assert (entry.status, entry.net) == ("confirmed", scene.alice.free("BNB"))


@in_virtual_time
async def test_an_order_that_never_ends_stays_unknown_and_is_read_again() -> None:
    scene = scene_with({"LTC": "2"}, sale_seconds=3600.0)
    async with scene.process(**SELL) as process:
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()
        (entry,) = await process.converter.recover()
        assert (entry.status, entry.needs_resolve) == ("unknown", False)
        assert "PROCESS" in (entry.reason or "")


@in_virtual_time
async def test_an_order_that_failed_sold_nothing() -> None:
    scene = scene_with({"LTC": "2"})
    async with scene.process(**SELL) as process:
        quote = await process.converter.quote()

        def spend(path: str, body: bytes) -> bytes:
            if path.endswith("getQuote") and len(scene.alice.sales) > 1:
                scene.alice.withdraw("LTC", scene.alice.free("LTC"))
            return body

        scene.world.garble = spend
        receipt = await process.converter.convert(quote)
        (entry,) = await entries_of(process.ledger)

    assert [each.reason for each in receipt.dropped] == [Reason.NOT_DONE]
    assert "has failed" in receipt.dropped[0].detail
    assert (entry.status, entry.kind) == ("rejected", Kind.SALE)


@in_virtual_time
async def test_a_refusal_of_dust_does_not_keep_from_selling() -> None:
    scene = scene_with(DUST_OF_TWO | {"LTC": "2"})
    async with scene.process(**SELL) as process:
        quote = await process.converter.quote()
        scene.faults.fail(400, code=-5006, after_executing=False, endpoint=DUST)
        receipt = await process.converter.convert(quote)
        assert receipt.assets == ("LTC",)
        assert {each.asset for each in receipt.dropped} == {"ADA", "XRP"}

        scene.faults.fail(400, code=-5006, after_executing=False, endpoint=DUST)
        with pytest.raises(CooldownError):
            await process.convert_all()


# --- limits, and an asset without a second price -------------------------------------------------


class Refusing:
    """Refuses every price, and tells these limits."""

    def __init__(self, *pairs: ConvertPair) -> None:
        self.pairs = list(pairs)
        self.asked: list[str] = []

    async def convert_quote(self, *_: Any, **__: Any) -> ConvertQuote:
        self.asked.append("price")
        raise RejectedError("amount", code=-1130, status=400)

    async def convert_pairs(self, **_: Any) -> list[ConvertPair]:
        self.asked.append("limits")
        return self.pairs

    @property
    def client(self) -> DustClient:
        return cast("DustClient", self)


def pair(least: str | None, most: str | None, target: str = "BNB") -> ConvertPair:
    return ConvertPair(
        from_asset="LTC",
        to_asset=target,
        from_asset_min_amount=None if least is None else D(least),
        from_asset_max_amount=None if most is None else D(most),
    )


async def planned(client: DustClient, worth: Worth, *, most: str = "1") -> Any:
    """Plan the sale of two LTC that are worth 0.002 BTC together."""
    held = {"LTC": HeldAsset(asset="LTC", free=D(2), in_bitcoin=D("0.002"))}
    skipped = (Skipped(asset="LTC", amount=D(2), reason=Reason.ABOVE_CEILING),)
    return await plan_sales(client, policy(above_max=D(most)), worth, held, skipped)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([pair("2.1", "9")], "at least 2.1 can be sold"),
        ([pair("2", "9")], "amount"),
        ([pair("0.1", "1.9")], "at most 1.9 can be sold"),
        ([pair("0.1", "2")], "amount"),
        ([pair(None, None)], "amount"),
        ([pair("5", "9", "USDT"), pair("2.1", None)], "at least 2.1 can be sold"),
        ([pair("5", "9", "USDT")], "there is no sale of it for BNB"),
        ([], "there is no sale of it for BNB"),
    ],
)
async def test_a_refused_price_names_the_limit(pairs: list[ConvertPair], words: str) -> None:
    lines, (left,) = await planned(Refusing(*pairs).client, Worth(target=D(400)))

    assert (lines, left.reason, left.detail) == ((), Reason.NOT_SOLD, words)


async def test_what_is_too_much_or_has_no_second_price_is_not_even_asked_for() -> None:
    refusing = Refusing()

    _, (above,) = await planned(refusing.client, Worth(target=D(501)))
    assert (above.reason, refusing.asked) == (Reason.ABOVE_MAX, [])
    await planned(refusing.client, Worth(target=D(500)))
    assert refusing.asked == ["price", "limits"]
    refusing.asked.clear()
    # The price of a BTC is asked for, and there is none either.
    _, (unpriced,) = await planned(refusing.client, Worth())
    assert (unpriced.reason, refusing.asked) == (Reason.NO_PRICE, ["price"])


async def test_nothing_is_asked_if_nothing_is_too_much() -> None:
    refusing = Refusing()
    small = (Skipped(asset="ADA", amount=D(1), reason=Reason.TOO_SMALL),)

    assert await plan_sales(refusing.client, policy(above_max=D(1)), Worth(), {}, small) == (
        (),
        small,
    )
    assert refusing.asked == []


@in_virtual_time
async def test_a_price_that_takes_too_much_is_not_planned() -> None:
    scene = scene_with({"LTC": "2"}, quote_spread="0.2")
    async with scene.process(**SELL) as process:
        quote = await process.converter.quote()

    assert not quote
    assert [each.reason for each in quote.why_not("LTC")] == [Reason.FEE_TOO_HIGH]


@in_virtual_time
async def test_a_refusal_that_is_not_about_the_asset_is_met_once() -> None:
    scene = scene_with(DUST_OF_TWO | {"LTC": "2", "BCH": "1"})
    async with scene.process(**SELL) as process:
        quote = await process.converter.quote()
        assert sum(each.sale for each in quote.lines) == 2
        scene.faults.fail(401, code=-2015, after_executing=False, endpoint=ACCEPT, times=None)

        receipt = await process.converter.convert(quote)

    assert scene.asked.count(ACCEPT) == 1
    assert set(receipt.assets) == {"ADA", "XRP"}
    assert [each.reason for each in receipt.dropped] == [Reason.REFUSED, Reason.NOT_TRIED]


@pytest.mark.parametrize("dust", [DUST_OF_TWO, {}])
@in_virtual_time
async def test_an_error_that_is_no_refusal_ends_the_sales(dust: dict[str, str]) -> None:
    scene = scene_with(dust | {"LTC": "2", "BCH": "1", "SOL": "1"})
    async with scene.process(**SELL) as process:
        quote = await process.converter.quote()

        with unsent(ACCEPT) as failed:
            if not dust:
                with pytest.raises(NotSentError):
                    await process.converter.convert(quote)
                return
            receipt = await process.converter.convert(quote)

    assert len(failed) == 1
    assert [each.asset for each in receipt.dropped] == ["BCH", "LTC", "SOL"]
    assert {each.reason for each in receipt.dropped} == {Reason.NOT_TRIED}


@in_virtual_time
async def test_a_sale_that_is_refused_is_told_though_nothing_else_was_done() -> None:
    scene = scene_with({"LTC": "2"})
    async with scene.process(**SELL) as process:
        quote = await process.converter.quote()
        scene.faults.fail(400, code=-1102, after_executing=False, endpoint=ACCEPT)

        receipt = await process.converter.convert(quote)

    assert not receipt
    assert [(each.asset, each.reason) for each in receipt.dropped] == [("LTC", Reason.REFUSED)]


@in_virtual_time
async def test_what_is_refused_of_one_asset_does_not_keep_from_selling_the_next_one() -> None:
    scene = scene_with({"LTC": "2", "BCH": "1"})
    async with scene.process(**SELL) as process:
        quote = await process.converter.quote()
        scene.faults.fail(400, code=-1102, after_executing=False, endpoint=ACCEPT)

        receipt = await process.converter.convert(quote)

    assert receipt.assets == ("LTC",)
    assert [(each.asset, each.reason) for each in receipt.dropped] == [("BCH", Reason.REFUSED)]


@in_virtual_time
async def test_what_was_gathered_is_told_though_nothing_could_be_sold_after_it() -> None:
    scene = scene_with({"LTC": "2"})
    scene.alice.deposit("DOGE", "20", "FUNDING")
    scene.alice.permissions = Permissions(universal_transfer=True)
    async with scene.process(gather=True, **SELL) as process:
        quote = await process.converter.quote()
        scene.world.exchange.market.list_asset("DOGE", convertible=False)

        with unsent(ACCEPT):
            receipt = await process.converter.convert(quote)

    assert [line.asset for line in receipt.gathered] == ["DOGE"]
    assert [(each.asset, each.reason) for each in receipt.dropped] == [
        ("DOGE", Reason.UNSUPPORTED),
        ("LTC", Reason.NOT_TRIED),
    ]
