"""A sweep that gathers, sells what is too much for dust, and pays debts to the end."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from binance_dust import ConfigurationError, Ledger, Receipt, RepaymentReceipt, sweep
from binance_dust.cli._moving import outcome_line
from binance_dust.fleet import Fleet
from binance_dust.fleet._conversions import report_from_plain, report_to_plain
from binance_dust.ledger import Kind
from binance_dust.sandbox import Permissions
from binance_dust.sweeper import Outcome, SweepReport
from tests.conversion.scene import in_virtual_time
from tests.simulation.world import SimulatedWorld

RULES: dict[str, Any] = {"gather": True, "above": "convert", "above_max": "2"}
REPAY = "/sapi/v1/margin/borrow-repay"
ACCEPT = "/sapi/v1/convert/acceptQuote"


def world_with_everything() -> tuple[SimulatedWorld, Any]:
    """Open an account with dust in two wallets, too much of an asset, and three debts."""
    world = SimulatedWorld(volatility="0", cooldown=0)
    opened = world.exchange.accounts.open(
        "alice",
        {"ADA": "6.21", "LTC": "2"},
        funding={"DOGE": "20"},
        margin={"USDT": "50", "TRX": "7.5"},
        debts={"ETH": "0.001", "XRP": "0.5", "BTC": "0.001"},
        permissions=Permissions(universal_transfer=True),
    )
    return world, opened


async def swept(reports: Any) -> dict[str, SweepReport]:
    return {f"{each.account_type} {each.what}": each async for each in reports}


@in_virtual_time
async def test_everything_small_is_gone_in_one_turn() -> None:
    world, opened = world_with_everything()
    async with world.session() as session, Ledger(":memory:") as ledger:
        client = session.client(opened)
        options: Any = {
            "account_types": ("SPOT", "MARGIN"),
            "liabilities": True,
            "repay": True,
            "keep": ("USDC",),
            **RULES,
        }
        planned = await swept(sweep([client], ledger=ledger, **options))
        assert [entry async for entry in ledger.entries()] == []
        assert {each.outcome for each in planned.values()} == {Outcome.PLANNED, Outcome.NOTHING}

        done = await swept(sweep([client], ledger=ledger, dry_run=False, **options))

        alice = world.exchange.accounts["alice"]
        assert alice.margin is not None
        # The small debts became one of USDT, and that was paid. The debt of BTC is too large.
        assert set(alice.margin.debts) == {"BTC"}
        assert list(done) == [
            "SPOT dust",
            "MARGIN dust",
            "MARGIN liabilities",
            "MARGIN repayments",
        ]
        assert {each.outcome for each in done.values()} == {Outcome.CONVERTED}
        spot, repaid = done["SPOT dust"].receipt, done["MARGIN repayments"].receipt
        assert isinstance(spot, Receipt)
        assert set(spot.assets) == {"ADA", "DOGE", "LTC"}
        assert isinstance(repaid, RepaymentReceipt)
        assert repaid.assets == ("USDT",)
        assert "1 debt paid" in str(done["MARGIN repayments"])
        kinds = [entry.kind async for entry in ledger.entries()]
        assert sorted(kinds) == sorted(
            [
                *[Kind.DUST, Kind.DUST, Kind.LIABILITIES],
                *[Kind.REPAYMENT, Kind.SALE, Kind.TRANSFER],
            ]
        )
        for report in (planned["SPOT dust"], done["SPOT dust"]):  # debts travel with no fleet
            assert report_from_plain(report_to_plain(report)) == report
            assert report.outcome in outcome_line(report)


@in_virtual_time
async def test_a_lost_answer_of_each_kind_is_settled_in_its_turn() -> None:
    for path, what, kind in (
        ("/sapi/v1/asset/transfer", "SPOT dust", Kind.TRANSFER),
        (ACCEPT, "SPOT dust", Kind.SALE),
        (REPAY, "MARGIN repayments", Kind.REPAYMENT),
    ):
        world, opened = world_with_everything()
        async with world.session() as session, Ledger(":memory:") as ledger:
            client = session.client(opened)
            world.exchange.faults.lose_answer(endpoint=path)
            done = await swept(
                sweep([client], ledger=ledger, dry_run=False, liabilities=True, repay=True, **RULES)
            )

            (entry,) = [each async for each in ledger.entries(kind=kind)]
            assert (entry.status, done[what].outcome) == ("confirmed", Outcome.CONVERTED)
            assert entry in done[what].settled


@in_virtual_time
async def test_an_open_entry_blocks_only_what_moves_the_same_funds() -> None:
    world, opened = world_with_everything()
    async with world.session() as session, Ledger(":memory:") as ledger:
        client = session.client(opened)
        world.exchange.faults.lose_answer(after_executing=True, endpoint="/sapi/v1/asset/transfer")
        world.exchange.faults.fail(
            400, code=-1130, after_executing=False, endpoint="GET /sapi/v1/asset/transfer"
        )
        (first,) = (await swept(sweep([client], ledger=ledger, dry_run=False, **RULES))).values()
        assert first.outcome in (Outcome.UNKNOWN, Outcome.CONVERTED)
        assert world.exchange.accounts["alice"].free("DOGE") == Decimal(20)


async def test_what_is_for_the_spot_wallet_is_refused_without_it() -> None:
    async with Ledger(":memory:") as ledger:
        for rules in ({"gather": True}, {"above": "convert", "above_max": 1}):
            with pytest.raises(ConfigurationError, match="spot wallet"):
                sweep([], ledger=ledger, account_types=("MARGIN",), **rules)
        with pytest.raises(TypeError, match="repay"):
            sweep([], ledger=ledger, repay="yes")  # type: ignore[arg-type]


def test_a_fleet_does_neither_and_says_so() -> None:
    for rules in ({"gather": True}, {"above": "convert", "above_max": "1"}):
        with pytest.raises(ConfigurationError, match="it converts dust alone"):
            Fleet().sweep(**rules)
