"""A process may die at any line: each intent is carried out once at most, and it is known which."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from binance_dust import OutcomeUnknownError
from tests.budget.virtual import run
from tests.conversion.far import (
    FarWorld,
    Killed,
    Mortal,
    Process,
    check_books,
)


async def one_life(
    world: FarWorld, alice: Any, path: Path, after: int | None, **options: Any
) -> int:
    """Quote and convert in a process that is killed on the way; tell how many steps it lived."""
    async with Process(world, alice, path, **options) as process:
        mortal = Mortal(process.convert_all(), after)
        with contextlib.suppress(Killed, OutcomeUnknownError):
            await mortal
        await world.quiet()
        mortal.bury()
    return mortal.steps


@pytest.mark.parametrize("target", ["BNB", "USDT"])
def test_a_conversion_that_is_killed_anywhere_happens_once_at_most(
    target: str, folder: Path
) -> None:
    async def main() -> None:
        steps = await attempt(None)
        assert steps >= 10
        for after in range(1, steps + 1):
            await attempt(after)

    async def attempt(after: int | None) -> int:
        world = FarWorld(cooldown=0.0, convert_cooldown="asset")
        alice = world.exchange.accounts.open("alice", {"ADA": "6.21", "XRP": "1.5"})
        path = folder / f"{target}-{after}.db"
        steps = await one_life(world, alice, path, after, target=target)
        async with Process(world, alice, path, target=target) as process:
            before = len(world.conversions())
            settled = await process.converter.recover()
            assert [entry.status for entry in settled] in ([], ["confirmed"], ["rejected"])
            assert len(world.conversions()) == before, "recover() sent something"
            await check_books(world, process.ledger)
            # The account is free again: what is left can be converted, and nothing happens twice.
            await asyncio.sleep(100)
            if world.exchange.accounts["alice"].free("XRP"):
                await process.convert_all()
            await check_books(world, process.ledger)
        await world.quiet()
        rows = [row.asset for each in world.conversions() for row in each.rows]
        assert sorted(rows) == ["ADA", "XRP"]
        return steps

    run(main())
