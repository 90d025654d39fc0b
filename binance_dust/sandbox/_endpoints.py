"""The endpoints that the sandbox serves: what each costs, who pays, and what must be sent.

This table is written from the exchange's documents alone, not from the client's table. A test holds
that the two agree. There are three kinds of pools:

- `ip`: its own 12,000 weight a minute for each address;
- `uid`: its own 180,000 weight a minute for each account;
- `spot`: one pool of 6,000 a minute for each address, shared by all of `/api`.

Read 2026-08, and what is beside dust 2026-12, from the official connectors and the documents of
wallet, margin trading and convert.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

PoolKind = Literal["ip", "uid", "spot"]
SecurityLevel = Literal["none", "key", "signed"]
Right = Literal[
    "enableReading", "enableSpotAndMarginTrading", "enableMargin", "permitsUniversalTransfer"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedEndpoint:
    """One endpoint: where it is, what it costs, who may ask, and what must be sent."""

    name: str
    method: Literal["GET", "POST"]
    path: str
    pool: PoolKind = "ip"
    weight: int = 1
    security: SecurityLevel = "signed"
    right: Right = "enableReading"
    mandatory: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


_TRADE: Final = "enableSpotAndMarginTrading"
_DUST: Final = "/sapi/v1/asset/dust"
_CONVERT: Final = "/sapi/v1/asset/dust-convert"
_SALE: Final = "/sapi/v1/convert"
_LIABILITY: Final = "/sapi/v1/margin/exchange-small-liability"

SERVED: Final = (
    # Dust
    ServedEndpoint(name="user_assets", method="POST", path="/sapi/v3/asset/getUserAsset", weight=5),
    ServedEndpoint(
        name="convertible_assets",
        method="POST",
        path=f"{_CONVERT}/query-convertible-assets",
        mandatory=("targetAsset",),
    ),
    ServedEndpoint(
        name="dust_convert",
        method="POST",
        path=f"{_CONVERT}/convert",
        pool="uid",
        weight=10,
        right=_TRADE,
        mandatory=("asset",),
        lists=("asset",),
    ),
    ServedEndpoint(name="dust_assets", method="POST", path=f"{_DUST}-btc"),
    ServedEndpoint(
        name="dust_transfer",
        method="POST",
        path=_DUST,
        pool="uid",
        weight=10,
        right=_TRADE,
        mandatory=("asset",),
        lists=("asset",),
    ),
    ServedEndpoint(name="dust_log", method="GET", path="/sapi/v1/asset/dribblet"),
    # Small liabilities. The documents of 2024 charged the list to the account; the newer ones, and
    # all the official connectors of 2026, charge it to the address.
    ServedEndpoint(name="small_liabilities", method="GET", path=_LIABILITY, weight=100),
    ServedEndpoint(
        name="exchange_small_liabilities",
        method="POST",
        path=_LIABILITY,
        pool="uid",
        weight=3000,
        right="enableMargin",
        mandatory=("assetNames",),
        lists=("assetNames",),
    ),
    ServedEndpoint(
        name="small_liability_history",
        method="GET",
        path=f"{_LIABILITY}-history",
        pool="uid",
        weight=100,
        mandatory=("current", "size"),
    ),
    ServedEndpoint(name="margin_account", method="GET", path="/sapi/v1/margin/account", weight=10),
    ServedEndpoint(
        name="capital_flow", method="GET", path="/sapi/v1/margin/capital-flow", weight=100
    ),
    ServedEndpoint(
        name="repay",
        method="POST",
        path="/sapi/v1/margin/borrow-repay",
        pool="uid",
        weight=1500,
        right="enableMargin",
        mandatory=("asset", "isIsolated", "amount", "type"),
    ),
    # Other wallets
    ServedEndpoint(name="funding_assets", method="POST", path="/sapi/v1/asset/get-funding-asset"),
    ServedEndpoint(
        name="wallet_balances", method="GET", path="/sapi/v1/asset/wallet/balance", weight=60
    ),
    ServedEndpoint(
        name="transfer",
        method="POST",
        path="/sapi/v1/asset/transfer",
        pool="uid",
        weight=300,
        right="permitsUniversalTransfer",
        mandatory=("type", "asset", "amount"),
    ),
    ServedEndpoint(
        name="transfers", method="GET", path="/sapi/v1/asset/transfer", mandatory=("type",)
    ),
    # Sales by quote
    ServedEndpoint(
        name="convert_pairs",
        method="GET",
        path=f"{_SALE}/exchangeInfo",
        weight=3_000,
        security="none",
    ),
    ServedEndpoint(
        name="convert_quote",
        method="POST",
        path=f"{_SALE}/getQuote",
        pool="uid",
        weight=200,
        mandatory=("fromAsset", "toAsset"),
    ),
    ServedEndpoint(
        name="convert_accept",
        method="POST",
        path=f"{_SALE}/acceptQuote",
        pool="uid",
        weight=500,
        right=_TRADE,
        mandatory=("quoteId",),
    ),
    ServedEndpoint(
        name="convert_status", method="GET", path=f"{_SALE}/orderStatus", pool="uid", weight=100
    ),
    # Delistings
    ServedEndpoint(
        name="delist_schedule",
        method="GET",
        path="/sapi/v1/spot/delist-schedule",
        weight=100,
        security="key",
    ),
    ServedEndpoint(
        name="margin_delist_schedule",
        method="GET",
        path="/sapi/v1/margin/delist-schedule",
        weight=100,
        security="key",
    ),
    # Account and system
    ServedEndpoint(name="bnb_burn", method="GET", path="/sapi/v1/bnbBurn"),
    ServedEndpoint(name="set_bnb_burn", method="POST", path="/sapi/v1/bnbBurn"),
    ServedEndpoint(name="key_permissions", method="GET", path="/sapi/v1/account/apiRestrictions"),
    ServedEndpoint(name="account_status", method="GET", path="/sapi/v1/account/status"),
    ServedEndpoint(name="trading_status", method="GET", path="/sapi/v1/account/apiTradingStatus"),
    ServedEndpoint(name="account_info", method="GET", path="/sapi/v1/account/info"),
    ServedEndpoint(
        name="system_status", method="GET", path="/sapi/v1/system/status", security="none"
    ),
    # Not about dust, but general clients ask for it
    ServedEndpoint(name="asset_detail", method="GET", path="/sapi/v1/asset/assetDetail"),
    ServedEndpoint(name="coins", method="GET", path="/sapi/v1/capital/config/getall", weight=10),
    ServedEndpoint(
        name="margin_pairs",
        method="GET",
        path="/sapi/v1/margin/allPairs",
        security="key",
    ),
    ServedEndpoint(
        name="isolated_margin_pairs",
        method="GET",
        path="/sapi/v1/margin/isolated/allPairs",
        weight=10,
        security="key",
    ),
    ServedEndpoint(name="ping", method="GET", path="/api/v3/ping", pool="spot", security="none"),
    ServedEndpoint(
        name="server_time", method="GET", path="/api/v3/time", pool="spot", security="none"
    ),
    ServedEndpoint(
        name="exchange_info",
        method="GET",
        path="/api/v3/exchangeInfo",
        pool="spot",
        weight=20,
        security="none",
    ),
    ServedEndpoint(
        name="spot_account", method="GET", path="/api/v3/account", pool="spot", weight=20
    ),
)

BY_NAME: Final[dict[str, ServedEndpoint]] = {endpoint.name: endpoint for endpoint in SERVED}

BY_PATH: Final[dict[str, dict[str, ServedEndpoint]]] = {}
"""Endpoints by path, then by method."""
for _endpoint in SERVED:
    BY_PATH.setdefault(_endpoint.path, {})[_endpoint.method] = _endpoint


def find_endpoint(name: str) -> ServedEndpoint:
    """Find the one endpoint with this path, or with this method and path."""
    found = find_endpoints(name)
    if len(found) > 1:
        message = f"{name!r} must name one of {' and '.join(map(str, found))}"
        raise ValueError(message)
    return found[0]


def find_endpoints(name: str) -> list[ServedEndpoint]:
    """Find the endpoints, one or two, with this path, or with this method and path."""
    method, _, path = name.rpartition(" ")
    methods = BY_PATH.get(path, {})
    found = [endpoint for served, endpoint in methods.items() if method in ("", served)]
    if not found:
        # A misspelt endpoint would match no request, and its test would prove nothing.
        message = f"the exchange has no endpoint {name!r}"
        raise ValueError(message)
    return found
