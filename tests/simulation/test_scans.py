"""Many accounts, one address, in virtual time: all answered, none refused, no time wasted."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_dust import BannedError, BudgetExceededError, DustError, RetryPolicy
from binance_dust.events import Banned, Event, Refused
from tests.budget.virtual import run
from tests.simulation.world import SimulatedWorld, least

Mode = Literal["fixed", "sliding"]
LIST = "GET /sapi/v1/margin/exchange-small-liability"


async def scan(world: SimulatedWorld, count: int, **options: Any) -> float:
    """Ask every account once for its small-liability list; give the seconds it took."""
    async with world.session(**options) as session:
        clients = [session.client(credentials) for credentials in world.accounts(count)]
        began = world.loop.time()
        lists = await asyncio.gather(*[client.small_liabilities() for client in clients])
        assert len(lists) == count
        return world.loop.time() - began


@pytest.mark.parametrize("mode", ["fixed", "sliding"])
@settings(max_examples=15)
@given(start=st.floats(0, 59.9), seed=st.integers(0, 999))
def test_300_accounts_are_all_answered_as_fast_as_the_limit_allows(
    mode: Mode, start: float, seed: int
) -> None:
    async def main() -> None:
        world = SimulatedWorld(start=start, seed=seed, window_mode=mode)

        took = await scan(world, 300)

        assert world.refusals == 0
        # Learning the clock, and the first call, which goes alone, take two round trips: a window
        # that ends before them is of no use.
        begun = start + 0.25
        shortest = 0.25 + least(300, 120, 60.0, begun, fixed=mode == "fixed")
        assert took <= shortest * 1.05, f"{took:.2f} s, at least {shortest:.2f} s"

    run(main())


@pytest.mark.long
@pytest.mark.parametrize("mode", ["fixed", "sliding"])
@settings(max_examples=25)
@given(
    start=st.floats(0, 59.9),
    slow=st.floats(0.0, 4.0),
    wrong_clock=st.floats(-100, 100),
    seed=st.integers(0, 999),
)
def test_no_call_is_refused_however_slow_the_connection_and_wrong_the_clock(
    mode: Mode, start: float, slow: float, wrong_clock: float, seed: int
) -> None:
    async def main() -> None:
        world = SimulatedWorld(
            start=start,
            latency=(0.001, 0.001 + slow),
            wrong_clock=wrong_clock,
            seed=seed,
            window_mode=mode,
        )

        await scan(world, 400, recv_window=20_000)

        assert world.refusals == 0

    run(main())


@pytest.mark.long
@pytest.mark.parametrize("mode", ["fixed", "sliding"])
def test_a_long_scan_uses_98_parts_in_a_hundred_of_the_limit(mode: Mode) -> None:
    async def main() -> None:
        world = SimulatedWorld(start=20.0, window_mode=mode)
        count = 120 * 30

        took = await scan(world, count)

        assert world.refusals == 0
        # As long as a scan would take at the least that asks for two parts in a hundred more.
        allowed = least(round(count / 0.98), 120, 60.0, 20.0, fixed=mode == "fixed")
        assert took <= allowed * 1.01

    run(main())


def test_a_single_call_of_a_bot_goes_ahead_of_a_scan() -> None:
    async def main() -> None:
        world = SimulatedWorld()
        async with world.session() as session:
            clients = [session.client(credentials) for credentials in world.accounts(601)]
            scanning = [
                asyncio.create_task(c._for_scans().small_liabilities()) for c in clients[:-1]
            ]
            await asyncio.sleep(5.0)
            began = world.loop.time()
            await clients[-1].small_liabilities()

            assert world.loop.time() - began < 60.5
            assert sum(not task.done() for task in scanning) > 350
            await asyncio.gather(*scanning)
        assert world.refusals == 0

    run(main())


def test_a_deadline_that_can_not_be_met_is_told_at_once() -> None:
    async def main() -> None:
        world = SimulatedWorld(start=1.0)
        async with world.session() as patient:
            clients = [patient.client(credentials) for credentials in world.accounts(200)]
            waiting = [asyncio.create_task(c.small_liabilities()) for c in clients]
            await asyncio.sleep(5.0)
            hasty = RetryPolicy(deadline=10.0)
            async with world.session(budget=patient.budget, retry=hasty) as session:
                began = world.loop.time()
                with pytest.raises(BudgetExceededError) as caught:
                    await session.client(world.account("late")).small_liabilities()
                # The clock had to be learnt; nothing was waited for beside that.
                assert world.loop.time() - began < 1.0
            assert caught.value.pool == LIST
            assert 40 < caught.value.retry_after < 120
            await asyncio.gather(*waiting)

    run(main())


def test_a_ban_shuts_the_address_for_every_account_and_one_goes_first_when_it_lifts() -> None:
    async def main() -> None:
        events: list[Event] = []
        world = SimulatedWorld()
        retry = RetryPolicy(max_wait=600.0)
        async with world.session(observer=events.append, retry=retry) as session:
            clients = [session.client(credentials) for credentials in world.accounts(50)]
            await clients[0].user_assets()
            world.exchange.faults.ban(130.0)
            banned_at = world.loop.time()
            with_ban = await asyncio.gather(*[client.user_assets() for client in clients])

        assert all(len(rows) == 1 for rows in with_ban)
        assert len([event for event in events if isinstance(event, Banned)]) >= 1
        during = [at for at, _ in world.sent if banned_at + 1.0 < at < banned_at + 129.0]
        assert during == [], "no request leaves until the ban ends"
        after = sorted(at for at, _ in world.sent if at >= banned_at + 129.0)
        assert after[1] - after[0] > 0.015, "one goes first, and is answered, before the others"

    run(main())


def test_a_long_ban_is_an_error_at_once() -> None:
    async def main() -> None:
        world = SimulatedWorld()
        async with world.session(retry=RetryPolicy(max_wait=60.0)) as session:
            first, second = (session.client(credentials) for credentials in world.accounts(2))
            await first.user_assets()
            world.exchange.faults.ban(3600.0)
            sent = len(world.sent)
            for client in (first, second):
                began = world.loop.time()
                with pytest.raises(BannedError) as caught:
                    await client.user_assets()
                assert caught.value.until is not None
                assert abs(caught.value.until.timestamp() - world.epoch - 3600.0) < 5
                assert world.loop.time() - began < 1.0
            assert len(world.sent) == sent + 1, "the second did not have to ask"

    run(main())


def test_others_behind_the_address_cost_a_refusal_or_two_and_never_a_ban() -> None:
    async def main() -> None:
        events: list[Event] = []
        world = SimulatedWorld(window_mode="fixed")

        async def others() -> None:
            while True:
                world.exchange.faults.spend(LIST, 100)
                await asyncio.sleep(1.0)

        spending = asyncio.create_task(others())
        took = await scan(world, 600, observer=events.append)
        spending.cancel()

        assert world.exchange.limits.bans == 0
        assert len([event for event in events if isinstance(event, Refused)]) <= 3
        # They take half, so that 60 a minute are left.
        assert took <= 60.0 * 10 * 1.1

    run(main())


@pytest.mark.long
@settings(max_examples=20)
@given(st.data())
def test_a_cancelled_call_costs_nothing(data: st.DataObject) -> None:
    async def main() -> None:
        world = SimulatedWorld()
        async with world.session() as session:
            clients = [session.client(credentials) for credentials in world.accounts(300)]
            calls = [asyncio.create_task(client.small_liabilities()) for client in clients]
            await asyncio.sleep(data.draw(st.floats(0.0, 70.0)))
            gone = data.draw(st.sets(st.integers(0, 299), max_size=100))
            for number in gone:
                calls[number].cancel()
            results = await asyncio.gather(*calls, return_exceptions=True)

        assert world.refusals == 0
        assert [r for r in results if isinstance(r, DustError)] == []
        assert all(isinstance(results[n], list) for n in range(300) if n not in gone)

    run(main())


def test_a_long_ban_in_the_middle_of_a_scan_ends_all_waiting_calls() -> None:
    async def main() -> None:
        world = SimulatedWorld()
        async with world.session() as session:
            clients = [session.client(credentials) for credentials in world.accounts(300)]
            calls = [asyncio.create_task(client.small_liabilities()) for client in clients]
            await asyncio.sleep(5.0)
            world.exchange.faults.ban(24 * 3600.0)
            with pytest.raises(BannedError):
                await clients[0].user_assets()
            began = world.loop.time()
            results = await asyncio.gather(*calls, return_exceptions=True)

            assert world.loop.time() - began < 1.0
            assert sum(isinstance(result, list) for result in results) >= 119
            assert {type(r) for r in results if not isinstance(r, list)} == {BannedError}
            assert session.budget.snapshot().waiting == 0

    run(main())


def test_closing_ends_all_waiting_calls() -> None:
    async def main() -> None:
        world = SimulatedWorld()
        session = world.session()
        clients = [session.client(credentials) for credentials in world.accounts(300)]
        calls = [asyncio.create_task(client.small_liabilities()) for client in clients]
        await asyncio.sleep(5.0)

        await session.close()
        results = await asyncio.gather(*calls, return_exceptions=True)

        assert world.loop.time() < 6.0
        assert all(isinstance(result, list | DustError) for result in results)
        assert sum(isinstance(result, DustError) for result in results) >= 180

    run(main())


@pytest.mark.parametrize("retry_after", ["0", "7", None, "Fri, 15 Jan 2027 08:00:30 GMT", "soon"])
def test_a_refusal_is_waited_out_as_long_as_was_asked(retry_after: str | None) -> None:
    async def main() -> None:
        world = SimulatedWorld(start=10.0)
        async with world.session() as session:
            clients = [session.client(credentials) for credentials in world.accounts(5)]
            await clients[0].small_liabilities()
            world.exchange.faults.refuse(429, retry_after=retry_after, endpoint=LIST)
            refused_at = world.loop.time()
            refused = asyncio.create_task(clients[0].small_liabilities())
            await asyncio.sleep(1.0)
            await asyncio.gather(refused, *[c.small_liabilities() for c in clients[1:]])

        later = sorted(at for at, title in world.sent if title == LIST and at > refused_at + 0.2)
        asked = {"7": 7.0, "Fri, 15 Jan 2027 08:00:30 GMT": 19.0}.get(str(retry_after), 49.0)
        assert asked < later[0] - refused_at < 62.0, "no request is sent before that"
        assert later[1] - later[0] > 0.015, "one goes first, and is answered"

    run(main())
