"""Answers beside dust: other wallets, delistings, transfers, repayments, sales by quote."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from binance_dust._util.exact import Amount, AnswerStruct, Id, Moment, Reference, total
from binance_dust._util.rows import RowsAnswer

if TYPE_CHECKING:
    from decimal import Decimal

_DONE: Final = "SUCCESS"
_FAILED: Final = "FAIL"

# Rows hold only texts and numbers, so the garbage collector can skip them (`gc=False`).


class _Held(AnswerStruct, frozen=True, gc=False):
    asset: str
    free: Amount
    locked: Amount | None = None
    freeze: Amount | None = None
    """Frozen by the platform."""
    withdrawing: Amount | None = None
    btc_valuation: Amount | None = None
    """Zero unless asked for: zero does not mean worthless."""

    @property
    def total(self) -> Decimal:
        """The whole balance, spendable or not, as far as its parts were sent."""
        parts = (self.free, self.locked, self.freeze, self.withdrawing)
        return total(part for part in parts if part is not None)


class FundingAsset(_Held, frozen=True, gc=False):
    """One asset of the funding wallet."""


class WalletAsset(_Held, frozen=True, gc=False):
    """One asset of any wallet."""

    asset_name: str | None = None


class WalletBalance(AnswerStruct, frozen=True):
    """What one wallet is worth, and what is in it."""

    wallet_name: str
    """As in `Spot`, `Funding`, `Cross Margin`, `Earn`."""
    balance: Amount
    """Its worth, in the asset that was asked for."""
    activate: bool | None = None
    """Whether the account has opened this wallet."""
    asset_balances: list[WalletAsset] | None = None
    """Only if details were asked for."""


class Delisting(AnswerStruct, frozen=True):
    """Pairs of the spot market that stop trading at one time."""

    delist_time: Moment
    symbols: list[str]
    """Pairs, as in `ADAUSDT`."""


class MarginDelisting(AnswerStruct, frozen=True):
    """What leaves margin at one time."""

    delist_time: Moment
    cross_margin_assets: list[str] | None = None
    isolated_margin_symbols: list[str] | None = None


class TransactionId(AnswerStruct, frozen=True, gc=False):
    """The number of a movement of funds."""

    tran_id: Id


class TransferRecord(AnswerStruct, frozen=True, kw_only=True, gc=False):
    """One transfer between two wallets of the account."""

    asset: str
    amount: Amount
    type: str | None = None
    """From where to where, as in `FUNDING_MAIN`."""
    status: str
    """`CONFIRMED`, `PENDING` or `FAILED`."""
    tran_id: Id | None = None
    timestamp: Moment


class TransferHistory(RowsAnswer, frozen=True, kw_only=True):
    """One page of transfers."""

    rows_in: ClassVar[str] = "rows"

    total: int | None = None
    rows: list[TransferRecord]


class CapitalFlow(AnswerStruct, frozen=True, kw_only=True, gc=False):
    """One movement of the margin account."""

    id: Id | None = None
    tran_id: Id | None = None
    timestamp: Moment
    asset: str
    symbol: str | None = None
    """The pair, in an isolated margin account."""
    type: str
    """`SMALL_BALANCE_CONVERT` is a conversion of dust, `SMALL_CONVERT` an exchange of debts."""
    amount: Amount
    note: str | None = None


class ConvertQuote(AnswerStruct, frozen=True, kw_only=True, gc=False):
    """A price at which an amount can be sold, once, for some seconds."""

    quote_id: Reference | None = None
    """Missing if the wallet does not hold the amount: such a quote can't be accepted."""
    ratio: Amount | None = None
    """What one of the asset sold brings."""
    inverse_ratio: Amount | None = None
    valid_timestamp: Moment | None = None
    """Until when it can be accepted."""
    from_amount: Amount
    to_amount: Amount


class ConvertPair(AnswerStruct, frozen=True, kw_only=True, gc=False):
    """How much of one asset can be sold for another by quote."""

    from_asset: str
    to_asset: str
    from_asset_min_amount: Amount | None = None
    from_asset_max_amount: Amount | None = None
    to_asset_min_amount: Amount | None = None
    to_asset_max_amount: Amount | None = None


class ConvertOrder(AnswerStruct, frozen=True, kw_only=True, gc=False):
    """A quote that was accepted. `convert_accept` answers only id, status and time."""

    order_id: Id | None = None
    order_status: str
    """`PROCESS`, `ACCEPT_SUCCESS`, `SUCCESS` or `FAIL`."""
    create_time: Moment | None = None
    from_asset: str | None = None
    from_amount: Amount | None = None
    to_asset: str | None = None
    to_amount: Amount | None = None
    ratio: Amount | None = None
    inverse_ratio: Amount | None = None

    @property
    def is_done(self) -> bool:
        """Whether funds have moved."""
        return self.order_status == _DONE

    @property
    def is_failed(self) -> bool:
        """Whether nothing has moved, and nothing will."""
        return self.order_status == _FAILED
