"""The calls of one conversion: one batch without its culprits, or one asset after another."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust import Converter, CooldownError, NotConvertibleError, OutcomeUnknownError
from binance_dust.conversion import Reason
from binance_dust.conversion._run import CulpritSearch
from tests.conversion.far import CONVERT, DUST, check_books, entries_of
from tests.conversion.scene import DUST_OF_TWO, Scene, in_virtual_time

D = Decimal


@given(
    size=st.integers(1, 25),
    data=st.data(),
    told=st.sampled_from(["by name", "by the list", "not at all"]),
)
def test_culprits_are_found_with_one_success_only(
    size: int, data: st.DataObject, told: str
) -> None:
    assets = tuple(f"A{n}" for n in range(size))
    most = size if told != "not at all" else min(1, size)
    guilty = data.draw(st.sets(st.sampled_from(assets), max_size=most))
    search, attempts = CulpritSearch(assets), 0

    while batch := search.batch:
        attempts += 1
        found = guilty & set(batch)
        if not found:
            search.succeeded()
            break
        search.refused(
            tuple(found)[:1] if told == "by name" else batch,
            tuple(found) if told == "by the list" else (),
        )

    # The one batch that went through is all that can be converted.
    assert set(batch) == set(assets) - guilty
    assert set(search.dropped) == guilty
    assert attempts <= size + 1


def test_a_refused_batch_of_one_is_dropped_without_a_name() -> None:
    search = CulpritSearch(("A",))

    search.refused(())

    assert (search.batch, search.dropped) == ((), ["A"])


def test_what_a_refusal_names_is_dropped_at_once_unless_it_names_all() -> None:
    search = CulpritSearch(("A", "B", "C"))

    search.refused(("C", "X"))
    assert (search.batch, search.dropped) == (("A", "B"), ["C"])
    search.refused(("A", "B"), unlisted=("B", "X"))
    assert (search.batch, search.dropped) == (("A",), ["C", "B"])


def test_suspects_are_left_out_in_the_given_order() -> None:
    search = CulpritSearch(("A", "B", "C"), suspects=["C", "A", "B"])

    search.refused(("A", "B", "C"))
    assert search.batch == ("A", "B")
    search.refused(("A", "B"))
    assert search.batch == ("B", "C")


def test_two_unnamed_culprits_are_given_up_with_nothing_converted() -> None:
    assets = tuple("ABCDE")
    search, tried = CulpritSearch(assets), []

    while batch := search.batch:
        tried.append(batch)
        assert {"B", "D"} & set(batch)
        search.refused(batch)

    assert len(tried) == 6
    assert search.dropped == []


TWENTY = [
    "ADA", "AR", "ATOM", "AVAX", "BCH", "DOGE", "DOT", "ETH", "FIL", "LINK",
    "LTC", "NEAR", "PEPE", "SHIB", "SOL", "TRX", "UNI", "USDC", "XLM", "XRP",
]  # fmt: skip


@in_virtual_time
async def test_an_unsupported_asset_among_twenty_is_left_out_beforehand() -> None:
    scene = Scene(dict.fromkeys(TWENTY, "0.0001") | {"PEPE": "9", "SHIB": "9"}, volatility="0")
    scene.world.exchange.market.list_asset("AVAX", convertible=False)
    async with scene.process() as process:
        quote = await process.converter.quote()

        receipt = await process.converter.convert(quote)

        assert len(scene.sent) == 1
        assert set(receipt.assets) == set(TWENTY) - {"AVAX"}
        assert quote.why_not("AVAX")[0].reason is Reason.UNSUPPORTED
        await check_books(scene.world, process.ledger)


@pytest.mark.parametrize("culprit", ["PEPE", "ETH", "BCH"])
@in_virtual_time
async def test_a_culprit_that_is_listed_is_dropped_and_the_cooldown_is_not_spent(
    culprit: str,
) -> None:
    scene = Scene(dict.fromkeys(TWENTY, "0.0001") | {"PEPE": "9", "SHIB": "9"}, volatility="0")
    scene.world.lies.add(culprit)
    async with scene.process() as process:
        receipt = await process.convert_all()

        # The exchange's own cooldown would have refused a second batch.
        (done,) = scene.world.conversions()
        assert {row.asset for row in done.rows} == set(TWENTY) - {culprit}
        assert set(receipt.assets) == set(TWENTY) - {culprit}
        ((asset, reason),) = [(each.asset, each.reason) for each in receipt.dropped]
        assert (asset, reason) == (culprit, Reason.REFUSED)
        statuses = [entry.status for entry in await entries_of(process.ledger)]
        assert statuses == ["rejected"] * (len(scene.sent) - 1) + ["confirmed"]
        assert receipt.entry_ids == tuple(range(1, len(scene.sent) + 1))
        await check_books(scene.world, process.ledger)


@in_virtual_time
async def test_assets_that_leave_the_list_after_the_quote_are_dropped_at_the_second_try() -> None:
    scene = Scene(DUST_OF_TWO | {"LTC": "0.01", "SOL": "0.01"})
    async with scene.process() as process:
        quote = await process.converter.quote()
        scene.world.exchange.market.list_asset("LTC", convertible=False)
        scene.world.exchange.market.list_asset("ADA", convertible=False)

        receipt = await process.converter.convert(quote)

        assert set(receipt.assets) == {"XRP", "SOL"}
        assert len(scene.sent) == 2
        # Each says why, in the exchange's own words.
        assert {each.asset for each in receipt.dropped} == {"ADA", "LTC"}
        assert {each.detail for each in receipt.dropped} == {
            "Don't allow transfer to micro assets."
        }


@in_virtual_time
async def test_if_no_asset_can_be_converted_the_refusal_says_that_nothing_is_spent() -> None:
    scene = Scene()
    async with scene.process() as process:
        quote = await process.converter.quote()
        for asset in quote.assets:
            scene.world.exchange.market.list_asset(asset, convertible=False)

        with pytest.raises(NotConvertibleError) as caught:
            await process.converter.convert(quote)

        assert caught.value.__notes__ == ["nothing was converted, and the cooldown is not spent"]
        statuses = [entry.status for entry in await entries_of(process.ledger)]
        assert set(statuses) == {"rejected"}


@in_virtual_time
async def test_two_listed_culprits_are_given_up_with_nothing_converted() -> None:
    scene = Scene(DUST_OF_TWO | {"LTC": "0.01", "SOL": "0.01"})
    scene.world.lies |= {"LTC", "ADA"}
    async with scene.process() as process:
        with pytest.raises(NotConvertibleError) as caught:
            await process.convert_all()

        assert "more than one" in caught.value.__notes__[0]
        assert scene.world.conversions() == []
        # Without the two it works at once, since nothing was spent.
        quote = await process.converter.quote()
        assert (await process.converter.convert(quote.without("LTC", "ADA"))).complete


@in_virtual_time
async def test_one_by_one_a_refused_asset_is_dropped_and_the_others_go_on() -> None:
    scene = Scene(DUST_OF_TWO | {"LTC": "0.01"})
    scene.world.lies.add("LTC")
    async with scene.process(target="USDT") as process:
        receipt = await process.convert_all()

        assert receipt.assets == ("ADA", "XRP")
        assert [each.asset for each in receipt.dropped] == ["LTC"]
        assert [entry.status for entry in await entries_of(process.ledger)] == [
            "confirmed",
            "rejected",
            "confirmed",
        ]
        scene.world.lies |= {"TRX"}
        scene.alice.deposit("TRX", "1")
        with pytest.raises(NotConvertibleError):
            await process.convert_all()


@in_virtual_time
async def test_one_by_one_a_cooldown_stops_the_rest_and_the_receipt_says_so() -> None:
    scene = Scene(DUST_OF_TWO | {"LTC": "0.01"}, convert_cooldown="account")
    async with scene.process(target="USDT") as process:
        receipt = await process.convert_all()

        assert receipt.assets == ("ADA",)
        assert [(each.asset, each.reason) for each in receipt.dropped] == [
            ("LTC", Reason.REFUSED),
            ("XRP", Reason.NOT_TRIED),
        ]
        assert len(scene.sent) == 2


@in_virtual_time
async def test_one_by_one_a_refusal_of_the_first_call_is_raised() -> None:
    scene = Scene(convert_cooldown="account")
    async with scene.process(target="USDT") as process:
        quote = await process.converter.quote()
        await process.converter.convert(quote.only("ADA"))

        with pytest.raises(CooldownError):
            await process.converter.convert(quote.only("XRP"))


@in_virtual_time
async def test_a_quote_that_grows_old_while_it_is_carried_out_goes_no_further() -> None:
    scene = Scene()
    async with scene.process(target="USDT", quote_ttl=8) as process:
        scene.faults.delay(9, on="answer", endpoint=CONVERT)

        receipt = await process.convert_all()

        assert receipt.assets == ("ADA",)
        assert [(each.asset, each.reason) for each in receipt.dropped] == [
            ("XRP", Reason.NOT_TRIED)
        ]
        assert "9 s old" in receipt.dropped[0].detail
        assert scene.sent == ["ADA"]


@in_virtual_time
async def test_a_converter_s_own_quote_ttl_holds_for_quotes_of_others_too() -> None:
    scene = Scene()
    async with scene.process(target="USDT") as process:
        quote = await process.converter.quote()
        hasty = Converter(
            process.client, ledger=process.ledger, target="USDT", cooldown=0, quote_ttl=8
        )
        scene.faults.delay(9, on="answer", endpoint=CONVERT)

        receipt = await hasty.convert(quote)

        assert receipt.assets == ("ADA",)
        assert receipt.dropped[0].reason is Reason.NOT_TRIED
        assert scene.sent == ["ADA"]


@in_virtual_time
async def test_one_by_one_empty_answers_are_reported_for_each_asset() -> None:
    scene = Scene()
    scene.faults.convert_nothing(endpoint=CONVERT, times=2)
    async with scene.process(target="USDT") as process:
        receipt = await process.convert_all()

        assert not receipt
        assert [(each.asset, each.reason) for each in receipt.dropped] == [
            ("ADA", Reason.NOT_DONE),
            ("XRP", Reason.NOT_DONE),
        ]


@pytest.mark.parametrize("named", [True, False])
@in_virtual_time
async def test_a_culprit_named_by_the_exchange_needs_no_second_reading_of_the_list(
    named: bool,
) -> None:
    scene = Scene(DUST_OF_TWO | {"LTC": "0.01"})
    scene.world.lies.add("LTC")
    refusal = b'{"code":-5001,"msg":"LTC is not allowed to be transferred."}'
    if named:
        scene.world.garble = lambda path, body: (
            refusal if path == DUST and b'"code"' in body else body
        )
    async with scene.process() as process:
        quote = await process.converter.quote()
        asked = len(scene.world.sent)

        receipt = await process.converter.convert(quote)

        lists = [title for _, title in scene.world.sent[asked:] if title.endswith("dust-btc")]
        assert [each.asset for each in receipt.dropped] == ["LTC"]
        assert len(scene.sent) == 2
        assert len(lists) == (0 if named else 1)


@in_virtual_time
async def test_one_by_one_an_unknown_outcome_stops_the_rest() -> None:
    scene = Scene(DUST_OF_TWO | {"LTC": "0.01"})
    async with scene.process(target="USDT") as process:
        scene.faults.lose_answer(endpoint=CONVERT, skip=1)

        with pytest.raises(OutcomeUnknownError) as caught:
            await process.convert_all()

        assert caught.value.entry_ids == (1, 2)
        statuses = [entry.status for entry in await entries_of(process.ledger)]
        assert statuses == ["confirmed", "unknown"]
        await process.converter.recover()
        await check_books(scene.world, process.ledger)
        assert (await process.convert_all()).assets == ("XRP",)
