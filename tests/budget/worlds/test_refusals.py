"""Refusals: 429 shuts a pool, 418 the address, and both let one call go first when they open."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from binance_dust.budget import Feedback, LocalBudget, RateLimits
from binance_dust.errors import BannedError, BudgetExceededError
from binance_dust.events import Banned, Refused
from tests.budget.virtual import (
    ASSETS,
    EPOCH,
    LIST,
    LOG,
    Latency,
    VirtualCaller,
    VirtualExchange,
    run,
)

GOOD = Feedback(200, used_ip=100)


async def refuse(caller: VirtualCaller, feedback: Feedback) -> None:
    admission = await caller.budget.admit(LIST)
    admission.sent()
    admission.settle(feedback)


@pytest.mark.parametrize(
    ("retry_after", "wait"), [(7.0, 7.0), (0.0, 60.06), (None, 60.06), (300.0, 300.0)]
)
def test_a_refusal_shuts_its_pool_for_as_long_as_the_exchange_says(
    retry_after: float | None, wait: float
) -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=10.0))

        await refuse(caller, Feedback(429, retry_after=retry_after))

        (pool,) = caller.budget.snapshot().pools
        assert pool.shut_for == pytest.approx(wait, abs=0.01)
        (event,) = caller.events
        assert isinstance(event, Refused)
        assert event.pool == LIST.pool
        assert event.seconds == pytest.approx(wait, abs=0.01)
        await caller.call(LOG)  # others go on
        await caller.call(LIST)
        assert caller.exchange.loop.time() >= wait

    run(main())


def test_where_windows_are_fixed_a_refusal_without_a_time_lasts_until_the_cut() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=50.0, latency=Latency(0.01, 0.01)))
        for _ in range(6):
            await caller.call(LIST)
        await asyncio.sleep(15.0)
        await caller.call(LIST)
        assert caller.budget.snapshot().pools[0].fixed

        await refuse(caller, Feedback(429, retry_after=0.0))

        # 65 s in, and so 5 s after a cut.
        (pool,) = caller.budget.snapshot().pools
        assert pool.shut_for == pytest.approx(55.0, abs=0.5)

    run(main())


def test_after_a_refusal_one_call_goes_first_and_the_others_after_its_answer() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=10.0))
        await refuse(caller, Feedback(429, retry_after=5.0))
        waiting = [asyncio.ensure_future(caller.budget.admit(LIST)) for _ in range(10)]

        await asyncio.sleep(5.1)
        assert [task.done() for task in waiting] == [True] + [False] * 9
        waiting[0].result().settle(Feedback(429, retry_after=5.0))
        await asyncio.sleep(5.1)
        assert [task.done() for task in waiting] == [True] * 2 + [False] * 8
        waiting[1].result().settle(GOOD)
        await asyncio.sleep(0.1)
        assert all(task.done() for task in waiting)

    run(main())


@pytest.mark.parametrize("ending", ["unknown", "release", "silence"])
def test_without_an_answer_to_the_first_call_another_goes(ending: str) -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=10.0))
        first = await caller.budget.admit(LIST)
        second = asyncio.ensure_future(caller.budget.admit(LIST))
        third = asyncio.ensure_future(caller.budget.admit(LIST))
        await asyncio.sleep(1.0)
        assert not second.done()

        if ending != "silence":
            getattr(first, ending)()
        await asyncio.sleep(0.1 if ending != "silence" else 5.0)

        assert second.done()
        assert not third.done()
        second.result().settle(GOOD)
        await third

    run(main())


BANS = [
    (Feedback(418, retry_after=130.0), 131.0),
    (Feedback(418, banned_until=EPOCH + 10.0 + 200.0), 201.0),
    (Feedback(418, retry_after=130.0, banned_until=EPOCH + 10.0 + 200.0), 201.0),
    (Feedback(418), 120.0),
    (Feedback(418, retry_after=0.0), 120.0),
    (Feedback(429, banned_until=EPOCH + 10.0 + 200.0), 201.0),
    (Feedback(418, banned_until=EPOCH * 2), 3 * 86_400 + 1.0),
]


@pytest.mark.parametrize(("feedback", "wait"), BANS)
def test_a_ban_shuts_the_address_for_every_pool_until_it_lifts(
    feedback: Feedback, wait: float
) -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=10.0))
        before = asyncio.ensure_future(caller.budget.admit(ASSETS))
        await before
        waiting = [asyncio.ensure_future(caller.budget.admit(ASSETS)) for _ in range(5)]
        await refuse(caller, feedback)
        assert caller.budget.snapshot().shut_for == pytest.approx(wait, abs=0.01)
        event = caller.events[-1]
        assert isinstance(event, Banned)
        assert event.seconds == pytest.approx(wait, abs=0.01)
        waiting += [asyncio.ensure_future(caller.budget.admit(LOG)) for _ in range(5)]

        await asyncio.sleep(wait - 0.1)
        assert not any(task.done() for task in waiting)
        await asyncio.sleep(0.2)
        assert sum(task.done() for task in waiting) == 1

        first = next(task for task in waiting if task.done())
        first.result().settle(Feedback(200, used_ip=5))
        before.result().settle(Feedback(200, used_ip=10))
        await asyncio.sleep(0.1)
        # Each pool sends its own first one ahead.
        assert sum(task.done() for task in waiting) >= 2
        for task in waiting:
            (await task).settle(Feedback(200, used_ip=1))

    run(main())


def test_answers_to_what_left_before_a_ban_do_not_lift_it() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=10.0))
        one, two = await caller.budget.admit(ASSETS), await caller.budget.admit(LOG)

        one.settle(Feedback(418, retry_after=100.0))
        two.settle(GOOD)

        assert caller.budget.snapshot().shut_for == pytest.approx(101.0)

    run(main())


def test_a_ban_is_told_at_once_to_calls_that_can_not_wait_so_long() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=10.0))
        await caller.call(ASSETS)
        now = caller.exchange.loop.time()
        first = await caller.budget.admit(LIST)
        hasty = asyncio.ensure_future(caller.budget.admit(LIST, deadline=now + 100.0))
        patient = asyncio.ensure_future(caller.budget.admit(LIST, deadline=now + 200.0))
        await asyncio.sleep(0)

        first.settle(Feedback(418, retry_after=150.0))
        for _ in range(5):  # turns of the loop, no time
            await asyncio.sleep(0)

        error = hasty.exception()
        assert isinstance(error, BudgetExceededError)
        assert error.retry_after == pytest.approx(151.0)
        with pytest.raises(BudgetExceededError):
            await caller.budget.admit(LOG, deadline=now + 100.0)
        assert caller.exchange.loop.time() == now
        (await patient).settle(GOOD)

    run(main())


@pytest.mark.local_only(reason="about the local budget")
def test_a_ban_longer_than_the_patience_is_an_error() -> None:
    async def main() -> None:
        exchange = VirtualExchange(start=10.0)
        caller = VirtualCaller(exchange)
        budget = LocalBudget(RateLimits(), caller.clock, patience=60.0)
        first = await budget.admit(LIST)
        waiting = [asyncio.ensure_future(budget.admit(LIST)) for _ in range(3)]
        await asyncio.sleep(0)

        first.settle(Feedback(418, retry_after=100.0))
        results = await asyncio.gather(*waiting, budget.admit(LOG), return_exceptions=True)

        until = datetime.fromtimestamp(EPOCH + 10.0 + 101.0, tz=UTC)
        for error in results:
            assert isinstance(error, BannedError)
            assert error.until == until
        assert budget.snapshot().waiting == 0

    run(main())


def test_a_firewall_is_probed_with_one_call_and_then_left_alone() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=10.0))
        await caller.call(ASSETS)
        walled = Feedback(403, walled=True)
        (await caller.budget.admit(ASSETS)).settle(walled)
        assert caller.budget.snapshot().shut_for == 0
        look = await caller.budget.admit(ASSETS)
        other = asyncio.ensure_future(caller.budget.admit(LOG))
        await asyncio.sleep(0.1)
        assert not other.done()

        look.settle(walled)

        assert caller.budget.snapshot().shut_for == pytest.approx(300.0)
        (await other).settle(GOOD)
        assert caller.exchange.loop.time() >= 300.0

    run(main())


def test_a_single_403_costs_the_others_one_round_trip() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=10.0))
        await caller.call(ASSETS)
        (await caller.budget.admit(ASSETS)).settle(Feedback(403, walled=True))

        (await caller.budget.admit(ASSETS)).settle(Feedback(200, used_ip=15))
        (await caller.budget.admit(ASSETS)).settle(Feedback(403, walled=True))

        assert caller.budget.snapshot().shut_for == 0

    run(main())


def test_copies_that_the_transport_sent_are_charged() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=10.0))
        admission = await caller.budget.admit(LIST)
        admission.sent()
        admission.sent(extra=2)
        assert caller.budget.snapshot().pools[0].used == 300

        admission.settle(Feedback(200, used_ip=300))

        assert caller.budget.snapshot().pools[0].used == 300
        assert caller.budget.snapshot().pools[0].others == 0
        await asyncio.sleep(61.0)
        assert caller.budget.snapshot().pools[0].used == 0

    run(main())


@pytest.mark.parametrize("first", ["settle", "unknown", "release"])
def test_an_admission_ends_once(first: str) -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=10.0))
        admission = await caller.budget.admit(LIST)
        endings = {
            "settle": lambda: admission.settle(GOOD),
            "unknown": admission.unknown,
            "release": admission.release,
        }

        endings[first]()
        used = caller.budget.snapshot().pools[0].used
        for ending in endings.values():
            ending()
        admission.sent()
        admission.sent(extra=1)

        (pool,) = caller.budget.snapshot().pools
        assert pool.used == used == (0 if first == "release" else 100)
        assert pool.in_flight == 0

    run(main())


@pytest.mark.local_only(reason="about the local budget")
def test_objects_show_their_state() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=10.0))
        caller.exchange.spend(LIST, 500)
        await caller.call(LIST)
        admission = await caller.budget.admit(LIST)
        waiting = [asyncio.ensure_future(caller.budget.admit(LIST)) for _ in range(200)]
        await asyncio.sleep(0)
        ((pool, queue),) = caller.budget._queues.items()

        for thing in (caller.budget, pool, admission, pool.boundary, pool.valve, queue):
            assert repr(thing).startswith("<")
        assert "1 pools" in repr(caller.budget)
        assert "Others level 500" in repr(pool)
        assert "open: 100 of GET" in repr(admission)
        await caller.budget.close()
        assert "closed" in repr(caller.budget)
        await asyncio.gather(*waiting, return_exceptions=True)

    run(main())


def test_a_snapshot_shows_every_pool() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=10.0, latency=Latency(0.01, 0.01)))
        await caller.scan(50)
        admission = await caller.budget.admit(LIST)

        (pool,) = caller.budget.snapshot().pools

        assert (pool.name, pool.kind, pool.account) == (LIST.pool, LIST.kind, None)
        assert (pool.limit, pool.used, pool.in_flight, pool.waiting) == (12_000, 5_100, 1, 0)
        assert pool.resets_in == pytest.approx(60.0, abs=0.2)
        assert (pool.shut_for, pool.fixed, pool.others) == (0.0, False, 0)
        admission.release()
        await asyncio.sleep(51.0)
        await caller.call(LIST)
        (pool,) = caller.budget.snapshot().pools
        assert pool.fixed
        assert pool.used == 100
        assert pool.resets_in == pytest.approx(59.0, abs=0.5)

    run(main())
