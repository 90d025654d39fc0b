"""Small margin debts, exchanged into one: the same safety, for a call that answers nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from binance_dust import endpoints
from binance_dust._util import exact
from binance_dust._util.checks import instance
from binance_dust.conversion import _policy
from binance_dust.conversion._account import Desk
from binance_dust.conversion._cooling import learn
from binance_dust.conversion._debts import LiabilityQuote, changed_debts, plan_debts, target_of
from binance_dust.conversion._guards import check_plan, refuse_cooling, refuse_old
from binance_dust.conversion._holdings import read_debts
from binance_dust.conversion._receipt import Receipt
from binance_dust.conversion._recover import recover
from binance_dust.conversion._send import Answer, Order, send
from binance_dust.errors import (
    CooldownError,
    GuardError,
    LedgerError,
    NoAnswerError,
    OutcomeUnknownError,
)
from binance_dust.ledger import Kind, LedgerEntry, Scope, can_have_done, from_liabilities

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from decimal import Decimal

    from binance_dust.client import DustClient
    from binance_dust.conversion._cooling import Rest
    from binance_dust.ledger import Ledger, LedgerLine, Observed

__all__ = ["LiabilityExchanger"]

_COOLDOWN: Final = timedelta(hours=6)
"""What all sources say."""
_QUOTE_TTL: Final = timedelta(seconds=60)
_LOOKS: Final = 6
_BETWEEN_LOOKS: Final = 5.0
"""Seconds between two looks at the history after the exchange said yes."""


class LiabilityExchanger:
    """Gathers an account's small margin debts into one, at most once, with all of it on record.

    The exchange takes ten a call, once in six hours, gives the call no id and answers nothing:
    what it did is read from its history.
    """

    def __init__(
        self,
        client: DustClient,
        *,
        ledger: Ledger,
        keep: Iterable[str] = (),
        quote_ttl: timedelta | float = _QUOTE_TTL,
        cooldown: timedelta | float = _COOLDOWN,
    ) -> None:
        """Take the rules; nothing is sent."""
        self._desk = Desk(client, ledger)
        self._keep = _policy.names(keep, "keep")
        self._quote_ttl = _policy.span(quote_ttl, "quote_ttl")
        self._cooldown = _policy.span(cooldown, "cooldown")

    @property
    def client(self) -> DustClient:
        """The account."""
        return self._desk.client

    @property
    def ledger(self) -> Ledger:
        """The record."""
        return self._desk.ledger

    async def quote(self) -> LiabilityQuote:
        """Read which debts can be exchanged now, and of the rest why not. Heavy: weight 110."""
        desk = self._desk
        await desk.refuse_other_books()
        owed = await read_debts(desk.client)
        listed = await desk.client.small_liabilities() if owed else []
        rest = await self._rest()
        at = desk.now()
        until = rest.until(at)
        eligible_at = until if until > at else None
        target = target_of(listed)
        lines, skipped = plan_debts(listed, owed, target=target, keep=self._keep, until=eligible_at)
        return LiabilityQuote(
            account=desk.account,
            key_id=desk.key_id,
            target=target,
            lines=lines,
            skipped=skipped,
            at=at,
            expires_at=at + self._quote_ttl,
            eligible_at=eligible_at,
        )

    async def exchange(self, quote: LiabilityQuote) -> Receipt:
        """Exchange the debts of a quote, once. Errors mean what they mean for `convert`."""
        instance(quote, LiabilityQuote, "quote")
        desk = self._desk
        await desk.refuse_other_books()
        await desk.refuse_beside_open()
        await desk.client.session.learn_time()
        check_plan(
            quote,
            account=desk.account,
            key_id=desk.key_id,
            now=desk.now(),
            ttl=self._quote_ttl,
        )
        async with desk.claimed("convert") as claim:
            until = (await self._learn()).until(desk.now())
            refuse_cooling(until, account=desk.account, now=desk.now())
            owed = await read_debts(desk.client)
            changed = changed_debts(quote.lines, owed)
            assets = [asset for asset in quote.assets if asset not in changed]
            if not assets:
                raise GuardError(
                    f"{desk.account}: every debt has changed since the quote", account=desk.account
                )
            ids: list[int] = []
            refuse_old(quote, now=desk.now(), ttl=self._quote_ttl)
            try:
                answer = await send(
                    desk, claim, self._order(quote, {a: owed[a] for a in assets}), ids.append
                )
            except (OutcomeUnknownError, LedgerError) as error:
                error.entry_ids = tuple(ids)
                raise
            except CooldownError as error:
                error.retry_at = (await self._learn()).later(desk.now())
                raise
        return Receipt(
            account=quote.account,
            account_type="MARGIN",
            target=quote.target,
            lines=answer.lines,
            dropped=tuple(changed.values()),
            entry_ids=tuple(ids),
            quoted_net=exact.total(line.worth for line in quote.lines if line.asset in assets),
            at=desk.now(),
        )

    async def recover(self) -> list[LedgerEntry]:
        """Find out how the account's open entries ended: the same as `Converter.recover`."""
        return await recover(self._desk)

    async def next_eligible_at(self) -> datetime:
        """Say when the next exchange is worth trying; now, if it is already."""
        await self._desk.refuse_other_books()
        return (await self._rest()).until(self._desk.now())

    def _order(self, quote: LiabilityQuote, held: Mapping[str, Decimal]) -> Order:
        return Order(
            kind=Kind.LIABILITIES,
            account_type="MARGIN",
            target=quote.target,
            held=held,
            call=endpoints.EXCHANGE_SMALL_LIABILITIES(assets=held),
            read=self._look_back,
        )

    async def _look_back(self, _: Any, entry: LedgerEntry) -> Answer:
        """Find what was done in the history: the call itself answers nothing."""
        for look in range(_LOOKS):
            if look:
                await asyncio.sleep(_BETWEEN_LOOKS)
            rows = self._desk.client.small_liability_history(start=entry.sent_after)
            seen = from_liabilities([row async for row in rows], entry.account)
            lines: dict[str, LedgerLine] = {
                line.asset: line
                for each in seen
                if can_have_done(entry, each, in_part=True)
                for line in each.lines
            }
            if lines.keys() == set(entry.assets):
                return Answer(lines=tuple(lines[asset] for asset in entry.assets))
        raise NoAnswerError("the history does not show it yet", account=self._desk.client.name)

    async def _rest(self) -> Rest:
        """Learn when the account may exchange, by the ledger and by the exchange's history."""
        desk = self._desk
        if not self._cooldown:
            return await self._learn()
        start = desk.now() - self._cooldown - timedelta(hours=1)
        rows = [row async for row in desk.client.small_liability_history(start=start)]
        return await self._learn(from_liabilities(rows, desk.account))

    async def _learn(self, records: Iterable[Observed] = ()) -> Rest:
        scope = Scope(self._desk.account, Kind.LIABILITIES, "MARGIN")
        return await learn(self._desk.ledger, scope, self._cooldown, records)

    def __repr__(self) -> str:
        return f"<LiabilityExchanger {self._desk.account}>"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError(
            "a LiabilityExchanger holds a client, which holds a key, and is never pickled"
        )
