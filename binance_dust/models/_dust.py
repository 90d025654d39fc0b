"""Answers about dust, small debts and settings, and what is read of an account around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec import field

from binance_dust._util.exact import Amount, AnswerStruct, Id, Moment, difference, total
from binance_dust._util.rows import RowsAnswer, SwitchesAnswer
from binance_dust.errors import UnreadableAnswerError

if TYPE_CHECKING:
    from decimal import Decimal

# Rows hold only texts and numbers, so the garbage collector can skip them (`gc=False`).


class UserAsset(AnswerStruct, frozen=True, gc=False):
    """One asset of the spot wallet."""

    asset: str
    free: Amount
    """Spendable. Dust conversion takes only this part."""
    locked: Amount | None = None
    """In open orders."""
    freeze: Amount | None = None
    """Frozen by the platform."""
    withdrawing: Amount | None = None
    ipoable: Amount | None = None
    btc_valuation: Amount | None = None
    """Zero unless asked for: zero does not mean worthless."""

    @property
    def total(self) -> Decimal:
        """The whole balance, spendable or not, as far as its parts were sent."""
        parts = (self.free, self.locked, self.freeze, self.withdrawing, self.ipoable)
        return total(part for part in parts if part is not None)


class SpotBalance(AnswerStruct, frozen=True, gc=False):
    """One asset of the spot account."""

    asset: str
    free: Amount
    locked: Amount | None = None
    """In open orders."""


class CommissionRates(AnswerStruct, frozen=True, gc=False):
    """What trades on the spot market cost, as parts of their worth."""

    maker: Amount | None = None
    taker: Amount | None = None
    buyer: Amount | None = None
    seller: Amount | None = None


class SpotAccount(AnswerStruct, frozen=True):
    """The spot account. `UserAsset` has more of each balance."""

    uid: Id
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


class ConvertedAsset(AnswerStruct, frozen=True, kw_only=True, gc=False):
    """One asset that was converted."""

    tran_id: Id | None = None
    from_asset: str
    amount: Amount
    transferred_amount: Amount = field(name="transferedAmount")
    """Before the service charge."""
    service_charge_amount: Amount
    operate_time: Moment | None = None

    @property
    def net_amount(self) -> Decimal:
        """What was credited: the transferred amount less the service charge."""
        return difference(self.transferred_amount, self.service_charge_amount)


class DustConversion(AnswerStruct, frozen=True, kw_only=True):
    """What a conversion did. Without a row in `transfer_result`, it converted nothing."""

    total_transferred: Amount | None = field(name="totalTransfered", default=None)
    total_service_charge: Amount | None = None
    transfer_result: list[ConvertedAsset]

    @property
    def net_amount(self) -> Decimal:
        """The total that was credited; added up from the rows if a total was not sent."""
        gross, fee = self.total_transferred, self.total_service_charge
        if gross is None or fee is None:
            return total(row.net_amount for row in self.transfer_result)
        return difference(gross, fee)


class DustLogDetail(AnswerStruct, frozen=True, kw_only=True, gc=False):
    """One asset of a conversion in the log."""

    trans_id: Id | None = None
    from_asset: str
    amount: Amount
    transferred_amount: Amount = field(name="transferedAmount")
    """Before the service charge."""
    service_charge_amount: Amount
    operate_time: Moment | None = None
    """If it is missing, the entry's time counts."""
    target_asset: str | None = None
    """Sent since July 2026; see `DustLogEntry.target_of`."""

    @property
    def net_amount(self) -> Decimal:
        """What was credited: the transferred amount less the service charge."""
        return difference(self.transferred_amount, self.service_charge_amount)


class DustLogEntry(AnswerStruct, frozen=True, kw_only=True):
    """One conversion in the log. Its `trans_id` is the `tran_id` of the conversion."""

    trans_id: Id | None = None
    total_transferred_amount: Amount | None = field(name="totalTransferedAmount", default=None)
    """Before the service charges."""
    total_service_charge_amount: Amount | None = None
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
        times = (detail.operate_time for detail in self.user_asset_dribblet_details)
        return min((time for time in times if time is not None), default=None)

    def check(self) -> None:
        """Read all of it once; a record without a time could not be found again."""
        super().check()
        if self.happened_at is None:
            raise UnreadableAnswerError("it has no time", path="DustLogEntry.operate_time")


class DustLog(RowsAnswer, frozen=True, kw_only=True):
    """The newest conversions, at most a hundred. `total` may exceed the entries returned."""

    rows_in: ClassVar[str] = "user_asset_dribblets"

    total: int | None = None
    user_asset_dribblets: list[DustLogEntry]


class SmallLiability(AnswerStruct, frozen=True, gc=False):
    """One small margin debt that can be exchanged."""

    asset: str
    interest: Amount
    principal: Amount
    liability_asset: str
    """What it would become, and what `liability_qty` is counted in."""
    liability_qty: Amount


class SmallLiabilityExchange(AnswerStruct, frozen=True, kw_only=True, gc=False):
    """One small debt that was exchanged. It has no id."""

    asset: str
    amount: Amount
    target_asset: str
    target_amount: Amount
    biz_type: str | None = None
    timestamp: Moment


class SmallLiabilityHistory(RowsAnswer, frozen=True, kw_only=True):
    """One page of exchanged debts."""

    rows_in: ClassVar[str] = "rows"

    total: int | None = None
    rows: list[SmallLiabilityExchange]


class BnbBurn(SwitchesAnswer, frozen=True, gc=False):
    """Whether fees and margin interest are paid in BNB."""

    spot_bnb_burn: bool | None = field(name="spotBNBBurn", default=None)
    interest_bnb_burn: bool | None = field(name="interestBNBBurn", default=None)


class KeyPermissions(SwitchesAnswer, frozen=True, gc=False):
    """What an API key may do; `None` where the exchange does not say."""

    ip_restrict: bool | None = None
    create_time: Moment | None = None
    enable_reading: bool | None = None
    enable_withdrawals: bool | None = None
    enable_internal_transfer: bool | None = None
    enable_margin: bool | None = None
    enable_futures: bool | None = None
    permits_universal_transfer: bool | None = None
    enable_vanilla_options: bool | None = None
    enable_spot_and_margin_trading: bool | None = None
    enable_fix_api_trade: bool | None = None
    enable_fix_read_only: bool | None = None
    enable_portfolio_margin_trading: bool | None = None
    trading_authority_expiration_time: Moment | None = None


class AccountStatus(AnswerStruct, frozen=True, gc=False):
    """The account's status. Only `Normal` is documented."""

    data: str


class AccountInfo(SwitchesAnswer, frozen=True, gc=False):
    """Which kinds of trading the account has opened; `None` where the exchange does not say."""

    vip_level: int | None = None
    is_margin_enabled: bool | None = None
    is_future_enabled: bool | None = None
    is_options_enabled: bool | None = None
    is_portfolio_margin_retail_enabled: bool | None = None


class MarginAsset(AnswerStruct, frozen=True, gc=False):
    """One asset of the cross-margin account."""

    asset: str
    borrowed: Amount
    free: Amount
    interest: Amount
    locked: Amount | None = None
    net_asset: Amount | None = None

    @property
    def debt(self) -> Decimal:
        """What is owed: principal and interest."""
        return total((self.borrowed, self.interest))


class MarginAccount(AnswerStruct, frozen=True):
    """The cross-margin account."""

    user_assets: list[MarginAsset]
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
    msg: str | None = None

    @property
    def is_normal(self) -> bool:
        """Whether the exchange is open."""
        return self.status == 0


class ServerTime(AnswerStruct, frozen=True, gc=False):
    """The exchange's clock."""

    server_time: Moment
