"""Several processes behind one address share one queue, one pool, one gate; dead ones leave them.

This crosses modules: budgets in virtual time, on a real Redis.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis

from binance_dust import BannedError, BudgetExceededError, ConfigurationError, NotSentError
from binance_dust.budget import Charge, Feedback, Lane, LimitKind, PoolSnapshot
from binance_dust.events import Banned, BoundaryLearnt, Refused, SharedBudgetLost
from tests.budget.shared import SharedCaller
from tests.budget.virtual import LIST, LOG, Latency, VirtualExchange, run

QUICK = Latency(0.01, 0.01)


def callers(
    client: redis.Redis, count: int, way: float = 0.002, **options: Any
) -> list[SharedCaller]:
    """Open processes of one address."""
    exchange = VirtualExchange(start=10.0, latency=options.pop("latency", QUICK))
    first = SharedCaller(exchange, client=client, **options)
    all_of_them = [first, *[first.another() for _ in range(count - 1)]]
    for caller in all_of_them:
        caller.store.way = way
    return all_of_them


def waiting(caller: SharedCaller, count: int, **options: Any) -> list[asyncio.Task[Any]]:
    return [asyncio.ensure_future(caller.budget.admit(LIST, **options)) for _ in range(count)]


def done(tasks: list[asyncio.Task[Any]]) -> int:
    return sum(task.done() for task in tasks)


async def let_go(*batches: list[asyncio.Task[Any]]) -> None:
    tasks = [task for batch in batches for task in batch]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_four_processes_take_together_what_one_may(client: redis.Redis) -> None:
    async def main() -> None:
        processes = callers(client, 4)
        exchange = processes[0].exchange
        took = await asyncio.gather(*[caller.scan(85) for caller in processes])

        assert exchange.refused == 0
        assert exchange.weight == 340 * 100
        # Two cuts have to come: 119 in the first window, since one is left for the witness.
        assert max(took) <= (50.0 + 60.0) * 1.05
        assert max(took) <= 1.2 * min(took)

    run(main())


def test_first_come_is_first_served_whichever_process_it_is(client: redis.Redis) -> None:
    async def main() -> None:
        # A slow pace: admissions that come in one message can't be told apart.
        processes = callers(client, 3, requests_per_second=10)
        await processes[0].scan(119)
        served: list[int] = []

        async def call(number: int) -> None:
            admission = await processes[number % 3].budget.admit(LIST)
            served.append(number)
            admission.settle(Feedback(200))

        calls = []
        for number in range(90):
            calls.append(asyncio.ensure_future(call(number)))
            await asyncio.sleep(0.01)
        await asyncio.gather(*calls)

        assert served == list(range(90))

    run(main())


def test_a_call_of_one_process_goes_ahead_of_scans_of_another(client: redis.Redis) -> None:
    async def main() -> None:
        one, two = callers(client, 2)
        await one.scan(119)
        scans = waiting(one, 300, lane=Lane.SCAN)
        await asyncio.sleep(1.0)

        began = one.exchange.loop.time()
        await two.call(LIST)

        assert one.exchange.loop.time() - began < 61.0
        assert done(scans) < 120
        await let_go(scans)

    run(main())


def test_one_refusal_quiets_every_process_and_then_one_call_goes_first(client: redis.Redis) -> None:
    async def main() -> None:
        one, two, three = callers(client, 3)
        loop = one.exchange.loop
        await one.call(LIST)
        admission = await one.budget.admit(LIST)
        admission.settle(Feedback(429, retry_after=7.0))
        refused_at = loop.time()
        await asyncio.sleep(0.1)
        batch = waiting(two, 5) + waiting(three, 5)

        await asyncio.sleep(6.8)
        assert done(batch) == 0
        assert [type(event) for event in one.events] == [Refused]
        assert one.budget.snapshot().pools[0].shut_for == pytest.approx(0.1, abs=0.02)
        await asyncio.sleep(0.2)
        assert loop.time() - refused_at >= 7.0
        assert done(batch) == 1
        next(task for task in batch if task.done()).result().settle(Feedback(200, used_ip=200))
        await asyncio.sleep(0.1)
        assert done(batch) == 10

    run(main())


def test_a_ban_quiets_every_process_and_is_told_to_calls_in_a_hurry(
    client: redis.Redis,
) -> None:
    async def main() -> None:
        one, two, three = callers(client, 3)
        limits = three.shared._settings.limits
        three.shared.attach(three.clock, three.events.append, patience=60.0, limits=limits)
        for caller in (one, two, three):
            await caller.call(LOG)
        first = await one.budget.admit(LIST)
        now = one.exchange.loop.time()
        hasty, patient = waiting(two, 1, deadline=now + 100.0), waiting(two, 1)
        restless = waiting(three, 1)
        await asyncio.sleep(0.1)

        first.settle(Feedback(418, retry_after=150.0))
        await asyncio.sleep(0.1)

        assert isinstance(hasty[0].exception(), BudgetExceededError)
        assert isinstance(restless[0].exception(), BannedError)
        assert isinstance(one.events[-1], Banned)
        assert two.budget.snapshot().shut_for == pytest.approx(151.0, abs=0.3)
        with pytest.raises(BannedError):
            await three.budget.admit(LOG)
        assert not patient[0].done()
        await asyncio.sleep(151.0)
        assert patient[0].done()

    run(main())


def test_a_call_that_is_asked_for_as_a_ban_is_heard_waits(client: redis.Redis) -> None:
    """Both go in one batch, the question first: its grant comes when this process knows better."""

    async def main() -> None:
        (one,) = callers(client, 1)
        await one.call(LIST)
        banned = await one.budget.admit(LIST)
        asking = asyncio.ensure_future(one.budget.admit(LOG))
        await asyncio.sleep(0)
        banned.settle(Feedback(418, retry_after=60.0))

        await asyncio.sleep(1.0)
        assert not asking.done()
        await asyncio.sleep(60.1)
        assert asking.done()

    run(main())


def test_what_a_killed_process_had_admitted_counts_for_a_window_and_is_free_then(
    client: redis.Redis,
) -> None:
    async def main() -> None:
        one, two = callers(client, 2, lease=5.0)
        await one.call(LIST)
        for _ in range(50):
            await one.budget.admit(LIST)
        await two.call(LOG)
        one.store.die()

        await asyncio.sleep(6.0)
        pool = await look_at_list(two)
        assert (pool.used, pool.in_flight) == (100 + 5_000 + 100, 1)
        await asyncio.sleep(50.0)
        pool = await look_at_list(two)
        assert pool.used == 100 + 5_000 + 2 * 100
        # A sixth of a window longer, for it may have been sent as its process died.
        await asyncio.sleep(25.0)
        pool = await look_at_list(two)
        assert pool.used <= 300

    run(main())


async def look_at_list(caller: SharedCaller) -> PoolSnapshot:
    """Make one call, and look at its pool."""
    await caller.budget.admit(LIST)
    return next(pool for pool in caller.budget.snapshot().pools if pool.name == LIST.pool)


def test_what_a_killed_process_had_admitted_is_not_spent_again_before(client: redis.Redis) -> None:
    async def main() -> None:
        one, two = callers(client, 2, lease=5.0)
        await one.call(LIST)
        for _ in range(60):
            await one.budget.admit(LIST)
        one.store.die()
        batch = waiting(two, 119)

        await asyncio.sleep(59.0)  # a cut has passed, but it is not known when those calls arrived
        assert done(batch) <= 59
        await asyncio.sleep(30.0)
        for task in batch:
            if task.done():
                task.result().settle(Feedback(200))
        await asyncio.sleep(70.0)
        assert done(batch) == 119

    run(main())


def test_the_place_of_a_killed_process_in_line_is_free_at_once(client: redis.Redis) -> None:
    async def main() -> None:
        one, two = callers(client, 2, lease=5.0)
        await two.scan(119)
        dead = waiting(one, 100)
        await asyncio.sleep(0.1)
        living = waiting(two, 50)
        await asyncio.sleep(0.1)
        assert two.budget.snapshot().pools[0].waiting == 150

        one.store.die()
        await asyncio.sleep(51.0)  # the cut, and a moment

        assert done(living) >= 1
        living[0].result().settle(Feedback(200, used_ip=100))
        await asyncio.sleep(0.5)
        assert done(living) == 50
        await let_go(dead, living)

    run(main())


def test_no_call_is_admitted_for_a_process_that_died_just_before(
    client: redis.Redis,
) -> None:
    async def main() -> None:
        one, two = callers(client, 2, lease=5.0)
        await two.scan(119)
        dead = waiting(one, 100)
        await asyncio.sleep(0.1)
        living = waiting(two, 50)
        await asyncio.sleep(50.0 - 0.2 - one.exchange.loop.time())

        one.store.die()
        await asyncio.sleep(1.0)  # the cut, and a tenth of a lease
        living[0].result().settle(Feedback(200, used_ip=100))
        await asyncio.sleep(0.5)

        assert done(living) == 50
        assert two.budget.snapshot().pools[0].used == 50 * 100
        await let_go(dead, living)

    run(main())


def test_the_owner_of_a_new_head_is_told_when_to_recheck(client: redis.Redis) -> None:
    async def main() -> None:
        one, two = callers(client, 2, lease=20.0)
        await one.scan(119)
        head = waiting(one, 1)
        await asyncio.sleep(0.1)
        others = waiting(two, 2)
        await asyncio.sleep(45.0)

        await let_go(head)
        await asyncio.sleep(50.0 + 0.5 - one.exchange.loop.time())

        assert done(others) == 1
        await let_go(others)

    run(main())


def test_if_the_owner_of_the_head_dies_the_next_process_rechecks_in_time(
    client: redis.Redis,
) -> None:
    async def main() -> None:
        one, two = callers(client, 2, lease=5.0)
        await two.scan(119)
        dead = waiting(one, 1)
        await asyncio.sleep(0.1)
        living = waiting(two, 1)
        one.store.die()

        await asyncio.sleep(50.0 + 2.5 + 1.0)

        assert done(living) == 1
        await let_go(dead)

    run(main())


def test_a_process_that_was_silent_too_long_gets_its_places_back(client: redis.Redis) -> None:
    """Its machine slept, say: it was taken for dead, and it is not."""

    async def main() -> None:
        one, two = callers(client, 2, lease=1.0)
        await two.scan(119)
        silent = waiting(one, 3)
        await asyncio.sleep(2.0)
        link = one.shared._link
        for line in link.member._lines.values():
            assert line.timer is not None
            line.timer.cancel()  # no timer runs while it sleeps, and it reads nothing
        link._stop_heartbeats()
        one.store.others.remove(one.store)
        batch = waiting(two, 5)
        await asyncio.sleep(49.0)  # past a cut: the turn of the silent one is gone
        assert done(batch) == 1
        assert two.budget.snapshot().pools[0].waiting == 4
        batch[0].result().settle(Feedback(200, used_ip=100))
        two.store.others.append(one.store)
        link._keep_alive()

        await asyncio.sleep(60.0)

        assert done(silent) == 3
        assert not [event for event in one.events if isinstance(event, SharedBudgetLost)]
        await let_go(silent, batch)

    run(main())


def test_processes_that_differ_in_their_limits_are_told_so(client: redis.Redis) -> None:
    async def main() -> None:
        (one,) = callers(client, 1)
        two = SharedCaller(one.exchange, client=client, name=one.name, headroom=0.5)
        await one.call(LIST)

        with pytest.raises(ConfigurationError, match="by other limits"):
            await two.call(LIST)

    run(main())


def test_limits_may_change_when_no_process_uses_the_old_ones(client: redis.Redis) -> None:
    async def main() -> None:
        (one,) = callers(client, 1)
        await one.call(LIST)
        await one.budget.close()
        two = SharedCaller(one.exchange, client=client, name=one.name, headroom=0.5)

        await two.call(LIST)

        assert two.budget.snapshot().pools[0].limit == 6_000
        assert two.budget.snapshot().pools[0].used == 200

    run(main())


def test_everything_lies_in_five_keys_that_expire(client: redis.Redis) -> None:
    async def main() -> None:
        one, two = callers(client, 2)
        await one.scan(150)
        for number in range(300):
            await two.call(Charge("POST /x", LimitKind.UID, 10, f"account-{number}"))
            await asyncio.sleep(1.0)

        keys = client.keys(f"{{{one.name}}}:*")
        assert isinstance(keys, list)
        assert len(keys) <= 5
        assert all(0 < client.pttl(key) <= 3_600_000 for key in keys)
        # A minute's worth of accounts, and the few that are looked at next.
        assert client.hlen(f"{{{one.name}}}:state") < 150

    run(main())


def test_a_redis_whose_clock_is_set_back_goes_on_from_where_it_was(client: redis.Redis) -> None:
    async def main() -> None:
        (one,) = callers(client, 1)
        await one.scan(119)
        one.store.clock_error = -1_000.0

        took = await one.scan(120)

        assert one.exchange.refused == 0
        assert took < 120.0

    run(main())


def test_a_call_that_finds_room_asks_once_and_ends_without_waiting(client: redis.Redis) -> None:
    async def main() -> None:
        (one,) = callers(client, 1, way=1.0)
        await one.call(LIST)
        await asyncio.sleep(5.0)
        began, calls = one.exchange.loop.time(), one.store.calls["append"]

        admission = await one.budget.admit(LIST)
        assert one.exchange.loop.time() == began + 1.0
        assert one.store.calls["append"] == calls + 1
        admission.settle(Feedback(200, used_ip=200))
        assert one.exchange.loop.time() == began + 1.0
        await one.budget.close()
        assert one.exchange.loop.timers == 0

    run(main())


def test_a_thousand_calls_of_one_moment_are_few_questions(client: redis.Redis) -> None:
    async def main() -> None:
        (one,) = callers(client, 1, requests_per_second=1e6)
        await one.call(LOG)
        calls = one.store.calls["append"]

        await asyncio.gather(*[one.call(LOG) for _ in range(1_000)])

        assert one.store.calls["append"] - calls < 20

    run(main())


def test_closing_sends_redis_everything_that_was_left(client: redis.Redis) -> None:
    async def main() -> None:
        one, two = callers(client, 2)
        await one.call(LIST)
        await two.call(LOG)
        kept = await one.budget.admit(LIST)
        batch = waiting(two, 3)
        admission = await one.budget.admit(LIST)
        admission.release()

        await one.budget.close()
        await asyncio.sleep(0.1)

        assert repr(one.budget).endswith("closed>")
        assert done(batch) == 3
        pools = {pool.name: pool for pool in (await two.shared.refresh()).pools}
        assert pools[LIST.pool].in_flight == 3  # those of the other; `kept` counts as lost
        assert pools[LIST.pool].used == 500
        kept.settle(Feedback(200, used_ip=100))  # too late to be heard, and no harm
        with pytest.raises(ConfigurationError, match="closed"):
            await one.budget.admit(LIST)

    run(main())


@pytest.mark.parametrize("when", ["queued", "waiting", "granted"])
def test_a_call_that_is_cancelled_costs_nothing(client: redis.Redis, when: str) -> None:
    async def main() -> None:
        one, two = callers(client, 2, way=0.1)
        if when == "waiting":
            await two.scan(119)
        else:
            await two.call(LIST)
        used = (await two.shared.refresh()).pools[0].used
        (task,) = waiting(one, 1)
        await asyncio.sleep({"queued": 0.0, "waiting": 1.0, "granted": 0.1}[when])

        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(1.0)

        (pool,) = (await two.shared.refresh()).pools
        assert (pool.used, pool.waiting, pool.in_flight) == (used, 0, 0)

    run(main())


def test_a_forecast_counts_the_waiters_of_all_processes_and_a_ban(
    client: redis.Redis,
) -> None:
    async def main() -> None:
        one, two = callers(client, 2, way=0.0)
        budget, loop = one.budget, one.exchange.loop
        assert budget.forecast(LIST, 0) == budget.forecast(LIST, 120) == 0.0

        await one.scan(119)
        assert budget.forecast(LIST, 0) == 0.0
        assert budget.forecast(LIST, 1) == pytest.approx(60.06), "unless a cut is seen to hold"
        await one.scan(2)
        assert isinstance(one.events[-1], BoundaryLearnt)
        await one.scan(117)
        now = loop.time()
        assert budget.forecast(LIST, 1) == pytest.approx(110.25 - now)
        batch = waiting(two, 120)
        await asyncio.sleep(0.01)
        now = loop.time()
        assert budget.forecast(LIST, 0) == pytest.approx(110.25 - now)
        assert budget.forecast(LIST, 1) == pytest.approx(170.25 - now)
        await let_go(batch)

        await one.call(LOG)
        (await budget.admit(LOG)).settle(Feedback(418, retry_after=299.0))
        assert budget.forecast(LOG, 1) == pytest.approx(300.0)
        assert budget.forecast(LOG, 0) == 0.0

    run(main())


def test_others_and_copies_are_seen_by_all(client: redis.Redis) -> None:
    async def main() -> None:
        one, two = callers(client, 2)
        one.exchange.spend(LIST, 3_000)
        await one.call(LIST)
        admission = await one.budget.admit(LIST)
        admission.sent(extra=2)
        await asyncio.sleep(0.01)
        await two.call(LOG)

        pool = await look_at_list(two)

        assert pool.others == 3_000
        assert pool.used == 3_000 + 100 + 300 + 100
        assert "open: 300 of GET" in repr(admission)

    run(main())


def test_an_admission_of_a_process_that_was_not_heard_is_void(client: redis.Redis) -> None:
    """It was stopped after the admission: the others may have given it up."""

    async def main() -> None:
        one, two = callers(client, 2, lease=1.0)
        await one.call(LIST)
        fresh, stale = [await one.budget.admit(LIST) for _ in range(2)]
        fresh.sent()
        one.shared._link._stop_heartbeats()
        await asyncio.sleep(1.1)

        with pytest.raises(NotSentError, match="is void"):
            stale.sent()

        stale.sent()  # it has ended, and says no more
        (pool,) = (await two.shared.refresh()).pools
        assert pool.in_flight == 0
        await one.call(LIST)

    run(main())


def test_what_is_being_signed_when_any_process_hears_a_refusal_does_not_leave(
    client: redis.Redis,
) -> None:
    async def main() -> None:
        one, two = callers(client, 2)
        await one.call(LIST)
        refused, own = [await one.budget.admit(LIST) for _ in range(2)]
        other = await two.budget.admit(LIST)

        refused.settle(Feedback(429, retry_after=7.0))
        with pytest.raises(NotSentError, match="refused another call meanwhile"):
            own.sent()
        await asyncio.sleep(0.1)
        with pytest.raises(NotSentError, match="refused another call meanwhile"):
            other.sent()

        (pool,) = (await two.shared.refresh()).pools
        assert pool.in_flight == 0
        await asyncio.sleep(7.0)
        await two.call(LIST)

    run(main())


def test_a_process_that_came_to_another_state_loads_it_anew(
    client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        one, two = callers(client, 2)
        await one.scan(10)
        await two.scan(10)
        replica = two.shared._link.replica
        assert replica is not None
        for pool in replica._pools:
            pool.count.own.taken += 11_000  # as a bug would
        with caplog.at_level("ERROR"):
            batch = waiting(two, 20) + waiting(one, 20)
            await asyncio.sleep(4.0)  # it is noticed by the next heartbeat

        assert done(batch) == 40
        assert "loaded anew" in caplog.text
        states = [caller.shared._link.replica for caller in (one, two)]
        await one.shared.refresh()
        await two.shared.refresh()
        assert len({state.check for state in states if state is not None}) == 1

    run(main())
