"""Who is next in line, and what stands before whoever comes: without a budget and without time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from binance_dust.budget import Lane
from binance_dust.budget._line import Line, Waiter

CALL, SCAN = Lane.CALL, Lane.SCAN
NOBODY: Any = None


def waiter(weight: int, lane: Lane = CALL) -> Waiter:
    future: asyncio.Future[Any] = NOBODY
    return Waiter(weight, lane, future, 0.0)


def line_of(*waiters: Waiter, deadline: float | None = None) -> Line:
    line = Line()
    for one in waiters:
        line.join(one, deadline)
    return line


def serve_all(line: Line) -> list[Waiter]:
    served = []
    while (head := line.head()) is not None:
        line.serve(head)
        served.append(head)
    return served


def test_each_lane_goes_in_turn_and_calls_ahead_of_scans() -> None:
    scans = [waiter(1, SCAN) for _ in range(3)]
    calls = [waiter(1) for _ in range(3)]

    assert serve_all(line_of(*scans, *calls)) == [*calls, *scans]


@pytest.mark.parametrize(
    ("call", "scan", "passed"), [(1, 1, 4), (2, 1, 2), (3, 1, 2), (1, 2, 8), (100, 100, 4)]
)
def test_four_times_its_weight_in_calls_passes_a_scan_and_then_it_goes(
    call: int, scan: int, passed: int
) -> None:
    calls, scans = [waiter(call) for _ in range(40)], [waiter(scan, SCAN) for _ in range(3)]

    lanes = [one.lane for one in serve_all(line_of(*calls, *scans))]

    assert lanes.index(SCAN) == passed


def test_what_passed_before_a_scan_came_is_not_held_against_calls() -> None:
    line = line_of(*[waiter(1) for _ in range(50)])
    for _ in range(10):
        head = line.head()
        assert head is not None
        line.serve(head)
    line.join(waiter(1, SCAN), None)

    lanes = [one.lane for one in serve_all(line)]

    assert lanes.index(SCAN) == 4


def test_in_the_long_run_a_fifth_of_the_weight_is_for_scans() -> None:
    calls, scans = [waiter(3) for _ in range(200)], [waiter(2, SCAN) for _ in range(200)]
    served = serve_all(line_of(*calls, *scans))[:100]

    weights = {lane: sum(one.weight for one in served if one.lane is lane) for lane in Lane}

    assert weights[SCAN] == pytest.approx(sum(weights.values()) / 5, abs=3)


def test_scans_that_go_while_no_call_waits_earn_calls_nothing() -> None:
    line = line_of(*[waiter(1, SCAN) for _ in range(20)])
    for _ in range(10):
        head = line.head()
        assert head is not None
        line.serve(head)
    for _ in range(10):
        line.join(waiter(1), None)

    assert [one.lane for one in serve_all(line)].index(SCAN) == 4


@pytest.mark.parametrize(
    ("calls", "scans", "lane", "weight", "before"),
    [
        (0, 0, CALL, 10, 0),
        (100, 0, CALL, 10, 100),
        (0, 100, CALL, 10, 0),
        (39, 100, CALL, 10, 39),
        (40, 100, CALL, 10, 50),
        (100, 100, CALL, 10, 120),
        (100, 10, CALL, 10, 110),
        (0, 100, SCAN, 10, 100),
        (1_000, 100, SCAN, 10, 540),
        (100, 100, SCAN, 10, 200),
    ],
)
def test_what_will_be_served_before_whoever_comes_now(
    *, calls: int, scans: int, lane: Lane, weight: int, before: int
) -> None:
    line = line_of(*[waiter(one) for one in (calls,) if one])
    if scans:
        line.join(waiter(scans, SCAN), None)

    assert line.weight_before(lane, weight) == before
    assert line.weight == calls + scans


@pytest.mark.parametrize("passed", range(10))
@pytest.mark.parametrize("lane", list(Lane))
@pytest.mark.parametrize(("calls", "scans"), [(20, 9), (60, 2), (60, 4)])
def test_who_is_served_before_is_foretold_whatever_has_passed_before(
    calls: int, scans: int, lane: Lane, passed: int
) -> None:
    line = line_of(*[waiter(10) for _ in range(calls)], *[waiter(10, SCAN) for _ in range(scans)])
    for _ in range(passed):
        head = line.head()
        assert head is not None
        line.serve(head)
    foretold = line.weight_before(lane, 10)
    last = waiter(10, lane)
    line.join(last, None)

    order = serve_all(line)

    assert sum(one.weight for one in order[: order.index(last)]) == foretold


def test_a_scan_comes_at_once_where_calls_went_before_one_that_has_left() -> None:
    line = line_of(*[waiter(10) for _ in range(30)])
    heavy = waiter(100, SCAN)
    line.join(heavy, None)
    for _ in range(20):
        head = line.head()
        assert head is not None
        line.serve(head)
    line.leave(heavy)

    assert line.weight_before(SCAN, 10) == 0

    light = waiter(10, SCAN)
    line.join(light, None)
    assert line.head() is light


def test_whoever_leaves_is_skipped_and_counts_no_more() -> None:
    one, two, three = waiter(1), waiter(2), waiter(4)
    line = line_of(one, two, three)

    line.leave(one)
    line.leave(one)

    assert (line.waiting, line.weight) == (2, 6)
    assert line.head() is two
    assert serve_all(line) == [two, three]
    assert (line.waiting, line.weight) == (0, 0)
    assert line.head() is None


def test_the_earliest_deadline_of_those_who_wait() -> None:
    line = Line()
    late, early, never = waiter(1), waiter(1), waiter(1)
    line.join(late, 9.0)
    line.join(never, None)
    line.join(early, 5.0)
    assert line.next_deadline() == 5.0

    line.leave(early)
    assert line.next_deadline() == 9.0
    line.leave(late)
    assert line.next_deadline() is None
    assert line.waiting == 1


def test_whose_deadline_is_not_after_the_next_chance_has_none() -> None:
    line = Line()
    waiters = [waiter(1) for _ in range(4)]
    for one, deadline in zip(waiters, (4.0, 5.0, 5.1, None), strict=True):
        line.join(one, deadline)

    assert line.hopeless(5.0) == waiters[:2]
    assert [one.gone for one in waiters] == [True, True, False, False]
    assert line.hopeless(5.0) == []
    assert line.waiting == 2


def test_deadlines_that_are_the_same_are_told_in_turn() -> None:
    waiters = [waiter(1) for _ in range(20)]

    assert line_of(*waiters, deadline=5.0).hopeless(5.0) == waiters


def test_everybody_leaves_at_once() -> None:
    one, two, three = waiter(1), waiter(1, SCAN), waiter(1)
    line = line_of(one, two, three)
    line.leave(one)

    assert line.everybody() == [three, two]
    assert (line.waiting, line.weight) == (0, 0)
    assert line.everybody() == []


def test_whoever_left_is_swept_out_when_they_are_more_than_those_who_wait() -> None:
    waiters = [waiter(1) for _ in range(400)]
    line = line_of(*waiters, deadline=5.0)

    def kept() -> int:
        return len(line._lanes[CALL])

    # From the end, so that nobody is skipped at the head.
    for one in waiters[-232:]:
        line.leave(one)
    assert (line.waiting, kept(), len(line._deadlines)) == (168, 400, 400)
    line.leave(waiters[167])
    assert (line.waiting, kept(), len(line._deadlines)) == (167, 167, 167)
    # Then it begins anew.
    for one in waiters[52:167]:
        line.leave(one)
    assert (line.waiting, kept()) == (52, 167)
    line.leave(waiters[51])
    assert (line.waiting, kept()) == (51, 51)
    assert line.next_deadline() == 5.0
    assert serve_all(line) == waiters[:51]


def test_after_a_sweep_deadlines_are_still_in_order() -> None:
    line = Line()
    waiters = [waiter(1) for _ in range(300)]
    for number, one in enumerate(waiters):
        line.join(one, float(997 * number % 300))
    for one in waiters[20:]:
        line.leave(one)

    told = [line.next_deadline()]
    while line.waiting:
        line.leave(
            next(one for one in waiters if not one.gone and _deadline(line, one) == told[-1])
        )
        told.append(line.next_deadline())

    assert told[:-1] == sorted(float(997 * number % 300) for number in range(20))


def _deadline(line: Line, one: Waiter) -> float:
    return next(at for at, _, who in line._deadlines if who is one)
