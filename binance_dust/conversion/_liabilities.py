"""Small margin debts, exchanged into one: the same safety, for a call with an empty answer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from binance_dust._util import exact
from binance_dust._util.checks import instance
from binance_dust.conversion import _guards
from binance_dust.conversion._account import read_debts
from binance_dust.conversion._calls import exchange_call
from binance_dust.conversion._mover import QUOTE_TTL, FundsMover
from binance_dust.conversion._plan import plan_debts, target_of_debts
from binance_dust.conversion._quote import LiabilityQuote
from binance_dust.conversion._receipt import Receipt
from binance_dust.conversion._send import FundsSender
from binance_dust.errors import CooldownError, GuardError
from binance_dust.ledger import Kind, from_liabilities

if TYPE_CHECKING:
    from datetime import datetime

    from binance_dust.client import DustClient
    from binance_dust.conversion._guards import Eligibility
    from binance_dust.conversion._policy import Keep
    from binance_dust.ledger import Ledger

__all__ = ["LiabilityExchanger"]

_COOLDOWN: Final = timedelta(hours=6)
"""As all sources say."""


class LiabilityExchanger(FundsMover):
    """Gathers an account's small margin debts into one, at most once, with all of it on record.

    The exchange takes ten debts in a call, and one call in six hours. The call has no id and an
    empty answer: what it did is read from the history.
    """

    def __init__(
        self,
        client: DustClient,
        *,
        ledger: Ledger,
        keep: Keep = (),
        quote_ttl: timedelta | float = QUOTE_TTL,
        cooldown: timedelta | float = _COOLDOWN,
    ) -> None:
        """Take the rules; nothing is sent."""
        super().__init__(client, ledger, Kind.LIABILITIES, "MARGIN", keep, quote_ttl, cooldown)

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
        context = self._context
        await self._check(quote)
        async with context.claimed("convert") as claim:
            await self._refuse_cooling()
            owed = await read_debts(context.client)
            changed = _guards.changed_debts(quote.lines, owed)
            assets = [asset for asset in quote.assets if asset not in changed]
            if not assets:
                raise GuardError(
                    f"{context.account}: every debt has changed since the quote",
                    account=context.account,
                )
            sender = FundsSender(context, claim, self._quote_ttl)
            small = {asset: owed[asset] for asset in assets}
            try:
                result = await sender.send(
                    exchange_call(context, small, target=quote.target), quote
                )
            except CooldownError as error:
                error.retry_at = (await self._learn()).wait_until(context.now())
                raise
        return Receipt(
            account=quote.account,
            account_type="MARGIN",
            target=quote.target,
            lines=result.lines,
            dropped=tuple(changed.values()),
            entry_ids=tuple(sender.entry_ids),
            quoted_net=exact.total(line.worth for line in quote.lines if line.asset in assets),
            at=context.now(),
        )

    async def next_eligible_at(self) -> datetime:
        """Say when to try the next exchange; now, if it may be tried already."""
        await self._context.check_ledger()
        return (await self._read_eligibility()).next_at(self._context.now())

    # --- parts -----------------------------------------------------------------------------------

    async def _read_eligibility(self) -> Eligibility:
        """Learn from the ledger, and from the exchange's history."""
        context = self._context
        if not self._cooldown:
            return await self._learn()
        start = context.now() - self._cooldown - timedelta(hours=1)
        history = context.client.small_liability_history(start=start, unread=[])
        rows = [row async for row in history]
        return await self._learn(from_liabilities(rows, context.owner))
