"""What the margin account's capital flow proves where the first record can't tell."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from binance_dust import OutcomeUnknownError
from binance_dust.conversion import LiabilityExchanger
from binance_dust.conversion._evidence import (
    Conclusion,
    Done,
    NotDone,
    Unknowable,
    conclude_again,
)
from binance_dust.ledger._witness import Flow, Movement
from tests.conversion.far import DUST, LOG
from tests.conversion.scene import EXCHANGE, HISTORY, Scene, in_virtual_time
from tests.conversion.test_evidence import BEFORE, EXPIRES, entry, read, record
from tests.conversion.values import NOW, seconds

FIRST = Unknowable("the log shows its newest hundred records only")


def moved(*assets: str, at: datetime = NOW, number: int = 7) -> Movement:
    return Movement(number=number, at=at, assets=frozenset(assets))


def say(*movements: Movement, held: Any = BEFORE, **more: Any) -> Conclusion:
    records = more.pop("records", [])
    evidence = read(clock=EXPIRES + seconds(99), records=records, held=held)
    flow = Flow(movements=movements, **more)
    return conclude_again(entry(account_type="MARGIN"), evidence, flow, FIRST)


def test_one_movement_of_these_assets_in_that_time_is_the_call() -> None:
    found = say(moved("ADA", "XRP", "BNB"))

    assert isinstance(found, Done)
    assert (found.record.transaction_id, found.record.lines) == (7, ())
    assert "not known yet" in (found.note or "")


@pytest.mark.parametrize(
    "movements",
    [
        [moved("ADA", "XRP", "BNB"), moved("ADA", "XRP", "BNB", number=8)],
        [moved("ADA", "BNB")],
        [moved("ADA", "XRP", "LTC", "BNB")],
        [moved("ADA", "XRP", "BNB", at=NOW - seconds(60))],
        [moved("ADA", "XRP", "BNB", at=EXPIRES + seconds(11))],
    ],
    ids=["two", "a part", "more", "before", "after"],
)
def test_anything_else_that_touches_the_assets_leaves_it_unknown(movements: list[Movement]) -> None:
    assert say(*movements) is FIRST


def test_silence_and_balances_together_prove_that_it_was_not_done() -> None:
    assert isinstance(say(), NotDone)
    assert isinstance(say(moved("LTC", "BNB")), NotDone)
    assert say(held={"ADA": BEFORE["ADA"]}) is FIRST
    assert say(hidden="ninety days") is FIRST


def test_where_the_first_one_has_records_the_second_one_tells_no_more() -> None:
    assert say(moved("ADA", "XRP", "BNB"), records=[record("ADA")]) is not FIRST
    fitting = [record("ADA", "XRP", number=1), record("ADA", "XRP", number=2)]
    evidence = read(clock=EXPIRES + seconds(99), records=fitting, held=BEFORE)

    assert conclude_again(entry(), evidence, Flow(), FIRST) is FIRST


def spoil(path: str) -> Any:
    """Make every record of a path unreadable."""

    def garble(asked: str, body: bytes) -> bytes:
        if asked != path:
            return body
        answer = json.loads(body)
        for row in answer.get("rows", ()):
            row["amount"] = "some"
        for group in answer.get("userAssetDribblets", ()):
            for detail in group["userAssetDribbletDetails"]:
                detail["amount"] = "some"
        return json.dumps(answer).encode()

    return garble


@pytest.mark.parametrize("executed", [True, False])
@in_virtual_time
async def test_a_margin_conversion_with_an_unreadable_record_is_found_in_the_flow(
    executed: bool,
) -> None:
    scene = Scene(volatility="0", cooldown=0)
    for asset in ("ADA", "XRP", "TRX"):
        scene.alice.owe(asset, "0")
        scene.alice.deposit(asset, "5", "MARGIN")
    async with scene.process(account_type="MARGIN", cooldown=0) as process:
        # Something that is unreadable, and is not the call's own.
        await process.converter.convert((await process.converter.quote()).only("TRX"))
        quote = (await process.converter.quote()).only("ADA")
        scene.faults.lose_answer(after_executing=executed, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.converter.convert(quote)
        scene.world.garble = spoil(LOG)
        (open_entry,) = await process.converter.recover()
        assert open_entry.status == ("confirmed" if executed else "rejected")
        if not executed:
            return
        assert open_entry.transaction_id == scene.world.conversions()[-1].transaction_id
        assert open_entry.lines == ()
        # When the record can be read, sync adds what it brought.
        scene.world.garble = None
        await process.ledger.sync(process.client)
        assert (await process.ledger.entry(open_entry.id)).net == scene.world.conversions()[-1].net
        assert len(await _of_dust(process)) == len(scene.world.conversions())


@pytest.mark.parametrize("executed", [True, False])
@in_virtual_time
async def test_where_the_first_one_can_tell_the_second_one_is_not_asked(executed: bool) -> None:
    """It costs a weight of 100, and has no fees."""
    scene = Scene(volatility="0", cooldown=0)
    scene.alice.owe("ADA", "0")
    scene.alice.deposit("ADA", "5", "MARGIN")
    async with scene.process(account_type="MARGIN") as process:
        await scene.lose_answer(process, executed=executed)

        (entry,) = await process.converter.recover()

    assert entry.status == ("confirmed" if executed else "rejected")
    assert len(entry.lines) == executed
    assert "/sapi/v1/margin/capital-flow" not in scene.asked


async def _of_dust(process: Any) -> list[Any]:
    return [each async for each in process.ledger.entries(status="confirmed")]


@pytest.mark.parametrize("executed", [True, False])
@in_virtual_time
async def test_exchanged_debts_with_an_unreadable_record_are_found_in_the_flow(
    executed: bool,
) -> None:
    scene = Scene(volatility="0", liability_cooldown=0)
    scene.alice.owe("ETH", "0.001")
    scene.alice.owe("XRP", "0.5")
    async with scene.process() as process:
        exchanger = LiabilityExchanger(process.client, ledger=process.ledger, cooldown=0)
        await exchanger.exchange((await exchanger.quote()).only("XRP"))
        quote = await exchanger.quote()
        scene.faults.lose_answer(after_executing=executed, endpoint=EXCHANGE)
        with pytest.raises(OutcomeUnknownError):
            await exchanger.exchange(quote)
        scene.world.garble = spoil(HISTORY)
        (settled,) = await exchanger.recover()

        assert settled.status == ("confirmed" if executed else "rejected")
        scene.world.garble = None
        await process.ledger.sync(process.client)
        (total,) = await process.ledger.totals("month", liabilities=True)
        done = scene.alice.debt_exchanges
        assert total.net == sum(each.target_amount for each in done)
