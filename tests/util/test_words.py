"""Numbers and times as people say them."""

from __future__ import annotations

import pytest

from binance_dust._util.words import count, duration


def test_one_is_told_from_many() -> None:
    assert [count(n, "account") for n in (0, 1, 1200)] == [
        "0 accounts",
        "1 account",
        "1,200 accounts",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.2, "1 s"),
        (59.2, "1 min 0 s"),
        (161, "2 min 41 s"),
        (3599.2, "1 h 0 min"),
        (3600, "1 h 0 min"),
        (360_000, "100 h 0 min"),
    ],
)
def test_times_are_told_in_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text
