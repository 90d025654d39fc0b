"""One account: its names and keys, its claims, and what it holds and owes."""

from __future__ import annotations

import asyncio
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from binance_dust import Converter, Credentials, GuardError, Quote
from binance_dust.conversion._account import AccountContext, debts_of, spot_holdings
from binance_dust.models import MarginAccount, MarginAsset
from tests.conversion.far import ASSETS, LIST, MEMORY, FarProcess
from tests.conversion.scene import DUST_OF_TWO, Scene, in_virtual_time
from tests.conversion.values import user_asset

D = Decimal


def test_the_parts_of_a_holding_add_up_to_the_last_digit() -> None:
    row = user_asset("SHIB", free="50300000001.449111050000000001", locked="0.000000000000000001")

    assert spot_holdings([row])["SHIB"].total == D("50300000001.449111050000000002")


@pytest.mark.parametrize(
    ("free", "locked", "worth"), [("1", "3", "0.25"), ("0", "3", "0"), ("0", "0", None)]
)
def test_the_free_part_has_its_part_of_the_worth(free: str, locked: str, worth: str | None) -> None:
    row = user_asset("SHIB", free=free, locked=locked, btc_valuation="1")

    held, unvalued = (spot_holdings([row], valued=valued)["SHIB"] for valued in (True, False))

    assert held.free_in_bitcoin == (None if worth is None else D(worth))
    assert unvalued.free_in_bitcoin is None


@in_virtual_time
async def test_an_asset_without_a_full_name_has_its_short_one() -> None:
    scene = Scene({"ADA": "6.21", "LTC": "0.01"})
    scene.world.garble = lambda _, body: body.replace(b'"Cardano"', b'""')
    async with scene.process() as process:
        quote = await process.converter.quote()

    assert [line.full_name for line in quote.lines] == ["ADA", "Litecoin"]


@in_virtual_time
async def test_of_two_conversions_at_once_in_one_process_one_is_sent() -> None:
    scene = Scene()
    async with scene.process() as process:
        quote = await process.converter.quote()

        outcomes = await asyncio.gather(
            process.converter.convert(quote),
            process.converter.convert(quote),
            return_exceptions=True,
        )

        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["GuardError", "Receipt"]
        assert len(scene.sent) == 1


@pytest.mark.parametrize("wrong", [0.0, 3600.0])
@in_virtual_time
async def test_the_claim_is_held_until_the_whole_conversion_is_over(wrong: float) -> None:
    scene = Scene(DUST_OF_TWO | {"LTC": "0.01"}, wrong_clock=wrong)
    scene.world.lies.add("LTC")
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder) / "dust.db"
        async with scene.process(path=path) as one, scene.process(path=path) as other:
            quote = await one.converter.quote()
            # Its first batch is refused, and until it has the list again nothing is under way.
            scene.faults.delay(9, on="answer", endpoint=LIST)
            first = asyncio.ensure_future(one.converter.convert(quote))
            await asyncio.sleep(5)

            with pytest.raises(GuardError, match="another convert is under way"):
                await other.converter.convert(quote)

            assert (await first).assets == ("ADA", "XRP")


@in_virtual_time
async def test_a_process_that_overslept_its_claim_sends_nothing() -> None:
    scene = Scene()
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder) / "dust.db"
        async with scene.process(path=path) as one, scene.process(path=path) as other:
            quote, later = await one.converter.quote(), quote_in(100, other)
            intend = one.ledger.intend

            async def late(*given: Any, **more: Any) -> Any:
                await asyncio.sleep(105)
                return await intend(*given, **more)

            one.ledger.intend = late  # type: ignore[method-assign]
            first = asyncio.ensure_future(one.converter.convert(quote))
            later_quote = await later
            scene.faults.delay(9, on="answer", endpoint=ASSETS)
            second = asyncio.ensure_future(other.converter.convert(later_quote))

            with pytest.raises(GuardError, match="took too long, and another one took over"):
                await first

            assert scene.sent == []
            assert (await second).complete
            assert len(scene.sent) == 1


async def quote_in(seconds: float, process: FarProcess) -> Quote:
    await asyncio.sleep(seconds)
    return await process.converter.quote()


@in_virtual_time
async def test_one_account_under_two_names_is_one_account() -> None:
    scene = Scene()
    key = scene.credentials
    async with scene.process() as process:
        await scene.lose_answer(process)
        scene.alice.deposit("ADA", "5")
        again = Credentials(key.api_key, key.secret.reveal(), name="alice, again")
        other = Converter(process.session.client(again), ledger=process.ledger, cooldown=0)

        with pytest.raises(GuardError, match="recover"):
            await other.convert(await other.quote())
        assert len(scene.sent) == 1

        (entry,) = await other.recover()
        assert (entry.account, entry.status) == ("alice", "confirmed")


@in_virtual_time
async def test_the_id_of_a_key_is_the_same_as_in_earlier_releases() -> None:
    scene = Scene()
    async with scene.process() as process:
        key = Credentials("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A", "x")

        assert (
            AccountContext(process.session.client(key), process.ledger).key_id == "5ba1ed8425baaa72"
        )


@in_virtual_time
async def test_the_end_of_another_claim_is_given_in_the_exchange_s_time() -> None:
    scene = Scene(wrong_clock=-3600.0)
    async with scene.process() as process:
        await scene.lose_answer(process, executed=False)
        first = asyncio.ensure_future(process.converter.recover())
        await asyncio.sleep(3)

        with pytest.raises(GuardError, match="another recover") as caught:
            await process.converter.recover()

        assert caught.value.retry_at is not None
        left = caught.value.retry_at.timestamp() - scene.world.true()
        assert 0 < left < 60
        await first


def test_an_asset_that_is_held_and_not_owed_is_no_debt() -> None:
    account = MarginAccount(
        user_assets=[
            MarginAsset(
                asset=asset,
                borrowed=Decimal(debt),
                free=Decimal(2),
                interest=Decimal(0),
                locked=Decimal(0),
                net_asset=Decimal(2),
            )
            for asset, debt in (("ETH", "0"), ("XRP", "0.5"))
        ]
    )

    assert debts_of(account) == {"XRP": Decimal("0.5")}
