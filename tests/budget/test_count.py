"""What of a window is spent, by time and by header, ours and theirs: figure by figure."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from binance_dust.budget._boundary import ServerWindow
from binance_dust.budget._count import AdmittedCall, Count
from binance_dust.budget._others import Others

WINDOW = ServerWindow(7, 100.0, 160.0)


class SentCall(NamedTuple):
    """What was known when a call left."""

    weight: int = 100
    answered_before: int = 0
    cleared_before: int = 0
    cut_before: int = 0
    sent_at: float = 110.0


def count_of(taken: int, *, cut_at: int = 0, gone: int = 0) -> Count:
    count = Count(60.0, 1_200)
    count.take(taken)
    count.in_flight = 1
    count.cut_at = cut_at
    count.gone = gone
    return count


def cleared(count: Count) -> int:
    call = AdmittedCall(1)
    count.mark(call, 111.0)
    return call.cleared_before


def with_others(count: Count, *, level: int = 0, grown: int = 0, heard: float = 110.0) -> Others:
    others = count.others = Others(60.0, 1_200, heard - 100_000.0)
    others.level, others.grown, others.heard, others.share = level, grown, heard, 0.0
    return others


def listen(
    count: Count,
    call: SentCall,
    used: int,
    *,
    fixed: bool = False,
    trusted: bool = True,
    now: float = 111.0,
) -> None:
    count.read_header(call, used, now, WINDOW, fixed=fixed, trusted=trusted)  # type: ignore[arg-type]


def test_calls_are_in_flight_until_they_end_and_count_unless_they_never_left() -> None:
    count = Count(60.0, 1_200)
    for _ in range(3):
        count.take(100)
    assert (count.in_flight, count.ours(1.0)) == (3, 300)

    count.answer(100, 0.0, 1.0)
    assert count.in_flight == 2
    count.lose(100, 0.0, 1.0)
    assert count.in_flight == 1
    count.give_back(100)
    assert (count.in_flight, count.ours(1.0), count.held) == (0, 200, 200)
    count.gone = 50
    assert count.held == 150
    never: Any = SentCall(100)
    assert count.proven_gone(never, 0) == 0, "nothing was spent before a cut"


def test_what_is_let_in_adds_up_in_the_window_in_which_it_left() -> None:
    count = Count(60.0, 1_200)
    calls = [AdmittedCall(200, 100) for _ in range(3)]
    assert calls[0].documented == 100
    for call in calls:
        count.take(call.weight)
        count.mark(call, 1.0)

    count.let_in(calls[0])
    count.let_in(calls[1])
    assert count.since_cut == 400
    count.cut()
    count.let_in(calls[2])
    assert count.since_cut == 0


@pytest.mark.parametrize(
    ("header", "weight", "free", "now", "full"),
    [
        # Of 1,200 the last header has shown 1,150, all of them ours.
        (1_150, 50, 200, 111.5, False),
        (1_150, 51, 204, 111.5, True),
        (1_150, 100, 399, 111.9, False),  # that is no burst
        (1_150, 100, 400, 111.9, True),
        (1_150, 100, 399, 112.0, True),  # by then the header is old
        (1_100, 100, 400, 111.5, False),
        (1_100, 101, 404, 111.5, True),
        (None, 100, 1_200, 111.5, False),
    ],
)
def test_a_burst_has_no_room_if_the_headers_so_far_leave_none(
    header: int | None, weight: int, free: float, now: float, *, full: bool
) -> None:
    count = count_of(1_150)
    if header is not None:
        listen(count, SentCall(100, 1_050), header)
        listen(count, SentCall(100, 1_000), 1_150)
    assert count.full_when_heard(weight, free, now) is full

    count.heard_nothing()
    assert not count.full_when_heard(weight, free, now)


@pytest.mark.parametrize(("used", "more"), [(700, 100), (600, 0), (500, 0)])
def test_what_calls_weigh_besides_is_taken_for_ours_and_forgotten_a_window_later(
    used: int, more: int
) -> None:
    count = count_of(600)
    with_others(count)
    call = AdmittedCall(100)
    count.mark(call, 100.0)

    count.take_more(call, used, 110.0)

    assert count.ours(110.0) == 600 + more
    assert count.own.maybe_forgotten(160.0) == more
    assert count.ours(170.1) == 600
    assert count.others is None


@pytest.mark.parametrize(
    ("weight", "limit", "now", "fixed", "was_ours"),
    [
        # Of a header of 900 at least 100 is ours, and 300 more may be: those are forgotten soon.
        (200, 800, 100.2, False, True),
        (200, 799, 100.2, False, False),
        (299, 1_200, 100.2, False, True),
        (300, 1_200, 100.2, False, False),
        (200, 1_200, 100.1, False, False),
        (200, 1_200, 100.2, True, False),
    ],
)
def test_what_a_header_showed_may_be_ours_that_is_forgotten_by_now(
    weight: int, limit: int, now: float, *, fixed: bool, was_ours: bool
) -> None:
    count = Count(60.0, 1_200)
    count.take(300)
    count.answer(300, 40.0, 40.1)
    count.take(100)
    assert not count.was_ours(weight, limit, 41.0), "no others were seen"
    count.cut_at = 300 if fixed else 0
    call = SentCall(100, 300, cut_before=count.cut_at)
    listen(count, call, 900, fixed=fixed, now=100.03)

    assert count.others is not None
    assert count.others.unsure == (0 if fixed else 300)
    assert count.was_ours(weight, limit, now) is was_ours


def test_a_header_that_is_not_trusted_proves_nothing_forgotten() -> None:
    alone, beside = count_of(600, cut_at=500), count_of(600, cut_at=500, gone=50)
    others = with_others(beside, grown=20)

    listen(alone, SentCall(100, 500, cut_before=500), 100, trusted=False)
    listen(beside, SentCall(100, 500, cut_before=500), 550, trusted=False)

    assert (alone.gone, beside.gone, others.grown) == (0, 50, 20)


@pytest.mark.parametrize(
    ("call", "used", "cut_at", "gone"),
    [
        (SentCall(100, 500), 100, 500, 500),
        (SentCall(100, 500), 350, 500, 250),
        (SentCall(100, 500), 700, 500, -100),
        # Only what was spent before a cut can be found forgotten.
        (SentCall(100, 500), 100, 200, 200),
        (SentCall(100, 500), 1, 0, 0),
    ],
)
def test_a_header_proves_forgotten_what_it_does_not_show(
    call: SentCall, used: int, cut_at: int, gone: int
) -> None:
    count = count_of(600, cut_at=cut_at)

    assert count.proven_gone(call, used) == gone  # type: ignore[arg-type]
    listen(count, call._replace(cut_before=cut_at), min(used, 600))
    assert count.gone == max(0, gone if used <= 600 else 0)


def test_no_others_are_seen_as_long_as_a_header_can_be_ours() -> None:
    count = count_of(600)
    listen(count, SentCall(100, 500, cleared_before=50), 550)
    assert count.others is None

    listen(count, SentCall(100, 500, cleared_before=50), 551)
    assert count.others is not None
    assert count.others.level == 0, "by as much as is certain, it is all ours"
    assert count.others.grown == 0


def test_what_is_more_than_ours_is_theirs() -> None:
    count = count_of(600)
    listen(count, SentCall(100, 500), 850)

    assert count.others is not None
    assert (count.others.level, count.others.grown) == (250, 250)


@pytest.mark.parametrize(
    ("used", "gone", "grown"),
    [
        # Proven is 600 - used: 50 are gone by the best header so far, and 20 have grown since.
        (540, 60, 0),
        (550, 50, 0),
        (570, 30, 0),
        (571, 50, 21),
        (600, 50, 50),
    ],
)
def test_a_header_is_better_if_it_leaves_less_than_was_expected(
    used: int, gone: int, grown: int
) -> None:
    count = count_of(600, cut_at=500, gone=50)
    others = with_others(count, grown=20)

    listen(count, SentCall(100, 500, cut_before=500), used)

    assert (count.gone, others.grown) == (gone, grown)


def test_a_header_of_a_window_that_is_over_tells_nothing_of_others_in_this_one() -> None:
    count = count_of(600, cut_at=500)
    others = with_others(count, level=10)

    listen(count, SentCall(100, 500, cut_before=400), 900)
    assert (others.level, others.grown, others.heard) == (10, 0, 110.0)

    listen(count, SentCall(100, 500, cut_before=500), 900)
    assert others.level > 10


@pytest.mark.parametrize(
    ("fixed", "sent_at", "surprise"),
    [(False, 110.5, 16.0), (False, 111.5, 12.0), (True, 111.5, 16.0)],
)
def test_a_header_surprises_if_what_is_known_was_fresh_when_its_call_left_or_windows_are_fixed(
    *, fixed: bool, sent_at: float, surprise: float
) -> None:
    count = count_of(600)
    others = with_others(count)
    assert others.cushion(111.0) == 12.0

    # Eight more than the six hundred that are expected; twice as much is kept.
    listen(count, SentCall(100, 500, sent_at=sent_at), 608, fixed=fixed, now=112.0)

    assert others.cushion(112.0) == pytest.approx(surprise)


def test_our_weight_is_certain_after_the_cut_or_within_a_window() -> None:
    count = count_of(0)
    for sent in (0.0, 30.0, 90.0):
        count.take(100)
        count.answer(100, sent, sent + 0.1)
    count.cut_at = 200

    assert count._certain(89.0, fixed=True) == 100
    assert count._certain(89.0, fixed=False) == 200
    assert count._certain(91.0, fixed=False) == 100
    assert cleared(count) == count.own.forgotten == 0
    count.gone = 250
    assert cleared(count) == 250
    assert count.ours(91.0) == 50
    count.gone = 0
    assert count.ours(91.0) == 100
    assert cleared(count) == 200


def test_others_not_seen_for_ten_windows_are_forgotten_with_the_next_answer() -> None:
    count = count_of(200)
    others = with_others(count)
    others._seen = 100.0

    count.answer(100, 699.0, 700.0)
    assert count.others is others
    count.answer(100, 699.5, 700.1)
    assert count.others is None


@pytest.mark.parametrize(("used", "level"), [(700, 100), (1_300, 700)])
def test_a_first_refusal_finds_others_who_have_spent_what_ours_is_not(
    used: int, level: int
) -> None:
    count = count_of(500 if used == 1_300 else 1_100)

    count.refused(111.0, WINDOW, fixed=False)

    assert count.others is not None
    assert count.others.level == level
    # What a header told before is no worse for it.
    known: Any = count.others
    count.refused(112.0, WINDOW, fixed=False)
    assert count.others is known


@pytest.mark.parametrize(
    ("window", "share"),
    [
        (WINDOW, 600 * 60.0 / 40.0),  # together in forty seconds since the cut
        (ServerWindow(-1, float("-inf"), 141.0), None),  # the time since the cut is not known
    ],
)
def test_their_share_is_judged_from_the_cut_on_where_it_is_known(
    window: ServerWindow, share: float | None
) -> None:
    count = count_of(100)
    count.read_header(SentCall(), 700, 140.0, window, fixed=False, trusted=True)  # type: ignore[arg-type]
    assert count.others is not None

    count.cut()

    assert count.others.share == share
    assert count.cut_at == 100


def test_the_total_is_our_weight_if_no_others_were_seen() -> None:
    count = count_of(500, gone=200)
    assert count.total(111.0, fixed=True) == count.total(111.0, fixed=False) == 300

    with_others(count, level=50, grown=70)
    assert count.total(111.0, fixed=False) == 370
    assert count.total(111.0, fixed=True) == 370
    count.gone = 0
    assert count.total(111.0, fixed=False) == 550
