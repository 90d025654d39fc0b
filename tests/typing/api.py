"""The public face as a type checker sees it. Never run: `nox -s types` reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import assert_type

from binance_dust import (
    AccountReport,
    Converter,
    Credentials,
    DustClient,
    DustError,
    ExchangeError,
    Ledger,
    LedgerEntry,
    NotConvertibleError,
    OutcomeUnknownError,
    Quote,
    RateLimitedError,
    RateLimits,
    Receipt,
    RetryPolicy,
    Session,
    estimate_scan,
    models,
    scan,
    sweep,
)
from binance_dust.budget import BudgetSnapshot, RedisBudget
from binance_dust.conversion import LiabilityExchanger, LiabilityQuote
from binance_dust.credentials import Accounts
from binance_dust.ledger import Cooldowns, Exported, Missing, SyncReport, Total, chart
from binance_dust.reports import Settled
from binance_dust.sandbox import Sandbox
from binance_dust.scanner import ScanEstimate
from binance_dust.signers import Command, Signer, SshAgent, VaultTransit
from binance_dust.sweeper import SweepReport


async def everything_has_its_type() -> None:
    session = Session(limits=RateLimits(headroom=0.1), retry=RetryPolicy(deadline=30))
    async with RedisBudget("redis://127.0.0.1", name="203.0.113.7", share=0.2) as budget:
        assert_type(budget, RedisBudget)
        assert_type(await budget.refresh(), BudgetSnapshot)
        Session(budget=budget)
    client = session.client(Credentials("key", "secret", name="alice"))
    assert_type(client, DustClient)
    elsewhere = Credentials("key", signer=SshAgent("desk.pub"), name="desk")
    assert_type(elsewhere.signer, Signer | None)
    vault: Signer = VaultTransit("https://vault.internal:8200", "desk")
    Credentials("key", signer=vault)
    Credentials("key", signer=Command(["sign"], timeout=2))
    assert_type(Credentials.load("accounts.toml"), Accounts)
    assert_type(Credentials.load("accounts.toml")["alice"], Credentials)

    assets = await client.user_assets(btc_valuation=True)
    assert_type(assets, list[models.UserAsset])
    assert_type(assets[0].free, Decimal)
    assert_type(await client.convertible_assets("BNB"), models.ConvertibleAssets)
    done = await client.dust_convert(["ADA"], target="USDT", account_type="SPOT")
    assert_type(done, models.DustConversion)
    assert_type(done.net_amount, Decimal)
    assert_type(done.transfer_result[0].operate_time, datetime | None)
    assert_type(await client.dust_transfer(("ADA", "XRP")), models.DustConversion)
    assert_type(await client.dust_assets(account_type="MARGIN"), models.DustAssets)
    log = await client.dust_log(start=datetime.now(UTC))
    assert_type(log.user_asset_dribblets[0].operate_time, datetime | None)
    assert_type(await client.small_liabilities(), list[models.SmallLiability])
    history = client.small_liability_history()
    assert_type(history, AsyncIterator[models.SmallLiabilityExchange])
    assert_type(await client.set_bnb_burn(spot=True), models.BnbBurn)
    assert_type(await client.key_permissions(), models.KeyPermissions)
    assert_type(await client.margin_account(), models.MarginAccount)
    assert_type((await client.server_time()).server_time, datetime)

    (wallet,) = await client.wallet_balances(details=True)
    assert_type(wallet.asset_balances, list[models.WalletAsset] | None)
    assert_type((await client.funding_assets())[0].total, Decimal)
    assert_type(await client.transfer("ADA", Decimal("6.21")), int)
    transfers = client.transfers(kind="FUNDING_MAIN")
    assert_type(transfers, AsyncIterator[models.TransferRecord])
    assert_type(client.capital_flow(), AsyncIterator[models.CapitalFlow])
    assert_type(await client.repay("ETH", Decimal(1)), int)
    assert_type(await client.convert_quote("ADA", "BNB", amount=Decimal(80)), models.ConvertQuote)
    assert_type(await client.convert_pairs(to_asset="BNB"), list[models.ConvertPair])
    assert_type(await client.convert_accept("1"), models.ConvertOrder)
    await client.transfer("ADA", 0.1)  # type: ignore[arg-type]

    await client.convertible_assets("BNB", account_type="FUNDING")  # type: ignore[arg-type]
    await client.convertible_assets("BNB", price=0.1)  # type: ignore[arg-type]
    await client.user_assets("ADA")  # type: ignore[call-arg]
    await client.dust_log(start="2026-01-01")  # type: ignore[arg-type]
    assets[0].free = Decimal(1)  # type: ignore[misc]


def errors_carry_what_it_takes(error: Exception) -> None:
    if isinstance(error, ExchangeError):
        assert_type(error.code, int | str | None)
        assert_type(error.status, int)
    if isinstance(error, RateLimitedError):
        assert_type(error.retry_after, float | None)
    if isinstance(error, NotConvertibleError):
        assert_type(error.assets, tuple[str, ...])
    if isinstance(error, OutcomeUnknownError):
        assert_type(error.expires_at, datetime)
        assert_type(error.parameters, dict[str, str])


async def the_books_too(client: DustClient) -> None:
    async with Ledger("dust.db") as ledger:
        report = await ledger.sync(client, account_types=["SPOT"], since=datetime.now(UTC))
        assert_type(report, SyncReport)
        assert_type(report.missing, tuple[Missing, ...])
        assert_type(await ledger.export_csv("books.csv", style="koinly"), Exported)
        assert_type(await ledger.export_journal("books.journal", style="hledger"), Exported)
        await ledger.export_journal("books.journal", style="ledger")  # type: ignore[arg-type]
        totals = await ledger.totals("asset")
        assert_type(totals, list[Total])
        assert_type(totals[0].net, Decimal)
        assert_type(chart(totals), str)
        assert_type((await ledger.cooldowns()), Cooldowns)

        await ledger.export_csv("books.csv", style="excel")  # type: ignore[arg-type]
        await ledger.totals("week")  # type: ignore[arg-type]
        await ledger.sync(client, account_types=["FUNDING"])  # type: ignore[list-item]


async def the_sandbox_too() -> None:
    async with Sandbox(seed=7, window=2.0) as exchange:
        assert_type(exchange.url, str)
        assert_type(exchange.open_account("alice", ADA="6.21"), Credentials)


async def many_accounts(clients: list[DustClient], source: AsyncIterator[DustClient]) -> None:
    assert_type(estimate_scan(clients, liabilities=True), ScanEstimate)
    async for report in scan(clients, liabilities="auto"):
        assert_type(report, AccountReport)
        assert_type(report.assets, list[models.UserAsset])
        assert_type(report.quote, models.ConvertibleAssets | None)
        assert_type(report.settled_by, Settled | None)
        assert_type(report.errors["quote"], DustError)
        assert_type(report.net, Decimal)
    reports = scan(source)
    assert_type(reports.progress.seconds_left, float | None)
    scan(clients, liabilities="sometimes")  # type: ignore[arg-type]
    scan(clients, concurrency="many")  # type: ignore[arg-type]
    delistings = await clients[0].delistings()
    assert_type(delistings, models.Delistings)
    assert_type(delistings.of("ADA"), models.LastChance | None)
    scan(clients, delistings=delistings)
    scan(clients, delistings=True, elsewhere=True)
    scan(clients, delistings="ADA")  # type: ignore[arg-type]


async def funds(client: DustClient, ledger: Ledger) -> None:
    converter = Converter(client, ledger=ledger, keep=["BNB"], max_fee_rate="0.03")
    quote = await converter.quote()
    assert_type(quote, Quote)
    assert_type(quote.only("ADA"), Quote)
    receipt = await converter.convert(quote)
    assert_type(receipt, Receipt)
    assert_type(receipt.net, Decimal)
    async for report in sweep([client], ledger=ledger, dry_run=False, target="USDT"):
        assert_type(report, SweepReport)
    Converter(client)  # type: ignore[call-arg]

    async def trades(client: DustClient) -> set[str]:
        return {client.name}

    Converter(client, ledger=ledger, keep=trades, when_below={"BNB": "0.05"})
    sweep([client], ledger=ledger, keep=lambda client: [client.name], first=["alice"])
    LiabilityExchanger(client, ledger=ledger, keep=trades)
    Converter(client, ledger=ledger, when_below={"BNB": 0.05})  # type: ignore[dict-item]
    Converter(client, ledger=ledger, keep=lambda: ["ADA"])  # type: ignore[arg-type,misc]
    assert_type(quote.last_chances, tuple[models.LastChance, ...])
    sweep([client], ledger=ledger, targett="USDT")  # type: ignore[call-arg]


async def books(client: DustClient, ledger: Ledger) -> None:
    converter = Converter(client, ledger=ledger, account_type="MARGIN", cooldown=timedelta(hours=1))
    assert_type(await converter.recover(), list[LedgerEntry])
    assert_type(await converter.next_eligible_at(), datetime)
    exchanger = LiabilityExchanger(client, ledger=ledger)
    debts = await exchanger.quote()
    assert_type(debts.without("ETH"), LiabilityQuote)
    assert_type(await exchanger.exchange(debts), Receipt)
    async for entry in ledger.entries(status=("intended", "unknown"), kind="dust"):
        assert_type(entry.transaction_id, int | None)
        assert_type(entry.net, Decimal)
    ledger.entries(status="done")  # type: ignore[arg-type]
    Converter(client, ledger=ledger, max_fee_rate=0.03)  # type: ignore[arg-type]
    await converter.convert(debts)  # type: ignore[arg-type]
