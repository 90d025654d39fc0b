"""Scans by a fleet: many addresses asked as one, over real sockets, within one process."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from binance_dust import (
    Credentials,
    CredentialsError,
    NotSentError,
    Session,
    scan,
)
from binance_dust.fleet import Fleet
from binance_dust.sandbox import Sandbox
from tests.fleet.conftest import ASSETS, TIMING, StartWorker, at_work, settle, until

INFO = "GET /sapi/v1/account/info"


async def test_a_fleet_reports_what_a_scan_does(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, stack: AsyncExitStack
) -> None:
    accounts = exchange.open_accounts(30)
    await start_worker(accounts, name="one")
    await start_worker(accounts, name="two")

    reports = fleet.scan(target="USDT")
    found = {report.account: report async for report in reports}

    session = await stack.enter_async_context(Session(base_url=exchange.url))
    clients = [session.client(account) for account in accounts]
    async for report in scan(clients, target="USDT"):
        theirs = found.pop(report.account)
        for part in ("target", "assets", "quote", "liabilities", "settled_by", "errors"):
            assert getattr(theirs, part) == getattr(report, part)
    assert found == {}
    progress = reports.progress
    assert (progress.done, progress.total, progress.failed) == (30, 30, 0)
    assert progress.seconds_left == 0.0
    assert {each.name for each in progress.workers} <= {"one", "two"}
    assert sum(each.done for each in progress.workers) == 30


async def test_a_fleet_says_what_lies_elsewhere_and_beforehand_what_that_costs(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet
) -> None:
    accounts = [exchange.open_account(name, ADA="1", funding={"TRX": "5"}) for name in "ab"]
    await start_worker(accounts)

    estimate = await fleet.estimate(liabilities=False, elsewhere=True)
    asked = exchange.requests
    found = [each async for each in fleet.scan(["a", "b", "nobody"], elsewhere=True)]
    plain = [each async for each in fleet.scan(["a"], liabilities=False)]
    exchange.delist("ADA", datetime.fromtimestamp(exchange.now() + 86_400, UTC))
    ending = fleet.scan(["a", "b", "nobody"], liabilities=False, delistings=True)
    chances = {each.account: [one.asset for one in each.last_chances] async for each in ending}

    weights = {lane.question.value: lane.weight for lane in estimate.lanes}
    assert (weights["wallet_balances"], asked) == (120, ())
    by_name = {report.account: report for report in found}
    for name in "ab":
        (funding,) = by_name[name].elsewhere or []
        assert funding.wallet_name == "Funding"
    assert "elsewhere" in by_name["nobody"].errors
    assert [report.elsewhere for report in plain] == [None]
    assert len(exchange.requests_of("GET /sapi/v1/asset/wallet/balance")) == 2
    assert chances == {"a": ["ADA"], "b": ["ADA"], "nobody": []}
    assert len(exchange.requests_of("GET /sapi/v1/spot/delist-schedule")) == 1


async def test_each_account_is_asked_by_an_address_that_has_its_key(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet
) -> None:
    accounts = exchange.open_accounts(12)
    await start_worker(accounts[:8])
    await start_worker(accounts[4:])

    assert len([report async for report in fleet.scan(liabilities=False)]) == 12

    names = [account.name for account in accounts]
    for seen in exchange.requests_of(ASSETS):
        mine = names[:8] if seen.address == "127.0.0.1" else names[4:]
        assert seen.account in mine


async def test_one_bad_account_does_not_end_a_scan(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet
) -> None:
    accounts = [*exchange.open_accounts(5), Credentials("k" * 64, "s" * 64, name="stranger")]
    await start_worker(accounts)

    found = {report.account: report async for report in fleet.scan()}

    assert len(found) == 6
    assert [name for name, report in found.items() if not report.ok] == ["stranger"]
    assert isinstance(found["stranger"].errors["assets"], CredentialsError)


async def test_accounts_may_be_named_or_skipped_and_an_unknown_one_is_an_error(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet
) -> None:
    accounts = exchange.open_accounts(6)
    await start_worker(accounts)

    names = [account.name or "" for account in accounts]
    found = {
        report.account: report
        async for report in fleet.scan([*names[:4], "nobody"], skip=names[:2], liabilities=False)
    }

    assert set(found) == {*names[2:4], "nobody"}
    assert set(found["nobody"].errors) == {"assets", "quote", "liabilities"}
    error = found["nobody"].errors["assets"]
    assert isinstance(error, NotSentError)
    assert "no worker has its key" in str(error)
    assert len(exchange.requests_of(ASSETS)) == 2


async def test_without_workers_a_scan_and_an_estimate_fail(fleet: Fleet) -> None:
    with pytest.raises(NotSentError, match="no worker is there"):
        await anext(fleet.scan())
    with pytest.raises(NotSentError, match="no worker is there"):
        await fleet.estimate()
    (report,) = [report async for report in fleet.scan(["alice"])]
    assert not report.ok
    assert [report async for report in fleet.scan([])] == []


async def test_leaving_early_leaves_nothing_running(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet
) -> None:
    accounts = exchange.open_accounts(40)
    worker = await start_worker(accounts)
    # The last one, for the first call of a budget goes alone.
    exchange.faults.delay(30, endpoint=INFO, account=accounts[-1].name, times=None)

    async with fleet.scan() as reports:
        async for _ in reports:
            break
    await settle(worker)

    assert at_work() == []
    assert worker.in_hand == 0
    # And it is there for the next.
    assert len([report async for report in fleet.scan(liabilities=False)]) == 40


async def test_a_cancelled_scan_leaves_nothing_running(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet
) -> None:
    worker = await start_worker(exchange.open_accounts(10))
    slow = exchange.faults.delay(30, endpoint=ASSETS, times=None)

    async def consume() -> None:
        async for _ in fleet.scan():
            pass

    task = asyncio.create_task(consume())
    await until(lambda: slow.hits >= 10)
    assert at_work()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settle(worker)

    assert at_work() == []
    assert worker.in_hand == 0


async def test_two_fleets_share_their_workers(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, url: str
) -> None:
    await start_worker(exchange.open_accounts(20), room=8)

    async def read() -> int:
        async with Fleet(url, timing=TIMING) as another:
            return len([report async for report in another.scan(liabilities=False)])

    assert list(await asyncio.gather(read(), read(), read())) == [20, 20, 20]


async def test_a_worker_that_is_full_for_one_fleet_has_no_room_for_another(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, url: str
) -> None:
    worker = await start_worker(exchange.open_accounts(20), room=8)
    exchange.faults.delay(30, endpoint=ASSETS, times=None)
    first = fleet.scan(liabilities=False)
    waiting = [asyncio.ensure_future(anext(first))]
    await until(lambda: worker.in_hand == 8)
    async with Fleet(url, timing=TIMING) as another:
        second = another.scan(liabilities=False)
        waiting.append(asyncio.ensure_future(anext(second)))
        await until(lambda: len(worker._jobs) == 2)
        await asyncio.sleep(0.2)

        assert worker.in_hand == 8
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_slow_reader_is_waited_for(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("binance_dust.fleet._job._UNREAD", 4)
    await start_worker(exchange.open_accounts(30), room=3, concurrency=2)
    reports = fleet.scan(liabilities=False)

    first = await anext(reports)
    await asyncio.sleep(0.1)
    # Four may wait, and those that were in hand by then.
    assert reports.progress.done <= 8
    rest = [report async for report in reports]
    assert len({first.account, *(report.account for report in rest)}) == 30
