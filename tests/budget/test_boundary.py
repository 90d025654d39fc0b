"""Fixed windows: learnt from the headers without a risk, and given up when they stop holding."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_dust.budget._boundary import Boundary
from binance_dust.events import BoundaryLearnt, BoundaryLost
from tests.budget.virtual import ASSETS, LIST, Desk, Exchange, Latency, Mode, run

LEARNT, LOST = BoundaryLearnt(LIST.pool), BoundaryLost(LIST.pool)


@settings(max_examples=40)
@given(start=st.floats(0, 60), seed=st.integers(0, 999))
def test_sliding_windows_are_never_taken_for_fixed(start: float, seed: int) -> None:
    async def main() -> None:
        latency = Latency(0.02, 0.3, slow=4.0)
        exchange = Exchange(mode="sliding", start=start, latency=latency, seed=seed)
        desk = Desk(exchange)

        await desk.keep_busy([LIST], 600.0, workers=150)

        assert LEARNT not in desk.events
        assert exchange.refused == 0

    run(main())


def test_fixed_windows_are_learnt_at_the_first_cut() -> None:
    async def main() -> None:
        exchange = Exchange(mode="fixed", start=50.0)
        desk = Desk(exchange)
        scanning = asyncio.ensure_future(desk.scan(300))

        await asyncio.sleep(10.0)
        assert LEARNT not in desk.events
        await asyncio.sleep(1.0)
        assert LEARNT in desk.events
        assert desk.budget.snapshot().pools[0].fixed

        await scanning

    run(main())


def test_others_cannot_fake_the_proof() -> None:
    """In sliding windows they only add; that they stop, or expire, proves nothing."""

    async def main() -> None:
        exchange = Exchange(mode="sliding", start=30.0)
        desk = Desk(exchange)
        exchange.spend(LIST, 6_000)

        await desk.keep_busy([LIST], 1200.0, workers=100)

        assert LEARNT not in desk.events

    run(main())


@pytest.mark.parametrize("start", [0.0, 20.0, 40.0])
def test_an_exchange_that_turns_to_sliding_windows_refuses_nothing(start: float) -> None:
    async def main() -> None:
        exchange = Exchange(mode="fixed", start=start)
        desk = Desk(exchange)
        working = asyncio.ensure_future(desk.keep_busy([LIST], 1200.0, workers=150))
        await asyncio.sleep(420.0)
        turn_to_sliding(exchange)

        await working

        assert LEARNT in desk.events
        assert LOST in desk.events
        assert exchange.refused == 0
        assert exchange.weight >= 0.95 * 12_000 * 20

    run(main())


def turn_to_sliding(exchange: Exchange) -> None:
    """From now on count in sliding windows, and remember what the last fixed one held."""
    for meter in exchange.meters.values():
        used = meter.used(exchange.now())
        meter.mode = "sliding"
        meter._used = 0
        # Dated when the last of it arrived: no exchange takes a request for a later one.
        meter.add(exchange.now() - exchange.loop.time() + exchange.arrived[-1], used)


@pytest.mark.parametrize("error", [1.0, 5.0, -5.0])
def test_a_clock_that_is_wrong_costs_time_and_no_refusal(error: float) -> None:
    async def main() -> None:
        exchange = Exchange(mode="fixed", start=25.0)
        desk = Desk(exchange, clock_error=error)

        await desk.keep_busy([LIST], 1800.0, workers=150)

        assert exchange.refused == 0
        assert exchange.weight >= 0.95 * 12_000 * 30

    run(main())


@pytest.mark.parametrize("mode", ["fixed", "sliding"])
@pytest.mark.parametrize("step", [0.5, 20.0, -0.5, -20.0])
def test_a_clock_that_is_set_anew_costs_no_refusal(mode: Mode, step: float) -> None:
    async def main() -> None:
        exchange = Exchange(mode=mode, start=25.0)
        desk = Desk(exchange)
        working = asyncio.ensure_future(desk.keep_busy([LIST], 900.0, workers=150))
        for _ in range(8):
            await asyncio.sleep(100.0)
            desk.clock.error = step - (desk.clock.error or 0.0)

        await working

        assert exchange.refused == 0
        assert exchange.weight >= 0.9 * 12_000 * 15

    run(main())


def test_a_pool_with_room_to_spare_learns_without_waiting() -> None:
    async def main() -> None:
        exchange = Exchange(mode="fixed", start=30.0, latency=Latency(0.05, 0.05))
        desk = Desk(exchange)
        for _ in range(100):
            await desk.call(ASSETS)
            await asyncio.sleep(0.5)

        assert BoundaryLearnt(ASSETS.pool) in desk.events

    run(main())


class Minute:
    """Forty seconds into a minute, for those who know the time and for those who guess."""

    def __init__(self, *, known: bool) -> None:
        self._known = known

    def monotonic(self) -> float:
        return 0.0

    def server_time(self) -> float | None:
        return self.now() if self._known else None

    def now(self) -> float:
        return 1_000_000_000.0


def test_a_cut_that_did_not_hold_doubles_the_margin_up_to_a_part_of_the_window() -> None:
    boundary = Boundary(60.0, Minute(known=True))
    boundary.fixed = True
    margins = []
    for _ in range(8):
        margins.append(boundary.margin)
        boundary.lost()

    assert margins == [0.25, 0.5, 1.0, 2.0, 4.0, 7.5, 7.5, 7.5]
    assert not boundary.fixed
    # The cut was forty seconds ago, and past for certain 7.5 s later.
    assert boundary.span(100.0) == (16_666_666, 67.5, 127.5)


def test_a_window_is_known_with_the_exchanges_time_and_looked_for_again_without() -> None:
    assert Boundary(60.0, Minute(known=True)).span(100.0) == (16_666_666, 60.25, 120.25)
    number, opened, closes = Boundary(60.0, Minute(known=False)).span(100.0)
    assert (number, opened, closes) == (-1, float("-inf"), 101.0)


@pytest.mark.parametrize("known", [True, False])
def test_a_cut_is_guessed_by_this_machines_clock_if_need_be(*, known: bool) -> None:
    assert Boundary(60.0, Minute(known=known)).likely_close(100.0) == 120.25


def test_what_is_learnt_and_what_is_lost_exclude_each_other() -> None:
    boundary = Boundary(60.0, Minute(known=True))
    assert (boundary.fixed, boundary.slides) == (False, False)

    boundary.lost()
    assert (boundary.fixed, boundary.slides) == (False, True)
    boundary.learnt()
    assert (boundary.fixed, boundary.slides) == (True, False)
