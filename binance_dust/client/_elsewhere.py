"""Methods about what lies beside dust: other wallets, delistings, repayments, sales by quote."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from binance_dust import endpoints, models
from binance_dust.client._account import PAGE, AccountClient
from binance_dust.client._ranges import AHEAD, check_order, halves, pieces
from binance_dust.endpoints import EARLIEST
from binance_dust.errors import ConfigurationError, UnreadableAnswerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from decimal import Decimal

    from binance_dust.endpoints import Call

_WEEK: Final = timedelta(days=7)
"""The longest range of one call of the capital flow, and of what is read without bounds."""
_MOST_FLOWS: Final = 1_000
"""Rows that one call of the capital flow gives at most."""


class ElsewhereClient(AccountClient):
    """What an account has beside dust, and how it is moved."""

    __slots__ = ()

    # --- other wallets ---------------------------------------------------------------------------

    async def funding_assets(
        self, *, asset: str | None = None, btc_valuation: bool = False
    ) -> list[models.FundingAsset]:
        """Read the funding wallet's positive balances, or one asset's."""
        return await self.send(
            endpoints.FUNDING_ASSETS(asset=asset, need_btc_valuation=btc_valuation or None)
        )

    async def wallet_balances(
        self, *, quote_asset: str = "BTC", details: bool = False
    ) -> list[models.WalletBalance]:
        """Read what each wallet is worth, and with `details` what is in it. It costs 60."""
        return await self.send(
            endpoints.WALLET_BALANCES(quote_asset=quote_asset, need_balance_detail=details or None)
        )

    async def transfer(self, asset: str, amount: Decimal, *, kind: str = "FUNDING_MAIN") -> int:
        """Move an amount from one wallet of the account to another, and return its number.

        `kind` names both wallets, as the exchange does: `FUNDING_MAIN` is from the funding to the
        spot wallet. The key needs the permission for universal transfers.
        """
        call = endpoints.TRANSFER(kind=kind, asset=asset, amount=amount)
        return (await self.send(call)).tran_id

    async def transfers(
        self,
        *,
        kind: str,
        start: datetime | None = None,
        end: datetime | None = None,
        unread: list[models.UnreadRow] | None = None,
    ) -> AsyncIterator[models.TransferRecord]:
        """Read the transfers of one kind, page by page; by default those of the last seven days.

        The exchange keeps six months. Rows that can't be read are added to `unread`. Without such a
        list they are an `UnreadableAnswerError`, when all others were read.
        """
        check_order(start, end)
        if end is None:
            end = self._session.now() + AHEAD
            start = end - _WEEK if start is None else start

        def page(number: int) -> Call[models.TransferHistory]:
            return endpoints.TRANSFERS(
                kind=kind, current=number, size=PAGE, start_time=start, end_time=end
            )

        async with aclosing(self._pages(page, unread)) as rows:
            async for row in rows:
                yield row

    # --- delistings ------------------------------------------------------------------------------

    async def delist_schedule(self) -> list[models.Delisting]:
        """Read which pairs of the spot market stop trading, and when: the same for all accounts.

        It costs 100, and needs the key alone.
        """
        return await self.send(endpoints.DELIST_SCHEDULE())

    async def margin_delist_schedule(self) -> list[models.MarginDelisting]:
        """Read what leaves margin, and when: the same for all accounts.

        It costs 100, and needs the key alone.
        """
        return await self.send(endpoints.MARGIN_DELIST_SCHEDULE())

    async def delistings(self) -> models.Delistings:
        """Read both schedules, to be asked about assets: one reading serves a whole desk.

        It costs 100 of two budgets.
        """
        spot, margin = await asyncio.gather(self.delist_schedule(), self.margin_delist_schedule())
        return models.Delistings(spot, margin)

    # --- the margin account ----------------------------------------------------------------------

    async def capital_flow(
        self,
        *,
        kind: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> AsyncIterator[models.CapitalFlow]:
        """Read the movements of the cross-margin account, the newest first.

        By default those of the last seven days. One call covers seven days and costs 100: a longer
        range is read in pieces. The exchange keeps 90 days.
        """
        check_order(start, end)
        if end is None:
            end = self._session.now() + AHEAD
        endpoints.CAPITAL_FLOW(kind=kind, start_time=start, end_time=end)  # before any is sent
        if start is None:
            start = max(end, EARLIEST + _WEEK) - _WEEK
        for piece in pieces(start, end, _WEEK):
            parts = [piece]
            while parts:
                since, until = parts.pop()
                rows = await self.send(
                    endpoints.CAPITAL_FLOW(
                        kind=kind, start_time=since, end_time=until, limit=_MOST_FLOWS
                    )
                )
                if len(rows) >= _MOST_FLOWS:
                    # There may be more than it shows: no row says which ones are left out.
                    cut = halves(since, until)
                    if cut is None:
                        raise UnreadableAnswerError(
                            f"more than {_MOST_FLOWS - 1} movements at {since}",
                            endpoint=endpoints.CAPITAL_FLOW.title,
                            account=self.name,
                        )
                    parts += cut
                    continue
                for row in sorted(rows, key=lambda row: row.timestamp, reverse=True):
                    yield row

    async def repay(self, asset: str, amount: Decimal) -> int:
        """Repay a debt of the cross-margin account from what is held there; return its number."""
        call = endpoints.REPAY(asset=asset, is_isolated="FALSE", amount=amount, type="REPAY")
        return (await self.send(call)).tran_id

    # --- sales by quote --------------------------------------------------------------------------

    async def convert_pairs(
        self, *, from_asset: str | None = None, to_asset: str | None = None
    ) -> list[models.ConvertPair]:
        """Read between which amounts an asset can be sold by quote: the same for all accounts.

        It costs 3,000, and needs no key.
        """
        if from_asset is None and to_asset is None:
            raise ConfigurationError("convert_pairs: give from_asset or to_asset, or both")
        return await self.send(endpoints.CONVERT_PAIRS(from_asset=from_asset, to_asset=to_asset))

    async def convert_quote(
        self, from_asset: str, to_asset: str, *, amount: Decimal, wallet: str = "SPOT"
    ) -> models.ConvertQuote:
        """Ask at which price an amount can be sold now. Nothing is sold before it is accepted."""
        return await self.send(
            endpoints.CONVERT_QUOTE(
                from_asset=from_asset,
                to_asset=to_asset,
                from_amount=amount,
                wallet_type=wallet.upper(),
            )
        )

    async def convert_accept(self, quote_id: str) -> models.ConvertOrder:
        """Sell at the price of a quote: once, while it is valid.

        The answer is not the end of it. `convert_status(quote_id=...)` says how it ended.
        """
        return await self.send(endpoints.CONVERT_ACCEPT(quote_id=quote_id))

    async def convert_status(
        self, *, quote_id: str | None = None, order_id: int | None = None
    ) -> models.ConvertOrder:
        """Read how a sale by quote ended, by the quote or by the order."""
        if (quote_id is None) is (order_id is None):
            raise ConfigurationError("convert_status: give quote_id or order_id, not both")
        return await self.send(endpoints.CONVERT_STATUS(quote_id=quote_id, order_id=order_id))
