"""The limits of an address, checked when they are made."""

from __future__ import annotations

from typing import Any

import pytest

from binance_dust.budget import RateLimits
from binance_dust.endpoints import LimitKind
from binance_dust.errors import ConfigurationError


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"ip_weight": 0}, ConfigurationError),
        ({"uid_weight": -5}, ConfigurationError),
        ({"request_weight": 1.5}, TypeError),
        ({"ip_weight": True}, TypeError),
        ({"window": 0}, ConfigurationError),
        ({"window": float("nan")}, ConfigurationError),
        ({"window": float("inf")}, ConfigurationError),
        ({"window": "60"}, TypeError),
        ({"window": 1e-300}, ConfigurationError),
        ({"window": 0.000999}, ConfigurationError),
        ({"headroom": 1}, ConfigurationError),
        ({"headroom": 0.99999}, ConfigurationError),
        ({"headroom": -0.1}, ConfigurationError),
        ({"requests_per_second": 0}, ConfigurationError),
    ],
)
def test_impossible_limits_are_rejected(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        RateLimits(**options)


@pytest.mark.parametrize(
    ("kind", "headroom", "ours"),
    [
        (LimitKind.IP, 0.0, 12_000),
        (LimitKind.UID, 0.0, 180_000),
        (LimitKind.REQUEST, 0.0, 6_000),
        (LimitKind.IP, 0.1, 10_800),
        (LimitKind.IP, 0.9, 1_200),
        (LimitKind.REQUEST, 1 / 3, 4_000),
    ],
)
def test_headroom_is_taken_from_every_limit(kind: LimitKind, headroom: float, ours: int) -> None:
    assert RateLimits(headroom=headroom).of(kind) == ours
    assert RateLimits(headroom=headroom).whole(kind) == RateLimits().whole(kind)


def test_the_limits_are_those_that_the_exchange_publishes_unless_said_otherwise() -> None:
    assert RateLimits() == RateLimits(
        ip_weight=12_000,
        uid_weight=180_000,
        request_weight=6_000,
        window=60.0,
        headroom=0.0,
        requests_per_second=500,
    )


@pytest.mark.parametrize("name", ["ip_weight", "uid_weight", "request_weight"])
def test_a_limit_is_one_at_the_least_and_so_is_what_headroom_leaves_of_it(name: str) -> None:
    options: dict[str, Any] = {name: 1}
    assert getattr(RateLimits(**options), name) == 1
    options = {name: 10, "headroom": 0.9}
    assert getattr(RateLimits(**options), name) == 10

    options = {name: 0}
    with pytest.raises(ConfigurationError, match=f"{name} must be at least 1, not 0"):
        RateLimits(**options)
    options = {name: 10, "headroom": 0.91}
    with pytest.raises(ConfigurationError, match=r"headroom 0\.91 leaves nothing of the"):
        RateLimits(**options)


def test_a_millisecond_is_the_shortest_window() -> None:
    assert RateLimits(window=0.001).window == 0.001
