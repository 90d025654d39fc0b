"""One question to every account: some at once, answers in the accounts' order as they come."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from binance_dust.errors import DustError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

    from binance_dust.client import DustClient

R = TypeVar("R")

_AT_ONCE: Final = 200
"""Accounts under way: enough to use the limits up, and few enough to hold in memory."""


async def each(
    clients: Iterable[DustClient],
    ask: Callable[[DustClient], Awaitable[R]],
    at_once: int = _AT_ONCE,
) -> AsyncGenerator[tuple[DustClient, R | DustError]]:
    """Ask every account; an error of one is its answer, and keeps nobody else from theirs."""
    todo = iter(clients)
    under_way: deque[tuple[DustClient, asyncio.Task[R | DustError]]] = deque()

    def start(most: int) -> None:
        for client in islice(todo, most):
            under_way.append((client, asyncio.create_task(_attempt(ask, client))))

    try:
        start(at_once)
        while under_way:
            client, task = under_way[0]
            answer = await task
            under_way.popleft()
            start(1)
            yield client, answer
    finally:
        for _, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)


async def _attempt(ask: Callable[[DustClient], Awaitable[R]], client: DustClient) -> R | DustError:
    try:
        return await ask(client)
    except DustError as error:
        return error
