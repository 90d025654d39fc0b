"""Small margin debts, exchanged into one: the same safety, for a call with an empty answer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from binance_dust._util import exact
from binance_dust._util.checks import instance, to_timedelta
from binance_dust.conversion import _guards, _policy
from binance_dust.conversion._account import AccountContext, read_debts
from binance_dust.conversion._calls import exchange_call
from binance_dust.conversion._plan import plan_debts, target_of_debts
from binance_dust.conversion._quote import LiabilityQuote
from binance_dust.conversion._receipt import Receipt
from binance_dust.conversion._recover import recover
from binance_dust.conversion._send import send
from binance_dust.errors import CooldownError, GuardError, LedgerError, OutcomeUnknownError
from binance_dust.ledger import Kind, LedgerEntry, Scope, from_liabilities
from binance_dust.ledger._entry import funds_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from binance_dust.client import DustClient
    from binance_dust.ledger import Ledger, Observed

__all__ = ["LiabilityExchanger"]

_COOLDOWN: Final = timedelta(hours=6)
"""As all sources say."""
_QUOTE_TTL: Final = timedelta(seconds=60)


class LiabilityExchanger:
    """Gathers an account's small margin debts into one, at most once, with all of it on record.

    The exchange takes ten debts in a call, and one call in six hours. The call has no id and an
    empty answer: what it did is read from the history.
    """

    def __init__(
        self,
        client: DustClient,
        *,
        ledger: Ledger,
        keep: _policy.Keep = (),
        quote_ttl: timedelta | float = _QUOTE_TTL,
        cooldown: timedelta | float = _COOLDOWN,
    ) -> None:
        """Take the rules; nothing is sent."""
        self._context = AccountContext(client, ledger)
        self._keep = _policy.KeepRule(keep)
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
        return frozenset({funds_of(Kind.LIABILITIES, "MARGIN")})

    async def quote(self) -> LiabilityQuote:
        """Read which debts can be exchanged now, and why the rest can't. Heavy: weight 110."""
        context = self._context
        await context.check_ledger()
        owed = await read_debts(context.client)
        listed = await context.client.small_liabilities() if owed else []
        eligibility = await self._read_eligibility()
        at = context.now()
        eligible_at = eligibility.wait_until(at)
        target = target_of_debts(listed)
        keep = await self._keep(context.client)
        lines, skipped = plan_debts(listed, owed, target=target, keep=keep, until=eligible_at)
        return LiabilityQuote(
            account=context.account,
            key_id=context.key_id,
            target=target,
            lines=lines,
            skipped=skipped,
            at=at,
            expires_at=at + self._quote_ttl,
            eligible_at=eligible_at,
        )

    async def exchange(self, quote: LiabilityQuote) -> Receipt:
        """Exchange the debts of a quote, once. Errors mean the same as for `convert`."""
        instance(quote, LiabilityQuote, "quote")
        context, ttl = self._context, self._quote_ttl
        await context.prepare(*self.funds)
        _guards.check_quote(
            quote, account=context.account, key_id=context.key_id, now=context.now(), ttl=ttl
        )
        async with context.claimed("convert") as claim:
            until = (await self._learn()).next_at(context.now())
            _guards.refuse_cooling(until, account=context.account, now=context.now())
            owed = await read_debts(context.client)
            changed = _guards.changed_debts(quote.lines, owed)
            assets = [asset for asset in quote.assets if asset not in changed]
            if not assets:
                raise GuardError(
                    f"{context.account}: every debt has changed since the quote",
                    account=context.account,
                )
            ids: list[int] = []
            _guards.refuse_old(quote, now=context.now(), ttl=ttl)
            small = {asset: owed[asset] for asset in assets}
            funds_call = exchange_call(context, small, target=quote.target)
            try:
                result = await send(context, claim, funds_call, ids.append)
            except (OutcomeUnknownError, LedgerError) as error:
                error.entry_ids = tuple(ids)
                raise
            except CooldownError as error:
                error.retry_at = (await self._learn()).wait_until(context.now())
                raise
        return Receipt(
            account=quote.account,
            account_type="MARGIN",
            target=quote.target,
            lines=result.lines,
            dropped=tuple(changed.values()),
            entry_ids=tuple(ids),
            quoted_net=exact.total(line.worth for line in quote.lines if line.asset in assets),
            at=context.now(),
        )

    async def recover(self) -> list[LedgerEntry]:
        """Find out how the account's open entries ended: the same as `Converter.recover`."""
        return await recover(self._context)

    async def next_eligible_at(self) -> datetime:
        """Say when to try the next exchange; now, if it may be tried already."""
        await self._context.check_ledger()
        return (await self._read_eligibility()).next_at(self._context.now())

    # --- parts -----------------------------------------------------------------------------------

    async def _read_eligibility(self) -> _guards.Eligibility:
        """Learn from the ledger, and from the exchange's history."""
        context = self._context
        if not self._cooldown:
            return await self._learn()
        start = context.now() - self._cooldown - timedelta(hours=1)
        history = context.client.small_liability_history(start=start, unread=[])
        rows = [row async for row in history]
        return await self._learn(from_liabilities(rows, context.owner))

    async def _learn(self, records: Iterable[Observed] = ()) -> _guards.Eligibility:
        scope = Scope(self._context.owner, Kind.LIABILITIES, "MARGIN")
        return await _guards.read_eligibility(self._context.ledger, scope, self._cooldown, records)

    def __repr__(self) -> str:
        return f"<LiabilityExchanger {self._context.account}>"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError(
            "a LiabilityExchanger holds a client, which holds a key, and is never pickled"
        )
