"""The converter against the exchange, in virtual time: what it sends, says, and writes down."""

from __future__ import annotations

import asyncio
import json
import pickle
import re
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import (
    Clamped,
    Context,
    Decimal,
    FloatOperation,
    Inexact,
    Rounded,
    Subnormal,
    getcontext,
    localcontext,
)
from pathlib import Path
from typing import Any

import pytest

from binance_dust import (
    BudgetExceededError,
    ConfigurationError,
    Converter,
    CooldownError,
    DustRejectedError,
    GuardError,
    Ledger,
    NotConvertibleError,
    OutcomeUnknownError,
    PriceMovedError,
    Quote,
    Session,
)
from binance_dust.conversion import Reason
from binance_dust.endpoints import AccountType
from binance_dust.ledger import Kind, LedgerLine, Observed, chart
from binance_dust.sandbox import Holding, Sandbox
from binance_dust.sweeper import Outcome, sweep
from tests.conversion.far import (
    ASSETS,
    CONVERT,
    DUST,
    LIST,
    LOG,
    MEMORY,
    Process,
    check_books,
    entries_of,
)
from tests.conversion.scene import DUST_OF_TWO, Scene, in_virtual_time

D = Decimal
CEILING = "/sapi/v1/asset/dust-convert/query-convertible-assets"
TWENTY = [
    "ADA", "AR", "ATOM", "AVAX", "BCH", "DOGE", "DOT", "ETH", "FIL", "LINK",
    "LTC", "NEAR", "PEPE", "SHIB", "SOL", "TRX", "UNI", "USDC", "XLM", "XRP",
]  # fmt: skip


@in_virtual_time
async def test_dust_becomes_bnb_in_one_batch_and_everything_is_on_record() -> None:
    scene = Scene(DUST_OF_TWO | {"BNB": "0.5", "BTC": "0.3"}, volatility="0")
    async with scene.process() as process:
        quote = await process.converter.quote()

        receipt = await process.converter.convert(quote)

        (done,) = scene.world.conversions()
        assert (done.endpoint, done.target) == ("dust_transfer", "BNB")
        assert set(receipt.assets) == {"ADA", "XRP"}
        assert (receipt.gross, receipt.fee, receipt.net) == (done.gross, done.fee, done.net)
        assert receipt.transaction_ids == (done.transaction_id,)
        assert receipt.complete
        assert scene.alice.free("BNB") == D("0.5") + receipt.net
        # Previews round, conversions cut: a digit of the eighth place a row, at the most.
        assert abs(receipt.slippage) <= 2 * D("0.00000001")
        (entry,) = await entries_of(process.ledger)
        assert receipt.entry_ids == (entry.id,)
        assert (entry.status, entry.settled_by, entry.kind) == ("confirmed", "answer", "dust")
        assert entry.held == {"ADA": D("6.21"), "XRP": D("1.5")}
        assert entry.client_id is None
        # Stamped from two seconds before the intent to thirty after, accepted from a second before
        # that to recv_window (5 s) after.
        assert entry.intended_at is not None
        assert entry.sent_after == entry.intended_at - timedelta(seconds=3)
        assert entry.expires_at == entry.intended_at + timedelta(seconds=35)
        await check_books(scene.world, process.ledger)
        assert "2 assets" in str(receipt)
        assert ">ADA</th>" in receipt._repr_html_()


@in_virtual_time
async def test_other_targets_take_one_call_an_asset_until_told_otherwise() -> None:
    scene = Scene()
    async with scene.process(target="USDT") as process:
        receipt = await process.convert_all()

        assert scene.sent == ["ADA", "XRP"]
        assert len(receipt.entry_ids) == 2
        entries = await entries_of(process.ledger)
        ids = [entry.client_id for entry in entries]
        assert ids == [done.client_id for done in scene.world.conversions()]
        assert len(set(ids)) == 2
        assert all(entry.kind == "dust_convert" for entry in entries)
        await check_books(scene.world, process.ledger)


@pytest.mark.parametrize("target", ["BNB", "USDT"])
@in_virtual_time
async def test_a_quote_is_in_the_target_that_it_names(target: str) -> None:
    scene = Scene({"ADA": "6.21"}, volatility="0")
    async with scene.process(target=target) as process:
        quote = await process.converter.quote()

        receipt = await process.converter.convert(quote)

        assert receipt.target == target
        assert quote.net > 0
        for expected, done in (
            (quote.gross, receipt.gross),
            (quote.fee, receipt.fee),
            (quote.net, receipt.net),
        ):
            assert abs(expected - done) <= D("0.00000001")


@in_virtual_time
async def test_what_is_too_much_to_be_dust_is_told_with_the_exchange_s_own_ceiling() -> None:
    scene = Scene(DUST_OF_TWO | {"ETH": "2", "BNB": "1"})
    async with scene.process(keep=["SOL"]) as process:
        (why,) = (await process.converter.quote()).why_not("ETH")

        assert why.reason is Reason.ABOVE_CEILING
        assert "the ceiling is 10 USDT" in why.detail
        assert scene.asked.count(CEILING) == 1


@in_virtual_time
async def test_where_nothing_needs_explaining_the_ceiling_is_not_asked_for() -> None:
    scene = Scene(DUST_OF_TWO | {"ETH": "2", "BNB": "1"})
    async with scene.process(keep=["ETH"]) as process:
        quote = await process.converter.quote()

        assert [each.reason for each in quote.skipped] == [Reason.TARGET, Reason.KEPT]
        assert CEILING not in scene.asked


@in_virtual_time
async def test_other_targets_take_one_call_when_told_so() -> None:
    scene = Scene()
    async with scene.process(target="USDT", together=True) as process:
        receipt = await process.convert_all()

        assert scene.sent == ["ADA,XRP"]
        assert len(receipt.entry_ids) == 1
        await check_books(scene.world, process.ledger)


@pytest.mark.parametrize("target", ["BNB", "USDC"])
@in_virtual_time
async def test_margin_dust_is_converted_from_the_margin_account(target: str) -> None:
    scene = Scene()
    scene.alice.owe("USDT", "1")
    scene.alice.deposit("LTC", "0.05", "MARGIN")
    scene.alice.hold("SOL", Holding("0", locked="2"), "MARGIN")
    async with scene.process(account_type="MARGIN", target=target) as process:
        quote = await process.converter.quote()
        assert quote.assets == ("LTC",)
        assert quote.why_not("SOL")[0].reason is Reason.IN_ORDER

        receipt = await process.converter.convert(quote)

        assert receipt.account_type == "MARGIN"
        assert scene.alice.free(target, "MARGIN") == receipt.net
        assert scene.alice.free("ADA") == D("6.21")
        scene.alice.deposit("LTC", "0.05", "MARGIN")
        scene.faults.lose_answer(endpoint=DUST if target == "BNB" else CONVERT)
        await asyncio.sleep(24 * 3600)
        quote = (await process.converter.quote()).only("LTC")
        with pytest.raises(OutcomeUnknownError):
            await process.converter.convert(quote)
        (entry,) = await process.converter.recover()
        assert (entry.status, entry.account_type) == ("confirmed", "MARGIN")


# --- nothing is sent -----------------------------------------------------------------------------


@in_virtual_time
async def test_a_stale_quote_is_refused_before_sending() -> None:
    scene = Scene()
    async with scene.process(quote_ttl=30) as process:
        quote = await process.converter.quote()
        await asyncio.sleep(30)
        asked = len(scene.world.exchange.requests.of())

        with pytest.raises(GuardError, match="30 s old"):
            await process.converter.convert(quote)

        assert len(scene.world.exchange.requests.of()) == asked
        assert await entries_of(process.ledger) == []


@in_virtual_time
async def test_a_quote_is_converted_by_its_own_client_only() -> None:
    scene = Scene()
    bob = scene.world.exchange.accounts.open("bob", DUST_OF_TWO)
    async with scene.process() as process:
        others = Converter(process.session.client(bob), ledger=process.ledger)

        with pytest.raises(GuardError, match="this quote is for alice"):
            await others.convert(await process.converter.quote())

        usdt = Converter(process.client, ledger=process.ledger, target="USDT")
        with pytest.raises(GuardError, match="into BNB"):
            await usdt.convert(await process.converter.quote())
        assert scene.sent == []


STRICT = Context(prec=3, traps=[Inexact, Rounded, Subnormal, Clamped, FloatOperation])


@pytest.mark.parametrize("target", ["BNB", "USDT"])
async def test_a_caller_s_context_for_decimals_changes_nothing(target: str) -> None:
    """Whoever traps what is inexact, or works with three digits, gets the same to the last one."""

    async def live() -> list[str]:
        odd = Holding("1.5123456789", locked="0.1234567891")
        # Over a socket: the exchange's own arithmetic is not in the caller's context.
        async with Sandbox(seed=7, volatility=0) as exchange:
            alice = exchange.open_account(
                "alice", ADA="6.2123456789", XRP=odd, BTC="0.31234567", LTC="0.0123456789"
            )
            with localcontext(context):
                async with Session(base_url=exchange.url) as session, Ledger(":memory:") as ledger:
                    converter = Converter(session.client(alice), ledger=ledger, target=target)
                    quote = await converter.quote()
                    told = [str(quote), *map(str, quote.skipped), quote._repr_html_()]
                    narrow = Converter(
                        session.client(alice), ledger=ledger, target=target, max_fee_rate="0.0199"
                    )
                    told += map(str, (await narrow.quote()).skipped)
                    receipt = await converter.convert(quote)
                    told += [f"{receipt.gross} {receipt.fee} {receipt.quoted_net}", *receipt.notes]
                    totals = await ledger.totals()
                    return [*told, str([(t.gross, t.net) for t in totals]), chart(totals)]

    context = getcontext()
    usual = await live()
    context = STRICT
    assert [_timeless(text) for text in await live()] == [_timeless(text) for text in usual]


def _timeless(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[.\d]*", "", text)


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

        with pytest.raises(GuardError, match="cooling down until") as caught:
            await process.converter.convert(quote)

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
async def test_when_the_account_may_convert_again_is_told_also_where_no_dust_is_there() -> None:
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
async def test_what_rests_asset_by_asset_and_is_not_there_keeps_the_account_from_nothing() -> None:
    scene = Scene({"ADA": "6.21"}, cooldown=24 * 3600.0)
    async with scene.process(target="USDT", cooldown=timedelta(hours=24)) as process:
        await process.convert_all()

        quote = await process.converter.quote()

        assert (quote.lines, quote.eligible_at) == ((), None)


@in_virtual_time
async def test_a_sweep_of_a_resting_account_without_dust_tells_until_when() -> None:
    scene = Scene()
    async with scene.process() as process:
        for outcomes in ([Outcome.CONVERTED], [Outcome.NOTHING]):
            async with sweep([process.client], ledger=process.ledger, dry_run=False) as reports:
                found = [report async for report in reports]
            assert [report.outcome for report in found] == outcomes
        assert found[0].next_at == found[0].quote.eligible_at is not None  # type: ignore[union-attr]
        scene.alice.deposit("ADA", "5")
        async with sweep([process.client], ledger=process.ledger, dry_run=False) as reports:
            assert [report.outcome async for report in reports] == [Outcome.RESTING]


@in_virtual_time
async def test_one_by_one_each_asset_rests_by_itself_and_bnb_is_another_matter() -> None:
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
async def test_where_everything_rests_a_quote_says_when_the_first_may_be_converted() -> None:
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
async def test_what_a_ledger_learns_late_does_not_count_as_newer() -> None:
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
async def test_unless_told_otherwise_a_quote_is_good_for_a_minute_and_an_account_rests_a_day() -> (
    None
):
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
async def test_a_conversion_that_the_ledger_does_not_know_of_counts_too(
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
async def test_of_two_at_once_in_one_process_one_converts() -> None:
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
async def test_a_turn_lasts_until_the_whole_conversion_is_over(wrong: float) -> None:
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
async def test_who_was_asleep_for_so_long_that_another_one_began_sends_nothing() -> None:
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


async def quote_in(seconds: float, process: Process) -> Quote:
    await asyncio.sleep(seconds)
    return await process.converter.quote()


@in_virtual_time
async def test_what_has_changed_since_the_quote_is_left_alone() -> None:
    scene = Scene()
    async with scene.process() as process:
        quote = await process.converter.quote()
        scene.alice.deposit("ADA", "3")

        receipt = await process.converter.convert(quote)

        assert receipt.assets == ("XRP",)
        assert [(each.asset, each.reason) for each in receipt.dropped] == [("ADA", Reason.CHANGED)]
        assert not receipt.complete
        quote = await process.converter.quote()
        assert quote.assets == ("ADA",)
        scene.alice.withdraw("ADA", "0.1")
        with pytest.raises(GuardError, match="every balance has changed"):
            await process.converter.convert(quote)
        assert scene.sent == ["XRP"]


# --- one that can't be converted -----------------------------------------------------------------


@in_virtual_time
async def test_one_unsupported_among_twenty_is_left_out_beforehand() -> None:
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
async def test_where_the_list_lied_the_culprit_is_dropped_and_the_cooldown_is_not_spent(
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
async def test_what_leaves_the_list_after_the_quote_is_dropped_at_the_second_try() -> None:
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
async def test_where_none_can_be_converted_the_refusal_says_that_nothing_is_spent() -> None:
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
async def test_two_that_lie_are_given_up_with_nothing_converted() -> None:
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
async def test_one_by_one_the_refused_is_dropped_and_the_others_go_on() -> None:
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
async def test_one_by_one_what_the_exchange_refuses_at_once_is_raised() -> None:
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
async def test_who_carries_a_quote_out_goes_by_its_own_patience_to_the_end() -> None:
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


# --- what the exchange answers -------------------------------------------------------------------


@in_virtual_time
async def test_a_cooldown_of_the_exchange_s_is_raised_and_on_record() -> None:
    scene = Scene()
    async with scene.process() as process:
        await process.convert_all()
        scene.alice.deposit("ADA", "5")

        with pytest.raises(CooldownError) as caught:
            await process.convert_all()

        assert caught.value.retry_at is None  # told to leave cooldowns to the exchange
        entry = (await entries_of(process.ledger))[-1]
        assert (entry.status, entry.code, entry.settled_by) == ("rejected", -5006, "answer")
        # Converters with a guard learn from it.
        careful = Converter(process.client, ledger=process.ledger, cooldown=timedelta(seconds=1))
        assert await careful.next_eligible_at() > process.session.now()


@in_virtual_time
async def test_a_cooldown_of_the_exchange_s_says_when_it_is_worth_trying_again() -> None:
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


@in_virtual_time
async def test_an_empty_answer_converted_nothing() -> None:
    scene = Scene()
    scene.faults.convert_nothing(endpoint=DUST)
    async with scene.process() as process:
        receipt = await process.convert_all()

        assert not receipt
        assert receipt.net == 0
        assert {each.reason for each in receipt.dropped} == {Reason.NOT_DONE}
        assert all("converted nothing" in each.detail for each in receipt.dropped)
        (entry,) = await entries_of(process.ledger)
        assert entry.status == "rejected"
        assert "converted nothing" in (entry.reason or "")
        assert (await process.convert_all()).complete


@in_virtual_time
async def test_one_by_one_empty_answers_are_told_asset_by_asset() -> None:
    scene = Scene()
    scene.faults.convert_nothing(endpoint=CONVERT, times=2)
    async with scene.process(target="USDT") as process:
        receipt = await process.convert_all()

        assert not receipt
        assert [(each.asset, each.reason) for each in receipt.dropped] == [
            ("ADA", Reason.NOT_DONE),
            ("XRP", Reason.NOT_DONE),
        ]


@in_virtual_time
async def test_a_total_that_is_not_what_its_rows_come_to_is_noted() -> None:
    scene = Scene()
    scene.world.garble = lambda path, body: (
        re.sub(rb'"totalTransfered":"[0-9.]+"', b'"totalTransfered":"7"', body)
        if path == DUST
        else body
    )
    async with scene.process() as process:
        receipt = await process.convert_all()

        (note,) = receipt.notes
        assert note.startswith("the exchange's total gross is 7, and its rows add up to")
        assert note in str(receipt)
        # The rows are what is believed, and what is on record.
        (entry,) = await entries_of(process.ledger)
        assert entry.gross == receipt.gross == scene.world.conversions()[0].gross


@in_virtual_time
async def test_what_came_in_just_before_the_call_is_noted_as_converted_too() -> None:
    scene = Scene()

    def deposit() -> None:
        scene.alice.deposit("ADA", "1")

    scene.world.before_write = deposit
    async with scene.process() as process:
        receipt = await process.convert_all()

        assert receipt.notes == ("ADA: 7.21 were converted, and 6.21 were quoted",)
        assert receipt.notes[0] in receipt._repr_html_()


@in_virtual_time
async def test_a_row_that_is_missing_is_said_to_be_not_done() -> None:
    scene = Scene()

    def without_a_row(path: str, body: bytes) -> bytes:
        if path != DUST:
            return body
        answer = json.loads(body)
        answer["transferResult"] = answer["transferResult"][:1]
        return json.dumps(answer).encode()

    scene.world.garble = without_a_row
    async with scene.process() as process:
        receipt = await process.convert_all()

        (done,), (missing,) = receipt.assets, receipt.dropped
        assert {done, missing.asset} == {"ADA", "XRP"}
        assert (missing.reason, missing.detail) == (Reason.NOT_DONE, "")


@pytest.mark.parametrize("named", [True, False])
@in_virtual_time
async def test_where_the_exchange_names_the_culprit_its_list_is_not_asked_again(
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
async def test_a_price_that_moved_too_far_is_raised_and_nothing_is_spent() -> None:
    scene = Scene()
    async with scene.process() as process:
        quote = await process.converter.quote()
        scene.world.exchange.market.move_price("ADA", "0.06")

        with pytest.raises(PriceMovedError):
            await process.converter.convert(quote)

        (entry,) = await entries_of(process.ledger)
        assert entry.status == "rejected"
        assert (await process.convert_all()).complete


@pytest.mark.parametrize("code", [-5002, -5013])
@in_virtual_time
async def test_a_refusal_of_the_whole_batch_is_raised(code: int) -> None:
    scene = Scene()
    scene.faults.fail(400, code=code, after_executing=False, endpoint=DUST)
    async with scene.process() as process:
        with pytest.raises(DustRejectedError):
            await process.convert_all()

        assert [entry.code for entry in await entries_of(process.ledger)] == [code]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"amount":"6.21"', b'"amount":"lots"'),
        (b'"transferResult":[{', b'"transferResult":[],"rest":[{'),
        (b'"totalServiceCharge":"', b'"totalServiceCharge":"x'),
    ],
)
@in_virtual_time
async def test_a_yes_that_can_not_be_read_is_unknown_and_then_settled(
    before: bytes, after: bytes
) -> None:
    scene = Scene(volatility="0")
    scene.world.garble = lambda path, body: body.replace(before, after) if path == DUST else body
    async with scene.process() as process:
        with pytest.raises(OutcomeUnknownError) as caught:
            await process.convert_all()
        assert caught.value.entry_ids == (1,)
        (entry,) = await entries_of(process.ledger)
        assert entry.status == "unknown"

        (entry,) = await process.converter.recover()

        assert (entry.status, entry.settled_by) == ("confirmed", "reading")
        assert len(scene.sent) == 1
        await check_books(scene.world, process.ledger)


# --- sending in time or not at all ---------------------------------------------------------------


@in_virtual_time
async def test_what_can_not_be_sent_in_time_is_not_sent() -> None:
    scene = Scene()
    async with scene.process() as process:
        quote = await process.converter.quote()
        # The answer to the first attempt shuts the pool for longer than an intent is good for.
        scene.faults.refuse(retry_after=45, endpoint=DUST)

        began = scene.world.loop.time()
        with pytest.raises(BudgetExceededError) as caught:
            await process.converter.convert(quote)

        assert scene.world.loop.time() - began < 5, "there is nothing to wait for"
        (entry,) = await entries_of(process.ledger)
        assert entry.expires_at is not None
        by = entry.expires_at - timedelta(seconds=5)
        assert f"is sent by {by:%H:%M:%S} UTC" in str(caught.value)
        await asyncio.sleep(60)
        assert scene.world.conversions() == []
        assert len(scene.sent) == 1
        (entry,) = await entries_of(process.ledger)
        assert entry.status == "rejected"
        assert (await process.convert_all()).complete


@pytest.mark.parametrize("jump", [-100.0, 100.0])
@in_virtual_time
async def test_a_clock_that_was_set_right_does_not_move_the_times_that_are_on_record(
    jump: float,
) -> None:
    scene = Scene()
    async with scene.process() as process:
        quote = await process.converter.quote()
        scene.world.before_write = lambda: scene.faults.jump_clock(jump)

        with pytest.raises(GuardError, match="it was to be stamped between"):
            await process.converter.convert(quote)

        (entry,) = await entries_of(process.ledger)
        assert entry.status == "rejected"
        assert scene.world.conversions() == []
        assert (await process.convert_all()).complete
        await check_books(scene.world, process.ledger)


# --- plain misuse --------------------------------------------------------------------------------


@in_virtual_time
async def test_misuse_is_told_before_anything_is_asked() -> None:
    scene = Scene()
    async with scene.process() as process:
        wrong_ones: tuple[Callable[[], Any], ...] = (
            lambda: Converter("alice", ledger=process.ledger),  # type: ignore[arg-type]
            lambda: Converter(process.client, ledger="dust.db"),  # type: ignore[arg-type]
            lambda: Converter(process.client, ledger=process.ledger, keep="ADA"),
            lambda: Converter(process.client, ledger=process.ledger, max_fee_rate=0.1),  # type: ignore[arg-type]
            lambda: Converter(process.client, ledger=process.ledger, together=1),  # type: ignore[arg-type]
        )
        for wrong in wrong_ones:
            with pytest.raises(TypeError):
                wrong()
        with pytest.raises(ConfigurationError):
            Converter(process.client, ledger=process.ledger, account_type="FUNDING")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="quote"):
            await process.converter.convert(["ADA"])  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(process.converter)
        assert repr(process.converter) == "<Converter alice SPOT into BNB>"
        assert scene.world.exchange.requests.of() == ()
