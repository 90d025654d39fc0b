"""What `Converter`, `LiabilityExchanger` and `Repayer` share."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from binance_dust._util.checks import to_timedelta
from binance_dust.conversion import _guards
from binance_dust.conversion._account import AccountContext
from binance_dust.conversion._policy import KeepRule
from binance_dust.conversion._recover import recover
from binance_dust.ledger import Scope
from binance_dust.ledger._entry import funds_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from binance_dust.client import DustClient
    from binance_dust.conversion._policy import Keep
    from binance_dust.conversion._quote import BaseQuote
    from binance_dust.endpoints import AccountType
    from binance_dust.ledger import Kind, Ledger, LedgerEntry, Observed

__all__ = ["QUOTE_TTL", "FundsMover"]

QUOTE_TTL: Final = timedelta(seconds=60)


class FundsMover:
    """One account, its record, and the rules for one kind of call that moves its funds."""

    def __init__(  # noqa: PLR0913, PLR0917 - what all three are made of
        self,
        client: DustClient,
        ledger: Ledger,
        kind: Kind,
        account_type: AccountType,
        keep: Keep,
        quote_ttl: timedelta | float,
        cooldown: timedelta | float = 0,
    ) -> None:
        self._context = AccountContext(client, ledger)
        self._kind = kind
        self._account_type = account_type
        self._keep = KeepRule(keep)
        self._quote_ttl = to_timedelta(quote_ttl, "quote_ttl")
        self._cooldown = to_timedelta(cooldown, "cooldown")

    @property
    def client(self) -> DustClient:
        """The account."""
        return self._context.client

    @property
    def ledger(self) -> Ledger:
        """The record."""
        return self._context.ledger

    @property
    def funds(self) -> frozenset[str]:
        """What it moves, as `LedgerEntry.funds`: an open entry of other funds is no obstacle."""
        return frozenset({funds_of(self._kind, self._account_type)})

    async def recover(self) -> list[LedgerEntry]:
        """Find out how the account's open entries ended. It only reads, and never sends.

        Returns them as they are afterwards: confirmed, rejected, or still unknown, with the reason.
        Takes a minute or two if a call has left no trace, since its record may show late.
        """
        return await recover(self._context)

    async def _check(self, quote: BaseQuote) -> frozenset[str]:
        """Stop if an open entry or the quote itself keeps it from being carried out.

        Returns what is to be kept now: that may have changed since the quote.
        """
        context, keep = self._context, await self._keep(self._context.client)
        await context.prepare(*self.funds)
        _guards.check_quote(
            quote,
            account=context.account,
            key_id=context.key_id,
            keep=keep,
            now=context.now(),
            ttl=self._quote_ttl,
        )
        return keep

    async def _refuse_cooling(self, assets: Iterable[str] | None = None) -> None:
        """Stop if the ledger shows a cooldown: another process may have converted meanwhile."""
        context = self._context
        until = (await self._learn()).next_at(context.now(), assets)
        _guards.refuse_cooling(until, account=context.account, now=context.now())

    async def _learn(self, records: Iterable[Observed] = ()) -> _guards.Eligibility:
        """Learn from the ledger, and from records of the exchange, when it may be done again."""
        scope = Scope(self._context.owner, self._kind, self._account_type)
        return await _guards.read_eligibility(self._context.ledger, scope, self._cooldown, records)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._context.account}>"

    def __reduce_ex__(self, protocol: object) -> Any:
        name = type(self).__name__
        raise TypeError(f"a {name} holds a client, which holds a key, and is never pickled")
