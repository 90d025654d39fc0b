"""The budget of one process: what calls are told, and when, as they come, wait, leave and end."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from msgspec.structs import replace

from binance_dust.budget import Charge, Feedback, Lane, LimitKind, LocalBudget, RateLimits
from binance_dust.budget._admission import LocalAdmission
from binance_dust.budget._gates import AT_ONCE
from binance_dust.budget._pool import Go
from binance_dust.errors import (
    BannedError,
    BudgetExceededError,
    ConfigurationError,
    NotSentError,
)
from binance_dust.events import Banned, BoundaryLost, Refused, Waited
from tests.budget.virtual import ASSETS, LIST, LOG, Latency, VirtualCaller, VirtualExchange, run

QUICK = Latency(0.01, 0.01)
GOOD = Feedback(200, used_ip=100)
WALLED = Feedback(403, walled=True)


def caller_of(start: float = 10.0, *, patience: float = math.inf, **limits: float) -> VirtualCaller:
    return VirtualCaller(VirtualExchange(start=start, latency=QUICK), patience=patience, **limits)


async def fill(caller: VirtualCaller, calls: int = 119) -> None:
    await caller.scan(calls)


def test_a_deadline_that_is_now_is_too_late_even_where_there_is_room() -> None:
    async def main() -> None:
        caller = caller_of()
        now = caller.exchange.loop.time()

        with pytest.raises(BudgetExceededError, match="was not free in time, and now") as caught:
            await caller.budget.admit(LIST, deadline=now)
        assert caught.value.retry_after == 0.0
        (await caller.budget.admit(LIST, deadline=now + 0.001)).release()

    run(main())


def test_a_call_that_is_too_late_is_told_how_long_it_would_have_taken() -> None:
    async def main() -> None:
        caller = caller_of()
        await fill(caller)
        now = caller.exchange.loop.time()

        with pytest.raises(
            BudgetExceededError, match=r"free in \d+\.\d s, and that is too late"
        ) as told:
            await caller.budget.admit(replace(LIST, weight=12_000), deadline=now + 1)
        assert told.value.retry_after > 1

    run(main())


def test_a_call_of_the_whole_limit_fits_and_one_of_more_never_does() -> None:
    async def main() -> None:
        caller = caller_of()

        with pytest.raises(ConfigurationError, match="weight 12001 can never fit into 12000"):
            await caller.budget.admit(replace(LIST, weight=12_001))
        await fill(caller, 1)
        with pytest.raises(ConfigurationError):
            await caller.budget.admit(replace(LIST, weight=12_001))
        waiting = asyncio.ensure_future(caller.budget.admit(replace(LIST, weight=12_000)))
        await asyncio.sleep(120.0)
        (await waiting).release()

    run(main())


def test_a_waiter_that_leaves_the_head_lets_a_smaller_call_go() -> None:
    async def main() -> None:
        caller = caller_of()
        await fill(caller, 118)
        large = asyncio.ensure_future(caller.budget.admit(replace(LIST, weight=500)))
        small = [
            asyncio.ensure_future(caller.budget.admit(replace(LIST, weight=10))) for _ in range(3)
        ]
        await asyncio.sleep(0)
        now = caller.exchange.loop.time()
        assert not any(task.done() for task in small)

        large.cancel()
        for admission in await asyncio.gather(*small):
            admission.release()

        assert large.cancelled()
        assert caller.exchange.loop.time() == now
        assert caller.budget.snapshot().waiting == 0
        assert not caller.budget._queues

    run(main())


def test_a_waiter_that_leaves_elsewhere_changes_nothing_and_sets_no_timer() -> None:
    async def main() -> None:
        caller = caller_of()
        await fill(caller)
        first, second, third = (asyncio.ensure_future(caller.budget.admit(LIST)) for _ in range(3))
        await asyncio.sleep(0)

        second.cancel()
        await asyncio.sleep(0)
        assert caller.budget.snapshot().waiting == 2
        third.cancel()
        first.cancel()
        await asyncio.gather(first, second, third, return_exceptions=True)

        assert caller.budget.snapshot().waiting == 0
        assert caller.exchange.loop.timers == 0

    run(main())


def test_a_waiter_cancelled_as_it_is_admitted_gives_its_weight_back() -> None:
    async def main() -> None:
        caller = caller_of()
        first = await caller.budget.admit(LIST)
        waiting = asyncio.ensure_future(caller.budget.admit(LIST))
        await asyncio.sleep(0)

        first.settle(GOOD)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

        (pool,) = caller.budget.snapshot().pools
        assert (pool.in_flight, pool.used, pool.waiting) == (0, 100, 0)

    run(main())


def test_a_waiter_cancelled_before_its_turn_is_skipped_at_once() -> None:
    async def main() -> None:
        caller = caller_of()
        first = await caller.budget.admit(LIST)
        one, two = (asyncio.ensure_future(caller.budget.admit(LIST)) for _ in range(2))
        await asyncio.sleep(0)

        one.cancel()
        first.settle(GOOD)

        assert (await two).weight == 100
        (pool,) = caller.budget.snapshot().pools
        assert (pool.in_flight, pool.waiting) == (1, 0)
        await asyncio.gather(one, return_exceptions=True)
        two.result().release()

    run(main())


def test_a_wait_is_told_with_its_seconds_and_no_wait_is_not() -> None:
    async def main() -> None:
        caller = caller_of()
        await asyncio.sleep(1.0)
        first = await caller.budget.admit(LIST)
        waiting = asyncio.ensure_future(caller.budget.admit(LIST))
        await asyncio.sleep(2.0)
        assert caller.events == []

        first.settle(GOOD)
        (await waiting).release()
        assert caller.events == [Waited(LIST.pool, 2.0)]
        (await caller.budget.admit(LIST)).release()
        # One that stood in line and was served in the same moment has not waited.
        first = await caller.budget.admit(LOG)
        waiting = asyncio.ensure_future(caller.budget.admit(LOG))
        await asyncio.sleep(0)
        first.settle(GOOD)
        (await waiting).release()

        assert caller.events == [Waited(LIST.pool, 2.0)]

    run(main())


def test_the_only_waiter_takes_the_reserve_of_the_witness_after_three_seconds() -> None:
    async def main() -> None:
        caller = caller_of()
        await fill(caller)
        waiting = asyncio.ensure_future(caller.budget.admit(LIST))

        await asyncio.sleep(2.9)
        assert not waiting.done()
        await asyncio.sleep(0.11)
        assert waiting.done()
        waiting.result().release()

    run(main())


def test_one_of_several_waiters_takes_nothing_from_the_reserve() -> None:
    async def main() -> None:
        caller = caller_of()
        await fill(caller)
        waiting = [asyncio.ensure_future(caller.budget.admit(LIST)) for _ in range(2)]

        await asyncio.sleep(30.0)

        assert not any(task.done() for task in waiting)
        waiting.pop().cancel()
        await asyncio.sleep(0.1)
        assert waiting[0].done(), "now it is"
        waiting[0].result().release()

    run(main())


def test_a_waiter_is_told_as_soon_as_a_refusal_makes_it_too_late() -> None:
    async def main() -> None:
        caller = caller_of()
        first = await caller.budget.admit(LIST)
        now = caller.exchange.loop.time()
        hasty = asyncio.ensure_future(caller.budget.admit(LIST, deadline=now + 30.0))
        patient = asyncio.ensure_future(caller.budget.admit(LIST, deadline=now + 50.0))
        await asyncio.sleep(0)

        first.settle(Feedback(429, retry_after=40.0))
        await asyncio.sleep(0)

        error = hasty.exception()
        assert isinstance(error, BudgetExceededError)
        assert error.retry_after == pytest.approx(40.0)
        (await patient).release()
        assert caller.exchange.loop.time() == pytest.approx(now + 40.0)

    run(main())


def test_a_waiter_is_told_at_its_deadline_at_the_latest() -> None:
    async def main() -> None:
        caller = caller_of()
        await caller.budget.admit(LIST)  # nothing is ever heard of it
        now = caller.exchange.loop.time()
        waiting = [
            asyncio.ensure_future(caller.budget.admit(LIST, deadline=now + seconds))
            for seconds in (4.0, 2.0)
        ]

        await asyncio.sleep(0)
        assert caller.exchange.loop.timers == 1
        await asyncio.sleep(1.99)
        assert [task.done() for task in waiting] == [False, False]
        await asyncio.sleep(0.02)
        assert [task.done() for task in waiting] == [False, True]
        await asyncio.sleep(2.0)
        assert all(isinstance(task.exception(), BudgetExceededError) for task in waiting)
        assert caller.budget.snapshot().waiting == 0

    run(main())


def test_a_deadline_counts_the_waiters_ahead_in_its_lane() -> None:
    async def main() -> None:
        caller = caller_of()
        await fill(caller)
        now = caller.exchange.loop.time()
        batch = [
            asyncio.ensure_future(caller.budget.admit(LIST, lane=Lane.SCAN)) for _ in range(300)
        ]
        await asyncio.sleep(0)

        with pytest.raises(BudgetExceededError) as caught:
            await caller.budget.admit(LIST, lane=Lane.SCAN, deadline=now + 100.0)
        assert caught.value.retry_after > 100.0
        ahead = asyncio.ensure_future(caller.budget.admit(LIST, deadline=now + 100.0))
        await asyncio.sleep(0)
        assert not ahead.done()
        for task in (*batch, ahead):
            task.cancel()
        await asyncio.gather(*batch, ahead, return_exceptions=True)

    run(main())


def test_pools_are_told_apart_by_endpoint_and_payer() -> None:
    async def main() -> None:
        caller = caller_of()
        for charge in (
            Charge("GET /a", LimitKind.IP, 1, "alice"),
            Charge("GET /a", LimitKind.IP, 1, "bob"),
            Charge("GET /b", LimitKind.UID, 1, "alice"),
            Charge("GET /b", LimitKind.UID, 1, "bob"),
            Charge("GET /c", LimitKind.REQUEST, 1, "alice"),
            Charge("GET /d", LimitKind.REQUEST, 1, "bob"),
        ):
            (await caller.budget.admit(charge)).unknown()
            await asyncio.sleep(6.0)

        assert [
            (pool.name, pool.kind.value, pool.account, pool.limit)
            for pool in caller.budget.snapshot().pools
        ] == [
            ("GET /a", "ip", None, 12_000),
            ("GET /b", "uid", "alice", 180_000),
            ("GET /b", "uid", "bob", 180_000),
            ("/api/v3", "request", None, 6_000),
        ]

    run(main())


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (LimitKind.IP, "used_ip"),
        (LimitKind.UID, "used_uid"),
        (LimitKind.REQUEST, "used_request"),
    ],
)
def test_each_pool_reads_the_header_of_its_own_kind(kind: LimitKind, field: str) -> None:
    async def main() -> None:
        caller = caller_of()
        admission = await caller.budget.admit(Charge("GET /x", kind, 1, "alice"))
        shown: dict[str, Any] = dict.fromkeys(("used_ip", "used_uid", "used_request"), 5_000)

        admission.settle(Feedback(200, **shown | {field: 1_001}))

        assert caller.budget.snapshot().pools[0].others == 1_000

    run(main())


def test_a_ban_that_is_heard_twice_is_told_once() -> None:
    async def main() -> None:
        caller = caller_of()
        one, two = await caller.budget.admit(LIST), await caller.budget.admit(LOG)

        one.settle(Feedback(418, retry_after=130.0))
        two.settle(Feedback(418, retry_after=130.0))
        assert caller.events == [Banned(131.0)]

        await asyncio.sleep(131.0)
        (await caller.budget.admit(LIST)).settle(Feedback(418, retry_after=10.0))
        assert caller.events[-1] == Banned(11.0)
        assert len(caller.events) == 2

    run(main())


@pytest.mark.parametrize("patience", [120.9, 121.0])
def test_a_ban_is_sat_out_up_to_the_patience_that_was_set(patience: float) -> None:
    async def main() -> None:
        caller = caller_of()
        budget = LocalBudget(RateLimits(), caller.clock, patience=patience)
        await asyncio.sleep(500.0)
        first = await budget.admit(LIST)
        waiting = asyncio.ensure_future(budget.admit(LIST))
        await asyncio.sleep(0)

        first.settle(Feedback(418, retry_after=120.0))
        late = asyncio.ensure_future(budget.admit(LOG))
        await asyncio.sleep(0.1)

        told = [
            isinstance(task.exception(), BannedError) for task in (waiting, late) if task.done()
        ]
        assert told == ([True, True] if patience < 121.0 else [])
        await budget.close()
        await asyncio.gather(waiting, late, return_exceptions=True)

    run(main())


@pytest.mark.parametrize("known", [True, False])
def test_a_ban_error_names_the_endpoint_and_the_end_of_the_ban(*, known: bool) -> None:
    async def main() -> None:
        caller = caller_of()
        if not known:
            caller.clock.error = None
        budget = LocalBudget(RateLimits(), caller.clock, patience=1.0)
        await asyncio.sleep(500.0)
        (await budget.admit(LIST)).settle(Feedback(418, retry_after=100.0))

        with pytest.raises(BannedError) as caught:
            await budget.admit(ASSETS)

        error = caught.value
        assert (error.endpoint, error.status) == (ASSETS.pool, 418)
        assert error.retry_after == pytest.approx(101.0)
        assert (error.until is not None) is known

    run(main())


def test_a_firewall_opens_again_like_anything_else_that_was_shut() -> None:
    async def main() -> None:
        caller = caller_of()
        walled = Feedback(403, walled=True)
        (await caller.budget.admit(LIST)).settle(walled)
        await asyncio.sleep(0)
        (await caller.budget.admit(LIST)).settle(walled)
        assert caller.budget.snapshot().shut_for == pytest.approx(300.0)

        await asyncio.sleep(300.0)
        (await caller.budget.admit(LIST)).settle(GOOD)
        (await caller.budget.admit(LIST)).settle(walled)
        assert caller.budget.snapshot().shut_for == 0, "a good answer came between"

        # An answer to something that left before says nothing about the wall.
        one = await caller.budget.admit(LIST)
        one.settle(walled)
        assert caller.budget.snapshot().shut_for == pytest.approx(300.0)

    run(main())


def test_a_forecast_counts_waiters_and_a_ban() -> None:
    async def main() -> None:
        caller = caller_of()
        budget = caller.budget
        assert budget.forecast(LIST, 0) == budget.forecast(LIST, 120) == 0.0
        assert budget.forecast(LIST, 121) == pytest.approx(60.06)
        assert budget.snapshot().pools == (), "asking makes no pool"

        await fill(caller)
        next(iter(budget._pools)).boundary.fixed = True
        now = caller.exchange.loop.time()
        assert budget.forecast(LIST, 0) == 0.0
        assert budget.forecast(LIST, 1) == pytest.approx(50.25 - now)
        batch = [asyncio.ensure_future(budget.admit(LIST)) for _ in range(120)]
        await asyncio.sleep(0)
        assert budget.forecast(LIST, 0) == pytest.approx(50.25 - now)
        assert budget.forecast(LIST, 1) == pytest.approx(110.25 - now)
        for task in batch:
            task.cancel()
        await asyncio.gather(*batch, return_exceptions=True)

        (await budget.admit(LOG)).settle(Feedback(418, retry_after=299.0))
        assert budget.forecast(LOG, 1) == pytest.approx(300.0)
        assert budget.forecast(LOG, 0) == 0.0

        caller = caller_of()
        (await caller.budget.admit(LIST)).settle(Feedback(429, retry_after=30.0))
        assert caller.budget.forecast(LIST, 0) == 0.0
        assert caller.budget.forecast(LIST, 1) == pytest.approx(30.0)

    run(main())


def test_a_closed_budget_admits_nothing_and_may_be_closed_again() -> None:
    async def main() -> None:
        caller = caller_of(requests_per_second=10)
        (await caller.budget.admit(LIST)).settle(GOOD)
        # Some wait for the pace, some for weight.
        waiting = [asyncio.ensure_future(caller.budget.admit(LIST)) for _ in range(5)]
        await asyncio.sleep(0)
        assert caller.exchange.loop.timers > 0

        await caller.budget.close()
        await caller.budget.close()

        assert caller.exchange.loop.timers == 0
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert ConfigurationError in {type(result) for result in results}
        assert caller.budget.snapshot().waiting == 0
        await asyncio.sleep(1.0)
        for charge in (LOG, LIST, replace(LIST, weight=12_000)):
            with pytest.raises(ConfigurationError, match="closed"):
                await caller.budget.admit(charge)

    run(main())


def test_the_pace_serves_each_pool_in_turn() -> None:
    async def main() -> None:
        caller = caller_of(requests_per_second=20)
        for charge in (LIST, LOG, ASSETS):
            (await caller.budget.admit(charge)).settle(GOOD)
        served: list[str] = []

        async def call(charge: Charge) -> None:
            (await caller.budget.admit(charge)).settle(Feedback(200))
            served.append(charge.pool)

        calls = [
            asyncio.ensure_future(call(charge)) for charge in (LIST, LOG, ASSETS) for _ in range(10)
        ]
        await asyncio.gather(*calls)

        # Whatever went before the pace was short; from then on one of each.
        for names in zip(served[6::3], served[7::3], served[8::3], strict=False):
            assert len(set(names[:3])) >= 2
        assert caller.exchange.loop.time() >= 30 / 20 - 0.2
        assert caller.budget.snapshot().requests_per_second == 20

    run(main())


def test_a_new_call_does_not_overtake_calls_that_wait_for_the_pace() -> None:
    async def main() -> None:
        caller = caller_of(requests_per_second=10)
        for charge in (LIST, LOG):
            (await caller.budget.admit(charge)).settle(GOOD)
        served: list[str] = []

        async def call(charge: Charge) -> None:
            (await caller.budget.admit(charge)).settle(Feedback(200))
            served.append(charge.pool)

        batch = [asyncio.ensure_future(call(LIST)) for _ in range(3)]
        await asyncio.sleep(0.1)
        late = asyncio.ensure_future(call(LOG))
        await asyncio.gather(*batch, late)

        assert served[0] == LIST.pool
        assert served[-1] == LIST.pool or served[-2] == LIST.pool

    run(main())


def test_a_budget_without_an_observer_works_the_same() -> None:
    async def main() -> None:
        caller = caller_of()
        caller.budget = budget = LocalBudget(RateLimits(), caller.clock)
        await caller.scan(130)
        assert budget.snapshot().pools[0].fixed

        (await budget.admit(LIST)).settle(Feedback(429, retry_after=1.0))
        (await budget.admit(LIST)).settle(Feedback(418, retry_after=1.0))
        (await budget.admit(LIST)).settle(GOOD)

    run(main())


def test_a_waiter_cancelled_as_the_budget_closes_is_cancelled() -> None:
    async def main() -> None:
        caller = caller_of()
        await caller.budget.admit(LIST)
        waiting = [asyncio.ensure_future(caller.budget.admit(LIST)) for _ in range(2)]
        await asyncio.sleep(0)

        waiting[0].cancel()
        await caller.budget.close()
        await asyncio.gather(*waiting, return_exceptions=True)

        assert [task.cancelled() for task in waiting] == [True, False]

    run(main())


def test_a_pool_that_is_done_keeps_no_other_from_the_pace() -> None:
    async def main() -> None:
        caller = caller_of(requests_per_second=10)
        for charge in (LIST, LOG, ASSETS):
            (await caller.budget.admit(charge)).settle(GOOD)
        began = caller.exchange.loop.time()

        async def call(charge: Charge) -> None:
            (await caller.budget.admit(charge)).settle(Feedback(200))

        batch = [LIST] + [LOG] * 4 + [ASSETS] * 8
        await asyncio.gather(*[asyncio.ensure_future(call(charge)) for charge in batch])

        assert caller.exchange.loop.time() - began <= len(batch) / 9 + 0.2

    run(main())


@pytest.mark.parametrize("ending", ["release", "unknown"])
def test_a_call_without_an_answer_does_not_open_a_half_open_pool(ending: str) -> None:
    async def main() -> None:
        caller = caller_of()
        await fill(caller, 3)
        (pool,) = caller.budget._pools
        pool.valve.open_half()
        waiting = [asyncio.ensure_future(caller.budget.admit(LIST)) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert [task.done() for task in waiting] == [True, False, False]

        getattr(waiting[0].result(), ending)()
        await asyncio.sleep(0.1)

        assert [task.done() for task in waiting] == [True, True, False]
        await caller.budget.close()
        await asyncio.gather(*waiting, return_exceptions=True)

    run(main())


@pytest.mark.parametrize(
    ("retry_after", "shut_for"), [(0.5, 1.5), (3 * 86_400.0, 259_201.0), (9e9, 259_201.0)]
)
def test_a_ban_lasts_as_long_as_was_told_and_a_second_more_up_to_the_longest(
    retry_after: float, shut_for: float
) -> None:
    async def main() -> None:
        caller = caller_of()
        (await caller.budget.admit(LIST)).settle(Feedback(418, retry_after=retry_after))

        assert caller.budget.snapshot().shut_for == pytest.approx(shut_for)

    run(main())


def test_a_ban_whose_end_can_not_be_compared_lasts_the_shortest_time_that_bans_last() -> None:
    async def main() -> None:
        caller = caller_of()
        caller.clock.error = None
        (await caller.budget.admit(LIST)).settle(Feedback(418, banned_until=1.9e9))

        assert caller.budget.snapshot().shut_for == pytest.approx(120.0)

    run(main())


def test_a_ban_is_told_at_once_to_waiters_of_another_pool() -> None:
    async def main() -> None:
        caller = caller_of()
        now = caller.exchange.loop.time()
        await caller.budget.admit(ASSETS)
        hasty = asyncio.ensure_future(caller.budget.admit(ASSETS, deadline=now + 4.0))
        await asyncio.sleep(0)

        (await caller.budget.admit(LIST)).settle(Feedback(418, retry_after=100.0))
        await asyncio.sleep(0)

        assert isinstance(hasty.exception(), BudgetExceededError)

    run(main())


def test_what_one_account_has_learnt_of_cuts_holds_for_every_account_of_the_endpoint() -> None:
    async def main() -> None:
        caller = caller_of()
        for account in ("alice", "bob"):
            (await caller.budget.admit(Charge("POST /x", LimitKind.UID, 10, account))).unknown()
        (await caller.budget.admit(LIST)).unknown()

        alice, bob, other = caller.budget._pools

        assert alice.boundary is bob.boundary
        assert alice.boundary is not other.boundary

    run(main())


def test_only_accounts_are_forgotten_and_only_idle_ones() -> None:
    async def main() -> None:
        caller = caller_of()
        (await caller.budget.admit(LOG)).settle(Feedback(200, used_ip=1))
        busy = await caller.budget.admit(Charge("POST /x", LimitKind.UID, 10, "busy"))
        for number in range(10):
            await asyncio.sleep(61.0)
            charge = Charge("POST /x", LimitKind.UID, 10, f"account {number}")
            (await caller.budget.admit(charge)).settle(Feedback(200, used_uid=10))

        names = [(pool.name, pool.account) for pool in caller.budget.snapshot().pools]
        assert (LOG.pool, None) in names
        assert ("POST /x", "busy") in names
        assert ("POST /x", "account 9") in names
        assert len(names) <= 4
        busy.release()

    run(main())


def test_a_probe_that_never_left_says_nothing_about_a_firewall() -> None:
    async def main() -> None:
        caller = caller_of()
        walled = Feedback(403, walled=True)
        await fill(caller, 2)
        (await caller.budget.admit(LIST)).settle(walled)

        (await caller.budget.admit(LIST)).release()
        (await caller.budget.admit(LIST)).settle(walled)

        assert caller.budget.snapshot().shut_for == pytest.approx(300.0)

    run(main())


@pytest.mark.parametrize("company", [True, False])
def test_a_deadline_of_the_only_waiter_counts_on_the_reserve(*, company: bool) -> None:
    async def main() -> None:
        caller = caller_of()
        await fill(caller)
        now = caller.exchange.loop.time()
        batch = [asyncio.ensure_future(caller.budget.admit(LIST)) for _ in range(company)]
        await asyncio.sleep(0)

        call = asyncio.ensure_future(caller.budget.admit(LIST, deadline=now + 3.5))
        await asyncio.sleep(0)
        assert call.done() is company
        await asyncio.sleep(3.1)

        assert isinstance(call.exception(), BudgetExceededError) is company
        await caller.budget.close()
        await asyncio.gather(*batch, call, return_exceptions=True)

    run(main())


def test_a_refused_witness_whose_header_shows_that_the_count_went_on_ends_the_belief_in_cuts() -> (
    None
):
    async def main() -> None:
        caller = caller_of()
        await fill(caller, 80)
        (pool,) = caller.budget._pools
        pool.boundary.fixed = True
        await asyncio.sleep(55.0)

        witness = await caller.budget.admit(LIST)
        assert witness.witness
        witness.settle(Feedback(429, used_ip=8_100, retry_after=1.0))

        assert [event for event in caller.events if isinstance(event, BoundaryLost)] == [
            BoundaryLost(LIST.pool)
        ]

    run(main())


def test_a_waiter_may_leave_while_it_waits_for_the_pace() -> None:
    async def main() -> None:
        caller = caller_of(requests_per_second=10)
        (await caller.budget.admit(LIST)).settle(GOOD)
        waiting = asyncio.ensure_future(caller.budget.admit(LIST))
        await asyncio.sleep(0)
        assert not waiting.done()

        waiting.cancel()
        await asyncio.sleep(1.0)

        assert waiting.cancelled()
        assert caller.exchange.loop.timers == 0

    run(main())


def test_without_an_answer_to_the_first_call_after_a_ban_another_goes() -> None:
    async def main() -> None:
        caller = caller_of()
        (await caller.budget.admit(LIST)).settle(Feedback(418, retry_after=10.0))
        waiting = [asyncio.ensure_future(caller.budget.admit(charge)) for charge in (LIST, LOG)]

        await asyncio.sleep(11.1)
        assert sum(task.done() for task in waiting) == 1
        await asyncio.sleep(5.0)
        assert all(task.done() for task in waiting)

    run(main())


def test_a_pool_whose_first_call_met_a_ban_or_a_wall_still_sends_one_alone() -> None:
    async def main() -> None:
        for answer in (Feedback(418, retry_after=10.0), Feedback(403, walled=True)):
            caller = caller_of()
            await fill(caller, 2)
            (pool,) = caller.budget._pools
            pool.valve.open_half()
            (await caller.budget.admit(LIST)).settle(answer)
            await asyncio.sleep(11.0)
            (await caller.budget.admit(LOG)).settle(Feedback(200, used_ip=1))

            waiting = [asyncio.ensure_future(caller.budget.admit(LIST)) for _ in range(3)]
            await asyncio.sleep(0.1)

            assert [task.done() for task in waiting] == [True, False, False]
            await caller.budget.close()
            await asyncio.gather(*waiting, return_exceptions=True)

    run(main())


def test_when_the_first_call_after_a_ban_is_answered_the_others_go_at_once() -> None:
    async def main() -> None:
        caller = caller_of()
        (await caller.budget.admit(LIST)).settle(Feedback(418, retry_after=10.0))
        waiting = [asyncio.ensure_future(caller.budget.admit(charge)) for charge in (LIST, LOG)]
        await asyncio.sleep(11.1)

        waiting[0].result().settle(GOOD)
        await asyncio.sleep(0)

        assert waiting[1].done()

    run(main())


def test_a_refusal_is_told_with_its_seconds_from_when_it_was_heard() -> None:
    async def main() -> None:
        caller = caller_of()
        await asyncio.sleep(5.0)

        (await caller.budget.admit(LIST)).settle(Feedback(429, retry_after=7.0))

        assert caller.events == [Refused(LIST.pool, 7.0)]

    run(main())


def test_late_news_of_a_wall_keeps_nobody_away_for_longer() -> None:
    async def main() -> None:
        caller = caller_of()
        await fill(caller, 2)
        flying = [await caller.budget.admit(LIST) for _ in range(3)]
        flying[0].settle(WALLED)
        (await caller.budget.admit(LIST)).settle(WALLED)
        assert caller.budget.snapshot().shut_for == pytest.approx(300.0)

        await asyncio.sleep(100.0)
        flying[1].settle(WALLED)

        assert caller.budget.snapshot().shut_for == pytest.approx(200.0)

    run(main())


def test_all_pages_of_one_burst_are_one_event() -> None:
    async def main() -> None:
        caller = caller_of()
        await fill(caller, 2)
        flying = [await caller.budget.admit(LIST) for _ in range(5)]
        for call in flying:
            call.settle(WALLED)
        assert caller.budget.snapshot().shut_for == 0.0
        waiting = [asyncio.ensure_future(caller.budget.admit(LIST)) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert [task.done() for task in waiting] == [True, False, False]

        waiting[0].result().settle(GOOD)
        await asyncio.sleep(0)

        assert all(task.done() for task in waiting)
        assert not [event for event in caller.events if isinstance(event, Banned)]

    run(main())


def test_what_a_wall_shuts_is_told_as_a_guess() -> None:
    async def main() -> None:
        caller = caller_of(patience=60.0)
        await fill(caller, 2)
        (await caller.budget.admit(LIST)).settle(WALLED)
        (await caller.budget.admit(LIST)).settle(WALLED)

        with pytest.raises(BannedError, match="by our guess") as told:
            await caller.budget.admit(LIST)
        assert told.value.status == 403
        assert told.value.until is None
        assert told.value.retry_after == pytest.approx(300.0)
        assert Banned(300.0, guessed=True) in caller.events

    run(main())


def test_a_refusal_for_longer_than_patience_is_told_to_all_who_wait_and_come() -> None:
    async def main() -> None:
        caller = caller_of(patience=60.0)
        await fill(caller, 119)
        waiting = [asyncio.ensure_future(caller.budget.admit(LIST)) for _ in range(3)]
        (await caller.budget.admit(LOG)).settle(GOOD)
        await asyncio.sleep(0.1)
        pool = next(pool for pool in caller.budget._pools if pool.name == LIST.pool)
        admission = LocalAdmission(caller.budget, pool, 100)
        pool.admit(admission, caller.budget.now(), Go.YES)

        admission.settle(Feedback(429, retry_after=300.0))

        told = await asyncio.gather(*waiting, return_exceptions=True)
        for error in told:
            assert isinstance(error, BudgetExceededError)
            assert error.retry_after == pytest.approx(300.0, abs=0.2)
        with pytest.raises(BudgetExceededError, match="said to wait 300 s more"):
            await caller.budget.admit(LIST)

    run(main())


def test_what_is_believed_makes_no_call_impossible_and_lets_none_wait_for_ever() -> None:
    """A limit that was learnt from small calls is below a large one; a weight above our part."""

    async def main() -> None:
        caller = caller_of()
        await fill(caller, 2)
        (pool,) = caller.budget._pools
        pool.beliefs.ceiling.refused(50, 1, caller.budget.now(), 60.0)
        pool._believe_limit()
        await asyncio.sleep(130.0)

        admission = await asyncio.wait_for(caller.budget.admit(LIST), 130.0)
        admission.settle(GOOD)

        for price in pool.beliefs.prices._prices.values():
            price.weight = 20_000
        await asyncio.sleep(130.0)
        (await asyncio.wait_for(caller.budget.admit(LIST), 130.0)).settle(GOOD)

    run(main())


def test_calls_that_wait_move_when_it_is_learnt_who_pays() -> None:
    """They wait for the address, until headers show that each account pays for itself."""

    async def main() -> None:
        caller = caller_of()
        accounts = [replace(LIST, account=f"a{n}") for n in range(5)]
        first = await caller.budget.admit(accounts[0])
        waiting = [asyncio.ensure_future(caller.budget.admit(each)) for each in accounts[1:]]
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in waiting)

        caller.budget.move("GET /elsewhere", LimitKind.UID)
        caller.budget.move(LIST.pool, LimitKind.IP)
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in waiting)
        caller.budget.move(LIST.pool, LimitKind.UID)
        await asyncio.sleep(0.1)

        pools = {(p.kind, p.account): p for p in caller.budget.snapshot().pools}
        assert pools[LimitKind.IP, None].waiting == 0
        assert sum(task.done() for task in waiting) == AT_ONCE, "the door is on trial"
        first.settle(Feedback(200, used_uid=100))
        for task in waiting:
            (await task).settle(Feedback(200, used_uid=100))

        again = [asyncio.ensure_future(caller.budget.admit(each)) for each in accounts]
        again[0].cancel()
        await asyncio.sleep(0.1)
        assert again[0].cancelled()
        for task in again[1:]:
            (await task).release()

    run(main())


@pytest.mark.parametrize("answer", [Feedback(429, retry_after=7.0), Feedback(418), WALLED])
def test_what_is_still_being_signed_when_a_refusal_is_heard_does_not_leave(
    answer: Feedback,
) -> None:
    async def main() -> None:
        caller = caller_of()
        await fill(caller, 3)
        first, *signing = [await caller.budget.admit(LIST) for _ in range(5)]
        first.sent()

        first.settle(answer)

        for admission in signing:
            with pytest.raises(NotSentError, match="refused another call meanwhile"):
                admission.sent()
            admission.sent()  # it has ended, and says no more
        assert caller.budget.snapshot().pools[0].in_flight == 0
        asking = await caller.budget.admit(LIST)
        asking.sent()
        late = asyncio.ensure_future(caller.budget.admit(LIST))
        asking.settle(Feedback(200, used_ip=500))
        (await late).sent()

    run(main())


def test_a_refusal_at_the_door_stops_what_other_accounts_are_signing() -> None:
    async def main() -> None:
        caller = caller_of()
        charges = [Charge("POST /x", LimitKind.UID, 1, account) for account in "abc"]
        for charge in charges:
            (await caller.budget.admit(charge)).settle(Feedback(200, used_uid=1))
        refused, signing, _ = [await caller.budget.admit(charge) for charge in charges]

        refused.settle(Feedback(429, retry_after=7.0))

        with pytest.raises(NotSentError, match="meanwhile"):
            signing.sent()

    run(main())
