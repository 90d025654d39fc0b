"""What a client adds to its endpoints: pages, bounds, and who closes what."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from binance_dust import Credentials, DustClient, NotSentError, RetryPolicy, Session
from binance_dust._call.clock import ServerClock
from binance_dust.models import DustLog, SmallLiabilityExchange, SmallLiabilityHistory
from binance_dust.sandbox import Sandbox


class Pages:
    """A session's `send` that answers with pages of history."""

    def __init__(self, rows: int, total: int, *, come: int = 0) -> None:
        self._rows = rows
        self._total = total
        self._come = come
        """Rows that come between two pages: the newest is first, so all others move on."""
        self.asked: list[dict[str, str]] = []

    async def __call__(self, call: Any, account: Any = None, lane: Any = None, **_: Any) -> Any:
        self.asked.append(call.parameters())
        page, size = int(self.asked[-1]["current"]), int(self.asked[-1]["size"])
        moved = (page - 1) * self._come
        first = (page - 1) * size - moved
        rows = [row(number) for number in range(first, min(self._rows, first + size))]
        return SmallLiabilityHistory(total=self._total + moved, rows=rows)


def row(number: int) -> Any:
    return SmallLiabilityExchange(
        asset=f"A{number}",
        amount=1,  # type: ignore[arg-type]  # as the wire has it
        target_asset="USDT",
        target_amount=1,  # type: ignore[arg-type]
        biz_type="EXCHANGE_SMALL_LIABILITY",
        timestamp=0,  # type: ignore[arg-type]
    )


@pytest.fixture
def client() -> DustClient:
    return Session().client(Credentials("key", "secret", name="alice"))


@pytest.mark.parametrize(
    ("rows", "total", "pages"),
    [
        (0, 0, 1),
        (1, 1, 1),
        (100, 100, 1),
        (101, 101, 2),
        (250, 250, 3),
        # A total above the rows that are there ends with the first empty page.
        (150, 999, 3),
        (0, 5, 1),
    ],
)
async def test_a_history_is_read_to_its_end_and_no_further(
    client: DustClient, monkeypatch: pytest.MonkeyPatch, rows: int, total: int, pages: int
) -> None:
    send = Pages(rows, total)
    monkeypatch.setattr(Session, "send", staticmethod(send))

    found = [each.asset async for each in client.small_liability_history()]

    assert found == [f"A{number}" for number in range(rows)]
    assert [asked["current"] for asked in send.asked] == [str(n + 1) for n in range(pages)]
    assert {asked["size"] for asked in send.asked} == {"100"}


@pytest.mark.parametrize("come", [1, 10, 99])
async def test_rows_that_move_to_the_next_page_meanwhile_are_read_once(
    client: DustClient, monkeypatch: pytest.MonkeyPatch, come: int
) -> None:
    monkeypatch.setattr(Session, "send", staticmethod(Pages(130, 130, come=come)))

    found = [each.asset async for each in client.small_liability_history()]

    assert found == [f"A{number}" for number in range(130)]


async def test_who_leaves_a_history_early_asks_for_no_more_pages(
    client: DustClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Pages(500, 500)
    monkeypatch.setattr(Session, "send", staticmethod(send))

    async for each in client.small_liability_history():
        if each.asset == "A120":
            break

    assert len(send.asked) == 2


async def test_the_bounds_of_a_history_go_along_on_every_page(
    client: DustClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Pages(150, 150)
    monkeypatch.setattr(Session, "send", staticmethod(send))
    start = datetime(2026, 1, 1, tzinfo=UTC)

    _ = [each async for each in client.small_liability_history(start=start)]

    assert [asked["startTime"] for asked in send.asked] == ["1767225600000"] * 2
    assert send.asked[0]["endTime"] == send.asked[1]["endTime"]


async def test_the_end_is_the_same_for_all_pages(
    client: DustClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without bounds it is the last 30 days, as the exchange takes it."""
    send = Pages(250, 250)
    monkeypatch.setattr(Session, "send", staticmethod(send))

    _ = [each async for each in client.small_liability_history()]

    ((start, end),) = {(asked["startTime"], asked["endTime"]) for asked in send.asked}
    assert int(end) - int(start) == 30 * 86_400_000
    assert 0 <= int(end) / 1000 - client.session.now().timestamp() <= 60


async def test_a_close_that_is_cancelled_halfway_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Sandbox() as exchange:
        session = Session(base_url=exchange.url)
        client = session.client(exchange.open_account("alice"))
        await client.server_time()
        closing = asyncio.Event()

        async def hang(_: object) -> None:
            closing.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(ServerClock, "close", hang)
        task = asyncio.ensure_future(session.close())
        await closing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        http = session._pipeline.transport._http
        assert http is not None
        assert http.closed


async def test_a_missing_bound_of_the_log_is_filled_in(
    client: DustClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, str]] = []

    async def send(call: Any, account: Any = None, lane: Any = None, **_: Any) -> DustLog:
        asked.append(call.parameters())
        return DustLog(user_asset_dribblets=[])

    async def learn_time() -> None:
        asked.append({})

    monkeypatch.setattr(Session, "send", staticmethod(send))
    monkeypatch.setattr(Session, "learn_time", staticmethod(learn_time))
    moment = datetime(2026, 6, 1, tzinfo=UTC)
    await client.dust_log()
    await client.dust_log(end=moment)
    await client.dust_log(start=moment)

    nothing, until, _, since = asked
    assert nothing == {}
    assert int(until["endTime"]) - int(until["startTime"]) == 90 * 24 * 3600 * 1000
    in_a_minute = datetime.now(UTC) + timedelta(minutes=1)
    assert abs(int(since["endTime"]) / 1000 - in_a_minute.timestamp()) < 30


class Closable:
    """A budget that notes that it was closed."""

    closed = False

    def admit(self) -> None:
        """Look like a budget."""

    async def close(self) -> None:
        self.closed = True


async def test_a_session_closes_the_budget_that_it_made_and_no_other() -> None:
    shared: Any = Closable()

    await Session(budget=shared).close()

    assert not shared.closed


class Down:
    """A transport that gets nothing out."""

    def __init__(self) -> None:
        self.attempts = 0

    async def send(self, request: Any, *, within: Any = None) -> Any:
        self.attempts += 1
        raise NotSentError("no connection")

    async def close(self) -> None:
        pass


async def test_every_call_earns_a_fifth_of_a_retry() -> None:
    down = Down()
    session = Session(retry=RetryPolicy(max_wait=0.001))
    session._pipeline = replace(session._pipeline, transport=down)  # type: ignore[misc, arg-type]
    while session._pipeline.allowance.spend():
        pass

    for _ in range(20):
        with pytest.raises(NotSentError):
            await session.client(Credentials("key", "secret")).server_time()

    assert down.attempts == 20 + 20 // 5
    await session.close()
