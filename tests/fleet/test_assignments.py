"""Which worker has which account in hand: the rules, with time as a value."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from binance_dust import NotSentError
from binance_dust.fleet._assignments import Assignments, Handout
from binance_dust.fleet._messages import WorkerStatus

PATIENCE, WAIT = 5.0, 30.0
SICK = NotSentError("can't bind")


def rules_for(names: list[str] | None, **options: Any) -> Assignments:
    return Assignments(names, **{"patience": PATIENCE, "wait": WAIT} | options)


def here(worker: str, accounts: str | None, *holding: int, **more: Any) -> WorkerStatus:
    options: dict[str, Any] = {"room": 10, "exchange_time": 100.0, "worker_time": 1.0} | more
    return WorkerStatus(
        worker=worker,
        name=worker,
        holding=holding,
        accounts=None if accounts is None else tuple(accounts),
        **options,
    )


def handed(handouts: list[Handout]) -> dict[str, str]:
    return {handout.account: handout.worker for handout in handouts}


def test_an_account_goes_only_to_workers_that_have_its_key() -> None:
    rules = rules_for(list("abc"))
    rules.on_status(here("one", "ab"), 0.0)
    rules.on_status(here("two", "c"), 0.0)

    assert handed(rules.hand_out(0.0, 99)) == {"a": "one", "b": "one", "c": "two"}


def test_accounts_are_spread_evenly_and_only_as_far_as_there_is_room() -> None:
    rules = rules_for([f"account-{number}" for number in range(50)])
    names = tuple(f"account-{number}" for number in range(50))
    for worker in ("one", "two"):
        rules.on_status(
            WorkerStatus(
                worker=worker, name=worker, room=20, exchange_time=0, worker_time=0, accounts=names
            ),
            0,
        )

    assert Counter(handed(rules.hand_out(0.0, 30)).values()) == {"one": 15, "two": 15}
    assert Counter(handed(rules.hand_out(0.0, 99)).values()) == {"one": 5, "two": 5}
    assert rules.hand_out(0.0, 99) == []
    assert rules.waiting == 10


def test_a_worker_has_no_more_in_hand_than_the_job_and_its_own_room_allow() -> None:
    for most, room, count in ((5, 2, 2), (2, 5, 2)):
        rules = rules_for(list("abcdef"), room=most)
        rules.on_status(here("one", "abcdef", room=room), 0.0)
        assert len(rules.hand_out(0.0, 99)) == count


def test_a_worker_gets_the_accounts_first_that_only_it_has_the_key_of() -> None:
    rules = rules_for(list("abcd"))
    rules.on_status(here("one", "abcd", room=2), 0.0)
    rules.on_status(here("two", "ab", room=2), 0.0)

    assert handed(rules.hand_out(0.0, 99)) == {"c": "one", "d": "one", "a": "two", "b": "two"}


def test_all_accounts_are_those_that_workers_name_and_later_workers_add_theirs() -> None:
    rules = rules_for(None, skip="b")
    assert not rules.ended
    rules.on_status(here("one", "ab"), 0.0)
    assert handed(rules.hand_out(0.0, 99)) == {"a": "one"}
    rules.on_status(here("two", "bc"), 1.0)
    assert handed(rules.hand_out(1.0, 99)) == {"c": "two"}
    rules.on_result(0, "one")
    assert not rules.ended
    rules.on_result(1, "two")
    assert rules.ended


def test_a_result_counts_once() -> None:
    rules = rules_for(["a"])
    rules.on_status(here("one", "a"), 0.0)
    rules.hand_out(0.0, 99)

    assert rules.on_result(0, "one") == "a"
    assert rules.on_result(0, "one") is None
    assert (rules.done, rules.total, rules.ended) == (1, 1, True)


def test_the_accounts_of_a_silent_worker_go_to_another() -> None:
    rules = rules_for(list("ab"))
    rules.on_status(here("one", "ab"), 0.0)
    assert len(rules.hand_out(0.0, 99)) == 2
    rules.on_status(here("two", "ab"), 4.0)

    assert rules.hand_out(5.0, 99) == []
    assert handed(rules.hand_out(5.1, 99)) == {"a": "two", "b": "two"}
    # The first worker was only slow: its result counts.
    assert rules.on_result(0, "one") == "a"
    assert rules.on_result(0, "two") is None


def test_a_worker_that_is_heard_again_is_asked_for_its_accounts_first() -> None:
    rules = rules_for(["a"])
    rules.on_status(here("one", "a"), 0.0)
    rules.hand_out(0.0, 99)
    rules.hand_out(6.0, 99)
    rules.on_status(here("one", None), 6.0)
    assert rules.hand_out(6.0, 99) == []
    rules.on_status(here("one", "a"), 7.0)
    assert handed(rules.hand_out(7.0, 99)) == {"a": "one"}


def test_an_account_that_a_worker_does_not_hold_was_lost_on_the_way() -> None:
    rules = rules_for(["a"])
    rules.on_status(here("one", "a"), 0.0)
    rules.hand_out(0.0, 99)

    rules.on_status(here("one", None), 2.0)
    assert rules.hand_out(2.0, 99) == [], "it may be on its way still"
    rules.on_status(here("one", None), 3.0)
    assert rules.hand_out(3.0, 99) == [], "once is not enough"
    rules.on_status(here("one", None), 4.0)
    assert handed(rules.hand_out(4.0, 99)) == {"a": "one"}


def test_an_account_that_a_worker_holds_stays_with_it_however_long_it_takes() -> None:
    rules = rules_for(["a"])
    rules.on_status(here("one", "a"), 0.0)
    rules.hand_out(0.0, 99)
    for second in range(1, 600):
        rules.on_status(here("one", None, 0), float(second))
        assert rules.hand_out(float(second), 99) == []


def test_no_worker_is_lost_while_the_queues_are_unreachable() -> None:
    rules = rules_for(["a"])
    rules.on_status(here("one", "a"), 0.0)
    rules.hand_out(0.0, 99)
    rules.excuse_silence(60.0)

    assert rules.hand_out(61.0, 99) == []
    assert "one" in rules.workers


def test_a_leaving_worker_gives_back_what_it_does_not_hold_and_gets_nothing_more() -> None:
    rules = rules_for(list("ab"))
    rules.on_status(here("one", "ab"), 0.0)
    rules.hand_out(0.0, 99)
    rules.on_status(here("two", "ab"), 0.5)

    rules.on_status(here("one", None, 1, leaving=True), 0.6)

    assert handed(rules.hand_out(0.6, 99)) == {"a": "two"}
    rules.on_result(1, "one")
    rules.on_status(here("one", None, leaving=True), 0.7)
    assert "one" not in rules.workers


def test_an_account_without_a_worker_fails_after_a_while_and_no_other_does() -> None:
    rules = rules_for(list("ax"))
    rules.on_status(here("one", "a"), 0.0)
    rules.hand_out(0.0, 99)
    assert list(rules.give_up(0.0)) == []
    assert list(rules.give_up(29.9)) == []

    ((number, name, reason),) = rules.give_up(30.0)

    assert (number, name) == (1, "x")
    assert reason == "no worker has its key"
    assert list(rules.give_up(99.0)) == []
    assert rules.done == 1


def test_a_late_worker_gets_the_accounts_that_no_other_could_do() -> None:
    rules = rules_for(["x"])
    list(rules.give_up(0.0))
    rules.on_status(here("late", "x"), 29.0)
    assert handed(rules.hand_out(29.0, 99)) == {"x": "late"}
    assert list(rules.give_up(31.0)) == []


def test_an_account_that_kills_its_workers_does_not_kill_all() -> None:
    rules = rules_for(["a"])
    for life in range(5):
        rules.on_status(here(f"life-{life}", "a"), life * 10.0)
        assert len(rules.hand_out(life * 10.0, 99)) == 1
        assert list(rules.give_up(life * 10.0)) == []
    rules.on_status(here("another", "a"), 50.0)

    assert rules.hand_out(50.0, 99) == []
    ((_, name, reason),) = rules.give_up(50.0)
    assert (name, reason) == ("a", "lost 5 times, each time with its worker or on the way")
    assert rules.ended


def test_a_handout_that_could_not_be_sent_does_not_count() -> None:
    rules = rules_for(["a"], funds=True)
    rules.on_status(here("one", "a", ledger="L"), 0.0)
    for _ in range(20):
        (handout,) = rules.hand_out(0.0, 99)
        assert handout.since is None
        rules.take_back_unsent(0)
    assert list(rules.give_up(0.0)) == []


# What may move funds


def test_funds_go_to_workers_with_a_ledger() -> None:
    rules = rules_for(list("ab"), funds=True)
    rules.on_status(here("reader", "ab"), 0.0)
    assert rules.hand_out(0.0, 99) == []
    rules.on_status(here("writer", "a", ledger="L"), 0.0)
    assert handed(rules.hand_out(0.0, 99)) == {"a": "writer"}
    list(rules.give_up(0.0))
    assert [reason for *_, reason in rules.give_up(31.0)] == ["no worker has its key and a ledger"]


def test_no_worker_gets_an_account_of_which_workers_keep_different_ledgers() -> None:
    rules = rules_for(list("ab"), funds=True)
    rules.on_status(here("one", "a", ledger="L"), 0.0)
    rules.on_status(here("two", "ab", ledger="M"), 0.0)

    assert handed(rules.hand_out(0.0, 99)) == {"b": "two"}
    list(rules.give_up(0.0))
    ((_, name, reason),) = rules.give_up(31.0)
    assert name == "a"
    assert reason == "workers with different ledgers have its key: its funds stay where they are"


def test_a_conversion_is_ordered_once_and_then_only_its_outcome_is_asked_for() -> None:
    rules = rules_for(["a"], funds=True)
    rules.on_status(here("one", "a", ledger="L", exchange_time=123.0), 0.0)
    assert rules.hand_out(0.0, 99) == [Handout(0, "a", "one", None, 1.0)]
    # Another worker with the same ledger: it has to find out the outcome.
    rules.on_status(here("two", "a", ledger="L", exchange_time=130.0, worker_time=7.0), 6.0)
    assert rules.hand_out(6.0, 99) == [Handout(0, "a", "two", 123.0, 7.0)]
    # The time is that of the first handout, however often it is handed out.
    rules.on_status(here("three", "a", ledger="L", exchange_time=140.0, worker_time=8.0), 12.0)
    assert rules.hand_out(12.0, 99) == [Handout(0, "a", "three", 123.0, 8.0)]


def test_only_a_worker_with_the_same_ledger_finds_out_an_outcome() -> None:
    rules = rules_for(["a"], funds=True)
    rules.on_status(here("one", "a", ledger="L"), 0.0)
    rules.hand_out(0.0, 99)
    rules.on_status(here("other", "a", ledger="M"), 6.0)

    assert rules.hand_out(6.0, 99) == []
    list(rules.give_up(6.0))
    assert [reason for *_, reason in rules.give_up(40.0)] == [
        "its worker was lost, and no other has its key and its ledger"
    ]


@pytest.mark.parametrize(("begun", "since"), [((), None), ((0,), 100.0)])
def test_a_conversion_that_a_leaving_worker_did_not_begin_is_ordered_again(
    begun: tuple[int, ...], since: float | None
) -> None:
    rules = rules_for(["a"], funds=True)
    rules.on_status(here("one", "a", ledger="L"), 0.0)
    rules.hand_out(0.0, 99)
    rules.on_status(here("two", "a", ledger="L"), 0.0)

    rules.on_status(here("one", None, leaving=True, begun=begun, ledger="L"), 0.1)

    (handout,) = rules.hand_out(0.1, 99)
    assert (handout.worker, handout.since) == ("two", since)


# Random lives and deaths

WORKERS = {"one": "abcd", "two": "cdef", "three": "abcdef"}
steps = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.floats(0.1, 4.0)),
        st.tuples(st.just("answer"), st.sampled_from(sorted(WORKERS))),
        st.tuples(st.just("leave"), st.sampled_from(sorted(WORKERS))),
        st.tuples(st.just("die"), st.sampled_from(sorted(WORKERS))),
        st.tuples(st.just("report"), st.integers(0, 5)),
        st.tuples(st.just("lose"), st.integers(0, 5)),
        st.tuples(st.just("fail"), st.integers(0, 5)),
    ),
    max_size=60,
)


class FleetPlay:
    """A fleet, and workers that take what they are handed."""

    def __init__(self, *, funds: bool) -> None:
        self.rules = rules_for(list("abcdef"), funds=funds, room=3)
        self.now = 0.0
        self.lives = Counter[str]()
        self.hands: dict[str, set[int]] = {}
        self.begun: dict[str, set[int]] = {}
        """What each life has begun, with what it has finished since."""
        self.ended: Counter[str] = Counter()
        self.fresh: Counter[str] = Counter()
        """How often an account was handed out to be done, not to find out its outcome."""

    def do(self, happening: str, about: Any) -> None:
        match happening:
            case "pass":
                self.now += about
            case "answer":
                self.answer(about)
            case "leave" if f"{about}-{self.lives[about]}" in self.rules.workers:
                self.answer(about, leaving=True)
                self.lives[about] += 1
            case "die":
                self.lives[about] += 1
            case "report" | "lose" | "fail":
                for life, hand in self.hands.items():
                    if about in hand and happening == "fail":
                        self.fail(life, about)
                    elif about in hand:
                        self.finish(life, about, lost=happening == "lose")
        self.hand_out()

    def answer(self, worker: str, *, leaving: bool = False) -> None:
        life = f"{worker}-{self.lives[worker]}"
        hand = self.hands.setdefault(life, set())
        accounts = None if life in self.rules.workers else WORKERS[worker]
        begun = tuple(self.begun.get(life, ())) if leaving else ()
        status = here(life, accounts, *hand, ledger="L", leaving=leaving, begun=begun)
        self.rules.on_status(status, self.now)

    def finish(self, life: str, number: int, *, lost: bool = False) -> None:
        self.hands[life].discard(number)
        if not lost and (name := self.rules.on_result(number, life)):
            self.ended[name] += 1

    def fail(self, life: str, number: int) -> None:
        """Report that it failed, perhaps for the worker's sake; who only finds out can't say so."""
        if number not in self.begun.get(life, ()):
            self.finish(life, number)
            return
        self.hands[life].discard(number)
        if self.rules.on_failure(number, life, SICK, self.now):
            account = self.rules._accounts[number]
            # It was surely not done: the next worker begins anew.
            self.fresh[account.name] -= account.since is None
        elif name := self.rules.on_result(number, life, failed=True):
            self.ended[name] += 1

    def hand_out(self) -> None:
        for handout in self.rules.hand_out(self.now, 99):
            assert handout.account in WORKERS[handout.worker.partition("-")[0]]
            self.hands[handout.worker].add(handout.number)
            if handout.since is None:
                self.begun.setdefault(handout.worker, set()).add(handout.number)
                self.fresh[handout.account] += 1
        for worker in self.rules.workers.values():
            assert len(worker.in_hand) <= 3
        for _, name, _ in self.rules.give_up(self.now):
            self.ended[name] += 1

    def end_well(self) -> None:
        """Let all workers answer, and finish what is in hand."""
        for _ in range(99):
            self.now += 1.0
            for worker in WORKERS:
                self.answer(worker)
            self.hand_out()
            for life in self.rules.workers:
                for number in list(self.hands[life]):
                    self.finish(life, number)
            if self.rules.ended:
                break


@given(steps, st.booleans())
@example(happenings=[("answer", "one"), ("lose", 0), ("leave", "one")], funds=True)
def test_every_account_ends_once_whatever_happens_to_workers_and_messages(
    happenings: list[tuple[str, Any]], funds: bool
) -> None:
    play = FleetPlay(funds=funds)
    for happening, about in happenings:
        play.do(happening, about)
    play.end_well()

    assert play.rules.ended
    assert play.ended == Counter("abcdef")
    if funds:
        assert all(count <= 1 for count in play.fresh.values()), play.fresh


# --- sick workers --------------------------------------------------------------------------------


def give(rules: Assignments, now: float, most: int = 99) -> dict[str, str]:
    return handed(rules.hand_out(now, most))


def put_aside(rules: Assignments, accounts: str) -> None:
    """Let worker one fail three accounts that worker two can do, at 0 s."""
    rules.on_status(here("one", accounts, room=3), 0.0)
    assert set(give(rules, 0.0, 3).values()) == {"one"}
    rules.on_status(here("two", accounts, room=100), 0.0)
    for number in range(3):
        assert rules.on_failure(number, "one", SICK, 0.0)
    assert set(give(rules, 0.0, 3).values()) == {"two"}
    for number in range(3):
        rules.on_result(number, "two")


def test_a_worker_that_is_put_aside_shows_after_a_while_that_it_is_well() -> None:
    rules = rules_for(list("abcdefgh"), patience=1e6)
    put_aside(rules, "abcdefgh")
    sick = rules.workers["one"].health
    assert (sick.aside, sick.failed) == (True, 3)
    assert give(rules, 59.0, 1) == {"d": "two"}

    # It may do one, and fails: the next one comes after twice the time.
    assert give(rules, 60.0, 0) == {"e": "one"}
    assert rules.on_failure(4, "one", SICK, 60.0)
    assert give(rules, 179.0, 1) == {"e": "two"}
    assert give(rules, 180.0, 0) == {"f": "one"}
    rules.on_result(5, "one")
    assert not sick.aside
    assert give(rules, 180.0) == {"g": "two", "h": "two"}


def test_a_worker_in_doubt_gets_nothing_new_until_others_have_tried() -> None:
    rules = rules_for(list("abcdefgh"))
    rules.on_status(here("one", "abcdefgh", room=3), 0.0)
    give(rules, 0.0)
    rules.on_status(here("two", "abcdefgh", room=4), 0.0)
    for number in range(3):
        assert rules.on_failure(number, "one", SICK, 0.0)

    assert set(give(rules, 0.0).values()) == {"two"}
    assert not rules.workers["one"].health.aside


def test_a_failure_that_comes_twice_or_late_is_no_result() -> None:
    rules = rules_for(["a"], funds=True)
    rules.on_status(here("one", "a", ledger="L"), 0.0)
    rules.hand_out(0.0, 99)
    rules.on_status(here("two", "a", ledger="L"), 5.9)
    (handout,) = rules.hand_out(6.0, 99)
    assert (handout.worker, handout.since) == ("two", 100.0)

    assert rules.on_failure(0, "one", SICK, 6.0)  # the other worker looks how it ended
    assert rules.on_failure(0, "one", SICK, 6.0)
    assert rules.on_result(0, "two") == "a"
    assert not rules.on_failure(0, "one", SICK, 7.0)


def test_an_order_that_surely_failed_is_a_new_order_for_the_next_worker_of_its_ledger() -> None:
    rules = rules_for(["a"], funds=True)
    rules.on_status(here("one", "a", ledger="L"), 0.0)
    rules.hand_out(0.0, 99)
    rules.on_status(here("two", "a", ledger="M"), 0.0)
    assert not rules.on_failure(0, "one", SICK, 0.0)

    rules = rules_for(["a"], funds=True)
    rules.on_status(here("one", "a", ledger="L"), 0.0)
    rules.hand_out(0.0, 99)
    rules.on_status(here("two", "a", ledger="L"), 0.0)
    assert rules.on_failure(0, "one", SICK, 0.0)
    (handout,) = rules.hand_out(0.0, 99)
    assert (handout.worker, handout.since) == ("two", None)
