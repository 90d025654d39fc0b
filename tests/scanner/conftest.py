"""Scans meet the sandbox over a socket, as the integration tests do."""

from __future__ import annotations

import pytest

from binance_dust import DustClient, Session
from binance_dust.sandbox import Sandbox
from tests.integration.conftest import exchange, session

__all__ = ["clients", "exchange", "session"]


@pytest.fixture
def clients(exchange: Sandbox, session: Session) -> list[DustClient]:
    return [session.client(account) for account in exchange.open_accounts(12)]
