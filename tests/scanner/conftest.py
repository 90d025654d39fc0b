"""Scans meet the sandbox over a socket, as the integration tests do."""

from __future__ import annotations

from tests.integration.conftest import exchange, session

__all__ = ["exchange", "session"]
