"""The regular clean-up of many accounts, in virtual time: weeks of it in seconds."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from binance_dust import ConfigurationError, DustClient, Ledger, LedgerError, Session, sweep
from binance_dust.cli._moving import outcome_line
from binance_dust.ledger import Claim
from binance_dust.sandbox import Holding
from binance_dust.sweeper import Outcome, SweepReport
from tests.budget.virtual import run
from tests.simulation.world import World

DUST = "POST /sapi/v1/asset/dust"
CONVERT = "POST /sapi/v1/asset/dust-convert/convert"
HOUR, DAY = 3600.0, 86_400.0


def open_desk(world: World, session: Session, count: int, **balances: str) -> list[DustClient]:
    accounts = world.exchange.accounts
    held = balances or {"ADA": "6.21", "XRP": "1.5"}
    return [session.client(accounts.open(f"account-{n}", held)) for n in range(count)]


async def all_of(reports: Any) -> dict[str, SweepReport]:
    return {report.account: report async for report in reports}


def conversions(world: World) -> list[str]:
    return [name for name, endpoint in arrived(world) if endpoint == DUST]


def arrived(world: World) -> list[tuple[str, str]]:
    seen = world.exchange.requests.of()
    return [(str(request.account), f"{request.method} {request.path}") for request in seen]


def test_a_yes_that_did_nothing_is_no_conversion() -> None:
    async def main() -> None:
        world = World()
        async with world.session() as session, Ledger(":memory:") as ledger:
            clients = open_desk(world, session, 1, ADA="6.21")
            world.exchange.faults.convert_nothing(endpoint=DUST)

            (report,) = (await all_of(sweep(clients, ledger=ledger, dry_run=False))).values()

            assert report.outcome is Outcome.FAILED
            assert report.receipt is not None
            assert not report.receipt
            assert "converted nothing" in str(report)
            assert "converted nothing" in outcome_line(report)

    run(main())


def test_a_dry_run_is_the_rule_and_moves_nothing() -> None:
    async def main() -> None:
        world = World()
        async with world.session() as session, Ledger(":memory:") as ledger:
            clients = open_desk(world, session, 5)

            reports = await all_of(sweep(clients, ledger=ledger))

            assert len(reports) == 5
            for report in reports.values():
                assert report.outcome is Outcome.PLANNED
                assert report.quote is not None
                assert report.quote.assets == ("ADA", "XRP")
                assert report.receipt is None
            assert conversions(world) == []
            assert [entry async for entry in ledger.entries()] == []

    run(main())


def test_every_account_is_converted_once_and_the_ledger_agrees_with_the_exchange() -> None:
    async def main() -> None:
        world = World()
        async with world.session() as session, Ledger(":memory:") as ledger:
            clients = open_desk(world, session, 40)

            reports = await all_of(sweep(clients, ledger=ledger, dry_run=False))
            again = await all_of(sweep(clients, ledger=ledger, dry_run=False))

            assert {report.outcome for report in reports.values()} == {Outcome.CONVERTED}
            assert sorted(conversions(world)) == sorted(client.name for client in clients)
            booked = [entry async for entry in ledger.entries(status="confirmed")]
            done = [
                each
                for client in clients
                for each in world.exchange.accounts[client.name].conversions
            ]
            assert len(booked) == len(done) == 40
            assert sum(e.net for e in booked) == sum(each.gross - each.fee for each in done)
            receipts = [report.receipt for report in reports.values() if report.receipt]
            assert sum(receipt.net for receipt in receipts) == sum(e.net for e in booked)
            assert {report.outcome for report in again.values()} == {Outcome.NOTHING}

    run(main())


def test_rules_are_the_converters_and_hold_for_every_account() -> None:
    async def main() -> None:
        world = World()
        async with world.session() as session, Ledger(":memory:") as ledger:
            clients = open_desk(world, session, 3)

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

    run(main())


def test_what_is_to_be_kept_is_kept_for_every_account_also_where_it_is_named_by_an_iterator() -> (
    None
):
    async def main() -> None:
        world = World()
        async with world.session() as session, Ledger(":memory:") as ledger:
            clients = open_desk(world, session, 3)

            reports = await all_of(
                sweep(clients, ledger=ledger, dry_run=False, keep=iter(["XRP"]), concurrency=1)
            )

            assert len(reports) == 3
            assert {world.exchange.accounts[client.name].free("XRP") for client in clients} == {
                Decimal("1.5")
            }
            with pytest.raises(TypeError, match="several names"):
                sweep(clients, ledger=ledger, keep="XRP")

    run(main())


def test_a_lost_answer_is_found_out_by_reading_in_the_same_turn() -> None:
    async def main() -> None:
        world = World()
        async with world.session() as session, Ledger(":memory:") as ledger:
            clients = open_desk(world, session, 3)
            world.exchange.faults.lose_answer(endpoint=DUST, account="account-1")
            world.exchange.faults.lose_answer(
                endpoint=DUST, account="account-2", after_executing=False
            )

            reports = await all_of(sweep(clients, ledger=ledger, dry_run=False))

            executed, not_executed = reports["account-1"], reports["account-2"]
            assert executed.outcome is Outcome.CONVERTED
            assert [entry.status for entry in executed.settled] == ["confirmed"]
            assert not_executed.outcome is Outcome.FAILED
            assert [entry.status for entry in not_executed.settled] == ["rejected"]
            for told in (str(not_executed), outcome_line(not_executed)):
                assert "it was not carried out: the log does not show it" in told
                assert "unknown" not in told
            assert executed.proven_not_done is None
            assert len(world.exchange.accounts["account-1"].conversions) == 1
            assert len(world.exchange.accounts["account-2"].conversions) == 0

            # The next sweep takes up what was proven not to have happened.
            again = await all_of(sweep(clients, ledger=ledger, dry_run=False))
            assert again["account-2"].outcome is Outcome.CONVERTED
            assert len(world.exchange.accounts["account-2"].conversions) == 1

    run(main())


@pytest.mark.parametrize(("executed", "entries"), [(True, 2), (False, 1)])
def test_what_was_converted_before_an_answer_was_lost_is_reported(
    executed: bool, entries: int
) -> None:
    async def main() -> None:
        world = World()
        async with world.session() as session, Ledger(":memory:") as ledger:
            (client,) = open_desk(world, session, 1)
            world.exchange.faults.lose_answer(endpoint=CONVERT, skip=1, after_executing=executed)

            reports = await all_of(sweep([client], ledger=ledger, dry_run=False, target="USDT"))

            report, account = reports[client.name], world.exchange.accounts[client.name]
            assert report.outcome is Outcome.CONVERTED
            confirmed = [entry for entry in report.settled if entry.status == "confirmed"]
            assert len(confirmed) == len(account.conversions) == entries
            assert sum(entry.net for entry in confirmed) == sum(c.net for c in account.conversions)

    run(main())


@pytest.mark.parametrize("well_again", [True, False])
def test_what_a_ledger_could_not_take_in_is_no_failure(well_again: bool) -> None:
    """A disk that fills up between the intent and the answer."""

    async def main() -> None:
        world = World()
        async with world.session() as session, Ledger(":memory:") as ledger:
            (client,) = open_desk(world, session, 1)
            confirm = ledger.confirm

            async def full(*given: Any, **named: Any) -> Any:
                if well_again:
                    ledger.confirm = confirm  # type: ignore[method-assign]
                raise LedgerError("the disk is full", path="dust.db")

            ledger.confirm = full  # type: ignore[method-assign]

            reports = await all_of(sweep([client], ledger=ledger, dry_run=False))

            report = reports[client.name]
            assert report.outcome is (Outcome.CONVERTED if well_again else Outcome.UNKNOWN)
            assert "the disk is full" in str(report.error)
            assert len(world.exchange.accounts[client.name].conversions) == 1

    run(main())


def test_what_another_process_is_finding_out_is_unknown_and_no_rule_of_ours() -> None:
    async def main() -> None:
        world = World()
        async with world.session() as session, Ledger(":memory:") as ledger:
            (client,) = open_desk(world, session, 1)
            world.exchange.faults.lose_answer(endpoint=DUST)
            another = Claim(client.name, "recover", "another process")

            quoted = asyncio.Event()

            def choose(plan: Any) -> Any:
                quoted.set()
                return plan

            async def somebody_else() -> None:
                await quoted.wait()
                await ledger.claim(another, now=session.machine_time(), length=timedelta(hours=1))

            other = asyncio.ensure_future(somebody_else())
            reports = await all_of(sweep([client], ledger=ledger, dry_run=False, choose=choose))
            await other

            assert reports[client.name].outcome is Outcome.UNKNOWN

    run(main())


def test_one_account_that_fails_does_not_end_it() -> None:
    async def main() -> None:
        world = World()
        async with world.session() as session, Ledger(":memory:") as ledger:
            clients = open_desk(world, session, 4)
            world.exchange.faults.fail(
                400, code=-2015, msg="no", account="account-1", times=None, after_executing=False
            )
            world.exchange.faults.fail(
                400, code=-5010, msg="Price fluctuated", endpoint=DUST, account="account-2",
                after_executing=False,
            )  # fmt: skip

            reports = await all_of(sweep(clients, ledger=ledger, dry_run=False))

            assert reports["account-1"].outcome is Outcome.FAILED
            assert type(reports["account-1"].error).__name__ == "CredentialsError"
            # The price had moved: a new quote, and it went through.
            assert reports["account-2"].outcome is Outcome.CONVERTED
            assert conversions(world).count("account-2") == 2
            assert len(world.exchange.accounts["account-2"].conversions) == 1

    run(main())


@pytest.mark.parametrize("cooldown", [1, 6, 24])
def test_a_schedule_goes_on_for_days_and_respects_the_cooldown(cooldown: int) -> None:
    """Every turn of an hour's schedule lands after eligibility, and few are refused."""

    async def main() -> None:
        world = World(cooldown=cooldown * HOUR)
        async with world.session() as session, Ledger(":memory:") as ledger:
            (client,) = open_desk(world, session, 1)
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

    run(main())


def test_a_restart_goes_on_where_the_last_one_was(tmp_path: Path) -> None:
    async def life(world: World, until: float) -> list[SweepReport]:
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
        world = World()
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


def test_a_sweep_that_is_left_finishes_what_is_under_way_and_begins_nothing_new() -> None:
    async def main() -> None:
        world = World()
        async with world.session() as session, Ledger(":memory:") as ledger:
            clients = open_desk(world, session, 8)
            # One takes long, and next to it there would be time for all the others.
            world.exchange.faults.delay(20.0, endpoint=DUST, account="account-0")
            world.exchange.faults.delay(2.0, endpoint=DUST, times=None)
            reports = sweep(clients, ledger=ledger, dry_run=False, concurrency=2)
            reader = asyncio.ensure_future(anext(reports))
            await asyncio.sleep(1.5)
            began = len(conversions(world))

            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            await reports.aclose()

            assert began == 2
            booked = [entry async for entry in ledger.entries()]
            assert [entry.status for entry in booked] == ["confirmed"] * 2
            assert len(conversions(world)) == 2

    run(main())


def test_both_wallets_of_an_account_are_swept_one_after_the_other() -> None:
    async def main() -> None:
        world = World(cooldown=0.0)
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
                (report.account_type, report.receipt and report.receipt.assets)
                for report in reports
            ]
            assert done == [("SPOT", ("ADA",)), ("MARGIN", ("XRP",))]

    run(main())


def test_small_debts_are_gathered_as_well_and_accounts_without_margin_have_none() -> None:
    async def main() -> None:
        world = World()
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

    run(main())


def test_a_plan_can_be_narrowed_before_it_is_carried_out() -> None:
    async def main() -> None:
        world = World()
        async with world.session() as session, Ledger(":memory:") as ledger:
            clients = open_desk(world, session, 2)

            reports = await all_of(
                sweep(
                    clients,
                    ledger=ledger,
                    dry_run=False,
                    choose=lambda quote: quote.only("XRP" if quote.account == "account-0" else "?"),
                )
            )

            receipt = reports["account-0"].receipt
            assert receipt is not None
            assert receipt.assets == ("XRP",)
            # A name that is not in the plan stops the account: a misspelt one must not pass unseen.
            assert reports["account-1"].outcome is Outcome.FAILED
            assert isinstance(reports["account-1"].error, ConfigurationError)

    run(main())


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"every": timedelta(0)}, ConfigurationError, "longer than nothing"),
        ({"every": timedelta.max}, ConfigurationError, "calendar"),
        ({"every": 7}, TypeError, "timedelta"),
        ({"concurrency": 0}, ConfigurationError, "at least 1"),
        ({"account_types": "SPOT"}, ConfigurationError, "'SPOT' and 'MARGIN'"),
        ({"account_types": ()}, ConfigurationError, "nothing to sweep"),
        ({"account_types": ["FUNDING"]}, ConfigurationError, "'SPOT' and 'MARGIN'"),
        ({"dry_run": "no"}, TypeError, "dry_run"),
        ({"ledger": "dust.db"}, TypeError, "Ledger"),
    ],
)
def test_wrong_use_is_told_at_once(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    given = {"ledger": Ledger(":memory:")} | options

    with pytest.raises(error, match=text):
        sweep([], **given)


def test_a_report_reads_as_a_line() -> None:
    report = SweepReport(
        account="alice",
        what="dust",
        account_type="SPOT",
        target="BNB",
        outcome=Outcome.RESTING,
        at=datetime(2026, 11, 21, tzinfo=UTC),
        next_at=datetime(2026, 11, 22, tzinfo=UTC),
    )

    assert str(report) == "alice (SPOT dust): cooling down; next 2026-11-22 00:00:00 UTC"
