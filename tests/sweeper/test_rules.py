"""Which accounts a sweep leaves alone, and what it keeps: rules that look at the account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from binance_dust import ConfigurationError, Converter, DustClient, GuardError, Ledger, Quote, sweep
from binance_dust.cli._moving import outcome_line
from binance_dust.conversion import Reason
from binance_dust.fleet import Fleet
from binance_dust.fleet._conversions import report_from_plain, report_to_plain
from binance_dust.models import Delisting, Delistings, MarginDelisting
from binance_dust.sweeper import Outcome
from tests.conversion.scene import in_virtual_time
from tests.simulation.world import SimulatedWorld
from tests.sweeper.accounts import DUST, all_of, arrived, conversions, open_accounts

LOW = {"BNB": "0.05"}


@in_virtual_time
async def test_only_accounts_whose_fees_run_low_are_converted() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        clients = open_accounts(world, session, 3)
        world.exchange.accounts["account-0"].deposit("BNB", "0.05")
        world.exchange.accounts["account-1"].deposit("BNB", "0.0499")

        reports = await all_of(sweep(clients, ledger=ledger, dry_run=False, when_below=LOW))

        rich = reports["account-0"]
        assert sorted(conversions(world)) == ["account-1", "account-2"]
        assert rich.outcome is Outcome.NOT_NEEDED
        assert rich.why == "0.05 BNB is not below 0.05"
        for told in (str(rich), outcome_line(rich)):
            assert "not needed" in told
            assert "0.05 BNB is not below 0.05" in told
        assert rich.quote is not None
        left = [each for each in rich.quote.skipped if each.reason is Reason.NOT_NEEDED]
        assert sorted(each.asset for each in left) == ["ADA", "XRP"]
        # Its report travels, and the ledger knows of no call.
        assert report_from_plain(report_to_plain(rich)) == rich
        assert [entry.account async for entry in ledger.entries()] != []
        assert [entry async for entry in ledger.entries(account="account-0")] == []


@in_virtual_time
async def test_a_conversion_that_is_not_needed_any_more_is_not_sent() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        (client,) = open_accounts(world, session, 1)
        converter = Converter(client, ledger=ledger, when_below=LOW)
        quote = await converter.quote()
        world.exchange.accounts[client.name].deposit("BNB", "1")

        with pytest.raises(GuardError, match=r"not needed any more: 1 BNB is not below 0\.05"):
            await converter.convert(quote)

        assert conversions(world) == []


@pytest.mark.parametrize("is_async", [False, True])
@in_virtual_time
async def test_a_function_says_what_each_account_keeps_now(is_async: bool) -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        clients = open_accounts(world, session, 2)
        trades = {"account-0": ["ADA"], "account-1": ["ADA", "XRP"]}

        def keep(client: DustClient) -> list[str]:
            return trades[client.name]

        async def keep_later(client: DustClient) -> list[str]:
            return trades[client.name]

        rule: Any = keep_later if is_async else keep
        reports = await all_of(sweep(clients, ledger=ledger, dry_run=False, keep=rule))

        assert reports["account-0"].receipt is not None
        assert reports["account-0"].receipt.assets == ("XRP",)
        assert reports["account-1"].outcome is Outcome.NOTHING
        quote = reports["account-1"].quote
        assert quote is not None
        assert {each.reason for each in quote.skipped} == {Reason.KEPT}


@in_virtual_time
async def test_a_trade_that_opens_after_the_quote_stops_the_conversion() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        (client,) = open_accounts(world, session, 1)
        trades: list[str] = []
        converter = Converter(client, ledger=ledger, keep=lambda _: trades)
        quote = await converter.quote()
        trades.append("ADA")

        with pytest.raises(GuardError, match="ADA: kept"):
            await converter.convert(quote)

        assert conversions(world) == []


@in_virtual_time
async def test_a_bot_that_does_not_answer_stops_its_account_and_no_other() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        clients = open_accounts(world, session, 2)

        def keep(client: DustClient) -> list[str]:
            if client.name == "account-0":
                raise ConnectionRefusedError("http://bot:s3cret@10.0.0.9/api/v1/status")
            return []

        reports = await all_of(sweep(clients, ledger=ledger, dry_run=False, keep=keep))

        assert conversions(world) == ["account-1"]
        assert ("account-0", DUST) not in arrived(world)
        stopped = reports["account-0"]
        assert stopped.outcome is Outcome.STOPPED
        assert "ConnectionRefusedError" in str(stopped)
        assert "s3cret" not in str(stopped)


# --- who comes first -----------------------------------------------------------------------------

SOON = datetime(2026, 12, 5, 3, tzinfo=UTC)
SCHEDULES = Delistings(
    [
        Delisting(delist_time=SOON, symbols=["XRPUSDT", "XRPBTC", "ADAFDUSD"]),
        Delisting(delist_time=SOON - timedelta(days=1), symbols=["DOGEUSDT"]),
    ],
    [MarginDelisting(delist_time=SOON - timedelta(days=2), cross_margin_assets=["ADA"])],
)


@in_virtual_time
async def test_accounts_with_what_will_be_delisted_come_first() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        held = [{"ADA": "6"}, {"ADA": "6", "XRP": "1.5"}, {"DOGE": "9", "XRP": "1"}, {"XRP": "2"}]
        accounts = world.exchange.accounts
        clients = [
            session.client(accounts.open(f"account-{n}", each)) for n, each in enumerate(held)
        ]
        world.exchange.faults.fail(
            400, code=-1130, endpoint="POST /sapi/v3/asset/getUserAsset", account="account-3"
        )

        reports = await all_of(
            sweep(clients, ledger=ledger, dry_run=False, first=SCHEDULES, concurrency=1)
        )

        # DOGE goes a day sooner than XRP; only one pair of ADA goes. What could not be looked at
        # beforehand keeps its place among the others.
        assert conversions(world) == ["account-2", "account-1", "account-0", "account-3"]
        quotes = {name: report.quote for name, report in reports.items()}
        told = {
            name: quote.last_chances for name, quote in quotes.items() if isinstance(quote, Quote)
        }
        assert {name: [each.asset for each in those] for name, those in told.items()} == {
            "account-0": ["ADA"],
            "account-1": ["XRP", "ADA"],
            "account-2": ["DOGE", "XRP"],
            "account-3": ["XRP"],
        }
        assert "soon: XRP: convert it before 2026-12-05 03:00 UTC (XRPBTC, XRPUSDT)" in str(
            quotes["account-1"]
        )
        assert report_from_plain(report_to_plain(reports["account-1"])) == reports["account-1"]


@in_virtual_time
async def test_what_leaves_margin_puts_its_account_first_if_margin_is_swept() -> None:
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        accounts = world.exchange.accounts
        held = [
            accounts.open("first", {"XRP": "1"}),
            accounts.open("second", {}, margin={"ADA": "6"}),
        ]
        clients = [session.client(each) for each in held]
        wallets: Any = ("SPOT", "MARGIN")

        reports = [
            report.account
            async for report in sweep(
                clients, ledger=ledger, account_types=wallets, first=SCHEDULES, concurrency=1
            )
        ]

        assert reports == ["second", "second", "first", "first"]
        # Wallets of one account's own count too; a sweep of debts alone has no order to find.
        only_spot = sweep(
            clients,
            ledger=ledger,
            first=SCHEDULES,
            concurrency=1,
            account_types=wallets,
            each=lambda client: {"account_types": ("SPOT",)},
        )
        assert [report.account async for report in only_spot] == ["first", "second"]
        debts = sweep(clients, ledger=ledger, first=SCHEDULES, account_types=(), liabilities=True)
        assert len([report async for report in debts]) == 2


@in_virtual_time
async def test_accounts_may_be_named_that_come_first() -> None:
    """As an earlier scan has found them."""
    world = SimulatedWorld()
    async with world.session() as session, Ledger(":memory:") as ledger:
        clients = open_accounts(world, session, 4)

        names = iter(["account-3", "nobody", "account-1"])
        swept = sweep(clients, ledger=ledger, first=names, concurrency=1)
        reports = [report.account async for report in swept]

        assert reports == ["account-3", "account-1", "account-0", "account-2"]
        for wrong in ("account-3", [1], 5):
            with pytest.raises(TypeError):
                sweep(clients, ledger=ledger, first=wrong)  # type: ignore[arg-type]


def test_schedules_do_not_travel_with_a_fleet() -> None:
    with pytest.raises(ConfigurationError, match="takes no delistings"):
        Fleet().sweep(delistings=SCHEDULES)
    with pytest.raises(ConfigurationError, match="a function stays where it is"):
        Fleet().sweep(keep=lambda client: [])
