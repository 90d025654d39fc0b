"""A process may die, or be cancelled, at any line. Crosses all modules.

Each intent is carried out at most once, and nobody waits for the claim of what has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from binance_dust import OutcomeUnknownError
from binance_dust.ledger import Claim
from binance_dust.sandbox._faults import Stage
from tests.conversion.far import (
    CONVERT,
    DUST,
    Cancelled,
    FarProcess,
    FarWorld,
    Killed,
    Mortal,
    check_books,
    entries_of,
    run_with_deaths,
)


async def one_life(
    world: FarWorld, alice: Any, path: Path, after: int | None, **options: Any
) -> Mortal:
    """Quote and convert in a process that is killed on the way, and does not clean up."""
    async with FarProcess(world, alice, path, **options) as process:
        mortal = Mortal(process.convert_all(), after)
        with contextlib.suppress(Killed, OutcomeUnknownError):
            await mortal
    return mortal


@pytest.mark.parametrize("target", ["BNB", "USDT"])
@pytest.mark.parametrize("leg", ["request", "execution", "answer"])
@pytest.mark.parametrize("late", [0.0, pytest.param(4.0, marks=pytest.mark.long), 9.0])
def test_a_conversion_that_is_killed_anywhere_happens_once_at_most(
    target: str, leg: Stage, late: float, folder: Path
) -> None:
    """Also if the call arrives long after its sender was killed."""

    async def main() -> None:
        steps = await attempt(None)
        assert steps >= 10
        for after in range(1, steps + 1):
            await attempt(after)

    async def attempt(after: int | None) -> int:
        world = FarWorld(cooldown=0.0, convert_cooldown="asset")
        alice = world.exchange.accounts.open("alice", {"ADA": "6.21", "XRP": "1.5"})
        for endpoint in (DUST, CONVERT):
            world.exchange.faults.delay(late, on=leg, endpoint=endpoint)
        path = folder / f"{target}-{after}.db"
        mortal = await one_life(world, alice, path, after, target=target)
        async with FarProcess(world, alice, path, target=target) as process:
            # At once, while the call may still be on its way.
            settled = await process.converter.recover()
            assert [entry.status for entry in settled] in ([], ["confirmed"], ["rejected"])
            before = len(world.conversions())
            await world.quiet()
            assert len(world.conversions()) == before, "settled before it was over"
            await check_books(world, process.ledger)
            # The account is free again: what is left can be converted, and nothing happens twice.
            await asyncio.sleep(100)
            if world.exchange.accounts["alice"].free("XRP"):
                await process.convert_all()
            await check_books(world, process.ledger)
        rows = [row.asset for each in world.conversions() for row in each.rows]
        assert sorted(rows) == ["ADA", "XRP"]
        await world.quiet()
        mortal.bury()
        await asyncio.sleep(0.1)
        return mortal.steps

    run_with_deaths(main())


@pytest.mark.parametrize("executed", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_recovery_that_is_killed_anywhere_is_begun_again(executed: bool, folder: Path) -> None:
    async def main() -> None:
        steps = await attempt(None)
        assert steps >= 5
        for after in range(1, steps + 1):
            await attempt(after)

    async def attempt(after: int | None) -> int:
        world = FarWorld(log_lag=20.0)
        alice = world.exchange.accounts.open("alice", {"ADA": "6.21"})
        world.exchange.faults.lose_answer(after_executing=executed, endpoint=DUST)
        path = folder / f"{after}.db"
        await one_life(world, alice, path, None)
        async with FarProcess(world, alice, path) as process:
            mortal = Mortal(process.converter.recover(), after)
            with contextlib.suppress(Killed):
                await mortal
        async with FarProcess(world, alice, path) as process:
            # At once: the claim has died with its process.
            await process.converter.recover()
            (entry,) = await entries_of(process.ledger)
            assert entry.status == ("confirmed" if executed else "rejected")
            await check_books(world, process.ledger)
        await world.quiet()
        mortal.bury()
        await asyncio.sleep(0.1)
        return mortal.steps

    run_with_deaths(main())


@pytest.mark.parametrize("role", ["convert", "recover"])
def test_what_is_cancelled_anywhere_claims_nothing_afterwards(role: Any, folder: Path) -> None:
    """Also while it takes its claim; its process lives on."""

    async def main() -> None:
        after = 1
        while await attempt(after):
            after += 1
        assert after > 5

    async def attempt(after: int) -> bool:
        world = FarWorld(cooldown=0.0)
        alice = world.exchange.accounts.open("alice", {"ADA": "6.21", "XRP": "1.5"})
        path = folder / f"{after}.db"
        if role == "recover":
            world.exchange.faults.lose_answer(endpoint=DUST)
            await one_life(world, alice, path, None)
        async with (
            FarProcess(world, alice, path) as process,
            FarProcess(world, alice, path) as other,
        ):
            work = process.convert_all() if role == "convert" else process.converter.recover()
            task = Cancelled(work, after)
            with contextlib.suppress(asyncio.CancelledError):
                await task
            # What it has left to the ledger's thread is done by now, and it lives on.
            await process.ledger.books()
            claim, now = Claim("alice", role, "they"), other.session.machine_time()
            await other.ledger.claim(claim, now=now, length=timedelta(minutes=1))
        await world.quiet()
        return task.happened

    run_with_deaths(main())
