"""An account, and how its calls are sent: what all methods of `DustClient` are built on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar

from binance_dust._call.signing import AccountKey
from binance_dust._util.checks import instance, seconds
from binance_dust._util.exact import AnswerStruct
from binance_dust._util.lifetimes import Closing
from binance_dust.budget import Lane
from binance_dust.client._ranges import repeated
from binance_dust.errors import UnreadableAnswerError
from binance_dust.events import logger
from binance_dust.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Sequence
    from datetime import datetime, timedelta

    from binance_dust import models
    from binance_dust.credentials import Credentials
    from binance_dust.endpoints import Call

R = TypeVar("R")
Row = TypeVar("Row", bound=AnswerStruct)
Row_co = TypeVar("Row_co", bound=AnswerStruct, covariant=True)

PAGE: Final = 100
"""Rows of a page of history: the exchange's maximum."""
_MOST_NAMED: Final = 1_000
"""Rows that can't be read are named once each, and so many of a client at most."""


class HistoryPage(Protocol[Row_co]):
    """One page of a history."""

    @property
    def total(self) -> int | None:
        """How many rows the exchange says there are. It may exceed those that are really there."""

    @property
    def rows(self) -> Sequence[Row_co]:
        """The rows that can be read."""

    @property
    def unread(self) -> Sequence[models.UnreadRow]:
        """The rows that can't be read."""


class AccountClient(Closing):
    """One account of a session."""

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
        deadline: timedelta | float | None = None,
        **session_options: Any,
    ) -> None:
        """Prepare an account; nothing is opened or sent.

        `deadline` (seconds, or a timedelta) limits each of its calls, and replaces the session's
        deadline.
        """
        if session is not None and session_options:
            given = ", ".join(session_options)
            raise TypeError(
                f"{given}: these options are for a new session; give a session or its options"
            )
        if session is not None:
            instance(session, Session, "session")
        self._deadline = None if deadline is None else seconds(deadline, "deadline")
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

    # --- how calls are sent ----------------------------------------------------------------------

    def send(
        self,
        call: Call[R],
        *,
        between: tuple[datetime, datetime] | None = None,
        ready: Callable[[], Awaitable[object]] | None = None,
    ) -> Coroutine[Any, Any, R]:
        """Send a call of `endpoints` for this account.

        With `between`, its timestamp lies from the first to the second time of the exchange's
        clock, or it is not sent at all (`GuardError`). A `Converter` writes these times down first.
        `ready` is awaited before it is sent after a wait, or again: if it raises, it is not sent.
        """
        account = self._account if call.endpoint.security.needs_key else None
        return self._session.send(
            call, account, self._lane, between=between, deadline=self._deadline, ready=ready
        )

    async def _pages(
        self,
        page_of: Callable[[int], Call[HistoryPage[Row]]],
        unread: list[models.UnreadRow] | None,
    ) -> AsyncGenerator[Row, None]:
        """Read a history page by page.

        A record that comes between two pages moves all rows by its own. So the end is the same for
        all pages, and rows that a page repeats of the one before are left out.

        Rows that can't be read are added to `unread`. Without such a list they are an
        `UnreadableAnswerError`, when all others were read.
        """
        number, seen = 1, 0
        set_aside: list[models.UnreadRow] = []
        before: Sequence[Row] = []
        while True:
            call = page_of(number)
            page = await self.send(call)
            for row in page.rows[repeated(before, page.rows) :]:
                yield row
            before = page.rows
            set_aside += page.unread
            shown = len(page.rows) + len(page.unread)
            number, seen = number + 1, seen + shown
            # Not by `total` alone: it may exceed the rows that are really there.
            if not shown or (shown < PAGE if page.total is None else seen >= page.total):
                break
        self._name(set_aside)
        if unread is not None:
            unread += set_aside
        elif set_aside:
            raise UnreadableAnswerError(
                "; ".join(map(str, set_aside)),
                endpoint=call.endpoint.title,
                account=self.name,
                path=set_aside[0].place,
            )

    def _name(self, unread: Iterable[models.UnreadRow]) -> None:
        """Warn of rows that can't be read: of each once."""
        for row in unread:
            text = f"{self.name}: {row}"
            if text not in self._named and len(self._named) < _MOST_NAMED:
                self._named.add(text)
                logger.warning("%s", text)

    # --- life ------------------------------------------------------------------------------------

    def _for_scans(self) -> Self:
        """Return a client of the same account in the lane of scans, which single calls overtake."""
        twin = object.__new__(type(self))
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
        return f"<{type(self).__name__} {self.name if hasattr(self, '_account') else 'refused'}>"

    def __reduce_ex__(self, protocol: object) -> Any:
        kind = type(self).__name__
        raise TypeError(f"a {kind} holds a key and can't be pickled: pass the account's name")
