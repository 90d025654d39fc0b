"""A sandbox, and clients that do not dawdle."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from binance_dust import RateLimits, RetryPolicy, Session
from binance_dust.sandbox import Sandbox

QUICK = RetryPolicy(max_wait=0.01)
"""Pauses of milliseconds: what is tested is whether, not when."""
WINDOW = 0.5
"""Seconds: a pool that a refusal shuts until its window ends opens again soon."""


@pytest.fixture
async def exchange() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7, window=WINDOW) as exchange:
        yield exchange


@pytest.fixture
async def session(exchange: Sandbox) -> AsyncIterator[Session]:
    limits = RateLimits(window=WINDOW)
    async with Session(base_url=exchange.url, limits=limits, retry=QUICK, timeout=2.0) as session:
        yield session
