"""Clocks that step while many calls wait: the exchange's time is learnt once, and first."""

from __future__ import annotations

import asyncio

import pytest

from binance_dust import RateLimits, RetryPolicy
from binance_dust.events import ClockLearnt, Event, Retried
from tests.budget.virtual import run
from tests.simulation.world import SimulatedWorld

TIME = "GET /api/v3/time"


def refused_timestamps(events: list[Event]) -> int:
    """Count the calls that had to be sent again for their timestamp."""
    return sum(isinstance(event, Retried) and "ClockError" in event.reason for event in events)


@pytest.mark.parametrize("asleep", [8.0, 3600.0])
def test_a_machine_that_wakes_learns_the_time_before_it_sends(asleep: float) -> None:
    """The loop's clock stands still during a suspend, and the machine's goes on."""

    async def main() -> None:
        events: list[Event] = []
        world = SimulatedWorld(start=1.0, window_mode="sliding")
        async with world.session(observer=events.append) as session:
            clients = [session.client(account) for account in world.accounts(300)]
            lists = asyncio.gather(*[client.small_liabilities() for client in clients])
            await asyncio.sleep(59.0)
            world.epoch += asleep

            assert len(await lists) == 300

        assert refused_timestamps(events) == 0
        assert world.refusals == 0
        # At the beginning, after the sleep, and when it was due.
        assert sum(title == TIME for _, title in world.sent) <= 4

    run(main())


def test_the_machines_own_clock_may_be_set_without_harm() -> None:
    async def main() -> None:
        events: list[Event] = []
        world = SimulatedWorld(start=1.0)
        async with world.session(observer=events.append) as session:
            client = session.client(world.account("alice"))
            await client.user_assets()
            for wrong in (5.0, -3600.0):
                world.wrong_clock = wrong
                await client.user_assets()
                await client.user_assets()

        assert refused_timestamps(events) == 0
        assert sum(isinstance(event, ClockLearnt) for event in events) == 3

    run(main())


@pytest.mark.parametrize("pace", [500, 50])
def test_the_first_refused_timestamp_holds_all_that_are_not_yet_sent(pace: int) -> None:
    """The machine itself was stopped (a virtual machine, say): none of its clocks can tell."""

    async def main() -> None:
        events: list[Event] = []
        world = SimulatedWorld(start=1.0, window_mode="sliding", latency=(0.02, 0.02))
        limits = RateLimits(requests_per_second=pace)
        async with world.session(observer=events.append, limits=limits) as session:
            clients = [session.client(account) for account in world.accounts(239)]
            lists = asyncio.gather(*[client.small_liabilities() for client in clients])
            await asyncio.sleep(59.0)
            world.epoch += 8.0
            world.wrong_clock -= 8.0

            assert len(await lists) == 239

        # One call goes first to find out whether there is room, and its answer holds the others.
        assert refused_timestamps(events) == 1
        assert world.refusals == 0

    run(main())


def test_calls_that_do_not_retry_learn_from_a_refused_timestamp_too() -> None:
    async def main() -> None:
        world = SimulatedWorld(start=1.0)
        async with world.session(retry=RetryPolicy(attempts=1)) as session:
            client = session.client(world.account("alice"))
            await client.user_assets()
            world.exchange.clock.jump(30.0)
            with pytest.raises(Exception, match="-1021"):
                await client.user_assets()

            await client.user_assets()

    run(main())
