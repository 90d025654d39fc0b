"""Ten thousand waiters and a hundred thousand accounts: little time and little memory each."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc

import pytest

from binance_dust.budget import Charge, Feedback, LimitKind, LocalBudget, RateLimits
from tests.budget.virtual import LIST, LOG, VirtualCaller, VirtualClock, VirtualExchange, run


def test_a_call_that_finds_room_is_admitted_without_suspending() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange())
        await caller.call(LIST)
        coroutine = caller.budget.admit(LIST)

        try:
            coroutine.send(None)
        except StopIteration as done:
            admission = done.value
        else:
            raise AssertionError("it waited")

        admission.release()
        assert caller.exchange.loop.timers == 0

    run(main())


def test_admission_costs_no_more_with_ten_thousand_waiting_elsewhere() -> None:
    """Two costs of one run, the best of many each: waiters elsewhere cost nothing."""

    async def main() -> None:
        exchange = VirtualExchange(start=10.0)
        budget = LocalBudget(RateLimits(requests_per_second=1e9), VirtualClock(exchange))
        (await budget.admit(LIST)).settle(Feedback(200, used_ip=100))
        before = await cost_of_admission(budget)
        batch = [asyncio.ensure_future(budget.admit(LIST)) for _ in range(10_000)]
        await asyncio.sleep(0)

        assert await cost_of_admission(budget) < 4 * before
        for task in batch:
            task.cancel()
        await asyncio.gather(*batch, return_exceptions=True)

    run(main())


async def cost_of_admission(budget: LocalBudget) -> float:
    best = float("inf")
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(200):
            (await budget.admit(LOG)).release()
        best = min(best, time.perf_counter() - began)
    return best


def test_ten_thousand_waiters_cost_little() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=10.0))
        await caller.budget.admit(LIST)
        gc.collect()
        tracemalloc.start()
        waiting = [asyncio.ensure_future(caller.budget.admit(LIST)) for _ in range(10_000)]
        await asyncio.sleep(0)
        memory, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

        assert memory / 10_000 < 4_000

    run(main())


@pytest.mark.long
def test_a_hundred_thousand_accounts_in_turn_need_no_more_memory_than_a_few() -> None:
    async def main() -> None:
        exchange = VirtualExchange()
        caller = VirtualCaller(exchange, requests_per_second=1e9)
        most = 0
        for number in range(100_000):
            charge = Charge("POST /sapi/v1/asset/dust", LimitKind.UID, 10, str(number))
            admission = await caller.budget.admit(charge)
            admission.settle(Feedback(200, used_uid=10))
            if number % 1_000 == 0:
                most = max(most, len(caller.budget.snapshot().pools))
                await asyncio.sleep(60.0)

        # The accounts of the last minute, and those that were not checked yet.
        assert most <= 3_000

    run(main())
