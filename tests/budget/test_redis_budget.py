"""A shared budget by its public face, and what it does while Redis is away; a log in memory."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import Any

import pytest

from binance_dust import BudgetExceededError, ConfigurationError
from binance_dust.budget import BudgetSnapshot, Charge, Feedback, LimitKind, RateLimits, RedisBudget
from binance_dust.events import SharedBudgetBack, SharedBudgetLost
from tests.budget.bench import StoppedClock
from tests.budget.shared import SharedCaller
from tests.budget.test_redis_away import FUNDS, back, cut_off, news
from tests.budget.test_redis_members import QUICK, let_go, waiting
from tests.budget.virtual import LIST, LOG, VirtualExchange, run

LIMITS = RateLimits(window=6.0)


def caller(**options: Any) -> SharedCaller:
    """One process, alone with its log."""
    exchange = VirtualExchange(start=10.0, latency=QUICK)
    return SharedCaller(exchange, client=None, **options)


def two(**options: Any) -> tuple[SharedCaller, SharedCaller]:
    """Two processes at one log."""
    one = caller(**options)
    other = one.another()
    other.store._log = one.store._log
    return one, other


def budget(**options: Any) -> RedisBudget:
    return RedisBudget("redis://127.0.0.1", **options)


def attach(to: RedisBudget, limits: RateLimits) -> list[Any]:
    events: list[Any] = []
    to.attach(StoppedClock(), events.append, patience=7.0, limits=limits)
    return events


# --- configuration -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "http://user:hunter2@host"}, "URL of Redis"),
        ({"url": "redis://127.0.0.1", "name": "two words"}, "one word"),
        ({"url": "redis://127.0.0.1", "name": ""}, "one word"),
        ({"url": "redis://127.0.0.1", "name": "{braces"}, "one word"),
        ({"url": "redis://127.0.0.1", "name": "tab\t"}, "one word"),
        ({"url": "redis://127.0.0.1", "lease": 0}, "lease"),
        ({"url": "redis://127.0.0.1", "timeout": -1}, "timeout"),
        ({"url": "redis://127.0.0.1", "share": 1.5}, "share"),
        ({"url": "redis://127.0.0.1", "share": 1e-9}, "leaves nothing"),
        ({"url": "redis://127.0.0.1", "funds": "lose"}, "'wait' or 'fail'"),
    ],
)
def test_an_impossible_configuration_is_rejected_before_anything_is_opened(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        RedisBudget(**options)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("option", "value"), [("name", 7), ("limits", 12_000), ("url", None)])
def test_what_is_of_another_kind_is_rejected(option: str, value: Any) -> None:
    with pytest.raises(TypeError, match=option):
        RedisBudget(**{"url": "redis://127.0.0.1", option: value})


def test_without_the_extra_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    for url in ("redis://127.0.0.1", object):
        with pytest.raises(ConfigurationError, match=r"binance-dust\[redis\]"):
            RedisBudget(url)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("window", "given", "lease"),
    [
        (60.0, None, 5.0),
        (12.0, None, 1.0),
        (1.0, None, 0.5),
        (600.0, None, 5.0),
        (60.0, 7.0, 7.0),
        (60.0, timedelta(seconds=0.25), 0.25),
    ],
)
def test_the_lease_is_a_twelfth_of_a_window_within_bounds_unless_it_is_given(
    window: float, given: Any, lease: float
) -> None:
    limits = RateLimits(window=window)
    assert budget(limits=limits, lease=given)._settings.lease == lease
    later = budget(lease=given)
    attach(later, limits)
    assert later._settings.lease == lease


def test_a_budget_without_limits_takes_those_of_its_first_session() -> None:
    shared = budget()
    assert shared.snapshot() == BudgetSnapshot((), 0.0, 500.0)
    events = attach(shared, LIMITS)
    assert (shared._settings.limits, shared._settings.patience) == (LIMITS, 7.0)
    assert shared._settings.now() == 100.0
    shared._settings.observer(SharedBudgetBack(1.0))
    assert events == [SharedBudgetBack(1.0)]

    attach(shared, RateLimits(window=6.0))
    with pytest.raises(ConfigurationError, match="must have the same limits"):
        attach(shared, RateLimits())
    with pytest.raises(ConfigurationError, match="leaves nothing"):
        attach(budget(share=0.0001), RateLimits(ip_weight=5_000))


def test_a_budget_with_limits_keeps_its_own() -> None:
    shared = budget(limits=LIMITS)
    attach(shared, RateLimits())
    attach(shared, RateLimits(window=30.0))
    assert shared._settings.limits == LIMITS


def test_before_anything_is_known_a_forecast_counts_windows() -> None:
    shared = budget(limits=LIMITS)
    found = [shared.forecast(LIST, calls) for calls in (0, 1, 120, 121, 361)]
    assert found == [0.0, 0.0, 0.0, 6.0, 18.0]
    assert [shared.forecast(LOG, calls) for calls in (12_000, 12_001)] == [0.0, 6.0]


def test_it_belongs_to_one_event_loop() -> None:
    shared = caller_of_no_loop()

    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(shared.close())
        second.run(shared.close())  # it is closed
    shared = caller_of_no_loop()
    with asyncio.Runner() as first, asyncio.Runner() as second:
        with pytest.raises(BudgetExceededError):
            first.run(shared.admit(FUNDS))
        for work in (shared.admit(LIST), shared.refresh(), shared.close()):
            with pytest.raises(ConfigurationError, match=r"a RedisBudget .* event loop"):
                second.run(work)
        first.run(shared.close())


def caller_of_no_loop() -> RedisBudget:
    def connect() -> Any:
        raise OSError

    return RedisBudget(connect, funds="fail")


# --- while Redis is away -------------------------------------------------------------------------


def test_redis_is_tried_again_sooner_at_first() -> None:
    async def main() -> None:
        one = caller(lease=5.0)
        await one.call(LIST)
        await asyncio.sleep(0.1)
        loop, tries = one.exchange.loop, []
        began = loop.time()
        connect = one.store.open

        async def note(*args: Any) -> None:
            tries.append(round(loop.time() - began, 3))
            await connect(*args)

        one.store.open = note  # type: ignore[method-assign, assignment]
        await cut_off(one)
        await asyncio.sleep(4.0)
        assert tries == [0.1, 0.3, 0.7, 1.5, 2.5, 3.5]
        back(one)
        await asyncio.sleep(1.0)
        assert one.events[-1] == SharedBudgetBack(pytest.approx(4.5))  # type: ignore[arg-type]
        assert len(tries) == 7

    run(main())


def test_a_redis_that_comes_back_as_anothers_is_told_and_tried_once_in_a_lease() -> None:
    async def main() -> None:
        one = caller(lease=5.0)
        await one.call(LIST)
        state = one.store._log.state
        layout = state["@layout"]
        await cut_off(one)
        state["@layout"] = b"another"
        back(one)
        await asyncio.sleep(5.0)
        assert news(one) == [SharedBudgetLost] * 2
        assert "another version" in str(one.events[-1])
        state["@layout"] = layout
        await asyncio.sleep(0.2)
        assert news(one) == [SharedBudgetLost] * 2 + [SharedBudgetBack]

    run(main())


@pytest.mark.parametrize(
    ("members", "calls", "shut"), [(1, 107, False), (1, 108, True), (2, 95, False), (2, 96, True)]
)
def test_a_pool_of_which_little_is_left_for_all_is_waited_for(
    members: int, calls: int, *, shut: bool
) -> None:
    async def main() -> None:
        one, other = two(share=0.1)
        if members > 1:
            await other.call(LOG)
        await one.scan(calls)
        await cut_off(one)
        batch = waiting(one, 1)
        await asyncio.sleep(0.1)

        assert batch[0].done() is not shut
        await let_go(batch)

    run(main())


def test_a_pool_that_the_exchange_has_shut_is_waited_for_as_long_as_it_said() -> None:
    async def main() -> None:
        one = caller()
        await one.scan(110)
        (await one.budget.admit(LIST)).settle(Feedback(429, retry_after=20.0))
        await asyncio.sleep(0.1)
        await cut_off(one)
        batch = waiting(one, 1)
        await asyncio.sleep(19.0)
        assert not batch[0].done()
        await asyncio.sleep(1.0)
        assert batch[0].done()

    run(main())


@pytest.mark.parametrize(("deadline", "left"), [(3.0, 3.0), (0.0, 0.0), (-5.0, 0.0)])
def test_what_moves_funds_waits_for_redis_until_its_deadline(deadline: float, left: float) -> None:
    async def main() -> None:
        one = caller(lease=5.0)
        await one.call(LIST)
        for _ in range(2):  # also in a second outage
            await asyncio.sleep(10.0)
            back(one)
            await asyncio.sleep(2.0)
            await cut_off(one)
        began = one.exchange.loop.time()
        with pytest.raises(BudgetExceededError) as caught:
            await one.budget.admit(FUNDS, deadline=began + deadline)
        assert one.exchange.loop.time() == pytest.approx(began + left)
        assert (caught.value.pool, caught.value.retry_after) == (FUNDS.pool, 1.0)

    run(main())


def test_where_funds_fail_what_only_reads_waits() -> None:
    async def main() -> None:
        one = caller(funds="fail", share=0.001)
        await one.call(LIST)
        await cut_off(one)
        batch = waiting(one, 1)
        await asyncio.sleep(1.0)
        assert not batch[0].done()
        with pytest.raises(BudgetExceededError, match="nothing was sent"):
            await one.budget.admit(FUNDS)
        back(one)
        await asyncio.sleep(2.0)
        assert batch[0].done()

    run(main())


@pytest.mark.parametrize("away", [False, True])
def test_who_waits_for_another_payers_pool_is_moved(*, away: bool) -> None:
    async def main() -> None:
        one = caller()
        charge = Charge("GET /x", LimitKind.IP, 1_000, "ann")
        if away:
            await one.call(LIST)
            await cut_off(one)
        await one.scan(1 if away else 11, charge)
        moved = asyncio.ensure_future(one.budget.admit(charge))
        await asyncio.sleep(0.1)
        assert not moved.done()

        one.shared.move("GET /x", LimitKind.UID)
        await asyncio.sleep(0.1)

        assert moved.done()
        pools = {pool.account: pool for pool in one.budget.snapshot().pools}
        assert (pools["ann"].name, pools["ann"].in_flight) == ("GET /x", 1)

    run(main())


def test_what_others_have_spent_is_seen_when_it_is_read_anew() -> None:
    async def main() -> None:
        one, other = two(share=0.1)
        await one.call(LIST)
        await asyncio.sleep(0.1)
        one.shared.catch_up = lambda: None  # type: ignore[method-assign]
        await other.scan(5)
        assert one.budget.snapshot().pools[0].used == 100
        assert one.budget.forecast(LIST, 118) == 0.0
        (pool,) = (await one.shared.refresh()).pools
        assert (pool.used, pool.limit) == (600, 12_000)
        assert one.budget.forecast(LIST, 118) > 50.0

        await cut_off(one)
        assert (await one.shared.refresh()).pools == (), "nothing was spent within the share"

    run(main())


def test_it_is_closed_once() -> None:
    async def main() -> None:
        one = caller()
        await one.call(LIST)
        await one.shared.close()
        calls = one.store.calls.copy()
        await one.shared.close()
        assert one.store.calls == calls

    run(main())


def test_a_budget_that_is_closed_says_nothing_of_redis_and_admits_nothing() -> None:
    async def main() -> None:
        one = caller()
        await one.call(LIST)
        one.store.away = True
        for _ in range(2):
            await one.shared.close()
        assert news(one) == []
        with pytest.raises(ConfigurationError, match="closed"):
            await one.budget.admit(LIST)

    run(main())


def test_closing_ends_what_reaches_for_redis() -> None:
    async def main() -> None:
        one = caller()
        await one.call(LIST)
        await cut_off(one)
        await one.shared.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert one.exchange.loop.timers == 0

    run(main())
