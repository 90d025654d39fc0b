"""What one answer changes in what is believed of a pool: each piece of evidence by itself."""

from __future__ import annotations

import pytest

from binance_dust.budget import _beliefs
from binance_dust.budget._beliefs import Beliefs, News
from binance_dust.budget._boundary import Boundary, ServerWindow
from binance_dust.budget._count import AdmittedCall, Count
from binance_dust.budget._others import Others
from binance_dust.budget._price import Prices
from binance_dust.budget._trust import ENOUGH
from tests.budget.bench import StoppedClock

WINDOW = ServerWindow(5, 0.0, 60.0)
MOST = int(1_200 * _beliefs.ENOUGH)


class Evidence:
    """Beliefs of a pool with 1,200 in a minute, in a window that began just now."""

    def __init__(self) -> None:
        self.beliefs = Beliefs(60.0, 1_200)
        self.count = Count(60.0, 1_200)
        self.boundary = Boundary(60.0, StoppedClock())
        self.beliefs.cut(WINDOW.number)

    def send(
        self, weight: int = 100, documented: int | None = None, at: float = 0.0
    ) -> AdmittedCall:
        call = AdmittedCall(weight, documented)
        self.beliefs.admit(call, self.count, at)
        self.count.mark(call, at)
        self.count.take(weight)
        return call

    def weigh(
        self, call: AdmittedCall, used: int, at: float = 1.0, in_: ServerWindow = WINDOW
    ) -> bool:
        return self.beliefs.weigh_header(call, used, self.count, in_, at)

    def let_in(self, used: int | None, at: float = 1.0, weight: int = 100) -> None:
        call = self.send(weight, at=at)
        self.beliefs.let_in(call, used, self.count, WINDOW, at)
        self.count.answer(weight, at, at)

    def refuse(
        self, at: float = 2.0, *, first: bool = True, test: bool = False, alone: bool = True
    ) -> bool:
        call = AdmittedCall(100)
        call.number, call.test = 1 if alone else -1, test
        return self.beliefs.refused(call, self.count, at, 60.0, first=first)

    def earn(self) -> Evidence:
        for _ in range(ENOUGH):
            self.beliefs.trust.right()
        return self

    @property
    def agreed(self) -> bool:
        return self.beliefs.trusts(fixed=False)

    def highest(self, at: float) -> float:
        """Tell how much a window held when a call was let in: a refused test makes it the limit."""
        assert self.refuse(at, test=True)
        return self.beliefs.ceiling.weight


# --- headers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("used", "at", "low"),
    [
        (200, 1.0, False),
        (199, 1.0, True),
        (199, 52.4, True),
        (199, 52.5, False),
        (199, 53.0, False),
    ],
)
def test_a_header_shows_what_was_let_in_since_the_cut_until_shortly_before_the_next(
    used: int, at: float, *, low: bool
) -> None:
    evidence = Evidence()
    evidence.let_in(100)
    assert evidence.weigh(evidence.send(), used, at) is low
    assert evidence.beliefs.trust._right == (used == 200)


def test_a_header_of_another_window_or_of_its_first_call_shows_nothing() -> None:
    evidence = Evidence()
    first = evidence.send()
    assert not evidence.weigh(first, 0)
    evidence.let_in(100)
    call = evidence.send()
    assert not evidence.weigh(call, 0, in_=ServerWindow(6, 0.0, 60.0))
    evidence.beliefs.cut_number = -1
    assert not evidence.weigh(call, 0, in_=ServerWindow(-1, 0.0, 60.0))
    evidence.beliefs.cut_number = 5
    assert evidence.weigh(call, 0)
    evidence.count.cut()
    assert not evidence.weigh(call, 0)
    assert evidence.beliefs.trust._right == 0


def test_a_header_that_is_too_low_for_a_higher_weight_puts_that_in_doubt_and_not_headers() -> None:
    evidence = Evidence().earn()
    evidence.boundary.fixed = True
    evidence.beliefs.prices.of(1).learn(100)
    evidence.beliefs.refute(AdmittedCall(100, 1), evidence.boundary)

    assert not evidence.beliefs.news
    assert evidence.beliefs.prices.in_doubt(100)
    assert evidence.beliefs.cut_number == -1
    assert evidence.beliefs.trust.earned
    assert evidence.boundary.fixed


@pytest.mark.parametrize("used", [37, None])
def test_a_weight_that_no_lone_call_confirms_is_given_up_and_told(used: int | None) -> None:
    evidence = Evidence().earn()
    price = evidence.beliefs.prices.of(1)
    price.learn(100)
    evidence.beliefs.refute(AdmittedCall(100, 1), evidence.boundary)
    while not price.given_up:
        price.asked()

    call = evidence.send(100, 1)
    if used is None:
        evidence.beliefs.heard_nothing(call)
    else:
        evidence.weigh(call, used)

    assert evidence.beliefs.news == [News.WEIGHT]
    assert evidence.beliefs.prices.weight(1) == 1


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("earned", [True, False])
def test_a_header_that_is_too_low_for_a_documented_weight_refutes_headers(
    *, earned: bool, fixed: bool
) -> None:
    evidence = Evidence().earn() if earned else Evidence()
    evidence.boundary.fixed = fixed
    evidence.beliefs.refute(AdmittedCall(100), evidence.boundary)

    assert evidence.beliefs.news == [News.HEADERS] * earned + [News.NOT_FIXED] * fixed
    assert not evidence.boundary.fixed
    assert evidence.boundary.slides is fixed
    assert evidence.beliefs.cut_number == 5
    assert not evidence.beliefs.trust.earned


def test_a_header_above_the_limit_cannot_be_and_is_news_once() -> None:
    beliefs = Evidence().beliefs
    assert beliefs.is_possible(1_200)
    assert not any(beliefs.is_possible(1_201) for _ in range(2))
    assert beliefs.news == [News.HEADERS]
    assert beliefs.is_possible(1_200)
    assert beliefs.trust.odd == 0
    beliefs.set_whole(2_400)
    assert beliefs.is_possible(2_400)


def test_headers_are_believed_if_they_were_right_and_reached_all_or_windows_are_cut() -> None:
    evidence = Evidence()
    evidence.let_in(100)
    assert not evidence.beliefs.trusts(fixed=True)
    assert not evidence.agreed
    assert evidence.earn().agreed
    evidence.let_in(100)
    assert not evidence.agreed
    assert evidence.beliefs.trusts(fixed=True)


def test_headers_that_did_not_reach_all_have_to_reach_a_quarter_of_the_limit() -> None:
    evidence = Evidence().earn()
    assert not evidence.agreed
    for used, agreed in ((50, False), (200, False), (300, True)):
        evidence.let_in(used)
        assert evidence.agreed is agreed
    evidence.let_in(100, 59.5)
    assert evidence.agreed, "near the cut it may be past"
    evidence.let_in(100, 59.4)
    assert not evidence.agreed


def test_the_highest_header_of_a_window_is_what_headers_reach_and_a_cut_ends_it() -> None:
    evidence = Evidence().earn()
    evidence.let_in(600)
    evidence.let_in(100)
    assert evidence.agreed
    evidence.beliefs.cut(5)
    evidence.let_in(100)
    assert not evidence.agreed


def test_answers_of_another_window_say_nothing_about_headers() -> None:
    evidence = Evidence().earn()
    evidence.beliefs.cut_number = 4
    evidence.let_in(100)
    assert not evidence.agreed
    evidence.beliefs.cut_number = 5
    old = evidence.send()
    evidence.count.cut()
    evidence.beliefs.let_in(old, 100, evidence.count, WINDOW, 1.0)
    assert not evidence.agreed


# --- the limit -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "at", "highest"),
    [
        ([(None, 1.0)], 2.0, 100),
        ([(50, 1.0), (50, 1.5)], 2.0, 200),
        ([(300, 1.0)], 2.0, 300),
        ([(500, 0.0), (200, 60.0)], 61.0, 500),
        ([(500, 0.0), (210, 60.1)], 61.0, 210),
        ([(500, 0.0), (500, 50.0), (310, 100.0)], 101.0, 500),
    ],
)
def test_the_most_that_a_window_held_is_remembered_for_a_window(
    answers: list[tuple[int | None, float]], at: float, highest: int
) -> None:
    evidence = Evidence()
    for used, when in answers:
        evidence.let_in(used, when)
    assert evidence.highest(at) == highest
    assert evidence.beliefs.news == [News.LIMIT]


def test_all_that_is_let_in_is_news_if_it_was_believed_not_to_be() -> None:
    evidence = Evidence()
    evidence.let_in(500)
    evidence.highest(2.0)
    evidence.let_in(1_200, 3.0)
    assert evidence.beliefs.news == [News.LIMIT, News.LIMIT]
    assert evidence.beliefs.ceiling.weight > 1_200


def test_a_burst_is_explained_once_and_others_are_not_thought_of_any_more() -> None:
    evidence = Evidence()
    evidence.let_in(400)
    evidence.count.others = Others(60.0, 1_200, 0.0)
    assert not evidence.refuse()
    assert not any(evidence.refuse(first=False) for _ in range(2))
    assert evidence.refuse(first=False)
    assert evidence.count.others is None
    assert not evidence.refuse(first=False)
    assert not evidence.refuse(first=False, test=True), "one that is not the first tests nothing"


def test_a_refusal_far_below_what_was_let_in_explains_all_of_its_burst() -> None:
    evidence = Evidence()
    evidence.let_in(400)
    assert evidence.refuse()
    assert not evidence.refuse(first=False)


def test_refusals_beside_others_add_up_until_a_window_was_nearly_full() -> None:
    few, nearly = Evidence(), Evidence()
    for evidence in (few, nearly):
        evidence.count.others = Others(60.0, 1_200, 0.0)
        evidence.let_in(300)
        assert not any(evidence.refuse(first=first) for first in (True, False, False))
    assert few.refuse(3.0)
    assert few.count.others is not None, "they were seen before"

    nearly.let_in(1_080, 5.0)
    assert not nearly.refuse(6.0)
    nearly.let_in(300, 70.0)
    assert not nearly.refuse(71.0)


@pytest.mark.parametrize("alone", [True, False])
def test_a_refusal_within_a_burst_makes_weights_doubtful(
    *, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubted: list[int] = []
    monkeypatch.setattr(Prices, "doubt", lambda _, documented: doubted.append(documented))
    evidence = Evidence()
    evidence.refuse(alone=alone)
    evidence.refuse(alone=alone, first=False)
    assert doubted == ([] if alone else [100])


@pytest.mark.parametrize(
    ("number", "taken", "full"),
    [(4, 0, True), (5, 1_101, True), (5, 1_100, False), (6, 1_200, False)],
)
def test_a_window_is_full_if_it_is_past_or_has_no_room(
    number: int, taken: int, *, full: bool
) -> None:
    evidence = Evidence()
    evidence.count.own.taken = 500
    evidence.count.cut()
    evidence.count.own.taken += taken
    window = ServerWindow(number, 0.0, 60.0)
    assert evidence.beliefs.is_full(window, 100, 1_200, evidence.count) is full


@pytest.mark.parametrize(
    ("since_cut", "highest", "earned", "explained"),
    [
        (MOST - 1, 0, False, False),
        (MOST, 0, False, True),
        (0, MOST, False, False),
        (0, MOST - 1, True, False),
        (0, MOST, True, True),
    ],
)
def test_a_ban_would_not_come_again_after_much_was_let_in(
    since_cut: int, highest: int, *, earned: bool, explained: bool
) -> None:
    evidence = Evidence().earn() if earned else Evidence()
    evidence.let_in(100)
    evidence.count.since_cut = since_cut
    evidence.beliefs._highest = highest
    assert evidence.beliefs.explains_ban(evidence.count) is explained


def test_headers_that_did_not_reach_all_explain_no_ban() -> None:
    evidence = Evidence().earn()
    evidence.let_in(50)
    evidence.beliefs._highest = MOST
    assert not evidence.beliefs.explains_ban(evidence.count)


# --- weights -------------------------------------------------------------------------------------


def test_a_call_tells_its_weight_if_it_is_alone_and_follows_soon() -> None:
    evidence = Evidence()
    evidence.count.last_answer = 10.0
    assert evidence.send(at=10.5).soon is False
    beside = evidence.send(at=10.4)
    assert beside.soon
    assert beside.number < 0
    assert Evidence().send().number > 0


def test_a_weight_that_is_learnt_is_news_and_counts_for_what_was_spent() -> None:
    evidence = Evidence()
    for number in range(1, 4):
        call = evidence.send(1, at=1.0 + number / 10)
        evidence.weigh(call, 100 * number, 1.05 + number / 10)
        evidence.count.answer(1, 1.0, 1.05 + number / 10)

    assert evidence.beliefs.news == [News.WEIGHT]
    assert evidence.count.ours(2.0) == 300
    assert evidence.beliefs.explains_ban(evidence.count)
    fresh = Evidence()
    assert not fresh.beliefs.explains_ban(fresh.count)


@pytest.mark.parametrize(
    ("odd", "learnt", "firsts"),
    [
        ("", False, []),
        ("a weight in doubt", False, [True, False, True]),
        ("a weight that was learnt before", False, [True, False, True]),
        ("others", False, [True, False, True]),
        ("others", True, []),
    ],
)
def test_headers_right_after_another_are_compared_where_something_is_odd(
    odd: str,
    learnt: bool,
    firsts: list[bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(Prices, "read", lambda *_, **__: learnt)
    monkeypatch.setattr(Prices, "compare", lambda *_, first: seen.append(first))
    evidence = Evidence()
    evidence.beliefs.prices.doubtful = odd == "a weight in doubt"
    evidence.beliefs.prices.learnt = odd == "a weight that was learnt before"
    evidence.count.others = Others(60.0, 1_200, 0.0) if odd == "others" else None

    for at in (10.0, 10.4, 10.9):
        evidence.weigh(evidence.send(), 300, at)
    assert seen == firsts
