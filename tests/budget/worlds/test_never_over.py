"""A process alone is never refused, whatever the windows, our clock and the latency are."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_dust.budget import Charge
from binance_dust.endpoints import LimitKind
from tests.budget.virtual import Latency, VirtualCaller, VirtualExchange, run

LIGHT = Charge("GET /light", LimitKind.IP, 1)
MIDDLING = Charge("GET /light", LimitKind.IP, 10)
HEAVY = Charge("GET /light", LimitKind.IP, 100)


@dataclass(frozen=True)
class SpoiltHeaders:
    """How often a header is missing, or says -1, which is read as no header."""

    missing: float

    def __call__(self, used: int, dice: Random) -> int | None:
        return None if dice.random() < self.missing else used


latencies = st.builds(
    Latency,
    least=st.sampled_from([0.001, 0.02, 0.2]),
    most=st.sampled_from([0.2, 0.5, 1.0]),
    slow=st.sampled_from([0.0, 2.0, 6.0]),
    slow_part=st.sampled_from([0.01, 0.2, 1.0]),
)
worlds = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["fixed", "sliding"]),
        "start": st.floats(0, 60),
        "offset": st.sampled_from([0.0, 0.0, 0.0, 7.0, 31.0, 59.5]),
        "limit": st.sampled_from([400, 1200]),
        "latency": latencies,
        "header": st.builds(SpoiltHeaders, st.sampled_from([0.0, 0.0, 0.3, 1.0])),
        "lost": st.sampled_from([0.0, 0.0, 0.05]),
        "seed": st.integers(0, 10_000),
    }
)
clocks = st.one_of(st.just(0.0), st.none(), st.floats(-4, 4))
waves = st.lists(
    st.tuples(
        st.floats(0, 90),
        st.integers(1, 300),
        st.sampled_from([LIGHT, MIDDLING, MIDDLING, HEAVY]),
        st.floats(0, 1),
    ),
    min_size=1,
    max_size=5,
)


async def live(
    caller: VirtualCaller, waves: list[tuple[float, int, Charge, float]], step: float
) -> None:
    """Send waves of calls, some of which are cancelled; set the clock anew somewhere between."""
    dice = Random(caller.exchange.seed)  # noqa: S311 - to be repeated
    tasks: list[asyncio.Task[Any]] = []
    for pause, count, charge, cancelled in waves:
        await asyncio.sleep(pause)
        tasks += [asyncio.ensure_future(caller.insist(charge)) for _ in range(count)]
        await asyncio.sleep(dice.uniform(0, 3))
        for task in tasks:
            if dice.random() < cancelled / 2:
                task.cancel()
        if caller.clock.error is not None:
            caller.clock.error += step
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.local_only(reason="tests/worlds has such worlds for both")
@settings(max_examples=100)
@given(world=worlds, clock=clocks, step=st.sampled_from([0.0, 0.0, 0.3, -1.0]), waves=waves)
def test_a_process_alone_is_never_refused(
    world: dict[str, Any],
    clock: float | None,
    step: float,
    waves: list[tuple[float, int, Charge, float]],
) -> None:
    async def main() -> None:
        exchange = VirtualExchange(**world)
        caller = VirtualCaller(exchange, clock_error=clock)

        await live(caller, waves, step)

        assert exchange.refused == 0
        assert all(pool.in_flight == 0 for pool in caller.budget.snapshot().pools)
        assert caller.budget.snapshot().waiting == 0

    run(main())
