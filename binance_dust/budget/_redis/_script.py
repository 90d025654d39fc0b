"""The script that Redis runs: Lua beside this file, with the numbers of the local pool.

They stand once, in Python: two pools that differ in a number would be two pools.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

from binance_dust.budget import _boundary, _ledger, _line, _local, _others, _pool, _pools

_PARTS: Final = ("state", "count", "pool", "line", "keep", "main")
_MOST_SERVED: Final = 256
"""Calls that are admitted at once to a pool: Redis serves nobody else meanwhile."""
_LATER: Final = 1 / 10
"""Part of a lease by which others look later than who owns the head of a line: it may be dead."""
_KEPT: Final = 60
"""Windows for which everything is kept that nobody asks for."""

LAYOUT: Final = 1
"""How everything is kept, and what processes tell each other. Count it up when an older version
would misread either: versions that differ here refuse to share a pool."""

CONSTANTS: Final[dict[str, float]] = {
    "calls_to_scans": _line.CALLS_TO_SCANS,
    "caution": _pool.CAUTION,
    "cushion": _others.CUSHION,
    "drift": _ledger.DRIFT,
    "ease": _others.EASE,
    "far_off": _others.FAR_OFF,
    "forget": _others.FORGET,
    "fresh": _others.FRESH,
    "grain": 1 / _ledger.GRAINS,
    "group": _others.GROUP,
    "half_life": _others.HALF_LIFE,
    "kept": _KEPT,
    "later": _LATER,
    "layout": LAYOUT,
    "least_wait": _pool.LEAST_WAIT,
    "lonely": _pool.LONELY,
    "look_again": _boundary.LOOK_AGAIN,
    "looks": _others.LOOKS,
    "margin": _boundary.MARGIN,
    "most": _boundary.MOST,
    "most_caution": _pool.MOST_CAUTION,
    "most_cushion": _others.MOST_CUSHION,
    "most_growth": _others.MOST_GROWTH,
    "most_reserve": _pool.MOST_RESERVE,
    "most_served": _MOST_SERVED,
    "patience": _pool.PATIENCE,
    "sample": _others.SAMPLE,
    "stray": _ledger.STRAY,
    "sweep": _pools.SWEEP,
    "undisputed": _pool.UNDISPUTED,
    "wall": _local.WALL,
}


@cache
def script() -> str:
    """Give the whole script."""
    numbers = ", ".join(f"{name} = {value!r}" for name, value in CONSTANTS.items())
    folder = files(__package__ or "")
    parts = [folder.joinpath(f"{part}.lua").read_text(encoding="utf-8") for part in _PARTS]
    return "\n".join([f"local K = {{ {numbers} }}", *parts])


@cache
def digest() -> str:
    """Give the name under which Redis knows the script, once it was sent."""
    return hashlib.sha1(script().encode(), usedforsecurity=False).hexdigest()
