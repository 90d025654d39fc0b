"""Counts and durations in words; foreign text, made visible."""

from __future__ import annotations

import math

__all__ = ["count", "duration", "visible"]


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


def visible(text: str, most: int | None = None) -> str:
    r"""Show a foreign text on one line: what would steer a terminal becomes `\x1b`, `\u202e`.

    `most` limits what is shown, so clean the text of secrets before.
    """
    if not text.isprintable():
        text = "".join(
            each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
        )
    return text[:most]
