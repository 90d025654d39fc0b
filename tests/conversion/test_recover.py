"""Settling what is open: by reading, in the exchange's time, and one at a time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import sqlite3
import tempfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from binance_dust import DustRejectedError, GuardError, OutcomeUnknownError, Receipt
from binance_dust.conversion._recover import pause_before_next
from binance_dust.events import OutcomeAwaited, OutcomeRead
from tests.conversion.far import (
    ASSETS,
    DUST,
    LIST,
    LOG,
    MEMORY,
    FarProcess,
    check_books,
    entries_of,
)
from tests.conversion.scene import Scene, in_virtual_time
from tests.conversion.values import NOW
from tests.ledger.makers import intent


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("lag", [0.0, 45.0])
@in_virtual_time
async def test_a_lost_answer_is_settled_by_reading_in_two_minutes_at_most(
    executed: bool, lag: float
) -> None:
    scene = Scene(log_lag=lag)
    async with scene.process() as process:
        error = await scene.lose_answer(process, executed=executed)
        entry = await process.ledger.entry(error.entry_ids[-1])
        assert (entry.status, entry.open) == ("unknown", True)
        assert entry.expires_at == error.expires_at
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


@pytest.mark.parametrize("outcome", ["confirmed", "rejected", "unknown"])
@in_virtual_time
async def test_an_observer_hears_what_is_waited_for_and_how_it_ended(outcome: str) -> None:
    scene, heard = Scene(), list[Any]()
    async with scene.process(observer=heard.append) as process:
        error = await scene.lose_answer(process, executed=outcome == "confirmed")
        if outcome == "unknown":
            scene.alice.withdraw("ADA", "6.21")
        await process.converter.recover()

    waits = [each for each in heard if isinstance(each, OutcomeAwaited)]
    (end,) = [each for each in heard if isinstance(each, OutcomeRead)]
    assert heard.index(end) > heard.index(waits[-1])
    assert end == OutcomeRead("alice", error.entry_ids[-1], outcome)  # type: ignore[arg-type]
    assert {each.account for each in waits} == {"alice"}
    assert waits[0].reason == "the exchange can still carry it out"
    assert 0 < waits[0].seconds < waits[0].at_most <= 300
    left = [each.at_most for each in waits]
    assert len(left) > 1
    assert left == sorted(left, reverse=True)
    assert left[0] - left[1] == pytest.approx(waits[0].seconds - waits[1].seconds, abs=0.1)


@in_virtual_time
async def test_with_nothing_open_of_ones_own_nobody_is_waited_for() -> None:
    scene = Scene()
    async with scene.process() as process:
        await process.ledger.intend(intent(account="bob"), length=timedelta(hours=1))
        context = process.converter._context
        async with context.claimed("convert"), context.claimed("recover"):
            assert await process.converter.recover() == []


@in_virtual_time
async def test_an_outcome_that_can_not_be_known_stays_unknown_until_resolved_by_hand() -> None:
    scene = Scene()
    async with scene.process() as process:
        await scene.lose_answer(process, executed=False)
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
async def test_a_fresh_process_recovers_by_the_exchange_s_clock(wrong: float) -> None:
    scene = Scene(wrong_clock=wrong)
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder) / "dust.db"
        async with FarProcess(scene.world, scene.credentials, path) as process:
            scene.faults.lose_answer(after_executing=False, endpoint=DUST)
            with pytest.raises(OutcomeUnknownError):
                await process.convert_all()
        async with FarProcess(scene.world, scene.credentials, path) as process:
            (entry,) = await process.converter.recover()

            assert entry.status == "rejected"
        # A quote may come from elsewhere, and this process has asked nothing yet.
        async with FarProcess(scene.world, scene.credentials, path) as process:
            quote = await process.converter.quote()
        async with FarProcess(scene.world, scene.credentials, path) as process:
            assert (await process.converter.convert(quote)).complete


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


@pytest.mark.parametrize("later", [3, 60])
@pytest.mark.parametrize("wrong", [0.0, 3600.0])
@in_virtual_time
async def test_only_one_recovery_runs_at_a_time_however_long_it_takes(
    later: float, wrong: float
) -> None:
    scene = Scene(wrong_clock=wrong)
    async with scene.process() as process:
        await scene.lose_answer(process, executed=False)

        first = asyncio.ensure_future(process.converter.recover())
        await asyncio.sleep(later)
        with pytest.raises(GuardError, match="another recover"):
            await process.converter.recover()

        ((entry,),) = [await first]
        assert entry.status == "rejected"


@in_virtual_time
async def test_without_open_entries_recovery_needs_no_claim() -> None:
    scene = Scene()
    async with scene.process() as process:
        recover = process.converter.recover

        assert list(await asyncio.gather(recover(), recover())) == [[], []]

        assert scene.world.exchange.requests.of() == ()


@in_virtual_time
async def test_the_log_is_read_every_ten_seconds_until_it_was_silent_for_long_enough(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    caplog.set_level(logging.INFO)
    async with scene.process() as process:
        await scene.lose_answer(process, executed=False)
        began = scene.world.loop.time()

        (entry,) = await process.converter.recover()

        read = [at - began for at, title in scene.world.sent if title.endswith(LOG) and at > began]
        pauses = [later - sooner for sooner, later in itertools.pairwise(read)]
        assert 4 <= len(pauses) <= 6
        assert all(5 < pause < 11 for pause in pauses)
        assert "alice: entry 1: the exchange can still carry it out" in caplog.text
        assert "alice: entry 1: the log does not show it, and may be late" in caplog.text
        assert entry.status == "rejected"


@pytest.mark.parametrize(
    ("left", "pause"),
    [(None, 10.0), (-10.0, 10.0), (-7.0, 3.5), (-1.0, 9.5), (-0.4, 10.0), (30.0, 10.0)],
)
def test_the_next_reading_is_just_after_the_call_is_over_if_that_is_soon(
    left: float | None, pause: float
) -> None:
    expires_at = None if left is None else NOW + timedelta(seconds=left)

    assert pause_before_next(expires_at, NOW) == pause


@in_virtual_time
async def test_recovery_gives_up_after_five_minutes_without_a_reading() -> None:
    scene = Scene()
    async with scene.process() as process:
        await asyncio.sleep(1000)
        await scene.lose_answer(process)
        scene.faults.fail(503, endpoint=LOG, times=None)
        began = scene.world.loop.time()

        (entry,) = await process.converter.recover()

        assert 300 < scene.world.loop.time() - began < 400
        assert entry.status == "unknown"
        assert "could not be read" in (entry.reason or "")
        scene.faults.clear()
        ((entry,),) = [await process.converter.recover()]
        assert entry.status == "confirmed"


@in_virtual_time
async def test_a_conversion_in_part_is_on_record_with_the_assets_that_stayed() -> None:
    scene = Scene()
    async with scene.process() as process:
        await scene.lose_answer(process)
        scene.alice.deposit("XRP", "1.5")

        def without_ripple(path: str, body: bytes) -> bytes:
            if path != LOG:
                return body
            log = json.loads(body)
            for group in log["userAssetDribblets"]:
                rows = group["userAssetDribbletDetails"]
                rows[:] = [row for row in rows if row["fromAsset"] != "XRP"]
            return json.dumps(log).encode()

        scene.world.garble = without_ripple
        (entry,) = await process.converter.recover()

        assert (entry.status, entry.reason) == ("confirmed", "in part: XRP stayed")
        assert [line.asset for line in entry.lines] == ["ADA"]


@in_virtual_time
async def test_recovery_waits_for_an_exchange_clock_that_went_back() -> None:
    scene = Scene()
    async with scene.process() as process:
        await scene.lose_answer(process, executed=False)
        # By our own clock all is over by now.
        await asyncio.sleep(120)
        scene.faults.jump_clock(-100.0)
        began = scene.world.loop.time()

        (entry,) = await process.converter.recover()

        assert scene.world.loop.time() - began > 40
        assert entry.status == "rejected"


@in_virtual_time
async def test_a_balance_is_compared_with_the_wallet_and_not_with_the_rounded_list() -> None:
    scene = Scene({"ADA": "6.209999996", "XRP": "1.5"})
    scene.world.garble = lambda path, body: (
        body.replace(b"6.209999996", b"6.21000000") if (path == LIST) else body
    )
    async with scene.process() as process:
        quote = await process.converter.quote()
        assert quote.lines[0].amount == Decimal("6.21")
        scene.faults.lose_answer(after_executing=False, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.converter.convert(quote)

        (entry,) = await process.converter.recover()

        assert entry.held["ADA"] == Decimal("6.209999996")
        assert entry.status == "rejected"


@in_virtual_time
async def test_an_answer_to_the_sender_ends_the_recovery() -> None:
    scene = Scene(log_lag=50.0)
    async with scene.process() as process:
        quote = await process.converter.quote()
        scene.faults.delay(8.0, on="answer", endpoint=DUST)
        sending = asyncio.ensure_future(process.converter.convert(quote))
        await asyncio.sleep(1)

        (entry,) = await process.converter.recover()

        assert scene.world.loop.time() < 15
        assert (entry.status, entry.settled_by) == ("confirmed", "answer")
        assert (await sending).complete


@pytest.mark.parametrize("column", ["sent_after", "expires_at"])
@in_virtual_time
async def test_an_entry_without_its_times_stays_unknown(column: str, folder: Path) -> None:
    scene = Scene()
    path = folder / "dust.db"
    async with scene.process(path=path) as process:
        await scene.lose_answer(process)
        with contextlib.closing(sqlite3.connect(path)) as file:
            file.execute(f"UPDATE entries SET {column} = NULL")  # noqa: S608
            file.commit()

        (entry,) = await process.converter.recover()

        assert entry.status == "unknown"
        assert "does not say when" in (entry.reason or "")


@pytest.mark.parametrize("executed", [True, False])
@in_virtual_time
async def test_recovering_while_the_sender_lives_does_no_harm(executed: bool) -> None:
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
async def test_an_exchange_that_can_not_be_read_is_read_again() -> None:
    scene = Scene()
    async with scene.process() as process:
        await scene.lose_answer(process)
        scene.faults.garble_body(endpoint=LOG, times=2)
        scene.faults.fail(503, endpoint=ASSETS, times=6)

        (entry,) = await process.converter.recover()

        assert entry.status == "confirmed"
