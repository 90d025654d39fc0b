"""In whatever order and from whatever time syncs run, no record is missing at the end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from binance_dust._util.exact import from_moment
from binance_dust.ledger import Observed, Recorded
from binance_dust.ledger._sync import sync
from binance_dust.ledger._synced import SyncedRange
from binance_dust.models import DustLog, DustLogDetail, DustLogEntry

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class LogClient:
    """Client, session and credentials in one: a log, and a clock that the test sets."""

    def __init__(self) -> None:
        self.session = self.credentials = self
        self.identity = "alice"
        self.is_local = True
        self.clock = BEGIN
        self.times: list[datetime] = []
        self.calls = 0

    def now(self) -> datetime:
        return self.clock

    async def dust_log(
        self,
        *,
        account_type: str,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> DustLog:
        self.calls += 1
        found = sorted(
            (at, number)
            for number, at in enumerate(self.times)
            if (start is None or at >= start) and (end is None or at <= end)
        )
        return DustLog(
            total=len(found),
            user_asset_dribblets=[_group(at, number) for at, number in reversed(found[-100:])],
        )


class FakeLedger:
    """What `sync` needs of a ledger."""

    def __init__(self) -> None:
        self.ids: set[int | None] = set()
        self.mark: SyncedRange | None = None

    async def refuse_other(self, session: Any) -> None:
        pass

    async def identify(self, client: Any) -> None:
        pass

    async def record(self, seen: Any, *, now: datetime, books: Any) -> Recorded:
        records: list[Observed] = list(seen)
        news = [each for each in records if each.transaction_id not in self.ids]
        self.ids.update(each.transaction_id for each in records)
        return Recorded(added=(0,) * len(news), settled=(), known=len(records) - len(news))

    async def synced(self, account: str, source: str) -> SyncedRange | None:
        return self.mark

    async def forget_missing(self, account: str, source: str, read: SyncedRange) -> None:
        pass

    async def mark_synced(self, account: str, source: str, mark: SyncedRange) -> None:
        joined = mark if self.mark is None else self.mark.joined(mark)
        self.mark = joined or self.mark


def _group(at: datetime, number: int) -> DustLogEntry:
    milliseconds: Any = from_moment(at)
    row: Any = "1"
    detail = DustLogDetail(
        trans_id=number,
        from_asset="ADA",
        amount=row,
        transferred_amount=row,
        service_charge_amount=row,
        operate_time=milliseconds,
    )
    return DustLogEntry(
        trans_id=number,
        total_transferred_amount=row,
        total_service_charge_amount=row,
        operate_time=milliseconds,
        user_asset_dribblet_details=[detail],
    )


days = st.integers(0, 200)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), days),
        # A number of conversions, one an hour, up to now.
        st.tuples(st.just("convert"), st.sampled_from([1, 20, 130, 250])),
        st.tuples(st.just("sync"), st.none() | days),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(steps=steps)
def test_no_record_is_missing_at_the_end(steps: list[tuple[str, int | None]]) -> None:
    async def main() -> None:
        account, books = LogClient(), FakeLedger()
        client: Any = account
        ledger: Any = books
        for what, number in steps:
            match what:
                case "pass":
                    account.clock += (number or 0) * DAY
                case "convert":
                    account.clock += timedelta(hours=number or 0)
                    account.times += [
                        account.clock - timedelta(hours=n) for n in range(number or 0)
                    ]
                case _:
                    since = None if number is None else account.clock - number * DAY
                    await sync(ledger, client, account_types=["SPOT"], since=since)
        await sync(ledger, client, account_types=["SPOT"])
        assert books.ids == set(range(len(account.times)))

        account.calls = 0
        report = await sync(ledger, client, account_types=["SPOT"])
        assert (report.added, report.complete, account.calls) == (0, True, 1)

    asyncio.run(main())
