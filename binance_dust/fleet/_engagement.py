"""What a worker has to do with one job of one fleet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from binance_dust.errors import GuardError
from binance_dust.fleet._round import Round

if TYPE_CHECKING:
    from binance_dust.fleet._messages import Call, Errand

__all__ = ["Engagement"]


class Engagement:
    """A job as a worker knows it: what it has in hand for it, and when it last heard of it."""

    __slots__ = ("_concurrency", "_round", "begun", "call", "hand", "heard")

    def __init__(self, call: Call, *, concurrency: int) -> None:
        """Begin with nothing in hand."""
        self.call = call
        self.heard = asyncio.get_running_loop().time()
        self.hand: set[int] = set()
        """Errands that were handed to it and have no result yet."""
        self.begun: set[int] = set()
        """Errands that may have moved funds, those with a result included."""
        self._concurrency = concurrency
        self._round: Round | None = None

    def called(self, call: Call) -> None:
        """Take note that the fleet is there."""
        self.call, self.heard = call, asyncio.get_running_loop().time()

    @property
    def silence(self) -> float:
        """Seconds since the fleet was heard."""
        return asyncio.get_running_loop().time() - self.heard

    def round(self, errand: Errand) -> Round:
        """Give the scan that visits this job's accounts."""
        if self._round is None:
            self._round = Round(concurrency=self._concurrency, **errand.asks)
        return self._round

    @property
    def seconds_left(self) -> float:
        """Foretell when the last call of this job can be sent."""
        return self._round.seconds_left(self.call.rest) if self._round else 0.0

    def is_stale(self, errand: Errand) -> bool:
        """Tell whether an order was on its way for so long that the fleet takes it for lost."""
        return asyncio.get_running_loop().time() - errand.tick > self.call.patience / 2

    def check(self, errand: Errand) -> None:
        """Refuse to move funds for a fleet that may take this worker for lost by now.

        It does so `patience` after the last answer that it has heard, and that was an answer to a
        call that was heard here. Half of it is left for what comes before the intent is on record.
        """
        if self.silence > self.call.patience / 2:
            raise GuardError(f"{errand.account}: the fleet has not been heard for too long")

    async def drop(self) -> None:
        """Stop what only reads. What may move funds goes on."""
        visits, self._round = self._round, None
        if visits is not None:
            await visits.stop()
        self.hand &= self.begun
