"""Sending again: the table, the pauses and the end, with time as a value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from binance_dust import (
    BannedError,
    BudgetExceededError,
    ClockError,
    ConfigurationError,
    DustError,
    ExchangeError,
    NoAnswerError,
    NotSentError,
    RateLimitedError,
    RejectedError,
    RetryPolicy,
    UnavailableError,
    UnreadableAnswerError,
)
from binance_dust._call.retry import Act, RetryAllowance, act, send_again
from binance_dust.endpoints import Replay
from binance_dust.errors import Delivery

UNSENT = NotSentError("refused")
REFUSED = UnavailableError("busy", code=-1008, delivery=Delivery.REFUSED)
UNKNOWN = NoAnswerError("dropped")
UNCLEAR = UnreadableAnswerError("garbled")
FINAL = RejectedError("no", code=-1102)


@pytest.mark.parametrize(
    ("error", "read", "write"),
    [
        (UNSENT, Act.AGAIN, Act.AGAIN),
        (REFUSED, Act.AGAIN, Act.AGAIN),
        (RateLimitedError("slow", status=429), Act.AGAIN, Act.AGAIN),
        (ClockError("late", code=-1021), Act.AGAIN, Act.AGAIN),
        (UNKNOWN, Act.AGAIN, Act.UNKNOWN),
        (UnavailableError("oops", status=500), Act.AGAIN, Act.UNKNOWN),
        (UNCLEAR, Act.RAISE, Act.UNKNOWN),
        (ExchangeError("?", code=-9999, delivery=Delivery.UNCLEAR), Act.RAISE, Act.UNKNOWN),
        (FINAL, Act.RAISE, Act.RAISE),
        (BudgetExceededError("full", pool="x", retry_after=1.0), Act.RAISE, Act.RAISE),
        (KeyError(), Act.RAISE, Act.RAISE),
    ],
)
def test_the_table_decides_by_row_and_by_how_far_it_got(
    error: Exception, read: Act, write: Act
) -> None:
    assert act(Replay.SAFE, error) is read
    assert act(Replay.NEVER, error) is write


class WrittenAttempts:
    """Attempts that go as written, and the time that passes meanwhile."""

    def __init__(self, *rest: DustError | str) -> None:
        self._rest: Iterator[DustError | str] = iter(rest)
        self.attempts = 1
        self.pauses: list[float] = []
        self.prepared: list[tuple[DustError, int]] = []
        self.announced: list[float] = []

    async def attempt(self) -> str:
        self.attempts += 1
        result = next(self._rest)
        if isinstance(result, DustError):
            raise result
        return result

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def before(self, error: DustError, attempt: int, pause: float) -> None:
        self.prepared.append((error, attempt))
        self.announced.append(pause)

    async def run(
        self,
        failed: DustError,
        replay: Replay = Replay.SAFE,
        *,
        deadline: float | None = 1e9,
        allowance: RetryAllowance | None = None,
        **policy: Any,
    ) -> str:
        return await send_again(
            self.attempt,
            failed,
            replay=replay,
            policy=RetryPolicy(**policy),
            allowance=allowance or RetryAllowance(),
            left=lambda: None if deadline is None else deadline - sum(self.pauses),
            sleep=self.sleep,
            before=self.before,
        )


async def test_a_read_goes_on_until_it_succeeds() -> None:
    play = WrittenAttempts(UNSENT, REFUSED, "done")

    assert await play.run(UNKNOWN) == "done"
    assert play.attempts == 4
    assert [error for error, _ in play.prepared] == [UNKNOWN, UNSENT, REFUSED]
    assert [attempt for _, attempt in play.prepared] == [1, 2, 3]


async def test_the_pause_that_is_told_is_the_pause_that_is_made() -> None:
    play = WrittenAttempts(UNSENT, REFUSED, "done")

    await play.run(UNKNOWN)

    assert play.announced == play.pauses
    assert len(play.pauses) == 3


async def test_the_first_attempt_counts() -> None:
    play = WrittenAttempts(*[UNKNOWN] * 10)

    with pytest.raises(NoAnswerError):
        await play.run(UNKNOWN, attempts=3)
    assert play.attempts == 3


async def test_one_attempt_is_one_attempt() -> None:
    play = WrittenAttempts("never")

    with pytest.raises(NotSentError):
        await play.run(UNSENT, attempts=1)
    assert play.attempts == 1


@pytest.mark.parametrize("error", [UNKNOWN, UNCLEAR, FINAL])
async def test_funds_are_not_sent_again_when_nobody_knows(error: DustError) -> None:
    play = WrittenAttempts("never")

    with pytest.raises(DustError):
        await play.run(error, Replay.NEVER)
    assert play.attempts == 1


async def test_funds_that_never_left_are_sent_again_but_not_past_the_unknown() -> None:
    play = WrittenAttempts(REFUSED, UNKNOWN, "never")

    with pytest.raises(NoAnswerError):
        await play.run(UNSENT, Replay.NEVER)
    assert play.attempts == 3


async def test_pauses_grow_with_full_jitter_and_stay_below_the_longest() -> None:
    longest: list[float] = []
    for _ in range(200):
        play = WrittenAttempts(*[UNKNOWN] * 7, "done")
        await play.run(UNKNOWN, attempts=9, max_wait=3.0)
        longest = [max(pair) for pair in zip(play.pauses, longest or play.pauses, strict=True)]

    assert max(longest) <= 3.0
    assert 0.2 < longest[0] <= 0.25, "the first is drawn from nothing to a quarter of a second"
    assert longest[0] < longest[1] < longest[2]
    assert min(longest[4:]) > 2.0, "the later pauses use the whole range"


@pytest.mark.parametrize("error", [ClockError("late"), RateLimitedError("slow", retry_after=3.0)])
async def test_what_names_its_remedy_needs_no_pause_of_ours(error: DustError) -> None:
    play = WrittenAttempts("done")

    await play.run(error)

    assert play.pauses == [0.0]


@pytest.mark.parametrize(
    "error", [RateLimitedError("slow", retry_after=61.0), BannedError("out", retry_after=61.0)]
)
async def test_a_longer_wait_than_allowed_is_raised_at_once(error: DustError) -> None:
    play = WrittenAttempts("never")

    with pytest.raises(type(error)):
        await play.run(error, max_wait=60.0)
    assert play.attempts == 1


async def test_a_deadline_ends_it_before_a_pause_that_would_pass_it() -> None:
    play = WrittenAttempts(*[UNKNOWN] * 100)

    with pytest.raises(NoAnswerError):
        await play.run(UNKNOWN, attempts=100, deadline=2.0)
    assert sum(play.pauses) < 2.0
    assert 1 < play.attempts < 100


async def test_without_a_deadline_the_attempts_end_it() -> None:
    play = WrittenAttempts(*[UNKNOWN] * 100)

    with pytest.raises(NoAnswerError):
        await play.run(UNKNOWN, deadline=None)
    assert play.attempts == 5


async def test_a_pause_that_would_reach_the_deadline_is_not_begun() -> None:
    play = WrittenAttempts("never")

    with pytest.raises(ClockError):
        await play.run(ClockError("late"), deadline=0.0)
    assert play.attempts == 1


@pytest.mark.parametrize(
    "error", [RateLimitedError("slow", retry_after=60.0), BannedError("out", retry_after=60.0)]
)
async def test_a_wait_that_is_just_allowed_is_waited(error: DustError) -> None:
    assert await WrittenAttempts("done").run(error, max_wait=60.0) == "done"


def test_five_attempts_within_a_minutes_wait_each_unless_said_otherwise() -> None:
    assert RetryPolicy() == RetryPolicy(attempts=5, max_wait=60.0, deadline=None)


def retries_left(allowance: RetryAllowance) -> int:
    return next(taken for taken in range(10_000) if not allowance.spend())


def test_an_allowance_begins_with_500_retries_and_holds_no_more() -> None:
    allowance = RetryAllowance()
    for _ in range(10):
        allowance.earn()

    assert retries_left(allowance) == 500


def test_five_calls_earn_a_retry() -> None:
    allowance = RetryAllowance()
    retries_left(allowance)

    earned = []
    for _ in range(50):
        allowance.earn()
        earned.append(allowance.spend())

    # Five fifths added up may be a hair below one.
    assert sum(earned) in (9, 10)
    assert not any(earned[:4])
    assert any(earned[4:6])


@pytest.mark.long
async def test_an_outage_is_not_multiplied() -> None:
    allowance = RetryAllowance()
    sent = 0
    for _ in range(10_000):
        allowance.earn()
        play = WrittenAttempts(*[UNKNOWN] * 4)
        with pytest.raises(NoAnswerError):
            await play.run(UNKNOWN, allowance=allowance)
        sent += play.attempts

    assert 10_000 * 1.2 <= sent + 1 <= 10_000 * 1.2 + 500


async def test_what_the_exchange_asks_to_be_sent_again_costs_no_allowance() -> None:
    allowance = RetryAllowance()
    for _ in range(1_000):
        await WrittenAttempts("done").run(
            RateLimitedError("slow", retry_after=1.0), allowance=allowance
        )

    assert await WrittenAttempts("done").run(UNKNOWN, allowance=allowance) == "done"


async def test_a_ban_may_be_sat_out() -> None:
    play = WrittenAttempts("done")

    assert await play.run(BannedError("banned")) == "done"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"attempts": 0}, ConfigurationError),
        ({"attempts": 2.5}, TypeError),
        ({"attempts": True}, TypeError),
        ({"max_wait": 0}, ConfigurationError),
        ({"max_wait": float("inf")}, ConfigurationError),
        ({"max_wait": float("nan")}, ConfigurationError),
        ({"deadline": -1}, ConfigurationError),
        ({"deadline": "soon"}, TypeError),
    ],
)
def test_a_policy_that_can_not_work_is_refused(fields: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        RetryPolicy(**fields)
