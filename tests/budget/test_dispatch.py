"""The dispatcher by itself, without a loop: which calls go next, and what a subclass is told."""

from __future__ import annotations

import math
from typing import Any

import pytest

from binance_dust.budget import Charge, Feedback, Lane, LimitKind, RateLimits
from binance_dust.budget._boundary import ServerWindow
from binance_dust.budget._count import PoolCall
from binance_dust.budget._dispatch import Dispatcher
from binance_dust.budget._gates import AT_ONCE
from binance_dust.budget._pool import Pool
from binance_dust.budget._queue import Queue, Waiter
from binance_dust.errors import BudgetExceededError, DustError
from tests.budget.bench import StoppedClock

LIST = Charge("GET /list", LimitKind.IP, 100)
MARGIN = Charge("GET /margin", LimitKind.IP, 10)


class KeepingDispatcher(Dispatcher[Waiter, PoolCall]):
    """Keeps what follows."""

    def __init__(self, **limits: Any) -> None:
        self.clock = StoppedClock(1_000.0)
        super().__init__(RateLimits(**{"requests_per_second": 1e6, **limits}), self.clock)
        self.calls: list[PoolCall] = []
        self.errors: list[DustError] = []
        self.watched: dict[Pool, float] = {}

    def _make(self, pool: Pool, weight: int, documented: int, _waiter: Any, /) -> PoolCall:
        call = PoolCall(weight, documented)
        call.pool = pool
        return call

    def _grant(self, waiter: Waiter, call: PoolCall, now: float) -> None:
        self.calls.append(call)

    def _refuse(self, waiter: Waiter, error: DustError) -> None:
        self.errors.append(error)

    def _tell(self, event: Any) -> None: ...

    def _watch(self, pool: Pool, _queue: Queue[Waiter], at: float, now: float, /) -> None:
        self.watched[pool] = at

    def _watch_pace(self, now: float, /) -> None: ...

    def ask(
        self, charge: Charge, lane: Lane = Lane.CALL, deadline: float | None = None
    ) -> PoolCall | None:
        """Ask for a call, or let it wait; give the one that was admitted at once."""
        pool, now, before = self._pools.of(charge), self.clock.at, len(self.calls)
        self._join(pool, Waiter(charge.weight, lane, now), deadline, now)
        self.look(pool, now)
        return self.calls[before] if len(self.calls) > before else None

    def good(self, call: PoolCall, used: int | None = None, status: int = 200) -> None:
        self.settle(call, Feedback(status, used_ip=used), self.clock.at)

    def pool(self, charge: Charge = LIST) -> Pool:
        return self._pools.of(charge)


def opened(**limits: Any) -> KeepingDispatcher:
    """A dispatcher whose pool of lists has had an answer."""
    plain = KeepingDispatcher(**limits)
    first = plain.ask(LIST)
    assert first is not None
    plain.good(first)
    plain.calls.clear()
    return plain


def of_account(name: str) -> Charge:
    return Charge("POST /exchange", LimitKind.UID, 3_000, name)


def answer_uid(plain: KeepingDispatcher, call: PoolCall) -> None:
    plain.settle(call, Feedback(200, used_uid=3_000), plain.clock.at)


def ban(plain: KeepingDispatcher, call: PoolCall) -> None:
    plain.settle(call, Feedback(418, retry_after=60.0), plain.clock.at)


def test_after_a_ban_a_few_go_at_a_time_until_much_was_let_in() -> None:
    """Also in pools that are opened later; what accounts pay for is left alone."""
    plain = opened()
    call = plain.ask(LIST)
    assert call is not None
    ban(plain, call)
    plain.clock.at += 100.0
    for charge in (LIST, MARGIN):
        first = plain.ask(charge)
        assert first is not None
        plain.good(first, charge.weight)
        calls = [plain.ask(charge) for _ in range(AT_ONCE + 1)]
        assert [call is not None for call in calls] == [True] * AT_ONCE + [False]
        assert plain.pool(charge).valve.careful

        assert calls[0] is not None
        plain.pool(charge).count.since_cut = 9_000 - charge.weight
        plain.good(calls[0])
        assert not plain.pool(charge).valve.careful
        assert plain.pool(charge).valve.open
    assert not plain.pool(of_account("a")).valve.careful


def test_the_care_after_a_ban_ends_with_a_good_answer_to_a_call_that_went_first() -> None:
    plain = opened()
    old, banned = plain.ask(LIST), plain.ask(LIST)
    assert old is not None
    assert banned is not None
    ban(plain, banned)
    plain.pool().beliefs.ceiling.weight = 6_000  # the cause is found
    plain.clock.at += 100.0

    plain.good(old)
    assert plain.pool().valve.careful, "it left before the ban"
    first = plain.ask(LIST)
    assert first is not None
    plain.lose(first, plain.clock.at)
    assert plain.pool().valve.careful, "nothing was heard"
    first = plain.ask(LIST)
    assert first is not None
    plain.good(first)
    assert not plain.pool().valve.careful


def test_a_ban_that_ends_a_burst_of_refusals_is_one_of_them() -> None:
    """Of four together each pool learns that less is let in than is documented."""
    plain = opened()
    calls = [plain.ask(LIST) for _ in range(4)]
    assert None not in calls
    *refused, banned = (call for call in calls if call)
    for call in refused:
        plain.settle(call, Feedback(429, retry_after=50.0), plain.clock.at)
    assert plain.pool().whole == 12_000

    ban(plain, banned)

    assert plain.pool().whole < 12_000
    assert not plain.pool().valve.careful, "that explains the ban"


@pytest.mark.parametrize(
    "answer",
    [
        Feedback(418, retry_after=60.0),
        Feedback(429, retry_after=60.0),
        Feedback(403, walled=True),
        Feedback(200, retry_after=60.0, banned_until=1.0),
    ],
)
def test_what_was_refused_may_count_and_proves_nothing(answer: Feedback) -> None:
    plain = opened()
    call = plain.ask(LIST)
    assert call is not None
    own = plain.pool().count.own
    before = own.answered

    plain.settle(call, answer, plain.clock.at)

    assert own.answered == before
    assert own.spent(plain.clock.at) == 200


def test_a_ban_that_is_explained_needs_no_such_care() -> None:
    plain = opened()
    plain.pool().beliefs.ceiling.weight = 6_000
    call = plain.ask(LIST)
    assert call is not None
    ban(plain, call)

    assert not plain.pool().valve.careful


def test_a_firewall_needs_no_such_care() -> None:
    walled = opened()
    for _ in range(2):
        call = walled.ask(LIST)
        assert call is not None
        walled.settle(call, Feedback(403, walled=True), walled.clock.at)
    assert walled._gate.until > walled.clock.at
    assert not walled.pool().valve.careful


def test_an_error_without_a_header_does_not_open_a_pool_and_one_with_a_header_does() -> None:
    for used, opens in ((None, False), (100, True)):
        plain = KeepingDispatcher()
        plain.pool().beliefs.ceiling.weight = 6_000  # after a ban that would be enough
        first = plain.ask(LIST)
        assert first is not None
        plain.good(first, used, status=400)
        assert plain.pool().valve.open is opens


def test_a_refusal_of_the_address_holds_for_accounts_that_pay_from_then_on() -> None:
    plain = opened()
    call = plain.ask(Charge("POST /exchange", LimitKind.IP, 3_000, "a"))
    assert call is not None
    plain.settle(call, Feedback(429, retry_after=50.0), plain.clock.at)

    assert plain.ask(of_account("a")) is None
    plain.clock.at += 50.0
    assert plain.ask(of_account("b")) is not None


def test_waiters_behind_a_door_are_told_of_a_refusal_for_minutes_and_so_are_those_who_come() -> (
    None
):
    plain = KeepingDispatcher()
    first = plain.ask(of_account("a"))
    assert first is not None
    pool = plain.pool(of_account("b"))
    plain._join(pool, Waiter(3_000, Lane.CALL, plain.clock.at, 60.0), None, plain.clock.at)

    plain.settle(first, Feedback(429, retry_after=300.0), plain.clock.at)

    assert [error.retry_after for error in plain.errors] == [300.0]  # type: ignore[attr-defined]
    with pytest.raises(BudgetExceededError):
        plain._join(pool, Waiter(3_000, Lane.CALL, plain.clock.at, 60.0), None, plain.clock.at)


def test_a_refusal_of_one_account_for_minutes_is_told_though_others_may_go() -> None:
    plain = KeepingDispatcher()
    for answer in (Feedback(200, used_uid=3_000), Feedback(429, retry_after=300.0)):
        call = plain.ask(of_account("a"))
        assert call is not None
        plain.settle(call, answer, plain.clock.at)

    for name, told in (("a", True), ("b", False)):
        waiter = Waiter(3_000, Lane.CALL, plain.clock.at, 60.0)
        pool = plain.pool(of_account(name))
        if told:
            with pytest.raises(BudgetExceededError):
                plain._join(pool, waiter, None, plain.clock.at)
        else:
            plain._join(pool, waiter, None, plain.clock.at)


def test_refusals_in_a_row_add_up_for_those_who_wait_behind_a_door() -> None:
    plain = KeepingDispatcher()
    call = plain.ask(of_account("a"))
    for name in "bc":
        waiter = Waiter(3_000, Lane.CALL, plain.clock.at, 60.0)
        plain._join(plain.pool(of_account(name)), waiter, None, plain.clock.at)
    for told in (0, 1):
        assert call is not None
        plain.settle(call, Feedback(429, retry_after=50.0), plain.clock.at)
        assert len(plain.errors) == told
        plain.clock.at += 50.0
        plain._look_at_all(plain.clock.at)
        call = plain.calls[-1] if plain.calls else None


def test_the_only_call_that_waits_leaves_the_reserve_to_the_witness_if_a_cut_is_near() -> None:
    for number, opens, sliding, takes in (
        (7, 4.0, False, 64.0),
        (7, 9.0, False, 63.0),
        (7, 4.0, True, 63.0),
        (-1, 4.0, False, 63.0),  # by then the exchange's time may be known, and that is no cut
    ):
        plain = opened()
        pool = plain.pool()
        pool.boundary.slides = sliding
        pool.current = ServerWindow(number, 1_000.0, 1_060.0 + opens)
        assert plain._reserve_at(pool, Waiter(100, Lane.CALL, 1_060.0)) == 1_000.0 + takes


def test_a_refusal_of_an_account_shuts_the_address_too_which_may_be_meant() -> None:
    plain = KeepingDispatcher()
    address = plain.pool(Charge("POST /exchange", LimitKind.IP, 3_000, "a"))
    call = plain.ask(of_account("a"))
    assert call is not None

    plain.settle(call, Feedback(429, retry_after=50.0), plain.clock.at)

    assert address.valve.until == plain.clock.at + 50.0


@pytest.mark.parametrize("end", ["answered", "lost", "released", "elsewhere", "refused"])
def test_the_first_call_of_all_accounts_goes_alone(end: str) -> None:
    plain = KeepingDispatcher()
    first = plain.ask(of_account("a"))
    assert first is not None
    for name in "bcd":
        assert plain.ask(of_account(name)) is None

    now = plain.clock.at
    match end:
        case "answered":
            answer_uid(plain, first)
        case "lost":
            plain.lose(first, now)
        case "released":
            plain.give_back(first, now)
        case "elsewhere":
            plain.settle(first, Feedback(200, used_ip=3_000), now)
        case _:
            plain.settle(first, Feedback(429, retry_after=30.0), now)

    others = len(plain.calls) - 1
    assert others == {"answered": 3, "refused": 0}.get(end, 1)


def test_a_door_that_was_opened_lets_accounts_of_one_endpoint_go_and_no_other() -> None:
    plain = KeepingDispatcher()
    first = plain.ask(of_account("a"))
    other = plain.ask(Charge("POST /other", LimitKind.UID, 10, "a"))
    assert first is not None
    assert other is not None
    assert plain.ask(Charge("POST /other", LimitKind.UID, 10, "b")) is None
    assert plain.ask(of_account("b")) is None

    answer_uid(plain, first)

    assert [call.pool.name for call in plain.calls] == [
        "POST /exchange",
        "POST /other",
        "POST /exchange",
    ]


def test_scans_leave_a_part_to_single_calls_unless_all_that_waits_fits_in() -> None:
    plain = opened()
    for _ in range(119):
        plain.ask(LIST, Lane.SCAN)
    assert len(plain.calls) == 109  # ten of 120 are kept, and one was the first

    plain.clock.at += 1.0
    assert plain.ask(LIST) is not None


def test_a_few_scans_that_have_waited_take_what_is_kept() -> None:
    plain = opened()
    for _ in range(118):
        plain.ask(LIST, Lane.SCAN)
    assert len(plain.calls) == 109
    assert plain.watched[plain.pool()] == plain.clock.at + 0.5
    plain.clock.at += 0.5

    plain.look(plain.pool(), plain.clock.at)

    assert len(plain.calls) == 118


@pytest.mark.parametrize("refused", ["pool", "address", "account"])
def test_a_call_that_has_not_left_stops_at_a_refusal_and_no_other(refused: str) -> None:
    plain = opened()
    first = plain.ask(of_account("a"))
    assert first is not None
    answer_uid(plain, first)
    charge, other = (of_account("b"), of_account("a")) if refused == "account" else (LIST, LIST)
    waiting, elsewhere, call = plain.ask(charge), plain.ask(of_account("c")), plain.ask(other)
    assert waiting is not None
    assert elsewhere is not None
    assert call is not None
    assert not waiting.stopped(plain._gate)

    status = 418 if refused == "address" else 429
    plain.settle(call, Feedback(status, retry_after=60.0), plain.clock.at)

    assert waiting.stopped(plain._gate)
    assert elsewhere.stopped(plain._gate) is (refused != "pool")


def test_what_is_kept_is_given_to_scans_in_time() -> None:
    plain = opened()
    for _ in range(300):
        plain.ask(LIST, Lane.SCAN)
    for call in list(plain.calls):
        plain.good(call)
    assert len(plain.calls) == 109
    began, moments = plain.clock.at, []
    while len(plain.calls) == 109:
        plain.clock.at = plain.watched[plain.pool()]
        plain.look(plain.pool(), plain.clock.at)
        moments.append(plain.clock.at - began)

    assert moments[-1] == pytest.approx(15.0, abs=0.1)
    assert len(moments) < 20
    assert 109 < len(plain.calls) < 119


def test_a_gate_that_opens_is_for_all_queues() -> None:
    plain = opened()
    first = plain.ask(of_account("a"))
    assert first is not None
    answer_uid(plain, first)
    plain._gate.open_half()
    asking = plain.ask(LIST)
    assert asking is not None
    assert plain.ask(of_account("b")) is None
    assert plain.ask(LIST) is None

    plain.good(asking)

    assert len(plain.calls) == 4


@pytest.mark.parametrize(
    ("answer", "go"),
    [(Feedback(499), 2), (Feedback(500), 1), (Feedback(502), 1), (Feedback(503, used_ip=100), 2)],
)
def test_after_a_ban_a_page_from_in_front_of_the_exchange_lets_one_more_ask(
    answer: Feedback, go: int
) -> None:
    plain = opened()
    first = plain.ask(of_account("a"))
    assert first is not None
    answer_uid(plain, first)
    plain._gate.shut(plain.clock.at)
    asking = plain.ask(LIST)
    assert asking is not None
    assert [plain.ask(charge) for charge in (of_account("b"), LIST)] == [None, None]

    plain.settle(asking, answer, plain.clock.at)

    assert len(plain.calls) == 2 + go


@pytest.mark.parametrize(
    ("weight", "believed", "counts"),
    [(100, 200, 200), (100, 50_000, 12_000), (12_000, 24_000, 12_000)],
)
def test_a_call_weighs_what_is_believed_and_no_more_than_a_window(
    weight: int, believed: int, counts: int
) -> None:
    plain = opened()
    plain.clock.at += 70.0  # nothing of the window is spent
    plain.pool().beliefs.prices.of(weight).weight = believed

    call = plain.ask(Charge(LIST.pool, LIST.kind, weight))

    assert call is not None
    assert (call.weight, call.documented) == (counts, weight)


@pytest.mark.parametrize(("status", "let_in"), [(200, 100), (399, 100), (400, 0), (503, 0)])
def test_only_a_result_tells_what_is_let_in(status: int, let_in: int) -> None:
    plain = opened()
    call = plain.ask(LIST)
    assert call is not None
    before = plain.pool().count.since_cut

    plain.good(call, 200, status)

    assert plain.pool().count.since_cut - before == let_in


def test_a_refusal_for_longer_than_a_turn_is_told_to_all_and_to_those_who_come() -> None:
    plain = opened()
    call = plain.ask(LIST)
    assert call is not None
    plain.pool().valve.shut(plain.clock.at + 1.0)
    waiter = Waiter(100, Lane.CALL, plain.clock.at, patience=60.0)
    plain._join(plain.pool(), waiter, None, plain.clock.at)

    plain.settle(call, Feedback(429, retry_after=300.0), plain.clock.at)

    (error,) = plain.errors
    assert isinstance(error, BudgetExceededError)
    assert error.retry_after == 300.0
    with pytest.raises(BudgetExceededError) as caught:
        plain._join(plain.pool(), waiter, None, plain.clock.at)
    assert caught.value.retry_after == 300.0
    plain._join(plain.pool(), Waiter(100, Lane.CALL, plain.clock.at), None, plain.clock.at)


def test_bans_without_a_good_answer_in_between_add_up_for_those_who_wait() -> None:
    """An exchange that does not say how long it bans is asked again and again."""
    plain = opened()
    call = plain.ask(LIST)
    assert call is not None
    began = plain.clock.at
    for _ in range(3):
        plain._join(plain.pool(), Waiter(100, Lane.CALL, began - 500.0, 150.0), None, began)
    ban(plain, call)
    for seconds, told in ((62.0, 0), (124.0, 1)):
        plain.clock.at = began + seconds
        plain.look(plain.pool(), plain.clock.at)
        ban(plain, plain.calls[-1])
        late = Waiter(100, Lane.CALL, plain.clock.at, 150.0)
        plain._join(plain.pool(), late, None, plain.clock.at)
        assert len(plain.errors) == told, "who comes later has waited for less"


def test_a_good_answer_ends_what_bans_add_up_to() -> None:
    plain = opened()
    call = plain.ask(LIST)
    assert call is not None
    began = plain.clock.at
    ban(plain, call)
    assert plain._gate.since == began
    plain.clock.at = began + 62.0
    asking = plain.ask(LIST)
    assert asking is not None
    plain.good(asking)

    ban(plain, asking)

    assert plain._gate.since == began + 62.0


@pytest.mark.parametrize(("times", "told"), [(1, 0), (2, 1)])
def test_refusals_in_a_row_add_up_to_more_than_a_turn(times: int, told: int) -> None:
    plain = opened()
    call = plain.ask(LIST)
    assert call is not None
    began = plain.clock.at
    plain._join(plain.pool(), Waiter(100, Lane.CALL, began, 60.0), None, began)
    plain.settle(call, Feedback(429, retry_after=70.0), began)
    for number in range(1, times):
        plain.clock.at = began + 70.0 * number
        plain.look(plain.pool(), plain.clock.at)
        plain._join(plain.pool(), Waiter(100, Lane.CALL, began, 60.0), None, plain.clock.at)
        plain.settle(plain.calls[-1], Feedback(429, retry_after=70.0), plain.clock.at)

    assert len(plain.errors) == told


def test_a_long_refusal_is_told_to_nobody_if_nobody_waits() -> None:
    plain = opened()
    call = plain.ask(LIST)
    assert call is not None
    plain.settle(call, Feedback(429, retry_after=300.0), plain.clock.at)
    assert plain.errors == []


def test_a_call_that_is_lost_is_in_flight_no_more_and_counts() -> None:
    plain = opened()
    call = plain.ask(LIST)
    assert call is not None
    plain.lose(call, plain.clock.at)
    assert plain.pool().count.in_flight == 0
    assert plain.pool().count.ours(plain.clock.at) == 200


def test_a_refusal_for_no_longer_than_a_turn_is_waited_for() -> None:
    plain = opened()
    call = plain.ask(LIST)
    assert call is not None
    waiter = Waiter(100, Lane.CALL, plain.clock.at, patience=60.0)
    plain._join(plain.pool(), waiter, None, plain.clock.at)

    plain.settle(call, Feedback(429, retry_after=70.0), plain.clock.at)

    assert plain.errors == []


def test_a_queue_is_watched_until_it_is_empty() -> None:
    plain = opened()
    while plain.ask(LIST) is not None:
        pass
    at = plain.watched[plain.pool()]
    assert plain.clock.at < at < plain.clock.at + 61.0

    plain.clock.at += 61.0
    plain.look(plain.pool(), plain.clock.at)
    for call in plain.calls:
        plain.good(call)
    assert plain.watched[plain.pool()] == math.inf


def test_on_trial_what_accounts_are_said_to_pay_counts_for_the_address_too() -> None:
    """Headers say that accounts pay for what the documents have the address pay."""
    plain = opened()
    address = plain.pool()
    before = address.count.own.taken
    charge = Charge(LIST.pool, LimitKind.UID, 100, "a")
    assert plain._pools.of(charge).door is not None
    call = plain.ask(charge)
    assert call is not None

    plain.settle(call, Feedback(200, used_uid=100), plain.clock.at)
    assert address.count.own.taken == before + 100

    call = plain.ask(charge)
    assert call is not None
    plain.settle(call, Feedback(429, retry_after=9.0), plain.clock.at)
    assert address.count.own.taken == before + 100
    assert address.valve.until == plain.clock.at + 9.0


def test_accounts_that_are_documented_to_pay_are_on_no_trial() -> None:
    plain = KeepingDispatcher()
    door = plain.pool(of_account("a")).door

    assert door is not None
    assert door.trial == 0


def test_a_trial_ends_when_accounts_were_let_in_for_more_than_the_address_can_have() -> None:
    plain = opened()
    address, door = plain.pool(), plain.pool(Charge(LIST.pool, LimitKind.UID, 100, "a")).door
    assert door is not None

    def let_in(calls: int) -> None:
        for number in range(calls):
            call = plain.ask(Charge(LIST.pool, LimitKind.UID, 100, f"a{number}"))
            assert call is not None
            plain.settle(call, Feedback(200, used_uid=100), plain.clock.at)

    let_in(200)
    plain.clock.at += 61.0
    assert address.count.own.spent(plain.clock.at) == 0
    let_in(240)
    assert door.trial
    let_in(1)
    assert not door.trial

    taken, call = address.count.own.taken, plain.ask(Charge(LIST.pool, LimitKind.UID, 100, "a"))
    assert call is not None
    plain.settle(call, Feedback(200, used_uid=100), plain.clock.at)
    assert address.count.own.taken == taken, "from now on accounts pay for themselves"


def test_a_deadline_that_cannot_be_met_is_told_with_the_time_until_the_next_cut() -> None:
    plain = opened()
    while plain.ask(LIST) is not None:
        pass

    with pytest.raises(BudgetExceededError) as caught:
        plain.ask(LIST, deadline=plain.clock.at + 20.0)
    assert caught.value.retry_after == pytest.approx(20.25)


def test_a_deadline_that_turns_out_to_be_too_early_is_told_with_the_time_that_is_left() -> None:
    plain = opened()
    while plain.ask(LIST) is not None:
        pass
    for call in plain.calls:
        plain.good(call)
    plain.ask(LIST, deadline=plain.clock.at + 25.0)
    assert plain.errors == []

    plain.clock.at += 21.0
    plain.look(plain.pool(), plain.clock.at)
    (error,) = plain.errors
    assert isinstance(error, BudgetExceededError)
    assert error.retry_after == pytest.approx(39.06)


def test_a_deadline_that_the_pace_cannot_keep_is_told_with_the_time_that_it_takes() -> None:
    """Four calls wait, and of twenty scans one goes before the fifth call."""
    plain = opened(requests_per_second=1.0)
    for lane, count in ((Lane.SCAN, 20), (Lane.CALL, 4)):
        for _ in range(count):
            assert plain.ask(LIST, lane) is None

    with pytest.raises(BudgetExceededError) as caught:
        plain.ask(LIST, deadline=plain.clock.at + 3.0)
    assert caught.value.retry_after == pytest.approx(5 / 0.9)


def test_pools_that_wait_for_the_pace_take_turns() -> None:
    plain, other = opened(requests_per_second=100.0), Charge("GET /log", LimitKind.IP, 1)
    first = plain.ask(other)
    assert first is not None
    plain.good(first)
    for charge in (LIST, other):
        for _ in range(20):
            plain.ask(charge)
    plain.calls.clear()

    plain.clock.at += 1.0
    plain.look_at_pace(plain.clock.at)
    assert len(plain.calls) == 10
    names = [call.pool.name for call in plain.calls]
    assert names == ["GET /list", "GET /log"] * 5


@pytest.mark.parametrize("status", [200, 429])
def test_a_text_that_tells_of_a_ban_shuts_the_address_whatever_the_status(status: int) -> None:
    plain = opened()
    call = plain.ask(LIST)
    assert call is not None

    ban = Feedback(status, retry_after=50.0, banned_until=1.0)
    plain.settle(call, ban, plain.clock.at)
    assert plain.ask(Charge("GET /log", LimitKind.IP, 1)) is None
    plain.clock.at += 52.0
    assert plain.ask(Charge("GET /other", LimitKind.IP, 1)) is not None


def test_a_single_call_goes_as_soon_as_there_is_room_for_it_and_nothing_is_kept_from_it() -> None:
    plain = opened()
    plain.clock.at += 10.0
    while plain.ask(LIST) is not None:
        pass
    for call in plain.calls:
        plain.good(call)
    plain.calls.clear()
    plain.ask(LIST)

    while not plain.calls:
        plain.clock.at = plain.watched[plain.pool()]
        plain.look(plain.pool(), plain.clock.at)
    assert plain.clock.at == pytest.approx(1_060.06)
