"""Settling what is open: by reading, in the exchange's time, and one at a time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import sqlite3
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
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
from binance_dust._util.exact import from_moment
from binance_dust.conversion._account import AccountContext
from binance_dust.conversion._recover import pause_before_next
from binance_dust.sandbox._accounts import draw_history
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

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


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


@pytest.mark.parametrize("later", [3, 60])
@pytest.mark.parametrize("wrong", [0.0, 3600.0])
@in_virtual_time
async def test_one_recovers_at_a_time_for_as_long_as_it_takes(later: float, wrong: float) -> None:
    scene = Scene(wrong_clock=wrong)
    async with scene.process() as process:
        scene.faults.lose_answer(after_executing=False, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()

        first = asyncio.ensure_future(process.converter.recover())
        await asyncio.sleep(later)
        with pytest.raises(GuardError, match="another recover"):
            await process.converter.recover()

        ((entry,),) = [await first]
        assert entry.status == "rejected"


@in_virtual_time
async def test_where_nothing_is_open_nobody_waits_for_a_turn() -> None:
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
        scene.faults.lose_answer(after_executing=False, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()
        began = scene.world.loop.time()

        (entry,) = await process.converter.recover()

        read = [at - began for at, title in scene.world.sent if title.endswith(LOG) and at > began]
        pauses = [later - sooner for sooner, later in itertools.pairwise(read)]
        assert 6 <= len(pauses) <= 8
        assert all(5 < pause < 11 for pause in pauses)
        assert "alice: entry 1: the exchange can still accept it" in caplog.text
        assert "alice: entry 1: the log does not show it, and may be late" in caplog.text
        assert entry.status == "rejected"


@pytest.mark.parametrize(
    ("left", "pause"),
    [(None, 10.0), (-1.0, 10.0), (0.0, 10.0), (3.0, 3.5), (9.0, 9.5), (9.6, 10.0), (30.0, 10.0)],
)
def test_a_call_that_will_soon_be_too_late_is_looked_at_when_it_is(
    left: float | None, pause: float
) -> None:
    expires_at = None if left is None else NOW + timedelta(seconds=left)

    assert pause_before_next(expires_at, NOW) == pause


@in_virtual_time
async def test_who_can_not_read_the_exchange_for_five_minutes_leaves_it_to_others() -> None:
    scene = Scene()
    async with scene.process() as process:
        await asyncio.sleep(1000)
        scene.faults.lose_answer(endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()
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
async def test_what_was_done_in_part_is_on_record_with_what_stayed() -> None:
    scene = Scene()
    async with scene.process() as process:
        scene.faults.lose_answer(endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()
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
async def test_the_log_is_asked_for_the_time_of_the_call_and_not_for_its_newest_page() -> None:
    scene = Scene()
    async with scene.process() as process:
        scene.faults.lose_answer(endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()
        (open_one,) = await entries_of(process.ledger)
        assert open_one.sent_after is not None
        assert open_one.expires_at is not None
        await asyncio.sleep(24 * 3600)

        await process.converter.recover()

        # It shows the call, so nobody needs to know whether it reaches back so far.
        (asked,) = [
            seen.parameters for seen in scene.world.exchange.requests.of() if seen.path == LOG
        ]
        assert int(asked["startTime"]) == from_moment(open_one.sent_after)
        after = from_moment(open_one.expires_at)
        assert after < int(asked["endTime"]) < after + 300_000


@in_virtual_time
async def test_an_exchange_whose_clock_went_back_is_given_the_time_that_it_takes() -> None:
    scene = Scene()
    async with scene.process() as process:
        scene.faults.lose_answer(after_executing=False, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()
        # By our own clock all is over by now.
        await asyncio.sleep(120)
        scene.faults.jump_clock(-100.0)
        began = scene.world.loop.time()

        (entry,) = await process.converter.recover()

        assert scene.world.loop.time() - began > 40
        assert entry.status == "rejected"


@in_virtual_time
async def test_a_balance_is_compared_with_itself_and_not_with_how_the_list_rounds_it() -> None:
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
async def test_what_the_sender_hears_meanwhile_ends_the_reading() -> None:
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


def page_of(count: int, at: float) -> bytes:
    """Make a page of the log, full of conversions of litecoin, a second after another."""
    row = {"amount": "0.01", "transferedAmount": "0.002", "serviceChargeAmount": "0.00004"}
    groups = []
    for number in range(count):
        moment = {"operateTime": int(1000 * (at + number))}
        groups.append(
            {
                "transId": number,
                "totalTransferedAmount": "0.002",
                "totalServiceChargeAmount": "0.00004",
                "userAssetDribbletDetails": [
                    {"transId": number, "fromAsset": "LTC"} | row | moment
                ],
            }
            | moment
        )
    return json.dumps({"total": count, "userAssetDribblets": groups}).encode()


@pytest.mark.parametrize(("others", "status"), [(99, "rejected"), (100, "unknown")])
@in_virtual_time
async def test_behind_a_full_page_of_the_log_there_may_be_more(others: int, status: str) -> None:
    scene = Scene()
    async with scene.process() as process:
        scene.faults.lose_answer(after_executing=False, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()
        page = page_of(others, at=scene.world.true())
        scene.world.garble = lambda path, body: page if path == LOG else body

        (entry,) = await process.converter.recover()

        assert entry.status == status
        if status == "unknown":
            assert "its newest hundred records only" in (entry.reason or "")


@pytest.mark.parametrize(
    ("in_time", "newest", "later", "status"),
    [
        # It shows more than the newest page: so it reaches back.
        (1, 100, 3600, "rejected"),
        # So it does here, but the page of its time is full, and there may be more of that time.
        (100, 100, 3600, "unknown"),
        # It shows what the newest page shows as well, and may show nothing older.
        (1, 100, 0, "unknown"),
        (1, 99, 0, "rejected"),
    ],
)
@in_virtual_time
async def test_an_old_call_is_not_taken_for_undone_by_a_log_that_may_end_after_it(
    in_time: int, newest: int, later: float, status: str
) -> None:
    scene = Scene()
    async with scene.process() as process:
        scene.faults.lose_answer(after_executing=False, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()
        (entry,) = await entries_of(process.ledger)
        assert entry.intended_at is not None
        oldest = entry.intended_at.timestamp() + 2
        of_its_time, newest_page = page_of(in_time, at=oldest), page_of(newest, at=oldest + later)
        pages = itertools.cycle([of_its_time, newest_page])
        await asyncio.sleep(24 * 3600)
        scene.world.garble = lambda path, body: next(pages) if path == LOG else body

        (entry,) = await process.converter.recover()

        assert entry.status == status


@pytest.mark.parametrize("column", ["sent_after", "expires_at"])
@in_virtual_time
async def test_an_entry_that_does_not_say_when_it_was_sent_is_left_to_somebody_who_looks(
    column: str, folder: Path
) -> None:
    scene = Scene()
    path = folder / "dust.db"
    async with scene.process(path=path) as process:
        scene.faults.lose_answer(endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()
        with contextlib.closing(sqlite3.connect(path)) as file:
            file.execute(f"UPDATE entries SET {column} = NULL")  # noqa: S608
            file.commit()

        (entry,) = await process.converter.recover()

        assert entry.status == "unknown"
        assert "does not say when" in (entry.reason or "")


@in_virtual_time
async def test_a_newest_page_that_can_not_be_dated_does_not_reach_back() -> None:
    scene = Scene()
    async with scene.process() as process:
        scene.faults.lose_answer(after_executing=False, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()
        (entry,) = await entries_of(process.ledger)
        assert entry.intended_at is not None
        newest = json.loads(page_of(100, at=scene.world.true()))
        for group in newest["userAssetDribblets"]:
            group["userAssetDribbletDetails"] = []
        pages = itertools.cycle(
            [page_of(1, at=entry.intended_at.timestamp() + 2), json.dumps(newest).encode()]
        )
        await asyncio.sleep(24 * 3600)
        scene.world.garble = lambda path, body: next(pages) if path == LOG else body

        (entry,) = await process.converter.recover()

        assert entry.status == "unknown"


@pytest.mark.parametrize(
    ("later", "before", "then", "status"),
    [
        (99, 0, 0, "rejected"),
        (100, 0, 0, "unknown"),
        (99, 1, 0, "rejected"),  # it reaches back to before the call
        (100, 0, 1, "rejected"),  # it shows more of that time than it does of all times
    ],
)
@in_virtual_time
async def test_a_log_that_may_have_forgotten_proves_nothing_by_its_silence(
    later: int, before: int, then: int, status: str
) -> None:
    scene = Scene()
    async with scene.process() as process:
        scene.faults.lose_answer(after_executing=False, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError) as caught:
            await process.convert_all()
        await asyncio.sleep(86_400)
        times = [caught.value.expires_at + n * timedelta(minutes=5) for n in range(1, later + 1)]
        times += [caught.value.sent_after - timedelta(days=1)] * before
        times += [caught.value.expires_at] * then
        exchange = scene.world.exchange
        for made in draw_history(
            0,
            scene.alice,
            exchange.market,
            times_ms=[from_moment(time) for time in times],
            target="USDT",
            wallet="SPOT",
        ):
            scene.alice.record(made)

        (entry,) = await process.converter.recover()

        assert entry.status == status
        assert ("its newest hundred records only" in (entry.reason or "")) is (status == "unknown")


@in_virtual_time
async def test_what_was_left_open_under_a_key_that_was_replaced_is_still_the_account_s() -> None:
    scene = Scene()
    async with scene.process() as process:
        scene.faults.lose_answer(endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()
        (entry,) = await entries_of(process.ledger)
        new_key = Credentials("another-key", "and-its-secret", name="alice")
        successor = Converter(process.session.client(new_key), ledger=process.ledger, cooldown=0)

        with pytest.raises(GuardError, match="recover") as caught:
            await successor.convert(await process.converter.quote())

        assert caught.value.entry_ids == (entry.id,)


@in_virtual_time
async def test_a_key_is_known_again_in_the_ledgers_of_earlier_releases() -> None:
    scene = Scene()
    async with scene.process() as process:
        key = Credentials("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A", "x")

        assert (
            AccountContext(process.session.client(key), process.ledger).key_id == "5ba1ed8425baaa72"
        )


@in_virtual_time
async def test_when_another_one_s_turn_ends_is_told_in_the_exchange_s_time() -> None:
    scene = Scene(wrong_clock=-3600.0)
    async with scene.process() as process:
        scene.faults.lose_answer(after_executing=False, endpoint=DUST)
        with pytest.raises(OutcomeUnknownError):
            await process.convert_all()
        first = asyncio.ensure_future(process.converter.recover())
        await asyncio.sleep(3)

        with pytest.raises(GuardError, match="another recover") as caught:
            await process.converter.recover()

        assert caught.value.retry_at is not None
        left = caught.value.retry_at.timestamp() - scene.world.true()
        assert 0 < left < 60
        await first


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


@in_virtual_time
async def test_a_code_that_nobody_knows_is_in_the_error_and_on_record() -> None:
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
async def test_a_ledger_that_is_closed_under_a_call_is_no_mistake_before_any_io(lost: bool) -> None:
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
