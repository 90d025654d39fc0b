"""Figures in words."""

from __future__ import annotations

__all__ = ["count"]


def count(number: int, noun: str) -> str:
    """Say how many there are: `1 debt`, `1,200 debts`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
