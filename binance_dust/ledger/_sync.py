"""Imports the exchange's own records: each once, and lists those that it does not show.

The dust log shows a hundred conversions per call, and the liability history goes back ninety days;
the ledger keeps them all. `_walk` decides which time ranges to ask for. `Ledger.record` knows which
records already have an entry, so a record may be read twice. The first sync of an account goes back
as far as the exchange has records. A later sync begins a day before the end of the last one,
because it is not known how late a record may appear.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from binance_dust._answers.codes import has_no_margin
from binance_dust._util.exact import from_moment, to_moment
from binance_dust._util.html import Record
from binance_dust._util.plain import plain
from binance_dust.endpoints import AccountType, to_account_types
from binance_dust.errors import ConfigurationError, RejectedError
from binance_dust.ledger._access import books_of
from binance_dust.ledger._records import from_dust_log, from_liabilities
from binance_dust.ledger._synced import Missing, SyncedRange
from binance_dust.ledger._walk import FIRST_RECORD, Page, TimeRange, Walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from binance_dust.client import DustClient
    from binance_dust.endpoints import WalletName
    from binance_dust.ledger._ledger import Ledger
    from binance_dust.ledger._records import Observed
    from binance_dust.ledger._synced import Source
    from binance_dust.models import DustLog, DustLogEntry, UnreadRow

__all__ = ["SyncReport", "sync"]

OVERLAP: Final = timedelta(days=1)
_FIRST: Final = to_moment(FIRST_RECORD)
_AHEAD: Final = timedelta(minutes=1)
"""How far past now to ask, because clocks differ."""
_HISTORY: Final = timedelta(days=90)
"""How far back the liability history goes: 30 days by default, at most 90."""
_ROWS_PER_CALL: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport(Record):
    """The result of a sync of one account."""

    account: str
    added: int
    """New entries."""
    settled: tuple[int, ...]
    """Entries whose outcome was unknown or incomplete, and is known now."""
    known: int
    """Records that the ledger already had."""
    calls: int
    margin: bool | None
    """Whether the account has margin; `None` if `"MARGIN"` was not asked for."""
    missing: tuple[Missing, ...] = ()
    """Time ranges of which the exchange does not show all records, or not in a form that can be
    read."""
    unread: tuple[str, ...] = ()
    """Records that can't be read, and why; their times are among `missing`."""

    @property
    def complete(self) -> bool:
        """Whether all of the exchange's records are in the ledger."""
        return not self.missing

    def to_plain(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        report = {each.name: plain(getattr(self, each.name)) for each in fields(self)}
        report["missing"] = [gap.to_plain() for gap in self.missing]
        return report


async def sync(
    ledger: Ledger,
    client: DustClient,
    *,
    account_types: Iterable[WalletName] = ("SPOT", "MARGIN"),
    since: datetime | None = None,
) -> SyncReport:
    """Import the exchange's records of one account that the ledger does not have."""
    wanted = _checked(account_types, since)
    await ledger.refuse_other(client.session)
    await ledger.identify(client)
    run = _SyncRun(ledger, client, client.credentials.identity, since)
    if "SPOT" in wanted:
        await run.read_log("SPOT")
    margin: bool | None = None
    if "MARGIN" in wanted:
        margin = await run.read_margin()
    return run.report(margin=margin)


@dataclass(slots=True)
class _SyncRun:
    """One sync in progress."""

    ledger: Ledger
    client: DustClient
    account: str
    since: datetime | None
    added: int = 0
    settled: list[int] = field(default_factory=list)
    seen: int = 0
    calls: int = 0
    missing: list[Missing] = field(default_factory=list)
    unread: dict[str, None] = field(default_factory=dict)

    async def read_margin(self) -> bool:
        """Read the margin account's log and exchanged debts; `False` without such an account."""
        try:
            await self.read_log("MARGIN")
            await self.read_liabilities()
        except RejectedError as error:
            if not has_no_margin(error):
                raise
            return False
        return True

    async def read_log(self, account_type: AccountType) -> None:
        """Read the ranges of a wallet's dust log that were not read yet."""
        first = max(self.since or _FIRST, _FIRST)
        known = await self.ledger.synced(self.account, account_type)
        begin = first
        if known is not None and first <= known.until:
            # From there on nothing is marked as read before it was read twice.
            begin = max(known.until - OVERLAP, known.since)
        await self._walk_to_now(account_type, begin)
        if known is not None and first < known.since:
            await self._walk(account_type, first, known.since)
            await self.ledger.mark_synced(
                self.account, account_type, SyncedRange(first, known.since)
            )

    async def read_liabilities(self) -> None:
        """Read the exchanged debts that were not read yet, as far back as the history goes."""
        now = self._now()
        oldest = now + _AHEAD - _HISTORY
        known = await self.ledger.synced(self.account, "liabilities")
        begin = first = max(self.since or oldest, oldest)
        if known is not None and known.since <= first <= known.until:
            begin = max(known.until - OVERLAP, oldest)
        unread: list[UnreadRow] = []
        history = self.client.small_liability_history(start=begin, end=now + _AHEAD, unread=unread)
        rows = [row async for row in history]
        self.calls += max(1, -(-(len(rows) + len(unread)) // _ROWS_PER_CALL))
        await self._note_unread("liabilities", unread, begin, now)
        observed = list(from_liabilities(rows, self.account))
        self.seen += len(observed)
        await self._record(observed)
        not_read = max(known.until, self.since or known.until) if known is not None else begin
        if not_read < oldest:
            await self._note_missing("liabilities", not_read, oldest, 0, None)
            begin = not_read
        await self.ledger.mark_synced(self.account, "liabilities", SyncedRange(begin, now))

    def report(self, *, margin: bool | None) -> SyncReport:
        """Make the report."""
        return SyncReport(
            account=self.account,
            added=self.added,
            settled=tuple(self.settled),
            known=max(self.seen - self.added - len(self.settled), 0),
            calls=self.calls,
            margin=margin,
            missing=tuple(self.missing),
            unread=tuple(self.unread),
        )

    async def _walk_to_now(self, account_type: AccountType, begin: datetime) -> None:
        clock = asyncio.get_running_loop().time
        begun, until = clock(), self._now() + _AHEAD
        await self._walk(account_type, begin, until)
        if self._now() > until + timedelta(seconds=clock() - begun):
            # Our clock was slow until the first call corrected it.
            await self._walk(account_type, until, self._now() + _AHEAD)
        done = self._now() - timedelta(seconds=clock() - begun)
        await self.ledger.mark_synced(
            self.account, account_type, SyncedRange(begin, max(begin, done))
        )

    async def _walk(self, account_type: AccountType, since: datetime, until: datetime) -> None:
        walk = Walk(from_moment(since), from_moment(until))
        steps = walk.steps()
        try:
            span = next(steps)
            while True:
                span = steps.send(await self._page(account_type, span))
        except StopIteration:
            pass
        self.seen += len(walk.found)
        # Noted while the pages came: they are missing still.
        still = [each for each in self.missing if each.source == account_type]
        await self.ledger.forget_missing(self.account, account_type, SyncedRange(since, until))
        for missing in still:
            await self.ledger.mark_missing(missing)
        for gap in walk.gaps:
            start, end = to_moment(gap.span.start), to_moment(gap.span.end)
            await self._note_missing(account_type, start, end, gap.shown, gap.counted)

    async def _page(self, account_type: AccountType, span: TimeRange | None) -> Page:
        bounds: dict[str, Any] = {}
        if span is not None:
            bounds = {"start": to_moment(span.start), "end": to_moment(span.end)}
        self.calls += 1
        log = await self.client.dust_log(account_type=account_type, **bounds)
        await self._record(from_dust_log(log, self.account, account_type))
        first, last = (self.since or _FIRST, self._now()) if span is None else bounds.values()
        await self._note_unread(account_type, log.unread, first, last)
        return _as_page(log, from_moment(last))

    async def _record(self, observed: Iterable[Observed]) -> None:
        books = books_of(self.client.session)
        done = await self.ledger.record(observed, now=self._now(), books=books)
        self.added += len(done.added)
        self.settled += done.settled

    async def _note_unread(
        self, source: Source, unread: Iterable[UnreadRow], first: datetime, last: datetime
    ) -> None:
        """Note records that can't be read: the ledger lacks them, like those that never show."""
        for row in unread:
            text = f"{source}: {row}"
            if text in self.unread:
                continue
            self.unread[text] = None
            start, end = (first, last) if row.at is None else (row.at, row.at)
            await self._note_missing(source, start, end, 0, 1)

    async def _note_missing(
        self, source: Source, start: datetime, end: datetime, shown: int, counted: int | None
    ) -> None:
        missing = Missing(
            account=self.account, source=source, start=start, end=end, shown=shown, counted=counted
        )
        self.missing.append(missing)
        await self.ledger.mark_missing(missing)

    def _now(self) -> datetime:
        return self.client.session.now()


def _as_page(log: DustLog, last: int) -> Page:
    rows = [
        (from_moment(group.happened_at), _id_of(group))
        for group in log.user_asset_dribblets
        if group.happened_at is not None
    ]
    # A record that can't be read fills a page like any other. Without a time, it is not the oldest.
    times = ((each, last if each.at is None else from_moment(each.at)) for each in log.unread)
    rows += ((at, int(each.id or -1 - n)) for n, (each, at) in enumerate(times))
    # Without a count, no count is relied on.
    return Page(-1 if log.total is None else log.total, tuple(rows))


def _id_of(group: DustLogEntry) -> int:
    ids = (group.trans_id, *(each.trans_id for each in group.user_asset_dribblet_details))
    return next((each for each in ids if each is not None), 0)


def _checked(account_types: Iterable[WalletName], since: datetime | None) -> set[AccountType]:
    wanted = set(to_account_types(account_types))
    if not wanted:
        raise ConfigurationError("account_types is empty: name SPOT, MARGIN or both")
    if since is not None and not isinstance(since, datetime):
        raise TypeError(f"since must be a datetime, not {type(since).__name__}")
    if since is not None and since.utcoffset() is None:
        raise ConfigurationError(f"since ({since}) has no time zone: datetime(..., tzinfo=UTC)")
    return wanted
