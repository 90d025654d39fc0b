"""The exchange's clock: learnt once for all who wait, and never guessed dangerously."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust import NoAnswerError, NotSentError
from binance_dust._call.clock import ClockReading, ServerClock, SystemTime


class ClockWorld:
    """True time, a machine whose clock is wrong, and a line to the exchange with its delays."""

    def __init__(self, *, wrong: float = 0.0, there: float = 0.0, back: float = 0.0) -> None:
        self.true = 1_000.0
        self.epoch = 1_700_000_000.0
        self.wrong, self.there, self.back = wrong, there, back
        self.asked = 0
        self.down = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.clock = ServerClock(self.ask, self)

    def monotonic(self) -> float:
        return self.true

    def wall(self) -> float:
        return self.epoch + self.true + self.wrong

    def exchange(self) -> float:
        return self.epoch + self.true

    async def ask(self) -> ClockReading:
        self.asked += 1
        await self.gate.wait()
        if self.down:
            raise NoAnswerError("down")
        sent = self.true
        self.true += self.there
        server = self.exchange()
        self.true += self.back
        return ClockReading(server, sent, self.true)


async def test_before_it_is_learnt_the_machine_is_believed() -> None:
    world = ClockWorld(wrong=3.0)

    assert world.clock.server_time() is None
    assert world.clock.now() == world.wall()
    assert world.clock.timestamp() == int(world.wall() * 1000)
    assert world.clock.due


async def test_half_the_round_trip_is_taken_for_the_way_back() -> None:
    world = ClockWorld(wrong=3600.0, there=0.05, back=0.05)

    await world.clock.refresh()

    assert world.clock.now() == pytest.approx(world.exchange(), abs=1e-6)
    assert world.clock.timestamp() == int(world.exchange() * 1000)
    assert world.clock.now_utc().timestamp() == pytest.approx(world.exchange(), abs=1e-6)


@given(there=st.floats(0, 10), back=st.floats(0, 10), wrong=st.floats(-1e6, 1e6))
def test_a_timestamp_is_never_a_second_ahead_however_slow_the_line(
    there: float, back: float, wrong: float
) -> None:
    async def learn() -> None:
        world = ClockWorld(wrong=wrong, there=there, back=back)
        await world.clock.refresh()
        ahead = world.clock.now() - world.exchange()
        assert ahead < 0.901, "the server refuses a second"
        assert ahead > -(there + back) - 0.001

    asyncio.run(learn())


async def test_the_machines_clock_may_jump_once_it_is_learnt() -> None:
    world = ClockWorld(wrong=1.0)
    await world.clock.refresh()

    world.wrong = -5000.0

    assert world.clock.now() == pytest.approx(world.exchange())


async def test_concurrent_learners_share_one_lookup() -> None:
    world = ClockWorld()
    world.gate.clear()

    learners = [asyncio.create_task(world.clock.refresh()) for _ in range(50)]
    await asyncio.sleep(0)
    world.gate.set()
    await asyncio.gather(*learners)

    assert world.asked == 1


async def test_a_learner_who_is_cancelled_takes_nobody_along() -> None:
    world = ClockWorld()
    world.gate.clear()
    first = asyncio.create_task(world.clock.refresh())
    second = asyncio.create_task(world.clock.refresh())
    await asyncio.sleep(0)

    first.cancel()
    await asyncio.sleep(0)
    world.gate.set()
    await second

    assert first.cancelled()
    assert world.clock.generation == 1


async def test_a_refused_timestamp_is_learnt_from_once_for_all_who_met_it() -> None:
    world = ClockWorld()
    await world.clock.refresh()
    old = world.clock.generation

    fresh = await asyncio.gather(*[world.clock.learn_past(old) for _ in range(50)])

    assert fresh == [True] * 50
    assert world.asked == 2
    assert await world.clock.learn_past(old), "somebody learnt it meanwhile: nothing to ask"
    assert world.asked == 2


async def test_drift_is_looked_at_from_time_to_time() -> None:
    world = ClockWorld()
    await world.clock.refresh()
    assert not world.clock.due

    world.true += 61
    assert world.clock.due, "the first look had a handshake in it"
    await world.clock.refresh()

    world.true += 800
    assert not world.clock.due
    world.true += 101
    assert world.clock.due
    assert world.asked == 2


async def test_a_failure_is_raised_and_not_repeated_by_every_call() -> None:
    world = ClockWorld(wrong=2.0)
    world.down = True

    with pytest.raises(NoAnswerError):
        await world.clock.refresh()
    assert not world.clock.due
    assert world.clock.now() == world.wall()

    world.true += 11
    world.down = False
    await world.clock.refresh()
    assert world.clock.now() == pytest.approx(world.exchange())


async def test_closing_lets_go_of_a_lookup() -> None:
    world = ClockWorld()
    world.gate.clear()
    learner = asyncio.create_task(world.clock.refresh())
    await asyncio.sleep(0)

    await world.clock.close()

    with pytest.raises(NotSentError, match="the session was closed"):
        await learner


async def test_closing_leaves_no_task_and_may_come_before_any_lookup() -> None:
    world = ClockWorld()
    await world.clock.close()
    world.gate.clear()
    learner = asyncio.create_task(world.clock.refresh())
    await asyncio.sleep(0)

    await world.clock.close()

    assert asyncio.all_tasks() <= {asyncio.current_task(), learner}
    await asyncio.gather(learner, return_exceptions=True)


async def test_a_learner_who_is_cancelled_while_the_session_closes_is_cancelled() -> None:
    world = ClockWorld()
    world.gate.clear()
    learner = asyncio.create_task(world.clock.refresh())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    closing = asyncio.create_task(world.clock.close())
    await asyncio.sleep(0)
    learner.cancel()
    await asyncio.gather(closing, learner, return_exceptions=True)

    assert learner.cancelled()


async def test_a_learner_who_is_cancelled_by_other_means_is_cancelled_too() -> None:
    world = ClockWorld()
    world.gate.clear()
    learner = world.clock.refresh()
    learner.send(None)

    with pytest.raises(asyncio.CancelledError):
        learner.throw(asyncio.CancelledError())
    await world.clock.close()


async def test_whoever_comes_during_the_first_lookup_waits_for_it_and_later_nobody_does() -> None:
    world = ClockWorld()
    world.gate.clear()
    first = asyncio.create_task(world.clock.refresh())
    await asyncio.sleep(0.0)
    await asyncio.sleep(0.0)
    assert world.asked == 1
    assert world.clock.due
    late = asyncio.create_task(world.clock.refresh())
    await asyncio.sleep(0)
    assert not late.done()
    world.gate.set()
    await asyncio.gather(first, late)

    world.gate.clear()
    world.true += 60.0
    assert world.clock.due
    again = asyncio.create_task(world.clock.refresh())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert world.asked == 2
    assert not world.clock.due, "what is known is good enough meanwhile"
    await world.clock.refresh()
    world.gate.set()
    await again

    await world.clock.refresh()
    assert world.asked == 2


async def test_after_a_failure_nobody_asks_for_ten_seconds() -> None:
    world = ClockWorld()
    world.down = True
    with pytest.raises(NoAnswerError):
        await world.clock.refresh()

    world.true += 9.9
    await world.clock.refresh()
    assert world.asked == 1
    world.true += 0.1
    assert world.clock.due


async def test_a_refused_timestamp_makes_the_clock_due_and_all_wait_for_one_lookup() -> None:
    world = ClockWorld()
    world.clock.refused(0)
    assert world.clock.due
    await world.clock.refresh()
    world.clock.refused(0)
    assert not world.clock.due, "it was refused before the time was learnt"

    world.clock.refused(1)
    assert world.clock.due
    world.gate.clear()
    calls = [asyncio.create_task(world.clock.refresh()) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert world.clock.due
    calls.append(asyncio.create_task(world.clock.refresh()))
    await asyncio.sleep(0)
    assert not any(call.done() for call in calls)
    world.gate.set()
    await asyncio.gather(*calls)

    assert world.asked == 2
    assert not world.clock.due


async def test_after_a_failure_a_refused_timestamp_does_not_make_every_call_ask() -> None:
    world = ClockWorld()
    await world.clock.refresh()
    world.clock.refused(1)
    world.down = True
    world.gate.clear()
    asking = asyncio.create_task(world.clock.refresh())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    world.clock.refused(1)
    world.gate.set()
    with pytest.raises(NoAnswerError):
        await asking

    assert not world.clock.due
    world.true += 10.0
    assert world.clock.due


@pytest.mark.parametrize(
    ("step", "due"), [(0.0, False), (0.99, False), (1.01, True), (-0.99, False), (-1.01, True)]
)
async def test_a_step_of_one_clock_against_the_other_makes_the_time_due_at_once(
    step: float, due: bool
) -> None:
    world = ClockWorld(wrong=3.0)
    await world.clock.refresh()

    world.epoch += step

    assert world.clock.due is due
    world.gate.clear()
    calls = [asyncio.create_task(world.clock.refresh()) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert all(call.done() for call in calls) is not due
    assert world.clock.due is due, "a call that comes now waits as well"
    world.gate.set()
    await asyncio.gather(*calls)
    assert world.clock.generation == 1 + due
    assert not world.clock.due
    if due:
        assert world.clock.now() == pytest.approx(world.exchange())


async def test_a_step_is_asked_about_once_even_if_there_is_no_answer() -> None:
    world = ClockWorld()
    await world.clock.refresh()
    world.epoch += 3600.0
    world.down = True

    with pytest.raises(NoAnswerError):
        await world.clock.refresh()

    await world.clock.refresh()
    assert world.asked == 2


async def test_that_it_was_not_learnt_is_news_once_an_outage() -> None:
    world = ClockWorld()
    assert [world.clock.is_news() for _ in range(3)] == [True, False, False]

    await world.clock.refresh()

    assert [world.clock.is_news() for _ in range(2)] == [True, False]


async def test_whoever_listens_is_told_the_offset_and_the_round_trip() -> None:
    world = ClockWorld(wrong=3.0, there=0.25, back=0.25)
    told: list[tuple[float, float]] = []
    world.clock.on_learnt = lambda offset, trip: told.append((offset, trip))

    await world.clock.refresh()

    ((offset, trip),) = told
    assert offset == pytest.approx(-3.0)
    assert trip == pytest.approx(0.5)


async def test_without_another_source_time_is_that_of_the_loop_and_of_the_machine() -> None:
    clock = ServerClock(ClockWorld().ask)

    assert clock.monotonic() == pytest.approx(asyncio.get_running_loop().time(), abs=5.0)
    assert clock.now() == pytest.approx(time.time(), abs=5.0)


class StandingStill(asyncio.SelectorEventLoop):
    """A loop with a time of its own."""

    def time(self) -> float:
        return 7.0


def test_time_is_the_machines_until_there_is_a_loop_and_then_the_loops() -> None:
    source = SystemTime()

    async def look() -> float:
        return source.monotonic()

    assert source.monotonic() <= time.monotonic()
    with contextlib.closing(StandingStill()) as loop:
        assert loop.run_until_complete(look()) == 7.0
