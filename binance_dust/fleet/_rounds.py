"""A fleet's sweep: its parts one after the other, once or for ever.

A part is the dust of one wallet, or the small debts. Each is a job of its own, so one account is in
one worker's hand at a time. The schedule is not stored. Who asks remembers it while it runs, and
the workers' ledgers know when each account converted: after a restart, an account whose turn has
not come says so.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from binance_dust.events import logger
from binance_dust.fleet._job import Jobs
from binance_dust.sweeper._sweep import next_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from binance_dust.errors import NotSentError
    from binance_dust.fleet._job import Job
    from binance_dust.sweeper import SweepReport

__all__ = ["SweepRounds"]

_SHORTEST: Final = timedelta(seconds=1)
_LONGEST: Final = timedelta(minutes=15)
"""After this time it is asked again which accounts there are: workers may have come."""


class SweepRounds(Jobs["SweepReport"]):
    """The jobs of a sweep."""

    def __init__(
        self,
        parts: Sequence[Callable[[Collection[str]], Job[SweepReport]]],
        *,
        every: timedelta | None,
    ) -> None:
        """Begin with the first part; each makes its job, which leaves out the accounts it is told.

        With `every` they begin again, for the accounts whose turn has come.
        """
        super().__init__(parts[0](()))
        self._parts = parts
        self._part = 0
        self._every = every
        self._due: dict[str, datetime] = {}
        """When each account has its next turn."""
        self._coming: dict[str, datetime] = {}
        """The same, by the reports of this round."""
        self._not_due: Collection[str] = ()

    def note(self, item: SweepReport) -> SweepReport:
        """Take note of when an account's next turn is; of several parts the soonest counts."""
        if self._every is None:
            return item
        due = next_turn(item, self._every)
        self._coming[item.account] = min(due, self._coming.get(item.account, due))
        return replace(item, next_at=due)

    def outlives(self, error: NotSentError) -> bool:
        """Go on for ever, whatever happens to workers and Redis."""
        if self._every is not None:
            logger.warning("a round of the sweep was left out: %s", error)
        return self._every is not None

    async def follow(self) -> bool:
        """Make the job of the next part, or of the next round."""
        self._part += 1
        if self._part == len(self._parts):
            if self._every is None:
                return False
            self._due |= self._coming
            self._coming, self._part = {}, 0
            await asyncio.sleep(self._pause().total_seconds())
            now = datetime.now(UTC)
            self._not_due = [name for name, due in self._due.items() if due > now]
        self.job = self._parts[self._part](self._not_due)
        return True

    def _pause(self) -> timedelta:
        soonest = min(self._due.values(), default=None)
        left = _LONGEST if soonest is None else soonest - datetime.now(UTC)
        return max(_SHORTEST, min(left, _LONGEST))
