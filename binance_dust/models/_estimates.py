"""Answers about what can be converted now, with what the exchange expects it to bring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import field

from binance_dust._util.exact import Amount, AnswerStruct, difference, total

if TYPE_CHECKING:
    from decimal import Decimal


class EstimatedAsset(AnswerStruct, frozen=True, kw_only=True, gc=False):
    """Base of one asset that can be converted now.

    `amount`, `gross`, `fee` and `net` are what a `Quote` calls them.
    """

    asset: str
    asset_full_name: str | None = None
    amount_free: Amount
    exchange: Amount | None = None
    """The fee, in the target asset."""

    if TYPE_CHECKING:

        @property
        def gross(self) -> Decimal: ...
        @property
        def net(self) -> Decimal: ...

    @property
    def amount(self) -> Decimal:
        """All of it that is free: a conversion takes all."""
        return self.amount_free

    @property
    def fee(self) -> Decimal:
        """As the exchange gives it; if it does not, what is lost between gross and net."""
        return difference(self.gross, self.net) if self.exchange is None else self.exchange


class Estimates(AnswerStruct, frozen=True, kw_only=True):
    """Base of a list of what can be converted now: the sums of its rows."""

    if TYPE_CHECKING:

        @property
        def details(self) -> list[Any]: ...

    @property
    def gross(self) -> Decimal:
        """What all of it would bring before fees, in the target."""
        return total(row.gross for row in self.details)

    @property
    def fee(self) -> Decimal:
        """What all of it would cost, in the target."""
        return total(row.fee for row in self.details)

    @property
    def net(self) -> Decimal:
        """What all of it would bring, in the target."""
        return total(row.net for row in self.details)


class ConvertibleAsset(EstimatedAsset, frozen=True, kw_only=True, gc=False):
    """One asset that can be converted now, with the exchange's estimate."""

    to_quota_asset_amount: Amount | None = None
    to_target_asset_amount: Amount
    """Before the fee."""
    to_target_asset_off_exchange: Amount
    """After the fee."""

    @property
    def gross(self) -> Decimal:
        """In the target, before the fee."""
        return self.to_target_asset_amount

    @property
    def net(self) -> Decimal:
        """In the target, after the fee."""
        return self.to_target_asset_off_exchange


class ConvertibleAssets(Estimates, frozen=True, kw_only=True):
    """What can be converted into a target now."""

    dribblet_percentage: Amount | None = None
    """The usual fee rate; the fee of each asset is in its own row."""
    total_transfer_quota_asset_amount: Amount | None = None
    total_transfer_target_asset_amount: Amount | None = None
    """Before the fees."""
    dribblet_base: Amount | None = None
    """Undocumented; by its sample (10), the limit for one asset, in the quota asset."""
    details: list[ConvertibleAsset]


class DustAsset(EstimatedAsset, frozen=True, kw_only=True, gc=False):
    """One asset that can be converted into BNB now."""

    to_btc: Amount | None = field(name="toBTC", default=None)
    to_bnb: Amount = field(name="toBNB")
    """Before the fee."""
    to_bnb_off_exchange: Amount = field(name="toBNBOffExchange")
    """After the fee."""

    @property
    def gross(self) -> Decimal:
        """In BNB, before the fee."""
        return self.to_bnb

    @property
    def net(self) -> Decimal:
        """In BNB, after the fee."""
        return self.to_bnb_off_exchange


class DustAssets(Estimates, frozen=True, kw_only=True):
    """What can be converted into BNB now."""

    details: list[DustAsset]
    total_transfer_btc: Amount | None = None
    total_transfer_bnb: Amount | None = field(name="totalTransferBNB", default=None)
    """Before the fees."""
    dribblet_percentage: Amount | None = None
