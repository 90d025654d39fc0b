"""The exchange's own records into the ledger: each once, none missing, and what is missing named.

The dust log remembers a hundred conversions of a question and the liability history ninety days;
the ledger remembers the rest. `_walk` knows which times to ask for, `Ledger.record` which record is
an entry already, so what is shown twice does no harm. The first sync of an account walks back until
the exchange has nothing more; from then on a sync begins a day before the last one's end, because
nobody knows how late a record may show.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, get_args

from binance_dust._answers.codes import has_no_margin
from binance_dust._util.exact import from_moment, to_moment
from binance_dust._util.plain import plain
from binance_dust.endpoints import AccountType
from binance_dust.errors import ConfigurationError, RejectedError
from binance_dust.ledger._access import books_of
from binance_dust.ledger._records import from_dust_log, from_liabilities
from binance_dust.ledger._synced import Missing, SyncedRange
from binance_dust.ledger._walk import FIRST_RECORD, Page, TimeRange, Walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from binance_dust.client import DustClient
    from binance_dust.ledger._ledger import Ledger
    from binance_dust.ledger._records import Observed
    from binance_dust.ledger._synced import Source
    from binance_dust.models import DustLog

__all__ = ["SyncReport", "sync"]

OVERLAP: Final = timedelta(days=1)
_FIRST: Final = to_moment(FIRST_RECORD)
_AHEAD: Final = timedelta(minutes=1)
_REMEMBERED: Final = timedelta(days=90)
"""How far back the liability history goes: 30 days unless asked, 90 at the most."""
_ROWS_OF_A_CALL: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What a sync found of one account."""

    account: str
    added: int
    """Records that the ledger did not know."""
    settled: tuple[int, ...]
    """Entries whose outcome was open, or known in part only, and is known now."""
    known: int
    """Records that the ledger had already."""
    calls: int
    margin: bool | None
    """Whether the account has margin; `None` where nobody asked."""
    missing: tuple[Missing, ...] = ()
    """What can't be recovered."""

    @property
    def complete(self) -> bool:
        """Whether everything that the exchange has on record is in the ledger."""
        return not self.missing

    def to_plain(self) -> dict[str, Any]:
        """Give the report as what JSON has."""
        report = {each.name: plain(getattr(self, each.name)) for each in fields(self)}
        report["missing"] = [gap.to_plain() for gap in self.missing]
        return report


async def sync(
    ledger: Ledger,
    client: DustClient,
    *,
    account_types: Iterable[AccountType] = ("SPOT", "MARGIN"),
    since: datetime | None = None,
) -> SyncReport:
    """Bring the ledger up to date with what the exchange has on record of one account."""
    wanted = _checked(account_types, since)
    await ledger.refuse_other(client.session)
    run = _SyncRun(ledger, client, client.credentials.identity, since)
    if "SPOT" in wanted:
        await run.read_log("SPOT")
    margin: bool | None = None
    if "MARGIN" in wanted:
        margin = await run.read_margin()
    return run.report(margin=margin)


@dataclass(slots=True)
class _SyncRun:
    """One sync under way."""

    ledger: Ledger
    client: DustClient
    account: str
    since: datetime | None
    added: int = 0
    settled: list[int] = field(default_factory=list)
    seen: int = 0
    calls: int = 0
    missing: list[Missing] = field(default_factory=list)

    async def read_margin(self) -> bool:
        """Read the margin account's log and its exchanged debts, if there is such an account."""
        try:
            await self.read_log("MARGIN")
            await self.read_liabilities()
        except RejectedError as error:
            if not has_no_margin(error):
                raise
            return False
        return True

    async def read_log(self, account_type: AccountType) -> None:
        """Read what is not known yet of the dust log of one wallet."""
        first = max(self.since or _FIRST, _FIRST)
        mark = await self.ledger.synced(self.account, account_type)
        begin = first if mark is None else max(mark.until - OVERLAP, first)
        await self._walk_to_now(account_type, begin)
        if mark is not None and first < mark.since:
            await self._walk(account_type, first, mark.since)
            await self.ledger.mark_synced(
                self.account, account_type, SyncedRange(first, mark.since)
            )

    async def read_liabilities(self) -> None:
        """Read the exchanged debts that are not known yet, as far back as the history goes."""
        now = self._now()
        remembered = now + _AHEAD - _REMEMBERED
        mark = await self.ledger.synced(self.account, "liabilities")
        begin = first = max(self.since or remembered, remembered)
        if mark is not None and first >= mark.since:
            begin = max(mark.until - OVERLAP, first)
        rows = [
            row async for row in self.client.small_liability_history(start=begin, end=now + _AHEAD)
        ]
        self.calls += max(1, -(-len(rows) // _ROWS_OF_A_CALL))
        observed = list(from_liabilities(rows, self.account))
        self.seen += len(observed)
        await self._record(observed)
        forgotten = max(mark.until, self.since or mark.until) if mark is not None else begin
        if forgotten < remembered:
            await self._miss("liabilities", forgotten, remembered, 0, None)
            begin = forgotten
        await self.ledger.mark_synced(self.account, "liabilities", SyncedRange(begin, now))

    def report(self, *, margin: bool | None) -> SyncReport:
        """Say what came of it."""
        return SyncReport(
            account=self.account,
            added=self.added,
            settled=tuple(self.settled),
            known=max(self.seen - self.added - len(self.settled), 0),
            calls=self.calls,
            margin=margin,
            missing=tuple(self.missing),
        )

    async def _walk_to_now(self, account_type: AccountType, begin: datetime) -> None:
        clock = asyncio.get_running_loop().time
        begun, until = clock(), self._now() + _AHEAD
        await self._walk(account_type, begin, until)
        if self._now() > until + timedelta(seconds=clock() - begun):
            # Our clock was slow until the first call set it right.
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
        for gap in walk.gaps:
            start, end = to_moment(gap.span.start), to_moment(gap.span.end)
            await self._miss(account_type, start, end, gap.shown, gap.counted)

    async def _page(self, account_type: AccountType, span: TimeRange | None) -> Page:
        bounds: dict[str, Any] = {}
        if span is not None:
            bounds = {"start": to_moment(span.start), "end": to_moment(span.end)}
        self.calls += 1
        log = await self.client.dust_log(account_type=account_type, **bounds)
        await self._record(from_dust_log(log, self.account, account_type))
        return _as_page(log)

    async def _record(self, observed: Iterable[Observed]) -> None:
        books = books_of(self.client.session)
        done = await self.ledger.record(observed, now=self._now(), books=books)
        self.added += len(done.added)
        self.settled += done.settled

    async def _miss(
        self, source: Source, start: datetime, end: datetime, shown: int, counted: int | None
    ) -> None:
        missing = Missing(
            account=self.account, source=source, start=start, end=end, shown=shown, counted=counted
        )
        self.missing.append(missing)
        await self.ledger.mark_missing(missing)

    def _now(self) -> datetime:
        return self.client.session.now()


def _as_page(log: DustLog) -> Page:
    rows = (
        (from_moment(group.happened_at), group.trans_id)
        for group in log.user_asset_dribblets
        if group.happened_at is not None
    )
    return Page(log.total, tuple(rows))


def _checked(account_types: Iterable[AccountType], since: datetime | None) -> set[AccountType]:
    if isinstance(account_types, str):
        raise TypeError("account_types must be several: write (account_type,)")
    wanted = set(account_types)
    if not wanted or not wanted <= set(get_args(AccountType)):
        allowed = ", ".join(get_args(AccountType))
        raise ConfigurationError(f"account_types must be some of {allowed}, not {wanted!r}")
    if since is not None and not isinstance(since, datetime):
        raise TypeError(f"since must be a datetime, not {type(since).__name__}")
    if since is not None and since.utcoffset() is None:
        raise ConfigurationError(f"since ({since}) has no time zone: datetime(..., tzinfo=UTC)")
    return wanted
