"""What is believed of limits, weights, payers and headers, and what it takes to change that."""

from __future__ import annotations

import math

import pytest

from binance_dust.budget import Charge, Feedback, LimitKind
from binance_dust.budget._beliefs import News
from binance_dust.budget._ceiling import DEAR, MOST_RISE, MOST_STEPS, SELDOM, WeightCeiling
from binance_dust.budget._payers import TO_ACCOUNT, TO_ADDRESS, Payers
from binance_dust.budget._price import ASKS, SAME, SAME_LOWER, Prices
from binance_dust.budget._trust import EASIER, ENOUGH, HARDER, MOST, ODD, HeaderTrust
from tests.budget.bench import PoolBench, burst

IP_CALL = Charge("GET /x", LimitKind.IP, 100, "alice")
UID_CALL = Charge("GET /x", LimitKind.UID, 100, "alice")
TO_IP, TO_UID = Feedback(200, used_ip=100), Feedback(200, used_uid=100)


# --- headers -------------------------------------------------------------------------------------


def test_headers_are_trusted_after_some_and_each_wrong_one_asks_for_more() -> None:
    trust = HeaderTrust()
    for _ in range(ENOUGH):
        assert not trust.earned
        trust.right()
    assert trust.earned

    assert trust.wrong()
    assert not trust.wrong(), "it was lost before"

    for _ in range(ENOUGH * HARDER):
        assert not trust.earned
        trust.right()


def needed(trust: HeaderTrust) -> int:
    """Count the right headers until it is earned."""
    count = 0
    while not trust.earned:
        trust.right()
        count += 1
    return count


def test_trust_that_was_lost_is_regained_by_more_and_later_by_fewer() -> None:
    fresh, short, long, longer = (HeaderTrust() for _ in range(4))
    for trust in (fresh, short, long, longer):
        assert needed(trust) == ENOUGH
    for _ in range(EASIER * ENOUGH):
        fresh.right()
    fresh.wrong()
    assert needed(fresh) == HARDER * ENOUGH, "never fewer than at first"

    for trust, more in ((short, -1), (long, 0), (longer, 1)):
        trust.wrong()
        assert needed(trust) == HARDER * ENOUGH
        for _ in range((EASIER - 1) * HARDER * ENOUGH + more):
            trust.right()
        trust.wrong()
    assert needed(short) == HARDER**2 * ENOUGH
    assert needed(long) == needed(longer) == HARDER**2 * ENOUGH // 2


def test_however_often_trust_is_lost_it_can_be_regained() -> None:
    trust = HeaderTrust()
    for _ in range(9):
        trust.wrong()
    assert needed(trust) == MOST


def test_a_header_that_cannot_be_is_news_once_and_nothing_when_it_is_the_rule() -> None:
    trust = HeaderTrust()

    assert [trust.impossible() for _ in range(ODD)] == [True] + [False] * (ODD - 1)
    assert trust.numb

    trust.possible()
    assert trust.odd == 0
    assert not trust.numb


# --- the limit -----------------------------------------------------------------------------------


def test_a_ceiling_is_what_was_let_in_and_is_tested_a_window_later_and_more_seldom() -> None:
    ceiling = WeightCeiling(60.0)
    assert not ceiling.test_due(1e9)

    assert ceiling.refused(6_000, 100, 10.0, 60.0)
    assert ceiling.weight == 6_000
    waits = []
    now = 10.0
    for _ in range(9):
        wait = 60.0
        while not ceiling.test_due(now + wait):
            wait += 60.0
        waits.append(wait / 60.0)
        now += wait
        assert not ceiling.refused(6_000, 100, now, 60.0), "no lower than it was"
    assert waits == [1, 2, 4, 8, 16, 32, SELDOM, SELDOM, SELDOM]


def test_a_test_that_is_let_in_raises_the_ceiling_more_and_more_up_to_the_limit() -> None:
    ceiling = WeightCeiling(60.0)
    ceiling.refused(6_000, 100, 0.0, 60.0)

    steps = []
    used = 6_000
    while ceiling.weight < math.inf:
        used = int(ceiling.weight) + 100
        before = used
        if ceiling.let_in(used, 100, 12_000, test=True):
            break
        steps.append((ceiling.weight - before) / 100)
    assert steps[:4] == [1, 2, 4, 8]
    assert max(steps) <= MOST_STEPS
    assert ceiling.weight == math.inf


def test_a_good_answer_above_the_ceiling_raises_it_to_what_was_seen_and_no_further() -> None:
    ceiling = WeightCeiling(60.0)
    ceiling.refused(6_000, 100, 0.0, 60.0)

    assert not ceiling.let_in(6_300, 100, 12_000, test=False)
    assert ceiling.weight == 6_300
    assert not ceiling.let_in(6_200, 100, 12_000, test=True)
    assert ceiling.weight == 6_300, "a test that found room below says nothing"
    assert ceiling.let_in(12_000, 100, 12_000, test=False)
    assert ceiling.weight == math.inf


def test_a_refusal_begins_the_steps_anew_and_they_are_a_part_of_the_ceiling_at_most() -> None:
    ceiling = WeightCeiling(60.0)
    ceiling.refused(1_000, 100, 0.0, 60.0)
    steps = []
    for _ in range(4):
        used = int(ceiling.weight) + 1
        assert not ceiling.let_in(used, 100, 12_000, test=True)
        steps.append(ceiling.weight - used)
    assert steps == [100, 200, 1303 * MOST_RISE, 1629 * MOST_RISE]

    ceiling.refused(1_000, 100, 0.0, 60.0)
    assert not ceiling.let_in(1_000, 100, 12_000, test=True)
    assert ceiling.weight == 1_000, "nothing above it was let in"
    ceiling.let_in(1_001, 100, 12_000, test=True)
    assert ceiling.weight == 1_101


def test_what_is_let_in_above_a_ceiling_is_followed_by_the_next_test_at_once() -> None:
    ceiling = WeightCeiling(60.0)
    ceiling.refused(1_000, 100, 0.0, 60.0)
    assert not ceiling.test_due(30.0)
    ceiling.let_in(1_001, 100, 12_000, test=True)
    assert ceiling.test_due(30.0)


def test_a_limit_that_is_doubted_again_is_tested_as_soon_as_the_first_time() -> None:
    ceiling = WeightCeiling(60.0)
    for now in (0.0, 60.0, 180.0):
        ceiling.refused(1_000, 100, now, 60.0)
    assert ceiling.let_in(12_000, 100, 12_000, test=False)
    assert not ceiling.test_due(1e9)

    ceiling.refused(1_000, 100, 500.0, 60.0)
    assert ceiling.test_due(560.0)


# --- weights -------------------------------------------------------------------------------------


def lone(prices: Prices, used: int, *, documented: int = 1, soon: bool = True) -> bool:
    return prices.read(documented, prices.admit(alone=True), used, soon=soon)


def test_the_same_difference_three_times_is_a_higher_weight() -> None:
    prices = Prices()

    assert [lone(prices, used) for used in (100, 200, 300)] == [False] * (SAME - 1) + [True]
    assert prices.weight(1) == 100
    assert prices.newest.documented == 1


def test_differences_that_vary_are_others() -> None:
    prices = Prices()

    assert not any(lone(prices, used) for used in (100, 230, 330, 450, 520))
    assert prices.weight(1) == 1


@pytest.mark.parametrize("soon", [True, False])
def test_only_calls_that_follow_at_once_tell(soon: bool) -> None:
    prices = Prices()
    lone(prices, 100)

    for used in (200, 300, 400):
        lone(prices, used, soon=soon)

    assert (prices.weight(1) == 100) is soon


def test_calls_beside_others_of_ours_tell_nothing() -> None:
    prices = Prices()
    number = prices.admit(alone=True)
    prices.admit(alone=False)

    assert not prices.read(1, number, 100, soon=True)
    assert not any(lone(prices, used) for used in (200, 300, 400))


def test_calls_that_tell_nothing_leave_it_to_others_if_nothing_is_in_doubt() -> None:
    prices = Prices()
    for _ in range(ASKS):
        prices.heard_nothing(1, prices.admit(alone=False), soon=True)
        prices.read(1, prices.admit(alone=False), 100, soon=True)
    lone(prices, 100)
    lone(prices, 200)
    assert prices.in_doubt(1)
    assert not prices.in_doubt(100)


def test_a_late_answer_without_a_header_leaves_the_last_header_alone() -> None:
    prices = Prices()
    late = prices.admit(alone=True)
    lone(prices, 100)
    prices.heard_nothing(1, late, soon=True)
    assert [lone(prices, used) for used in (200, 300)] == [False, True]


@pytest.mark.parametrize("used", [[99] * 5, [100, 300, 500, 700, 900]])
def test_lone_calls_with_another_in_between_tell_nothing(used: list[int]) -> None:
    prices = Prices()
    for each in used:
        assert not prices.read(1, prices.admit(alone=False), each - 50, soon=True)
        assert not lone(prices, each)
        assert not prices.doubtful

    assert prices.weight(1) == 1


def test_headers_that_stand_still_are_no_weight() -> None:
    prices = Prices()
    assert not any(lone(prices, 100) for _ in range(2 * SAME_LOWER))
    assert prices.weight(1) == 1


def test_a_lower_weight_takes_more_of_them() -> None:
    prices = Prices()

    heard = [lone(prices, 5 * number, documented=100) for number in range(1, SAME_LOWER + 1)]

    assert heard == [False] * (SAME_LOWER - 1) + [True]
    assert prices.weight(100) == 5


def test_doubt_ends_after_some_calls_whatever_they_tell() -> None:
    prices = Prices()
    assert not prices.in_doubt(1)
    lone(prices, 100)
    assert prices.in_doubt(1)

    for _ in range(ASKS):
        lone(prices, 100)  # headers that stand still

    assert not prices.in_doubt(1)


def test_a_weight_in_doubt_is_looked_at_by_some_calls_and_again_after_a_refusal() -> None:
    prices = Prices()
    prices.of(5)
    assert not prices.doubtful
    lone(prices, 100, soon=False)
    for number in range(1, ASKS + 1):
        assert prices.doubtful
        assert prices.in_doubt(1)
        assert not prices.in_doubt(5)
        lone(prices, 100 + 100 * number + 10 * number**2)
    assert not prices.doubtful
    assert not prices.in_doubt(1)

    prices.doubt(1)
    assert prices.doubtful
    assert prices.in_doubt(1)


def test_calls_that_weigh_what_is_believed_end_the_doubt_but_not_the_learning() -> None:
    prices = Prices()
    assert prices.weight(1) == 1
    for used in range(1, ASKS + 1):
        assert not lone(prices, used)
    assert not lone(prices, 106)
    assert not prices.doubtful
    assert [lone(prices, used) for used in (206, 306, 406, 506)] == [False, True, False, False]
    assert prices.newest.documented == 1

    prices.doubt(1)
    assert not lone(prices, 606), "that is known"
    lone(prices, 611, documented=5)
    assert prices.newest.documented == 1
    assert [lone(prices, 611 + n) for n in range(1, SAME + 1)] == [False] * (SAME - 1) + [True]
    assert prices.weight(1) == 1, "the documents need no more than a higher weight"


def test_doubt_ends_with_the_first_call_that_adds_what_is_believed() -> None:
    prices = Prices()
    prices.doubt(1)
    assert prices.in_doubt(1)
    lone(prices, 7)
    assert prices.in_doubt(1), "others may have spent the rest of it before"
    lone(prices, 8)

    assert not prices.in_doubt(1)


def test_calls_that_could_not_tell_leave_the_doubt_and_those_without_a_header_end_it() -> None:
    prices = Prices()
    prices.doubt(1)
    for _ in range(2 * ASKS):
        lone(prices, 100, soon=False)
        prices.heard_nothing(1, prices.admit(alone=True), soon=False)
    assert prices.in_doubt(1)

    for _ in range(ASKS):
        prices.heard_nothing(1, prices.admit(alone=True), soon=True)
    assert not prices.in_doubt(1)


def test_answers_to_calls_that_left_after_the_refusal_end_the_doubt_where_none_goes_alone() -> None:
    prices = Prices()
    before = [prices.admit(alone=False) for _ in range(2 * ASKS)]
    prices.doubt(1)
    for number in before:
        prices.read(1, number, 100, soon=True)
        prices.heard_nothing(1, number, soon=True)
    assert prices.in_doubt(1)

    after = [prices.admit(alone=False) for _ in range(ASKS + 1)]
    for number in after[:3]:
        prices.read(1, number, 100, soon=True)
    for number in after[3:-1]:
        assert prices.in_doubt(1)
        prices.heard_nothing(1, number, soon=False)
    assert not prices.in_doubt(1)
    assert not prices.doubtful


def test_a_header_that_is_missing_makes_the_next_one_tell_nothing() -> None:
    prices = Prices()
    lone(prices, 1)
    prices.heard_nothing(1, prices.admit(alone=True), soon=True)
    lone(prices, 3)

    assert [lone(prices, used) for used in (5, 7)] == [False, False]


@pytest.mark.parametrize(
    ("headers", "weight"),
    [
        ((3_070, 570, 1_070, 1_570, 2_070, 2_570, 3_570), 500),
        ((570, 1_070, 1_090, 1_590, 2_090, 2_590, 3_090, 3_590, 4_090), 500),  # others between
        ((500, 500, 1_000, 1_000, 1_500, 1_500, 2_000, 2_500, 3_000, 3_500), 500),
        (tuple(range(400, 3_200, 400)), 400),  # 4,096 to one
        (tuple(range(200, 2_800, 200)), 200),
    ],
)
def test_headers_of_one_moment_that_differ_by_multiples_are_a_higher_weight(
    headers: tuple[int, ...], weight: int
) -> None:
    prices = Prices()
    prices.doubt(100)

    assert [prices.compare(100, used) for used in headers].index(True) == len(headers) - 1
    assert prices.weight(100) == prices.newest.weight == weight
    assert prices.learnt
    assert not prices.doubtful


@pytest.mark.parametrize(
    "headers",
    [
        (500, 600, 700, 800, 900, 1_000, 1_100, 1_200),  # what is believed
        (500, 550, 650, 750, 900, 1_000, 1_100, 1_250),  # others, too
        (500, 500, 500, 500, 500, 500, 500, 500, 500),  # that stand still
        (550, 600, 650, 700, 750, 800, 850, 900, 950),  # less than is believed
        (200, 400, 600, 800, 1_000, 1_200),  # not enough of them
        (30_000, 60_000, 30_000, 90_000, 30_000, 60_000),  # likewise: three times what it is
    ],
)
def test_headers_that_are_no_proof_of_a_weight(headers: tuple[int, ...]) -> None:
    prices = Prices()

    assert not any(prices.compare(100, used) for used in headers)
    assert not prices.learnt


def test_headers_of_one_moment_do_not_bring_the_documents_back() -> None:
    prices = Prices()
    for number in range(1, SAME_LOWER + 1):
        lone(prices, 50 * number, documented=100)
    assert prices.weight(100) == 50

    assert not any(prices.compare(100, 100 * number) for number in range(1, 20))


def test_calls_of_two_weights_are_not_compared() -> None:
    prices = Prices()
    lone(prices, 1, documented=1)

    assert not any(prices.compare(100, 500 * number) for number in range(1, 20))


def learnt(weight: int) -> Prices:
    prices = Prices()
    for number in range(1, SAME + 1):
        lone(prices, weight * number)
    assert prices.weight(1) == weight
    return prices


@pytest.mark.parametrize("added", [100, 150, None])
def test_a_weight_that_a_header_is_too_low_for_stays_if_a_lone_call_confirms_it(
    added: int | None,
) -> None:
    """Windows may be shorter than believed, which explains the header, too."""
    prices = learnt(100)
    prices.refute(1)
    assert prices.doubtful
    assert prices.in_doubt(100)

    used = 0
    for _ in range(ASKS):
        assert prices.weight(1) == 100
        assert not prices.give_up()
        if added is None:
            prices.heard_nothing(1, prices.admit(alone=True), soon=True)
        else:
            used += added + (used % 7)  # others spend something else each time
            lone(prices, used)
        if not prices.doubtful:
            break

    assert prices.give_up() is (added != 100)
    assert prices.weight(1) == (100 if added == 100 else 1)
    assert not prices.doubtful
    for _ in range(ASKS):
        assert not prices.give_up(), "that is no news"
        lone(prices, used := used + 100)


@pytest.mark.parametrize("refuted", [False, True])
def test_a_weight_that_was_learnt_is_not_given_up_for_what_tells_nothing(*, refuted: bool) -> None:
    prices = learnt(100)
    if refuted:
        prices.refute(1)
        assert [lone(prices, used) for used in (450, 600, 750)] == [False, False, True]
    prices.of(5)
    assert prices.learnt
    for _ in range(ASKS):
        lone(prices, 750 if refuted else 300)  # headers that stand still
    assert not prices.give_up()
    assert prices.learnt


def test_headers_of_different_moments_are_not_compared() -> None:
    prices = Prices()
    for number in range(1, 40):
        assert not prices.compare(100, 1_820 * (number % 5), first=True)
    assert not any(prices.compare(100, 1_820 * number) for number in range(5, 10))
    assert prices.compare(100, 1_820 * 10), "these are of one moment"


@pytest.mark.parametrize(
    ("headers", "gone"),
    [
        ((500, 495), True),
        ((500, 505), True),
        ((500, 600), False),
        ((500, 300, 700), False),
        ((50,), False),  # the first one
    ],
)
def test_headers_of_one_moment_that_differ_by_less_disprove_a_weight(
    headers: tuple[int, ...], gone: bool
) -> None:
    prices = learnt(100)
    assert not any(prices.compare(1, used) for used in headers)

    assert prices.doubtful is gone
    assert prices.give_up() is gone
    assert prices.weight(1) == (1 if gone else 100)


def test_a_call_that_went_first_tells_although_others_left_before_its_answer() -> None:
    """They left a while later: nobody waits for the first one for ever."""
    prices = Prices()
    number = prices.admit(alone=True, first=True)
    prices.admit(alone=False)

    assert not prices.read(1, number, 100, soon=True)
    assert prices.doubtful
    assert not prices.read(1, prices.admit(alone=True), 200, soon=True), "not the next one"
    assert prices.weight(1) == 1


# --- refusals ------------------------------------------------------------------------------------


def test_four_refusals_far_below_the_limit_are_its_doing_although_others_were_seen() -> None:
    """They add up as long as no window was nearly full."""
    bench = PoolBench()
    bench.spend(100, 0.0, used=500)
    calls = burst(bench, 1, 0.5)
    bench.refuse(calls[0], 5.0, 0.6)
    for at in (10.0, 20.0):
        assert bench.refuse(bench.send(100, at), 5.0, at + 0.1) is None
    assert bench.pool.whole == 1_200

    assert bench.refuse(bench.send(100, 30.0), 5.0, 30.1) is News.LIMIT
    assert bench.pool.whole == 500


def test_refusals_are_forgotten_once_a_window_was_nearly_full() -> None:
    bench = PoolBench()
    bench.spend(100, 0.0, used=500)
    for at in (10.0, 20.0, 30.0):
        call = bench.send(100, at)
        bench.refuse(call, 5.0, at + 0.1)
    bench.spend(100, 40.0, used=1_100)

    bench.pool.refuse(call, 5.0, 50.0)
    assert bench.news() is None
    assert bench.pool.whole == 1_200


def test_a_ban_in_a_burst_of_refusals_counts_as_one_and_alone_it_does_not() -> None:
    bench = PoolBench()
    bench.spend(100, 0.0)
    calls = burst(bench, 6, 1.0)
    for call in calls[:2]:
        bench.pool.bar(call, 1.1)
    assert bench.pool.whole == 1_200

    for call in calls[2:4]:
        bench.refuse(call, 5.0, 1.1)
    bench.pool.bar(calls[4], 1.2)
    assert bench.pool.whole == 1_200
    bench.pool.bar(calls[5], 1.2)

    assert bench.pool.whole == 100


def test_what_explains_a_ban_is_much_that_was_let_in_since_or_what_was_learnt() -> None:
    bench = PoolBench()
    bench.spend(100, 0.0)
    assert not bench.pool.beliefs.explains_ban(bench.pool.count)
    bench.spend(100, 1.0, used=899)
    assert not bench.pool.beliefs.explains_ban(bench.pool.count)
    bench.spend(100, 2.0, used=900)
    assert bench.pool.beliefs.explains_ban(bench.pool.count)

    learnt = PoolBench().pool
    learnt.beliefs.ceiling.weight = 600
    assert learnt.beliefs.explains_ban(learnt.count)


# --- payers --------------------------------------------------------------------------------------


def test_one_answer_proves_nothing_and_more_are_needed_for_what_lets_more_through() -> None:
    for charge, answer, needed, payer in (
        (IP_CALL, TO_UID, TO_ACCOUNT, LimitKind.UID),
        (UID_CALL, TO_IP, TO_ADDRESS, LimitKind.IP),
    ):
        payers = Payers()
        heard = [payers.read(charge, answer) for _ in range(needed)]
        assert heard == [None] * (needed - 1) + [payer]
        assert payers.of("GET /x", charge.kind) is payer


def test_an_answer_that_agrees_begins_the_evidence_anew() -> None:
    payers = Payers()
    for _ in range(3 * TO_ACCOUNT):
        for _ in range(TO_ACCOUNT - 1):
            assert payers.read(IP_CALL, TO_UID) is None
        payers.read(IP_CALL, TO_IP)

    assert payers.of("GET /x", LimitKind.IP) is LimitKind.IP


def test_one_answer_undoes_what_was_learnt_and_not_what_the_user_knows() -> None:
    learnt = Payers()
    for _ in range(TO_ADDRESS):
        learnt.read(UID_CALL, TO_IP)
    assert learnt.read(IP_CALL, TO_UID) is LimitKind.UID

    known = Payers({"GET /x": LimitKind.IP})
    assert known.read(IP_CALL, TO_UID) is None
    assert known.of("GET /x", LimitKind.UID) is LimitKind.IP


@pytest.mark.parametrize(
    ("charge", "answer"),
    [
        (IP_CALL, Feedback(200)),
        (IP_CALL, Feedback(200, used_ip=1, used_uid=1)),
        (Charge("GET /x", LimitKind.IP, 1), TO_UID),
        (Charge("GET /x", LimitKind.REQUEST, 1, "alice"), TO_UID),
        (Charge("GET /x", LimitKind.REQUEST, 1, "alice"), TO_IP),
        (UID_CALL, TO_UID),
    ],
)
def test_answers_that_do_not_tell(charge: Charge, answer: Feedback) -> None:
    payers = Payers()

    assert [payers.read(charge, answer) for _ in range(2 * TO_ACCOUNT)] == [None] * 2 * TO_ACCOUNT


def test_an_answer_that_does_not_tell_leaves_the_evidence_alone() -> None:
    payers = Payers()
    for _ in range(TO_ACCOUNT - 1):
        payers.read(IP_CALL, TO_UID)
    assert payers.read(IP_CALL, Feedback(200)) is None
    assert payers.read(IP_CALL, TO_UID) is LimitKind.UID


def test_calls_that_were_charged_before_a_payer_was_learnt_change_nothing() -> None:
    payers = Payers()
    told = [payers.read(IP_CALL, TO_UID) for _ in range(TO_ACCOUNT + 3)]
    assert told == [None] * (TO_ACCOUNT - 1) + [LimitKind.UID] + [None] * 3
    assert payers.of("GET /x", LimitKind.IP) is LimitKind.UID


def test_what_was_undone_needs_its_evidence_again() -> None:
    payers = Payers()
    for _ in range(TO_ADDRESS):
        payers.read(UID_CALL, TO_IP)
    assert payers.read(IP_CALL, TO_UID) is LimitKind.UID

    heard = [payers.read(UID_CALL, TO_IP) for _ in range(TO_ADDRESS)]
    assert heard == [None] * (TO_ADDRESS - 1) + [LimitKind.IP]


@pytest.mark.parametrize("used", [100, 200])
def test_of_two_that_are_charged_the_address_pays(used: int) -> None:
    payers, both = Payers(), Feedback(200, used_ip=used, used_uid=200)

    assert [payers.read(UID_CALL, both) for _ in range(TO_ADDRESS)][-1] is LimitKind.IP
    assert [payers.read(IP_CALL, both) for _ in range(2 * TO_ACCOUNT)] == [None] * 2 * TO_ACCOUNT


def test_a_header_of_the_address_that_does_not_hold_the_call_is_no_second_charge() -> None:
    payers = Payers()
    odd = Feedback(200, used_ip=99, used_uid=200)

    assert [payers.read(UID_CALL, odd) for _ in range(2 * TO_ADDRESS)] == [None] * 2 * TO_ADDRESS


def test_a_refusal_refutes_that_accounts_pay_and_then_more_evidence_is_needed() -> None:
    payers = Payers()
    refused = Feedback(429, retry_after=10.0)
    assert payers.read(IP_CALL, refused) is None
    for _ in range(TO_ACCOUNT):
        learnt = payers.read(IP_CALL, TO_UID)
    assert learnt is LimitKind.UID

    assert payers.read(IP_CALL, refused) is LimitKind.IP
    assert payers.read(UID_CALL, refused) is None, "it is undone already"
    assert payers.of("GET /x", LimitKind.IP) is LimitKind.IP
    told = [payers.read(IP_CALL, TO_UID) for _ in range(8 * TO_ACCOUNT)]
    assert told == [None] * (8 * TO_ACCOUNT - 1) + [LimitKind.UID]


def test_a_refusal_says_nothing_against_the_address_that_was_learnt_to_pay() -> None:
    payers = Payers()
    for _ in range(TO_ADDRESS):
        payers.read(UID_CALL, TO_IP)

    assert payers.read(IP_CALL, Feedback(429, retry_after=10.0)) is None
    assert payers.read(IP_CALL, TO_UID) is LimitKind.UID, "one answer undoes it still"


def test_a_test_of_the_ceiling_that_shut_the_pool_for_minutes_is_put_off_for_much_longer() -> None:
    short, long = WeightCeiling(60.0), WeightCeiling(60.0)
    short.refused(6_000, 100, 0.0, 60.0)
    long.refused(6_000, 100, 0.0, 300.0)

    assert short.test_due(60.0)
    assert not long.test_due(60.0 + DEAR * 240.0 - 1.0)
    assert long.test_due(60.0 + DEAR * 240.0)
