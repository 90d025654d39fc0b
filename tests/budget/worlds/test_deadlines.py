"""A call with a deadline is told "too late" at once if that is certain, and never for nothing."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from binance_dust.budget import Charge, Feedback, Lane
from binance_dust.errors import BudgetExceededError
from tests.budget.virtual import ASSETS, LIST, Latency, VirtualCaller, VirtualExchange, run

SWIFT = Latency(0.0005, 0.0005)
"""A way so short that every answer is here before the pace lets the next batch go."""


async def hurry(
    caller: VirtualCaller, charge: Charge, calls: int, seconds: float, lane: Lane = Lane.CALL
) -> tuple[list[Feedback], list[BudgetExceededError], list[float]]:
    """Make calls at once with a deadline; return answers, late calls, and when they were told."""
    loop = caller.exchange.loop
    began, told = loop.time(), list[float]()
    deadline = began + seconds

    async def one() -> Feedback | BudgetExceededError:
        try:
            answer = await caller.call(charge, lane=lane, deadline=deadline)
        except BudgetExceededError as error:
            told.append(loop.time() - began)
            return error
        assert answer is not None
        return answer

    ends = await asyncio.gather(*[one() for _ in range(calls)])
    answers = [end for end in ends if isinstance(end, Feedback)]
    return answers, [end for end in ends if isinstance(end, BudgetExceededError)], told


@pytest.mark.parametrize("lane", list(Lane))
@pytest.mark.parametrize("start", [4.0, 40.0])
@pytest.mark.parametrize("mode", ["fixed", "sliding"])
def test_a_call_that_waits_only_for_the_pace_is_not_too_late(
    mode: str, start: float, lane: Lane
) -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(mode=mode, start=start, latency=SWIFT))  # type: ignore[arg-type]

        answers, late, _ = await hurry(caller, ASSETS, 200, 5.0, lane)

        assert (len(answers), late) == (200, [])
        assert caller.exchange.refused == 0

    run(main())


@pytest.mark.parametrize(("seconds", "fit"), [(5.0, 120), (2.0, 119)])
def test_what_fits_the_window_is_answered_and_the_rest_is_told_at_once(
    seconds: float, fit: int
) -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=4.0, latency=SWIFT))

        answers, late, told = await hurry(caller, LIST, 200, seconds)

        # The last waiter takes the reserve, after three seconds alone.
        assert len(answers) == fit
        assert len(late) == 200 - fit
        assert set(told) == {0.0}
        assert all(error.retry_after > seconds for error in late)

    run(main())


def test_a_cut_that_may_hold_is_waited_for() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=57.0, latency=SWIFT))

        answers, late, _ = await hurry(caller, LIST, 200, 5.0)

        assert (len(answers), late) == (200, [])
        assert caller.exchange.refused == 0

    run(main())


def test_a_cut_that_does_not_hold_is_told_as_soon_as_it_is_seen() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(mode="sliding", start=56.0, latency=SWIFT))

        answers, late, told = await hurry(caller, LIST, 200, 20.0)

        assert len(answers) == 120
        assert len(late) == 80
        assert all(4.0 < at < 6.0 for at in told)
        answers, late, told = await hurry(caller, LIST, 50, 20.0)
        assert (answers, len(late)) == ([], 50)
        assert set(told) == {0.0}, "now it is known"
        assert 50 < late[0].retry_after < 57

    run(main())


def test_calls_that_the_pace_would_delay_too_long_are_told_at_once() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=4.0, latency=SWIFT), requests_per_second=100)

        answers, late, told = await hurry(caller, ASSETS, 1_000, 5.0)

        # Ten at once and ninety a second; batches come a moment late, and the last call is told so.
        assert 440 <= len(answers) <= 460
        assert len(late) == 1_000 - len(answers)
        assert told.count(0.0) == 540
        assert max(told) <= 5.0

    run(main())


@pytest.mark.parametrize(("ahead", "scans"), [([5_000], 0), ([5] * 30, 1_000)])
def test_the_wait_for_the_pace_counts_only_calls_that_go_before(
    ahead: list[int], scans: int
) -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=4.0, latency=SWIFT))
        light = msgspec.structs.replace(ASSETS, weight=1)
        first = await caller.budget.admit(ASSETS)
        batch = [
            asyncio.ensure_future(caller.call(ASSETS, lane=Lane.SCAN)) for _ in range(scans)
        ] + [
            asyncio.ensure_future(caller.call(msgspec.structs.replace(ASSETS, weight=weight)))
            for weight in ahead
        ]
        await asyncio.sleep(0.001)
        mine = asyncio.ensure_future(hurry(caller, light if not scans else ASSETS, 1, 1.0))
        await asyncio.sleep(0.001)

        first.settle(Feedback(200, used_ip=5))
        answers, late, _ = await mine

        assert (len(answers), late) == (1, [])
        await asyncio.gather(*batch)

    run(main())


def test_waiters_behind_the_first_call_are_told_when_others_have_spent_the_rest() -> None:
    async def main() -> None:
        exchange = VirtualExchange(start=4.0, latency=Latency(0.5, 0.5))
        exchange.spend(LIST, 6_000)
        caller = VirtualCaller(exchange)

        answers, late, told = await hurry(caller, LIST, 119, 10.0)

        assert 40 < len(answers) <= 60
        assert len(late) == 119 - len(answers)
        assert max(told) < 10.0
        assert exchange.refused == 0

    run(main())


def test_waiters_behind_the_first_call_after_a_ban_are_not_judged_by_their_pool() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=4.0, latency=SWIFT))
        for charge in (LIST, ASSETS):
            await caller.call(charge)
        now = caller.exchange.loop.time()
        (await caller.budget.admit(LIST)).settle(Feedback(418, retry_after=1.0))
        batch = [
            asyncio.ensure_future(caller.budget.admit(charge, deadline=now + 10.0))
            for charge in (LIST, ASSETS, ASSETS)
        ]
        await asyncio.sleep(2.5)
        assert sum(call.done() for call in batch) == 1, "one goes first"
        await asyncio.sleep(1.0)

        batch[0].result().settle(Feedback(200))
        await asyncio.sleep(0.1)

        assert [call.done() and call.exception() is None for call in batch] == [True] * 3

    run(main())


def test_a_waiter_at_its_deadline_is_not_told_that_weight_is_free_in_no_time() -> None:
    async def main() -> None:
        caller = VirtualCaller(VirtualExchange(start=4.0, latency=SWIFT))
        (await caller.budget.admit(LIST)).sent()  # its answer is long in coming

        _, (error,), (told,) = await hurry(caller, LIST, 1, 2.0)

        assert told == pytest.approx(2.0)
        assert str(error) == f"{LIST.pool}: weight 100 was not free in time, and now it is too late"

    run(main())
