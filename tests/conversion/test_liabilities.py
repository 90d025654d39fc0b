"""Small debts: ten at most, once in six hours, and what was done is read from the history."""

from __future__ import annotations

import asyncio
import json
import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from binance_dust import ConfigurationError, CooldownError, GuardError, Ledger
from binance_dust.conversion import LiabilityExchanger, LiabilityLine, LiabilityQuote, Reason
from tests.conversion.far import FarWorld, entries_of
from tests.conversion.scene import EXCHANGE, HISTORY, DebtScene, in_virtual_time

MARGIN_ACCOUNT = "/sapi/v1/margin/account"
MARGIN_ROW = {"borrowed": "1", "free": "0", "interest": "0", "locked": "0", "netAsset": "-1"}
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@in_virtual_time
async def test_a_quote_names_the_small_debts_and_why_the_rest_is_skipped() -> None:
    async with DebtScene() as exchanger:
        quote = await exchanger.quote()

        assert quote.target == "USDT"
        assert quote.assets == ("ETH", "XRP")
        assert quote.lines[0].amount == Decimal("0.001")
        assert quote.worth == Decimal("3.4") + Decimal("1.07")
        assert [(each.asset, each.reason) for each in quote.skipped] == [
            ("BTC", Reason.UNSUPPORTED),
            ("USDT", Reason.TARGET),
        ]
        assert quote.only("ETH").assets == ("ETH",)
        assert quote.without("ETH").assets == ("XRP",)
        with pytest.raises(ConfigurationError, match="BTC"):
            quote.only("BTC")
        assert "XRP" in str(quote)
        assert ">XRP</th>" in quote._repr_html_()


@in_virtual_time
async def test_an_exchange_is_on_record_as_the_history_has_it() -> None:
    scene = DebtScene()
    async with scene as exchanger:
        quote = await exchanger.quote()
        began = scene.world.loop.time()
        receipt = await exchanger.exchange(quote)

        assert scene.world.loop.time() - began < 2.0
        assert receipt.assets == ("ETH", "XRP")
        assert receipt.quoted_net == quote.worth == Decimal("4.47")
        assert (receipt.gross, receipt.fee) == (Decimal("4.47"), Decimal(0))
        (entry,) = await entries_of(scene.ledger)
        assert (entry.kind, entry.status, entry.target) == ("liabilities", "confirmed", "USDT")
        assert entry.lines == receipt.lines
        assert entry.transaction_id is None
        assert scene.alice.margin.debts["USDT"].principal == Decimal("5.47")


@in_virtual_time
async def test_the_cooldown_is_kept_without_a_call() -> None:
    scene = DebtScene()
    async with scene as free:
        strict = LiabilityExchanger(free.client, ledger=scene.ledger)
        before = await strict.quote()
        await strict.exchange(before)
        scene.alice.owe("LTC", "0.01")
        asked = len(scene.world.sent)

        with pytest.raises(GuardError, match="cooling down") as caught:
            await strict.exchange(before)

        assert len(scene.world.sent) == asked
        until = await strict.next_eligible_at()
        assert caught.value.retry_at == until
        quote = await strict.quote()
        assert (quote.lines, quote.eligible_at) == ((), until)
        assert quote.why_not("LTC")[0].reason is Reason.COOLING_DOWN
        # Without the guard the exchange says no, and that is on record.
        with pytest.raises(CooldownError):
            await free.exchange(await free.quote())
        (_, refused) = await entries_of(scene.ledger)
        assert (refused.status, refused.code) == ("rejected", -5006)


@in_virtual_time
async def test_an_exchange_by_another_program_counts_for_the_cooldown() -> None:
    scene = DebtScene()
    async with scene as somebody, Ledger(":memory:") as ours:
        await somebody.exchange(await somebody.quote())
        done_at = somebody.client.session.now()
        scene.alice.owe("LTC", "0.01")
        strict = LiabilityExchanger(somebody.client, ledger=ours)

        await asyncio.sleep(6 * 3600 - 60)
        quote = await strict.quote()

        assert quote.lines == ()
        assert quote.eligible_at is not None
        late = quote.eligible_at - (done_at + timedelta(hours=6))
        assert abs(late) < timedelta(minutes=1)
        await asyncio.sleep(120)
        again = await strict.quote()
        assert (again.assets, again.eligible_at) == (("LTC",), None)


@in_virtual_time
async def test_a_cooldown_refusal_says_when_to_try_again() -> None:
    scene = DebtScene()
    async with scene as free:
        hasty = LiabilityExchanger(free.client, ledger=scene.ledger, cooldown=1)
        await hasty.exchange(await hasty.quote())
        scene.alice.owe("LTC", "0.01")
        await asyncio.sleep(60)

        with pytest.raises(CooldownError) as caught:
            await hasty.exchange(await hasty.quote())

        assert caught.value.retry_at is not None
        assert caught.value.retry_at > free.client.session.now()
        assert caught.value.retry_at == await hasty.next_eligible_at()


@in_virtual_time
async def test_without_a_cooldown_the_history_is_not_asked() -> None:
    scene = DebtScene()
    async with scene as exchanger:
        await exchanger.quote()
        assert not [title for _, title in scene.world.sent if title.endswith(HISTORY)]

        await LiabilityExchanger(exchanger.client, ledger=scene.ledger).quote()
        assert [title for _, title in scene.world.sent if title.endswith(HISTORY)]


@in_virtual_time
async def test_without_debts_the_heavy_list_is_not_read() -> None:
    scene = DebtScene()
    async with scene as exchanger:
        scene.alice.margin.debts.clear()
        quote = await exchanger.quote()

        assert (quote.lines, quote.skipped, quote.target) == ((), (), "USDT")
        assert not [
            title for _, title in scene.world.sent if title.endswith("exchange-small-liability")
        ]


@in_virtual_time
async def test_kept_and_changed_debts_are_left_alone() -> None:
    scene = DebtScene()
    async with scene as exchanger:
        scene.alice.owe("LTC", "0.01")
        choosy = LiabilityExchanger(exchanger.client, ledger=scene.ledger, cooldown=0, keep=["LTC"])
        quote = await choosy.quote()
        assert [each.reason for each in quote.why_not("LTC")] == [Reason.KEPT]
        with pytest.raises(GuardError, match="alice: LTC: kept"):
            await choosy.exchange(await exchanger.quote())
        scene.alice.owe("XRP", "0.9")

        receipt = await choosy.exchange(quote)

        assert receipt.assets == ("ETH",)
        assert [(each.asset, each.reason) for each in receipt.dropped] == [("XRP", Reason.CHANGED)]
        assert receipt.quoted_net == Decimal("3.4")
        assert {"LTC", "XRP"} < scene.alice.margin.debts.keys()


@in_virtual_time
async def test_if_every_debt_has_changed_nothing_is_sent() -> None:
    scene = DebtScene()
    async with scene as exchanger:
        quote = await exchanger.quote()
        scene.alice.owe("ETH", "0.5")
        scene.alice.owe("XRP", "0.9")

        with pytest.raises(GuardError, match="every debt has changed"):
            await exchanger.exchange(quote)

        assert EXCHANGE not in [title for _, title in scene.world.sent]
        assert await entries_of(scene.ledger) == []
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(exchanger)


@in_virtual_time
async def test_by_default_a_quote_lives_a_minute_and_an_account_cools_down_for_six_hours() -> None:
    scene = DebtScene()
    async with scene as exchanger:
        careful = LiabilityExchanger(exchanger.client, ledger=scene.ledger)
        quote = await careful.quote()

        await careful.exchange(quote)

        assert quote.expires_at - quote.at == timedelta(minutes=1)
        rests = await careful.next_eligible_at() - exchanger.client.session.now()
        assert timedelta(hours=6) - timedelta(minutes=1) < rests < timedelta(hours=6, minutes=1)


@pytest.mark.parametrize("wrong", [-3600.0, 3600.0])
@in_virtual_time
async def test_a_process_with_a_wrong_clock_can_tell_the_age_of_a_quote_from_elsewhere(
    wrong: float,
) -> None:
    scene = DebtScene(world=FarWorld(wrong_clock=wrong))
    async with scene as exchanger:
        quote = await exchanger.quote()
    fresh = DebtScene(world=scene.world)
    fresh.credentials = scene.credentials
    async with fresh as exchanger:
        assert (await exchanger.exchange(quote)).complete


@in_virtual_time
async def test_a_quote_that_grows_old_while_the_debts_are_read_again_is_not_carried_out() -> None:
    scene = DebtScene()
    async with scene as exchanger:
        hasty = LiabilityExchanger(exchanger.client, ledger=scene.ledger, cooldown=0, quote_ttl=8)
        quote = await hasty.quote()
        scene.world.exchange.faults.delay(9, on="answer", endpoint=MARGIN_ACCOUNT)

        with pytest.raises(GuardError, match="9 s old"):
            await hasty.exchange(quote)

        assert EXCHANGE not in [title for _, title in scene.world.sent]
        assert await entries_of(scene.ledger) == []


@in_virtual_time
async def test_more_debts_than_go_in_one_call_are_refused_before_anything_is_written() -> None:
    scene = DebtScene()
    async with scene as exchanger:
        names = [f"A{n}" for n in range(11)]
        quote = replace(
            await exchanger.quote(),
            lines=tuple(
                LiabilityLine(
                    asset=name, principal=Decimal(1), interest=Decimal(0), worth=Decimal(1)
                )
                for name in names
            ),
        )
        owed = json.dumps([MARGIN_ROW | {"asset": name} for name in names]).encode()
        scene.world.garble = lambda path, body: (
            body[:-1] + b',"userAssets":' + owed + b"}" if path == MARGIN_ACCOUNT else body
        )

        with pytest.raises(ConfigurationError, match="one call takes at most 10"):
            await exchanger.exchange(quote)

        assert EXCHANGE not in [title for _, title in scene.world.sent]
        assert await entries_of(scene.ledger) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"account": "bob"}, "is for bob"),
        ({"key_id": "other"}, "is for"),
        ({"lines": ()}, "nothing"),
        ({"expires_at": NOW - timedelta(days=9000)}, "old"),
        ({"eligible_at": NOW + timedelta(days=9000)}, "cooling"),
    ],
)
@in_virtual_time
async def test_a_quote_that_does_not_fit_is_refused_before_anything_is_sent(
    changes: dict[str, Any], words: str
) -> None:
    scene = DebtScene()
    async with scene as exchanger:
        quote = replace(await exchanger.quote(), **changes)
        asked = len(scene.world.sent)
        with pytest.raises(GuardError, match=words):
            await exchanger.exchange(quote)
        assert len(scene.world.sent) == asked
        with pytest.raises(TypeError, match="quote"):
            await exchanger.exchange("all")  # type: ignore[arg-type]
        assert isinstance(quote, LiabilityQuote)
