"""The exchange's law: every endpoint that the sandbox serves, as its documents state it.

This table is written from the documents alone, not from the client's. That the two agree is a
test's business. A row says what an endpoint costs and who pays:

- `ip`: its own 12,000 weight a minute for each address;
- `uid`: its own 180,000 weight a minute for each account;
- `spot`: one pool of 6,000 a minute for each address, shared by all of `/api`.

Read 2026-08 from the official connectors and the documents of wallet and margin trading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Pool = Literal["ip", "uid", "spot"]
Security = Literal["none", "key", "signed"]
Right = Literal["enableReading", "enableSpotAndMarginTrading", "enableMargin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """One endpoint: where it is, what it costs, who may ask, and what must be sent."""

    name: str
    method: Literal["GET", "POST"]
    path: str
    pool: Pool = "ip"
    weight: int = 1
    security: Security = "signed"
    right: Right = "enableReading"
    mandatory: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


_TRADE: Final = "enableSpotAndMarginTrading"
_DUST: Final = "/sapi/v1/asset/dust"
_CONVERT: Final = "/sapi/v1/asset/dust-convert"
_LIABILITY: Final = "/sapi/v1/margin/exchange-small-liability"

LAWS: Final = (
    # Dust
    Law(name="user_assets", method="POST", path="/sapi/v3/asset/getUserAsset", weight=5),
    Law(
        name="convertible_assets",
        method="POST",
        path=f"{_CONVERT}/query-convertible-assets",
        mandatory=("targetAsset",),
    ),
    Law(
        name="dust_convert",
        method="POST",
        path=f"{_CONVERT}/convert",
        pool="uid",
        weight=10,
        right=_TRADE,
        mandatory=("asset",),
        lists=("asset",),
    ),
    Law(name="dust_assets", method="POST", path=f"{_DUST}-btc"),
    Law(
        name="dust_transfer",
        method="POST",
        path=_DUST,
        pool="uid",
        weight=10,
        right=_TRADE,
        mandatory=("asset",),
        lists=("asset",),
    ),
    Law(name="dust_log", method="GET", path="/sapi/v1/asset/dribblet"),
    # Small liabilities. The documents of 2024 charged the list to the account; the newer ones, and
    # all the official connectors of 2026, charge it to the address.
    Law(name="small_liabilities", method="GET", path=_LIABILITY, weight=100),
    Law(
        name="exchange_small_liabilities",
        method="POST",
        path=_LIABILITY,
        pool="uid",
        weight=3000,
        right="enableMargin",
        mandatory=("assetNames",),
        lists=("assetNames",),
    ),
    Law(
        name="small_liability_history",
        method="GET",
        path=f"{_LIABILITY}-history",
        pool="uid",
        weight=100,
        mandatory=("current", "size"),
    ),
    Law(name="margin_account", method="GET", path="/sapi/v1/margin/account", weight=10),
    # Account and system
    Law(name="bnb_burn", method="GET", path="/sapi/v1/bnbBurn"),
    Law(name="set_bnb_burn", method="POST", path="/sapi/v1/bnbBurn"),
    Law(name="key_permissions", method="GET", path="/sapi/v1/account/apiRestrictions"),
    Law(name="account_status", method="GET", path="/sapi/v1/account/status"),
    Law(name="trading_status", method="GET", path="/sapi/v1/account/apiTradingStatus"),
    Law(name="account_info", method="GET", path="/sapi/v1/account/info"),
    Law(name="system_status", method="GET", path="/sapi/v1/system/status", security="none"),
    # Beside the point of dust, but asked by clients that serve every purpose
    Law(name="funding_assets", method="POST", path="/sapi/v1/asset/get-funding-asset"),
    Law(name="asset_detail", method="GET", path="/sapi/v1/asset/assetDetail"),
    Law(name="wallet_balance", method="GET", path="/sapi/v1/asset/wallet/balance", weight=60),
    Law(name="coins", method="GET", path="/sapi/v1/capital/config/getall", weight=10),
    Law(
        name="delist_schedule",
        method="GET",
        path="/sapi/v1/spot/delist-schedule",
        weight=100,
        security="key",
    ),
    Law(
        name="margin_pairs",
        method="GET",
        path="/sapi/v1/margin/allPairs",
        security="key",
    ),
    Law(
        name="isolated_margin_pairs",
        method="GET",
        path="/sapi/v1/margin/isolated/allPairs",
        weight=10,
        security="key",
    ),
    Law(name="ping", method="GET", path="/api/v3/ping", pool="spot", security="none"),
    Law(name="server_time", method="GET", path="/api/v3/time", pool="spot", security="none"),
    Law(
        name="exchange_info",
        method="GET",
        path="/api/v3/exchangeInfo",
        pool="spot",
        weight=20,
        security="none",
    ),
    Law(name="spot_account", method="GET", path="/api/v3/account", pool="spot", weight=20),
)

BY_PATH: Final[dict[str, dict[str, Law]]] = {}
for _law in LAWS:
    BY_PATH.setdefault(_law.path, {})[_law.method] = _law

BY_NAME: Final[dict[str, Law]] = {law.name: law for law in LAWS}
