"""Counts and durations in words."""

from __future__ import annotations

import math

__all__ = ["count", "duration"]


def count(number: int, what: str, plural: str | None = None) -> str:
    """Write a number with its noun: `1 account`, `1,000 accounts`."""
    return f"{number:,} {what if number == 1 else plural or f'{what}s'}"


def duration(seconds: float) -> str:
    """Write a duration in at most two units: `2 min 41 s`."""
    whole = math.ceil(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
