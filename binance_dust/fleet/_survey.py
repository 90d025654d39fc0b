"""How long a scan would take: every worker says how long its part would."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

from binance_dust.errors import NotSentError
from binance_dust.fleet import _tasks
from binance_dust.fleet._messages import Call, Errand
from binance_dust.fleet._post import hearing, wait
from binance_dust.scanner import LaneEstimate, Question, ScanEstimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from binance_dust.fleet._messages import Presence, Result
    from binance_dust.fleet._post import Post
    from binance_dust.fleet._timing import Timing

__all__ = ["Survey", "parts"]


class Survey:
    """Asks who is there, gives everybody a part, and hears how long it would take."""

    def __init__(
        self, post: Post, timing: Timing, names: Iterable[str] | None, asks: dict[str, Any]
    ) -> None:
        """Prepare; nothing is sent."""
        self._post = post
        self._timing = timing
        self._names = names
        self._asks = asks
        self._id = secrets.token_hex(8)
        self._there: dict[str, Presence] = {}
        self._answers: dict[int, dict[str, Any]] = {}
        self._wake = asyncio.Event()

    def heard(self, presence: Presence) -> None:
        """Hear of a worker."""
        if not presence.leaving and presence.accounts is not None:
            self._there[presence.worker] = presence
            self._wake.set()

    async def reported(self, result: Result) -> None:
        """Hear how long a worker's part would take."""
        self._answers[result.number] = result.value
        self._wake.set()

    async def run(self) -> ScanEstimate:
        """Ask, and add up."""
        queue = self._post.queue(self._id)
        async with hearing(self._post, queue, self):
            try:
                return await self._ask(queue)
            finally:
                await self._call(_tasks.DISMISS, queue)

    async def _ask(self, queue: str) -> ScanEstimate:
        timing = self._timing
        time = asyncio.get_running_loop().time
        latest = time() + timing.wait
        while not self._there:
            await self._call(_tasks.ROLL_CALL, queue)
            await self._rest(timing.pulse)
            if time() > latest:
                raise NotSentError("no worker is there")
        # The others had the same call, and answer it about now.
        await asyncio.sleep(timing.pulse / 2)
        there = sorted(self._there.values(), key=lambda each: (each.name, each.worker))
        shares = parts(self._names, {each.worker: each.accounts or () for each in there})
        asked = [
            number
            for number, each in enumerate(there)
            if await self._send(queue, number, each, shares[each.worker])
        ]
        latest = time() + timing.patience
        while not self._answers.keys() >= set(asked):
            if time() > latest:
                raise NotSentError("a worker was lost while it was asked for an estimate")
            await self._rest(timing.pulse)
        return self._sum(sum(map(len, shares.values())))

    async def _send(self, queue: str, number: int, worker: Presence, accounts: list[str]) -> bool:
        if not accounts:
            return False
        errand = Errand(
            job=self._id,
            number=number,
            account="",
            reply_to=queue,
            asks={**self._asks, "accounts": accounts},
            tick=worker.tick,
        )
        await self._post.send(self._post.queue(worker.worker), _tasks.FORESEE, errand)
        return True

    async def _call(self, task: str, queue: str) -> None:
        call = Call(job=self._id, reply_to=queue, patience=self._timing.patience)
        await self._post.send(self._post.bulletin, task, call)

    async def _rest(self, seconds: float) -> None:
        await wait(self._wake, seconds)
        self._wake.clear()

    def _sum(self, accounts: int) -> ScanEstimate:
        lanes = [
            LaneEstimate(number, Question(question), calls, weight, seconds)
            for number, answer in self._answers.items()
            for question, calls, weight, seconds in answer["lanes"]
        ]
        lanes.sort(key=lambda lane: lane.seconds, reverse=True)
        seconds = max((answer["seconds"] for answer in self._answers.values()), default=0.0)
        return ScanEstimate(accounts, seconds, tuple(lanes))


def parts(names: Iterable[str] | None, keys: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Share accounts out among workers: each to the one with the fewest of those with its key."""
    able: dict[str, list[str]] = {}
    for worker, accounts in keys.items():
        for account in accounts:
            able.setdefault(account, []).append(worker)
    wanted = able if names is None else [name for name in dict.fromkeys(names) if name in able]
    shares: dict[str, list[str]] = {worker: [] for worker in keys}
    for account in sorted(wanted, key=lambda account: len(able[account])):
        fewest = min(able[account], key=lambda worker: len(shares[worker]))
        shares[fewest].append(account)
    return shares
