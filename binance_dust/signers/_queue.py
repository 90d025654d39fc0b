"""One agent makes so many signatures at once, and the calls that wait are served in turn.

A call gets its timestamp when its turn comes, so that waiting here does not age it. A queue exists
while a call uses it. The connections that it keeps open are closed with it.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["SigningQueue"]


class _Closable(Protocol):
    def close(self) -> None: ...


class SigningQueue:
    """The turns at one agent, in one loop: `async with SigningQueue.at(agent, 8) as queue`."""

    __slots__ = ("_answered", "_key", "_turns", "_users", "kept", "loop")

    def __init__(self, key: tuple[int, Hashable], at_once: int) -> None:
        """Use `SigningQueue.at`, which gives all callers the same queue."""
        self._key = key
        self.loop = asyncio.get_running_loop()
        self._turns = asyncio.Semaphore(at_once)
        self._users = 0
        self._answered = -math.inf
        self.kept: list[_Closable] = []
        """Idle connections to the agent."""

    @classmethod
    def at(cls, agent: Hashable, at_once: int) -> SigningQueue:
        """Give the queue of an agent; enter it before anything else happens."""
        loop = asyncio.get_running_loop()
        key = id(loop), agent
        queue = _QUEUES.get(key)
        if queue is None or queue.loop is not loop:  # left by a loop that was ended halfway
            queue = _QUEUES[key] = cls(key, at_once)
        return queue

    @staticmethod
    def in_use(agent: Hashable) -> SigningQueue | None:
        """Give the queue of an agent, if a call is in it."""
        return _QUEUES.get((id(asyncio.get_running_loop()), agent))

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
            if _QUEUES.get(self._key) is self:
                del _QUEUES[self._key]
            while self.kept:
                self.kept.pop().close()


_QUEUES: Final[dict[tuple[int, Hashable], SigningQueue]] = {}
_SILENT: Final[dict[tuple[int, Hashable], float]] = {}
"""Until when agents are not asked again."""
