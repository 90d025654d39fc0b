"""The script that Redis runs: the Lua beside this file, with the constants of the local pool.

Each constant stands once, in Python: two pools that differ in a number would be two pools.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

from binance_dust.budget import (
    _address,
    _boundary,
    _forecast,
    _others,
    _own,
    _pool,
    _pools,
    _queue,
)

_PARTS: Final = ("state", "count", "pool", "queue", "main")
_MOST_SERVED: Final = 256
"""Calls admitted at once to a pool: Redis serves no other client meanwhile."""
_OTHERS_LATER: Final = 1 / 10
"""Part of a lease by which other processes recheck later than the owner of the head of a queue: the
owner may be dead."""
_IDLE_TTL: Final = 60
"""TTL of an idle budget, in windows."""

LAYOUT: Final = 1
"""The version of what lies in Redis and of the messages. Count it up when an older version would
misread either: versions that differ here refuse to share a pool."""

CONSTANTS: Final[dict[str, float]] = {
    "ask_clock": _boundary.ASK_CLOCK,
    "calls_to_scans": _queue.CALLS_TO_SCANS,
    "caution": _pool.CAUTION,
    "cushion": _others.CUSHION,
    "drift": _own.DRIFT,
    "ease": _others.EASE,
    "far_off": _others.FAR_OFF,
    "forget": _others.FORGET,
    "fresh": _others.FRESH,
    "grain": 1 / _own.GRAINS,
    "group": _others.GROUP,
    "half_life": _others.HALF_LIFE,
    "idle_ttl": _IDLE_TTL,
    "layout": LAYOUT,
    "least_wait": _pool.LEAST_WAIT,
    "margin": _boundary.MARGIN,
    "most_caution": _pool.MOST_CAUTION,
    "most_cushion": _others.MOST_CUSHION,
    "most_growth": _others.MOST_GROWTH,
    "most_margin": _boundary.MOST_MARGIN,
    "most_reserve": _pool.MOST_RESERVE,
    "most_served": _MOST_SERVED,
    "others_later": _OTHERS_LATER,
    "patience": _pool.PATIENCE,
    "probes": _others.PROBES,
    "reserve_freed": _forecast.RESERVE_FREED,
    "sample": _others.SAMPLE,
    "stray": _own.STRAY,
    "sweep": _pools.SWEEP,
    "undisputed": _pool.UNDISPUTED,
    "wall": _address.WALL,
}


@cache
def script() -> str:
    """Return the whole script."""
    numbers = ", ".join(f"{name} = {value!r}" for name, value in CONSTANTS.items())
    folder = files(__package__ or "")
    parts = [folder.joinpath(f"{part}.lua").read_text(encoding="utf-8") for part in _PARTS]
    return "\n".join([f"local K = {{ {numbers} }}", *parts])


@cache
def digest() -> str:
    """Return the name under which Redis knows the script, once it was sent."""
    return hashlib.sha1(script().encode(), usedforsecurity=False).hexdigest()
