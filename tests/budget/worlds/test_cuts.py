"""Fixed windows: learnt from the headers without a risk, and given up when they stop holding."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_dust.events import BoundaryLearnt, BoundaryLost
from tests.budget.virtual import ASSETS, LIST, Latency, Mode, VirtualCaller, VirtualExchange, run

LEARNT, LOST = BoundaryLearnt(LIST.pool), BoundaryLost(LIST.pool)


@pytest.mark.long
@pytest.mark.many_calls
@settings(max_examples=40)
@given(start=st.floats(0, 60), seed=st.integers(0, 999))
def test_sliding_windows_are_never_taken_for_fixed(start: float, seed: int) -> None:
    async def main() -> None:
        latency = Latency(0.02, 0.3, slow=4.0)
        exchange = VirtualExchange(mode="sliding", start=start, latency=latency, seed=seed)
        caller = VirtualCaller(exchange)

        await caller.keep_busy([LIST], 600.0, workers=150)

        assert LEARNT not in caller.events
        assert exchange.refused == 0

    run(main())


def test_fixed_windows_are_learnt_at_the_first_cut() -> None:
    async def main() -> None:
        exchange = VirtualExchange(mode="fixed", start=50.0)
        caller = VirtualCaller(exchange)
        scanning = asyncio.ensure_future(caller.scan(300))

        await asyncio.sleep(10.0)
        assert LEARNT not in caller.events
        await asyncio.sleep(1.0)
        assert LEARNT in caller.events
        assert caller.budget.snapshot().pools[0].fixed

        await scanning

    run(main())


@pytest.mark.many_calls
def test_others_cannot_fake_the_proof() -> None:
    """In sliding windows they only add; that they stop, or expire, proves nothing."""

    async def main() -> None:
        exchange = VirtualExchange(mode="sliding", start=30.0)
        caller = VirtualCaller(exchange)
        exchange.spend(LIST, 6_000)

        await caller.keep_busy([LIST], 1200.0, workers=100)

        assert LEARNT not in caller.events

    run(main())


@pytest.mark.many_calls
@pytest.mark.parametrize("start", [0.0, 20.0, 40.0])
def test_an_exchange_that_turns_to_sliding_windows_refuses_nothing(start: float) -> None:
    async def main() -> None:
        exchange = VirtualExchange(mode="fixed", start=start)
        caller = VirtualCaller(exchange)
        working = asyncio.ensure_future(caller.keep_busy([LIST], 1200.0, workers=150))
        await asyncio.sleep(420.0)
        turn_to_sliding(exchange)

        await working

        assert LEARNT in caller.events
        assert LOST in caller.events
        assert exchange.refused == 0
        assert exchange.weight >= 0.95 * 12_000 * 20

    run(main())


def turn_to_sliding(exchange: VirtualExchange) -> None:
    """From now on count in sliding windows, and remember what the last fixed one held."""
    for meter in exchange.meters.values():
        used = meter.used(exchange.now())
        meter.mode = "sliding"
        meter._used = 0
        # Dated when the last of it arrived: no exchange takes a request for a later one.
        meter.add(exchange.now() - exchange.loop.time() + exchange.arrived[-1], used)


@pytest.mark.many_calls
@pytest.mark.parametrize("error", [1.0, 5.0, -5.0])
def test_a_clock_that_is_wrong_costs_time_and_no_refusal(error: float) -> None:
    async def main() -> None:
        exchange = VirtualExchange(mode="fixed", start=25.0)
        caller = VirtualCaller(exchange, clock_error=error)

        await caller.keep_busy([LIST], 1800.0, workers=150)

        assert exchange.refused == 0
        assert exchange.weight >= 0.95 * 12_000 * 30

    run(main())


@pytest.mark.many_calls
@pytest.mark.parametrize("mode", ["fixed", "sliding"])
@pytest.mark.parametrize("step", [0.5, 20.0, -0.5, -20.0])
def test_a_clock_that_is_set_anew_costs_no_refusal(mode: Mode, step: float) -> None:
    async def main() -> None:
        exchange = VirtualExchange(mode=mode, start=25.0)
        caller = VirtualCaller(exchange)
        working = asyncio.ensure_future(caller.keep_busy([LIST], 900.0, workers=150))
        for _ in range(8):
            await asyncio.sleep(100.0)
            caller.clock.error = step - (caller.clock.error or 0.0)

        await working

        assert exchange.refused == 0
        assert exchange.weight >= 0.9 * 12_000 * 15

    run(main())


def test_a_pool_with_room_to_spare_learns_without_waiting() -> None:
    async def main() -> None:
        exchange = VirtualExchange(mode="fixed", start=30.0, latency=Latency(0.05, 0.05))
        caller = VirtualCaller(exchange)
        for _ in range(100):
            await caller.call(ASSETS)
            await asyncio.sleep(0.5)

        assert BoundaryLearnt(ASSETS.pool) in caller.events

    run(main())
