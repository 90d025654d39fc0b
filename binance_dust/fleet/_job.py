"""One job of a fleet: it calls the roll, hands accounts out, and hears what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from binance_dust._util.results import Results
from binance_dust.errors import NotSentError
from binance_dust.events import logger
from binance_dust.fleet import _tasks
from binance_dust.fleet._messages import Call, Errand
from binance_dust.fleet._post import hearing, wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust.fleet._assignments import Assignments, Handout
    from binance_dust.fleet._messages import Presence, Result
    from binance_dust.fleet._post import Post
    from binance_dust.fleet._timing import Timing

__all__ = ["Job", "Kind"]

R = TypeVar("R")

_UNREAD: Final = 2048
"""Results that may wait for whoever reads them; with more nothing new is handed out."""
_GATHERING: Final = 0.5
"""Of a pulse: for so long those who are there can answer before accounts are shared out."""


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[R]):
    """What is asked of the workers, and what comes back."""

    task: str
    asks: dict[str, Any]
    read: Callable[[dict[str, Any]], R]
    """Makes a result of what a worker sends."""
    give_up: Callable[[str, NotSentError], R]
    """Makes the result of an account that nobody could be found for."""
    has_failed: Callable[[R], bool]
    funds: bool = False
    """Whether it may move funds."""


class Job(Generic[R]):
    """Accounts, each to be given to one worker after the other until there is a result."""

    def __init__(
        self, post: Post, assignments: Assignments, kind: Kind[R], *, timing: Timing
    ) -> None:
        """Prepare; nothing is sent."""
        self.id: str = secrets.token_hex(8)
        self.assignments = assignments
        # Never full: whoever hears the workers must not wait for a reader. The job waits for it.
        self.results: Results[R] = Results(0)
        self.unread: int = 0
        self.began: float | None = None
        self.ended: float | None = None
        self.failed: int = 0
        self._post = post
        self._kind = kind
        self._timing = timing
        self._reply_to = post.queue(self.id)
        self._wake = asyncio.Event()
        self._away_since: float | None = None

    # --- what is heard ---------------------------------------------------------------------------

    def heard(self, presence: Presence) -> None:
        """Hear of a worker."""
        self.assignments.heard(presence, _now())
        self._wake.set()

    async def reported(self, result: Result) -> None:
        """Hear what became of an errand. The second time it is of no interest."""
        if result.job != self.id:
            return
        # Read before it counts: one that can't be read is none, and is asked for again.
        item = self._kind.read(result.value)
        if self.assignments.reported(result.number, result.worker):
            await self._deliver(item)
            self._wake.set()

    async def _deliver(self, item: R) -> None:
        self.failed += self._kind.has_failed(item)
        self.unread += 1
        await self.results.put(item)

    # --- what is done ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Get every account its result."""
        self.began = _now()
        try:
            async with hearing(self._post, self._reply_to, self):
                try:
                    await self._work()
                finally:
                    await self._dismiss()
        finally:
            self.ended = _now()

    async def _dismiss(self) -> None:
        """Tell the workers to drop what they still have in hand. Who misses it hears no more."""
        with contextlib.suppress(NotSentError):
            await self._call(_tasks.DISMISS)

    async def _work(self) -> None:
        began, call_at = _now(), _now()
        gathered = began + self._gathering
        while not (self.assignments.ended and _now() >= gathered):
            if _now() >= call_at:
                call_at = _now() + self._timing.pulse
                await self._try_to_call()
            if _now() >= gathered:
                await self._hand_out()
                self._check_somebody_is_there(began)
            until = gathered if _now() < gathered < call_at else call_at
            await self._rest(until - _now())

    def _check_somebody_is_there(self, began: float) -> None:
        waited = _now() - began > self._timing.wait
        if waited and self.assignments.nobody_came and self._away_since is None:
            raise NotSentError("no worker is there")

    @property
    def _gathering(self) -> float:
        """Seconds until accounts are handed out: who answers later has missed the first ones."""
        timing = self._timing
        return timing.gather if self._kind.funds else timing.pulse * _GATHERING

    async def _rest(self, seconds: float) -> None:
        """Wait until there is something to do."""
        if not self.assignments.ended:
            await wait(self._wake, seconds)
        self._wake.clear()

    async def _try_to_call(self) -> None:
        """Call the roll; where the line is down that is nobody's fault, for a while."""
        try:
            await self._call(_tasks.ROLL_CALL)
        except NotSentError as problem:
            now = _now()
            self._away_since = now if self._away_since is None else self._away_since
            logger.debug("%s", problem)
            if now - self._away_since > self._timing.wait:
                raise
        else:
            if self._away_since is not None:
                self.assignments.silence(_now())
            self._away_since = None

    async def _call(self, task: str) -> None:
        there = self.assignments.workers
        call = Call(
            job=self.id,
            reply_to=self._reply_to,
            known=tuple(there),
            rest=-(-self.assignments.waiting // max(1, len(there))),
            patience=self._timing.patience,
        )
        await self._post.send(self._post.bulletin, task, call)

    async def _hand_out(self) -> None:
        for _, account, reason in self.assignments.failed(_now()):
            await self._deliver(self._kind.give_up(account, NotSentError(reason, account=account)))
        if self._away_since is not None:
            return
        room = _UNREAD - self.unread
        for handout in self.assignments.due(_now(), room):
            try:
                await self._send(handout)
            except NotSentError as problem:
                logger.debug("%s", problem)
                self.assignments.took_back(handout.number)

    async def _send(self, handout: Handout) -> None:
        errand = Errand(
            job=self.id,
            number=handout.number,
            account=handout.account,
            reply_to=self._reply_to,
            asks=self._kind.asks,
            tick=handout.tick,
            since=handout.since,
        )
        await self._post.send(self._post.queue(handout.worker), self._kind.task, errand)


def _now() -> float:
    return asyncio.get_running_loop().time()
