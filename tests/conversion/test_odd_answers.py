"""Answers in other words, with other fields: what is read, and what becomes of the funds."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import pytest

from binance_dust import CooldownError, OutcomeUnknownError, UnreadableAnswerError
from binance_dust.conversion._evidence import Done, NotYet, Unknowable, conclude
from binance_dust.models import UnreadRow
from tests.conversion import test_evidence as evidence
from tests.conversion.far import ASSETS, DUST, LIST, LOG, check_books, entries_of
from tests.conversion.scene import Scene, in_virtual_time
from tests.conversion.values import NOW, seconds

FLOAT = "com.binance.assetservice.AssetErrorCode.USER_OUT_OF_TRANSFER_FLOAT"


def refuse(scene: Scene, message: str, **where: Any) -> None:
    scene.faults.fail(400, code=-9000, msg=message, after_executing=False, endpoint=DUST, **where)


@pytest.mark.parametrize("message", [FLOAT, "032004"])
@in_virtual_time
async def test_a_refusal_inside_another_is_definite_and_its_culprit_is_dropped(
    message: str,
) -> None:
    scene = Scene({"ADA": "6.21", "XRP": "1.5", "AR": "0.01"})
    async with scene.process() as process:
        refuse(scene, message)
        began = scene.world.loop.time()

        receipt = await process.convert_all()

        assert scene.world.loop.time() - began < 5, "nothing was to be found out"
        assert len(receipt.assets) == 2
        (dropped,) = receipt.dropped
        assert message in dropped.detail
        entries = await entries_of(process.ledger)
        assert [(e.status, e.code) for e in entries] == [("rejected", -9000), ("confirmed", None)]


@pytest.mark.parametrize("message", ["USER_CAN_NOT_REQUEST_IN_24_HOURS", "032006"])
@in_virtual_time
async def test_a_cooldown_inside_another_refusal_is_a_lesson(message: str) -> None:
    scene = Scene()
    async with scene.process(cooldown=3600) as process:
        refuse(scene, message)

        with pytest.raises(CooldownError) as caught:
            await process.convert_all()

        assert caught.value.retry_at is not None
        assert (await process.converter.quote()).eligible_at is not None


@in_virtual_time
async def test_another_such_refusal_leaves_the_outcome_unknown() -> None:
    scene = Scene()
    async with scene.process() as process:
        refuse(scene, "187049")

        with pytest.raises(OutcomeUnknownError) as caught:
            await process.convert_all()

        assert caught.value.code == -9000


@pytest.mark.parametrize(
    "names", [("tranId",), ("operateTime",), ("totalTransfered", "totalServiceCharge")]
)
@in_virtual_time
async def test_a_field_less_in_the_answer_leaves_the_outcome_known(names: tuple[str, ...]) -> None:
    scene = Scene()
    async with scene.process() as process:
        scene.faults.leave_out(*names, endpoint=DUST)

        receipt = await process.convert_all()

        assert receipt.complete
        await process.ledger.sync(process.client, account_types=["SPOT"])
        (entry,) = await entries_of(process.ledger)
        assert entry.net == receipt.net, "it is in the books once"


@pytest.mark.parametrize("names", [("tranId", "operateTime"), ("amount",), ("transferedAmount",)])
@in_virtual_time
async def test_what_the_books_need_is_read_from_the_log_instead(names: tuple[str, ...]) -> None:
    scene = Scene()
    async with scene.process() as process:
        scene.faults.leave_out(*names, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()

        (entry,) = await process.converter.recover()

        assert entry.status == "confirmed"
        await check_books(scene.world, process.ledger)


@pytest.mark.parametrize("lost", [False, True])
@in_virtual_time
async def test_mended_spelling_is_read_everywhere(lost: bool) -> None:
    scene = Scene(spelling="mended")
    async with scene.process() as process:
        if lost:
            await scene.lose_answer(process)
            (entry,) = await process.converter.recover()
            assert entry.status == "confirmed"
        else:
            assert (await process.convert_all()).complete
        await check_books(scene.world, process.ledger)


@in_virtual_time
async def test_an_old_record_with_a_null_is_named_once_and_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    scene.world.exchange.accounts["alice"].deposit("ADA", "0.0")
    async with scene.process(cooldown=3600) as process:
        await process.convert_all()
        scene.alice.deposit("ADA", "6")
        scene.faults.put({"amount": None}, times=None, endpoint=LOG)
        with caplog.at_level(logging.WARNING, "binance_dust"):
            for _ in range(3):
                plan = await process.converter.quote()

        # Our own books know of it.
        assert plan.eligible_at is not None
        (warning,) = [record for record in caplog.records if "can't be read" in record.message]
        assert warning.message.startswith("alice: record ")


@in_virtual_time
async def test_a_lost_conversion_whose_record_can_not_be_read_is_never_called_undone() -> None:
    scene = Scene()
    async with scene.process() as process:
        await scene.lose_answer(process)
        # The balance does not show it either.
        scene.alice.deposit("ADA", "6.21")
        scene.alice.deposit("XRP", "1.5")
        bad = scene.faults.put({"amount": None}, times=None, endpoint=LOG)

        (entry,) = await process.converter.recover()

        assert entry.status == "unknown"
        assert "can't be read" in (entry.reason or "")
        bad.cancel()
        (entry,) = await process.converter.recover()
        assert entry.status == "confirmed"


@pytest.mark.parametrize("value", [None, "much", []])
@pytest.mark.parametrize(("path", "name"), [(ASSETS, "free"), (LIST, "amountFree")])
@in_virtual_time
async def test_a_holding_that_can_not_be_read_is_not_taken_for_zero(
    path: str, name: str, value: Any
) -> None:
    scene = Scene()
    async with scene.process() as process:
        scene.faults.put({name: value}, nth=1, times=None, endpoint=path)

        with pytest.raises(UnreadableAnswerError):
            await process.converter.quote()


@pytest.mark.parametrize(
    ("at", "may_fit"),
    [
        (None, True),
        (NOW, True),
        (evidence.BEGAN, True),
        (evidence.BEGAN - seconds(0.001), False),
        (evidence.EXPIRES + seconds(10), True),
        (evidence.EXPIRES + seconds(10.001), False),
    ],
)
def test_a_fitting_record_is_its_own_unless_an_unreadable_one_may_fit_too(
    at: datetime | None, may_fit: bool
) -> None:
    found = conclude(
        evidence.entry(),
        evidence.read(
            clock=evidence.EXPIRES + seconds(20),
            records=[evidence.WHOLE],
            unread=[UnreadRow(place="$.userAssetDribblets[0]", why="so", at=at)],
            held=evidence.GONE,
        ),
    )

    assert isinstance(found, Unknowable if may_fit else Done)


@pytest.mark.parametrize(("late", "kind"), [(11, NotYet), (79, NotYet), (81, Unknowable)])
def test_an_unreadable_record_of_the_time_proves_nothing(late: float, kind: type) -> None:
    entry = evidence.entry()
    unread = UnreadRow(place="$.userAssetDribblets[0]", why="so")
    assert entry.expires_at is not None
    for records in ([], [evidence.record("ADA")]):
        found = conclude(
            entry,
            evidence.read(
                clock=entry.expires_at + seconds(late),
                records=records,
                unread=[unread],
                held=evidence.BEFORE,
            ),
        )

        assert isinstance(found, kind)
        assert "can't be read" in str(found)
