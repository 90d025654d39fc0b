"""The script that Redis runs: the Lua beside this file. And which rules this version has."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

LAYOUT: Final = 2
"""The version of what lies in Redis: 1 was a pool in Lua."""
_RULES: Final = ("budget", "budget/_redis", "_answers/weight.py")


@cache
def script() -> str:
    """Return the script."""
    return files(__package__ or "").joinpath("log.lua").read_text(encoding="utf-8")


@cache
def digest() -> str:
    """Return the name under which Redis knows the script, once it was sent."""
    return hashlib.sha1(script().encode(), usedforsecurity=False).hexdigest()


@cache
def layout() -> str:
    """Return what has to be the same in all processes that share a pool: the layout, and the rules.

    Whoever takes the same log must come to the same state, to the last bit. So the rules are known
    by their source.
    """
    found = hashlib.sha1(usedforsecurity=False)
    package = files("binance_dust")
    # The pace is aiolimiter's bucket, and part of the rules.
    for place in (*map(package.joinpath, _RULES), files("aiolimiter").joinpath("leakybucket.py")):
        sources = sorted(place.iterdir(), key=lambda each: each.name) if place.is_dir() else [place]
        for source in sources:
            if source.name.endswith(".py"):
                found.update(source.read_bytes())
    return f"{LAYOUT}.{found.hexdigest()[:8]}"
