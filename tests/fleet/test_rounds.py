"""Sweeps by a fleet of several wallets and of debts, once or for ever; and who takes them up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from binance_dust import ConfigurationError, GuardError, NotSentError
from binance_dust.conversion import LiabilityExchanger
from binance_dust.fleet import Fleet, FleetStream
from binance_dust.fleet._conversions import find_outcome
from binance_dust.fleet._options import ConvertOptions
from binance_dust.fleet._rounds import SweepRounds
from binance_dust.ledger import Ledger
from binance_dust.sandbox import Sandbox
from binance_dust.sweeper import Outcome, SweepReport
from tests.fleet.conftest import StartWorker

WEEK = timedelta(days=7)
RULES: Any = {"dry_run": False, "cooldown": 0}
DEBTS: Any = {"ETH": "0.001", "XRP": "1"}


async def all_of(reports: FleetStream[SweepReport]) -> dict[tuple[str, str, str], SweepReport]:
    return {(each.account, each.account_type, each.what): each async for each in reports}


async def test_all_wallets_and_debts_are_swept_each_once(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, ledger: Ledger
) -> None:
    accounts = [
        exchange.open_account("alice", ADA="6.21", margin={"XRP": "1.5"}, debts=DEBTS),
        exchange.open_account("bob", ADA="6.21"),
    ]
    for name in ("one", "two"):
        await start_worker(accounts, name=name, ledger=ledger, liabilities=True)

    wallets: Any = iter(("spot", "margin"))
    found = await all_of(fleet.sweep(account_types=wallets, liabilities=True, **RULES))

    assert {key: report.outcome for key, report in found.items()} == {
        ("alice", "SPOT", "dust"): Outcome.CONVERTED,
        ("alice", "MARGIN", "dust"): Outcome.CONVERTED,
        ("alice", "MARGIN", "liabilities"): Outcome.CONVERTED,
        ("bob", "SPOT", "dust"): Outcome.CONVERTED,
        ("bob", "MARGIN", "dust"): Outcome.NOTHING,
        ("bob", "MARGIN", "liabilities"): Outcome.NOTHING,
    }
    entries = [entry async for entry in ledger.entries(status="confirmed")]
    kinds = Counter((entry.account, entry.kind.value, entry.account_type) for entry in entries)
    assert kinds == Counter(
        [
            ("alice", "dust", "SPOT"),
            ("alice", "dust", "MARGIN"),
            ("alice", "liabilities", "MARGIN"),
            ("bob", "dust", "SPOT"),
        ]
    )


async def test_debts_are_exchanged_only_where_the_worker_allows_it(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, ledger: Ledger
) -> None:
    await start_worker([exchange.open_account("alice", debts=DEBTS)], ledger=ledger)

    found = await all_of(fleet.sweep(account_types=(), liabilities=True, **RULES))

    (report,) = found.values()
    assert report.outcome is Outcome.STOPPED
    assert isinstance(report.error, GuardError)
    assert "exchanges no debts" in str(report.error)
    assert not [seen for seen in exchange.requests if "exchange-small-liability" in seen.path]


async def test_whoever_comes_with_the_same_ledger_takes_a_sweep_up(
    exchange: Sandbox, start_worker: StartWorker, fleet: Fleet, ledger: Ledger
) -> None:
    """The program that asked died after the first account; the next one asks for all again."""
    accounts = [exchange.open_account(name, ADA="6.21", XRP="2") for name in ("alice", "bob")]
    await start_worker(accounts, ledger=ledger)
    async with fleet.sweep(["alice"], every=WEEK, keep=("XRP",), **RULES) as reports:
        first = await anext(reports)
    assert first.outcome is Outcome.CONVERTED
    assert first.next_at == first.at + WEEK
    exchange.forget_requests()

    found: dict[str, SweepReport] = {}
    async with fleet.sweep(every=WEEK, keep=("XRP",), **RULES) as reports:
        async for report in reports:
            found[report.account] = report
            if len(found) == 2:
                break

    assert found["bob"].outcome is Outcome.CONVERTED
    assert found["alice"].outcome is Outcome.RESTING
    (entry,) = [entry async for entry in ledger.entries(account="alice")]
    assert found["alice"].next_at == entry.at + WEEK + timedelta(seconds=1)
    assert not [seen for seen in exchange.requests if seen.account == "alice"]


async def test_the_outcome_of_an_exchange_of_debts_is_found_out_by_reading(
    exchange: Sandbox, start_worker: StartWorker, ledger: Ledger
) -> None:
    worker = await start_worker([exchange.open_account("alice", debts=DEBTS)], ledger=ledger)
    client = worker._clients["alice"]
    await client.server_time()
    began = client.session.now()
    exchanger = LiabilityExchanger(client, ledger=ledger)
    await exchanger.exchange(await exchanger.quote())
    sent = exchange.requests_of("POST /sapi/v1/margin/exchange-small-liability")

    asked = ConvertOptions(what="liabilities", account_type="MARGIN", target="USDT")
    report = await find_outcome(client, ledger, asked, began.timestamp())

    assert (report.outcome, report.what) == (Outcome.CONVERTED, "liabilities")
    assert [entry.kind.value for entry in report.settled] == ["liabilities"]
    assert exchange.requests_of("POST /sapi/v1/margin/exchange-small-liability") == sent


# --- the schedule, without workers ---------------------------------------------------------------


class FakeJob:
    """Which accounts a job leaves out."""

    def __init__(self, part: str, skip: Collection[str]) -> None:
        self.part, self.skip = part, set(skip)


def rounds(every: timedelta | None, *parts: str) -> Any:
    def maker(part: str) -> Any:
        return lambda skip: FakeJob(part, skip)

    return SweepRounds([maker(part) for part in parts], every=every)


def report(account: str, outcome: Outcome = Outcome.CONVERTED, **more: Any) -> SweepReport:
    return SweepReport(
        account=account,
        what="dust",
        account_type="SPOT",
        target="BNB",
        outcome=outcome,
        **{"at": datetime.now(UTC)} | more,
    )


async def test_a_single_sweep_does_each_part_once() -> None:
    jobs = rounds(None, "spot", "margin")
    seen = [jobs.job.part]
    plain = report("alice")
    assert jobs.note(plain) is plain
    while await jobs.follow():
        seen.append(jobs.job.part)

    assert seen == ["spot", "margin"]
    assert not jobs.outlives(NotSentError("no worker is there"))


async def test_accounts_whose_turn_has_not_come_are_left_out_of_the_next_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    jobs = rounds(WEEK, "spot", "margin")
    now = datetime.now(UTC)
    assert jobs.note(report("alice", at=now)).next_at == now + WEEK
    jobs.note(report("bob", Outcome.FAILED, at=now - timedelta(hours=2)))
    await jobs.follow()
    assert (jobs.job.part, jobs.job.skip) == ("margin", set())
    jobs.note(report("alice", Outcome.FAILED, at=now))  # sooner: in an hour
    await jobs.follow()

    assert (jobs.job.part, jobs.job.skip) == ("spot", {"alice"})
    assert pauses == [1.0]  # bob's turn is overdue
    jobs.note(report("bob", at=now))
    await jobs.follow()
    await jobs.follow()
    assert jobs.job.skip == {"alice", "bob"}
    assert pauses[1] == 900  # workers with more accounts may have come
    assert jobs.outlives(NotSentError("no worker is there"))


@pytest.mark.parametrize(
    "options",
    [
        {"every": timedelta(0)},
        {"every": -1.0},
        {"account_types": ()},
        {"account_types": ("FUNDING",)},
        {"gather": True},
    ],
)
def test_what_can_not_be_swept_is_refused_before_anything_is_sent(options: Any) -> None:
    with pytest.raises(ConfigurationError):
        Fleet().sweep(**options)
