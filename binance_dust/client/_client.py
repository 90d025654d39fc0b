"""The client: what is dust, small debts and settings, beside `ElsewhereClient`."""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from binance_dust import endpoints
from binance_dust.client._account import PAGE
from binance_dust.client._elsewhere import ElsewhereClient
from binance_dust.client._ranges import AHEAD, check_order, is_time
from binance_dust.endpoints import EARLIEST
from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from decimal import Decimal

    from binance_dust import models
    from binance_dust.endpoints import Call, WalletName

_LONGEST_RANGE: Final = timedelta(days=90)
"""The longest range of one call; the exchange refuses longer ones (-4047)."""
_USUAL_HISTORY: Final = timedelta(days=30)
"""What the exchange takes for a history without bounds."""


class DustClient(ElsewhereClient):
    """One account on the exchange.

    With a session, a client is cheap, and closing it leaves the session open. Without one, it makes
    its own (from `session_options`) and closes it: `async with DustClient(credentials) as client`.
    """

    __slots__ = ()

    # --- what the account has --------------------------------------------------------------------

    async def user_assets(
        self, *, asset: str | None = None, btc_valuation: bool = False
    ) -> list[models.UserAsset]:
        """Read the spot wallet's positive balances, or one asset's."""
        return await self.send(
            endpoints.USER_ASSETS(asset=asset, need_btc_valuation=btc_valuation or None)
        )

    async def spot_account(self, *, omit_zero: bool = True) -> models.SpotAccount:
        """Read the spot account: its number (`uid`) and its balances.

        It costs 20 of the 6,000 that all of `/api/v3` shares.
        """
        return await self.send(endpoints.SPOT_ACCOUNT(omit_zero_balances=omit_zero or None))

    async def convertible_assets(
        self,
        target: str,
        *,
        price: Decimal | None = None,
        account_type: WalletName | None = None,
    ) -> models.ConvertibleAssets:
        """Read what can be converted into a target now, with the exchange's estimates.

        `price` is sent as `dustQuotaAssetToTargetAssetPrice`. It is undocumented: leave it out.
        """
        return await self.send(
            endpoints.CONVERTIBLE_ASSETS(
                target_asset=target, price=price, account_type=account_type
            )
        )

    async def dust_assets(self, *, account_type: WalletName | None = None) -> models.DustAssets:
        """Read what can be converted into BNB now, with the exchange's estimates."""
        return await self.send(endpoints.DUST_ASSETS(account_type=account_type))

    async def dust_log(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        account_type: WalletName | None = None,
    ) -> models.DustLog:
        """Read the newest conversions, at most a hundred; what can't be read is in `unread`.

        The exchange takes both bounds or none. So a missing `end` becomes a minute from now, and a
        missing `start` 90 days before the end. The exchange refuses longer ranges.
        """
        check_order(start, end)
        if is_time(start) and end is None:
            # If this machine's clock is slow, its time would leave out the newest conversions.
            await self._session.learn_time()
            end = self._session.now() + AHEAD
            check_order(start, end, "now, and the log has no later conversions")
        if is_time(end) and start is None:
            start = max(end, EARLIEST + _LONGEST_RANGE) - _LONGEST_RANGE
        log = await self.send(
            endpoints.DUST_LOG(start_time=start, end_time=end, account_type=account_type)
        )
        self._name(log.unread)
        return log

    # --- what moves funds ------------------------------------------------------------------------

    async def dust_convert(
        self,
        assets: Iterable[str],
        *,
        target: str | None = None,
        account_type: WalletName | None = None,
        client_id: str | None = None,
    ) -> models.DustConversion:
        """Convert dust into a target, immediately and without confirmation.

        Pass one asset: how to encode several is not proven. `client_id` is a correlation id; the
        exchange does not promise that it prevents a second conversion.
        """
        return await self.send(
            endpoints.DUST_CONVERT(
                assets=assets,
                target_asset=target,
                account_type=account_type,
                client_id=client_id,
            )
        )

    async def dust_transfer(
        self, assets: Iterable[str], *, account_type: WalletName | None = None
    ) -> models.DustConversion:
        """Convert dust into BNB in one batch, immediately and without confirmation.

        One asset that can't be converted fails the whole batch (`NotConvertibleError`).
        """
        return await self.send(endpoints.DUST_TRANSFER(assets=assets, account_type=account_type))

    async def exchange_small_liabilities(self, assets: Iterable[str]) -> None:
        """Exchange small margin debts into one debt: at most ten assets, once in six hours.

        The answer is empty: read `small_liability_history` to see what was done.
        """
        await self.send(endpoints.EXCHANGE_SMALL_LIABILITIES(assets=assets))

    # --- small margin debts ----------------------------------------------------------------------

    async def small_liabilities(self) -> list[models.SmallLiability]:
        """Read the small margin debts that can be exchanged. Heavy: 120 a minute per address."""
        return await self.send(endpoints.SMALL_LIABILITIES())

    async def small_liability_history(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        unread: list[models.UnreadRow] | None = None,
    ) -> AsyncIterator[models.SmallLiabilityExchange]:
        """Read the exchanged debts, page by page; by default those of the last 30 days.

        Rows that can't be read are added to `unread`. Without such a list they are an
        `UnreadableAnswerError`, when all others were read.
        """
        check_order(start, end)
        if end is None:
            end = self._session.now() + AHEAD
            start = end - _USUAL_HISTORY if start is None else start

        def page(number: int) -> Call[models.SmallLiabilityHistory]:
            return endpoints.SMALL_LIABILITY_HISTORY(
                current=number, size=PAGE, start_time=start, end_time=end
            )

        async with aclosing(self._pages(page, unread)) as rows:
            async for row in rows:
                yield row

    async def margin_account(self) -> models.MarginAccount:
        """Read the cross-margin account."""
        return await self.send(endpoints.MARGIN_ACCOUNT())

    # --- settings, permissions, status -----------------------------------------------------------

    async def bnb_burn(self) -> models.BnbBurn:
        """Read whether fees and margin interest are paid in BNB."""
        return await self.send(endpoints.BNB_BURN())

    async def set_bnb_burn(
        self, *, spot: bool | None = None, interest: bool | None = None
    ) -> models.BnbBurn:
        """Set whether fees (`spot`) and margin interest are paid in BNB, which avoids dust."""
        if spot is None and interest is None:
            raise ConfigurationError("set_bnb_burn: give spot, interest or both")
        return await self.send(endpoints.SET_BNB_BURN(spot=spot, interest=interest))

    async def key_permissions(self) -> models.KeyPermissions:
        """Read what this API key may do."""
        return await self.send(endpoints.KEY_PERMISSIONS())

    async def account_status(self) -> models.AccountStatus:
        """Read the account's status."""
        return await self.send(endpoints.ACCOUNT_STATUS())

    async def account_info(self) -> models.AccountInfo:
        """Read which kinds of trading the account has opened."""
        return await self.send(endpoints.ACCOUNT_INFO())

    async def system_status(self) -> models.SystemStatus:
        """Read whether the exchange is open or in maintenance; needs no key."""
        return await self.send(endpoints.SYSTEM_STATUS())

    async def server_time(self) -> models.ServerTime:
        """Read the exchange's clock; needs no key."""
        return await self.send(endpoints.SERVER_TIME())
