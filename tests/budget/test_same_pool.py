"""The pool in Redis decides as the local one does: the same world, to the millisecond.

The script repeats in Lua what stands in Python. These worlds hold the two together: they differ in
windows, clocks, latency, weights and crowds, and whoever changes one side only is found out.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
import redis

from binance_dust.budget import Charge, LimitKind
from binance_dust.events import BoundaryLearnt, BoundaryLost, Refused
from tests.budget import virtual
from tests.budget.shared import SharedDesk
from tests.budget.virtual import Exchange, Latency, run

SEEDS = [1, 3, 4, 6, 8, 9, 12, 15, 17, 26, 35, 43]


async def live(desk: virtual.Desk, dice: Random) -> None:
    """Have three crowds come, of different weights."""
    tasks: list[asyncio.Task[None]] = []
    for _ in range(3):
        await asyncio.sleep(dice.uniform(0, 90))
        charge = Charge("GET /list", LimitKind.IP, dice.choice([1, 10, 100]))
        tasks += [asyncio.ensure_future(desk.insist(charge)) for _ in range(dice.randint(1, 150))]
    await asyncio.gather(*tasks)


def arrivals(seed: int, client: redis.Redis | None) -> tuple[list[float], list[type]]:
    """Live through a world; give when calls arrived, and what was learnt."""
    dice = Random(seed)  # noqa: S311 - to be repeated

    async def main() -> tuple[list[float], list[type]]:
        way = dice.choice([0.02, 0.1, 0.5])
        exchange = Exchange(
            mode=dice.choice(["fixed", "sliding"]),
            start=dice.uniform(0, 60),
            offset=dice.choice([0.0, 0.0, 7.0]),
            limit=dice.choice([400, 1_200, 12_000]),
            latency=Latency(way, way),
        )
        options: dict[str, Any] = {"clock_error": dice.choice([0.0, 0.0, None, 1.0])}
        # Two paces of floating point would differ by a request, and all that follows with them.
        options["requests_per_second"] = 1e6
        desk = (
            virtual.Desk(exchange, **options)
            if client is None
            else SharedDesk(exchange, client=client, **options)
        )
        await live(desk, dice)
        learnt = [
            type(event)
            for event in desk.events
            if isinstance(event, BoundaryLearnt | BoundaryLost | Refused)
        ]
        return exchange.arrived, learnt

    return run(main())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_world_goes_the_same_way(seed: int, client: redis.Redis) -> None:
    alone, learnt_alone = arrivals(seed, None)
    shared, learnt_shared = arrivals(seed, client)

    assert shared == pytest.approx(alone, abs=0.001)
    assert learnt_shared == learnt_alone
