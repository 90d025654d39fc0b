"""What sharing a budget costs a call that finds room, by processes and by the way to Redis.

Some processes make 500 calls a second together, at random moments; each has room and is answered
after 20 ms. Redis is behind a proxy that takes its time. `--beside DIR` measures another checkout
in the same run, in turn: the machine is never quiet.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.bench.results import Column, Row, Table
from tests.redis_server import Server, a_server

HERE = Path(__file__).parents[2]
RATE = 500.0
SECONDS = 8.0
ANSWER = 0.02
PROCESSES = (4, 8)
WAYS = (0.0, 0.001)
"""Seconds to Redis, and as much back."""
WARM = 1.0


async def work(url: str, rate: float, begin: float, seconds: float) -> None:
    """Be one process: print the milliseconds that each admission took."""
    from binance_dust import RateLimits
    from binance_dust.budget import Charge, Feedback, LimitKind, RedisBudget

    limits = RateLimits(ip_weight=10**7, requests_per_second=10**6)
    charge = Charge("GET /room", LimitKind.IP, 1)
    took: list[float] = []

    async def call(*, counts: bool) -> None:
        asked = time.perf_counter()
        admission = await budget.admit(charge)
        if counts:
            took.append((time.perf_counter() - asked) * 1000)
        admission.sent()
        await asyncio.sleep(ANSWER)
        admission.settle(Feedback(200))

    async with RedisBudget(url, limits=limits) as budget:
        await call(counts=False)
        calls, at, cpu = [], begin, time.process_time()
        while at < begin + seconds:
            at += random.expovariate(rate)
            await asyncio.sleep(at - time.time())
            calls.append(asyncio.ensure_future(call(counts=at > begin + WARM)))
        await asyncio.gather(*calls)
        used = time.process_time() - cpu
    print(json.dumps({"took": took, "cpu": used}))


@contextmanager
def delayed(server: Server, way: float) -> Iterator[str]:
    """Put a proxy in front of a Redis that holds everything back; give its URL."""
    if not way:
        yield server.url
        return
    with tempfile.TemporaryDirectory(prefix="dust-") as folder:
        path = Path(folder) / "slow.sock"
        ends = f"{str(path)!r}, {str(server.path)!r}, {way}"
        code = f"from tests.bench.shared import proxy; proxy({ends})"
        process = subprocess.Popen([sys.executable, "-c", code], cwd=HERE)  # noqa: S603 - ours
        try:
            while not path.exists():
                time.sleep(0.01)
            yield f"unix://{path}"
        finally:
            process.kill()
            process.wait()


def proxy(path: str, target: str, way: float) -> None:
    """Be the proxy."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while data := await reader.read(65_536):
            loop.call_later(way, writer.write, data)
        loop.call_later(way, writer.close)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_unix_connection(target)
        await asyncio.gather(
            pass_on(reader, there[1]), pass_on(there[0], writer), return_exceptions=True
        )

    async def serve() -> None:
        server = await asyncio.start_unix_server(accept, path)
        await server.serve_forever()

    asyncio.run(serve())


def run(root: Path, processes: int, way: float, seconds: float) -> tuple[float, ...]:
    """Measure once: median, p99 and longest admission in ms; CPU of Redis and a process in %."""
    with a_server() as server, delayed(server, way) as url:
        begin = time.time() + 1.5 + processes * 0.25
        rate = RATE / processes
        code = (
            "import asyncio, sys; from tests.bench.shared import work;"
            f" asyncio.run(work({url!r}, {rate}, {begin}, {seconds}))"
        )
        # Only the package comes from another checkout: the measurement is the same.
        paths = os.pathsep.join([str(root), str(HERE)])
        workers = [
            subprocess.Popen(  # noqa: S603 - this file
                [sys.executable, "-P", "-c", code],
                stdout=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": paths},
                cwd="/",
            )
            for _ in range(processes)
        ]
        time.sleep(max(0.0, begin + WARM - time.time()))
        before = _cpu(server)
        time.sleep(seconds - WARM)
        busy = (_cpu(server) - before) / (seconds - WARM)
        told = [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]
    took = sorted(itertools.chain.from_iterable(each["took"] for each in told))
    cpu = statistics.mean(each["cpu"] for each in told) / seconds
    return (
        took[len(took) // 2],
        took[int(len(took) * 0.99)],
        took[-1],
        busy * 100,
        cpu * 100,
    )


def _cpu(server: Server) -> float:
    with redis.Redis.from_url(server.url) as client:
        found = client.info("cpu")
    assert isinstance(found, dict)
    return float(found["used_cpu_user"]) + float(found["used_cpu_sys"])


def measure(roots: dict[str, Path] | None = None, rounds: int = 1) -> list[Table]:
    """Measure each number of processes, near and far from Redis."""
    roots = roots or {"binance_dust": HERE}
    tables = []
    for processes, way in itertools.product(PROCESSES, WAYS):
        found: dict[str, list[tuple[float, ...]]] = {name: [] for name in roots}
        for _ in range(rounds):
            for name, root in roots.items():
                found[name].append(run(root, processes, way, SECONDS))
        rows = [
            Row(name, tuple(statistics.median(each) for each in zip(*runs, strict=True)))
            for name, runs in found.items()
        ]
        tables.append(_table(processes, way, rows))
    return tables


def _table(processes: int, way: float, rows: list[Row]) -> Table:
    return Table(
        name=f"shared-{processes}-{way * 1000:g}",
        title=f"Admissions that find room, {processes} processes, {way * 1000:g} ms to Redis",
        about=f"{RATE:g} calls a second in all, for {SECONDS - WARM:g} s. Times in milliseconds.",
        first="budget",
        columns=(
            Column("median", 1),
            Column("99 of 100", 1),
            Column("longest", 1),
            Column("CPU of Redis, %", 1),
            Column("CPU of a process, %", 1),
        ),
        rows=tuple(rows),
        plot=None,
    )


def main() -> None:
    """Measure, beside another checkout if one is named."""
    from tests.bench import show

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", type=Path, metavar="DIR")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    roots = {"this": HERE} | ({"beside": options.beside} if options.beside else {})
    for table in measure(roots, options.rounds):
        print(f"\n{show.as_text(table)}", flush=True)


if __name__ == "__main__":
    main()
