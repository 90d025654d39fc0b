"""The ledger: what was to be converted, what was converted, and what it brought; on SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from binance_dust.ledger import _outcomes
from binance_dust.ledger._entries import Settlement
from binance_dust.ledger._entry import SettledBy
from binance_dust.ledger._identify import identify
from binance_dust.ledger._reader import LedgerReader

if TYPE_CHECKING:
    import asyncio
    import os
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from binance_dust.client import DustClient
    from binance_dust.endpoints import WalletName
    from binance_dust.ledger._access import Books, Claim
    from binance_dust.ledger._entry import Intent, LedgerEntry, LedgerLine, Status
    from binance_dust.ledger._outcomes import Recorded
    from binance_dust.ledger._owners import Identity
    from binance_dust.ledger._records import Observed
    from binance_dust.ledger._sync import SyncReport
    from binance_dust.ledger._synced import Missing, Source, SyncedRange

__all__ = ["Ledger"]


class Ledger(LedgerReader):
    """The record of every call that moved funds, in one SQLite file.

        async with Ledger("dust.db") as ledger:
            async for entry in ledger.entries(status="confirmed"):
                print(entry.at, entry.account, entry.net, entry.target)

    Several processes may open the same file. `":memory:"` keeps nothing. The ledger reads and
    writes in a thread of its own, so the event loop never waits for a disk.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, busy_timeout: timedelta | float = 30.0
    ) -> None:
        """Name the file; it is not opened yet.

        `busy_timeout` is how long to wait (seconds, or a timedelta) while another process writes.
        """
        super().__init__(path, busy_timeout=busy_timeout)
        self._asking: dict[str, asyncio.Lock] = {}

    # --- accounts --------------------------------------------------------------------------------

    async def identify(self, client: DustClient) -> Identity:
        """Find out which account a client is, and remember its name and key.

        Converters and `sync` begin with it. The exchange is asked for the account's number once for
        each key, which costs 20 of the 6,000 that all of `/api/v3` shares. Names and keys of one
        number are one account. `ConfigurationError` if the name is another account's in this file,
        or came with another key while the number can't be had: see `adopt`.
        """
        return await identify(self._thread, client, self._asking)

    async def adopt(self, name: str, client: DustClient) -> Identity:
        """Say that a client's key is of the account that this file knows by `name`.

        It is needed for a new key only where the exchange does not tell the account's number. If
        it tells another number than the file has, that is a `ConfigurationError`.
        """
        return await identify(self._thread, client, self._asking, adopt_as=name)

    async def unclaimed(self, seen: Iterable[Observed], *, besides: int) -> list[Observed]:
        """Drop the exchange's records that belong to another of our calls than entry `besides`."""
        records = tuple(seen)
        return await self._thread.read(_outcomes.unclaimed, records, besides)

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

    async def find_written(self, entry_id: int) -> None:
        """Raise `LedgerError` if an entry would not be found in the file any more.

        It is asked before a call is sent that had to wait after its intent.
        """
        await self._thread.run(lambda store: store.find_written(entry_id))

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
        needs_resolve: bool = False,
    ) -> LedgerEntry:
        """Write down that the outcome is unknown, and when the exchange can have accepted the call.

        `code` is the code of the unclear answer. Without one, the code on record stays.
        `needs_resolve` says that reading can't tell the outcome.
        """
        settlement = Settlement(
            status="unknown",
            now=now,
            by=None,
            reason=reason,
            code=code,
            sent_after=sent_after,
            expires_at=expires_at,
            needs_resolve=needs_resolve,
        )
        return await self._thread.run(lambda store: store.settle(entry_id, settlement))

    async def record(
        self, seen: Iterable[Observed], *, now: datetime, books: Books | None = None
    ) -> Recorded:
        """Import the exchange's records, each once, in one transaction.

        A record of our call becomes the outcome of its entry, any other a new entry. While a call
        that can have made it can still be carried out, a record is left for later. A record is
        identified by account, account type, target and its own (outer) id. `books` is the kind of
        exchange that they come from; from then on the file takes no other.
        """
        records = tuple(seen)
        return await self._thread.run(lambda store: store.record(records, now, books))

    async def resolve(  # noqa: PLR0913 - what a person knows of the outcome
        self,
        entry_id: int,
        status: Status,
        reason: str,
        *,
        now: datetime,
        transaction_id: int | None = None,
        client: DustClient | None = None,
    ) -> LedgerEntry:
        """Settle an open entry by hand, after a person has looked at the exchange.

        As `"rejected"`, or as `"confirmed"` with the number of the exchange's record. Its lines are
        taken from this ledger, or else read with `client`. Without both, a later `sync` adds them.
        `GuardError` while the call can still be carried out.
        """
        # Imported here, because it is built on the ledger.
        from binance_dust.ledger._resolve import resolve

        settlement, shown = await resolve(
            self, entry_id, status, reason, now=now, transaction_id=transaction_id, client=client
        )
        return await self._thread.run(lambda store: store.resolve(entry_id, settlement, shown))

    # --- the exchange's own records ---------------------------------------------------------------

    async def sync(
        self,
        client: DustClient,
        *,
        account_types: Iterable[WalletName] = ("SPOT", "MARGIN"),
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

    async def mark_synced(self, account: str, source: Source, synced: SyncedRange) -> None:
        """Note a time range in which the exchange's records of a source have been read."""
        await self._thread.run(lambda store: store.mark_synced(account, source, synced))

    async def forget_missing(self, account: str, source: Source, read: SyncedRange) -> None:
        """Forget what was missing in a time range that has been read again."""
        await self._thread.run(lambda store: store.forget_missing(account, source, read))

    async def mark_missing(self, missing: Missing) -> None:
        """Note a time range of which the exchange does not show all records."""
        await self._thread.run(lambda store: store.mark_missing(missing))
