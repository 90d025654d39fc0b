"""The pool in Redis decides as the local one does: the same world, to the millisecond.

The script repeats in Lua what stands in Python. These worlds compare the two: they differ in
windows, clocks, latency, weights and batches. A change of one side only makes a test fail.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
import redis

from binance_dust.budget import Charge, Feedback, Lane, LimitKind
from binance_dust.errors import BudgetExceededError
from binance_dust.events import Banned, BoundaryLearnt, BoundaryLost, Refused
from tests.budget import virtual
from tests.budget.shared import SharedCaller
from tests.budget.virtual import Exchange, Latency, run

SEEDS = [1, 3, 4, 6, 8, 9, 12, 15, 17, 26, 35, 43]
TROUBLED = [0, 2, 4, 7, 9, 12, 13, 19]
HURRIED = [0, 5, 7, 17, 18, 19, 26, 38]
"""Worlds in which nothing depends on the moment of a look, nor on the places of a batch: where it
does, the two differ, and may."""


class MoodyExchange(Exchange):
    """Refuses, bans and walls off now and then, for no reason of ours."""

    def _receive(self, charge: Charge, sent: float) -> Feedback:
        answer = super()._receive(charge, sent)
        mood = self.dice.random()
        if mood < 0.010:
            return Feedback(429, retry_after=self.dice.choice([None, 0.0, 1.0, 20.0]))
        if mood < 0.015:
            return Feedback(418, retry_after=self.dice.choice([None, 5.0, 200.0]))
        return Feedback(403, walled=True) if mood < 0.030 else answer


async def live(caller: virtual.Caller, dice: Random) -> None:
    """Have three batches come, of different weights."""
    tasks: list[asyncio.Task[None]] = []
    for _ in range(3):
        await asyncio.sleep(dice.uniform(0, 90))
        charge = Charge("GET /list", LimitKind.IP, dice.choice([1, 10, 100]))
        tasks += [asyncio.ensure_future(caller.insist(charge)) for _ in range(dice.randint(1, 150))]
    await asyncio.gather(*tasks)


def arrivals(
    seed: int, client: redis.Redis | None, kind: type[Exchange] = Exchange
) -> tuple[list[float], list[type]]:
    """Live through a world; give when calls arrived, and what was learnt."""
    dice = Random(seed)  # noqa: S311 - to be repeated

    async def main() -> tuple[list[float], list[type]]:
        way = dice.choice([0.02, 0.1, 0.5])
        exchange = kind(
            mode=dice.choice(["fixed", "sliding"]),
            start=dice.uniform(0, 60),
            offset=dice.choice([0.0, 0.0, 7.0]),
            limit=dice.choice([400, 1_200, 12_000]),
            # Of troubles that are heard in one moment Redis hears all before it acts on any.
            latency=Latency(way, way if kind is Exchange else 1.5 * way),
        )
        options: dict[str, Any] = {"clock_error": dice.choice([0.0, 0.0, None, 1.0])}
        # Two paces of floating point would differ by a request, and all that follows with them.
        options["requests_per_second"] = 1e6
        caller = (
            virtual.Caller(exchange, **options)
            if client is None
            else SharedCaller(exchange, client=client, **options)
        )
        await live(caller, dice)
        learnt = [
            type(event)
            for event in caller.events
            if isinstance(event, Banned | BoundaryLearnt | BoundaryLost | Refused)
        ]
        return exchange.arrived, learnt

    return run(main())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_world_goes_the_same_way(seed: int, client: redis.Redis) -> None:
    alone, learnt_alone = arrivals(seed, None)
    shared, learnt_shared = arrivals(seed, client)

    assert shared == pytest.approx(alone, abs=0.001)
    assert learnt_shared == learnt_alone


@pytest.mark.parametrize("seed", TROUBLED)
def test_refusals_bans_and_walls_go_the_same_way(seed: int, client: redis.Redis) -> None:
    alone, learnt_alone = arrivals(seed, None, MoodyExchange)
    shared, learnt_shared = arrivals(seed, client, MoodyExchange)

    assert shared == pytest.approx(alone, abs=0.001)
    assert learnt_shared == learnt_alone


def lateness(seed: int, client: redis.Redis | None) -> list[tuple[float, float]]:
    """Live through a world of deadlines; give when calls were told to be too late, and by what."""
    dice = Random(seed)  # noqa: S311 - to be repeated
    charge = Charge("GET /list", LimitKind.IP, 100)

    async def main() -> list[tuple[float, float]]:
        exchange = Exchange(
            mode=dice.choice(["fixed", "sliding"]),
            start=dice.uniform(0, 60),
            limit=1_200,
            latency=Latency(0.3, 0.3),
        )
        loop, told = exchange.loop, list[tuple[float, float]]()
        caller = (
            virtual.Caller(exchange) if client is None else SharedCaller(exchange, client=client)
        )

        async def hurry(lane: Lane, seconds: float) -> None:
            try:
                await caller.call(charge, lane=lane, deadline=loop.time() + seconds)
            except BudgetExceededError as error:
                told.append((loop.time(), error.retry_after))

        tasks: list[asyncio.Task[None]] = []
        for _ in range(60):
            await asyncio.sleep(dice.choice([0.1, 0.1, 0.1, 5.0]))
            lane, seconds = dice.choice([Lane.CALL, Lane.SCAN]), dice.uniform(0, 150)
            tasks.append(asyncio.ensure_future(hurry(lane, seconds)))
        await asyncio.gather(*tasks)
        return told

    return run(main())


@pytest.mark.parametrize("seed", HURRIED)
def test_late_calls_are_told_the_same_at_the_same_time(seed: int, client: redis.Redis) -> None:
    alone, shared = lateness(seed, None), lateness(seed, client)

    assert len(alone) > 5
    assert [at for at, _ in shared] == pytest.approx([at for at, _ in alone], abs=0.001)
    assert [by for _, by in shared] == pytest.approx([by for _, by in alone], abs=0.001)
