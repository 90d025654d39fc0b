"""Who has which account in hand: the rules, with time as a value."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust.fleet._assignments import Assignments, Handout
from binance_dust.fleet._messages import Presence
from binance_dust.fleet._survey import parts

PATIENCE, WAIT = 5.0, 30.0


def desk(names: list[str] | None, **options: Any) -> Assignments:
    return Assignments(names, **{"patience": PATIENCE, "wait": WAIT} | options)


def here(worker: str, accounts: str | None, *holding: int, **more: Any) -> Presence:
    options: dict[str, Any] = {"room": 10, "clock": 100.0, "tick": 1.0} | more
    return Presence(
        worker=worker,
        name=worker,
        holding=holding,
        accounts=None if accounts is None else tuple(accounts),
        **options,
    )


def handed(handouts: list[Handout]) -> dict[str, str]:
    return {handout.account: handout.worker for handout in handouts}


def test_an_account_goes_only_to_workers_that_have_its_key() -> None:
    rules = desk(list("abc"))
    rules.heard(here("one", "ab"), 0.0)
    rules.heard(here("two", "c"), 0.0)

    assert handed(rules.due(0.0, 99)) == {"a": "one", "b": "one", "c": "two"}


def test_accounts_are_spread_evenly_and_only_as_far_as_there_is_room() -> None:
    rules = desk([f"account-{number}" for number in range(50)])
    names = tuple(f"account-{number}" for number in range(50))
    for worker in ("one", "two"):
        rules.heard(
            Presence(worker=worker, name=worker, room=20, clock=0, tick=0, accounts=names), 0
        )

    assert Counter(handed(rules.due(0.0, 30)).values()) == {"one": 15, "two": 15}
    assert Counter(handed(rules.due(0.0, 99)).values()) == {"one": 5, "two": 5}
    assert rules.due(0.0, 99) == []
    assert rules.waiting == 10


def test_what_moves_funds_is_in_hand_in_smaller_numbers() -> None:
    for most, room, count in ((5, 2, 2), (2, 5, 2)):
        rules = desk(list("abcdef"), room=most)
        rules.heard(here("one", "abcdef", room=room), 0.0)
        assert len(rules.due(0.0, 99)) == count


def test_whom_only_one_has_the_key_of_goes_first_to_that_one() -> None:
    rules = desk(list("abcd"))
    rules.heard(here("one", "abcd", room=2), 0.0)
    rules.heard(here("two", "ab", room=2), 0.0)

    assert handed(rules.due(0.0, 99)) == {"c": "one", "d": "one", "a": "two", "b": "two"}


def test_all_are_those_that_the_workers_name_also_the_later_ones() -> None:
    rules = desk(None, skip="b")
    assert not rules.ended
    rules.heard(here("one", "ab"), 0.0)
    assert handed(rules.due(0.0, 99)) == {"a": "one"}
    rules.heard(here("two", "bc"), 1.0)
    assert handed(rules.due(1.0, 99)) == {"c": "two"}
    rules.reported(0, "one")
    assert not rules.ended
    rules.reported(1, "two")
    assert rules.ended


def test_a_result_counts_once() -> None:
    rules = desk(["a"])
    rules.heard(here("one", "a"), 0.0)
    rules.due(0.0, 99)

    assert rules.reported(0, "one") == "a"
    assert rules.reported(0, "one") is None
    assert (rules.done, rules.total, rules.ended) == (1, 1, True)


def test_the_accounts_of_a_worker_that_is_not_heard_go_to_another() -> None:
    rules = desk(list("ab"))
    rules.heard(here("one", "ab"), 0.0)
    assert len(rules.due(0.0, 99)) == 2
    rules.heard(here("two", "ab"), 4.0)

    assert rules.due(5.0, 99) == []
    assert handed(rules.due(5.1, 99)) == {"a": "two", "b": "two"}
    # It was only slow: its results are as good as anybody's.
    assert rules.reported(0, "one") == "a"
    assert rules.reported(0, "two") is None


def test_a_worker_that_is_heard_again_is_asked_for_its_accounts_first() -> None:
    rules = desk(["a"])
    rules.heard(here("one", "a"), 0.0)
    rules.due(0.0, 99)
    rules.due(6.0, 99)
    rules.heard(here("one", None), 6.0)
    assert rules.due(6.0, 99) == []
    rules.heard(here("one", "a"), 7.0)
    assert handed(rules.due(7.0, 99)) == {"a": "one"}


def test_what_a_worker_should_hold_and_does_not_was_lost_on_the_way() -> None:
    rules = desk(["a"])
    rules.heard(here("one", "a"), 0.0)
    rules.due(0.0, 99)

    rules.heard(here("one", None), 2.0)
    assert rules.due(2.0, 99) == [], "it may be on its way still"
    rules.heard(here("one", None), 3.0)
    assert rules.due(3.0, 99) == [], "once is not enough"
    rules.heard(here("one", None), 4.0)
    assert handed(rules.due(4.0, 99)) == {"a": "one"}


def test_what_a_worker_holds_is_its_own_however_long_it_takes() -> None:
    rules = desk(["a"])
    rules.heard(here("one", "a"), 0.0)
    rules.due(0.0, 99)
    for second in range(1, 600):
        rules.heard(here("one", None, 0), float(second))
        assert rules.due(float(second), 99) == []


def test_nobody_is_lost_while_the_line_is_down() -> None:
    rules = desk(["a"])
    rules.heard(here("one", "a"), 0.0)
    rules.due(0.0, 99)
    rules.silence(60.0)

    assert rules.due(61.0, 99) == []
    assert "one" in rules.workers


def test_who_leaves_gives_back_what_it_does_not_hold_and_gets_nothing_more() -> None:
    rules = desk(list("ab"))
    rules.heard(here("one", "ab"), 0.0)
    rules.due(0.0, 99)
    rules.heard(here("two", "ab"), 0.5)

    rules.heard(here("one", None, 1, leaving=True), 0.6)

    assert handed(rules.due(0.6, 99)) == {"a": "two"}
    rules.reported(1, "one")
    rules.heard(here("one", None, leaving=True), 0.7)
    assert "one" not in rules.workers


def test_what_nobody_has_the_key_of_fails_after_a_while_and_nothing_else() -> None:
    rules = desk(list("ax"))
    rules.heard(here("one", "a"), 0.0)
    rules.due(0.0, 99)
    assert list(rules.failed(0.0)) == []
    assert list(rules.failed(29.9)) == []

    ((number, name, reason),) = rules.failed(30.0)

    assert (number, name) == (1, "x")
    assert reason == "no worker has its key"
    assert list(rules.failed(99.0)) == []
    assert rules.done == 1


def test_who_comes_late_is_in_time_for_what_nobody_had_the_key_of() -> None:
    rules = desk(["x"])
    list(rules.failed(0.0))
    rules.heard(here("late", "x"), 29.0)
    assert handed(rules.due(29.0, 99)) == {"x": "late"}
    assert list(rules.failed(31.0)) == []


def test_an_account_that_kills_its_workers_does_not_kill_all() -> None:
    rules = desk(["a"])
    for life in range(5):
        rules.heard(here(f"life-{life}", "a"), life * 10.0)
        assert len(rules.due(life * 10.0, 99)) == 1
        assert list(rules.failed(life * 10.0)) == []
    rules.heard(here("another", "a"), 50.0)

    assert rules.due(50.0, 99) == []
    ((_, name, reason),) = rules.failed(50.0)
    assert (name, reason) == ("a", "lost 5 times, each time with its worker or on the way")
    assert rules.ended


def test_a_handout_that_could_not_be_sent_is_as_if_it_had_not_been() -> None:
    rules = desk(["a"], funds=True)
    rules.heard(here("one", "a", ledger="L"), 0.0)
    for _ in range(20):
        (handout,) = rules.due(0.0, 99)
        assert handout.since is None
        rules.took_back(0)
    assert list(rules.failed(0.0)) == []


# What may move funds


def test_funds_go_to_workers_with_a_ledger() -> None:
    rules = desk(list("ab"), funds=True)
    rules.heard(here("reader", "ab"), 0.0)
    assert rules.due(0.0, 99) == []
    rules.heard(here("writer", "a", ledger="L"), 0.0)
    assert handed(rules.due(0.0, 99)) == {"a": "writer"}
    list(rules.failed(0.0))
    assert [reason for *_, reason in rules.failed(31.0)] == ["no worker has its key and a ledger"]


def test_funds_stay_where_workers_keep_different_ledgers_of_one_account() -> None:
    rules = desk(list("ab"), funds=True)
    rules.heard(here("one", "a", ledger="L"), 0.0)
    rules.heard(here("two", "ab", ledger="M"), 0.0)

    assert handed(rules.due(0.0, 99)) == {"b": "two"}
    list(rules.failed(0.0))
    ((_, name, reason),) = rules.failed(31.0)
    assert name == "a"
    assert reason == "workers with different ledgers have its key: its funds stay where they are"


def test_an_order_is_handed_out_to_be_carried_out_once() -> None:
    rules = desk(["a"], funds=True)
    rules.heard(here("one", "a", ledger="L", clock=123.0), 0.0)
    assert rules.due(0.0, 99) == [Handout(0, "a", "one", None, 1.0)]
    # The same ledger, another worker: to find out what became of it.
    rules.heard(here("two", "a", ledger="L", clock=130.0, tick=7.0), 6.0)
    assert rules.due(6.0, 99) == [Handout(0, "a", "two", 123.0, 7.0)]
    # The first one is what counts, however often.
    rules.heard(here("three", "a", ledger="L", clock=140.0, tick=8.0), 12.0)
    assert rules.due(12.0, 99) == [Handout(0, "a", "three", 123.0, 8.0)]


def test_what_became_of_an_order_is_found_out_with_its_own_ledger_alone() -> None:
    rules = desk(["a"], funds=True)
    rules.heard(here("one", "a", ledger="L"), 0.0)
    rules.due(0.0, 99)
    rules.heard(here("other", "a", ledger="M"), 6.0)

    assert rules.due(6.0, 99) == []
    list(rules.failed(6.0))
    assert [reason for *_, reason in rules.failed(40.0)] == [
        "its worker was lost, and no other has its key and its ledger"
    ]


@pytest.mark.parametrize(("begun", "since"), [((), None), ((0,), 100.0)])
def test_an_order_that_was_not_begun_by_who_leaves_can_be_carried_out(
    begun: tuple[int, ...], since: float | None
) -> None:
    rules = desk(["a"], funds=True)
    rules.heard(here("one", "a", ledger="L"), 0.0)
    rules.due(0.0, 99)
    rules.heard(here("two", "a", ledger="L"), 0.0)

    rules.heard(here("one", None, leaving=True, begun=begun, ledger="L"), 0.1)

    (handout,) = rules.due(0.1, 99)
    assert (handout.worker, handout.since) == ("two", since)


# Whatever happens

WORKERS = {"one": "abcd", "two": "cdef", "three": "abcdef"}
steps = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.floats(0.1, 4.0)),
        st.tuples(st.just("answer"), st.sampled_from(sorted(WORKERS))),
        st.tuples(st.just("leave"), st.sampled_from(sorted(WORKERS))),
        st.tuples(st.just("die"), st.sampled_from(sorted(WORKERS))),
        st.tuples(st.just("report"), st.integers(0, 5)),
        st.tuples(st.just("lose"), st.integers(0, 5)),
    ),
    max_size=60,
)


class Play:
    """A fleet, and workers that take what they are handed."""

    def __init__(self, *, funds: bool) -> None:
        self.rules = desk(list("abcdef"), funds=funds, room=3)
        self.now = 0.0
        self.lives = Counter[str]()
        self.hands: dict[str, set[int]] = {}
        self.ended: Counter[str] = Counter()
        self.fresh: Counter[str] = Counter()
        """How often an account was handed out to be done, and not to be asked about."""

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
            case "report" | "lose":
                for life, hand in self.hands.items():
                    if about in hand:
                        self.finish(life, about, lost=happening == "lose")
        self.hand_out()

    def answer(self, worker: str, *, leaving: bool = False) -> None:
        life = f"{worker}-{self.lives[worker]}"
        hand = self.hands.setdefault(life, set())
        accounts = None if life in self.rules.workers else WORKERS[worker]
        begun = tuple(hand) if leaving else ()
        presence = here(life, accounts, *hand, ledger="L", leaving=leaving, begun=begun)
        self.rules.heard(presence, self.now)

    def finish(self, life: str, number: int, *, lost: bool = False) -> None:
        self.hands[life].discard(number)
        if not lost and (name := self.rules.reported(number, life)):
            self.ended[name] += 1

    def hand_out(self) -> None:
        for handout in self.rules.due(self.now, 99):
            assert handout.account in WORKERS[handout.worker.partition("-")[0]]
            self.hands[handout.worker].add(handout.number)
            self.fresh[handout.account] += handout.since is None
        for worker in self.rules.workers.values():
            assert len(worker.hand) <= 3
        for _, name, _ in self.rules.failed(self.now):
            self.ended[name] += 1

    def end_well(self) -> None:
        """Let everybody answer, and do what is in hand."""
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
def test_every_account_ends_once_whatever_becomes_of_workers_and_messages(
    happenings: list[tuple[str, Any]], funds: bool
) -> None:
    play = Play(funds=funds)
    for happening, about in happenings:
        play.do(happening, about)
    play.end_well()

    assert play.rules.ended
    assert play.ended == Counter("abcdef")
    if funds:
        assert all(count <= 1 for count in play.fresh.values()), play.fresh


@given(st.dictionaries(st.sampled_from("xyz"), st.sets(st.sampled_from("abcdefgh")), min_size=1))
def test_parts_of_an_estimate_are_as_even_as_the_keys_allow(keys: dict[str, set[str]]) -> None:
    shares = parts(None, keys)

    given_out = [account for share in shares.values() for account in share]
    assert sorted(given_out) == sorted(set().union(*keys.values()))
    for worker, share in shares.items():
        assert set(share) <= keys[worker]
    if len({frozenset(accounts) for accounts in keys.values()}) == 1:
        sizes = [len(share) for share in shares.values()]
        assert max(sizes) - min(sizes) <= 1
