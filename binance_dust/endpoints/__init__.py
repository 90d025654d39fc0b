"""The endpoints: the exchange's contract. Each is declared once, here.

No other package has a path, a weight or a security level. A new endpoint is one declaration here,
one method on `DustClient` and one sample under `tests/samples/`. All three share a name, so a test
fails if one is missing.

    _spec.py       what an endpoint is; checks and encodes the parameters of a call
    _dust.py       dust, small debts, settings; what is read of an account around them
    _elsewhere.py  other wallets, delistings, transfers, repayments, sales by quote

Weights and limit kinds are as documented, read between January and December 2026. Each SAPI
endpoint has its own pool; the endpoints of /api/v3 share one.
"""

from __future__ import annotations

from typing import Any, Final

from binance_dust.endpoints import _dust, _elsewhere
from binance_dust.endpoints._dust import (
    ACCOUNT_INFO,
    ACCOUNT_STATUS,
    BNB_BURN,
    CONVERTIBLE_ASSETS,
    DUST_ASSETS,
    DUST_CONVERT,
    DUST_LOG,
    DUST_TRANSFER,
    EXCHANGE_SMALL_LIABILITIES,
    KEY_PERMISSIONS,
    MARGIN_ACCOUNT,
    SERVER_TIME,
    SET_BNB_BURN,
    SMALL_LIABILITIES,
    SMALL_LIABILITY_HISTORY,
    SPOT_ACCOUNT,
    SYSTEM_STATUS,
    USER_ASSETS,
)
from binance_dust.endpoints._elsewhere import (
    CAPITAL_FLOW,
    CONVERT_ACCEPT,
    CONVERT_PAIRS,
    CONVERT_QUOTE,
    CONVERT_STATUS,
    DELIST_SCHEDULE,
    FUNDING_ASSETS,
    MARGIN_DELIST_SCHEDULE,
    REPAY,
    TRANSFER,
    TRANSFERS,
    WALLET_BALANCES,
)
from binance_dust.endpoints._spec import (
    EARLIEST,
    AccountType,
    Call,
    Endpoint,
    LimitKind,
    ListStyle,
    Replay,
    Security,
    WalletName,
    Weight,
    ip,
    to_account_type,
    to_account_types,
    uid,
)

__all__ = [
    "ACCOUNT_INFO",
    "ACCOUNT_STATUS",
    "ALL",
    "BNB_BURN",
    "CAPITAL_FLOW",
    "CONVERTIBLE_ASSETS",
    "CONVERT_ACCEPT",
    "CONVERT_PAIRS",
    "CONVERT_QUOTE",
    "CONVERT_STATUS",
    "DELIST_SCHEDULE",
    "DUST_ASSETS",
    "DUST_CONVERT",
    "DUST_LOG",
    "DUST_TRANSFER",
    "EARLIEST",
    "EXCHANGE_SMALL_LIABILITIES",
    "FUNDING_ASSETS",
    "KEY_PERMISSIONS",
    "MARGIN_ACCOUNT",
    "MARGIN_DELIST_SCHEDULE",
    "REPAY",
    "SERVER_TIME",
    "SET_BNB_BURN",
    "SMALL_LIABILITIES",
    "SMALL_LIABILITY_HISTORY",
    "SPOT_ACCOUNT",
    "SYSTEM_STATUS",
    "TRANSFER",
    "TRANSFERS",
    "USER_ASSETS",
    "WALLET_BALANCES",
    "AccountType",
    "Call",
    "Endpoint",
    "LimitKind",
    "ListStyle",
    "Replay",
    "Security",
    "WalletName",
    "Weight",
    "ip",
    "to_account_type",
    "to_account_types",
    "uid",
]

ALL: Final[dict[str, Endpoint[Any, Any]]] = {
    name.lower(): row
    for rows in (_dust, _elsewhere)
    for name, row in vars(rows).items()
    if isinstance(row, Endpoint)
}
"""Every row, by the name of its method on `DustClient`."""
