"""2,000 accounts, and four addresses for one, in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from binance_dust.fleet import Fleet, FleetProgress, FleetStream, Worker
from tests.budget.virtual import run
from tests.simulation.world import SimulatedWorld

ACCOUNTS = 2_000


async def watch(reports: FleetStream[Any], seen: list[FleetProgress]) -> None:
    """Look at a scan now and then, between bursts."""
    while True:
        await asyncio.sleep(30)
        seen.append(reports.progress)
        await asyncio.sleep(30)


async def scan(workers: int) -> tuple[float, list[FleetProgress]]:
    """Scan by so many workers; give the seconds it took, and how far it was now and then."""
    world = SimulatedWorld(start=10.0)
    accounts = world.accounts(ACCOUNTS)
    names = set()
    seen: list[FleetProgress] = []
    async with AsyncExitStack() as stack:
        for number in range(1, workers + 1):
            session = await stack.enter_async_context(world.session(address=f"127.0.0.{number}"))
            worker = Worker(map(session.client, accounts), name=f"{number}")
            await stack.enter_async_context(worker)
        fleet = await stack.enter_async_context(Fleet())
        reports = fleet.scan(liabilities=True)
        watching = asyncio.create_task(watch(reports, seen))
        async for report in reports:
            assert report.ok
            names.add(report.account)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert len(names) == ACCOUNTS
    assert world.refusals == 0
    return reports.progress.elapsed, seen


@pytest.mark.long
def test_four_addresses_take_a_quarter_of_the_time_of_one() -> None:
    one, _ = run(scan(1))
    took, seen = run(scan(4))

    assert one / 4 * 0.9 <= took <= one / 4 * 1.1, f"{took:.1f} s, and {one:.1f} s for one"
    assert len(seen) >= 4
    parts = [worker.done + worker.in_hand for worker in seen[-1].workers]
    assert max(parts) < 1.1 * min(parts)
    # The time left was told as it came, with a window more until a cut was seen to hold.
    for progress in seen:
        assert progress.seconds_left is not None
        late = progress.elapsed + progress.seconds_left - took
        assert -10 < late < (10 if progress.elapsed > 55 else 60), progress
