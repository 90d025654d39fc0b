"""A world, played from its beginning until all calls are made, or it is hopelessly late."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tests.worlds.engine import Engine, SpinningError
from tests.worlds.exchange import StrictExchange
from tests.worlds.least import allowed_time, least_time
from tests.worlds.process import Job, MakeBudget, Notes, Process, Stage, local_budget
from tests.worlds.shared import SharedBudgets
from tests.worlds.world import ENDPOINTS, WINDOW, World, others_spend


@dataclass(frozen=True, slots=True)
class Play:
    """What happened in a world."""

    world: World
    notes: Notes
    exchange: StrictExchange
    jobs: list[Job]
    ended: float
    """When the last call was made, or when patience ended."""
    least: float
    allowed: float
    shared: bool = False
    """Whether all processes share one budget, and so what they have heard."""

    def knows(self, process: int) -> int:
        """Say whose knowledge a process acts upon."""
        return 0 if self.shared else process

    def heard_by(self, process: int) -> int:
        """Say whose refusals a process knows: while Redis is gone, only its own."""
        redis = self.world.redis
        return process if redis is not None and redis.forgets else self.knows(process)

    @property
    def finished(self) -> bool:
        """Whether every call was made, or told that it is too late."""
        return all(job.done is not None or job.late for job in self.jobs)

    @property
    def seconds(self) -> float:
        """How long the scans took; without scans, all calls."""
        scans = [job for job in self.jobs if not job.stream.single] or self.jobs
        if any(job.done is None and not job.late for job in scans):
            return self.ended
        return max((job.done for job in scans if job.done is not None), default=0.0)


def play(world: World, make: MakeBudget | None = None) -> Play:
    """Play a world to its end, with other budgets if they are given."""
    if make is None:
        make = local_budget if world.redis is None else SharedBudgets(world.redis, world.seed)
    engine, exchange, notes = Engine(), StrictExchange(world), Notes()
    stage = Stage(world, engine, exchange, notes, make)
    least, allowed = least_time(world), allowed_time(world)
    until = 1.1 * allowed + world.bans.lasts + 500.0  # then it is slow, whatever comes
    jobs = [
        Job(stream, at, f"a{number % world.accounts}")
        for stream in world.work
        for number, at in enumerate(stream.starts)
    ]
    copies = world.processes.copies
    living = [Process(number, stage, jobs[number::copies]) for number in range(copies)]
    for at, weight in others_spend(world, until):
        engine.at(at, exchange.others, at, weight)
    _trouble(stage, living)
    scan = next((stream for stream in world.work if not stream.single), None)
    if scan is not None and copies == 1 and world.processes.die_at == math.inf:
        engine.at(1.5 * WINDOW, living[0].foretell, ENDPOINTS[scan.endpoint])
    try:
        engine.run(until, lambda: not any(process.left for process in living))
    except SpinningError as error:
        notes.crashes.append(f"spins {error}")
        for process in living:
            process.loop.close()
        living = []
    ended = engine.now
    for process in living:
        notes.crashes += [str(problem) for problem in process.loop.problems if "handle" in problem]
        process.end()
    shared = getattr(make, "shared", False)
    return Play(world, notes, exchange, jobs, ended, least, allowed, shared)


def _trouble(stage: Stage, living: list[Process]) -> None:
    """Stop the first process for a while, or let it die and come back."""
    trouble, engine = stage.world.processes, stage.engine

    def stop() -> None:
        loop = living[0].loop
        (loop.go_to_sleep if trouble.suspend else loop.stop_for)(trouble.stop_for)

    def die() -> None:
        left = living[0].left
        living[0].end()
        living[0].left = left  # not done until it is back

    def back() -> None:
        number = living[0].number + trouble.copies
        living[0] = Process(number, stage, living[0].jobs)

    if trouble.stop_for:
        engine.at(trouble.stop_at, stop)
    if trouble.die_at < math.inf:
        engine.at(trouble.die_at, die)
        engine.at(trouble.die_at + trouble.back_after, back)
