"""One agent makes so many signatures at once, and the calls that wait are served in turn.

A call gets its timestamp when its turn comes, so that waiting here does not age it. A line is there
while somebody uses it: nothing is left behind, and what it keeps open is closed with it.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["SigningLine"]


class _Closable(Protocol):
    def close(self) -> None: ...


class SigningLine:
    """The turns at one agent, in one event loop: `async with SigningLine.at(agent, 8) as line`."""

    __slots__ = ("_answered", "_key", "_turns", "_users", "kept", "loop")

    def __init__(self, key: tuple[int, Hashable], at_once: int) -> None:
        """Use `SigningLine.at`, which gives everybody the same line."""
        self._key = key
        self.loop = asyncio.get_running_loop()
        self._turns = asyncio.Semaphore(at_once)
        self._users = 0
        self._answered = -math.inf
        self.kept: list[_Closable] = []
        """Idle connections to the agent."""

    @classmethod
    def at(cls, agent: Hashable, at_once: int) -> SigningLine:
        """Give the line at an agent; enter it before anything else happens."""
        loop = asyncio.get_running_loop()
        key = id(loop), agent
        line = _LINES.get(key)
        if line is None or line.loop is not loop:  # one that ended in the middle of things
            line = _LINES[key] = cls(key, at_once)
        return line

    @staticmethod
    def in_use(agent: Hashable) -> SigningLine | None:
        """Give the line at an agent, if somebody is in it."""
        return _LINES.get((id(asyncio.get_running_loop()), agent))

    def answered(self) -> None:
        """Note that the agent answered, be it with a refusal."""
        self._answered = asyncio.get_running_loop().time()
        _SILENT.pop(self._key, None)

    def gave_up(self, began: float, seconds: float) -> None:
        """Note that a signature did not come in time.

        If nothing else came meanwhile, the agent is not asked again for so many seconds: one after
        another, many accounts would wait for hours.
        """
        if self._answered < began:
            _SILENT[self._key] = asyncio.get_running_loop().time() + seconds

    def silent_for(self) -> float:
        """Give the seconds for which the agent is not asked again; 0 if it may be."""
        until = _SILENT.get(self._key, -math.inf)
        left = until - asyncio.get_running_loop().time()
        if left <= 0:
            _SILENT.pop(self._key, None)
        return max(left, 0.0)

    async def __aenter__(self) -> Self:
        self._users += 1
        try:
            await self._turns.acquire()
        except BaseException:
            self._leave()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._turns.release()
        self._leave()

    def _leave(self) -> None:
        self._users -= 1
        if not self._users:
            if _LINES.get(self._key) is self:
                del _LINES[self._key]
            while self.kept:
                self.kept.pop().close()


_LINES: Final[dict[tuple[int, Hashable], SigningLine]] = {}
_SILENT: Final[dict[tuple[int, Hashable], float]] = {}
"""Until when agents are not asked again."""
