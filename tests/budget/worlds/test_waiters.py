"""Waiters: in turn, in two lanes, told at once when it is too late, gone without trace."""

from __future__ import annotations

import asyncio

import pytest

from binance_dust import BudgetExceededError, ConfigurationError
from binance_dust.budget import Charge, Lane, LimitKind
from tests.budget.virtual import LIST, Latency, VirtualCaller, VirtualExchange, run

QUICK = Latency(0.01, 0.01)


async def fill(caller: VirtualCaller, charge: Charge = LIST) -> None:
    """Use up a window but for the witness."""
    await caller.scan((12_000 - charge.weight) // charge.weight, charge)


def test_first_come_first_served() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=10.0, latency=QUICK))
        await fill(caller)
        served: list[int] = []

        async def call(number: int) -> None:
            admission = await caller.budget.admit(LIST)
            served.append(number)
            admission.release()

        await asyncio.gather(*[call(number) for number in range(200)])

        assert served == list(range(200))

    run(main())


def test_a_large_call_is_not_starved_by_small_ones_that_came_later() -> None:
    async def main() -> None:
        exchange = VirtualExchange(start=10.0, latency=QUICK)
        caller = VirtualCaller(exchange)
        small = Charge(LIST.pool, LimitKind.IP, 1)
        await fill(caller)
        large = asyncio.ensure_future(caller.call(LIST))
        await asyncio.sleep(0)
        batch = [asyncio.ensure_future(caller.call(small)) for _ in range(5_000)]

        began = exchange.loop.time()
        await large
        assert exchange.loop.time() - began < 62.0
        for call in batch:
            call.cancel()
        await asyncio.gather(*batch, return_exceptions=True)

    run(main())


def test_a_call_goes_ahead_of_scans_and_scans_are_not_starved() -> None:
    async def main() -> None:
        exchange = VirtualExchange(start=10.0, latency=QUICK)
        caller = VirtualCaller(exchange)
        await fill(caller)
        scans = [asyncio.ensure_future(caller.call(LIST, lane=Lane.SCAN)) for _ in range(400)]
        await asyncio.sleep(1.0)
        began = exchange.loop.time()
        await caller.call(LIST)
        assert exchange.loop.time() - began < 61.0

        # However many calls come, a fifth of the weight goes to scans.
        calls = [asyncio.ensure_future(caller.call(LIST)) for _ in range(1_000)]
        await asyncio.sleep(5.0)
        before = sum(scan.done() for scan in scans)
        await asyncio.sleep(180.0)
        done = sum(scan.done() for scan in scans) - before
        assert 3 * 120 * 0.15 < done < 3 * 120 * 0.25
        for task in [*scans, *calls]:
            task.cancel()
        await asyncio.gather(*scans, *calls, return_exceptions=True)

    run(main())


@pytest.mark.parametrize("patience", [0.0, 1.0, 30.0])
def test_a_deadline_that_can_not_be_met_is_told_at_once(patience: float) -> None:
    async def main() -> None:
        exchange = VirtualExchange(start=10.0, latency=QUICK)
        caller = VirtualCaller(exchange)
        await fill(caller)
        await caller.call(LIST)
        now = exchange.loop.time()

        with pytest.raises(BudgetExceededError) as caught:
            await caller.call(LIST, deadline=now + patience)

        assert exchange.loop.time() == now
        assert caught.value.pool == LIST.pool
        assert 0 < caught.value.retry_after < 62.0

    run(main())


def test_a_deadline_that_can_be_met_is_waited_for() -> None:
    async def main() -> None:
        exchange = VirtualExchange(start=10.0, latency=QUICK)
        caller = VirtualCaller(exchange)
        await fill(caller)

        await caller.call(LIST, deadline=exchange.loop.time() + 130.0)

        assert exchange.refused == 0

    run(main())


def test_what_can_never_fit_is_refused_at_once() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange())

        with pytest.raises(ConfigurationError, match="can never fit"):
            await caller.call(Charge("GET /x", LimitKind.IP, 12_001))

    run(main())


def test_ten_thousand_waiters_share_one_timer_and_leave_no_trace() -> None:
    async def main() -> None:
        exchange = VirtualExchange(start=10.0, latency=QUICK)
        caller = VirtualCaller(exchange)
        await fill(caller)
        before = caller.budget.snapshot().pools[0].used
        calls = [asyncio.ensure_future(caller.call(LIST)) for _ in range(10_000)]
        await asyncio.sleep(0.1)
        assert caller.budget.snapshot().waiting == 10_000
        assert exchange.loop.timers <= 2

        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

        snapshot = caller.budget.snapshot()
        assert snapshot.waiting == 0
        assert snapshot.pools[0].used == before
        assert snapshot.pools[0].in_flight == 0
        await caller.budget.close()
        assert exchange.loop.timers == 0

    run(main())


def test_an_account_that_is_idle_is_forgotten() -> None:
    async def main() -> None:
        exchange = VirtualExchange(latency=QUICK)
        caller = VirtualCaller(exchange)
        for number in range(1_000):
            await caller.call(Charge("POST /x", LimitKind.UID, 10, f"account-{number}"))
            await asyncio.sleep(1.0)

        # A minute's worth of accounts, and the few that are looked at next.
        assert len(caller.budget.snapshot().pools) < 200

    run(main())


def test_closing_refuses_all_waiters() -> None:
    async def main() -> None:
        exchange = VirtualExchange(start=10.0, latency=QUICK)
        caller = VirtualCaller(exchange)
        await fill(caller)
        calls = [asyncio.ensure_future(caller.call(LIST)) for _ in range(50)]
        await asyncio.sleep(0.1)

        await caller.budget.close()
        results = await asyncio.gather(*calls, return_exceptions=True)

        assert {type(result) for result in results} == {ConfigurationError}
        assert exchange.loop.timers == 0

    run(main())
