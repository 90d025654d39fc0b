"""A sandbox, and clients that do not dawdle."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from binance_dust import RetryPolicy, Session
from binance_dust.sandbox import Sandbox

QUICK = RetryPolicy(max_wait=0.01)
"""Pauses of milliseconds: what is tested is whether, not when."""


@pytest.fixture
async def exchange() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=7) as exchange:
        yield exchange


@pytest.fixture
async def session(exchange: Sandbox) -> AsyncIterator[Session]:
    async with Session(base_url=exchange.url, retry=QUICK, timeout=2.0) as session:
        yield session
