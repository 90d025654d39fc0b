"""Redis slow, away, back, or empty: reads go on within a share, funds wait or fail, none hang."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis
from msgspec.structs import replace

from binance_dust import BudgetExceededError, ConfigurationError
from binance_dust.budget import Charge, Feedback, LimitKind
from binance_dust.budget._redis._store import KEYS
from binance_dust.events import SharedBudgetBack, SharedBudgetLost
from tests.budget.shared import SharedCaller
from tests.budget.test_redis_members import callers, done, let_go, waiting
from tests.budget.virtual import LIST, LOG, run

FUNDS = Charge("POST /sapi/v1/asset/dust", LimitKind.UID, 10, "alice", moves_funds=True)


def news(caller: SharedCaller) -> list[type]:
    kinds = (SharedBudgetBack, SharedBudgetLost)
    return [type(event) for event in caller.events if isinstance(event, kinds)]


async def cut_off(*some: SharedCaller) -> None:
    """Take Redis away, and let it be noticed."""
    for caller in some:
        caller.store.away = True
        caller.shared._link.lose("away")
    await asyncio.sleep(0)


def back(*some: SharedCaller) -> None:
    for caller in some:
        caller.store.away = False


def test_reads_go_on_within_a_share_and_say_so(client: redis.Redis) -> None:
    async def main() -> None:
        (one,) = callers(client, 1, share=0.1)
        await one.call(LIST)
        await cut_off(one)

        batch = waiting(one, 30)
        for _ in range(6):  # what others seem to have spent is looked at by calls that go alone
            await asyncio.sleep(0.1)
            answered = [task for task in batch if task.done() and not task.cancelled()]
            for used, task in enumerate(answered, start=2):
                task.result().settle(Feedback(200, used_ip=100 * used))

        assert news(one) == [SharedBudgetLost]
        # A tenth is twelve; one is left for the witness.
        assert done(batch) == 11
        assert one.budget.snapshot().pools[0].limit == 1_200
        assert "away" in repr(one.budget)
        await let_go(batch)

    run(main())


def test_waiters_move_to_the_share_and_back_to_the_queue_in_redis(client: redis.Redis) -> None:
    async def main() -> None:
        one, two = callers(client, 2, share=0.1, lease=5.0)
        exchange = one.exchange
        calls = [asyncio.ensure_future(caller.scan(170)) for caller in (one, two)]
        await asyncio.sleep(20.0)
        await cut_off(one, two)
        await asyncio.sleep(100.0)
        assert exchange.weight <= 12_000 + 2 * 1_200 * 2
        assert exchange.weight > 12_000

        back(one, two)
        await asyncio.gather(*calls)

        assert exchange.refused == 0
        assert exchange.weight == 340 * 100
        assert news(one) == news(two) == [SharedBudgetLost, SharedBudgetBack]
        assert exchange.loop.time() <= 120.0 + 3 * 62.0

    run(main())


def test_waiters_wait_once_after_a_short_outage(client: redis.Redis) -> None:
    async def main() -> None:
        (one,) = callers(client, 1, share=0.1, lease=5.0)
        calls = asyncio.ensure_future(one.scan(170))
        await asyncio.sleep(20.0)
        await cut_off(one)
        await asyncio.sleep(1.0)
        back(one)
        await asyncio.sleep(2.0)

        assert one.budget.snapshot().pools[0].waiting == 170 - one.exchange.weight // 100
        calls.cancel()

    run(main())


def test_what_was_spent_alone_is_told_when_redis_is_back(client: redis.Redis) -> None:
    async def main() -> None:
        one, two = callers(client, 2, share=0.5, lease=5.0)
        await one.call(LIST)
        await two.call(LIST)
        await asyncio.sleep(70.0)
        await cut_off(one)
        await asyncio.sleep(0.1)
        await one.scan(50)
        back(one)
        await asyncio.sleep(2.0)

        await two.call(LIST)

        pool = two.budget.snapshot().pools[0]
        assert pool.used == 5_000 + 100
        assert pool.others == 0

    run(main())


def test_what_is_spent_alone_while_redis_is_being_reached_is_told_too(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        one, two = callers(client, 2, share=0.5, lease=5.0)
        await one.call(LIST)
        await two.call(LIST)
        await asyncio.sleep(70.0)
        connect = one.store.open

        async def slowly(*args: Any) -> None:
            await asyncio.sleep(0.9)
            await connect(*args)

        monkeypatch.setattr(one.store, "open", slowly)
        await cut_off(one)
        back(one)
        await asyncio.sleep(0.2)  # it is on its way to Redis
        await one.scan(20)
        assert news(one) == [SharedBudgetLost]
        await asyncio.sleep(2.0)
        assert news(one) == [SharedBudgetLost, SharedBudgetBack]

        await two.call(LIST)

        pool = two.budget.snapshot().pools[0]
        assert (pool.used, pool.others) == (2_000 + 100, 0)

    run(main())


@pytest.mark.parametrize("silent_headers", [False, True])
def test_a_redis_that_comes_back_empty_is_told_what_was_spent(
    client: redis.Redis, *, silent_headers: bool
) -> None:
    """The limit is kept also where the exchange's headers would not tell."""

    async def main() -> None:
        processes = callers(client, 3, lease=5.0)
        exchange = processes[0].exchange
        if silent_headers:
            exchange.header = lambda used, dice: None
        calls = [asyncio.ensure_future(caller.scan(80)) for caller in processes]
        await asyncio.sleep(20.0)
        assert exchange.weight >= 11_900
        await cut_off(*processes)
        client.flushdb()
        for caller in processes:  # one after the other, each knowing only its own part
            back(caller)
            await asyncio.sleep(1.5)

        await asyncio.gather(*calls)

        assert exchange.refused == 0
        assert exchange.weight == 240 * 100

    run(main())


@pytest.mark.parametrize("empty", [False, True])
def test_a_call_in_flight_and_its_copies_count_once_after_an_outage(
    client: redis.Redis, *, empty: bool
) -> None:
    async def main() -> None:
        (caller,) = callers(client, 1, lease=5.0)
        admission = await caller.budget.admit(LIST)
        if empty:  # copies that left in the outage would count twice: too much, which is safe
            admission.sent(extra=2)
        await asyncio.sleep(0.1)
        await cut_off(caller)
        if empty:
            client.flushdb()
        else:
            admission.sent(extra=2)
        back(caller)
        await asyncio.sleep(1.5)

        (pool,) = caller.budget.snapshot().pools

        assert (pool.used, pool.in_flight) == (300, 1)
        admission.release()
        (pool,) = caller.budget.snapshot().pools
        assert (pool.used, pool.in_flight) == (0, 0)

    run(main())


def test_a_redis_that_forgets_between_two_questions_is_told_again(client: redis.Redis) -> None:
    async def main() -> None:
        one, two = callers(client, 2, lease=5.0)
        calls = [asyncio.ensure_future(caller.scan(120)) for caller in (one, two)]
        await asyncio.sleep(20.0)
        client.flushdb()

        await asyncio.gather(*calls)

        assert one.exchange.refused == 0
        assert one.exchange.weight == 240 * 100
        assert one.exchange.loop.time() < 130.0
        assert news(one) + news(two) == []

    run(main())


def test_calls_that_end_while_redis_is_away_are_settled_when_it_is_back(
    client: redis.Redis,
) -> None:
    async def main() -> None:
        (one,) = callers(client, 1, lease=5.0)
        await one.call(LIST)
        ended, open_still = [await one.budget.admit(LIST) for _ in range(2)]
        given_back = await one.budget.admit(LIST)
        await cut_off(one)
        ended.settle(Feedback(200, used_ip=200))
        given_back.release()
        await asyncio.sleep(1.0)
        back(one)
        await asyncio.sleep(2.0)

        (pool,) = (await one.shared.refresh()).pools
        assert (pool.used, pool.in_flight) == (300, 1)
        open_still.settle(Feedback(200, used_ip=300))
        (pool,) = (await one.shared.refresh()).pools
        assert (pool.used, pool.in_flight) == (300, 0)

    run(main())


def test_a_short_outage_shuts_nothing_that_the_exchange_has_not_shut(client: redis.Redis) -> None:
    async def main() -> None:
        one, two = callers(client, 2, lease=5.0)
        await one.scan(119)
        await two.call(LOG)
        await cut_off(one)
        back(one)
        await asyncio.sleep(1.0)

        assert (await one.shared.refresh()).pools[0].shut_for == 0
        batch = waiting(two, 1)
        await asyncio.sleep(50.0)
        assert done(batch) == 1

    run(main())


def test_what_was_being_sent_when_redis_went_away_is_sent_again(client: redis.Redis) -> None:
    async def main() -> None:
        (one,) = callers(client, 1, lease=5.0)
        await one.call(LIST)
        admission = await one.budget.admit(LIST)
        one.store.away = True
        admission.settle(Feedback(200, used_ip=200))
        await asyncio.sleep(1.0)
        assert news(one) == [SharedBudgetLost]
        back(one)
        await asyncio.sleep(3.0)

        (pool,) = (await one.shared.refresh()).pools
        assert (pool.used, pool.in_flight) == (200, 0)

    run(main())


def test_an_admission_just_after_redis_went_away_is_given_back(
    client: redis.Redis,
) -> None:
    async def main() -> None:
        one, two = callers(client, 2, way=0.2, lease=5.0)
        first = await two.budget.admit(LIST)
        batch = waiting(one, 1)
        await asyncio.sleep(1.0)
        first.settle(Feedback(200, used_ip=100))
        await asyncio.sleep(0.15)  # its turn has come, and the news of it is on the way
        await let_go(batch)
        await cut_off(one)
        await asyncio.sleep(0.1)
        back(one)
        await asyncio.sleep(2.0)

        (pool,) = (await two.shared.refresh()).pools
        assert (pool.used, pool.in_flight) == (100, 0)

    run(main())


def test_a_failover_that_lost_the_last_moment_loses_no_weight(client: redis.Redis) -> None:
    async def main() -> None:
        (one,) = callers(client, 1, lease=5.0)
        await one.call(LIST)
        await asyncio.sleep(0.1)
        keys = [f"{{{one.name}}}:{name}" for name in KEYS]
        replica = {key: client.dump(key) or b"" for key in keys}
        await one.budget.admit(LIST)
        await cut_off(one)
        client.flushdb()
        for key, value in replica.items():
            client.restore(key, 0, value)
        back(one)
        await asyncio.sleep(1.0)

        (pool,) = (await one.shared.refresh()).pools
        assert pool.in_flight == 1
        assert pool.used == 200

    run(main())


@pytest.mark.parametrize("empty", [False, True])
def test_a_refusal_heard_while_redis_is_away_is_kept(client: redis.Redis, *, empty: bool) -> None:
    async def main() -> None:
        one, two = callers(client, 2, lease=5.0)
        await one.call(LIST)
        await two.call(LOG)
        first, second = [await one.budget.admit(LIST) for _ in range(2)]
        await cut_off(one)
        first.settle(Feedback(429, retry_after=30.0))
        batch = waiting(one, 3)
        await asyncio.sleep(1.0)
        assert done(batch) == 0
        second.settle(Feedback(418, retry_after=100.0))
        if empty:
            client.flushdb()
        back(one)
        await asyncio.sleep(5.0)

        assert done(batch) == 0
        assert (await one.shared.refresh()).shut_for > 90.0
        late = waiting(two, 1)
        await asyncio.sleep(1.0)
        assert done(late) == 0
        await let_go(batch, late)

    run(main())


def test_a_refusal_that_was_being_sent_when_redis_went_away_is_kept(client: redis.Redis) -> None:
    """The line to listen by broke before the one that told of it."""

    async def main() -> None:
        (one,) = callers(client, 1, way=0.2, lease=5.0)
        await one.call(LIST)
        (await one.budget.admit(LIST)).settle(Feedback(429, retry_after=30.0))
        await asyncio.sleep(0.05)
        await cut_off(one)

        batch = waiting(one, 3)
        await asyncio.sleep(29.0)
        assert done(batch) == 0
        await asyncio.sleep(1.0)
        assert done(batch) == 1
        await let_go(batch)

    run(main())


def test_a_shut_pool_and_a_ban_are_kept_while_redis_is_away(client: redis.Redis) -> None:
    async def main() -> None:
        (one,) = callers(client, 1)
        await one.call(LOG)
        (await one.budget.admit(LIST)).settle(Feedback(429, retry_after=20.0))
        await asyncio.sleep(0.1)
        await cut_off(one)

        (batch, others) = waiting(one, 1), asyncio.ensure_future(one.budget.admit(LOG))
        await asyncio.sleep(10.0)
        assert others.done()
        assert done(batch) == 0
        await asyncio.sleep(11.0)
        assert done(batch) == 1

    run(main())


def test_a_window_that_was_nearly_spent_together_is_waited_out(client: redis.Redis) -> None:
    """A process alone can't know what the others have taken of the rest."""

    async def main() -> None:
        (one,) = callers(client, 1)
        await one.scan(115)
        await cut_off(one)
        batch = waiting(one, 1)

        await asyncio.sleep(40.0)
        assert done(batch) == 0
        await asyncio.sleep(25.0)
        assert done(batch) == 1

    run(main())


def test_what_moves_funds_waits_for_redis(client: redis.Redis) -> None:
    async def main() -> None:
        (one,) = callers(client, 1)
        await one.call(LIST)
        await cut_off(one)
        loop = one.exchange.loop
        funds = asyncio.ensure_future(one.budget.admit(FUNDS))
        hasty = asyncio.ensure_future(one.budget.admit(FUNDS, deadline=loop.time() + 3.0))
        await asyncio.sleep(3.1)

        error = hasty.exception()
        assert isinstance(error, BudgetExceededError)
        assert "nothing was sent" in str(error)
        assert not funds.done()
        back(one)
        await asyncio.sleep(2.0)
        assert funds.done()

    run(main())


def test_what_moves_funds_fails_where_that_was_chosen(client: redis.Redis) -> None:
    async def main() -> None:
        (one,) = callers(client, 1, funds="fail")
        await one.call(LIST)
        await cut_off(one)
        began = one.exchange.loop.time()

        with pytest.raises(BudgetExceededError) as caught:
            await one.budget.admit(FUNDS)

        assert caught.value.pool == FUNDS.pool
        assert caught.value.retry_after > 0
        assert one.exchange.loop.time() == began

    run(main())


def test_a_call_that_is_more_than_a_share_waits_too(client: redis.Redis) -> None:
    async def main() -> None:
        (one,) = callers(client, 1, share=0.001)
        await one.call(LIST)
        await cut_off(one)
        (large,) = waiting(one, 1)
        await asyncio.sleep(100.0)
        assert not large.done()
        back(one)
        await asyncio.sleep(2.0)
        assert large.done()

    run(main())


def test_a_redis_that_never_was_there_is_an_outage_like_others(client: redis.Redis) -> None:
    async def main() -> None:
        (one,) = callers(client, 1)
        one.store.away = True

        await one.call(LIST)

        assert news(one) == [SharedBudgetLost]
        back(one)
        await asyncio.sleep(2.0)
        assert news(one) == [SharedBudgetLost, SharedBudgetBack]
        await one.call(LIST)
        assert one.budget.snapshot().pools[0].limit == 12_000

    run(main())


def test_messages_that_never_arrive_are_an_outage(client: redis.Redis) -> None:
    async def main() -> None:
        one, two = callers(client, 2, lease=6.0)
        await one.scan(119)
        batch = waiting(two, 1)
        one.store.others.remove(two.store)

        await asyncio.sleep(7.0)

        assert news(two)[:1] == [SharedBudgetLost]
        await let_go(batch)

    run(main())


def test_closing_while_redis_is_away_leaves_nothing_behind(client: redis.Redis) -> None:
    async def main() -> None:
        (one,) = callers(client, 1)
        await one.call(LIST)
        await cut_off(one)
        batch = [*waiting(one, 20), asyncio.ensure_future(one.budget.admit(FUNDS))]
        await asyncio.sleep(1.0)

        await one.budget.close()
        results: list[Any] = await asyncio.gather(*batch, return_exceptions=True)

        assert isinstance(results[-1], ConfigurationError)
        assert one.exchange.loop.timers == 0

    run(main())


def test_a_forecast_is_of_the_share_while_redis_is_away(client: redis.Redis) -> None:
    async def main() -> None:
        (one,) = callers(client, 1, share=0.1)
        await one.call(LIST)
        near = one.budget.forecast(LIST, 100)
        await cut_off(one)

        assert near < 1.0
        assert one.budget.forecast(LIST, 100) > 60.0
        assert one.budget.forecast(replace(FUNDS, weight=18_001), 1) == 0.0

    run(main())
