"""The converter against the exchange, in virtual time: what it sends, says, and writes down."""

from __future__ import annotations

import asyncio
import pickle
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
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
from typing import Any

import pytest

from binance_dust import (
    ConfigurationError,
    Converter,
    GuardError,
    Ledger,
    OutcomeUnknownError,
    Session,
)
from binance_dust.conversion import Reason
from binance_dust.ledger import Books, chart
from binance_dust.models import Delisting, Delistings
from binance_dust.sandbox import Holding, Permissions, Sandbox
from tests.conversion.far import CONVERT, DUST, check_books, entries_of
from tests.conversion.scene import DUST_OF_TWO, Scene, in_virtual_time

D = Decimal


CEILING = "/sapi/v1/asset/dust-convert/query-convertible-assets"


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
        assert "/sapi/v1/asset/get-funding-asset" not in scene.asked
        # Stamped from two seconds before the intent to thirty after, accepted from a second before
        # that to recv_window (5 s) after.
        assert entry.intended_at is not None
        assert entry.sent_after == entry.intended_at - timedelta(seconds=3)
        assert entry.expires_at == entry.intended_at + timedelta(seconds=35)
        await check_books(scene.world, process.ledger)
        assert "2 assets" in str(receipt)
        assert ">ADA</th>" in receipt._repr_html_()


@in_virtual_time
async def test_other_targets_take_one_call_for_each_asset_by_default() -> None:
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
async def test_an_asset_worth_too_much_is_explained_with_the_exchange_s_ceiling() -> None:
    scene = Scene(DUST_OF_TWO | {"ETH": "2", "BNB": "1"})
    async with scene.process(keep=["SOL"]) as process:
        (why,) = (await process.converter.quote()).why_not("ETH")

        assert why.reason is Reason.ABOVE_CEILING
        assert "the ceiling is 10 USDT" in why.detail
        assert scene.asked.count(CEILING) == 1
        scene.alice.withdraw("ADA", "6.21")
        scene.alice.withdraw("XRP", "1.5")
        assert (await process.converter.quote()).why_not("ETH")[0].reason is Reason.ABOVE_CEILING
        assert "/sapi/v1/convert/getQuote" not in scene.asked, "a price that only a sale needs"


@in_virtual_time
async def test_the_ceiling_is_not_read_if_nothing_needs_it() -> None:
    scene = Scene(DUST_OF_TWO | {"ETH": "2", "BNB": "1"})
    async with scene.process(keep=["ETH"]) as process:
        quote = await process.converter.quote()

        assert [each.reason for each in quote.skipped] == [Reason.TARGET, Reason.KEPT]
        assert CEILING not in scene.asked


@in_virtual_time
async def test_other_targets_take_one_call_together_if_told_so() -> None:
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


@in_virtual_time
async def test_a_ledger_of_other_books_is_refused_though_nothing_is_open_in_it() -> None:
    scene = Scene()
    async with scene.process() as process:
        quote = await process.converter.quote()
        await process.ledger.record([], now=process.session.now(), books=Books.REAL)
        asked = len(scene.asked)

        for doing in (
            process.converter.quote(),
            process.converter.convert(quote),
            process.converter.recover(),
            process.converter.next_eligible_at(),
        ):
            with pytest.raises(ConfigurationError, match="of a real exchange"):
                await doing

        assert len(scene.asked) == asked


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
async def test_a_balance_that_changed_since_the_quote_is_left_alone() -> None:
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


@in_virtual_time
async def test_nothing_moves_while_there_is_enough_of_what_was_low() -> None:
    """Neither dust, nor what would be gathered or sold beside it."""
    scene = Scene(DUST_OF_TWO | {"BNB": "0.5", "LTC": "2"}, volatility="0")
    scene.alice.deposit("DOGE", "20", "FUNDING")
    scene.alice.permissions = Permissions(universal_transfer=True)
    low: dict[str, Any] = {"when_below": {"BNB": "0.6"}, "gather": True}
    async with scene.process(**low, above="convert", above_max="1") as process:
        quote = await process.converter.quote()
        assert set(quote.assets) == {"ADA", "XRP", "LTC", "DOGE"}
        scene.alice.deposit("BNB", "0.1")

        with pytest.raises(GuardError, match=r"not needed any more: 0\.6 BNB is not below 0\.6"):
            await process.converter.convert(quote)

        quote = await process.converter.quote()
        assert (quote.lines, quote.gather) == ((), ())
        assert [each.reason for each in quote.why_not("ADA")] == [Reason.NOT_NEEDED]
        assert scene.sent == []
        assert not scene.alice.transfers
        assert not [each for each in scene.alice.sales.values() if each.order_id]


@in_virtual_time
async def test_a_quote_says_until_when_what_is_held_can_be_converted() -> None:
    scene = Scene({"ADA": "6.21"})
    until = datetime(2030, 1, 1, tzinfo=UTC)
    gone = Delistings([Delisting(delist_time=until, symbols=["ADAUSDT", "LTCUSDT"])])
    async with scene.process(delistings=gone) as process:
        (chance,) = (await process.converter.quote()).last_chances

    assert (chance.asset, chance.until) == ("ADA", until)


@in_virtual_time
async def test_misuse_is_reported_before_anything_is_sent() -> None:
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
