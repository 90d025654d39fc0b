"""One account: a typed method for each endpoint.

`endpoints` declares the endpoints, and `_call` sends the calls. Methods that read may be called as
often as the budgets allow. Calls that move funds (`dust_convert`, `dust_transfer`,
`exchange_small_liabilities`) are sent at most once. If their outcome is unknown, they raise
`OutcomeUnknownError`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeGuard, TypeVar

from binance_dust import endpoints
from binance_dust._call.signing import AccountKey
from binance_dust._util.checks import instance, positive
from binance_dust._util.lifetimes import Closing
from binance_dust.budget import Lane
from binance_dust.endpoints import EARLIEST
from binance_dust.errors import ConfigurationError, UnreadableAnswerError
from binance_dust.events import logger
from binance_dust.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from decimal import Decimal

    from binance_dust import models
    from binance_dust.credentials import Credentials
    from binance_dust.endpoints import AccountType, Call

__all__ = ["DustClient"]

R = TypeVar("R")

_LONGEST_RANGE: Final = timedelta(days=90)
"""The longest range of one call; the exchange refuses longer ones (-4047)."""
_AHEAD: Final = timedelta(minutes=1)
"""How far past now to ask, because clocks differ."""
_PAGE: Final = 100
_MOST_NAMED: Final = 1_000
"""Rows that can't be read are named once each, and so many of a client at most."""
"""Rows of a page of history: the exchange's maximum."""
_USUAL_HISTORY: Final = timedelta(days=30)
"""What the exchange takes for a history without bounds."""


class DustClient(Closing):
    """One account on the exchange.

    With a session, a client is cheap, and closing it leaves the session open. Without one, it makes
    its own (from `session_options`) and closes it: `async with DustClient(credentials) as client`.
    """

    __slots__ = (
        "_account",
        "_credentials",
        "_deadline",
        "_lane",
        "_named",
        "_own_session",
        "_session",
    )

    def __init__(
        self,
        credentials: Credentials,
        session: Session | None = None,
        *,
        deadline: float | None = None,
        **session_options: Any,
    ) -> None:
        """Prepare an account; nothing is opened or sent.

        `deadline` limits each of its calls in seconds, and replaces the session's deadline.
        """
        if session is not None and session_options:
            given = ", ".join(session_options)
            raise TypeError(
                f"{given}: these options are for a new session; give a session or its options"
            )
        if session is not None:
            instance(session, Session, "session")
        self._deadline = None if deadline is None else positive(deadline, "deadline")
        self._account = AccountKey(credentials)
        self._credentials = credentials
        self._own_session = session is None
        self._session = Session(**session_options) if session is None else session
        self._lane = Lane.CALL
        self._named: set[str] = set()

    @property
    def name(self) -> str:
        """The account's name in reports and errors."""
        return self._account.label

    @property
    def credentials(self) -> Credentials:
        """The account's key."""
        return self._credentials

    @property
    def session(self) -> Session:
        """The session that this account's calls go through."""
        return self._session

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
        account_type: AccountType | None = None,
    ) -> models.ConvertibleAssets:
        """Read what can be converted into a target now, with the exchange's estimates.

        `price` is sent as `dustQuotaAssetToTargetAssetPrice`. It is undocumented: leave it out.
        """
        return await self.send(
            endpoints.CONVERTIBLE_ASSETS(
                target_asset=target, price=price, account_type=account_type
            )
        )

    async def dust_assets(self, *, account_type: AccountType | None = None) -> models.DustAssets:
        """Read what can be converted into BNB now, with the exchange's estimates."""
        return await self.send(endpoints.DUST_ASSETS(account_type=account_type))

    async def dust_log(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        account_type: AccountType | None = None,
    ) -> models.DustLog:
        """Read the newest conversions, at most a hundred; what can't be read is in `unread`.

        The exchange takes both bounds or none. So a missing `end` becomes a minute from now, and a
        missing `start` 90 days before the end. The exchange refuses longer ranges.
        """
        _check_order(start, end)
        if _is_time(start) and end is None:
            # If this machine's clock is slow, its time would leave out the newest conversions.
            await self._session.learn_time()
            end = self._session.now() + _AHEAD
            _check_order(start, end, "now, and the log has no later conversions")
        if _is_time(end) and start is None:
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
        account_type: AccountType | None = None,
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
        self, assets: Iterable[str], *, account_type: AccountType | None = None
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

        An exchange of debts that comes between two pages moves all rows by its own. So the end is
        the same for all pages, and rows that a page repeats of the one before are left out.

        Rows that can't be read are added to `unread`. Without such a list they are an
        `UnreadableAnswerError`, when all others were read.
        """
        _check_order(start, end)
        if end is None:
            end = self._session.now() + _AHEAD
            start = end - _USUAL_HISTORY if start is None else start
        page, seen = 1, 0
        set_aside: list[models.UnreadRow] = []
        before: list[models.SmallLiabilityExchange] = []
        while True:
            history = await self.send(
                endpoints.SMALL_LIABILITY_HISTORY(
                    current=page, size=_PAGE, start_time=start, end_time=end
                )
            )
            repeated = _repeated(before, history.rows)
            for row in history.rows[repeated:]:
                yield row
            before = history.rows
            set_aside += history.unread
            shown = len(history.rows) + len(history.unread)
            page, seen = page + 1, seen + shown
            # Not by `total` alone: it may exceed the rows that are really there.
            if not shown or (shown < _PAGE if history.total is None else seen >= history.total):
                break
        self._name(set_aside)
        if unread is not None:
            unread += set_aside
        elif set_aside:
            raise UnreadableAnswerError(
                "; ".join(map(str, set_aside)),
                endpoint=endpoints.SMALL_LIABILITY_HISTORY.title,
                account=self.name,
                path=set_aside[0].place,
            )

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

    # --- how calls are sent ----------------------------------------------------------------------

    async def send(
        self,
        call: Call[R],
        *,
        between: tuple[datetime, datetime] | None = None,
        ready: Callable[[], Awaitable[object]] | None = None,
    ) -> R:
        """Send a call of `endpoints` for this account.

        With `between`, its timestamp lies from the first to the second time of the exchange's
        clock, or it is not sent at all (`GuardError`). A `Converter` writes these times down first.
        `ready` is awaited before it is sent after a wait, or again: if it raises, it is not sent.
        """
        account = self._account if call.endpoint.security.signed else None
        return await self._session.send(
            call, account, self._lane, between=between, deadline=self._deadline, ready=ready
        )

    def _name(self, unread: Iterable[models.UnreadRow]) -> None:
        """Warn of rows that can't be read: of each once."""
        for row in unread:
            text = f"{self.name}: {row}"
            if text not in self._named and len(self._named) < _MOST_NAMED:
                self._named.add(text)
                logger.warning("%s", text)

    # --- life ------------------------------------------------------------------------------------

    def _for_scans(self) -> DustClient:
        """Return a client of the same account in the lane of scans, which single calls overtake."""
        twin = object.__new__(DustClient)
        twin._account, twin._credentials = self._account, self._credentials
        twin._session, twin._own_session, twin._lane = self._session, False, Lane.SCAN
        twin._deadline = self._deadline
        twin._named = self._named
        return twin

    async def close(self) -> None:
        """Close the session, if this client made it."""
        if self._own_session:
            await self._session.close()

    def __repr__(self) -> str:
        # A traceback may show a client whose `__init__` has failed.
        return f"<DustClient {self.name if hasattr(self, '_account') else 'refused'}>"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("a DustClient holds a key and can't be pickled: pass the account's name")


def _is_time(value: object) -> TypeGuard[datetime]:
    """Whether it is an aware time; anything else is rejected when the request is encoded."""
    return isinstance(value, datetime) and value.utcoffset() is not None


def _check_order(start: object, end: object, what_end_is: str = "") -> None:
    """Refuse a range that ends before it begins."""
    if _is_time(start) and _is_time(end) and start > end:
        raise ConfigurationError(f"start ({start}) is after {what_end_is or f'end ({end})'}")


def _repeated(
    before: list[models.SmallLiabilityExchange], rows: list[models.SmallLiabilityExchange]
) -> int:
    """Count the rows at the beginning of a page that the end of the page before has shown."""
    known, shown = [list(map(_cells, each)) for each in (before, rows)]
    sizes = range(min(len(known), len(shown)), 0, -1)
    return next((size for size in sizes if known[-size:] == shown[:size]), 0)


def _cells(row: models.SmallLiabilityExchange) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in row.__struct_fields__)
