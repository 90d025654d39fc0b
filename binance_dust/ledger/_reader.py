"""What can be read of a ledger: entries, sums, files, cooldowns; and the life of its file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from binance_dust._util.checks import seconds
from binance_dust._util.lifetimes import Closing
from binance_dust.endpoints import to_account_type
from binance_dust.errors import ConfigurationError
from binance_dust.ledger import _access, _entries, _owners, _sums
from binance_dust.ledger._access import books_of
from binance_dust.ledger._cooldown import Cooldowns, Scope
from binance_dust.ledger._query import Query, as_kind
from binance_dust.ledger._rows import read_json, read_rows
from binance_dust.ledger._thread import StoreThread
from binance_dust.ledger._totals import RunningTotals
from binance_dust.ledger.export import (
    JournalAccounts,
    refuse_ledger_files,
    write_csv,
    write_journal,
    write_json_lines,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from datetime import datetime, timedelta
    from sqlite3 import Connection

    from binance_dust.endpoints import WalletName
    from binance_dust.ledger._access import Books
    from binance_dust.ledger._entry import Kind, LedgerEntry, Status
    from binance_dust.ledger._owners import KnownAccount
    from binance_dust.ledger._synced import Missing, Source, SyncedRange
    from binance_dust.ledger._totals import By, Total
    from binance_dust.ledger.export import Exported, JournalStyle, Sink, Style
    from binance_dust.session import Session

__all__ = ["LedgerReader"]

_PAGE: Final = 200
"""Entries that are read at once: a millisecond or two, during which nothing else is."""
_ROWS: Final = 1_000
"""Entries that are read at once as flat rows."""

JOURNAL_ACCOUNTS: Final = JournalAccounts()

T = TypeVar("T")


class LedgerReader(Closing):
    """A ledger's file, open to be read. `Ledger` adds what writes."""

    def __init__(
        self, path: str | os.PathLike[str], *, busy_timeout: timedelta | float = 30.0
    ) -> None:
        """Name the file; it is not opened yet.

        `busy_timeout` is how many seconds to wait while another process writes.
        """
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path must be a str or a path, not {type(path).__name__}")
        self._path = os.fspath(path)
        if not self._path:
            raise ConfigurationError("path is empty: name a file")
        if self._path.lower().startswith("file:"):
            # Some builds of SQLite read this as a URI, and keep the books in memory or elsewhere.
            raise ConfigurationError(f"path {self._path!r} is a URI: name a file, as in './file:a'")
        timeout = seconds(busy_timeout, "busy_timeout")
        self._thread = StoreThread(self._path, busy_timeout=timeout)

    @property
    def path(self) -> str:
        """The file."""
        return self._path

    # --- life ------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the file. Create it if it does not exist, and migrate an older one."""
        await self._thread.open()

    async def close(self) -> None:
        """Finish pending writes and close the file. It is safe to close twice."""
        await self._thread.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def check(self) -> None:
        """Read the whole file; `LedgerError` if it is damaged. A million entries take seconds.

        A small file is read as a whole whenever it is opened. Damage in a large one raises
        `LedgerError` when something comes to it.
        """
        await self._thread.run(lambda store: store.check())

    # --- real or local books ---------------------------------------------------------------------

    async def books(self) -> Books | None:
        """Return the kind of exchange in this file: a real one, or a sandbox on this machine.

        `None` before the first call or sync, also in a file that an older version has written.
        """
        return await self._thread.read(_access.read_books)

    async def refuse_other(self, session: Session) -> None:
        """Raise `ConfigurationError` if this file is for the other kind of exchange.

        Rehearsals and real accounts never share a file. Converters, `sync` and workers check this
        before they send anything.
        """
        books = books_of(session)
        await self._thread.run(lambda store: store.refuse_other(books))

    # --- reading ---------------------------------------------------------------------------------

    async def entries(  # noqa: PLR0913 - what to look for, all by keyword
        self,
        *,
        account: str | None = None,
        status: Status | Iterable[Status] | None = None,
        kind: Kind | str | None = None,
        account_type: WalletName | None = None,
        target: str | None = None,
        asset: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> AsyncIterator[LedgerEntry]:
        """Yield the matching entries in order of time, each once, also while others are written.

        `account` is any name of the account, and finds its entries under all of its names. `since`
        is included, `until` is not. `asset` matches entries that asked for it.
        """
        query = Query(
            account=account,
            status=status,
            kind=kind,
            account_type=account_type,
            target=target,
            asset=asset,
            since=since,
            until=until,
            newest_first=newest_first,
            limit=limit,
        )
        async for page in self._pages(query, _read_entries, _PAGE):
            for entry in page:
                yield entry

    async def _pages(
        self, query: Query, read: Callable[[Connection, Sequence[int]], list[T]], size: int
    ) -> AsyncIterator[list[T]]:
        # The ids first, eight bytes each: an entry's place in the order may change meanwhile.
        ids = await self._thread.read(query.ids)
        for begin in range(0, len(ids), size):
            yield await self._thread.read(read, ids[begin : begin + size])

    async def entry(self, entry_id: int) -> LedgerEntry:
        """Read one entry."""
        return await self._thread.read(_entries.read_one, entry_id)

    async def accounts(self) -> list[KnownAccount]:
        """List the accounts: the number of each, and the names that it came with."""
        return await self._thread.read(_owners.known_accounts)

    async def synced(self, account: str, source: Source) -> SyncedRange | None:
        """Return the time range in which the exchange's records of a source have been read."""
        return await self._thread.run(lambda store: store.synced(account, source))

    async def missing(self, account: str | None = None) -> list[Missing]:
        """List the time ranges of which the exchange never showed `sync` all records."""
        return await self._thread.run(lambda store: store.missing(account))

    # --- exports, totals, cooldowns ---------------------------------------------------------------

    async def export_csv(
        self,
        where: str | os.PathLike[str] | Sink,
        *,
        style: Style = "plain",
        account: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Exported:
        """Export the entries as CSV, a row for each asset, to a path or an open text file.

        `style` is `"plain"` or a tool's: `"koinly"`, `"cointracking"`, `"blockpit"`, `"bittytax"`,
        `"rotki"`. An existing file is replaced when the new one is complete. `since` is included,
        `until` not.
        """
        refuse_ledger_files(where, self._path)
        query = Query(account=account, since=since, until=until)
        return await write_csv(self._pages(query, read_rows, _ROWS), where, style)

    async def export_journal(  # noqa: PLR0913 - what to write, mostly by keyword
        self,
        where: str | os.PathLike[str] | Sink,
        *,
        style: JournalStyle,
        accounts: JournalAccounts = JOURNAL_ACCOUNTS,
        account: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Exported:
        """Export the entries as a journal of `"hledger"` or `"beancount"`.

        Each row is a transaction that balances to the last digit. `accounts` names the journal's
        accounts. Names that the program's grammar can't take are others in the file, and are listed
        at its end and in the result's `renamed`.
        """
        refuse_ledger_files(where, self._path)
        query = Query(account=account, since=since, until=until)
        pages = self._pages(query, read_rows, _ROWS)
        return await write_journal(pages, where, style, accounts)

    async def export_json_lines(
        self,
        where: str | os.PathLike[str] | Sink,
        *,
        account: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Exported:
        """Export every entry, also rejected ones, as a line of JSON with all its fields."""
        refuse_ledger_files(where, self._path)
        query = Query(account=account, since=since, until=until)
        return await write_json_lines(self._pages(query, read_json, _ROWS), where)

    async def totals(
        self,
        by: By = "month",
        *,
        account: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        liabilities: bool = False,
    ) -> list[Total]:
        """Add up confirmed entries by `"month"`, `"asset"`, `"account"`, `"target"` or `"kind"`.

        Every total is of one target: of converted dust and sales, or with `liabilities` of
        exchanged debts. Transfers and repayments are in neither.
        All names of one account add up under the first of them.
        """
        totals = RunningTotals(by, liabilities=liabilities)
        query = Query(account=account, status="confirmed", since=since, until=until)
        for part in await self._thread.read(_sums.parts, query):
            await self._thread.read(_sums.include, totals, query, part)
        return totals.totals()

    async def next_eligible_at(  # noqa: PLR0913 - one account's question, mostly by keyword
        self,
        account: str,
        kind: Kind,
        *,
        account_type: WalletName = "SPOT",
        configured: timedelta | float,
        now: datetime,
        assets: Iterable[str] = (),
    ) -> datetime:
        """Return when to try to convert again: `now`, or the end of the cooldown.

        `configured` is assumed until conversions and refusals, first of this account and then of
        others, show the exchange's rule. `assets` are to be converted; with `dust_convert` each
        asset has its own cooldown.
        """
        owner = await self._thread.read(_owners.owner_of, account)
        scope = Scope(owner, as_kind(kind), to_account_type(account_type))
        cooldowns = Cooldowns(await self.cooldown_evidence(scope))
        return cooldowns.next_eligible_at(scope, now=now, configured=configured, assets=assets)

    async def cooldowns(self, *, since: datetime | None = None) -> Cooldowns:
        """Learn from the newest entries of each account when it may convert again."""
        cooldowns = Cooldowns()
        for scope in await self._thread.run(lambda store: store.scopes()):
            newest = await self._thread.run(lambda store, scope=scope: store.newest(scope, since))  # type: ignore[misc]
            for entry in newest:
                cooldowns.note(entry)
        return cooldowns

    async def cooldown_evidence(self, scope: Scope) -> list[LedgerEntry]:
        """Read what shows a cooldown: new entries of this and of all accounts, oldest first."""
        return await self._thread.run(lambda store: store.cooldown_evidence(scope))

    def __repr__(self) -> str:
        return f"<Ledger {self._path} {'open' if self._thread.is_open else 'closed'}>"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("a Ledger is bound to its process: open the file again there")


def _read_entries(db: Connection, ids: Sequence[int]) -> list[LedgerEntry]:
    return list(_entries.read(db, ids))
