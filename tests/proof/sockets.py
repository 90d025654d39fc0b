"""Sessions over sockets that break at random, one after another; then descriptors are counted."""

from __future__ import annotations

import asyncio
import gc
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from binance_dust import DustClient, DustError, RetryPolicy, Session
from binance_dust.sandbox import Sandbox
from tests.proof.mutations import Mutator
from tests.proof.proxy import Leg, Proxy, Trouble, What
from tests.proof.wire import settled

_DESCRIPTORS: Final = Path("/dev/fd")
_KINDS: Final[tuple[What, ...]] = ("reset", "close", "twice", "echo", "change", "stall")
_ODDS: Final = (4, 4, 2, 2, 2, 1)


@dataclass
class Sockets:
    """What was open when a session had been closed, round by round."""

    open: list[int] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    struck: int = 0


async def soak_sockets(*, seed: int, rounds: int, accounts: int = 12, calls: int = 6) -> Sockets:
    """Have sessions of several accounts make calls at once, through a proxy that makes trouble."""
    gone, dice = Sockets(), random.Random(seed)  # noqa: S311 - to be repeated
    async with Sandbox(seed=seed, ip_weight=10**6) as exchange:
        keys = [exchange.open_account(ADA="6.21") for _ in range(accounts)]
        change = Mutator(seed).change
        async with Proxy(exchange.url, _troubles(dice), change=change) as proxy:
            for _ in range(rounds):
                retry = RetryPolicy(max_wait=0.01)
                async with Session(base_url=proxy.url, retry=retry, timeout=0.3) as session:
                    clients = [session.client(key) for key in keys]
                    await asyncio.gather(
                        *[_work(client, calls, dice, gone.calls) for client in clients]
                    )
                await proxy.quiet()
                await settled(exchange)
                gone.open.append(descriptors())
                gone.tasks.append(len(asyncio.all_tasks()))
            gone.connections, gone.struck = proxy.connections, proxy.struck
    return gone


async def _work(client: DustClient, calls: int, dice: random.Random, ended: Counter[str]) -> None:
    for _ in range(calls):
        call = asyncio.ensure_future(
            client.dust_transfer(["ADA"]) if dice.random() < 0.2 else client.user_assets()
        )
        if dice.random() < 0.1:
            asyncio.get_running_loop().call_later(dice.uniform(0.0, 0.01), call.cancel)
        try:
            await call
        except DustError as error:
            ended[type(error).__name__] += 1
        except asyncio.CancelledError:
            ended["cancelled"] += 1
        else:
            ended["fine"] += 1


def _troubles(dice: random.Random) -> Iterator[Trouble | None]:
    while True:
        (what,) = dice.choices(_KINDS, _ODDS)
        both = what in ("reset", "close", "stall")
        leg: Leg = "request" if both and dice.random() < 0.5 else "answer"
        yield None if dice.random() < 0.2 else Trouble(what, leg, dice.randrange(2_500))


def descriptors() -> int:
    """Count what this process has open, sockets among it."""
    gc.collect()
    with suppress(OSError):
        return len(list(_DESCRIPTORS.iterdir()))
    return 0
