"""What one process may spend while Redis is away, and what it reports when it is back."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from binance_dust.budget import Charge, Feedback, LimitKind, RateLimits
from binance_dust.budget._address import AddressGate
from binance_dust.budget._boundary import Boundary
from binance_dust.budget._pool import Pool
from binance_dust.budget._redis import _messages
from binance_dust.budget._redis._settings import LoopClock, Settings
from binance_dust.budget._redis._share import BackError, LocalShare
from tests.budget.bench import StoppedClock
from tests.budget.virtual import run

LIST = Charge("GET /list", LimitKind.IP, 100)
FIELDS = ("ip", "GET /list", None)


class ShareBench:
    """A share, and its clock."""

    def __init__(self, **limits: Any) -> None:
        self.clock = StoppedClock(1_000.0)
        made = RateLimits(**{"requests_per_second": 1e6, **limits})
        self.share = LocalShare(made, self.clock, lambda _: None, patience=60.0)

    def passes(self, charge: Charge = LIST) -> bool:
        admission = self.share.admit_at_once(charge)
        if admission is not None:
            admission.release()
        return admission is not None

    def spend(self, charge: Charge = LIST, *, after: float = 0.0) -> None:
        """Send a call, which is answered after some seconds."""
        admission = self.share.admit_at_once(charge)
        assert admission is not None
        self.clock.at += after
        admission.settle(Feedback(200))

    def report(self, since: float = -math.inf) -> list[Any]:
        return list(self.share.report(since))


def test_a_call_fits_if_it_is_no_more_than_the_share() -> None:
    share = ShareBench(headroom=0.99).share
    assert share.fits(Charge("x", LimitKind.IP, 120))
    assert not share.fits(Charge("x", LimitKind.IP, 121))
    assert share.fits(Charge("x", LimitKind.UID, 1_800, "ann"))


@pytest.mark.parametrize("guess", [False, True])
def test_a_pool_is_kept_shut_and_reported_unless_that_is_a_guess(*, guess: bool) -> None:
    bench = ShareBench()
    bench.share.shut_pool(LIST, 5.0, guess=guess)

    assert bench.report() == ([] if guess else [["spent", *FIELDS, [], 0, 5.0]])
    assert not bench.passes()
    assert bench.passes(Charge("GET /other", LimitKind.IP, 1))
    bench.share.shut_pool(LIST, 7.0)
    assert bench.report() == [["spent", *FIELDS, [], 0, 7.0]], "the exchange has shut it now"
    bench.clock.at += 7.0
    assert bench.report() == []
    assert bench.passes()


def test_a_guess_is_forgotten_when_redis_is_back() -> None:
    bench = ShareBench()
    bench.share.shut_pool(LIST, 5.0, guess=True)
    bench.share.dismiss()
    assert bench.report() == [["spent", *FIELDS, [], 0, 5.0]]


def test_waiters_go_back_to_redis() -> None:
    async def main() -> None:
        bench = ShareBench()
        bench.share.shut_pool(LIST, 5.0)
        waiting = asyncio.ensure_future(bench.share.admit(LIST))
        await asyncio.sleep(0)
        bench.share.dismiss()
        with pytest.raises(BackError):
            await waiting

    run(main())


@pytest.mark.parametrize(
    ("status", "wait", "ban", "shut"),
    [
        ("banned", 30.0, 30.0, None),
        ("banned", 0.5, 0.5, None),
        ("banned", 0.0, None, None),
        ("refused", 7.0, None, 7.0),
        ("refused", 0.5, None, 0.5),
        ("refused", 0.0, None, 60.0),
        ("good", 9.0, None, None),
    ],
)
def test_an_answer_to_a_call_that_redis_had_admitted_shuts_what_it_says(
    status: str, wait: float, ban: float | None, shut: float | None
) -> None:
    bench = ShareBench()
    bench.spend()
    bench.share.take_refusal(LIST, status, wait)

    report = bench.report(since=2_000.0)
    expected: list[list[Any]] = [] if ban is None else [["ban", ban]]
    if shut is not None:
        expected.append(["spent", *FIELDS, [], 0, shut])
    assert report == expected
    assert bench.passes() is (ban is None and shut is None)
    assert bench.share._gate.guessed is False
    (pool,) = bench.share._pools
    assert pool.valve.careful is (ban is not None)


def test_what_was_spent_is_reported_in_ages_and_what_has_no_answer_besides() -> None:
    bench = ShareBench()
    bench.spend()
    bench.clock.at += 1.0
    since = bench.clock.at
    bench.spend(after=2.0)
    bench.clock.at += 1.0
    bench.spend(after=0.5)
    lost = bench.share.admit_at_once(LIST)
    assert lost is not None
    lost.unknown()
    bench.clock.at += 10.0

    rows = [[13.5, 11.5, 100, 1_003.0], [10.5, 10.0, 100, 1_004.5]]
    assert bench.report(since) == [["spent", *FIELDS, rows, 100, 0.0]]
    assert bench.report(1_003.0) == [["spent", *FIELDS, rows, 100, 0.0]]
    assert bench.report(1_003.1) == [["spent", *FIELDS, rows[1:], 100, 0.0]]


def test_a_pool_with_nothing_to_say_is_not_reported() -> None:
    bench = ShareBench()
    bench.spend(after=1.0)
    assert bench.report(1_001.0) == [["spent", *FIELDS, [[1.0, 0.0, 100, 1_001.0]], 0, 0.0]]
    assert bench.report(1_002.0) == []
    lost = bench.share.admit_at_once(LIST)
    assert lost is not None
    assert bench.report(1_002.0) == [["spent", *FIELDS, [], 100, 0.0]]


# --- what all had shut ---------------------------------------------------------------------------


def known_pool(charge: Charge = LIST) -> Pool:
    boundary = Boundary(60.0, StoppedClock())
    limits = (12_000, 12_000)
    return Pool(charge.pool, charge.kind, charge.account, limits, boundary)


@pytest.mark.parametrize("way", ["new", "open", "opened", "shut", "careful"])
def test_what_all_had_shut_stays_shut_by_the_clock_of_this_process(way: str) -> None:
    bench, pool, gate = ShareBench(), known_pool(), AddressGate(5.0)
    bench.spend()
    if way == "open":
        pool.valve.trust()
    elif way in ("shut", "opened"):
        pool.valve.shut(950.0)
        if way == "opened":
            pool.valve.trust()
    elif way == "careful":
        pool.valve.beware()

    bench.share.go_on(gate, [pool], 60.0)

    (ours,) = bench.share._pools
    assert ours.valve.open is (way in ("new", "open", "opened")), (
        "one that is new to all tells nothing"
    )
    assert ours.valve.careful is (way == "careful")
    assert bench.report(2_000.0) == ([["spent", *FIELDS, [], 0, 10.0]] if way == "shut" else [])
    assert bench.share._gate.open


@pytest.mark.parametrize(("banned", "guessed"), [(False, True), (True, False)])
def test_a_ban_of_all_goes_on_here(*, banned: bool, guessed: bool) -> None:
    bench, gate = ShareBench(), AddressGate(5.0)
    gate.shut_for(100.0, 900.0, guessed=guessed)

    bench.share.go_on(gate, [], 60.0)

    assert bench.report() == [["ban", 60.0]]
    assert bench.share._gate.banned is banned
    bench.clock.at += 60.0
    assert bench.report() == []


def test_a_ban_that_is_over_makes_new_pools_careful_here_too() -> None:
    bench, gate = ShareBench(), AddressGate(5.0)
    gate.banned = True
    bench.share.go_on(gate, [], 60.0)

    bench.spend()

    assert bench.share._gate.open
    (pool,) = bench.share._pools
    assert pool.valve.careful


# --- what is said, and settings ------------------------------------------------------------------


def test_an_answer_is_said_and_heard_as_it_was() -> None:
    answer = Feedback(429, 1, 2, 3, 4.0, 5.0, walled=True)
    said = ["settle", 7, *_messages.answer_fields(answer)]
    assert _messages.answer_of(said) == answer

    late = _messages.answer_of(_messages.without_headers(said))
    assert late == Feedback(429, None, None, None, 4.0, 5.0, walled=True)
    copies = ["copies", 7, 1]
    assert _messages.without_headers(copies) == copies


def settings(**limits: Any) -> Settings:
    made = Settings(LoopClock(), lambda _: None, math.inf)
    made.limits = RateLimits(**limits)
    return made


@pytest.mark.parametrize(
    ("limits", "part", "weight", "pace"),
    [
        ({}, 0.1, 1_200, 50.0),
        ({"headroom": 0.5}, 0.1, 600, 50.0),
        ({"headroom": 0.5}, 1.0, 6_000, 500.0),
        ({"requests_per_second": 5.0}, 0.1, 1_200, 1.0),
        ({"requests_per_second": 15.0}, 0.1, 1_200, 1.5),
    ],
)
def test_a_share_is_a_part_of_what_is_ours_and_of_the_pace(
    limits: dict[str, Any], part: float, weight: int, pace: float
) -> None:
    share = settings(**limits).share(part)
    assert (share.of(LimitKind.IP), share.requests_per_second) == (weight, pace)
    assert share.whole(LimitKind.IP) == 12_000
