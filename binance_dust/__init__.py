"""Dust balances and small margin debts on Binance, for many accounts at once.

    async with Session() as session:
        client = session.client(Credentials.from_env())
        for row in await client.user_assets():
            print(row.asset, row.free)

Each call waits for the weight it costs before it is sent, is signed at the last moment, and is sent
again only where that is safe. `binance_dust.sandbox` is a local exchange to rehearse on.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from binance_dust._version import __version__
from binance_dust.credentials import Credentials
from binance_dust.errors import (
    BannedError,
    BudgetExceededError,
    ClockError,
    ConfigurationError,
    CooldownError,
    CredentialsError,
    DeliveryError,
    DustError,
    DustRejectedError,
    ExchangeError,
    GuardError,
    LedgerError,
    MaintenanceError,
    NoAnswerError,
    NotConvertibleError,
    NotSentError,
    OutcomeUnknownError,
    PriceMovedError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
    UnreadableAnswerError,
)

if TYPE_CHECKING:
    from binance_dust._call.retry import RetryPolicy
    from binance_dust.budget import RateLimits
    from binance_dust.client import DustClient
    from binance_dust.conversion import Converter, Quote, Receipt
    from binance_dust.ledger import Ledger, LedgerEntry
    from binance_dust.reports import AccountReport
    from binance_dust.scanner import estimate_scan, scan
    from binance_dust.session import Session
    from binance_dust.sweeper import sweep

__all__ = [
    "AccountReport",
    "BannedError",
    "BudgetExceededError",
    "ClockError",
    "ConfigurationError",
    "Converter",
    "CooldownError",
    "Credentials",
    "CredentialsError",
    "DeliveryError",
    "DustClient",
    "DustError",
    "DustRejectedError",
    "ExchangeError",
    "GuardError",
    "Ledger",
    "LedgerEntry",
    "LedgerError",
    "MaintenanceError",
    "NoAnswerError",
    "NotConvertibleError",
    "NotSentError",
    "OutcomeUnknownError",
    "PriceMovedError",
    "Quote",
    "RateLimitedError",
    "RateLimits",
    "Receipt",
    "RejectedError",
    "RetryPolicy",
    "Session",
    "UnavailableError",
    "UnreadableAnswerError",
    "__version__",
    "estimate_scan",
    "scan",
    "sweep",
]

# These bring aiohttp along, so they are imported when first asked for: the pytest plugin is
# loaded into every test run of everybody who has this package installed.
_HOMES = {
    "AccountReport": "reports",
    "Converter": "conversion",
    "DustClient": "client",
    "Ledger": "ledger",
    "LedgerEntry": "ledger",
    "Quote": "conversion",
    "RateLimits": "budget",
    "Receipt": "conversion",
    "RetryPolicy": "_call.retry",
    "Session": "session",
    "estimate_scan": "scanner",
    "scan": "scanner",
    "sweep": "sweeper",
}


if not TYPE_CHECKING:  # or a misspelt name would pass every type checker

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
