"""Waiting for messages."""

from __future__ import annotations

import asyncio

import pytest

from binance_dust.fleet._queues import wait


@pytest.mark.parametrize("ticks", range(4))
async def test_waiting_never_forgets_a_cancellation(ticks: int) -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(wait(event, 60))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    event.set()
    for _ in range(ticks):
        await asyncio.sleep(0)
    told = waiting.cancel()
    await asyncio.wait([waiting])

    assert waiting.cancelled() == told
