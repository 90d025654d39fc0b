"""When an account may convert again. Crosses converter, guards and ledger, in virtual time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from binance_dust import Converter, CooldownError, CoolingDownError, GuardError
from binance_dust.conversion import Reason
from binance_dust.endpoints import AccountType
from binance_dust.ledger import Kind, LedgerLine, Observed
from tests.conversion.far import ASSETS, LIST, LOG, entries_of
from tests.conversion.scene import Scene, in_virtual_time

D = Decimal


@in_virtual_time
async def test_inside_the_cooldown_it_is_refused_before_sending_with_the_time() -> None:
    scene = Scene()
    async with scene.process(cooldown=timedelta(hours=24)) as process:
        await process.convert_all()
        scene.alice.deposit("ADA", "5")
        until = await process.converter.next_eligible_at()
        quote = await process.converter.quote()
        assert quote.why_not("ADA")[0].reason is Reason.COOLING_DOWN
        assert quote.eligible_at == until

        with pytest.raises(CooldownError, match=r"^alice: cooling down until") as caught:
            await process.converter.convert(quote)

        assert isinstance(caught.value, CoolingDownError)
        assert caught.value.retry_at == until
        assert len(scene.sent) == 1
        (entry,) = await entries_of(process.ledger)
        assert entry.happened_at is not None
        assert (
            timedelta(0) <= until - entry.happened_at - timedelta(hours=24) < timedelta(minutes=1)
        )
        await asyncio.sleep((until - process.session.now()).total_seconds())
        assert (await process.convert_all()).assets == ("ADA",)


@in_virtual_time
async def test_a_quote_without_dust_still_says_when_the_account_may_convert() -> None:
    scene = Scene()
    async with scene.process(cooldown=timedelta(hours=24)) as process:
        assert (await process.converter.quote()).eligible_at is None
        await process.convert_all()
        asked = len(scene.asked)

        quote = await process.converter.quote()

        assert (quote.lines, quote.eligible_at) == ((), await process.converter.next_eligible_at())
        assert quote.eligible_at is not None
        calls = scene.asked[asked:-1]  # the last is that of `next_eligible_at`
        assert sorted(calls) == sorted([ASSETS, LIST, LOG])
        with pytest.raises(GuardError, match="cooling down until"):
            await process.converter.convert(quote)
        await asyncio.sleep((quote.eligible_at - process.session.now()).total_seconds())
        assert (await process.converter.quote()).eligible_at is None


@in_virtual_time
async def test_an_asset_that_cools_down_and_is_not_held_does_not_block_the_account() -> None:
    scene = Scene({"ADA": "6.21"}, cooldown=24 * 3600.0)
    async with scene.process(target="USDT", cooldown=timedelta(hours=24)) as process:
        await process.convert_all()

        quote = await process.converter.quote()

        assert (quote.lines, quote.eligible_at) == ((), None)


@in_virtual_time
async def test_assets_converted_one_by_one_cool_down_one_by_one_and_apart_from_bnb() -> None:
    """The two calls that convert have cooldowns of their own, as far as anybody has seen."""
    scene = Scene({"ADA": "6.21"}, cooldown=24 * 3600.0)
    async with scene.process(target="USDT", cooldown=timedelta(hours=24)) as process:
        await process.convert_all()
        scene.alice.deposit("ADA", "6")
        scene.alice.deposit("XRP", "1.5")

        quote = await process.converter.quote()

        assert quote.assets == ("XRP",)
        (resting,) = quote.why_not("ADA")
        assert resting.reason is Reason.COOLING_DOWN
        assert resting.until is not None
        assert resting.until - quote.at > timedelta(hours=23)
        # There is something to convert now, so the quote as a whole waits for nothing.
        assert quote.eligible_at is None
        assert await process.converter.next_eligible_at(["XRP"]) <= process.session.now()
        assert await process.converter.next_eligible_at(["ADA"]) == resting.until
        assert await process.converter.next_eligible_at() == resting.until
        into_bnb = Converter(process.client, ledger=process.ledger, cooldown=timedelta(hours=24))
        assert set((await into_bnb.quote()).assets) == {"ADA", "USDT", "XRP"}


@in_virtual_time
async def test_if_everything_cools_down_a_quote_says_when_the_first_asset_may_be_converted() -> (
    None
):
    scene = Scene({"ADA": "6.21"}, cooldown=24 * 3600.0)
    async with scene.process(target="USDT", cooldown=timedelta(hours=24)) as process:
        await process.convert_all()
        await asyncio.sleep(1800)
        scene.alice.deposit("XRP", "1.5")
        await process.convert_all()
        scene.alice.deposit("ADA", "6")
        scene.alice.deposit("XRP", "1.5")

        quote = await process.converter.quote()

        (ada,), (xrp,) = quote.why_not("ADA"), quote.why_not("XRP")
        assert ada.until is not None
        assert xrp.until is not None
        assert ada.until < xrp.until
        assert (quote.lines, quote.eligible_at) == ((), ada.until)


@in_virtual_time
async def test_the_cooldown_is_found_at_the_end_of_a_long_history() -> None:
    scene = Scene()
    async with scene.process(cooldown=timedelta(hours=24)) as process:
        now = process.session.now()
        await process.ledger.record(
            [conversion_at(now - timedelta(days=2 * age), age) for age in range(1, 302)], now=now
        )
        assert (await process.converter.quote()).assets == ("ADA", "XRP")
        await process.ledger.record([conversion_at(now - timedelta(minutes=30), 999)], now=now)

        quote = await process.converter.quote()

        assert quote.lines == ()
        assert {each.reason for each in quote.skipped} == {Reason.COOLING_DOWN}


@in_virtual_time
async def test_an_old_record_learnt_late_does_not_hide_a_newer_one() -> None:
    scene = Scene()
    async with scene.process(cooldown=timedelta(hours=24)) as process:
        now = process.session.now()
        await process.ledger.record([conversion_at(now - timedelta(minutes=30), 2)], now=now)
        await process.ledger.record([conversion_at(now - timedelta(days=2), 1)], now=now)

        assert (await process.converter.quote()).lines == ()


def conversion_at(moment: datetime, number: int) -> Observed:
    line = LedgerLine(
        asset="ADA", amount=D(1), gross=D(1), fee=D(0), at=moment, transaction_id=number
    )
    return Observed(
        account="alice",
        kind=Kind.DUST,
        account_type="SPOT",
        target="BNB",
        transaction_id=number,
        at=moment,
        lines=(line,),
    )


@in_virtual_time
async def test_without_a_cooldown_the_log_is_not_asked() -> None:
    scene = Scene()
    async with scene.process(cooldown=0) as process:
        await process.converter.quote()
        assert LOG not in scene.asked

        await Converter(process.client, ledger=process.ledger).quote()
        assert LOG in scene.asked


@in_virtual_time
async def test_by_default_a_quote_lives_a_minute_and_an_account_cools_down_for_a_day() -> None:
    scene = Scene()
    async with scene.process() as process:
        careful = Converter(process.client, ledger=process.ledger)
        quote = await careful.quote()

        await careful.convert(quote)

        assert quote.expires_at - quote.at == timedelta(minutes=1)
        rests = await careful.next_eligible_at() - process.session.now()
        assert timedelta(hours=24) - timedelta(minutes=1) < rests < timedelta(hours=24, minutes=1)


@pytest.mark.parametrize("account_type", ["SPOT", "MARGIN"])
@in_virtual_time
async def test_a_conversion_missing_in_the_ledger_counts_for_the_cooldown(
    account_type: AccountType,
) -> None:
    scene = Scene()
    scene.alice.owe("USDT", "1")
    scene.alice.deposit("ADA", "6.21", "MARGIN")
    scene.alice.deposit("XRP", "1.5", "MARGIN")
    async with scene.process(cooldown=timedelta(hours=24), account_type=account_type) as process:
        await process.client.dust_transfer(["ADA"], account_type=account_type)

        quote = await process.converter.quote()

        assert quote.lines == ()
        assert quote.why_not("XRP")[0].until == await process.converter.next_eligible_at()


@in_virtual_time
async def test_another_process_s_conversion_counts_although_the_quote_is_older() -> None:
    scene = Scene()
    async with scene.process(cooldown=timedelta(hours=24)) as process:
        one, other = await process.converter.quote(), await process.converter.quote()
        await process.converter.convert(one.only("ADA"))

        with pytest.raises(GuardError, match="cooling down"):
            await process.converter.convert(other.only("XRP"))

        assert scene.sent == ["ADA"]


@in_virtual_time
async def test_a_cooldown_refusal_says_when_to_try_again() -> None:
    scene = Scene()
    async with scene.process(cooldown=1) as process:
        await process.convert_all()
        scene.alice.deposit("ADA", "5")
        await asyncio.sleep(60)

        with pytest.raises(CooldownError) as caught:
            await process.convert_all()

        assert caught.value.retry_at is not None
        assert caught.value.retry_at > process.session.now()
        assert caught.value.retry_at == await process.converter.next_eligible_at()
