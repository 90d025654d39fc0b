"""A worker's conversions: outcomes, the identity of ledgers, and reports that travel."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from binance_dust.fleet._conversions import (
    find_outcome,
    ledger_identity,
    report_from_plain,
    report_to_plain,
)
from binance_dust.fleet._options import ConvertOptions
from binance_dust.ledger import Claim, Ledger, account_of
from binance_dust.sandbox import Sandbox
from binance_dust.sweeper import Outcome, SweepReport, sweep
from tests.conversion.scene import Scene, in_virtual_time
from tests.fleet.conftest import StartWorker
from tests.systems import posix

DUST = "POST /sapi/v1/asset/dust"


async def test_finding_an_outcome_waits_for_a_worker_that_may_be_about_to_send(
    exchange: Sandbox, start_worker: StartWorker, ledger: Ledger
) -> None:
    worker = await start_worker([exchange.open_account("alice", ADA="6.21")], ledger=ledger)
    client = worker._clients["alice"]
    await client.server_time()
    began = client.session.now()
    other = Claim(account_of(client), "convert", "another process")
    await ledger.claim(other, now=client.session.machine_time(), length=timedelta(seconds=0.4))

    options = ConvertOptions()
    report = await find_outcome(client, ledger, options, began.timestamp())

    assert report.outcome is Outcome.STOPPED
    assert client.session.now() >= began + timedelta(seconds=0.4)
    # And its own claim is released afterwards.
    now = client.session.machine_time()
    await ledger.claim(other, now=now, length=timedelta(seconds=1))


@pytest.mark.parametrize("wrong", [-600.0, 0.0, 600.0])
@in_virtual_time
async def test_all_claims_are_counted_by_the_machine_s_clock(wrong: float, tmp_path: Path) -> None:
    scene = Scene(wrong_clock=wrong)
    path = tmp_path / "dust.db"
    async with scene.process(path=path) as frozen, scene.process(path=path) as worker:
        client = worker.client
        await client.session.learn_time()
        claim = Claim(account_of(client), "convert", "another process")
        now = frozen.session.machine_time()
        await frozen.ledger.claim(claim, now=now, length=timedelta(seconds=90))
        began = client.session.now()

        options = ConvertOptions()
        report = await find_outcome(client, worker.ledger, options, began.timestamp())

        assert report.outcome is Outcome.STOPPED
        assert 90 <= (client.session.now() - began).total_seconds() < 92


@posix
@in_virtual_time
async def test_finding_an_outcome_goes_on_when_the_other_worker_dies(tmp_path: Path) -> None:
    scene = Scene()
    path = tmp_path / "dust.db"
    async with scene.process(path=path) as worker, scene.process(path=path) as other:
        client = worker.client
        claim = Claim(account_of(client), "convert", "another process")
        now = other.session.machine_time()
        await other.ledger.claim(claim, now=now, length=timedelta(seconds=90))
        began = client.session.now()
        asyncio.get_running_loop().call_later(5, asyncio.ensure_future, other.ledger.close())

        await find_outcome(client, worker.ledger, ConvertOptions(), began.timestamp())

        assert 5 <= (client.session.now() - began).total_seconds() < 7


@pytest.mark.long
async def test_a_report_is_the_same_after_it_has_travelled(
    exchange: Sandbox, start_worker: StartWorker, ledger: Ledger
) -> None:
    accounts = exchange.open_accounts(8)
    exchange.faults.lose_answer(endpoint=DUST, account=accounts[0].name, times=1)
    exchange.faults.fail(400, code=-5001, msg="no", endpoint=DUST, account=accounts[1].name)
    worker = await start_worker(accounts)
    reports: list[SweepReport] = []
    for dry_run in (True, False, False):
        clients = list(worker._clients.values())
        async with sweep(clients, ledger=ledger, dry_run=dry_run) as stream:
            reports += [report async for report in stream]

    assert len({report.outcome for report in reports}) >= 3
    for report in reports:
        again = report_from_plain(json.loads(json.dumps(report_to_plain(report))))
        for part in report.__dataclass_fields__:
            if part != "error":
                assert getattr(again, part) == getattr(report, part), part
        assert type(again.error) is type(report.error)
        assert str(again.error) == str(report.error)


async def test_one_file_is_one_ledger_whatever_its_path(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    link = tmp_path / "link.db"
    link.symlink_to(path)
    async with Ledger(path) as one, Ledger(link) as same:
        assert ledger_identity(one) == ledger_identity(same)
        async with Ledger(tmp_path / "other.db") as other:
            assert ledger_identity(one) != ledger_identity(other)
    async with Ledger(":memory:") as one, Ledger(":memory:") as other:
        assert ledger_identity(one) != ledger_identity(other)
