"""One account's turn in a sweep: lost answers, failures and narrowed plans."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from binance_dust import (
    ConfigurationError,
    Converter,
    Ledger,
    LedgerError,
    OutcomeUnknownError,
    sweep,
)
from binance_dust.cli._moving import outcome_line
from binance_dust.ledger import Claim
from binance_dust.sweeper import Outcome, SweepReport
from binance_dust.sweeper._turn import UnderWay
from tests.conversion.scene import in_virtual_time
from tests.simulation.world import SimulatedWorld
from tests.sweeper.accounts import (
    CONVERT,
    DUST,
    all_of,
    conversions,
    open_accounts,
)


@in_virtual_time
async def test_an_accepted_call_that_did_nothing_is_no_conversion() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        clients = open_accounts(world, session, 1, ADA="6.21")
        world.exchange.faults.convert_nothing(endpoint=DUST)

        (report,) = (await all_of(sweep(clients, ledger=ledger, dry_run=False))).values()

        assert report.outcome is Outcome.FAILED
        assert report.receipt is not None
        assert not report.receipt
        assert "converted nothing" in str(report)
        assert "converted nothing" in outcome_line(report)


@in_virtual_time
async def test_a_lost_answer_is_found_out_by_reading_in_the_same_turn() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        clients = open_accounts(world, session, 3)
        world.exchange.faults.lose_answer(endpoint=DUST, account="account-1")
        world.exchange.faults.lose_answer(endpoint=DUST, account="account-2", after_executing=False)

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


@pytest.mark.parametrize(("executed", "entries"), [(True, 2), (False, 1)])
@in_virtual_time
async def test_conversions_before_a_lost_answer_are_reported(executed: bool, entries: int) -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        (client,) = open_accounts(world, session, 1)
        world.exchange.faults.lose_answer(endpoint=CONVERT, skip=1, after_executing=executed)

        reports = await all_of(sweep([client], ledger=ledger, dry_run=False, target="USDT"))

        report, account = reports[client.name], world.exchange.accounts[client.name]
        assert report.outcome is Outcome.CONVERTED
        confirmed = [entry for entry in report.settled if entry.status == "confirmed"]
        assert len(confirmed) == len(account.conversions) == entries
        assert sum(entry.net for entry in confirmed) == sum(c.net for c in account.conversions)


@pytest.mark.parametrize("well_again", [True, False])
@in_virtual_time
async def test_a_conversion_that_the_ledger_could_not_record_is_no_failure(
    well_again: bool,
) -> None:
    """A disk that fills up between the intent and the answer."""

    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        (client,) = open_accounts(world, session, 1)
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


@in_virtual_time
async def test_an_outcome_that_another_process_is_recovering_is_unknown() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        (client,) = open_accounts(world, session, 1)
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


@pytest.mark.parametrize("role", ["convert", "recover"])
@in_virtual_time
async def test_an_account_that_another_process_works_on_is_not_cooling_down(role: Any) -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        (client,) = open_accounts(world, session, 1)
        if role == "recover":
            world.exchange.faults.lose_answer(endpoint=DUST)
            converter = Converter(client, ledger=ledger)
            with pytest.raises(OutcomeUnknownError):
                await converter.convert(await converter.quote())
        another = Claim(client.name, role, "another process")
        await ledger.claim(another, now=session.machine_time(), length=timedelta(minutes=1))

        reports = await all_of(sweep([client], ledger=ledger, dry_run=False))

        report = reports[client.name]
        assert report.outcome is Outcome.BUSY
        assert report.next_at is None
        assert f"another {role} is under way" in str(report)
        assert "cooling" not in str(report)


@in_virtual_time
async def test_one_account_that_fails_does_not_end_it() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        clients = open_accounts(world, session, 4)
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


@in_virtual_time
async def test_a_plan_can_be_narrowed_before_it_is_carried_out() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        clients = open_accounts(world, session, 2)

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


class Impatient(set[Any]):
    """Tasks that nobody may ask about again and again without letting the event loop turn."""

    asked = 0

    def __len__(self) -> int:
        self.asked += 1
        assert self.asked < 100
        return super().__len__()


async def test_a_stop_at_the_moment_at_which_a_conversion_ends_does_not_spin() -> None:
    """From Python 3.12 on, `gather` of what is done does not suspend."""
    under_way = UnderWay()
    under_way._tasks = Impatient()
    ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    ended.set_result(None)
    under_way._tasks.add(ended)
    ended.add_done_callback(under_way._tasks.discard)

    await under_way.finish()

    assert not under_way._tasks
