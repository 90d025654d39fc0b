"""One agent makes so many signatures at once, and the calls that wait are served in turn.

A call gets its timestamp when its turn comes, so that waiting here does not age it. A queue exists
while a call uses it, and the connections that it keeps open are closed when the last one leaves. No
loop that has ended leaves anything behind.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final, Protocol, Self
from weakref import WeakKeyDictionary, WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["SigningQueue"]


class _Closable(Protocol):
    def close(self) -> None: ...


class SigningQueue:
    """The turns at one agent, in one loop: `async with SigningQueue.at(agent, 8) as queue`."""

    __slots__ = ("__weakref__", "_agent", "_answered", "_loop", "_turns", "_users", "kept")

    def __init__(self, loop: asyncio.AbstractEventLoop, agent: Hashable, at_once: int) -> None:
        """Use `SigningQueue.at`, which gives all callers the same queue."""
        self._loop = loop
        self._agent = agent
        self._turns = asyncio.Semaphore(at_once)
        self._users = 0
        self._answered = -math.inf
        self.kept: list[_Closable] = []
        """Idle connections to the agent."""

    @classmethod
    def at(cls, agent: Hashable, at_once: int) -> SigningQueue:
        """Give the queue of an agent; enter it before anything else happens."""
        queue = cls.in_use(agent)
        if queue is None:
            loop = asyncio.get_running_loop()
            queue = _QUEUES[id(loop), agent] = cls(loop, agent, at_once)
        return queue

    @staticmethod
    def in_use(agent: Hashable) -> SigningQueue | None:
        """Give the queue of an agent, if a call is in it."""
        return _QUEUES.get((id(asyncio.get_running_loop()), agent))

    def answered(self) -> None:
        """Note that the agent answered, be it with a refusal."""
        self._answered = self._loop.time()
        _SILENT.get(self._loop, {}).pop(self._agent, None)

    def gave_up(self, began: float, seconds: float) -> None:
        """Note that a signature did not come in time.

        If nothing else came meanwhile, the agent is not asked again for so many seconds: one after
        another, many accounts would wait for hours.
        """
        if self._answered <= began:  # a loop may give one time to all that happens at once
            _SILENT.setdefault(self._loop, {})[self._agent] = self._loop.time() + seconds

    def silent_for(self) -> float:
        """Give the seconds for which the agent is not asked again; 0 if it may be."""
        now = self._loop.time()
        return max(_SILENT.get(self._loop, {}).get(self._agent, now) - now, 0.0)

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
            _QUEUES.pop((id(self._loop), self._agent), None)
            while self.kept:
                self.kept.pop().close()


_QUEUES: Final[WeakValueDictionary[tuple[int, Hashable], SigningQueue]] = WeakValueDictionary()
"""A queue holds its loop, so no other loop has the same number while the queue is here."""
_SILENT: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, float]]] = (
    WeakKeyDictionary()
)
"""Until when agents are not asked again, in a loop and by its time."""
