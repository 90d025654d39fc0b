"""Many processes of one account at once: converting, recovering, dying. Crosses all modules."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from binance_dust import DustError
from tests.conversion.far import (
    DUST,
    MEMORY,
    FarProcess,
    FarWorld,
    Killed,
    Mortal,
    check_books,
    entries_of,
    run_with_deaths,
)

workers = st.tuples(
    st.floats(0, 3),  # when it begins
    st.booleans(),  # whether it recovers, or converts
    st.none() | st.integers(1, 14),  # where it dies
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    processes=st.lists(workers, min_size=2, max_size=5),
    slow=st.floats(0, 12),
    lost=st.booleans(),
    lag=st.sampled_from([0.0, 30.0]),
)
def test_many_processes_at_once_convert_once(
    processes: list[tuple[float, bool, int | None]], slow: float, lost: bool, lag: float
) -> None:
    async def one(
        world: FarWorld, alice: Any, path: Path, worker: tuple[float, bool, int | None]
    ) -> Mortal:
        begins, recovers, dies = worker
        await asyncio.sleep(begins)
        async with FarProcess(world, alice, path) as process:
            work = process.converter.recover() if recovers else process.convert_all()
            mortal = Mortal(work, dies)
            with contextlib.suppress(Killed, DustError):
                await mortal
        return mortal

    async def main(path: Path) -> None:
        world = FarWorld(cooldown=0.0, log_lag=lag, volatility="0")
        alice = world.exchange.accounts.open("alice", {"ADA": "6.21", "XRP": "1.5"})
        world.exchange.faults.delay(slow, on="request", endpoint=DUST)
        if lost:
            world.exchange.faults.lose_answer(endpoint=DUST)

        graves = await asyncio.gather(*[one(world, alice, path, worker) for worker in processes])
        await asyncio.sleep(100)
        await world.quiet()

        async with FarProcess(world, alice, path) as process:
            await process.converter.recover()
            assert not [entry for entry in await entries_of(process.ledger) if entry.open]
            await check_books(world, process.ledger)
        rows = [row.asset for each in world.conversions() for row in each.rows]
        assert sorted(rows) in ([], ["ADA", "XRP"])
        for grave in graves:
            grave.bury()
        await asyncio.sleep(0.1)

    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        run_with_deaths(main(Path(folder) / "dust.db"))
