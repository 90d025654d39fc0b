"""Settling what is open: by reading, in the exchange's time, and one at a time."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest

from binance_dust import (
    Converter,
    Credentials,
    DustRejectedError,
    GuardError,
    LedgerError,
    OutcomeUnknownError,
    Receipt,
)
from tests.conversion.far import (
    ASSETS,
    CONVERT,
    DUST,
    LOG,
    MEMORY,
    Process,
    check_books,
    entries_of,
)
from tests.conversion.scene import DUST_OF_TWO, Scene, in_virtual_time


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("lag", [0.0, 45.0])
@in_virtual_time
async def test_a_lost_answer_is_settled_by_reading_in_two_minutes_at_most(
    executed: bool, lag: float
) -> None:
    scene = Scene(log_lag=lag)
    async with scene.process() as process:
        scene.faults.lose_answer(after_executing=executed, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError) as caught:
            await process.convert_all()
        entry = await process.ledger.entry(caught.value.entry_ids[-1])
        assert (entry.status, entry.open) == ("unknown", True)
        assert entry.expires_at == caught.value.expires_at
        with pytest.raises(GuardError, match="recover") as guarded:
            await process.convert_all()
        assert guarded.value.entry_ids == (entry.id,)
        began = scene.world.loop.time()

        (settled,) = await process.converter.recover()

        assert scene.world.loop.time() - began < 120
        assert settled.status == ("confirmed" if executed else "rejected")
        assert settled.settled_by == "reading"
        assert len(scene.sent) == 1
        await check_books(scene.world, process.ledger)
        assert await process.converter.recover() == []
        if not executed:
            assert (await process.convert_all()).complete


@in_virtual_time
async def test_what_can_not_be_known_stays_unknown_until_somebody_looks() -> None:
    scene = Scene()
    async with scene.process() as process:
        scene.faults.lose_answer(after_executing=False, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()
        # Sold by hand meanwhile: the balance is gone, and the log does not say why.
        scene.alice.withdraw("ADA", "6.21")

        (entry,) = await process.converter.recover()

        assert (entry.status, entry.settled_by) == ("unknown", None)
        assert "less ADA than before" in (entry.reason or "")
        (again,) = await process.converter.recover()
        assert again.status == "unknown"
        await process.ledger.resolve(
            entry.id, "rejected", "sold on the market", now=process.session.now()
        )
        assert (await process.convert_all()).assets == ("XRP",)
        assert len(scene.sent) == 2


@pytest.mark.parametrize("wrong", [-86400.0, -30.0, 3600.0])
@in_virtual_time
async def test_who_recovers_first_thing_goes_by_the_exchange_s_clock(wrong: float) -> None:
    scene = Scene(wrong_clock=wrong)
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder) / "dust.db"
        async with Process(scene.world, scene.credentials, path) as process:
            scene.faults.lose_answer(after_executing=False, endpoint=DUST)
            with pytest.raises(OutcomeUnknownError):
                await process.convert_all()
        async with Process(scene.world, scene.credentials, path) as process:
            (entry,) = await process.converter.recover()

            assert entry.status == "rejected"
        # A quote may come from elsewhere, and this process has asked nothing yet.
        async with Process(scene.world, scene.credentials, path) as process:
            quote = await process.converter.quote()
        async with Process(scene.world, scene.credentials, path) as process:
            assert (await process.converter.convert(quote)).complete


@in_virtual_time
async def test_one_account_under_two_names_is_one_account() -> None:
    scene = Scene()
    key = scene.credentials
    async with scene.process() as process:
        scene.faults.lose_answer(endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()
        scene.alice.deposit("ADA", "5")
        again = Credentials(key.api_key, key.secret.reveal(), name="alice, again")
        other = Converter(process.session.client(again), ledger=process.ledger, cooldown=0)

        with pytest.raises(GuardError, match="recover"):
            await other.convert(await other.quote())
        assert len(scene.sent) == 1

        (entry,) = await other.recover()
        assert (entry.account, entry.status) == ("alice", "confirmed")


@in_virtual_time
async def test_the_record_of_one_call_never_settles_another() -> None:
    scene = Scene({"ADA": "6.21"}, cooldown=0.0)
    async with scene.process() as process:
        quote = await process.converter.quote()
        await process.converter.convert(quote)
        # The same again, so soon that the first one's record fits the second call as well.
        scene.alice.deposit("ADA", "6.21")
        scene.faults.lose_answer(after_executing=False, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.converter.convert(quote)
        first, second = await entries_of(process.ledger)
        assert second.sent_after is not None
        assert second.sent_after < first.at

        (settled,) = await process.converter.recover()

        assert settled.status == "rejected"
        await check_books(scene.world, process.ledger)


@in_virtual_time
async def test_one_recovers_at_a_time() -> None:
    scene = Scene()
    async with scene.process() as process:
        scene.faults.lose_answer(after_executing=False, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()

        first = asyncio.ensure_future(process.converter.recover())
        await asyncio.sleep(3)
        with pytest.raises(GuardError, match="another recover"):
            await process.converter.recover()

        ((entry,),) = [await first]
        assert entry.status == "rejected"


@pytest.mark.parametrize("executed", [True, False])
@in_virtual_time
async def test_who_recovers_while_the_sender_lives_does_no_harm(executed: bool) -> None:
    scene = Scene()
    async with scene.process() as process:
        quote = await process.converter.quote()
        scene.faults.delay(8.0, on="answer", endpoint=DUST)
        if not executed:
            scene.faults.fail(400, code=-5002, after_executing=False, endpoint=DUST)

        sending = asyncio.ensure_future(process.converter.convert(quote))
        await asyncio.sleep(1)
        (settled,) = await process.converter.recover()
        (outcome,) = await asyncio.gather(sending, return_exceptions=True)

        assert settled.status == ("confirmed" if executed else "rejected")
        assert isinstance(outcome, Receipt if executed else DustRejectedError)
        assert (await process.ledger.entry(settled.id)).status == settled.status
        await check_books(scene.world, process.ledger)


@in_virtual_time
async def test_an_exchange_that_can_not_be_read_is_asked_again() -> None:
    scene = Scene()
    async with scene.process() as process:
        scene.faults.lose_answer(endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()
        scene.faults.garble_body(endpoint=LOG, times=2)
        scene.faults.fail(503, endpoint=ASSETS, times=6)

        (entry,) = await process.converter.recover()

        assert entry.status == "confirmed"


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


@in_virtual_time
async def test_an_unknown_outcome_is_told_also_where_the_ledger_can_not_be_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    async with scene.process() as process:

        async def full(*_: object, **__: object) -> Any:
            raise LedgerError("the disk is full", path="dust.db")

        process.ledger.leave_unknown = full  # type: ignore[method-assign]
        scene.faults.lose_answer(endpoint=DUST)
        with pytest.raises(OutcomeUnknownError) as caught:
            await process.convert_all()
        del process.ledger.leave_unknown
        assert "the ledger has its intent only" in caplog.text

        assert (await process.ledger.entry(caught.value.entry_ids[0])).status == "intended"
        (entry,) = await process.converter.recover()
        assert entry.status == "confirmed"
