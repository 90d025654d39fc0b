"""A ledger for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from binance_dust import Ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dust.db"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[Ledger]:
    async with Ledger(path) as ledger:
        yield ledger
