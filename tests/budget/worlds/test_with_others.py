"""Others behind the same address are seen in the headers and left their part; no ban follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest

from binance_dust.budget import Charge, Feedback
from tests.budget.virtual import ASSETS, LIST, Mode, VirtualCaller, VirtualExchange, run

MODES: list[Mode] = ["fixed", "sliding"]
HOUR = 3600.0
HALF = 100.0
"""Weight a second: half of what the limit allows."""


async def even(exchange: VirtualExchange, charge: Charge) -> None:
    while True:
        exchange.spend(charge, round(HALF))
        await asyncio.sleep(1.0)


async def fine(exchange: VirtualExchange, charge: Charge) -> None:
    dice = Random(1)  # noqa: S311 - to be repeated
    while True:
        exchange.spend(charge, dice.randint(1, 10))
        await asyncio.sleep(dice.expovariate(HALF / 5.5))


async def lumpy(exchange: VirtualExchange, charge: Charge) -> None:
    dice = Random(1)  # noqa: S311 - to be repeated
    while True:
        exchange.spend(charge, 100)
        await asyncio.sleep(dice.expovariate(HALF / 100))


Others = Callable[[VirtualExchange, Charge], Coroutine[Any, Any, None]]


@pytest.mark.long
@pytest.mark.many_calls
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("others", "charge", "seconds"),
    [(even, LIST, HOUR), (fine, LIST, HOUR), (even, ASSETS, 1200.0), (fine, ASSETS, 1200.0)],
    ids=["even 100", "fine 100", "even 5", "fine 5"],
)
def test_others_who_spend_half_cost_a_refusal_or_two_and_little_of_the_rest(
    mode: Mode, others: Others, charge: Charge, seconds: float
) -> None:
    async def main() -> None:
        exchange = VirtualExchange(mode=mode, start=13.0)
        caller = VirtualCaller(exchange)
        spending = asyncio.ensure_future(others(exchange, charge))

        await caller.keep_busy([charge], seconds, workers=150)
        spending.cancel()

        assert exchange.bans == 0
        assert exchange.refused <= 2
        rest = exchange.limit * seconds / exchange.window - exchange.others_weight
        assert exchange.weight >= 0.95 * rest
        assert exchange.others_weight >= 0.7 * HALF * seconds

    run(main())


@pytest.mark.many_calls
@pytest.mark.parametrize("mode", MODES)
def test_others_whose_calls_are_large_and_rare_are_not_starved(mode: Mode) -> None:
    """They are as large as all that is kept for surprises; where windows slide they come later."""

    async def main() -> None:
        exchange = VirtualExchange(mode=mode, start=13.0)
        caller = VirtualCaller(exchange)
        spending = asyncio.ensure_future(lumpy(exchange, LIST))

        await caller.keep_busy([LIST], HOUR, workers=150)
        spending.cancel()

        assert exchange.bans == 0
        assert exchange.refused <= 3
        assert exchange.weight >= 0.92 * (exchange.limit * 60 - exchange.others_weight)
        assert exchange.others_weight >= (0.9 if mode == "fixed" else 0.5) * HALF * HOUR

    run(main())


@pytest.mark.many_calls
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("retry_after", ["true", "zero", "missing"])
def test_others_who_come_all_at_once_and_go_again_ban_nobody(mode: Mode, retry_after: Any) -> None:
    async def main() -> None:
        exchange = VirtualExchange(mode=mode, start=13.0, retry_after=retry_after)
        caller = VirtualCaller(exchange)

        async def every_minute() -> None:
            while True:
                for _ in range(60):
                    exchange.spend(LIST, 100)
                    await asyncio.sleep(0.02)
                await asyncio.sleep(60.0 - 60 * 0.02)

        spending = asyncio.ensure_future(every_minute())
        await caller.keep_busy([LIST], HOUR, workers=150)
        spending.cancel()

        assert exchange.bans == 0
        assert exchange.weight >= 0.79 * 6_000 * 60

    run(main())


@pytest.mark.many_calls
@pytest.mark.parametrize("mode", MODES)
def test_two_processes_without_a_shared_budget_are_not_banned(mode: Mode) -> None:
    async def main() -> None:
        exchange = VirtualExchange(mode=mode, start=13.0)
        one, two = VirtualCaller(exchange), VirtualCaller(exchange)
        both = [
            asyncio.ensure_future(caller.keep_busy([LIST], HOUR / 2, workers=130))
            for caller in (one, two)
        ]
        await asyncio.gather(*both)

        assert exchange.bans == 0
        assert exchange.weight >= 0.8 * 12_000 * 30

    run(main())


def test_the_first_call_hears_what_others_have_spent_before_the_burst() -> None:
    async def main() -> None:
        exchange = VirtualExchange(mode="sliding", start=20.0)
        exchange.spend(LIST, 9_000)
        caller = VirtualCaller(exchange)

        scanning = asyncio.ensure_future(caller.scan(100))
        await asyncio.sleep(30.0)

        assert exchange.refused == 0
        (pool,) = caller.budget.snapshot().pools
        assert pool.others == 9_000
        assert 11_000 <= pool.used <= 12_000
        scanning.cancel()
        await asyncio.gather(scanning, return_exceptions=True)

    run(main())


def test_advice_expires() -> None:
    """A window after the last header nothing is known of others, and one call goes to look."""

    async def main() -> None:
        exchange = VirtualExchange(mode="fixed", start=1.0)
        exchange.spend(LIST, 11_800)
        caller = VirtualCaller(exchange)
        await caller.call(LIST)
        assert caller.budget.snapshot().pools[0].others == 11_800

        await asyncio.sleep(61.0)

        assert caller.budget.snapshot().pools[0].others == 0
        scanning = asyncio.ensure_future(caller.scan(100))
        await asyncio.sleep(5.0)
        assert caller.done >= 90
        assert exchange.refused == 0
        await scanning

    run(main())


@pytest.mark.many_calls
@pytest.mark.parametrize("mode", MODES)
def test_others_who_left_are_forgotten(mode: Mode) -> None:
    async def main() -> None:
        exchange = VirtualExchange(mode=mode, start=13.0)
        caller = VirtualCaller(exchange)
        spending = asyncio.ensure_future(even(exchange, LIST))
        working = asyncio.ensure_future(caller.keep_busy([LIST], 2 * HOUR, workers=150))
        await asyncio.sleep(HOUR / 2)
        spending.cancel()
        await asyncio.sleep(HOUR / 2)
        before = exchange.weight

        await working

        assert exchange.weight - before >= 0.98 * 12_000 * 60

    run(main())


def test_a_header_that_is_too_low_in_the_middle_of_a_window_is_not_believed() -> None:
    """A count that lags, or belongs to something else, must not let more through."""

    async def main() -> None:
        exchange = VirtualExchange(mode="fixed", start=1.0, header=lambda _used, _dice: 1)
        caller = VirtualCaller(exchange)

        scanning = asyncio.ensure_future(caller.scan(300))
        await asyncio.sleep(50.0)

        assert exchange.refused == 0
        assert exchange.weight == 11_900
        scanning.cancel()
        await asyncio.gather(scanning, return_exceptions=True)

    run(main())


def test_a_late_header_of_the_last_window_is_not_taken_for_others() -> None:
    async def main() -> None:
        exchange = VirtualExchange(mode="fixed", start=59.0)
        caller = VirtualCaller(exchange)
        first = await caller.budget.admit(LIST)
        first.sent()
        first.settle(Feedback(200, used_ip=100))
        straggler = await caller.budget.admit(LIST)
        straggler.sent()
        others = [await caller.budget.admit(LIST) for _ in range(50)]
        for number, admission in enumerate(others):
            admission.sent()
            admission.settle(Feedback(200, used_ip=300 + 100 * number))
        await asyncio.sleep(2.0)
        fresh = await caller.budget.admit(LIST)
        fresh.sent()
        fresh.settle(Feedback(200, used_ip=100))

        straggler.settle(Feedback(200, used_ip=5_300))

        (pool,) = caller.budget.snapshot().pools
        assert pool.others == 0
        assert pool.used == 200

    run(main())
