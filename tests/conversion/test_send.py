"""One call that moves funds: in time or not at all, its answer read, its outcome on record."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from binance_dust import (
    BudgetExceededError,
    Converter,
    CooldownError,
    DustRejectedError,
    GuardError,
    LedgerError,
    OutcomeUnknownError,
    PriceMovedError,
    UnreadableAnswerError,
)
from binance_dust.conversion import Reason
from binance_dust.conversion._calls import read_conversion
from binance_dust.events import FundsCallEnded
from tests.conversion.far import DUST, MEMORY, check_books, entries_of
from tests.conversion.scene import Scene, in_virtual_time
from tests.conversion.values import NOW, conversion

D = Decimal


def test_the_transferred_amount_is_gross() -> None:
    answer = read_conversion(conversion(("ADA", "0.5", "0.01"), gross="0.5", fee="0.01"), NOW)

    assert answer.transaction_id == 7
    (done,) = answer.lines
    assert (done.gross, done.fee, done.net) == (D("0.5"), D("0.01"), D("0.49"))
    assert answer.notes == ()


@pytest.mark.parametrize(
    ("gross", "notes"),
    [("1.00000002", 0), ("1.00000003", 1), ("0.99999998", 0), ("0.4", 1)],
)
def test_totals_may_be_off_by_the_last_digit_of_each_row(gross: str, notes: int) -> None:
    rows = (("ADA", "0.5", "0.01"), ("XRP", "0.5", "0.01"))

    assert len(read_conversion(conversion(*rows, gross=gross, fee="0.02"), NOW).notes) == notes


@pytest.mark.parametrize(("amount", "gross"), [("1", "0"), ("0", "0.5")])
def test_a_row_with_an_amount_or_a_gross_was_converted(amount: str, gross: str) -> None:
    answer = conversion(("ADA", gross, "0"), gross=gross, fee="0", amount=amount)

    assert [line.asset for line in read_conversion(answer, NOW).lines] == ["ADA"]


def test_a_row_without_amount_and_gross_was_not_converted() -> None:
    rows = (("ADA", "0.5", "0.01"), ("XRP", "0", "0"))

    answer = read_conversion(conversion(*rows, gross="0.5", fee="0.01", amount="0"), NOW)

    assert [line.asset for line in answer.lines] == ["ADA"]


def test_an_empty_result_converted_nothing_and_a_total_without_rows_is_unreadable() -> None:
    assert read_conversion(conversion(gross="0", fee="0"), NOW).nothing is not None
    for gross, fee in (("0.1", "0"), ("0", "0.1")):
        with pytest.raises(UnreadableAnswerError, match="a total of"):
            read_conversion(conversion(gross=gross, fee=fee), NOW)
    for missing in ("total_transferred", "total_service_charge"):
        bare = msgspec.structs.replace(conversion(gross="0", fee="0"), **{missing: None})
        with pytest.raises(UnreadableAnswerError, match="not both totals"):
            read_conversion(bare, NOW)


def test_a_total_that_is_missing_is_not_compared_with_the_rows() -> None:
    answer = conversion(("ADA", "0.5", "0.01"), gross="7", fee="0.01")

    assert len(read_conversion(answer, NOW).notes) == 1
    without = msgspec.structs.replace(answer, total_transferred=None)
    assert read_conversion(without, NOW).notes == ()


@in_virtual_time
async def test_a_cooldown_refusal_is_raised_and_on_record() -> None:
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
async def test_each_call_that_moves_funds_is_reported_as_the_ledger_has_it() -> None:
    scene = Scene()
    told: list[Any] = []
    async with scene.process(observer=told.append) as process:
        await process.convert_all()
        scene.alice.deposit("ADA", "5")
        with pytest.raises(CooldownError):
            await process.convert_all()
        scene.faults.convert_nothing(endpoint=DUST)
        await asyncio.sleep(6 * 3600)
        await process.convert_all()
        await scene.lose_answer(process)
        await process.converter.recover()
        scene.alice.deposit("ADA", "5")
        await asyncio.sleep(6 * 3600)
        accepted = b'{"transferResult":[]}'
        scene.world.garble = lambda path, body: accepted if path == DUST else body
        with pytest.raises(OutcomeUnknownError, match="it was accepted"):
            await process.convert_all()

        ended = [each for each in told if isinstance(each, FundsCallEnded)]

        assert [(each.account, each.kind, each.outcome, each.entry_id) for each in ended] == [
            ("alice", "dust", "confirmed", 1),
            ("alice", "dust", "rejected", 2),
            ("alice", "dust", "rejected", 3),
            ("alice", "dust", "unknown", 4),
            ("alice", "dust", "unknown", 5),
        ]


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
async def test_a_total_that_differs_from_the_sum_of_its_rows_is_noted() -> None:
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
async def test_a_deposit_just_before_the_call_is_noted_as_converted_too() -> None:
    scene = Scene()

    def deposit() -> None:
        scene.alice.deposit("ADA", "1")

    scene.world.before_write = deposit
    async with scene.process() as process:
        receipt = await process.convert_all()

        assert receipt.notes == ("ADA: 7.21 were converted, and 6.21 were quoted",)
        assert receipt.notes[0] in receipt._repr_html_()


@in_virtual_time
async def test_an_asset_missing_in_the_answer_is_reported_as_not_done() -> None:
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
async def test_an_accepted_call_with_an_unreadable_answer_is_unknown_and_then_settled(
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


@in_virtual_time
async def test_a_call_that_can_not_be_sent_in_time_is_not_sent() -> None:
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
async def test_correcting_the_clock_does_not_move_the_times_on_record(
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


@in_virtual_time
async def test_an_unknown_outcome_is_raised_even_if_the_ledger_can_not_be_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    async with scene.process() as process:

        async def full(*_: object, **__: object) -> Any:
            raise LedgerError("the disk is full", path="dust.db")

        process.ledger.leave_unknown = full  # type: ignore[method-assign]
        error = await scene.lose_answer(process)
        del process.ledger.leave_unknown
        assert "the ledger has its intent only" in caplog.text

        assert (await process.ledger.entry(error.entry_ids[0])).status == "intended"
        (entry,) = await process.converter.recover()
        assert entry.status == "confirmed"


@in_virtual_time
async def test_an_unknown_code_is_in_the_error_and_on_record() -> None:
    scene = Scene()
    async with scene.process() as process:
        scene.faults.fail(400, code=-99999, msg="what?", after_executing=False, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError) as caught:
            await process.convert_all()

        assert (caught.value.code, caught.value.status) == (-99999, 400)
        assert (await process.ledger.entry(1)).code == -99999
        (entry,) = await process.converter.recover()
        assert (entry.status, entry.code) == ("rejected", None)


@pytest.mark.parametrize("lost", [False, True])
@in_virtual_time
async def test_closing_the_ledger_during_a_call_does_not_look_like_a_call_not_sent(
    lost: bool,
) -> None:
    scene = Scene()
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        async with scene.process(path=Path(folder) / "dust.db") as process:
            quote = await process.converter.quote()
            if lost:
                scene.faults.lose_answer(endpoint=DUST)
            scene.faults.delay(5, endpoint=DUST)
            converting = asyncio.ensure_future(process.converter.convert(quote))
            await asyncio.sleep(3)
            assert len(scene.sent) == 1
            await process.ledger.close()

            with pytest.raises(OutcomeUnknownError if lost else LedgerError) as caught:
                await converting

            await process.ledger.open()
            assert vars(caught.value)["entry_ids"] == (1,)
            assert [entry.status for entry in await process.converter.recover()] == ["confirmed"]
