"""What the hour goes through: twelve worlds in turn, and a kill of each part, drawn from a seed.

The first world is calm, so that there is something to compare with, and so is the last: what is
open is settled there, and nothing may fail any more. A world has rules of the sandbox, and blows:
faults at moments of it. Times are parts of the world, so that an hour and four minutes are alike.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

WORLDS_OF_AN_HOUR: Final = 12
PARTS: Final = ("exchange", "redis", "one", "two", "three", "four", "sweep", "prometheus")
"""What is killed, each once."""
ADDRESSES: Final = {
    "one": "127.0.0.2",
    "two": "127.0.0.2",
    "three": "127.0.0.3",
    "four": "127.0.0.4",
}
"""Where each worker sends from. The first two share an address, and a budget at Redis."""
_LIST: Final = "small_liabilities"
_LIST_PATH: Final = "GET /sapi/v1/margin/exchange-small-liability"
_DUST: Final = "/sapi/v1/asset/dust"


@dataclass(frozen=True, slots=True)
class Blow:
    """A fault, or rules from now on, at a moment of a world."""

    at: float
    """The part of the world that is over."""
    fault: Mapping[str, Any] | None = None
    """What is posted to `/sandbox/faults`. `seconds` of a ban are parts of the world, too."""
    rules: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class World:
    """One world of the hour."""

    name: str
    rules: Mapping[str, Any]
    blows: tuple[Blow, ...] = ()


def _fault(at: float, name: str, **more: Any) -> Blow:
    return Blow(at, {"fault": name, **more})


def _header(at: float, header: str) -> Blow:
    return Blow(at, rules={"weight_header": header})


CALM: Final = World("as documented", {})
STORMS: Final = (
    World("half of the limits", {"ip_weight": 6_000, "uid_weight": 90_000, "spot_weight": 3_000}),
    World("sliding windows", {"window_mode": "sliding"}),
    World(
        "slow answers",
        {},
        (
            _fault(0.0, "delay", seconds=0.6, times=None),
            _fault(0.3, "delay", seconds=3.0, endpoint="/sapi/v3/asset/getUserAsset", times=30),
            _fault(0.5, "delay", seconds=2.0, on="request", times=40),
            _fault(0.7, "delay", seconds=4.0, on="execution", endpoint=_DUST, times=6),
        ),
    ),
    World(
        "lost answers",
        {},
        (
            _fault(0.05, "lose_funds_answer", times=6),
            _fault(0.2, "lose_answer", after_executing=False, endpoint=_DUST, times=3),
            _fault(0.35, "cut_body", endpoint=_DUST, times=2),
            _fault(0.45, "garble_body", endpoint=_DUST, times=2),
            _fault(0.5, "lose_answer", after_executing=True, times=20),
            _fault(0.7, "convert_nothing", times=2),
        ),
    ),
    World(
        "firewall, errors, maintenance",
        {},
        (
            _fault(0.05, "html_403", address="127.0.0.4", times=6),
            _fault(0.2, "fail", status=503, after_executing=False, times=30),
            _fault(0.35, "fail", status=503, after_executing=True, endpoint=_DUST, times=3),
            _fault(0.5, "maintenance", on=True),
            _fault(0.65, "maintenance", on=False),
            _fault(0.75, "fail", status=502, after_executing=True, times=20),
        ),
    ),
    World(
        "bans",
        {},
        (
            _fault(0.05, "ban", seconds=0.25, address="127.0.0.2"),
            _fault(0.4, "ban", seconds=0.25, address="127.0.0.3"),
            _fault(0.45, "refuse", status=429, retry_after=3, address="127.0.0.4", times=2),
        ),
    ),
    World(
        "a clock that steps and drifts",
        {},
        (
            _fault(0.1, "jump_clock", seconds=0.7),
            _fault(0.3, "jump_clock", seconds=-0.9),
            _fault(0.5, "drift_clock", seconds=4.0, over=20.0),
            _fault(0.8, "drift_clock", seconds=0.0),
        ),
    ),
    World(
        "others spend",
        {"others": {_LIST: 6_000, "user_assets": 6_000}},
        (
            _fault(0.3, "spend", endpoint=_LIST_PATH, weight=9_000, address="127.0.0.3"),
            Blow(
                0.5,
                rules={
                    "others": {_LIST: 6_000, "user_assets": 6_000},
                    "others_mode": "at the cut",
                },
            ),
        ),
    ),
    World(
        "wrong headers",
        {"nodes": 3},
        (
            _header(0.15, "missing"),
            _header(0.3, "one"),
            _header(0.45, "huge"),
            _header(0.6, "other payer"),
            _header(0.75, "backwards"),
            _header(0.9, "late"),
        ),
    ),
    World("dear lists, strict bans", {"weights": {_LIST: 300}, "ban_after": 10}),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One world of the plan, with the parts that are killed in it, each at a moment of it."""

    world: World
    kills: tuple[tuple[float, str], ...] = ()


def draw(seed: int) -> tuple[Step, ...]:
    """Draw the order of the worlds, and when each part is killed."""
    dice = random.Random(seed)  # noqa: S311 - to be repeated
    storms, parts = list(STORMS), list(PARTS)
    dice.shuffle(storms)
    dice.shuffle(parts)
    # No kill in the last storm: what was killed has to come back before the last calm.
    homes = sorted(dice.sample(range(len(storms) - 1), len(parts)))
    killed = dict(zip(homes, parts, strict=True))
    steps = [
        Step(world, ((dice.uniform(0.3, 0.7), killed[n]),) if n in killed else ())
        for n, world in enumerate(storms)
    ]
    return (Step(CALM), *steps, Step(CALM))
