"""What an account holds, spot or margin, and which parts of it can't be used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from binance_dust._util import exact
from binance_dust.conversion._reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from binance_dust.client import DustClient
    from binance_dust.endpoints import AccountType
    from binance_dust.models import MarginAccount, UserAsset

__all__ = ["Holding", "debts_of", "read_debts", "read_holdings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What is held of one asset."""

    asset: str
    free: Decimal
    stuck: Mapping[Reason, Decimal] = field(default_factory=dict)
    """The parts that can't be used now, each above zero."""
    in_bitcoin: Decimal | None = None
    """What all of it is worth, by the exchange's valuation; `None` where it was not asked."""

    @property
    def total(self) -> Decimal:
        """All parts together."""
        return exact.total((self.free, *self.stuck.values()))

    @property
    def free_in_bitcoin(self) -> Decimal | None:
        """What the free part is worth."""
        if self.in_bitcoin is None or not self.total:
            return None
        return exact.ratio(exact.product(self.in_bitcoin, self.free), self.total)


async def read_holdings(
    client: DustClient, account_type: AccountType, *, valued: bool = False
) -> dict[str, Holding]:
    """Read what is held, by asset."""
    if account_type == "MARGIN":
        return margin_holdings(await client.margin_account())
    return spot_holdings(await client.user_assets(btc_valuation=valued), valued=valued)


async def read_debts(client: DustClient) -> dict[str, Decimal]:
    """Read what is owed, by asset."""
    return debts_of(await client.margin_account())


def spot_holdings(rows: Iterable[UserAsset], *, valued: bool = False) -> dict[str, Holding]:
    """Read the spot wallet."""
    return {
        row.asset: Holding(
            asset=row.asset,
            free=row.free,
            stuck=_above_zero(
                {
                    Reason.IN_ORDER: row.locked,
                    Reason.FROZEN: row.freeze,
                    Reason.WITHDRAWING: row.withdrawing,
                    Reason.IN_LAUNCH: row.ipoable,
                }
            ),
            # "0" where it was not asked for: that does not mean worthless.
            in_bitcoin=row.btc_valuation if valued else None,
        )
        for row in rows
    }


def margin_holdings(account: MarginAccount) -> dict[str, Holding]:
    """Read the margin wallet; the exchange values it as a whole only."""
    return {
        row.asset: Holding(
            asset=row.asset, free=row.free, stuck=_above_zero({Reason.IN_ORDER: row.locked})
        )
        for row in account.user_assets
        if row.free or row.locked
    }


def debts_of(account: MarginAccount) -> dict[str, Decimal]:
    """Read what a margin account owes."""
    return {row.asset: row.debt for row in account.user_assets if row.debt > 0}


def _above_zero(parts: dict[Reason, Decimal]) -> dict[Reason, Decimal]:
    return {reason: amount for reason, amount in parts.items() if amount > 0}
