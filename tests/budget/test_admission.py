"""An admission of a local budget: it marks what leaves, and tells its budget once how it ended."""

from __future__ import annotations

import pytest

from binance_dust.budget import Charge, Feedback, LimitKind, RateLimits
from binance_dust.budget._admission import LocalAdmission
from binance_dust.budget._look import used
from binance_dust.budget._pool import Go
from binance_dust.budget._pools import Pools


class Owner:
    """A clock, and a budget that remembers how admissions ended."""

    def __init__(self) -> None:
        self.at = 1.0
        self.ends: list[str] = []

    def monotonic(self) -> float:
        return self.at

    def server_time(self) -> float | None:
        return None

    now = monotonic

    def stopped(self, call: LocalAdmission) -> bool:
        return False

    def settle(self, call: LocalAdmission, answer: Feedback, now: float) -> None:
        self.ends.append("settled")

    def lose(self, call: LocalAdmission, now: float) -> None:
        self.ends.append("lost")

    def give_back(self, call: LocalAdmission, now: float) -> None:
        self.ends.append("released")


def admitted() -> tuple[LocalAdmission, Owner]:
    owner = Owner()
    pool = Pools(RateLimits(), owner).of(Charge("GET /x", LimitKind.IP, 100))
    admission = LocalAdmission(owner, pool, 100)
    pool.admit(admission, owner.at, Go.YES)
    return admission, owner


def test_a_call_that_leaves_is_marked_anew_and_its_copies_are_charged() -> None:
    admission, owner = admitted()
    assert admission.sent_at == 1.0

    owner.at = 3.0
    admission.sent()
    owner.at = 4.0
    admission.sent(extra=1)
    assert (admission.sent_at, admission.extra) == (3.0, 100)
    admission.sent(extra=2)

    assert (admission.sent_at, admission.extra) == (3.0, 300)
    assert used(admission.pool, 4.0) == 400


@pytest.mark.parametrize("first", ["settled", "lost", "released"])
def test_only_the_first_end_is_told(first: str) -> None:
    admission, owner = admitted()
    ways = {
        "settled": lambda: admission.settle(Feedback(200)),
        "lost": admission.unknown,
        "released": admission.release,
    }
    assert "open" in repr(admission)

    ways[first]()
    for end in ways.values():
        end()

    assert owner.ends == [first]
    assert "over" in repr(admission)


def test_what_leaves_after_the_end_changes_nothing() -> None:
    admission, owner = admitted()
    admission.unknown()

    owner.at = 3.0
    admission.sent()
    admission.sent(extra=1)

    assert (admission.sent_at, admission.extra) == (1.0, 0)
