"""CPU a call, at each size of answer, every client in turn and in the same minute."""

from __future__ import annotations

import asyncio
import gc
import time
import urllib.request
from contextlib import AsyncExitStack

from tests.bench import clients, stub

ROUNDS = 7
"""Each client's best of these: what else the machine does only ever adds."""
CALLS = {7: 150, 200: 80, 1_000: 30}


async def measure(url: str) -> dict[str, dict[int, float]]:
    """Give the microseconds of this process's CPU that a call takes, by client and size."""
    found: dict[str, dict[int, list[float]]] = {}
    async with AsyncExitStack() as stack:
        asks = {
            name: await stack.enter_async_context(make(url)) for name, make in clients.ALL.items()
        }
        for size, count in CALLS.items():
            await asyncio.to_thread(ask_for, url, size)
            for ask in asks.values():
                assert len(await ask()) == size
            for _ in range(ROUNDS):
                for name, ask in asks.items():
                    gc.collect()
                    began = time.process_time()
                    for _ in range(count):
                        await ask()
                    spent = (time.process_time() - began) / count * 1e6
                    found.setdefault(name, {}).setdefault(size, []).append(spent)
    return {
        name: {size: min(times) for size, times in sizes.items()} for name, sizes in found.items()
    }


def ask_for(url: str, size: int) -> None:
    """Have the stub answer with so many assets from now on."""
    urllib.request.urlopen(f"{url}/size/{size}").close()  # noqa: S310 - loopback


def run() -> None:
    """Measure and print."""
    with stub.serving() as url:
        table = asyncio.run(measure(url))
    print("\nCPU a call, µs: read an account's assets, with the free amount of each")
    print(f"{'':28}" + "".join(f"{f'{size} assets':>14}" for size in stub.SIZES))
    for name, sizes in table.items():
        print(f"{name:28}" + "".join(f"{sizes[size]:14.0f}" for size in stub.SIZES))
    mine = table["binance_dust"]
    for size in stub.SIZES:
        peer, cost = min(
            ((name, row[size]) for name, row in table.items() if name in clients.PEERS),
            key=lambda pair: pair[1],
        )
        print(f"at {size}: ours costs {mine[size] / cost:.2f} of the cheapest peer ({peer})")
