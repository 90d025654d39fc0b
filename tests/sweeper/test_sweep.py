"""The regular clean-up of many accounts, in virtual time: weeks of it in seconds."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from binance_dust import ConfigurationError, Ledger, Receipt, sweep
from binance_dust.sandbox import Holding
from binance_dust.sweeper import Outcome, SweepReport
from tests.budget.virtual import run
from tests.conversion.scene import Scene, in_virtual_time
from tests.simulation.world import SimulatedWorld
from tests.sweeper.accounts import (
    DAY,
    DUST,
    HOUR,
    all_of,
    conversions,
    open_accounts,
)


@in_virtual_time
async def test_a_cooling_account_without_dust_is_reported_with_its_next_time() -> None:
    scene = Scene()
    async with scene.process() as process:
        for outcomes in ([Outcome.CONVERTED], [Outcome.NOTHING]):
            async with sweep([process.client], ledger=process.ledger, dry_run=False) as reports:
                found = [report async for report in reports]
            assert [report.outcome for report in found] == outcomes
        assert found[0].next_at == found[0].quote.eligible_at is not None  # type: ignore[union-attr]
        scene.alice.deposit("ADA", "5")
        async with sweep([process.client], ledger=process.ledger, dry_run=False) as reports:
            assert [report.outcome async for report in reports] == [Outcome.RESTING]


@in_virtual_time
async def test_a_dry_run_is_the_default_and_moves_nothing() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        clients = open_accounts(world, session, 5)

        reports = await all_of(sweep(clients, ledger=ledger))

        assert len(reports) == 5
        for report in reports.values():
            assert report.outcome is Outcome.PLANNED
            assert report.quote is not None
            assert report.quote.assets == ("ADA", "XRP")
            assert report.receipt is None
        assert conversions(world) == []
        assert [entry async for entry in ledger.entries()] == []


@in_virtual_time
async def test_every_account_is_converted_once_and_the_ledger_agrees_with_the_exchange() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        clients = open_accounts(world, session, 40)

        reports = await all_of(sweep(clients, ledger=ledger, dry_run=False))
        again = await all_of(sweep(clients, ledger=ledger, dry_run=False))

        assert {report.outcome for report in reports.values()} == {Outcome.CONVERTED}
        assert sorted(conversions(world)) == sorted(client.name for client in clients)
        booked = [entry async for entry in ledger.entries(status="confirmed")]
        done = [
            each for client in clients for each in world.exchange.accounts[client.name].conversions
        ]
        assert len(booked) == len(done) == 40
        assert sum(e.net for e in booked) == sum(each.gross - each.fee for each in done)
        receipts = [each.receipt for each in reports.values() if isinstance(each.receipt, Receipt)]
        assert sum(receipt.net for receipt in receipts) == sum(e.net for e in booked)
        assert {report.outcome for report in again.values()} == {Outcome.NOTHING}


@in_virtual_time
async def test_rules_are_the_converters_and_hold_for_every_account() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        clients = open_accounts(world, session, 3)

        reports = await all_of(
            sweep(clients, ledger=ledger, dry_run=False, keep=["XRP"], max_fee_rate="0.03")
        )

        for report in reports.values():
            assert report.receipt is not None
            assert report.receipt.assets == ("ADA",)
            assert report.quote is not None
            assert [str(s.reason) for s in report.quote.why_not("XRP")] == ["kept"]
        with pytest.raises(ConfigurationError, match="max_fee_rate"):
            await all_of(sweep(clients, ledger=ledger, max_fee_rate="much"))


@in_virtual_time
async def test_keep_holds_for_every_account_even_if_it_is_an_iterator() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        clients = open_accounts(world, session, 3)

        reports = await all_of(
            sweep(clients, ledger=ledger, dry_run=False, keep=iter(["XRP"]), concurrency=1)
        )

        assert len(reports) == 3
        assert {world.exchange.accounts[client.name].free("XRP") for client in clients} == {
            Decimal("1.5")
        }
        with pytest.raises(TypeError, match="several names"):
            sweep(clients, ledger=ledger, keep="XRP")


@pytest.mark.long
@pytest.mark.parametrize("cooldown", [1, 6, 24])
@in_virtual_time
async def test_a_schedule_goes_on_for_days_and_respects_the_cooldown(cooldown: int) -> None:
    """Every turn of an hour's schedule lands after eligibility, and few are refused."""

    world = SimulatedWorld(cooldown=cooldown * HOUR)
    async with world.session() as session, Ledger(":memory:") as ledger:
        (client,) = open_accounts(world, session, 1)
        account = world.exchange.accounts[client.name]
        times: list[float] = []
        async with sweep(
            [client], ledger=ledger, dry_run=False, every=timedelta(hours=1), cooldown=0
        ) as reports:
            async for report in reports:
                assert report.next_at is not None
                assert report.next_at > report.at
                if report.outcome is Outcome.CONVERTED:
                    times.append(world.loop.time())
                account.spot["ADA"] = Holding("6.21")
                if world.loop.time() > 5 * DAY:
                    break

        gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
        assert len(times) > 3
        assert min(gaps) >= cooldown * HOUR
        assert max(gaps[1:]) < cooldown * HOUR * 1.2 + HOUR
        assert len(account.conversions) == len(times)


def test_a_restart_goes_on_where_the_last_one_was(tmp_path: Path) -> None:
    async def life(world: SimulatedWorld, until: float) -> list[SweepReport]:
        seen = []
        async with world.session() as session, Ledger(tmp_path / "dust.db") as ledger:
            client = session.client(account)
            reports = sweep([client], ledger=ledger, dry_run=False, every=timedelta(days=7))

            async def read() -> None:
                async with reports:
                    async for report in reports:
                        seen.append(report)
                        world.exchange.accounts["alice"].spot["ADA"] = Holding("3")

            reader = asyncio.create_task(read())
            await asyncio.sleep(until - world.loop.time())
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        return seen

    account: Any = None

    async def main() -> None:
        nonlocal account
        world = SimulatedWorld()
        account = world.exchange.accounts.open("alice", {"ADA": "6.21"})

        first = await life(world, 2 * DAY)
        second = await life(world, 5 * DAY)
        third = await life(world, 9 * DAY)

        assert [report.outcome for report in first] == [Outcome.CONVERTED]
        assert second == []
        assert [report.outcome for report in third] == [Outcome.CONVERTED]
        first_time, second_time = (c.at_ms for c in world.exchange.accounts["alice"].conversions)
        week = timedelta(days=7) / timedelta(milliseconds=1)
        assert week <= second_time - first_time < week + 60_000

    run(main())


@in_virtual_time
async def test_a_sweep_that_is_left_finishes_what_is_under_way_and_begins_nothing_new() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        clients = open_accounts(world, session, 8)
        # One takes long, and next to it there would be time for all the others.
        world.exchange.faults.delay(20.0, endpoint=DUST, account="account-0")
        world.exchange.faults.delay(2.0, endpoint=DUST, times=None)
        reports = sweep(clients, ledger=ledger, dry_run=False, concurrency=2)
        reader = asyncio.ensure_future(anext(reports))
        await asyncio.sleep(6.5)
        began = len(conversions(world))

        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await reports.aclose()

        assert 2 <= began < 8, "one is under way still"
        booked = [entry async for entry in ledger.entries()]
        assert [entry.status for entry in booked] == ["confirmed"] * began
        assert len(conversions(world)) == began


@in_virtual_time
async def test_both_wallets_of_an_account_are_swept_one_after_the_other() -> None:
    world = SimulatedWorld(cooldown=0.0)
    async with world.session() as session, Ledger(":memory:") as ledger:
        account = world.exchange.accounts.open("alice", {"ADA": "6.21"}, margin={"XRP": "2.5"})

        sweeping = sweep(
            [session.client(account)],
            ledger=ledger,
            dry_run=False,
            account_types=("SPOT", "MARGIN"),
        )
        reports = [report async for report in sweeping]

        done = [
            (report.account_type, report.receipt and report.receipt.assets) for report in reports
        ]
        assert done == [("SPOT", ("ADA",)), ("MARGIN", ("XRP",))]


@in_virtual_time
async def test_small_debts_are_gathered_as_well_and_accounts_without_margin_have_none() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        accounts = world.exchange.accounts
        owing = accounts.open("alice", {}, debts={"ETH": "0.001", "XRP": "1"})
        without = accounts.open("bob", {})

        sweeping = sweep(
            [session.client(owing), session.client(without)],
            ledger=ledger,
            dry_run=False,
            account_types=(),
            liabilities=True,
        )
        reports = {report.account: report async for report in sweeping}

        assert reports["alice"].outcome is Outcome.CONVERTED
        assert reports["alice"].what == "liabilities"
        assert reports["alice"].target == "USDT"
        assert reports["bob"].outcome is Outcome.NOTHING
        (entry,) = [entry async for entry in ledger.entries()]
        assert (entry.kind, entry.status, set(entry.assets)) == (
            "liabilities",
            "confirmed",
            {"ETH", "XRP"},
        )


@pytest.mark.parametrize(("cooldown", "times"), [(0, 2), (DAY, 1)])
@in_virtual_time
async def test_the_rules_of_a_sweep_hold_for_debts_too(cooldown: Any, times: int) -> None:
    world = SimulatedWorld(liability_cooldown=0.0)
    async with world.session() as session, Ledger(":memory:") as ledger:
        account = world.exchange.accounts.open("alice", {}, debts={"ETH": "0.001", "XRP": "1"})
        options: Any = {"account_types": (), "liabilities": True, "cooldown": cooldown}
        for _ in range(2):
            sweeping = sweep(
                [session.client(account)], ledger=ledger, dry_run=False, quote_ttl=7, **options
            )
            (report,) = [report async for report in sweeping]
            assert report.quote is not None
            assert report.quote.expires_at - report.quote.at == timedelta(seconds=7)
            world.exchange.accounts["alice"].owe("ETH", "0.001")
            await asyncio.sleep(60)

        assert len([entry async for entry in ledger.entries(status="confirmed")]) == times


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"every": timedelta(0)}, ConfigurationError, "longer than nothing"),
        ({"every": timedelta.max}, ConfigurationError, "calendar"),
        ({"every": "7"}, TypeError, "timedelta or seconds"),
        ({"concurrency": 0}, ConfigurationError, "at least 1"),
        ({"account_types": "SPOT"}, TypeError, "a collection"),
        ({"account_types": ()}, ConfigurationError, "nothing to sweep"),
        ({"account_types": ["FUNDING"]}, ConfigurationError, "SPOT or MARGIN"),
        ({"dry_run": "no"}, TypeError, "dry_run"),
        ({"ledger": "dust.db"}, TypeError, "Ledger"),
    ],
)
def test_misuse_is_rejected_at_once(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    given = {"ledger": Ledger(":memory:")} | options

    with pytest.raises(error, match=text):
        sweep([], **given)
