"""One question to every account."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from binance_dust import ConfigurationError
from binance_dust.cli._each import each


async def test_answers_come_in_the_order_of_the_accounts_and_errors_are_answers() -> None:
    under_way = most = 0

    async def ask(client: Any) -> str:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(5 - client % 5):
            await asyncio.sleep(0)
        under_way -= 1
        if client == 3:
            raise ConfigurationError("three")
        return f"answer {client}"

    clients: Any = range(20)
    found: Any = [(client, str(answer)) async for client, answer in each(clients, ask, at_once=4)]

    assert found == [(n, "three" if n == 3 else f"answer {n}") for n in range(20)]
    assert most == 4


async def test_whoever_leaves_early_leaves_nothing_running() -> None:
    ended: list[int] = []

    async def ask(client: Any) -> int:
        try:
            await asyncio.sleep(0 if client == 0 else 3600)
        finally:
            ended.append(client)
        return 0

    clients: Any = range(100)
    async with aclosing(each(clients, ask, at_once=3)) as answers:
        async for _ in answers:
            await asyncio.sleep(0)
            break

    assert sorted(ended) == [0, 1, 2, 3]
    assert len(asyncio.all_tasks()) == 1
