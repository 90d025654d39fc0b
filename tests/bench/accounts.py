"""What a process of its own does with accounts: a first answer, a visit of many, a hold of many."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Coroutine, Iterator
from typing import Any

from tests.bench import clients
from tests.bench.alone import resident

AT_ONCE = 50
SETTLED = 0.05
"""MiB: a reading that differs by less from the one before it is a settled one."""


def run(task: str, name: str, url: str, *marks: str) -> dict[str, Any]:
    """Do a task with one client."""
    if task == "first":
        wall, cpu = time.perf_counter(), time.process_time()
        at = asyncio.run(_first(name, url))
        return {"first": at["wall"] - wall, "first_cpu": at["cpu"] - cpu}
    if task == "ask":
        return _on_a_loop(name, _asked(name, url, *map(int, marks)))
    if task == "scan":
        return asyncio.run(_scan(url, [int(mark) for mark in marks]))
    _allow_many_files()
    return asyncio.run(_many(name, url, [int(mark) for mark in marks], hold=task == "hold"))


async def _first(name: str, url: str) -> dict[str, float]:
    """Say when a first answer is here."""
    async with clients.ALL[name](url) as desk:
        account = desk()
        await account.ask()
        found = {"wall": time.perf_counter(), "cpu": time.process_time()}
        await account.close()
    return found


def _on_a_loop(name: str, work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """Run on the event loop that the client is measured on."""
    if name != clients.ON_UVLOOP:
        return asyncio.run(work)
    import uvloop

    return uvloop.run(work)


async def _asked(name: str, url: str, count: int, *flights: int) -> dict[str, Any]:
    """Say the CPU of a call when so many are under way at once, and the least of two batches."""
    found = {}
    async with (clients.ALL | clients.EXTRA)[name](url) as desk:
        accounts = [desk(number) for number in range(max(flights))]
        for flight in flights:
            present, each = accounts[:flight], -(-count // flight)
            await asyncio.gather(*[_ask(account, 2) for account in present])
            gc.collect()
            gc.freeze()
            took = []
            for _ in range(2):
                began = time.process_time()
                await asyncio.gather(*[_ask(account, each) for account in present])
                took.append((time.process_time() - began) / (each * flight))
            found[str(flight)] = min(took)
            gc.unfreeze()
        await clients.close(accounts)
    return found


async def _ask(account: clients.Account, times: int) -> None:
    for _ in range(times):
        await account.ask()


async def _many(name: str, url: str, marks: list[int], *, hold: bool) -> dict[str, Any]:
    """Open and ask accounts, a few at a time; say the memory and the CPU after so many."""
    held: list[clients.Account] = []
    readings: list[tuple[int, float]] = []
    async with clients.ALL[name](url) as desk:
        # The first few bring what is needed once: connections, caches, the loop's own.
        await asyncio.gather(*[_visit(desk, number) for number in range(AT_ONCE)])
        cpu, done = time.process_time(), 0
        for mark in marks:
            numbers = iter(range(AT_ONCE + done, AT_ONCE + mark))
            keep = held if hold else None
            await asyncio.gather(*[_work(desk, numbers, keep) for _ in range(AT_ONCE)])
            done = mark
            spent = time.process_time() - cpu
            readings.append((mark, await _settled()))
        await clients.close(held)
    return {"readings": readings, "cpu_each": spent / done}


async def _work(
    desk: clients.Desk, numbers: Iterator[int], held: list[clients.Account] | None
) -> None:
    for number in numbers:
        if held is None:
            await _visit(desk, number)
        else:
            account = desk(number)
            await account.ask()
            held.append(account)


async def _visit(desk: clients.Desk, number: int) -> None:
    account = desk(number)
    await account.ask()
    await account.close()


async def _scan(url: str, marks: list[int]) -> dict[str, Any]:
    """Scan accounts as they come from a generator, and say the memory after so many."""
    from binance_dust import Credentials, RateLimits, Session, scan

    limits = RateLimits(ip_weight=10**9, requests_per_second=10**6)
    readings: list[tuple[int, float]] = []
    async with Session(base_url=url, limits=limits) as session:
        names = range(marks[-1])
        all_of_them = (
            session.client(Credentials(clients.key(n), clients.SECRET, name=f"account-{n}"))
            for n in names
        )
        done = 0
        async for report in scan(all_of_them):
            done += 1
            if not report.ok:
                raise next(iter(report.errors.values()))
            if done in marks:
                gc.collect()
                readings.append((done, resident()))
    return {"readings": readings}


async def _settled() -> float:
    """Read the memory when it stands still, a second later at most."""
    gc.collect()
    last = resident()
    for _ in range(20):
        await asyncio.sleep(0.05)
        now = resident()
        if abs(now - last) < SETTLED:
            break
        last = now
    return now


def _allow_many_files() -> None:
    """Take as many open files as this system lets us: whoever holds accounts holds connections."""
    try:
        import resource
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
