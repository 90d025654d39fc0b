"""The whole limit is used: scans against the least time that the exchange allows."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_dust.budget import Charge, Lane
from binance_dust.events import BoundaryLearnt
from tests.budget.virtual import (
    ASSETS,
    LIST,
    LOG,
    Latency,
    Mode,
    VirtualCaller,
    VirtualExchange,
    run,
)

MODES: list[Mode] = ["fixed", "sliding"]


def least(calls: int, room: int, exchange: VirtualExchange) -> float:
    """Return the earliest time of the last answer, if one call has to go alone first.

    `room` calls fit into a window. The first goes alone, so that the others go a round trip later;
    what then arrives before the cut counts in the window of that first one.
    """
    way = exchange.latency.most
    if exchange.mode == "sliding":
        return 2 * way + (-(-calls // room) - 1) * exchange.window + (2 * way if calls > 1 else 0)
    # Nobody can know a cut better than by the margin: what would arrive that late is held back.
    cut = exchange.window - exchange.start % exchange.window
    safe = cut - exchange.window / 240
    inside = sum(arrives < safe for arrives in [way, *[3 * way] * (min(room, calls) - 1)])
    later = -(-(calls - inside) // room)
    if later == 0:
        return 4 * way if calls > 1 else 2 * way
    return cut + (later - 1) * exchange.window + 2 * way


@pytest.mark.many_calls
@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=60)
@given(
    start=st.one_of(st.floats(0, 60), st.floats(59, 60)),
    way=st.sampled_from([0.001, 0.02, 0.1, 0.25]),
    clock_error=st.floats(-0.2, 0.2),
)
def test_300_accounts_take_little_longer_than_they_must(
    mode: Mode, start: float, way: float, clock_error: float
) -> None:
    async def main() -> None:
        exchange = VirtualExchange(mode=mode, start=start, latency=Latency(way, way))
        caller = VirtualCaller(exchange, clock_error=clock_error)

        took = await caller.scan(300)

        assert exchange.refused == 0
        assert took <= 1.05 * least(300, 120, exchange)

    run(main())


@pytest.mark.many_calls
@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=30)
@given(start=st.floats(0, 60), slow=st.floats(0.3, 5), seed=st.integers(0, 999))
def test_a_slow_way_costs_no_more_than_being_careful_about_it(
    mode: Mode, start: float, slow: float, seed: int
) -> None:
    async def main() -> None:
        latency = Latency(0.02, 0.2, slow=slow, slow_part=0.3)
        exchange = VirtualExchange(mode=mode, start=start, latency=latency, seed=seed)
        caller = VirtualCaller(exchange)

        took = await caller.scan(300)

        assert exchange.refused == 0
        # A window and a round trip each, for what was sent last can have arrived late.
        windows = 2 if mode == "sliding" or start < 55 else 3
        assert took <= windows * (exchange.window + 2 * slow) + 4 * slow + 1.0

    run(main())


@pytest.mark.long
@pytest.mark.many_calls
@pytest.mark.parametrize("mode", MODES)
def test_a_day_of_scanning_10_000_accounts_uses_98_parts_in_a_hundred(mode: Mode) -> None:
    """Whoever is done begins anew, in the lane of scans, a hundred at a time."""

    async def main() -> None:
        exchange = VirtualExchange(mode=mode, start=17.0, latency=Latency(0.05, 0.3))
        caller = VirtualCaller(exchange)
        day = 24 * 3600.0
        accounts = iter(range(10_000_000))

        async def work() -> None:
            while next(accounts) >= 0:
                await caller.call(LIST, lane=Lane.SCAN)

        workers = [asyncio.ensure_future(work()) for _ in range(100)]
        await asyncio.sleep(day)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

        assert exchange.refused == 0
        assert caller.done > 10_000
        assert exchange.weight >= 0.98 * exchange.limit * day / exchange.window

    run(main())


@pytest.mark.long
@pytest.mark.many_calls
@pytest.mark.parametrize("mode", MODES)
def test_an_hour_of_several_endpoints_uses_each_ones_limit(mode: Mode) -> None:
    async def main() -> None:
        exchange = VirtualExchange(mode=mode, start=44.0, limit=1_200)
        caller = VirtualCaller(exchange)

        await caller.keep_busy([LIST, ASSETS, LOG], 3600.0, workers=30)

        assert exchange.refused == 0
        # Of weight 100 only 12 go into this limit, and one of them is the witness.
        assert exchange.weight >= 0.98 * 3 * 1_200 * 60 - 60 * 100

    run(main())


def test_without_the_exchanges_time_the_sliding_rule_is_used_whole() -> None:
    async def main() -> None:
        exchange = VirtualExchange(mode="fixed", start=10.0)
        caller = VirtualCaller(exchange, clock_error=None)

        took = await caller.scan(120 * 10)

        assert exchange.refused == 0
        assert took <= 9 * 60.0 * 1.02

    run(main())


def test_a_clock_that_is_learnt_late_is_used_from_then_on() -> None:
    async def main() -> None:
        exchange = VirtualExchange(mode="fixed", start=10.0)
        caller = VirtualCaller(exchange, clock_error=None)
        scanning = asyncio.ensure_future(caller.scan(119 * 5))
        await asyncio.sleep(30.0)
        caller.clock.error = 0.0

        await scanning

        assert exchange.refused == 0
        assert BoundaryLearnt(LIST.pool) in caller.events

    run(main())


def test_the_only_waiter_does_not_wait_for_a_witness_that_is_of_no_use() -> None:
    async def main() -> None:
        exchange = VirtualExchange(start=10.0)
        caller = VirtualCaller(exchange)

        took = await caller.scan(120)

        assert took < 5.0
        assert exchange.refused == 0

    run(main())


def test_one_call_goes_alone_and_then_the_rest_of_the_window_in_one_burst() -> None:
    async def main() -> None:
        exchange = VirtualExchange(start=10.0, latency=Latency(0.1, 0.1))
        caller = VirtualCaller(exchange, requests_per_second=1e6)

        scanning = asyncio.ensure_future(caller.scan(300))
        await asyncio.sleep(5.0)

        first, *others = exchange.arrived
        assert first == pytest.approx(0.1)
        assert others == pytest.approx([0.3] * 118)
        await scanning

    run(main())


@pytest.mark.many_calls
@pytest.mark.long
def test_headroom_is_left_to_others() -> None:
    async def main() -> None:
        exchange = VirtualExchange(start=0.0)
        caller = VirtualCaller(exchange, headroom=0.25)

        await caller.keep_busy([ASSETS], 60.0 * 5 - 1, workers=2_000)

        assert 0.98 * 9_000 * 5 <= exchange.weight <= 9_000 * 5

    run(main())


@pytest.mark.long
@pytest.mark.many_calls
def test_headroom_that_others_use_is_not_left_twice() -> None:
    async def main() -> None:
        exchange = VirtualExchange(start=20.0, mode="fixed")
        caller = VirtualCaller(exchange, headroom=0.5)

        async def others() -> None:
            while True:
                exchange.spend(ASSETS, 90)
                await asyncio.sleep(1.0)

        spending = asyncio.ensure_future(others())
        await caller.keep_busy([ASSETS], 1800.0, workers=300)
        spending.cancel()

        assert exchange.weight >= 0.95 * 6_000 * 30
        assert exchange.refused == 0

    run(main())


def test_the_spot_pool_is_one_for_all_its_endpoints() -> None:
    async def main() -> None:
        exchange = VirtualExchange()
        caller = VirtualCaller(exchange, request_weight=10)
        kind = LOG.kind.__class__.REQUEST
        for name in ("GET /api/v3/time", "GET /api/v3/ping"):
            admission = await caller.budget.admit(Charge(name, kind, 1))
            admission.unknown()

        (pool,) = caller.budget.snapshot().pools

        assert (pool.name, pool.limit, pool.used) == ("/api/v3", 10, 2)

    run(main())


@pytest.mark.long
@pytest.mark.local_only(reason="a hundred thousand calls")
@pytest.mark.parametrize("mode", MODES)
def test_headers_that_cease_leave_the_limit_to_us(mode: Mode) -> None:
    """The last header said "full", and none comes any more: one call asks, and not each one."""

    async def main() -> None:
        exchange = VirtualExchange(mode=mode, start=5.0)
        exchange.header = lambda used, _: used if exchange.loop.time() < 30.0 else None
        caller = VirtualCaller(exchange)

        await caller.keep_busy([LOG], 600.0, workers=300)

        assert exchange.refused == 0
        assert exchange.weight >= 0.95 * 12_000 * 9

    run(main())
