"""CPU a call by kind of key; everybody in turn, in one process."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from tests.bench import clients, stub
from tests.bench.clients import BARE, OFFICIAL
from tests.bench.results import Column, Row, Table

RSA = "RSA, 2048 bits"
AS_TEXT = "Its amounts are text; ours are exact decimals when they are read."
IN_A_THREAD = "Ours makes an RSA signature in a thread, so that the event loop is not blocked."


class Effort(NamedTuple):
    """How often, and with whom."""

    rounds: int = 7
    """Each client's best of these: what else the machine does only ever adds."""
    part: float = 1.0
    """Of the calls in a round."""
    who: tuple[str, ...] = tuple(clients.ALL)


FULL = Effort()
TINY = Effort(1, 0.01, clients.QUICK)
Timed = dict[str, Callable[[], Awaitable[Any]]]


def measure(effort: Effort = FULL) -> list[Table]:
    """Measure each kind."""
    with stub.serving() as url:
        return asyncio.run(_measure(url, effort))


async def _measure(url: str, effort: Effort) -> list[Table]:
    async with AsyncExitStack() as stack:
        desks = {
            name: await stack.enter_async_context(clients.ALL[name](url)) for name in effort.who
        }
        keys = {"HMAC": clients.SECRET, **private_keys()}
        signers = {name: desk for name, desk in desks.items() if name != BARE}
        by_key = {
            kind: await _one_by_one(stack, signers, effort, 100 if kind == "HMAC" else 20, secret)
            for kind, secret in keys.items()
        }
    return [_keys(by_key)]


async def _one_by_one(
    stack: AsyncExitStack, desks: dict[str, clients.Desk], effort: Effort, count: int, secret: str
) -> dict[str, float]:
    asks: Timed = {}
    for name, desk in desks.items():
        account = desk(0, secret)
        stack.push_async_callback(account.close)
        assert len(await account.ask()) == stub.SIZES[0]
        asks[name] = account.ask
    return await _best(asks, max(1, round(count * effort.part)), effort.rounds)


async def _best(asks: Timed, count: int, rounds: int) -> dict[str, float]:
    """Give the microseconds of this process's CPU that each takes."""
    best = dict.fromkeys(asks, float("inf"))
    # Nobody pays for looking through what others keep: a hundred of ccxt are a million objects.
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for name, ask in asks.items():
            gc.collect()
            began = time.process_time()
            for _ in range(count):
                await ask()
            best[name] = min(best[name], (time.process_time() - began) / count * 1e6)
    gc.unfreeze()
    return best


def private_keys() -> dict[str, str]:
    """Make private keys, as the exchange takes them."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    made: dict[str, Any] = {
        "Ed25519": ed25519.Ed25519PrivateKey.generate(),
        RSA: rsa.generate_private_key(65_537, 2_048),
    }
    form = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {kind: key.private_bytes(*form).decode() for kind, key in made.items()}


def _keys(by_key: dict[str, dict[str, float]]) -> Table:
    return Table(
        name="keys",
        title="CPU of a call by kind of key, µs",
        about="The same call with seven assets, signed with each kind of key.",
        columns=tuple(map(Column, by_key)),
        rows=tuple(
            Row(name, tuple(found[name] for found in by_key.values())) for name in by_key["HMAC"]
        ),
        reasons={
            "ccxt": AS_TEXT,
            f"python-binance: {RSA}": IN_A_THREAD,
            f"{OFFICIAL}: {RSA}": IN_A_THREAD,
        },
    )
