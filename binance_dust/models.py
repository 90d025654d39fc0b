"""The exchange's answers: a frozen struct for each. A field that is always sent is required.

Names are those of the wire in snake_case, with misspellings corrected (`transfered` on the wire).
Only this module knows the spelling of the wire. Amounts and times are exact, and converted when
first read: see `_util.exact`. Sources: Binance's documentation pages and SDKs, read between January
and November 2026.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import field

from binance_dust._util.exact import Amount, AnswerStruct, Moment, difference, total

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = [
    "AccountInfo",
    "AccountStatus",
    "BnbBurn",
    "CommissionRates",
    "ConvertedAsset",
    "ConvertibleAsset",
    "ConvertibleAssets",
    "DustAsset",
    "DustAssets",
    "DustConversion",
    "DustLog",
    "DustLogDetail",
    "DustLogEntry",
    "KeyPermissions",
    "MarginAccount",
    "MarginAsset",
    "ServerTime",
    "SmallLiability",
    "SmallLiabilityExchange",
    "SmallLiabilityHistory",
    "SpotAccount",
    "SpotBalance",
    "SystemStatus",
    "UserAsset",
]

# Rows hold only texts and numbers, so the garbage collector can skip them (`gc=False`).


class UserAsset(AnswerStruct, frozen=True, gc=False):
    """One asset of the spot wallet."""

    asset: str
    free: Amount
    """Spendable. Dust conversion takes only this part."""
    locked: Amount
    """In open orders."""
    freeze: Amount
    """Frozen by the platform."""
    withdrawing: Amount
    ipoable: Amount
    btc_valuation: Amount
    """Zero unless asked for: zero does not mean worthless."""

    @property
    def total(self) -> Decimal:
        """The whole balance, spendable or not."""
        return total((self.free, self.locked, self.freeze, self.withdrawing, self.ipoable))


class SpotBalance(AnswerStruct, frozen=True, gc=False):
    """One asset of the spot account."""

    asset: str
    free: Amount
    locked: Amount
    """In open orders."""


class CommissionRates(AnswerStruct, frozen=True, gc=False):
    """What trades on the spot market cost, as parts of their worth."""

    maker: Amount
    taker: Amount
    buyer: Amount
    seller: Amount


class SpotAccount(AnswerStruct, frozen=True):
    """The spot account. `UserAsset` has more of each balance.

    Only its number and its balances are relied on; all else may be missing.
    """

    uid: int
    """The exchange's own number of the account: the same for all of its keys."""
    balances: list[SpotBalance]
    account_type: str | None = None
    permissions: list[str] | None = None
    can_trade: bool | None = None
    can_withdraw: bool | None = None
    can_deposit: bool | None = None
    brokered: bool | None = None
    require_self_trade_prevention: bool | None = None
    prevent_sor: bool | None = None
    commission_rates: CommissionRates | None = None
    maker_commission: int | None = None
    """In hundredths of a percent, like the next three; `commission_rates` are exact."""
    taker_commission: int | None = None
    buyer_commission: int | None = None
    seller_commission: int | None = None
    update_time: Moment | None = None


class ConvertibleAsset(AnswerStruct, frozen=True, gc=False):
    """One asset that can be converted now, with the exchange's estimate."""

    asset: str
    asset_full_name: str
    amount_free: Amount
    exchange: Amount
    """The fee, in the target asset."""
    to_quota_asset_amount: Amount
    to_target_asset_amount: Amount
    """Before the fee."""
    to_target_asset_off_exchange: Amount
    """After the fee."""


class ConvertibleAssets(AnswerStruct, frozen=True):
    """What can be converted into a target now."""

    dribblet_percentage: Amount
    """The usual fee rate; the fee of each asset is in its own row."""
    total_transfer_quota_asset_amount: Amount
    total_transfer_target_asset_amount: Amount
    """Before the fees."""
    dribblet_base: Amount
    """Undocumented; by its sample (10), the limit for one asset, in the quota asset."""
    details: list[ConvertibleAsset]


class ConvertedAsset(AnswerStruct, frozen=True, gc=False):
    """One asset that was converted."""

    tran_id: int
    from_asset: str
    amount: Amount
    transferred_amount: Amount = field(name="transferedAmount")
    """Before the service charge."""
    service_charge_amount: Amount
    operate_time: Moment

    @property
    def net_amount(self) -> Decimal:
        """What was credited: the transferred amount less the service charge."""
        return difference(self.transferred_amount, self.service_charge_amount)


class DustConversion(AnswerStruct, frozen=True):
    """What a conversion did. Without a row in `transfer_result`, it converted nothing."""

    total_transferred: Amount = field(name="totalTransfered")
    total_service_charge: Amount
    transfer_result: list[ConvertedAsset]

    @property
    def net_amount(self) -> Decimal:
        """The total that was credited."""
        return difference(self.total_transferred, self.total_service_charge)


class DustAsset(AnswerStruct, frozen=True, gc=False):
    """One asset that can be converted into BNB now."""

    asset: str
    asset_full_name: str
    amount_free: Amount
    to_btc: Amount = field(name="toBTC")
    to_bnb: Amount = field(name="toBNB")
    """Before the fee."""
    to_bnb_off_exchange: Amount = field(name="toBNBOffExchange")
    """After the fee."""
    exchange: Amount
    """The fee, in BNB."""


class DustAssets(AnswerStruct, frozen=True):
    """What can be converted into BNB now."""

    details: list[DustAsset]
    total_transfer_btc: Amount
    total_transfer_bnb: Amount = field(name="totalTransferBNB")
    """Before the fees."""
    dribblet_percentage: Amount


class DustLogDetail(AnswerStruct, frozen=True, gc=False):
    """One asset of a conversion in the log."""

    trans_id: int
    from_asset: str
    amount: Amount
    transferred_amount: Amount = field(name="transferedAmount")
    """Before the service charge."""
    service_charge_amount: Amount
    operate_time: Moment
    target_asset: str | None = None
    """Sent since July 2026; see `DustLogEntry.target_of`."""

    @property
    def net_amount(self) -> Decimal:
        """What was credited: the transferred amount less the service charge."""
        return difference(self.transferred_amount, self.service_charge_amount)


class DustLogEntry(AnswerStruct, frozen=True):
    """One conversion in the log. Its `trans_id` is the `tran_id` of the conversion."""

    trans_id: int
    total_transferred_amount: Amount = field(name="totalTransferedAmount")
    """Before the service charges."""
    total_service_charge_amount: Amount
    user_asset_dribblet_details: list[DustLogDetail]
    operate_time: Moment | None = None
    """Missing in one old sample; see `happened_at`."""
    target_asset: str | None = None
    """Seen both on the entry and on its details; see `target_of`."""

    def target_of(self, detail: DustLogDetail) -> str:
        """Return the target of a detail: its own field, else the entry's, else BNB."""
        return detail.target_asset or self.target_asset or "BNB"

    @property
    def happened_at(self) -> Moment | None:
        """When it happened: the entry's own time, else the time of its first detail."""
        if self.operate_time is not None:
            return self.operate_time
        return min(
            (detail.operate_time for detail in self.user_asset_dribblet_details), default=None
        )


class DustLog(AnswerStruct, frozen=True):
    """The newest conversions, at most a hundred. `total` may exceed the entries returned."""

    total: int
    user_asset_dribblets: list[DustLogEntry]


class SmallLiability(AnswerStruct, frozen=True, gc=False):
    """One small margin debt that can be exchanged."""

    asset: str
    interest: Amount
    principal: Amount
    liability_asset: str
    liability_qty: Amount


class SmallLiabilityExchange(AnswerStruct, frozen=True, gc=False):
    """One small debt that was exchanged. It has no id."""

    asset: str
    amount: Amount
    target_asset: str
    target_amount: Amount
    biz_type: str
    timestamp: Moment


class SmallLiabilityHistory(AnswerStruct, frozen=True):
    """One page of exchanged debts."""

    total: int
    rows: list[SmallLiabilityExchange]


class BnbBurn(AnswerStruct, frozen=True, gc=False):
    """Whether fees and margin interest are paid in BNB."""

    spot_bnb_burn: bool = field(name="spotBNBBurn")
    interest_bnb_burn: bool = field(name="interestBNBBurn")


class KeyPermissions(AnswerStruct, frozen=True, gc=False):
    """What an API key may do."""

    ip_restrict: bool
    create_time: Moment
    enable_reading: bool
    enable_withdrawals: bool
    enable_internal_transfer: bool
    enable_margin: bool
    enable_futures: bool
    permits_universal_transfer: bool
    enable_vanilla_options: bool
    enable_spot_and_margin_trading: bool
    # Added later; older samples of the documentation lack them.
    enable_fix_api_trade: bool | None = None
    enable_fix_read_only: bool | None = None
    enable_portfolio_margin_trading: bool | None = None
    trading_authority_expiration_time: Moment | None = None


class AccountStatus(AnswerStruct, frozen=True, gc=False):
    """The account's status. Only `Normal` is documented."""

    data: str


class AccountInfo(AnswerStruct, frozen=True, gc=False):
    """Which kinds of trading the account has opened."""

    vip_level: int
    is_margin_enabled: bool
    is_future_enabled: bool
    # Added later; older samples of the documentation lack them.
    is_options_enabled: bool | None = None
    is_portfolio_margin_retail_enabled: bool | None = None


class MarginAsset(AnswerStruct, frozen=True, gc=False):
    """One asset of the cross-margin account."""

    asset: str
    borrowed: Amount
    free: Amount
    interest: Amount
    locked: Amount
    net_asset: Amount

    @property
    def debt(self) -> Decimal:
        """What is owed: principal and interest."""
        return total((self.borrowed, self.interest))


class MarginAccount(AnswerStruct, frozen=True):
    """The cross-margin account."""

    user_assets: list[MarginAsset]
    # These fields of the top level have changed over the years, so none is required.
    borrow_enabled: bool | None = None
    trade_enabled: bool | None = None
    margin_level: Amount | None = None
    total_asset_of_btc: Amount | None = None
    total_liability_of_btc: Amount | None = None
    total_net_asset_of_btc: Amount | None = None
    total_collateral_value_in_usdt: Amount | None = field(
        name="TotalCollateralValueInUSDT", default=None
    )

    @property
    def has_debt(self) -> bool:
        """Whether anything is owed."""
        return any(row.debt > 0 for row in self.user_assets)


class SystemStatus(AnswerStruct, frozen=True, gc=False):
    """Whether the exchange is open."""

    status: int
    """0 is normal, 1 is maintenance."""
    msg: str

    @property
    def is_normal(self) -> bool:
        """Whether the exchange is open."""
        return self.status == 0


class ServerTime(AnswerStruct, frozen=True, gc=False):
    """The exchange's clock."""

    server_time: Moment
