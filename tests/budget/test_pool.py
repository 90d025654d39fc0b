"""One pool by itself, at moments that are set by hand: and each of its decisions.

The limit is 1,200 a minute, and a cut of the clock comes when `at` is 50, but for the margin of a
quarter of a second.
"""

from __future__ import annotations

import pytest

from binance_dust.budget._beliefs import News
from binance_dust.budget._look import look, others, resets_in, used
from binance_dust.budget._news import take_news
from binance_dust.budget._others import Others
from binance_dust.budget._pool import Go
from binance_dust.events import BoundaryLearnt, HeadersDoubted
from tests.budget.bench import PoolBench, burst

# --- may it go -----------------------------------------------------------------------------------


def test_a_pool_sends_one_call_alone_at_first_and_after_a_window_of_silence() -> None:
    bench = PoolBench()

    assert bench.ask(1_200, 0.0) is Go.ALONE
    assert bench.ask(1_201, 0.0) is Go.NO
    bench.spend(100, 0.0)
    assert bench.ask(100, 0.1) is Go.YES
    assert bench.ask(100, 60.0) is Go.YES
    assert bench.ask(100, 60.01) is Go.ALONE


def test_the_weight_of_one_call_is_reserved_for_a_witness_unless_one_call_waits_alone() -> None:
    bench = PoolBench()
    for _ in range(10):
        bench.spend(100, 0.0)

    assert bench.ask(100, 2.0) is Go.YES
    assert bench.ask(101, 2.0) is Go.NO
    assert bench.ask(200, 2.0, use_reserve=True) is Go.YES
    assert bench.ask(201, 2.0, use_reserve=True) is Go.NO


@pytest.mark.parametrize(
    ("largest", "known", "room"),
    [
        (100, True, 1_000),
        (299, True, 602),
        # Where one call costs a quarter, none is kept: of four one could not go.
        (300, True, 900),
        # Without a clock there is no cut to send a witness after.
        (100, False, 1_100),
    ],
)
def test_the_reserve_is_the_largest_call_below_a_quarter_of_the_limit(
    largest: int, known: bool, room: int
) -> None:
    bench = PoolBench(known=known)
    bench.spend(largest, 0.0)
    small = [weight for weight in range(1, largest + 1) if bench.ask(weight, 1.0) is Go.YES]

    assert small == list(range(1, largest + 1))
    assert room == max(
        weight for weight in range(1_201) if weight + bench.pool.reserve(0) <= bench.pool.free(1.0)
    )


def test_a_witness_goes_when_the_pool_is_full_and_a_cut_has_passed_with_nothing_in_flight() -> None:
    bench = PoolBench()
    for _ in range(11):
        bench.spend(100, 1.0)

    assert bench.ask(100, 50.2) is Go.NO
    assert bench.ask(100, 50.3) is Go.ALONE
    assert bench.ask(101, 50.3) is Go.NO
    witness = bench.send(100, 50.3)
    assert (witness.witness, witness.alone) == (True, True)
    assert bench.ask(100, 56.0) is Go.NO, "it asks once, however long its answer takes"


def test_a_full_pool_without_a_reserve_sends_no_witness() -> None:
    bench = PoolBench()
    for _ in range(12):
        bench.spend(100, 1.0)

    assert bench.ask(100, 50.3) is Go.NO


def test_while_a_call_is_in_flight_no_witness_goes() -> None:
    bench = PoolBench()
    for _ in range(10):
        bench.spend(100, 1.0)
    bench.send(100, 49.0)

    assert bench.ask(100, 50.3) is Go.NO


def test_where_cuts_hold_a_call_goes_after_one_whatever_was_spent_before() -> None:
    bench = PoolBench(fixed=True)
    bench.spend(1_200, 0.0)

    assert bench.ask(1_200, 50.2) is Go.NO
    assert bench.pool.cut_passed() is False
    # Unasked, with nothing in flight, and all of it answered long before.
    bench.pool.valve.open_half()
    assert bench.ask(1_200, 50.3) is Go.ALONE


def test_what_was_in_flight_at_a_cut_may_count_behind_it() -> None:
    """It was sent before the cut, and may have arrived after it: no call goes on top of it."""
    bench = PoolBench(fixed=True)
    bench.spend(1, 0.0)
    bench.send(1_150, 49.0 + 60.0)

    assert bench.ask(100, 50.3 + 60.0 + 5.0) is Go.NO
    assert bench.forecast(100, bench.at) > bench.at
    assert bench.earliest(100, bench.at) == bench.at, "it may be answered at any moment"


def test_a_released_witness_leaves_its_place_to_the_next_call() -> None:
    bench = PoolBench()
    bench.spend(100, 0.0)
    witness = bench.send(100, 51.0)
    assert witness.witness

    bench.pool.give_back(witness)
    assert bench.send(100, 52.0).witness
    assert not bench.send(100, 53.0).witness


def test_a_witness_released_in_a_later_window_takes_nothing_back() -> None:
    bench = PoolBench()
    bench.spend(100, 0.0)
    old = bench.send(100, 51.0)
    bench.spend(1, 60.0)
    assert bench.send(100, 111.0).witness

    bench.pool.give_back(old)

    assert not bench.send(100, 112.0).witness


def test_a_released_call_that_was_no_witness_makes_no_other_call_a_witness() -> None:
    bench = PoolBench()
    bench.spend(100, 0.0)

    bench.pool.give_back(bench.send(100, 1.0))

    assert not bench.send(100, 2.0).witness


def test_without_an_answer_to_the_first_call_another_goes_after_a_twelfth_of_a_window() -> None:
    bench = PoolBench()
    bench.send(100, 0.0)

    assert bench.ask(100, 4.99) is Go.NO
    assert bench.ask(100, 5.0) is Go.ALONE


def test_after_a_cut_a_probe_of_others_stays_within_our_part_of_the_limit() -> None:
    bench = PoolBench(limit=600)
    bench.spend(100, 0.0)
    bench.spend(400, 1.0)
    with_others(bench, 1.0)

    assert bench.ask(101, 50.3) is Go.NO
    assert bench.ask(100, 50.3) is Go.ALONE


def test_copies_of_a_released_call_are_given_back_too() -> None:
    bench = PoolBench()
    call = bench.send(100, 0.0)
    bench.pool.count.add_copies(call, 2)
    assert used(bench.pool, 0.0) == 300

    bench.pool.give_back(call)

    assert used(bench.pool, 0.0) == 0


def test_copies_of_a_lost_call_are_lost_too() -> None:
    bench = PoolBench()
    call = bench.send(100, 0.0)
    bench.pool.count.add_copies(call, 2)
    bench.pool.lose(call, 10.0)

    assert used(bench.pool, 80.0) == 300
    assert used(bench.pool, 80.1) == 0


def with_others(
    bench: PoolBench, at: float, *, level: int = 0, heard: float | None = None
) -> Others:
    """Let others be known since long ago; the cushion that is kept for them is of twelve."""
    others = bench.pool.count.others = Others(60.0, 1_200, at - 100_000.0)
    others.heard = at if heard is None else heard
    others.level = level
    others.share = 0.0
    return others


@pytest.mark.parametrize(
    ("fixed", "level", "go"),
    [
        (True, 1_200, Go.ALONE),  # their window begins anew, too
        (False, 1_200, Go.NO),
        (False, 1_001, Go.NO),
        (False, 1_000, Go.ALONE),
    ],
)
def test_after_a_cut_others_are_probed_if_cuts_hold_or_there_is_room(
    *, fixed: bool, level: int, go: Go
) -> None:
    bench = PoolBench(fixed=fixed)
    bench.spend(100, 0.0)
    with_others(bench, 0.0, level=level).grown = level

    assert bench.ask(100, 50.3) is go
    bench.pool.count.in_flight = 1
    assert bench.ask(100, 50.3) is Go.NO


@pytest.mark.parametrize(
    ("fixed", "grown", "heard", "go"),
    [
        (True, 988, 2.5, Go.ALONE),
        (True, 989, 2.5, Go.NO),
        (True, 988, 2.6, Go.NO),  # the last look was less than an eighth of a window ago
        (False, 988, 2.5, Go.NO),
    ],
)
def test_between_cuts_others_are_probed_with_the_room_beside_the_cushion(
    *, fixed: bool, grown: int, heard: float, go: Go
) -> None:
    bench = PoolBench(fixed=fixed)
    bench.spend(100, 0.0)
    others = with_others(bench, 0.0, level=grown, heard=heard)
    others.grown = grown
    assert others.cushion(10.0) == 12.0

    assert bench.ask(100, 10.0) is go
    bench.pool.count.in_flight = 1
    assert bench.ask(100, 10.0) is Go.NO


@pytest.mark.parametrize(
    ("others", "fixed", "asked_up_to", "reserve"),
    [
        (False, False, 0, 100),
        (False, True, 0, 100),
        (True, True, 0, 0),  # it goes in any case
        (True, False, 0, 100),
        (True, False, 1, 0),  # it goes in no case
        (False, False, 1, 100),
    ],
)
def test_no_reserve_is_kept_for_a_witness_that_goes_anyway_or_never(
    *, others: bool, fixed: bool, asked_up_to: int, reserve: int
) -> None:
    bench = PoolBench(fixed=fixed)
    bench.spend(100, 0.0)
    bench.pool.asked += asked_up_to
    if others:
        with_others(bench, 0.0)

    assert bench.pool.reserve(50) == reserve
    assert bench.pool.reserve(301) == 0


def test_with_others_a_burst_needs_a_fresh_header() -> None:
    bench = PoolBench()
    bench.spend(100, 0.0)
    with_others(bench, 0.0)

    assert bench.ask(100, 1.0) is Go.YES
    assert bench.ask(100, 1.1) is Go.ALONE


def test_a_call_is_judged_by_what_was_known_when_it_left_and_not_when_it_was_admitted() -> None:
    bench = PoolBench()
    bench.spend(100, 0.0)
    call = bench.send(100, 1.0)
    bench.spend(100, 2.0)
    assert (call.sent_at, call.answered_before) == (1.0, 100)

    bench.pool.count.mark(call, 3.0)
    assert (call.sent_at, call.answered_before) == (3.0, 200)

    # A copy that the transport sent counts, and changes nothing of that.
    bench.pool.count.add_copies(call, 1)
    assert (call.sent_at, call.extra) == (3.0, 100)
    assert used(bench.pool, 4.0) == 400


# --- what a witness proves -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "answered", "used", "fixed", "proof", "slides"),
    [
        (400, 1.0, 100, False, News.FIXED, False),
        (400, 1.0, 499, False, News.FIXED, False),
        (400, 1.0, 500, False, None, True),
        (400, 1.0, 900, False, None, True),
        # Less than a quarter may be spent by others.
        (300, 1.0, 400, False, None, True),
        (299, 1.0, 399, False, None, False),
        # What was answered at the very cut may have arrived behind it.
        (400, 49.7, 500, False, None, True),
        (400, 49.75, 500, False, None, False),
        (400, 1.0, 100, True, None, False),
        (400, 1.0, 500, True, News.NOT_FIXED, True),
        (299, 1.0, 399, True, None, False),
    ],
)
def test_a_witness_proves_cuts_or_disproves_them_or_neither(
    *, before: int, answered: float, used: int, fixed: bool, proof: News | None, slides: bool
) -> None:
    bench = PoolBench(fixed=fixed)
    call = bench.send(before, 0.0)
    bench.answer(call, before, answered)

    assert bench.answer(bench.send(100, 50.5), used, 50.6) is proof
    assert bench.boundary.slides is slides
    assert bench.boundary.fixed is (proof is News.FIXED or (fixed and proof is not News.NOT_FIXED))


def test_what_a_sliding_window_may_have_forgotten_by_itself_disproves_nothing() -> None:
    bench = PoolBench()
    bench.spend(250, 0.0)
    bench.spend(250, 20.0)

    assert bench.answer(bench.send(100, 65.0), 600, 65.1) is None
    assert not bench.boundary.slides


def test_without_the_exchanges_time_there_is_no_witness() -> None:
    bench = PoolBench(known=False)

    assert not bench.send(100, 0.0).witness


def test_a_witness_beside_another_call_in_flight_disproves_nothing() -> None:
    bench = PoolBench()
    bench.spend(400, 0.0)
    bench.send(10, 40.0)
    witness = bench.send(100, 50.5)
    assert (witness.witness, witness.alone) == (True, False)

    assert bench.answer(witness, 500, 50.6) is None
    assert not bench.boundary.slides


def test_a_header_that_is_no_witness_proves_nothing() -> None:
    bench = PoolBench()
    bench.spend(400, 0.0)
    first = bench.send(100, 50.5)
    second = bench.send(100, 50.5)

    assert bench.answer(second, 100, 50.6) is None
    assert bench.answer(first, None, 50.7) is None
    assert not bench.boundary.fixed


def test_without_the_exchanges_time_no_header_proves_anything_forgotten() -> None:
    bench = PoolBench(known=False)
    bench.spend(100, 0.0)
    bench.spend(100, 1.0, used=1)

    assert bench.pool.count.ours(1.0) == 200


# --- refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fixed", "wait", "shut"),
    [
        (False, 7.0, 7.0),
        (False, 0.0, 60.06),
        (False, None, 60.06),
        (True, 7.0, 7.0),
        (True, 0.0, 40.25),
        (True, None, 40.25),
    ],
)
def test_a_refusal_shuts_for_as_long_as_it_says_or_until_the_window_ends(
    fixed: bool, wait: float | None, shut: float
) -> None:
    bench = PoolBench(fixed=fixed)
    bench.spend(100, 0.0)

    bench.refuse(bench.send(100, 9.0), wait, 10.0)

    assert bench.pool.valve.until == pytest.approx(10.0 + shut)
    assert bench.ask(100, 9.9 + shut) is Go.NO
    assert bench.pool.recheck_at(100, 9.9 + shut) == pytest.approx(10.0 + shut)


def test_a_refusal_that_is_heard_behind_its_window_shuts_for_the_margin_at_least() -> None:
    bench = PoolBench(fixed=True)
    bench.spend(100, 0.0)

    bench.refuse(bench.send(100, 49.0), 0.0, 55.0)

    assert bench.pool.valve.until == pytest.approx(55.25)


def test_a_witness_that_is_refused_is_not_sent_at_every_cut() -> None:
    bench = PoolBench()
    bench.spend(10, 0.0)
    waited: list[int] = []
    window, since = 1, 0
    while len(waited) < 4:
        at = 51.0 + 60.0 * (window - 1)
        call = bench.send(10, at)
        if call.witness:
            bench.refuse(call, 0.5, at)
            waited.append(window - since)
            since = window
        else:
            bench.answer(call, 10, at)
        window += 1

    assert waited == [1, 9, 65, 513]


def test_a_witness_that_is_refused_after_the_last_pause_waits_as_long_again() -> None:
    bench = PoolBench()
    bench.pool._caution = 512
    bench.spend(10, 0.0)
    bench.refuse(bench.send(10, 51.0), 0.5, 51.0)

    assert not bench.send(10, 51.0 + 512 * 60.0).witness
    assert bench.send(10, 51.0 + 513 * 60.0).witness


def test_a_refused_witness_ends_the_belief_in_cuts_and_another_call_does_not() -> None:
    bench = PoolBench(fixed=True)
    bench.spend(10, 0.0)
    witness, other = bench.send(10, 51.0), bench.send(10, 51.0)

    assert bench.refuse(other, 0.5, 51.0) is None
    assert bench.boundary.fixed
    assert bench.refuse(witness, 0.5, 51.0) is News.NOT_FIXED
    assert not bench.boundary.fixed
    assert bench.refuse(witness, 0.5, 51.0) is None, "there is nothing more to lose"


def test_of_several_refusals_at_once_one_tells_of_others() -> None:
    bench = PoolBench()
    bench.spend(10, 0.0)
    first, second = bench.send(100, 1.0), bench.send(1_000, 1.0, use_reserve=True)
    assert bench.pool.count.others is None

    bench.refuse(first, 5.0, 2.0)
    others = bench.pool.count.others
    assert others is not None
    before = others.level
    bench.refuse(second, 5.0, 3.0)

    assert others.level == before
    assert others.heard == 2.0

    bench.pool.refuse(second, 5.0, bench.pool.valve.until)
    assert others.heard == bench.at + 5.0


def test_a_burst_that_is_refused_far_below_the_limit_shows_a_lower_limit_and_not_others() -> None:
    """The first refusal comes before it is heard that four calls of the burst were let in."""
    bench = PoolBench()
    bench.spend(100, 0.0)
    calls = burst(bench, 8, 1.0)

    assert bench.refuse(calls[0], 5.0, 1.1) is None
    assert bench.pool.count.others is not None
    for number, call in enumerate(calls[1:4]):
        bench.answer(call, 200 + 100 * number, 1.1)
    assert bench.pool.whole == 1_200
    assert bench.refuse(calls[4], 5.0, 1.2) is News.LIMIT
    assert bench.pool.whole == 400
    assert bench.pool.count.others is None
    assert bench.refuse(calls[5], 5.0, 1.2) is None


def test_four_refusals_of_a_burst_are_enough_and_three_are_not() -> None:
    bench = PoolBench()
    bench.spend(100, 0.0)
    calls = burst(bench, 5, 1.0)

    assert [bench.refuse(call, 5.0, 1.1) for call in calls[:3]] == [None] * 3
    assert bench.refuse(calls[3], 5.0, 1.1) is News.LIMIT
    assert bench.pool.whole == 100


@pytest.mark.parametrize(("spent", "news"), [(1_000, News.LIMIT), (1_100, None)])
def test_a_refusal_near_the_limit_says_nothing_of_it(spent: int, news: News | None) -> None:
    bench = PoolBench()
    bench.spend(100, 0.0)
    calls = burst(bench, spent // 100, 1.0)
    for number, call in enumerate(calls[:-1], start=2):
        bench.answer(call, 100 * number, 1.1)

    assert bench.refuse(calls[-1], 5.0, 1.2) is news


def test_where_others_were_seen_a_refusal_says_nothing_of_the_limit() -> None:
    bench = PoolBench()
    bench.spend(100, 0.0, used=500)
    assert bench.pool.count.others is not None
    calls = burst(bench, 1, 0.5)

    assert bench.refuse(calls[0], 5.0, 1.0) is None
    assert bench.pool.whole == 1_200


@pytest.mark.parametrize("half_open", [True, False])
def test_nothing_goes_into_a_full_window_of_a_clock_that_was_set_back(*, half_open: bool) -> None:
    bench = PoolBench(fixed=True)
    bench.spend(1_100, 51.0)
    bench.spend(100, 52.0)
    bench.clock.back = 62.0
    if half_open:
        bench.pool.valve.open_half()

    assert bench.ask(100, 113.0) is Go.NO


def test_a_refusal_before_anything_was_let_in_does_not_tell_of_others() -> None:
    bench = PoolBench()

    bench.refuse(bench.send(100, 0.0), 5.0, 0.1)

    assert bench.pool.count.others is None
    assert bench.pool.valve.until == 5.1


@pytest.mark.parametrize(("back", "go"), [(0.0, Go.ALONE), (20.0, Go.NO)])
def test_a_clock_that_was_set_back_puts_the_cut_ahead_again(back: float, go: Go) -> None:
    """By time all is forgotten a window later, but the exchange is still in the full window."""
    bench = PoolBench(fixed=True)
    bench.spend(1_100, 51.0)
    bench.spend(50, 52.0)
    bench.spend(1, 100.0)
    bench.clock.back = back

    assert bench.ask(100, 112.2) is go


def test_headers_that_never_reach_what_was_let_in_prove_no_cut() -> None:
    """Each of them is high enough for its own call: they come from nodes that count a part each."""
    for agrees in (True, False):
        bench = PoolBench()
        bench.spend(100, 0.0)
        calls = burst(bench, 8, 1.0)
        for number, call in enumerate(calls):
            bench.answer(call, 200 + (100 if agrees else 25) * number, 2.0)

        learnt = bench.spend(100, 51.0, used=100)

        assert learnt is (News.FIXED if agrees else None)


# --- when ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weight", "known", "at", "again"),
    [
        (100, True, 11.0, 50.25),  # a cut
        (100, True, 50.5, 60.06),  # what was spent at 0.0
        (250, True, 50.5, 60.06),  # all of it, with as much for a witness
        (251, True, 50.5, 70.06),  # what was spent at 10.0 is needed, too
        (301, True, 50.5, 60.06),
        (500, False, 11.0, 60.06),
        (501, False, 11.0, 70.06),
        (1_200, True, 105.0, 110.25),
    ],
)
def test_a_recheck_is_due_when_room_or_a_cut_comes(
    weight: int, known: bool, at: float, again: float
) -> None:
    bench = PoolBench(known=known)
    for _ in range(4):
        bench.spend(100, 0.0)
    for _ in range(7):
        bench.spend(100, 10.0)
    bench.ask(weight, at)

    assert bench.pool.recheck_at(weight, at) == pytest.approx(again)


def test_a_call_that_goes_alone_needs_no_reserve() -> None:
    bench = PoolBench()
    for _ in range(4):
        bench.spend(100, 0.0)
    for _ in range(7):
        bench.spend(100, 10.0)
    bench.ask(250, 50.5)
    assert bench.pool.recheck_at(251, 50.5) == pytest.approx(70.06)

    bench.pool.valve.open_half()

    assert bench.pool.recheck_at(251, 50.5) == pytest.approx(60.06)
    assert bench.pool.recheck_at(500, 50.5) == pytest.approx(60.06)


def test_a_recheck_is_never_due_at_once() -> None:
    bench = PoolBench()
    for _ in range(11):
        bench.spend(100, 0.0)
    bench.ask(100, 50.24)

    assert bench.pool.recheck_at(100, 50.24) == pytest.approx(50.24 + 0.03)


@pytest.mark.parametrize(
    ("at", "again"),
    [
        (10.25, 10.25 + 3.75),  # a sixteenth of a window
        (46.25, 46.25 + 1.0),  # a quarter of what is left
        (49.65, 49.65 + 0.25),  # no sooner than that, ...
        (50.2, 50.25),  # ... but for the cut itself
    ],
)
def test_rechecks_for_what_others_leave_over_come_faster_before_a_cut(
    at: float, again: float
) -> None:
    bench = PoolBench(fixed=True)
    bench.spend(100, 0.0, used=1_200)
    assert bench.pool.count.others is not None
    bench.ask(100, at)

    assert bench.pool.recheck_at(100, at) == pytest.approx(again)
    # Where windows slide there is nothing to be left over.
    bench.boundary.fixed = False
    assert bench.pool.recheck_at(100, at) == pytest.approx(50.25)


def test_what_is_known_of_others_ends_a_window_after_it_was_heard() -> None:
    bench = PoolBench(known=False)
    bench.spend(100, 0.0, used=1_200)
    bench.spend(1, 61.0, used=1_200) if bench.ask(1, 61.0) is not Go.NO else None
    others = bench.pool.count.others
    assert others is not None
    at = others.heard + 30.0
    bench.ask(1_000, at)

    # A hair later: at that moment itself it still counts.
    assert bench.pool.recheck_at(1_000, at) == pytest.approx(others.heard + 60.03)


def test_a_pool_is_blocked_until_a_refusal_ends_and_not_while_a_call_is_in_flight() -> None:
    bench = PoolBench()
    bench.spend(1_100, 0.0)
    assert bench.pool.blocked_until(200, 1.0) == pytest.approx(50.25)
    call = bench.send(100, 1.0, use_reserve=True)
    assert bench.pool.blocked_until(200, 1.0) == 1.0, "its answer may tell more"

    bench.refuse(call, 7.0, 2.0)
    assert bench.pool.blocked_until(200, 3.0) >= 9.0


def test_a_call_that_may_go_is_not_blocked() -> None:
    bench = PoolBench()
    bench.spend(1_000, 0.0)
    bench.pool._largest = 100

    assert bench.pool.blocked_until(100, 1.0) == 1.0
    assert bench.pool.blocked_until(200, 1.0) == pytest.approx(50.25)
    assert bench.pool.blocked_until(200, 1.0, use_reserve=True) == 1.0


# --- how it looks --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "idle"), [(0.0, False), (60.0, False), (60.03, False), (60.07, True), (600.0, True)]
)
def test_a_pool_is_idle_when_nothing_of_it_counts_any_more(at: float, idle: bool) -> None:
    bench = PoolBench()
    assert bench.pool.idle(0.0)
    bench.spend(100, 0.0)

    assert bench.pool.idle(at) is idle


def test_a_pool_is_not_idle_while_a_call_is_in_flight_or_it_is_shut() -> None:
    bench = PoolBench()
    bench.pool.valve.shut(5.0)
    assert not bench.pool.idle(4.9)
    assert bench.pool.idle(5.0)

    call = bench.send(100, 5.0)
    assert not bench.pool.idle(500.0)
    bench.pool.give_back(call)
    assert bench.pool.idle(500.0)


def test_what_a_header_has_cleared_is_not_idle_before_its_window_is_over() -> None:
    bench = PoolBench()
    call = bench.send(100, 0.0)
    bench.pool.lose(call, 10.0)

    assert not bench.pool.idle(70.0)
    assert not bench.pool.idle(79.9)
    assert bench.pool.idle(80.1)


@pytest.mark.parametrize(
    ("at", "share", "fixed", "seen"),
    [
        (1.0, None, False, 500),
        (60.0, None, False, 500),
        (60.1, None, False, 0),
        (1.0, 300.4, True, 300),
        (1.0, 300.4, False, 500),
        (1.0, None, True, 500),
    ],
)
def test_others_are_shown_by_their_share_if_it_is_known_and_not_for_longer_than_a_window(
    at: float, share: float | None, fixed: bool, seen: int
) -> None:
    bench = PoolBench()
    assert others(bench.pool, 100.0) == 0
    seen_others = bench.pool.count.others = Others(60.0, 1_200, 100.0)
    seen_others.level = 500
    seen_others.share = share
    bench.boundary.fixed = fixed

    assert others(bench.pool, 100.0 + at) == seen


@pytest.mark.parametrize(
    ("fixed", "at", "seconds"),
    [(False, 1.0, 69.06), (False, 60.1, 9.96), (True, 1.0, 49.25), (True, 50.3, 19.76)],
)
def test_all_is_given_back_when_the_last_is_forgotten_or_at_the_cut(
    fixed: bool, at: float, seconds: float
) -> None:
    bench = PoolBench(fixed=fixed)
    assert resets_in(bench.pool, 0.0) == 0.0
    call = bench.send(100, 0.0)
    bench.answer(call, 100, 0.0)
    bench.spend(50, 10.0)
    bench.clock.at = at

    assert resets_in(bench.pool, at) == pytest.approx(seconds)
    assert resets_in(bench.pool, 70.1) == 0.0


def test_a_pool_shows_for_how_long_it_is_shut() -> None:
    bench = PoolBench()
    assert look(bench.pool, 3, 10.0).shut_for == 0.0
    bench.pool.valve.shut(40.0)
    assert look(bench.pool, 3, 10.0).shut_for == 30.0
    assert look(bench.pool, 3, 50.0).shut_for == 0.0


def test_news_are_taken_once() -> None:
    bench = PoolBench()
    assert take_news(bench.pool) == []
    bench.pool.beliefs.news += [News.FIXED, News.HEADERS]
    assert take_news(bench.pool) == [BoundaryLearnt("GET /x"), HeadersDoubted("GET /x")]
    assert take_news(bench.pool) == []
