"""Numbers and lengths of time as people say them."""

from __future__ import annotations

import math

__all__ = ["count", "duration"]


def count(number: int, what: str) -> str:
    """Say how many there are: `1 account`, `1,000 accounts`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Say a length of time in two units at most: `2 min 41 s`."""
    whole = math.ceil(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
