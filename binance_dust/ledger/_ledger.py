"""The ledger: what was to be converted, what was converted, and what it brought; on SQLite."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Self

from binance_dust._util.checks import positive
from binance_dust._util.lifetimes import Closing
from binance_dust.errors import ConfigurationError
from binance_dust.ledger._access import books_of
from binance_dust.ledger._cooldown import Cooldowns, Scope
from binance_dust.ledger._entries import Settlement
from binance_dust.ledger._entry import Kind, SettledBy
from binance_dust.ledger._query import Query, as_kind
from binance_dust.ledger._store import StoreThread
from binance_dust.ledger._totals import RunningTotals
from binance_dust.ledger.export import refuse_ledger_files, write_csv, write_json_lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime, timedelta

    from binance_dust.client import DustClient
    from binance_dust.endpoints import AccountType
    from binance_dust.ledger._access import Books, Claim
    from binance_dust.ledger._entry import Intent, LedgerEntry, LedgerLine, Status
    from binance_dust.ledger._records import Observed
    from binance_dust.ledger._store import Recorded
    from binance_dust.ledger._sync import SyncReport
    from binance_dust.ledger._synced import Missing, Source, SyncedRange
    from binance_dust.ledger._totals import By, Total
    from binance_dust.ledger.export import Exported, Sink, Style
    from binance_dust.session import Session

__all__ = ["Ledger"]

_PAGE: Final = 200


class Ledger(Closing):
    """The record of every call that moved funds, in one SQLite file.

        async with Ledger("dust.db") as ledger:
            async for entry in ledger.entries(status="confirmed"):
                print(entry.at, entry.account, entry.net, entry.target)

    Several processes may open the same file. `":memory:"` keeps nothing. The ledger reads and
    writes in a thread of its own, so the event loop never waits for a disk.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout: float = 30.0) -> None:
        """Name the file; it is not opened yet.

        `busy_timeout` is how many seconds to wait while another process writes.
        """
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path must be a str or a path, not {type(path).__name__}")
        self._path = os.fspath(path)
        if not self._path:
            raise ConfigurationError("path is empty: name a file")
        timeout = positive(busy_timeout, "busy_timeout")
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

    # --- real or local books ---------------------------------------------------------------------

    async def books(self) -> Books | None:
        """Return the kind of exchange in this file: a real one, or a sandbox on this machine.

        `None` before the first call or sync, also in a file that an older version has written.
        """
        return await self._thread.run(lambda store: store.books())

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
        account_type: AccountType | None = None,
        target: str | None = None,
        asset: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> AsyncIterator[LedgerEntry]:
        """Yield the matching entries in order of time, each once, also while others are written.

        `since` is included, `until` is not. `asset` matches entries that asked for it.
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
        ids = await self._thread.run(lambda store: store.ids(query))
        for begin in range(0, len(ids), _PAGE):
            page = ids[begin : begin + _PAGE]
            for entry in await self._thread.run(lambda store, page=page: store.entries(page)):  # type: ignore[misc]
                yield entry

    async def entry(self, entry_id: int) -> LedgerEntry:
        """Read one entry."""
        return await self._thread.run(lambda store: store.entry(entry_id))

    async def unclaimed(self, seen: Iterable[Observed], *, besides: int) -> list[Observed]:
        """Drop the exchange's records that an entry other than `besides` already has."""
        records = tuple(seen)
        return await self._thread.run(lambda store: store.unclaimed(records, besides))

    # --- writing: what converters and `sync` do --------------------------------------------------

    async def claim(self, claim: Claim, *, now: datetime, length: timedelta) -> None:
        """Claim an account: the right to work on it. `GuardError` while another holder has it."""
        await self._thread.run(
            lambda store: store.claim(claim, now, length), undo=lambda store: store.release(claim)
        )

    async def extend(self, claim: Claim, *, now: datetime, length: timedelta) -> None:
        """Extend a claim; `GuardError` if another holder has taken it."""
        await self._thread.run(lambda store: store.extend(claim, now, length))

    async def release(self, claim: Claim) -> None:
        """Release a claim."""
        await self._thread.run(lambda store: store.release(claim))

    def release_soon(self, claim: Claim) -> None:
        """Release a claim without waiting, for places that can't await any more."""
        self._thread.run_soon(lambda store: store.release(claim))

    async def intend(
        self,
        intent: Intent,
        *,
        claim: Claim | None = None,
        now: datetime | None = None,
        length: timedelta,
        books: Books | None = None,
    ) -> LedgerEntry:
        """Write down a call before it is sent. It is on the disk when this returns.

        `GuardError` if another call of the account is open, or if the claim was lost. The claim is
        extended to `length` after `now` by the clock of claims (default: the intent's own time).
        `books` is the kind of exchange that the call goes to; from then on the file takes no other.
        """
        begin = intent.intended_at if now is None else now
        return await self._thread.run(
            lambda store: store.intend(intent, claim, begin, length, books)
        )

    async def confirm(  # noqa: PLR0913 - what is known of the outcome, all by keyword
        self,
        entry_id: int,
        lines: Iterable[LedgerLine],
        *,
        transaction_id: int | None,
        now: datetime,
        by: SettledBy = SettledBy.ANSWER,
        target: str | None = None,
        reason: str | None = None,
    ) -> LedgerEntry:
        """Write down that the exchange carried out a call, and what the call did."""
        settlement = Settlement(
            status="confirmed",
            now=now,
            by=by,
            transaction_id=transaction_id,
            lines=tuple(lines),
            target=target,
            reason=reason,
        )
        return await self._thread.run(lambda store: store.settle(entry_id, settlement))

    async def reject(
        self,
        entry_id: int,
        reason: str,
        *,
        now: datetime,
        by: SettledBy = SettledBy.ANSWER,
        code: int | str | None = None,
    ) -> LedgerEntry:
        """Write down that a call was not carried out: it was refused, or reading proved it."""
        settlement = Settlement(status="rejected", now=now, by=by, reason=reason, code=code)
        return await self._thread.run(lambda store: store.settle(entry_id, settlement))

    async def leave_unknown(  # noqa: PLR0913 - what is known of the call, all by keyword
        self,
        entry_id: int,
        reason: str,
        *,
        now: datetime,
        sent_after: datetime | None = None,
        expires_at: datetime | None = None,
        code: int | str | None = None,
    ) -> LedgerEntry:
        """Write down that the outcome is unknown, and when the exchange can have accepted the call.

        `code` is the code of the unclear answer. Without one, the code on record stays.
        """
        settlement = Settlement(
            status="unknown",
            now=now,
            by=None,
            reason=reason,
            code=code,
            sent_after=sent_after,
            expires_at=expires_at,
        )
        return await self._thread.run(lambda store: store.settle(entry_id, settlement))

    async def record(
        self, seen: Iterable[Observed], *, now: datetime, books: Books | None = None
    ) -> Recorded:
        """Import the exchange's records, each once, in one transaction.

        A record of our call becomes the outcome of its entry, any other a new entry. A record is
        identified by account, account type, target and its own (outer) id. `books` is the kind of
        exchange that they come from; from then on the file takes no other.
        """
        records = tuple(seen)
        return await self._thread.run(lambda store: store.record(records, now, books))

    async def resolve(
        self, entry_id: int, status: Status, reason: str, *, now: datetime
    ) -> LedgerEntry:
        """Settle an entry by hand, after a person has looked at the exchange.

        Only as `"rejected"`: what was carried out is in the exchange's log, and `sync` settles it.
        """
        if status != "rejected":
            raise ConfigurationError(
                f"an entry can only be resolved as 'rejected', not {status!r}: what was carried "
                "out is in the exchange's log, and sync() imports it"
            )
        return await self.reject(entry_id, reason, now=now, by=SettledBy.HAND)

    # --- the exchange's own records ---------------------------------------------------------------

    async def sync(
        self,
        client: DustClient,
        *,
        account_types: Iterable[AccountType] = ("SPOT", "MARGIN"),
        since: datetime | None = None,
    ) -> SyncReport:
        """Import all of the exchange's records of an account, each once.

        The first sync goes back as far as the records go, or to `since`; later ones ask for what is
        new. `account_types` chooses the dust logs; `"MARGIN"` also reads exchanged debts. Records
        that the exchange counts but never shows are listed by the report, and by `missing()`.
        """
        # Imported here, because `sync` is built on the ledger.
        from binance_dust.ledger._sync import sync

        return await sync(self, client, account_types=account_types, since=since)

    async def synced(self, account: str, source: Source) -> SyncedRange | None:
        """Return the time range in which the exchange's records of a source have been read."""
        return await self._thread.run(lambda store: store.synced(account, source))

    async def mark_synced(self, account: str, source: Source, synced: SyncedRange) -> None:
        """Note a time range in which the exchange's records of a source have been read."""
        await self._thread.run(lambda store: store.mark_synced(account, source, synced))

    async def missing(self, account: str | None = None) -> list[Missing]:
        """List the time ranges of which the exchange never showed `sync` all records."""
        return await self._thread.run(lambda store: store.missing(account))

    async def mark_missing(self, missing: Missing) -> None:
        """Note a time range of which the exchange does not show all records."""
        await self._thread.run(lambda store: store.mark_missing(missing))

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

        `style` is `"plain"` or a tax tool's: `"koinly"`, `"cointracking"`, `"blockpit"`. An
        existing file is replaced when the new one is complete. `since` is included, `until` not.
        """
        refuse_ledger_files(where, self._path)
        entries = self.entries(account=account, since=since, until=until)
        return await write_csv(entries, where, style)

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
        entries = self.entries(account=account, since=since, until=until)
        return await write_json_lines(entries, where)

    async def totals(
        self,
        by: By = "month",
        *,
        account: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        liabilities: bool = False,
    ) -> list[Total]:
        """Add up confirmed entries by `"month"`, `"asset"`, `"account"` or `"target"`.

        Every total is of one target: of converted dust, or with `liabilities` of exchanged debts.
        """
        totals = RunningTotals(by, liabilities=liabilities)
        confirmed = self.entries(account=account, status="confirmed", since=since, until=until)
        async for entry in confirmed:
            totals.add(entry)
        return totals.totals()

    async def next_eligible_at(  # noqa: PLR0913 - one account's question, mostly by keyword
        self,
        account: str,
        kind: Kind,
        *,
        account_type: AccountType = "SPOT",
        configured: timedelta,
        now: datetime,
        assets: Iterable[str] = (),
    ) -> datetime:
        """Return when to try to convert again: `now`, or the end of the cooldown.

        `configured` is assumed until conversions and refusals, first of this account and then of
        others, show the exchange's rule. `assets` are to be converted; with `dust_convert` each
        asset has its own cooldown.
        """
        scope = Scope(account, as_kind(kind), account_type)
        cooldowns = Cooldowns(await self.cooldown_evidence(scope))
        return cooldowns.next_eligible_at(scope, now=now, configured=configured, assets=assets)

    async def cooldowns(self, *, since: datetime | None = None) -> Cooldowns:
        """Learn from the entries of all accounts, in one read, when each may convert again."""
        cooldowns = Cooldowns()
        async for entry in self.entries(status=("confirmed", "rejected"), since=since):
            cooldowns.note(entry)
        return cooldowns

    async def cooldown_evidence(self, scope: Scope) -> list[LedgerEntry]:
        """Read what shows a cooldown: new entries of this and of all accounts, oldest first."""
        return await self._thread.run(lambda store: store.cooldown_evidence(scope))

    def __repr__(self) -> str:
        return f"<Ledger {self._path} {'open' if self._thread.is_open else 'closed'}>"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("a Ledger is bound to its process: open the file again there")
