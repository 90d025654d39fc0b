"""Seals: what is made up, changed, led elsewhere, kept or repeated is not believed."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust import ConfigurationError
from binance_dust.fleet._messages import CONVERT, READ, StatusRequest, WorkItem
from binance_dust.fleet._seal import NotBelievedError, Seal

KEY = "0123456789abcdef"
ITEM = WorkItem(job="j", number=0, account="alice", reply_to="q", worker_time=2.5)


class SealClock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def sealed(seal: Seal, task: str = CONVERT, queue: str = "f:w") -> dict[str, Any]:
    return seal.close(ITEM, task, queue)


def test_what_is_sealed_is_opened_once_by_who_has_the_key() -> None:
    fleet, worker = Seal(KEY), Seal(KEY)
    travels = sealed(fleet)

    assert worker.open(travels, CONVERT, "f:w")["account"] == "alice"
    with pytest.raises(NotBelievedError, match="twice"):
        worker.open(travels, CONVERT, "f:w")


@pytest.mark.parametrize(
    ("task", "queue"), [(READ, "f:w"), (CONVERT, "f:another"), (CONVERT, "g:w")]
)
def test_it_belongs_to_its_task_and_its_queue(task: str, queue: str) -> None:
    with pytest.raises(NotBelievedError, match="without the key"):
        Seal(KEY).open(sealed(Seal(KEY)), task, queue)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(NotBelievedError, match="without the key"):
        Seal(KEY + "!").open(sealed(Seal(KEY)), CONVERT, "f:w")


@given(st.data())
def test_whatever_is_changed_on_the_way_is_noticed(data: st.DataObject) -> None:
    travels = sealed(Seal(KEY))
    field = data.draw(st.sampled_from(sorted(travels)))
    if field == "at":
        travels[field] += data.draw(st.floats(0.001, 30))
    else:
        at = data.draw(st.integers(0, len(travels[field]) - 1))
        other = data.draw(st.characters(codec="ascii").filter(lambda c: c != travels[field][at]))
        travels[field] = travels[field][:at] + other + travels[field][at + 1 :]

    with pytest.raises(NotBelievedError):
        Seal(KEY).open(travels, CONVERT, "f:w")


@pytest.mark.parametrize("passed", [61.0, -61.0, 1e9])
def test_what_was_kept_is_not_believed_later(passed: float) -> None:
    clock = SealClock()
    travels = sealed(Seal(KEY, clock))
    clock.now += passed

    with pytest.raises(NotBelievedError, match="clocks"):
        Seal(KEY, clock).open(travels, CONVERT, "f:w")


def test_numbers_are_remembered_for_as_long_as_they_could_come_again() -> None:
    clock = SealClock()
    fleet, worker = Seal(KEY, clock), Seal(KEY, clock)
    for _ in range(100):
        worker.open(sealed(fleet), CONVERT, "f:w")
        clock.now += 10

    assert len(worker._seen) <= 13


def test_without_a_key_only_what_has_no_seal_is_read() -> None:
    assert Seal(None).open(sealed(Seal(None)), CONVERT, "f:w")["account"] == "alice"
    with pytest.raises(NotBelievedError, match="no key is given here"):
        Seal(None).open(sealed(Seal(KEY)), CONVERT, "f:w")
    with pytest.raises(NotBelievedError, match="has no seal"):
        Seal(KEY).open(sealed(Seal(None)), CONVERT, "f:w")


@pytest.mark.parametrize("key", ["", "short", " " * 40, 7])
def test_a_key_that_could_be_guessed_is_refused(key: Any) -> None:
    with pytest.raises(ConfigurationError, match="at least 16"):
        Seal(key)


def test_the_key_is_shown_nowhere() -> None:
    seal = Seal(KEY)

    assert repr(seal) == "<Seal>"
    assert KEY not in str(seal.close(StatusRequest(job="j", reply_to="q", patience=5.0), READ, "f"))
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(seal)
