"""One account: its client, ledger and claims; what it holds and owes; what the exchange lists."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from binance_dust._util import exact
from binance_dust._util.checks import instance
from binance_dust.client import DustClient
from binance_dust.conversion._quote import QuoteLine
from binance_dust.errors import GuardError
from binance_dust.ledger import OPEN, Claim, Kind, Ledger, account_of
from binance_dust.ledger._access import key_id_of
from binance_dust.ledger._entry import why_blocked
from binance_dust.models._reasons import unusable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from datetime import datetime
    from decimal import Decimal

    from binance_dust.conversion._policy import Policy
    from binance_dust.endpoints import AccountType
    from binance_dust.ledger import Identity, LedgerEntry
    from binance_dust.ledger._access import Role
    from binance_dust.models import ConvertibleAsset, DustAsset, MarginAccount, UserAsset
    from binance_dust.models._reasons import Reason

__all__ = [
    "CLAIM_LENGTH",
    "AccountContext",
    "HeldAsset",
    "debts_of",
    "read_debts",
    "read_holdings",
    "read_left",
    "read_listed",
]

CLAIM_LENGTH: Final = timedelta(seconds=90)
"""How long a claim lasts unless it is renewed: longer than one call and its intent take."""


class AccountContext:
    """An account's client and ledger, checked, and what links the two."""

    __slots__ = ("_identity", "account", "client", "key_id", "ledger")

    def __init__(self, client: DustClient, ledger: Ledger) -> None:
        """Check the types of both."""
        self.client = instance(client, DustClient, "client")
        self.ledger = instance(ledger, Ledger, "ledger")
        self.account = account_of(client)
        self.key_id = key_id_of(client)
        self._identity: Identity | None = None

    @property
    def owner(self) -> str:
        """The name that the ledger knows the account by: the same for all of its names."""
        return self.account if self._identity is None else self._identity.owner

    def now(self) -> datetime:
        """Return the exchange's time."""
        return self.client.session.now()

    def machine_time(self) -> datetime:
        """Return the machine's time. Claims use it: processes that share a ledger share it."""
        return self.client.session.machine_time()

    async def check_ledger(self) -> None:
        """Stop if the ledger is of a rehearsal and the exchange is real, or the reverse.

        Or if the name is another account's there.
        """
        await self.ledger.refuse_other(self.client.session)
        self._identity = await self.ledger.identify(self.client)

    async def prepare(self, *funds: str) -> None:
        """Stop if the ledger is the wrong one, or has an open entry of these funds; learn the time.

        An open entry of other funds is no obstacle.
        """
        await self.check_ledger()
        for entry in await self.open_entries():
            if entry.funds in funds:
                raise GuardError(
                    why_blocked(entry, self.account), account=self.account, entry_ids=(entry.id,)
                )
        await self.client.session.learn_time()

    @asynccontextmanager
    async def claimed(self, role: Role, length: timedelta = CLAIM_LENGTH) -> AsyncIterator[Claim]:
        """Hold the right to work on the account, among all processes."""
        claim = Claim(self.owner, role, secrets.token_hex())
        now = self.machine_time()
        try:
            await self.ledger.claim(claim, now=now, length=length)
        except GuardError as error:
            if error.retry_at is not None:
                error.retry_at += self.now() - now
            raise
        try:
            yield claim
        finally:
            # Not awaited: this may run while the event loop is closing.
            self.ledger.release_soon(claim)

    async def open_entries(self) -> list[LedgerEntry]:
        """Read the account's entries without a known outcome, under any of its names."""
        return [entry async for entry in self.ledger.entries(account=self.owner, status=OPEN)]


# --- what it holds and owes ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAsset:
    """How much of one asset an account holds."""

    asset: str
    free: Decimal
    unusable: Mapping[Reason, Decimal] = field(default_factory=dict)
    """The parts that can't be used now, each above zero."""
    in_bitcoin: Decimal | None = None
    """What all of it is worth, by the exchange's valuation; `None` if it was not asked for."""

    @property
    def total(self) -> Decimal:
        """All parts together."""
        return exact.total((self.free, *self.unusable.values()))

    @property
    def free_in_bitcoin(self) -> Decimal | None:
        """What the free part is worth."""
        if self.in_bitcoin is None or not self.total:
            return None
        return exact.ratio(exact.product(self.in_bitcoin, self.free), self.total)


async def read_holdings(
    client: DustClient, account_type: AccountType, *, valued: bool = False
) -> dict[str, HeldAsset]:
    """Read what is held, by asset."""
    if account_type == "MARGIN":
        return margin_holdings(await client.margin_account())
    return spot_holdings(await client.user_assets(btc_valuation=valued), valued=valued)


async def read_debts(client: DustClient) -> dict[str, Decimal]:
    """Read what is owed, by asset."""
    return debts_of(await client.margin_account())


async def read_left(
    client: DustClient, kind: Kind, account_type: AccountType
) -> dict[str, Decimal]:
    """Read what is left of what a kind of call takes from: balances or debts, by asset."""
    if kind in (Kind.LIABILITIES, Kind.REPAYMENT):
        return await read_debts(client)
    if kind is Kind.TRANSFER:
        return {row.asset: row.free for row in await client.funding_assets()}
    holdings = await read_holdings(client, account_type)
    return {asset: holding.free for asset, holding in holdings.items()}


def spot_holdings(rows: Iterable[UserAsset], *, valued: bool = False) -> dict[str, HeldAsset]:
    """Convert the rows of the spot wallet."""
    return {
        row.asset: HeldAsset(
            asset=row.asset,
            free=row.free,
            unusable=unusable(row),
            # Without the valuation the exchange sends "0", which does not mean worthless.
            in_bitcoin=row.btc_valuation if valued else None,
        )
        for row in rows
    }


def margin_holdings(account: MarginAccount) -> dict[str, HeldAsset]:
    """Convert the rows of the margin wallet; the exchange gives no worth for each."""
    return {
        row.asset: HeldAsset(asset=row.asset, free=row.free, unusable=unusable(row))
        for row in account.user_assets
        if row.free or row.locked
    }


def debts_of(account: MarginAccount) -> dict[str, Decimal]:
    """Take what a margin account owes."""
    return {row.asset: row.debt for row in account.user_assets if row.debt > 0}


# --- what the exchange lists as convertible ------------------------------------------------------


async def read_listed(client: DustClient, policy: Policy) -> list[QuoteLine]:
    """Read what can be converted now: `dust_transfer` and `dust_convert` have a list each."""
    if policy.kind is Kind.DUST:
        dust = await client.dust_assets(account_type=policy.wallet)
        return [_line(row) for row in dust.details]
    listed = await client.convertible_assets(policy.target, account_type=policy.wallet)
    return [_line(row) for row in listed.details]


def _line(row: DustAsset | ConvertibleAsset) -> QuoteLine:
    return QuoteLine(
        asset=row.asset,
        full_name=row.asset_full_name or row.asset,
        amount=row.amount_free,
        gross=row.gross,
        fee=row.fee,
        net=row.net,
    )
