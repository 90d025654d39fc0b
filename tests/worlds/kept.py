"""Worlds that once failed, each with a line why. None is ever taken out.

`open` names what a world still violates: what is mended is taken out of it, and nothing is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.worlds.world import (
    World,
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A world that once failed."""

    why: str
    world: World
    open: frozenset[str] = frozenset()


KEPT: Final[tuple[Kept, ...]] = ()
