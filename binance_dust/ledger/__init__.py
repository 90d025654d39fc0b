"""The books: what was to be moved, what was moved, and what it brought."""

from __future__ import annotations

from binance_dust.ledger._entry import Kind, LedgerEntry, LedgerLine, Status

__all__ = ["Kind", "LedgerEntry", "LedgerLine", "Status"]
