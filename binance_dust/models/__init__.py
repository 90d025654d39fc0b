"""The exchange's answers: a frozen struct for each.

Required is what the books and what moves funds can't do without: which asset, how much of it, what
it brings, what it costs. Any other field can be `None`: the exchange adds and removes fields.

Names are those of the wire in snake_case, with misspellings corrected (`transfered` on the wire).
Only this package knows the spelling of the wire. Amounts and times are exact, and converted when
first read: see `_util.exact`. Sources: Binance's documentation pages and SDKs, read between January
and December 2026.

    _dust.py        dust, small debts, settings; what is read of an account around them
    _elsewhere.py   other wallets, delistings, transfers, repayments, sales by quote
    _estimates.py   what can be converted now, and what it would bring
    _reasons.py     why something that an account holds is not converted
    _delistings.py  until when assets can be converted, as the schedules tell
"""

from __future__ import annotations

from typing import Final

from binance_dust._util.rows import UnreadRow
from binance_dust.models._delistings import Delistings, LastChance
from binance_dust.models._dust import (
    AccountInfo,
    AccountStatus,
    BnbBurn,
    CommissionRates,
    ConvertedAsset,
    DustConversion,
    DustLog,
    DustLogDetail,
    DustLogEntry,
    KeyPermissions,
    MarginAccount,
    MarginAsset,
    ServerTime,
    SmallLiability,
    SmallLiabilityExchange,
    SmallLiabilityHistory,
    SpotAccount,
    SpotBalance,
    SystemStatus,
    UserAsset,
)
from binance_dust.models._elsewhere import (
    CapitalFlow,
    ConvertOrder,
    ConvertPair,
    ConvertQuote,
    Delisting,
    FundingAsset,
    MarginDelisting,
    TransactionId,
    TransferHistory,
    TransferRecord,
    WalletAsset,
    WalletBalance,
)
from binance_dust.models._estimates import (
    ConvertibleAsset,
    ConvertibleAssets,
    DustAsset,
    DustAssets,
    EstimatedAsset,
    Estimates,
)

__all__ = [
    "AccountInfo",
    "AccountStatus",
    "BnbBurn",
    "CapitalFlow",
    "CommissionRates",
    "ConvertOrder",
    "ConvertPair",
    "ConvertQuote",
    "ConvertedAsset",
    "ConvertibleAsset",
    "ConvertibleAssets",
    "Delisting",
    "Delistings",
    "DustAsset",
    "DustAssets",
    "DustConversion",
    "DustLog",
    "DustLogDetail",
    "DustLogEntry",
    "EstimatedAsset",
    "Estimates",
    "FundingAsset",
    "KeyPermissions",
    "LastChance",
    "MarginAccount",
    "MarginAsset",
    "MarginDelisting",
    "ServerTime",
    "SmallLiability",
    "SmallLiabilityExchange",
    "SmallLiabilityHistory",
    "SpotAccount",
    "SpotBalance",
    "SystemStatus",
    "TransactionId",
    "TransferHistory",
    "TransferRecord",
    "UnreadRow",
    "UserAsset",
    "WalletAsset",
    "WalletBalance",
]

SPELLINGS: Final[dict[bytes, bytes]] = {
    b"transferredAmount": b"transferedAmount",
    b"totalTransferred": b"totalTransfered",
    b"totalTransferredAmount": b"totalTransferedAmount",
}
"""Fields that the exchange misspells, by the name they would have if it mended that. It does so at
times (once in June 2026), so both are read."""
