"""What others wrote for the exchange: two seconds of imports, so tests import it when they run.

Every worker of a run collects all tests, and only one of them runs those that need this.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # Deprecations inside these libraries are not ours.
    warnings.simplefilter("ignore", DeprecationWarning)
    import ccxt.async_support as ccxt
    from binance import AsyncClient, Client
    from binance.exceptions import BinanceAPIException
    from binance_common.configuration import ConfigurationRestAPI
    from binance_common.errors import BadRequestError, TooManyRequestsError
    from binance_sdk_convert.convert import Convert
    from binance_sdk_margin_trading.margin_trading import MarginTrading
    from binance_sdk_margin_trading.rest_api.models import (
        MarginAccountBorrowRepayIsIsolatedEnum,
        MarginAccountBorrowRepayTypeEnum,
    )
    from binance_sdk_wallet.rest_api.models import (
        DustTransferAccountTypeEnum,
        GetAssetsThatCanBeConvertedIntoBnbAccountTypeEnum,
        UserUniversalTransferTypeEnum,
    )
    from binance_sdk_wallet.wallet import Wallet
    from pydantic import BaseModel

__all__ = [
    "AsyncClient",
    "BadRequestError",
    "BaseModel",
    "BinanceAPIException",
    "Client",
    "ConfigurationRestAPI",
    "Convert",
    "DustTransferAccountTypeEnum",
    "GetAssetsThatCanBeConvertedIntoBnbAccountTypeEnum",
    "MarginAccountBorrowRepayIsIsolatedEnum",
    "MarginAccountBorrowRepayTypeEnum",
    "MarginTrading",
    "TooManyRequestsError",
    "UserUniversalTransferTypeEnum",
    "Wallet",
    "ccxt",
]
