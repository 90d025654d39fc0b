"""A queue by itself: which waiter is next, and what weight is before a new one."""

from __future__ import annotations

import pytest

from binance_dust.budget import Lane
from binance_dust.budget._queue import Queue, Waiter

CALL, SCAN = Lane.CALL, Lane.SCAN


def waiter(weight: int, lane: Lane = CALL) -> Waiter:
    return Waiter(weight, lane, 0.0)


def queue_of(*waiters: Waiter, deadline: float | None = None) -> Queue[Waiter]:
    queue: Queue[Waiter] = Queue()
    for one in waiters:
        queue.join(one, deadline)
    return queue


def serve_all(queue: Queue[Waiter]) -> list[Waiter]:
    served = []
    while (head := queue.head()) is not None:
        queue.serve(head)
        served.append(head)
    return served


def test_each_lane_goes_in_turn_and_calls_ahead_of_scans() -> None:
    scans = [waiter(1, SCAN) for _ in range(3)]
    calls = [waiter(1) for _ in range(3)]

    assert serve_all(queue_of(*scans, *calls)) == [*calls, *scans]


@pytest.mark.parametrize(
    ("call", "scan", "passed"), [(1, 1, 4), (2, 1, 2), (3, 1, 2), (1, 2, 8), (100, 100, 4)]
)
def test_four_times_its_weight_in_calls_passes_a_scan_and_then_it_goes(
    call: int, scan: int, passed: int
) -> None:
    calls, scans = [waiter(call) for _ in range(40)], [waiter(scan, SCAN) for _ in range(3)]

    lanes = [one.lane for one in serve_all(queue_of(*calls, *scans))]

    assert lanes.index(SCAN) == passed


def test_what_passed_before_a_scan_came_is_not_held_against_calls() -> None:
    queue = queue_of(*[waiter(1) for _ in range(50)])
    for _ in range(10):
        head = queue.head()
        assert head is not None
        queue.serve(head)
    queue.join(waiter(1, SCAN), None)

    lanes = [one.lane for one in serve_all(queue)]

    assert lanes.index(SCAN) == 4


def test_in_the_long_run_a_fifth_of_the_weight_is_for_scans() -> None:
    calls, scans = [waiter(3) for _ in range(200)], [waiter(2, SCAN) for _ in range(200)]
    served = serve_all(queue_of(*calls, *scans))[:100]

    weights = {lane: sum(one.weight for one in served if one.lane is lane) for lane in Lane}

    assert weights[SCAN] == pytest.approx(sum(weights.values()) / 5, abs=3)


def test_scans_that_go_while_no_call_waits_earn_calls_nothing() -> None:
    queue = queue_of(*[waiter(1, SCAN) for _ in range(20)])
    for _ in range(10):
        head = queue.head()
        assert head is not None
        queue.serve(head)
    for _ in range(10):
        queue.join(waiter(1), None)

    assert [one.lane for one in serve_all(queue)].index(SCAN) == 4


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
def test_the_weight_before_a_new_call_is_counted(
    *, calls: int, scans: int, lane: Lane, weight: int, before: int
) -> None:
    queue = queue_of(*[waiter(one) for one in (calls,) if one])
    if scans:
        queue.join(waiter(scans, SCAN), None)

    assert queue.weight_before(lane, weight) == before
    assert queue.weight == calls + scans


@pytest.mark.parametrize("passed", range(10))
@pytest.mark.parametrize("lane", list(Lane))
@pytest.mark.parametrize(("calls", "scans"), [(20, 9), (60, 2), (60, 4)])
def test_the_weight_before_a_new_call_is_right_whatever_has_passed(
    calls: int, scans: int, lane: Lane, passed: int
) -> None:
    queue = queue_of(*[waiter(10) for _ in range(calls)], *[waiter(10, SCAN) for _ in range(scans)])
    for _ in range(passed):
        head = queue.head()
        assert head is not None
        queue.serve(head)
    expected = queue.weight_before(lane, 10)
    last = waiter(10, lane)
    queue.join(last, None)

    order = serve_all(queue)

    assert sum(one.weight for one in order[: order.index(last)]) == expected


def test_a_scan_comes_at_once_where_calls_went_before_one_that_has_left() -> None:
    queue = queue_of(*[waiter(10) for _ in range(30)])
    heavy = waiter(100, SCAN)
    queue.join(heavy, None)
    for _ in range(20):
        head = queue.head()
        assert head is not None
        queue.serve(head)
    queue.leave(heavy)

    assert queue.weight_before(SCAN, 10) == 0

    light = waiter(10, SCAN)
    queue.join(light, None)
    assert queue.head() is light


def test_a_waiter_that_left_is_skipped_and_counts_no_more() -> None:
    one, two, three = waiter(1), waiter(2), waiter(4)
    queue = queue_of(one, two, three)

    queue.leave(one)
    queue.leave(one)

    assert (queue.waiting, queue.weight) == (2, 6)
    assert queue.head() is two
    assert serve_all(queue) == [two, three]
    assert (queue.waiting, queue.weight) == (0, 0)
    assert queue.head() is None


def test_the_next_deadline_is_the_earliest_of_all_waiters() -> None:
    queue: Queue[Waiter] = Queue()
    late, early, never = waiter(1), waiter(1), waiter(1)
    queue.join(late, 9.0)
    queue.join(never, None)
    queue.join(early, 5.0)
    assert queue.next_deadline() == 5.0

    queue.leave(early)
    assert queue.next_deadline() == 9.0
    queue.leave(late)
    assert queue.next_deadline() is None
    assert queue.waiting == 1


def test_waiters_with_a_deadline_before_the_next_chance_are_removed() -> None:
    queue: Queue[Waiter] = Queue()
    waiters = [waiter(1) for _ in range(4)]
    for one, deadline in zip(waiters, (4.0, 5.0, 5.1, None), strict=True):
        queue.join(one, deadline)

    assert queue.remove_late(5.0) == waiters[:2]
    assert [one.gone for one in waiters] == [True, True, False, False]
    assert queue.remove_late(5.0) == []
    assert queue.waiting == 2


def test_deadlines_that_are_the_same_are_told_in_turn() -> None:
    waiters = [waiter(1) for _ in range(20)]

    assert queue_of(*waiters, deadline=5.0).remove_late(5.0) == waiters


def test_all_waiters_are_removed_at_once() -> None:
    one, two, three = waiter(1), waiter(1, SCAN), waiter(1)
    queue = queue_of(one, two, three)
    queue.leave(one)

    assert queue.remove_all() == [three, two]
    assert (queue.waiting, queue.weight) == (0, 0)
    assert queue.remove_all() == []


def test_waiters_that_left_are_swept_out_when_they_outnumber_the_others() -> None:
    waiters = [waiter(1) for _ in range(400)]
    queue = queue_of(*waiters, deadline=5.0)

    def kept() -> int:
        return len(queue._lanes[CALL])

    # From the end, so that no waiter is skipped at the head.
    for one in waiters[-232:]:
        queue.leave(one)
    assert (queue.waiting, kept(), len(queue._deadlines)) == (168, 400, 400)
    queue.leave(waiters[167])
    assert (queue.waiting, kept(), len(queue._deadlines)) == (167, 167, 167)
    # Then it begins anew.
    for one in waiters[52:167]:
        queue.leave(one)
    assert (queue.waiting, kept()) == (52, 167)
    queue.leave(waiters[51])
    assert (queue.waiting, kept()) == (51, 51)
    assert queue.next_deadline() == 5.0
    assert serve_all(queue) == waiters[:51]


def test_after_a_sweep_deadlines_are_still_in_order() -> None:
    queue: Queue[Waiter] = Queue()
    waiters = [waiter(1) for _ in range(300)]
    for number, one in enumerate(waiters):
        queue.join(one, float(997 * number % 300))
    for one in waiters[20:]:
        queue.leave(one)

    told = [queue.next_deadline()]
    while queue.waiting:
        queue.leave(
            next(one for one in waiters if not one.gone and _deadline(queue, one) == told[-1])
        )
        told.append(queue.next_deadline())

    assert told[:-1] == sorted(float(997 * number % 300) for number in range(20))


def _deadline(queue: Queue[Waiter], one: Waiter) -> float:
    return next(at for at, _, waiter in queue._deadlines if waiter is one)
