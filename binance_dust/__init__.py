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
from binance_dust.credentials import Accounts, Credentials
from binance_dust.errors import (
    BannedError,
    BudgetExceededError,
    ClockError,
    ConfigurationError,
    CooldownError,
    CoolingDownError,
    CredentialsError,
    Delivery,
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
    from binance_dust.budget import (
        Admission,
        Budget,
        BudgetSnapshot,
        LimitKind,
        PoolSnapshot,
        RateLimits,
    )
    from binance_dust.client import DustClient
    from binance_dust.conversion import (
        Converter,
        GatherLine,
        LiabilityExchanger,
        LiabilityLine,
        LiabilityQuote,
        Quote,
        QuoteLine,
        Reason,
        Receipt,
        Repayer,
        RepaymentLine,
        RepaymentQuote,
        RepaymentReceipt,
        Skipped,
    )
    from binance_dust.endpoints import AccountType
    from binance_dust.ledger import (
        Books,
        Cooldowns,
        Exported,
        Identity,
        Kind,
        KnownAccount,
        Ledger,
        LedgerEntry,
        LedgerLine,
        Lesson,
        Missing,
        Observed,
        Recorded,
        SettledBy,
        Status,
        SyncReport,
        Total,
    )
    from binance_dust.reports import AccountReport, Settled
    from binance_dust.scanner import (
        LaneEstimate,
        LaneProgress,
        Question,
        Scan,
        ScanEstimate,
        ScanProgress,
        estimate_scan,
        scan,
    )
    from binance_dust.session import Session
    from binance_dust.signers import Signer
    from binance_dust.sweeper import Outcome, Sweep, SweepReport, sweep

__all__ = [
    "AccountReport",
    "AccountType",
    "Accounts",
    "Admission",
    "BannedError",
    "Books",
    "Budget",
    "BudgetExceededError",
    "BudgetSnapshot",
    "ClockError",
    "ConfigurationError",
    "Converter",
    "CooldownError",
    "Cooldowns",
    "CoolingDownError",
    "Credentials",
    "CredentialsError",
    "Delivery",
    "DeliveryError",
    "DustClient",
    "DustError",
    "DustRejectedError",
    "ExchangeError",
    "Exported",
    "GatherLine",
    "GuardError",
    "Identity",
    "Kind",
    "KnownAccount",
    "LaneEstimate",
    "LaneProgress",
    "Ledger",
    "LedgerEntry",
    "LedgerError",
    "LedgerLine",
    "Lesson",
    "LiabilityExchanger",
    "LiabilityLine",
    "LiabilityQuote",
    "LimitKind",
    "MaintenanceError",
    "Missing",
    "NoAnswerError",
    "NotConvertibleError",
    "NotSentError",
    "Observed",
    "Outcome",
    "OutcomeUnknownError",
    "PoolSnapshot",
    "PriceMovedError",
    "Question",
    "Quote",
    "QuoteLine",
    "RateLimitedError",
    "RateLimits",
    "Reason",
    "Receipt",
    "Recorded",
    "RejectedError",
    "Repayer",
    "RepaymentLine",
    "RepaymentQuote",
    "RepaymentReceipt",
    "RetryPolicy",
    "Scan",
    "ScanEstimate",
    "ScanProgress",
    "Session",
    "Settled",
    "SettledBy",
    "Signer",
    "Skipped",
    "Status",
    "Sweep",
    "SweepReport",
    "SyncReport",
    "Total",
    "UnavailableError",
    "UnreadableAnswerError",
    "__version__",
    "estimate_scan",
    "scan",
    "sweep",
]

# These bring aiohttp along, so they are imported when first asked for: the pytest plugin is
# loaded into every test run where this package is installed.
_HOMES = {
    name: home
    for home, names in {
        "_call.retry": "RetryPolicy",
        "budget": "Admission Budget BudgetSnapshot LimitKind PoolSnapshot RateLimits",
        "client": "DustClient",
        "conversion": (
            "Converter GatherLine LiabilityExchanger LiabilityLine LiabilityQuote Quote "
            "QuoteLine Reason Receipt Repayer RepaymentLine RepaymentQuote RepaymentReceipt "
            "Skipped"
        ),
        "endpoints": "AccountType",
        "ledger": (
            "Books Cooldowns Exported Identity Kind KnownAccount Ledger LedgerEntry "
            "LedgerLine Lesson Missing Observed Recorded SettledBy Status "
            "SyncReport Total"
        ),
        "reports": "AccountReport Settled",
        "scanner": (
            "LaneEstimate LaneProgress Question Scan ScanEstimate ScanProgress estimate_scan scan"
        ),
        "session": "Session",
        "signers": "Signer",
        "sweeper": "Outcome Sweep SweepReport sweep",
    }.items()
    for name in names.split()
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
