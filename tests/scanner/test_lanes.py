"""How far a scan is, and how long it will take: sums over the forecasts of budgets."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from binance_dust import ConfigurationError, Credentials, DustClient, Session
from binance_dust.scanner import LaneProgress, Question, ScanEstimate, estimate_scan
from binance_dust.scanner._lanes import (
    ENDPOINTS,
    LaneCounts,
    LaneEstimate,
    SeenShare,
    SessionPart,
    lanes_of,
    questions,
    seconds_left,
)

ASSETS, QUOTE, ENABLED, DEBT, LIST, WALLETS = Question


class ForetellingSession:
    """Foretells a second for each weight, and allows a hundred requests in one."""

    def __init__(self, pace: float = 100.0) -> None:
        snapshot = SimpleNamespace(requests_per_second=pace)
        self.budget = SimpleNamespace(snapshot=lambda: snapshot)
        self.asked: list[tuple[Any, int]] = []

    def forecast(self, endpoint: Any, calls: int) -> float:
        self.asked.append((endpoint, calls))
        return float(calls * endpoint.weight.cost) or 0.5


def clients_of(*sessions: Any) -> list[DustClient]:
    clients = []
    for session in sessions:
        client = object.__new__(DustClient)
        client._session = session
        clients.append(client)
    return clients


def part_of(session: Any = None) -> SessionPart:
    used: Any = session or ForetellingSession()
    return SessionPart(used, 4)


@pytest.mark.parametrize(
    ("liabilities", "asked"),
    [
        ("auto", (ASSETS, QUOTE, ENABLED, DEBT, LIST)),
        (True, (ASSETS, QUOTE, LIST)),
        (False, (ASSETS, QUOTE)),
    ],
)
def test_the_cheap_questions_come_first(liabilities: Any, asked: tuple[Question, ...]) -> None:
    assert questions(liabilities) == asked


def test_what_lies_elsewhere_is_asked_of_every_account_and_estimated() -> None:
    assert questions("auto", elsewhere=True) == (ASSETS, QUOTE, WALLETS, ENABLED, DEBT, LIST)
    assert questions(False, elsewhere=True) == (ASSETS, QUOTE, WALLETS)
    with pytest.raises(TypeError, match="elsewhere"):
        questions(False, elsewhere="yes")  # type: ignore[arg-type]

    session = Session()
    desk = [session.client(Credentials(f"key-{n}", "secret")) for n in range(1_000)]
    found = estimate_scan(desk, liabilities=False, elsewhere=True)
    (lane,) = [lane for lane in found.lanes if lane.question is WALLETS]
    assert (lane.calls, lane.weight) == (1_000, 60_000)
    assert 4 * 60 <= found.seconds <= 5 * 60 + 1
    assert found.seconds == lane.seconds
    assert estimate_scan(desk, liabilities=False).seconds < 60


@pytest.mark.parametrize("choice", ["always", None, 1])
def test_another_choice_of_questions_is_refused(choice: Any) -> None:
    with pytest.raises(ConfigurationError, match="liabilities must be True, False or 'auto'"):
        questions(choice)


def test_a_share_begins_as_expected_and_becomes_what_was_seen() -> None:
    share = SeenShare()
    assert share.value == 1.0
    for yes in (False, True, False):
        share.saw(yes=yes)
    assert share.value == 2 / 4


def test_the_usual_answer_is_the_middle_one() -> None:
    lane = LaneCounts()
    assert (lane.usual, lane.asked, lane.answered, lane.needed) == (0.0, 0, 0, 0)
    for seconds in (9.0, 1.0, 2.0):
        lane.took.append(seconds)
    assert lane.usual == 2.0
    lane.took.append(3.0)
    assert lane.usual == 3.0
    lane.took.extend([7.0] * 64)
    assert list(lane.took) == [7.0] * 64


def test_the_first_calls_of_a_lane_are_timed_and_then_each_eighth() -> None:
    lane = LaneCounts()
    timed = []
    for number in range(1, 97):
        lane.asked = number
        if lane.is_timed:
            timed.append(number)

    assert timed == [*range(1, 65), 72, 80, 88, 96]


def test_the_remaining_calls_are_those_found_needed_and_a_share_of_the_unknown_accounts() -> None:
    part = part_of()
    margin, debt = SeenShare(), SeenShare()
    for _ in range(3):
        margin.saw(yes=False)
    debt.saw(yes=False)
    part.came = 10
    part.lanes[ASSETS].asked = 4
    part.lanes[ENABLED].answered = 6
    part.lanes[DEBT].needed, part.lanes[DEBT].asked = 3, 1
    part.lanes[LIST].needed, part.lanes[LIST].asked = 5, 2
    part.debts_known = 2

    assert part.remaining(ASSETS, margin, debt) == 6
    assert part.remaining(QUOTE, margin, debt) == 10
    assert part.remaining(DEBT, margin, debt) == 2 + 4 * 0.25
    assert part.remaining(LIST, margin, debt) == 3 + 8 * 0.5
    part.accounts = 20
    assert part.remaining(ASSETS, margin, debt) == 16
    assert part.remaining(DEBT, margin, debt) == 2 + 14 * 0.25


def test_the_estimate_has_a_lane_for_each_question_of_each_session_the_slowest_first() -> None:
    one, two = ForetellingSession(), ForetellingSession()

    found = estimate_scan(clients_of(one, one, one, two))

    assert (found.accounts, found.seconds) == (4, 300.0)
    assert found.lanes[0] == LaneEstimate(0, LIST, 3, 300, 300.0)
    assert [lane.seconds for lane in found.lanes] == sorted(
        (lane.seconds for lane in found.lanes), reverse=True
    )
    assert len(found.lanes) == 10
    assert {(lane.session, lane.calls) for lane in found.lanes} == {(0, 3), (1, 1)}


@pytest.mark.parametrize(
    ("liabilities", "margin", "debt", "calls"),
    [
        ("auto", 1.0, 1.0, (10, 10)),
        ("auto", 0.5, 1.0, (5, 5)),
        ("auto", 0.5, 0.11, (5, 2)),
        ("auto", 0.0, 0.0, (0, 0)),
        (True, 0.5, 0.1, (None, 10)),
        (False, 0.5, 0.1, (None, None)),
    ],
)
def test_shares_are_of_all_accounts_and_count_only_where_cheap_questions_are_asked(
    liabilities: Any, margin: float, debt: float, calls: tuple[int | None, int | None]
) -> None:
    session = ForetellingSession()
    found = estimate_scan(
        clients_of(*[session] * 10),
        liabilities=liabilities,
        margin_share=margin,
        debt_share=debt,
    )

    by_question = {lane.question: lane.calls for lane in found.lanes}
    assert (by_question.get(DEBT), by_question.get(LIST)) == calls
    assert by_question[ASSETS] == 10


def test_where_no_weight_is_short_the_pace_of_an_address_is_the_limit() -> None:
    slow, quick = ForetellingSession(pace=0.01), ForetellingSession(pace=1.0)

    found = estimate_scan(clients_of(slow, quick, quick), liabilities=False)

    # One call at once, and nine tenths of the pace after it.
    assert found.seconds == pytest.approx(1 / 0.009)
    assert estimate_scan([]).seconds == 0.0


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan")])
@pytest.mark.parametrize("name", ["margin_share", "debt_share"])
def test_a_share_is_between_nothing_and_all(name: str, share: float) -> None:
    shares: dict[str, Any] = {name: share}
    with pytest.raises(ConfigurationError, match=name):
        estimate_scan([], **shares)


def test_an_estimate_says_what_each_lane_costs() -> None:
    lanes = (LaneEstimate(0, LIST, 3, 300, 90.0), LaneEstimate(0, DEBT, 0, 0, 0.0))

    assert str(ScanEstimate(3, 90.0, lanes)) == (
        "3 accounts in 1 min 30 s"
        " (small_liabilities 3 x 100 in 1 min 30 s, margin_account 0 x 0 in 0 s)"
    )


def test_lanes_show_what_was_asked_and_what_is_expected_for_each_session() -> None:
    one, two = part_of(), part_of()
    one.accounts, two.came = 5, 2
    one.lanes[ASSETS].asked, one.lanes[ASSETS].answered = 3, 2

    lanes = lanes_of((one, two), (ASSETS, QUOTE), SeenShare(), SeenShare())

    assert lanes == (
        LaneProgress(0, ASSETS, 3, 2, 5, 10.0),
        LaneProgress(0, QUOTE, 0, 0, 5, 5.0),
        LaneProgress(1, ASSETS, 0, 0, 2, 10.0),
        LaneProgress(1, QUOTE, 0, 0, 2, 2.0),
    )
    assert [lane.waiting for lane in lanes] == [1, 0, 0, 0]


def test_a_lane_with_no_remaining_call_takes_as_long_as_the_calls_that_wait() -> None:
    part = part_of()
    part.accounts = 3
    counts = part.lanes[ASSETS]
    counts.asked, counts.answered = 3, 2
    (lane,) = lanes_of((part,), (ASSETS,), SeenShare(), SeenShare())
    assert (lane.expected, lane.seconds_left) == (3, 0.5)
    session: Any = part.session
    assert session.asked == [(ENDPOINTS[ASSETS], 0)]

    counts.answered = 3
    (lane,) = lanes_of((part,), (ASSETS,), SeenShare(), SeenShare())
    assert lane.seconds_left == 0.0

    # More were asked than there are accounts: the remaining calls are none, not negative.
    counts.asked = 5
    (lane,) = lanes_of((part,), (ASSETS,), SeenShare(), SeenShare())
    assert lane.expected == 5


def lane_of(question: Question, answered: int, expected: int, seconds: float) -> LaneProgress:
    return LaneProgress(0, question, answered, answered, expected, seconds)


def test_the_time_left_is_that_of_the_slowest_lane_and_of_its_answers() -> None:
    part = part_of()
    part.accounts = 1
    part.lanes[ASSETS].answered = 1
    part.lanes[LIST].took.append(3.0)
    part.lanes[QUOTE].took.append(30.0)
    done, busy, quick = (
        lane_of(QUOTE, 5, 5, 99.0),
        lane_of(LIST, 4, 5, 7.0),
        lane_of(DEBT, 0, 5, 1.0),
    )

    assert seconds_left((part,), (done, busy, quick), SeenShare(), 4) == 10.0
    assert seconds_left((part,), (quick, busy), SeenShare(), 4) == 10.0
    assert seconds_left((part,), (done,), SeenShare(), 4) == 0.0


@pytest.mark.parametrize(
    ("usual", "seconds"),
    [
        ({ASSETS: 8.0}, 8.0),
        ({QUOTE: 8.0}, 8.0),
        ({ENABLED: 2.0, DEBT: 8.0}, 2.0 + 0.25 * 8.0),
        ({ASSETS: 3.0, QUOTE: 4.0, ENABLED: 4.5}, 4.5),
    ],
)
def test_where_no_lane_is_short_the_time_left_is_that_of_the_accounts_read_at_once(
    usual: dict[Question, float], seconds: float
) -> None:
    margin = SeenShare()
    for _ in range(3):
        margin.saw(yes=False)
    part = part_of()
    part.came = 12
    part.lanes[ASSETS].answered = 2
    for question, took in usual.items():
        part.lanes[question].took.append(took)

    assert seconds_left((part,), (), margin, 4) == pytest.approx(10 * seconds / 4)
    part.accounts = 22
    assert seconds_left((part, part_of()), (), margin, 4) == pytest.approx(20 * seconds / 4)


def test_where_the_pace_is_short_it_is_the_time_left_of_all_lanes_of_a_session() -> None:
    slow, quick = part_of(ForetellingSession(pace=1.0)), part_of(ForetellingSession(pace=100.0))
    lanes = (
        LaneProgress(0, ASSETS, 5, 2, 8, 7.0),
        LaneProgress(0, QUOTE, 5, 5, 9, 1.0),
        LaneProgress(1, ASSETS, 0, 0, 99, 2.0),
    )

    assert seconds_left((slow, quick), lanes, SeenShare(), 4) == pytest.approx((6 + 4 - 1) / 0.9)
    assert seconds_left((quick, slow), lanes, SeenShare(), 4) == pytest.approx((99 - 1) / 0.9)


def test_accounts_are_begun_in_their_order_as_far_as_there_is_room() -> None:
    part = part_of()
    assert part.most_under_way == 4 + 512
    part.most_under_way = 2
    clients = clients_of(*[part.session] * 4)
    for client in clients:
        part.add(client)
    assert part.came == 4

    assert [part.begin() for _ in range(3)] == [*clients[:2], None]
    part.under_way -= 1
    assert [part.begin() for _ in range(2)] == [clients[2], None]
    part.under_way -= 2
    assert [part.begin() for _ in range(2)] == [clients[3], None]
    assert part.under_way == 1


async def test_a_session_begins_with_nothing_asked_and_a_place_for_each_concurrent_account() -> (
    None
):
    part = part_of()

    assert (part.accounts, part.came, part.debts_known) == (None, 0, 0)
    for _ in range(4):
        await asyncio.wait_for(part.places.acquire(), 1.0)
    assert part.places.locked()
