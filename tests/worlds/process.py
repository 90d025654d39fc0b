"""A program with a budget: it makes its part of a world's calls, as a session would.

The budget, the judge of answers and the exchange's clock are the real ones. Only the line is not:
calls go to the strict exchange of the world, and what was sent, heard and waited for is noted.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from binance_dust._answers.judge import read_feedback
from binance_dust._call.clock import ClockReading, ServerClock
from binance_dust._call.forecasts import Forecasts
from binance_dust.budget import (
    Admission,
    Budget,
    Charge,
    Feedback,
    Lane,
    LimitKind,
    LocalBudget,
    Movable,
    RateLimits,
)
from binance_dust.budget._payers import Payers
from binance_dust.errors import BannedError, BudgetExceededError, DustError, NotSentError
from tests.worlds.engine import Engine, ProcessLoop
from tests.worlds.exchange import EPOCH, Request, Response, StrictExchange
from tests.worlds.world import ENDPOINTS, Endpoint, Stream, World

MakeBudget = Callable[[RateLimits, Any, Callable[[Any], None], float], Budget]
"""Limits, clock, observer, patience."""

REFUSED, BANNED, WALLED, BROKEN, LOST, GOOD, CLOCK = (
    "refused",
    "banned",
    "walled",
    "broken",
    "lost",
    "good",
    "clock",
)


@dataclass(slots=True)
class Sent:
    """A call that left, and what was heard of it."""

    process: int
    title: str
    account: str
    at: float
    turn: int
    """Its place among all that was sent and heard: much happens in one moment."""
    heard: float | None = None
    heard_turn: int = 0
    end: str = ""
    wait: float | None = None
    """What the answer says about waiting, in seconds."""


@dataclass(slots=True)
class Wait:
    """A call that waited for its budget."""

    process: int
    title: str
    account: str
    single: bool
    since: float
    deadline: float | None
    """In true time."""
    ended: float | None = None
    error: str = ""
    wait: float | None = None
    """The time that the error tells."""


@dataclass(slots=True)
class Job:
    """A call that is wanted."""

    stream: Stream
    at: float
    account: str
    done: float | None = None
    late: bool = False
    """Whether it was told that its deadline can't be met."""


@dataclass(slots=True)
class Notes:
    """What happened to all processes of a world."""

    sent: list[Sent] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    forecasts: list[tuple[float, str, float]] = field(default_factory=list)
    """When, of which endpoint, and the true time foretold for the last call of a scan."""
    events: list[tuple[float, Any]] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    turns: Iterator[int] = field(default_factory=itertools.count)


def local_budget(
    limits: RateLimits, clock: Any, observer: Callable[[Any], None], patience: float
) -> Budget:
    """Make the budget that a session makes."""
    return LocalBudget(limits, clock, observer, patience=patience)


class _Time:
    """This process's clocks."""

    def __init__(self, loop: ProcessLoop, engine: Engine, ahead: float) -> None:
        self._loop = loop
        self._engine = engine
        self._ahead = ahead
        self.monotonic = loop.time

    def wall(self) -> float:
        return EPOCH + self._engine.now + self._ahead


@dataclass(frozen=True, slots=True)
class Stage:
    """What the processes of a world share: the world itself, true time, and the notes."""

    world: World
    engine: Engine
    exchange: StrictExchange
    notes: Notes
    make: MakeBudget


class Process:
    """One process: a loop, a clock, a budget, and calls to make."""

    def __init__(self, number: int, stage: Stage, jobs: list[Job]) -> None:
        self.number = number
        self.stage = stage
        self.world = world = stage.world
        self.engine = engine = stage.engine
        self.notes = stage.notes
        self.jobs = jobs
        self.left = sum(job.done is None and not job.late for job in jobs)
        self._dice = random.Random(world.seed * 31 + number)  # noqa: S311 - to be repeated
        self.loop = ProcessLoop(engine, world.clocks.our_drift)
        engine.loops.append(self.loop)
        self._payers = Payers()
        self.clock = ServerClock(self._ask, _Time(self.loop, engine, world.clocks.our_wall))
        self.limits = RateLimits(
            ip_weight=world.limits.documented, uid_weight=world.limits.accounts
        )
        self.budget = stage.make(self.limits, self.clock, self._note, world.max_wait)
        for job in jobs:
            if job.done is None and not job.late:
                self._start(job)
        self.loop.wake = engine.now

    def _note(self, event: Any) -> None:
        self.notes.events.append((self.engine.now, event))

    def _start(self, job: Job) -> None:
        self.loop.create_task(self._begin(job)).add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.notes.crashes.append(repr(error))
        self.left -= 1

    async def _begin(self, job: Job) -> None:
        if job.at > self.engine.now:
            await asyncio.sleep(job.at - self.engine.now)
        await self._insist(job)

    async def _insist(self, job: Job) -> None:
        """Make a call until it succeeds, or is too late for its deadline."""
        stream, endpoint = job.stream, ENDPOINTS[job.stream.endpoint]
        deadline = None if stream.deadline is None else self.loop.time() + stream.deadline
        pause = 0.25
        while True:
            await self._look_at_clock()
            try:
                answer, _ = await self._attempt(
                    endpoint, job.account, single=stream.single, by=deadline
                )
            except (BudgetExceededError, BannedError) as error:
                if isinstance(error, BudgetExceededError) and deadline is not None:
                    job.late = True
                    return
                await asyncio.sleep(max(error.retry_after or 0.0, 0.05))
                if deadline is not None and self.loop.time() >= deadline:
                    job.late = True
                    return
                continue
            except NotSentError:
                continue  # it was stopped since it was admitted
            if answer.end == GOOD:
                job.done = self.engine.now
                return
            if answer.end in {REFUSED, BANNED}:
                continue  # the budget makes it wait
            if answer.end == CLOCK:
                await self._look_at_clock(past=self.clock.generation)
            await asyncio.sleep(self._dice.uniform(0.0, pause))
            pause = min(pause * 2, 30.0)

    async def _look_at_clock(self, past: int | None = None) -> None:
        """Learn the exchange's time if it is due, or anew; a failure is left to the next answer."""
        with contextlib.suppress(DustError):
            if past is not None:
                await self.clock.learn_past(past)
            elif self.clock.due:
                await self.clock.refresh()

    async def _attempt(
        self, endpoint: Endpoint, account: str, *, single: bool, by: float | None
    ) -> tuple[Sent, Response | None]:
        kind = self._payers.of(endpoint.title, LimitKind(endpoint.payer))
        charge = Charge(endpoint.title, kind, endpoint.weight, account or None)
        signed = endpoint.payer != "request"
        admission = await self._admitted(charge, single=single, by=by)
        if signed and self.clock.due and self.clock.wrong:
            admission.release()
            await self._look_at_clock()
            admission = await self._admitted(charge, single=single, by=by)
        sent = Sent(self.number, endpoint.title, account, self.engine.now, next(self.notes.turns))
        self.notes.sent.append(sent)
        admission.sent()
        stamp, generation = self.clock.now() if signed else None, self.clock.generation
        try:
            answer = await self._send(
                Request(endpoint.title, account, stamp, self.world.net.recv_window)
            )
        except asyncio.CancelledError:
            admission.unknown()
            raise
        sent.heard, sent.heard_turn = self.engine.now, next(self.notes.turns)
        if answer is None:
            sent.end = LOST
            admission.unknown()
            return sent, None
        feedback = read_feedback(
            answer.status,
            answer.headers,
            answer.body,
            self.loop.time(),
            self.clock.server_time(),
        )
        sent.end, sent.wait = _end(feedback, answer)
        if sent.end == CLOCK:
            self.clock.refused(generation)
        admission.settle(feedback)
        payer = self._payers.read(charge, feedback)
        if payer is not None and isinstance(self.budget, Movable):
            self.budget.move(endpoint.title, payer)
        return sent, answer

    async def _admitted(self, charge: Charge, *, single: bool, by: float | None) -> Admission:
        """Wait for the budget, and note how long."""
        now = self.engine.now
        wait = Wait(self.number, charge.pool, charge.account or "", single, now, None)
        if by is not None:
            wait.deadline = now + by - self.loop.time()
        self.notes.waits.append(wait)
        lane = Lane.CALL if single else Lane.SCAN
        try:
            return await self.budget.admit(charge, deadline=by, lane=lane)
        except (BudgetExceededError, BannedError) as error:
            wait.error, wait.wait = type(error).__name__, error.retry_after
            raise
        finally:
            wait.ended = self.engine.now

    def _send(self, request: Request) -> asyncio.Future[Response | None]:
        net = self.world.net
        future: asyncio.Future[Response | None] = self.loop.create_future()
        if self._dice.random() < net.lost_requests:
            self.engine.at(self.engine.now + net.timeout, _deliver, future, None)
        else:
            self.engine.at(self.engine.now + self._way(), self._arrive, request, future)
        return future

    def _arrive(self, request: Request, future: asyncio.Future[Response | None]) -> None:
        now = self.engine.now
        answer: Response | None = self.stage.exchange.receive(now, request)
        way = self._way()
        if self._dice.random() < self.world.net.lost_answers:
            answer, way = None, self.world.net.timeout
        self.engine.at(now + way, _deliver, future, answer)

    def _way(self) -> float:
        net = self.world.net
        return net.way + self._dice.random() * net.jitter

    async def _ask(self) -> ClockReading:
        sent, answer = await self._attempt(ENDPOINTS["time"], "", single=True, by=None)
        if answer is None or sent.end != GOOD:
            raise NotSentError("the exchange's time was not learnt")
        told, now = int(answer.body[len(b'{"serverTime": ') : -1]) / 1000, self.loop.time()
        return ClockReading(told, now - (self.engine.now - sent.at), now)

    def foretell(self, endpoint: Endpoint) -> None:
        """Note when the last call that waits now is foretold to leave."""
        charge = Charge(endpoint.title, LimitKind(endpoint.payer), endpoint.weight, "a0")
        now = self.engine.now
        seconds = Forecasts(self.budget, self.limits, self.loop.time).of_address(charge, 0)
        self.notes.forecasts.append((now, endpoint.title, now + seconds))

    def end(self) -> None:
        """Die: tasks are gone, and what is under way is not heard. Once is enough."""
        if self.loop in self.engine.loops:
            self.engine.loops.remove(self.loop)
            self.loop.end()


def _deliver(future: asyncio.Future[Response | None], answer: Response | None) -> None:
    if not future.done() and not future.get_loop().is_closed():
        future.set_result(answer)


def _end(feedback: Feedback, answer: Response) -> tuple[str, float | None]:
    """Say what an answer is; from its own text, and not from the budget's reading."""
    text = answer.body.decode()
    told = answer.headers.get("Retry-After")
    wait = float(told) if told not in (None, "0") else None
    if "banned" in text:
        return BANNED, wait
    if "-1003" in text:
        return REFUSED, wait
    if "-1021" in text:
        return CLOCK, None
    if answer.status == 403:
        return WALLED, None
    return (BROKEN, None) if answer.status >= 500 else (GOOD, None)
