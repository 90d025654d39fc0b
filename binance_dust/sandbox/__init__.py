"""A local exchange to rehearse on: its rules, its limits, its moods, and what happened there.

The exchange's own test network serves no `/sapi`, so this is the only place where a conversion can
be tried without money. It knows nothing of the client: it reads bytes and checks them by itself.
"""

from __future__ import annotations

from binance_dust.sandbox._sandbox import Sandbox
from binance_dust.sandbox.account import (
    Account,
    Conversion,
    Debt,
    DebtExchange,
    Holding,
    Permissions,
)
from binance_dust.sandbox.fault import Fault
from binance_dust.sandbox.faults import Faults
from binance_dust.sandbox.rules import Rules
from binance_dust.sandbox.serve import serve_forever, write_accounts
from binance_dust.sandbox.witness import Seen

__all__ = [
    "Account",
    "Conversion",
    "Debt",
    "DebtExchange",
    "Fault",
    "Faults",
    "Holding",
    "Permissions",
    "Rules",
    "Sandbox",
    "Seen",
    "serve_forever",
    "write_accounts",
]
