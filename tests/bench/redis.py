"""Four processes on one real Redis, side by side with pyrate-limiter's asynchronous Redis bucket.

First what a call pays that finds room; then 340 accounts that ask once for their small-liability
list (weight 100 of 12,000 a window), 85 in each process, all at once. `least` is the least time
that the limit allows; `waits` is the longest time of a process over the shortest. All begin at the
same moment, connected: a process that comes to an idle pool a moment earlier is served at once.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from binance_dust import Credentials, RateLimits, Session
from binance_dust.budget import (
    Budget,
    BudgetSnapshot,
    Charge,
    Feedback,
    Lane,
    LimitKind,
    RedisBudget,
)
from tests.bench.results import Column, Row, Table
from tests.bench.scan import START, Keys, an_exchange, least
from tests.redis_server import Server, a_server

PROCESSES = 4
ACCOUNTS = 340
WINDOW = 3.0
CALLS = 2_000
LIMITS = RateLimits(window=WINDOW)
PATIENCE = 60.0
PYRATE = (
    "Its script only counts. Ours also keeps the queue, the spending of others, and bans. So no "
    "call is refused, however windows are cut, and no process waits longer than the others."
)


class PyrateBudget:
    """A budget made of pyrate-limiter: a bucket for each pool, and nothing is heard of answers."""

    def __init__(self, url: str, limits: RateLimits) -> None:
        from redis.asyncio import Redis

        self._client = Redis.from_url(url)
        self._limits = limits
        self._limiters: dict[str, Any] = {}
        self._opening = asyncio.Lock()

    async def admit(
        self, charge: Charge, *, deadline: float | None = None, lane: Lane = Lane.CALL
    ) -> _Pass:
        limiter = self._limiters.get(charge.pool) or await self._open(charge)
        await limiter.try_acquire_async(charge.pool, weight=charge.weight)
        return _Pass()

    async def _open(self, charge: Charge) -> Any:
        from pyrate_limiter import Limiter, Rate, RedisBucket

        async with self._opening:
            if charge.pool not in self._limiters:
                rate = Rate(self._limits.of(charge.kind), round(self._limits.window * 1000))
                opening: Any = RedisBucket.init([rate], self._client, f"pyrate:{charge.pool}")
                self._limiters[charge.pool] = Limiter(await opening)
            return self._limiters[charge.pool]

    def snapshot(self) -> BudgetSnapshot:
        return BudgetSnapshot((), 0.0, 500)

    def forecast(self, charge: Charge, calls: int) -> float:
        return 0.0

    async def close(self) -> None:
        for limiter in self._limiters.values():
            limiter.close()
        await self._client.aclose()


class _Pass:
    """An admission that is told nothing."""

    def sent(self, extra: int = 0) -> None: ...
    def settle(self, answer: Feedback) -> None: ...
    def unknown(self) -> None: ...
    def release(self) -> None: ...


def ours(url: str, limits: RateLimits) -> Budget:
    return RedisBudget(url, limits=limits)


BUDGETS: dict[str, Callable[[str, RateLimits], Budget]] = {
    "binance_dust": ours,
    "pyrate-limiter": PyrateBudget,
}


async def _one_by_one(make: Callable[[str, RateLimits], Budget], url: str) -> float:
    """Admit and settle calls that find room, one after the other; give the seconds of one."""
    budget = make(url, RateLimits(ip_weight=10**9, requests_per_second=10**6))
    charge = Charge("GET /room", LimitKind.IP, 1)
    for number in range(CALLS // 10 + CALLS):
        if number == CALLS // 10:
            began = time.perf_counter()
        (await budget.admit(charge)).settle(Feedback(200, used_ip=number + 1))
    took = time.perf_counter() - began
    await budget.close()
    return took / CALLS


def _work(pipe: Connection, name: str, url: str, redis_url: str, keys: Keys) -> None:
    """Be one process: ask for all accounts at once, when told to."""
    logging.disable(logging.ERROR)

    async def work() -> None:
        budget = BUDGETS[name](redis_url, LIMITS)
        async with Session(base_url=url, budget=budget) as session:
            clients = [session.client(Credentials(key, secret)) for key, secret in keys]
            await clients[0].account_status()  # connected, and the clock is learnt
            pipe.send("ready")
            begin = await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
            await asyncio.sleep(begin - time.time())
            began = time.perf_counter()
            results = await asyncio.gather(
                *[client.small_liabilities() for client in clients], return_exceptions=True
            )
            took = time.perf_counter() - began
            pipe.send((took, sum(not isinstance(each, BaseException) for each in results)))
        await budget.close()

    asyncio.run(work())


def _scan(name: str, redis_url: str, mode: str) -> tuple[list[float], int, tuple[int, int, int]]:
    context = multiprocessing.get_context("spawn")
    with an_exchange(mode, ACCOUNTS, WINDOW) as (url, keys, seen):
        pipes, workers = [], []
        for number in range(PROCESSES):
            here, there = multiprocessing.Pipe()
            share = keys[number::PROCESSES]
            worker = context.Process(target=_work, args=(there, name, url, redis_url, share))
            worker.start()
            pipes.append(here)
            workers.append(worker)
        for pipe in pipes:
            pipe.recv()
        gc.collect()
        soon = time.time() + 0.2
        begin = soon + (START * WINDOW - soon) % WINDOW
        for pipe in pipes:
            pipe.send(begin)
        found: list[tuple[float, int]] = [
            pipe.recv() if pipe.poll(PATIENCE) else (PATIENCE, 0) for pipe in pipes
        ]
        for worker in workers:
            worker.join(5)
            if worker.is_alive():
                worker.kill()
        return [took for took, _ in found], sum(done for _, done in found), seen()


def measure() -> list[Table]:
    """Measure a call that finds room, and a scan in windows of both kinds."""
    return [_room(), *(_crowded(mode) for mode in ("fixed", "sliding"))]


def _room() -> Table:
    with a_server() as server:
        rows = [
            Row(name, (asyncio.run(_one_by_one(make, server.url)) * 1e6,))
            for name, make in BUDGETS.items()
        ]
    return Table(
        name="redis-call",
        title="One call that finds room in a shared budget, µs",
        about=f"{CALLS:,} admissions one after the other, on a Redis of this machine.",
        first="budget",
        columns=(Column("a call"),),
        rows=tuple(rows),
        reasons={"pyrate-limiter": PYRATE},
        plot=None,
    )


def _crowded(mode: str) -> Table:
    best = least(mode, ACCOUNTS, WINDOW)
    rows = []
    for name in BUDGETS:
        with a_server() as server:
            took, done, (refused, bans, shut_out) = _scan(name, server.url, mode)
            share = max(took) / best if done == ACCOUNTS else None
            figures = (done, refused + shut_out, bans, share, max(took) / min(took))
            rows.append(Row(name, (*figures, _questions(server))))
    return Table(
        name=f"redis-{mode}",
        title=f"{ACCOUNTS} accounts in {PROCESSES} processes behind one address, {mode} windows",
        about=(
            f"Weight 100 of 12,000 a window of {WINDOW:g} s, a budget in Redis shared by all "
            f"processes. The limit allows all of it in {best:.1f} s at least. `waits` is the "
            "longest time of a process over the shortest, `questions` the scripts that Redis ran."
        ),
        first="budget",
        columns=(
            Column("answered", 0, "more", ACCOUNTS),
            Column("refused", best=0),
            Column("bans", best=0),
            Column("of the least time", 2, best=1),
            Column("waits", 2, best=1),
            Column("questions"),
        ),
        rows=tuple(rows),
        reasons={"pyrate-limiter": PYRATE},
        plot=None,
    )


def _questions(server: Server) -> int:
    """Count the scripts that a Redis has run."""
    import redis

    client = redis.Redis.from_url(server.url)
    found: Any = client.info("commandstats")
    client.close()
    return sum(found.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha"))
