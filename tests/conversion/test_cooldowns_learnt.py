"""Hidden cooldowns, learnt by converting. Crosses converter and ledger, in virtual time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from binance_dust import CooldownError
from tests.budget.virtual import run
from tests.conversion.far import FarProcess, FarWorld

HOUR = 3600.0


class Schedule:
    """Accounts that keep getting dust, each converted as soon as it may be."""

    def __init__(self, rule: float, *names: str) -> None:
        self.rule = rule
        self.world = FarWorld(cooldown=rule, volatility=0)
        self.names = names
        self.keys = {name: self.world.exchange.accounts.open(name, {}) for name in names}
        self.refusals = 0

    async def convert(self, process: FarProcess, name: str = "alice") -> float:
        """Try at each time that the converter says until it works; tell how late it was."""
        world = self.world
        before = [each.done_at for each in world.conversions(name)]
        while True:
            when = await process.converter.next_eligible_at()
            await asyncio.sleep(max(0.0, when.timestamp() - world.true()))
            if not world.exchange.accounts[name].free("ADA"):
                world.exchange.accounts[name].deposit("ADA", "5")
            try:
                await process.convert_all()
            except CooldownError:
                self.refusals += 1
                continue
            done = world.conversions(name)[-1].done_at
            return done - before[-1] - self.rule if before else 0.0


@pytest.mark.parametrize("configured", [1, 6, 24])
@pytest.mark.parametrize("rule", [1, 6, 24])
def test_the_second_scheduled_conversion_lands_just_after_the_account_may_convert_again(
    rule: int, configured: int, folder: Path
) -> None:
    async def main() -> None:
        schedule = Schedule(rule * HOUR, "alice")
        cooldown = timedelta(hours=configured)
        path = folder / "dust.db"
        async with FarProcess(
            schedule.world, schedule.keys["alice"], path, cooldown=cooldown
        ) as process:
            await schedule.convert(process)
            await schedule.convert(process)
            second = await schedule.convert(process)
            paid = schedule.refusals
        # What was learnt outlives the process.
        async with FarProcess(
            schedule.world, schedule.keys["alice"], path, cooldown=cooldown
        ) as process:
            third = await schedule.convert(process)

        assert 0 <= second <= 60
        assert 0 <= third <= 60
        assert paid == schedule.refusals <= 2

    run(main())


def test_a_cooldown_learnt_by_one_account_holds_for_the_next(folder: Path) -> None:
    async def main() -> None:
        schedule = Schedule(6 * HOUR, "alice", "bob")
        cooldown, path = timedelta(hours=24), folder / "dust.db"
        async with FarProcess(
            schedule.world, schedule.keys["alice"], path, cooldown=cooldown
        ) as process:
            for _ in range(3):
                await schedule.convert(process)
            paid = schedule.refusals
        async with FarProcess(
            schedule.world, schedule.keys["bob"], path, cooldown=cooldown
        ) as process:
            await schedule.convert(process, "bob")
            first = await schedule.convert(process, "bob")

        assert paid == schedule.refusals == 1
        assert 0 <= first <= 60

    run(main())
