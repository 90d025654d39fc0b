"""A local exchange to rehearse on: its rules, its limits, its moods, and what happened there.

The exchange's own test network serves no `/sapi`, so this is the only place where a conversion can
be tried without money. It knows nothing of the client: it reads bytes and checks them by itself.
"""

from __future__ import annotations

from binance_dust.sandbox._account import (
    Account,
    Conversion,
    Debt,
    DebtExchange,
    Holding,
    Permissions,
)
from binance_dust.sandbox._fault import Fault
from binance_dust.sandbox._faults import Faults
from binance_dust.sandbox._requests import Seen
from binance_dust.sandbox._rules import Rules
from binance_dust.sandbox._sandbox import Sandbox
from binance_dust.sandbox._standalone import serve_forever, write_accounts

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
