"""Funds moved by a fleet: where the ledger is, and at most once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from binance_dust import GuardError, NotSentError
from binance_dust.fleet import Fleet, Timing, Worker
from binance_dust.fleet._carry import from_plain, to_plain
from binance_dust.fleet._memory import MemoryBroker
from binance_dust.fleet._orders import find_out, identity
from binance_dust.ledger import Claim, Ledger, account_of
from binance_dust.sandbox import Sandbox
from binance_dust.sweeper import Outcome, SweepReport, sweep
from tests.fleet.conftest import Hire, until

DUST = "POST /sapi/v1/asset/dust"
RULES: Any = {"dry_run": False, "cooldown": 0}


@pytest.fixture
async def exchange() -> AsyncIterator[Sandbox]:
    # Whoever converts twice is not stopped by the exchange.
    async with Sandbox(seed=7, window=0.5, cooldown=0) as exchange:
        yield exchange


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with Ledger(tmp_path / "books.db") as ledger:
        yield ledger


async def all_of(fleet: Fleet, *names: str, **rules: Any) -> dict[str, SweepReport]:
    reports = fleet.sweep(names or "all", **rules)
    return {report.account: report async for report in reports}


async def test_a_sweep_converts_every_account_once(
    exchange: Sandbox, hire: Hire, fleet: Fleet, ledger: Ledger
) -> None:
    accounts = [exchange.open_account(f"account-{number}", ADA="6.21") for number in range(20)]
    await hire(accounts, name="one", ledger=ledger)
    await hire(accounts, name="two", ledger=ledger)

    found = await all_of(fleet, **RULES)

    assert Counter(report.outcome for report in found.values()) == {Outcome.CONVERTED: 20}
    assert Counter(each.account for each in exchange.conversions) == Counter(list(found))
    for report in found.values():
        assert report.receipt is not None
        (line,) = report.receipt.lines
        (done,) = [each for each in exchange.conversions if each.account == report.account]
        assert (line.asset, line.amount) == ("ADA", Decimal("6.21"))
        assert line.transaction_id == done.transaction_id
    entries = [entry async for entry in ledger.entries(status="confirmed")]
    assert len(entries) == 20


async def test_it_is_a_dry_run_unless_told_otherwise(
    exchange: Sandbox, hire: Hire, fleet: Fleet, ledger: Ledger
) -> None:
    await hire([exchange.open_account("alice", ADA="6.21", XRP="1")], ledger=ledger)

    found = await all_of(fleet, keep=("XRP",), cooldown=timedelta(0), min_value=Decimal("0.0001"))

    assert found["alice"].outcome is Outcome.PLANNED
    assert found["alice"].quote is not None
    assert found["alice"].quote.assets == ("ADA",)
    assert exchange.conversions == ()


async def test_a_worker_without_a_ledger_moves_nothing(
    exchange: Sandbox, hire: Hire, fleet: Fleet
) -> None:
    await hire([exchange.open_account("alice", ADA="6.21")])

    found = await all_of(fleet, **RULES)

    assert found["alice"].outcome is Outcome.FAILED
    assert isinstance(found["alice"].error, NotSentError)
    assert exchange.requests == ()


async def test_workers_with_different_ledgers_move_nothing_of_an_account(  # noqa: PLR0917
    exchange: Sandbox,
    hire: Hire,
    url: str,
    ledger: Ledger,
    stack: AsyncExitStack,
    tmp_path: Path,
) -> None:
    alice, bob = exchange.open_account("alice", ADA="6"), exchange.open_account("bob", ADA="6")
    other = await stack.enter_async_context(Ledger(tmp_path / "other.db"))
    await hire([alice, bob], ledger=ledger)
    await hire([alice], ledger=other)

    timing = Timing(pulse=0.05, patience=2.0, gather=1.0, wait=0.5)
    async with Fleet(url, timing=timing) as fleet:
        found = await all_of(fleet, **RULES)

    assert found["bob"].outcome is Outcome.CONVERTED
    assert found["alice"].outcome is Outcome.FAILED
    assert "different ledgers" in str(found["alice"].error)
    assert [each.account for each in exchange.conversions] == ["bob"]


async def test_an_order_that_comes_twice_is_carried_out_once(
    exchange: Sandbox, hire: Hire, fleet: Fleet, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = [exchange.open_account(f"account-{number}", ADA="6.21") for number in range(5)]
    kick = MemoryBroker.kick
    orders: list[Any] = []

    async def twice(self: MemoryBroker, message: Any) -> None:
        await kick(self, message)
        await kick(self, message)
        if message.task_name == "binance_dust.convert":
            orders.append(message)

    monkeypatch.setattr(MemoryBroker, "kick", twice)
    await hire(accounts, ledger=ledger)
    # Who isn't there is waited for, so that the job goes on for a while.
    names = [account.name or "" for account in accounts]
    reports = fleet.sweep([*names, "nobody"], **RULES)
    found = [await anext(reports) for _ in accounts]

    # Once more, now that it is done, and that there is dust again.
    for name in names:
        exchange.account(name).deposit("ADA", "1.5")
    for order in orders:
        await kick(fleet._post._sender, order)  # type: ignore[arg-type]
    last = [report async for report in reports]

    assert {report.outcome for report in found} == {Outcome.CONVERTED}
    assert [report.account for report in last] == ["nobody"]
    assert len(exchange.requests_of(DUST)) == 5


async def test_who_finds_out_waits_for_who_may_be_about_to_send(
    exchange: Sandbox, hire: Hire, ledger: Ledger
) -> None:
    worker = await hire([exchange.open_account("alice", ADA="6.21")], ledger=ledger)
    client = worker._clients["alice"]
    await client.server_time()
    began = client.session.now()
    other = Claim(account_of(client), "convert", "another process")
    await ledger.claim(other, now=began, length=timedelta(seconds=0.4))

    asks = {"account_type": "SPOT"}
    report = await find_out(client, ledger, asks, began.timestamp())

    assert report.outcome is Outcome.STOPPED
    assert client.session.now() >= began + timedelta(seconds=0.4)
    # And it keeps nobody from converting afterwards.
    await ledger.claim(other, now=client.session.now(), length=timedelta(seconds=1))


async def test_what_became_of_an_order_whose_result_was_lost_is_read_in_the_ledger(
    exchange: Sandbox, hire: Hire, url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = exchange.open_account("alice", ADA="6.21", XRP="2")
    send, lost = Worker._send, iter([True])

    async def lossy(self: Worker, errand: Any, value: dict[str, Any]) -> None:
        if not next(lost, False):
            await send(self, errand, value)
        else:
            # And there is dust again, which nobody has ordered to be converted.
            exchange.account("alice").deposit("ADA", "1.5")

    monkeypatch.setattr(Worker, "_send", lossy)
    await hire([alice], ledger=ledger)

    async with Fleet(url, timing=Timing(pulse=0.05, patience=0.5, gather=0.1, wait=5)) as fleet:
        found = await all_of(fleet, **RULES)

    assert found["alice"].outcome is Outcome.CONVERTED
    (entry,) = found["alice"].settled
    assert entry.status == "confirmed"
    assert sorted(line.asset for line in entry.lines) == ["ADA", "XRP"]
    assert len(exchange.requests_of(DUST)) == 1


async def test_an_order_on_which_nothing_was_sent_is_told_so(
    exchange: Sandbox, hire: Hire, url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    await hire([alice], ledger=ledger)
    lost = iter([True])
    kick = MemoryBroker.kick

    async def lossy(self: MemoryBroker, message: Any) -> None:
        if message.task_name != "binance_dust.convert" or not next(lost, False):
            await kick(self, message)

    monkeypatch.setattr(MemoryBroker, "kick", lossy)
    async with Fleet(url, timing=Timing(pulse=0.05, patience=0.5, gather=0.1, wait=5)) as fleet:
        found = await all_of(fleet, **RULES)

    assert found["alice"].outcome is Outcome.STOPPED
    assert isinstance(found["alice"].error, GuardError)
    assert "lost before it sent anything" in str(found["alice"].error)
    assert exchange.requests_of(DUST) == ()


async def test_an_order_that_comes_too_late_is_not_carried_out(
    exchange: Sandbox, hire: Hire, url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    await hire([alice], ledger=ledger)
    kick = MemoryBroker.kick
    late: list[Any] = []

    async def slow(self: MemoryBroker, message: Any) -> None:
        if message.task_name == "binance_dust.convert" and not late:
            late.append(message)
            return
        await kick(self, message)

    monkeypatch.setattr(MemoryBroker, "kick", slow)
    async with Fleet(url, timing=Timing(pulse=0.05, patience=0.5, gather=0.1, wait=1)) as fleet:
        reports = fleet.sweep(["alice", "nobody"], **RULES)
        first = await anext(reports)
        # Found out meanwhile: now it comes.
        await kick(fleet._post._sender, late[0])  # type: ignore[arg-type]
        rest = [report async for report in reports]

    assert first.outcome is Outcome.STOPPED
    assert [report.account for report in rest] == ["nobody"]
    assert exchange.requests_of(DUST) == ()


async def test_a_worker_that_has_not_heard_its_fleet_for_long_moves_nothing(
    exchange: Sandbox, hire: Hire, url: str, ledger: Ledger
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    worker = await hire([alice], ledger=ledger)
    slow = exchange.faults.delay(0.6, endpoint="POST /sapi/v1/asset/dust-btc", times=None)
    async with Fleet(url, timing=Timing(pulse=0.05, patience=0.6, gather=0.1, wait=30)) as fleet:
        waiting = asyncio.ensure_future(all_of(fleet, **RULES))
        await until(lambda: slow.hits)
        # Cut off: what the fleet says comes no more, and it takes the worker for lost.
        for line in worker._lines[:2]:
            line.cancel()
        await until(lambda: not worker.in_hand)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert exchange.requests_of(DUST) == ()


async def test_a_conversion_that_has_begun_is_waited_for_when_its_worker_ends(
    exchange: Sandbox, hire: Hire, fleet: Fleet, ledger: Ledger
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    slow = exchange.faults.delay(0.3, endpoint=DUST, times=None)
    worker = await hire([alice], ledger=ledger, grace=0.01)

    waiting = asyncio.ensure_future(all_of(fleet, **RULES))
    await until(lambda: slow.hits)
    await worker.close()

    found = await waiting
    assert found["alice"].outcome is Outcome.CONVERTED
    assert found["alice"].receipt is not None


async def test_a_conversion_that_has_begun_is_waited_for_though_its_fleet_has_left(
    exchange: Sandbox, hire: Hire, fleet: Fleet, ledger: Ledger
) -> None:
    alice = exchange.open_account("alice", ADA="6.21")
    slow = exchange.faults.delay(0.3, endpoint=DUST, times=None)
    worker = await hire([alice], ledger=ledger, grace=0.01)

    waiting = asyncio.ensure_future(all_of(fleet, **RULES))
    await until(lambda: slow.hits)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await until(lambda: not worker._engagements)
    await worker.close()

    assert [entry.status async for entry in ledger.entries()] == ["confirmed"]


async def test_a_report_is_the_same_on_the_other_side(
    exchange: Sandbox, hire: Hire, ledger: Ledger
) -> None:
    accounts = exchange.open_accounts(8)
    exchange.faults.lose_answer(endpoint=DUST, account=accounts[0].name, times=1)
    exchange.faults.fail(400, code=-5001, msg="no", endpoint=DUST, account=accounts[1].name)
    worker = await hire(accounts)
    reports: list[SweepReport] = []
    for dry_run in (True, False, False):
        clients = list(worker._clients.values())
        async with sweep(clients, ledger=ledger, dry_run=dry_run) as stream:
            reports += [report async for report in stream]

    assert len({report.outcome for report in reports}) >= 3
    for report in reports:
        again = from_plain(json.loads(json.dumps(to_plain(report))))
        for part in report.__dataclass_fields__:
            if part != "error":
                assert getattr(again, part) == getattr(report, part), part
        assert type(again.error) is type(report.error)
        assert str(again.error) == str(report.error)


async def test_one_file_is_one_ledger_however_it_is_called(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    link = tmp_path / "link.db"
    link.symlink_to(path)
    async with Ledger(path) as one, Ledger(link) as same:
        assert identity(one) == identity(same)
        async with Ledger(tmp_path / "other.db") as other:
            assert identity(one) != identity(other)
    async with Ledger(":memory:") as one, Ledger(":memory:") as other:
        assert identity(one) != identity(other)
