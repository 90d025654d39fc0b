"""The ledger: what was to be moved, what was moved, and what it brought; on SQLite."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Self

from binance_dust._util.checks import positive
from binance_dust._util.closing import Closing
from binance_dust.errors import ConfigurationError
from binance_dust.ledger._books import books_of
from binance_dust.ledger._cooldown import Cooldowns, Scope, evidence
from binance_dust.ledger._entries import Outcome
from binance_dust.ledger._entry import Kind, SettledBy
from binance_dust.ledger._query import Query, as_kind
from binance_dust.ledger._sync import sync
from binance_dust.ledger._thread import StoreThread
from binance_dust.ledger._totals import Tally
from binance_dust.ledger.export import write_csv, write_json_lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime, timedelta

    from binance_dust.client import DustClient
    from binance_dust.endpoints import AccountType
    from binance_dust.ledger._books import Books
    from binance_dust.ledger._claims import Claim
    from binance_dust.ledger._entry import Intent, LedgerEntry, LedgerLine, Observed, Status
    from binance_dust.ledger._marks import Mark, Missing, Source
    from binance_dust.ledger._store import Recorded
    from binance_dust.ledger._sync import SyncReport
    from binance_dust.ledger._totals import By, Total
    from binance_dust.ledger.export import Exported, Sink, Style
    from binance_dust.session import Session

__all__ = ["Ledger", "account_of"]

_PAGE: Final = 200


def account_of(client: DustClient) -> str:
    """Say what the ledger calls a client's account: its name, or what tells its key from others."""
    return client.credentials.identity


class Ledger(Closing):
    """The record of everything that moved funds, kept in one SQLite file.

        async with Ledger("dust.db") as ledger:
            async for entry in ledger.entries(status="confirmed"):
                print(entry.at, entry.account, entry.net, entry.target)

    Several processes may have the same file open. `":memory:"` keeps nothing. The work is done in a
    thread of the ledger's own, so the event loop never waits for a disk.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout: float = 30.0) -> None:
        """Name the file; nothing is opened yet.

        `busy_timeout` is for how many seconds to wait while another process writes.
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
        """Open the file, make it where there is none, and bring an older one up to date."""
        await self._thread.open()

    async def close(self) -> None:
        """Finish what is being written, and close the file. Closing twice is no harm."""
        await self._thread.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    # --- whose books they are --------------------------------------------------------------------

    async def books(self) -> Books | None:
        """Say whose books the file keeps: a real exchange's, or of rehearsals on this machine.

        `None` before the first call or sync. A file that was made before it remembered this begins
        with the next one.
        """
        return await self._thread.do(lambda store: store.books())

    async def refuse_other(self, session: Session) -> None:
        """See that what a session does may be kept here, or raise `ConfigurationError`.

        Rehearsals and real accounts never share a file. Converters, `sync` and workers see to it
        before they send anything.
        """
        books = books_of(session)
        await self._thread.do(lambda store: store.refuse_other(books))

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
        """Go through the entries that fit, by time: each once, also while others are written.

        `since` is included, `until` is not. `asset` is one that was asked for.
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
        ids = await self._thread.do(lambda store: store.ids(query))
        for begin in range(0, len(ids), _PAGE):
            page = ids[begin : begin + _PAGE]
            for entry in await self._thread.do(lambda store, page=page: store.entries(page)):  # type: ignore[misc]
                yield entry

    async def entry(self, entry_id: int) -> LedgerEntry:
        """Read one entry."""
        return await self._thread.do(lambda store: store.entry(entry_id))

    async def unclaimed(self, seen: Iterable[Observed], *, besides: int) -> list[Observed]:
        """Leave out the records of the exchange's that other entries than one have already."""
        records = tuple(seen)
        return await self._thread.do(lambda store: store.unclaimed(records, besides))

    # --- writing: what converters and `sync` do --------------------------------------------------

    async def claim(self, claim: Claim, *, now: datetime, length: timedelta) -> None:
        """Take the right to work on an account; `GuardError` while somebody else has it."""
        await self._thread.do(lambda store: store.claim(claim, now, length))

    async def extend(self, claim: Claim, *, now: datetime, length: timedelta) -> None:
        """Hold a right for longer; `GuardError` if it was lost."""
        await self._thread.do(lambda store: store.extend(claim, now, length))

    async def release(self, claim: Claim) -> None:
        """Give a right back."""
        await self._thread.do(lambda store: store.release(claim))

    def release_soon(self, claim: Claim) -> None:
        """Give a right back without waiting for it, where nothing can be awaited any more."""
        self._thread.do_soon(lambda store: store.release(claim))

    async def intend(
        self,
        intent: Intent,
        *,
        claim: Claim | None = None,
        now: datetime | None = None,
        length: timedelta,
        books: Books | None = None,
    ) -> LedgerEntry:
        """Write down a call before it is sent; it is on the disk when this returns.

        `GuardError` if another call of the account is open, or the claim was lost, which is held
        for `length` from `now` on by the clock of claims (or else from the intent's own time).
        `books` are those that it belongs in: the file keeps no others from then on.
        """
        begin = intent.intended_at if now is None else now
        return await self._thread.do(
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
        """Write down that a call was carried out, and what it did."""
        outcome = Outcome(
            status="confirmed",
            now=now,
            by=by,
            transaction_id=transaction_id,
            lines=tuple(lines),
            target=target,
            reason=reason,
        )
        return await self._thread.do(lambda store: store.settle(entry_id, outcome))

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
        outcome = Outcome(status="rejected", now=now, by=by, reason=reason, code=code)
        return await self._thread.do(lambda store: store.settle(entry_id, outcome))

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
        """Write down that nobody knows how a call ended, and when it can have been accepted.

        `code` is that of the answer that left the doubt; one that is on record stays until then.
        """
        outcome = Outcome(
            status="unknown",
            now=now,
            by=None,
            reason=reason,
            code=code,
            sent_after=sent_after,
            expires_at=expires_at,
        )
        return await self._thread.do(lambda store: store.settle(entry_id, outcome))

    async def record(
        self, seen: Iterable[Observed], *, now: datetime, books: Books | None = None
    ) -> Recorded:
        """Take in records of the exchange's: each once, whatever was shown before.

        One that belongs to a call of ours becomes its outcome, and all others new entries, in one
        transaction. A record is told by account, account type, target and its own (outer) id.
        `books` are those that they belong in: the file keeps no others from then on.
        """
        records = tuple(seen)
        return await self._thread.do(lambda store: store.record(records, now, books))

    async def resolve(
        self, entry_id: int, status: Status, reason: str, *, now: datetime
    ) -> LedgerEntry:
        """Settle by hand what can't be known from here, after somebody has looked.

        Only `"rejected"`: what was carried out is in the exchange's log, and `sync` settles it.
        """
        if status != "rejected":
            raise ConfigurationError(
                f"an entry is resolved as 'rejected', not {status!r}: what was carried out is in "
                "the exchange's log, and sync() takes it from there"
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
        """Take in what the exchange has on record of an account: each record once, none left out.

        The first time it walks back as far as the records go, or to `since`; afterwards it asks for
        what is new. What the exchange counts and never shows is named in the report (`missing`).
        Conversions are read by the `account_types` asked for, exchanged debts with `"MARGIN"`.
        `missing()` names it later, too.
        """
        return await sync(self, client, account_types=account_types, since=since)

    async def synced(self, account: str, source: Source) -> Mark | None:
        """Say from when to when the exchange's records of a source have been read."""
        return await self._thread.do(lambda store: store.synced(account, source))

    async def mark_synced(self, account: str, source: Source, mark: Mark) -> None:
        """Note from when to when the exchange's records of a source have been read."""
        await self._thread.do(lambda store: store.mark_synced(account, source, mark))

    async def missing(self, account: str | None = None) -> list[Missing]:
        """Name the times of which the exchange has more on record than it ever showed `sync`."""
        return await self._thread.do(lambda store: store.missing(account))

    async def mark_missing(self, missing: Missing) -> None:
        """Note what of the exchange's records can't be had."""
        await self._thread.do(lambda store: store.mark_missing(missing))

    # --- what follows from the entries ------------------------------------------------------------

    async def export_csv(
        self,
        where: str | os.PathLike[str] | Sink,
        *,
        style: Style = "plain",
        account: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Exported:
        """Write the books into a file, or into anything open for text, a row for each asset.

        `style` is `"plain"`, or the form of a tax tool: `"koinly"`, `"cointracking"`, `"blockpit"`.
        A file of that name is replaced once the new one is whole. `since` is included, `until` not.
        """
        self._refuse_itself(where)
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
        """Write every entry, whole, as a line of JSON: also what was refused."""
        self._refuse_itself(where)
        return await write_json_lines(
            self.entries(account=account, since=since, until=until), where
        )

    async def totals(
        self,
        by: By = "month",
        *,
        account: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        liabilities: bool = False,
    ) -> list[Total]:
        """Add up what was confirmed by `"month"`, `"asset"`, `"account"` or `"target"`.

        Every total is of one target. Exchanged debts are added up if asked for, and then alone.
        """
        tally = Tally(by, liabilities=liabilities)
        async for entry in self.entries(
            account=account, status="confirmed", since=since, until=until
        ):
            tally.note(entry)
        return tally.totals()

    async def next_eligible_at(  # noqa: PLR0913 - whose, of what, and what is believed so far
        self,
        account: str,
        kind: Kind,
        *,
        account_type: AccountType = "SPOT",
        configured: timedelta,
        now: datetime,
        assets: Iterable[str] = (),
    ) -> datetime:
        """Say when it is worth trying to convert again: `now`, or when the cooldown will be over.

        `configured` is believed until conversions and refusals show what the exchange's rule is,
        the account's own before those of others. `assets` are what is to be converted: by
        `dust_convert` each cools down by itself.
        """
        scope = Scope(account, as_kind(kind), account_type)
        cooldowns = Cooldowns(await evidence(self, scope))
        return cooldowns.next_eligible_at(scope, now=now, configured=configured, assets=assets)

    async def cooldowns(self, *, since: datetime | None = None) -> Cooldowns:
        """Learn from the entries of all accounts when each may convert again.

        Read once for many accounts; `next_eligible_at` reads for one.
        """
        cooldowns = Cooldowns()
        async for entry in self.entries(status=("confirmed", "rejected"), since=since):
            cooldowns.note(entry)
        return cooldowns

    def _refuse_itself(self, where: object) -> None:
        """Keep a file that is to be replaced from being the ledger, or what belongs to it."""
        if isinstance(where, str | os.PathLike):
            own, other = os.path.realpath(self._path), os.path.realpath(os.fspath(where))
            if other in (own, f"{own}-wal", f"{own}-shm"):
                raise ConfigurationError(f"{where} is the ledger itself: name another file")

    def __repr__(self) -> str:
        return f"<Ledger {self._path} {'open' if self._thread.is_open else 'closed'}>"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("a Ledger is bound to its process: open the file again there")
