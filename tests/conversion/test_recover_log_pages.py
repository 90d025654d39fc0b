"""Recovery and the pages of the exchange's log: what a page hides, and how far back it reaches."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import timedelta

import pytest

from binance_dust._util.exact import from_moment
from binance_dust.sandbox._accounts import draw_history
from tests.conversion.far import LOG, entries_of
from tests.conversion.scene import Scene, in_virtual_time


@in_virtual_time
async def test_the_log_is_asked_for_the_time_of_the_call_and_not_for_its_newest_page() -> None:
    scene = Scene()
    async with scene.process() as process:
        await scene.lose_answer(process)
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
async def test_a_full_page_of_the_log_may_hide_more(others: int, status: str) -> None:
    scene = Scene()
    async with scene.process() as process:
        await scene.lose_answer(process, executed=False)
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
async def test_a_log_that_may_end_after_an_old_call_does_not_prove_it_undone(
    in_time: int, newest: int, later: float, status: str
) -> None:
    scene = Scene()
    async with scene.process() as process:
        await scene.lose_answer(process, executed=False)
        (entry,) = await entries_of(process.ledger)
        assert entry.intended_at is not None
        oldest = entry.intended_at.timestamp() + 2
        of_its_time, newest_page = page_of(in_time, at=oldest), page_of(newest, at=oldest + later)
        pages = itertools.cycle([of_its_time, newest_page])
        await asyncio.sleep(24 * 3600)
        scene.world.garble = lambda path, body: next(pages) if path == LOG else body

        (entry,) = await process.converter.recover()

        assert entry.status == status


@in_virtual_time
async def test_a_newest_page_without_dates_does_not_reach_back() -> None:
    scene = Scene()
    async with scene.process() as process:
        await scene.lose_answer(process, executed=False)
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
async def test_a_log_that_may_have_dropped_records_proves_nothing_by_absence(
    later: int, before: int, then: int, status: str
) -> None:
    scene = Scene()
    async with scene.process() as process:
        error = await scene.lose_answer(process, executed=False)
        await asyncio.sleep(86_400)
        times = [error.expires_at + n * timedelta(minutes=5) for n in range(1, later + 1)]
        times += [error.sent_after - timedelta(days=1)] * before
        times += [error.expires_at] * then
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
