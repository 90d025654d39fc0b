"""A desk's bot, as four type checkers see it: `nox -s types` reads it, and nothing runs it.

It says no type twice, and needs no `cast` and no `ignore`: what checkers infer is what they check.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from binance_dust import (
    AccountReport,
    Accounts,
    BannedError,
    BudgetExceededError,
    ConfigurationError,
    Converter,
    CooldownError,
    Credentials,
    DustClient,
    DustError,
    GuardError,
    Ledger,
    LedgerEntry,
    LiabilityExchanger,
    LiabilityQuote,
    NotConvertibleError,
    Outcome,
    OutcomeUnknownError,
    Quote,
    QuoteLine,
    RateLimitedError,
    RateLimits,
    Reason,
    Receipt,
    RepaymentQuote,
    RetryPolicy,
    ScanProgress,
    Session,
    Skipped,
    SweepReport,
    SyncReport,
    Total,
    estimate_scan,
    events,
    models,
    scan,
    sweep,
)

log = logging.getLogger("desk")


@dataclass
class Night:
    """What one night has shown."""

    worth: dict[str, Decimal] = field(default_factory=dict)
    owed: Counter[str] = field(default_factory=Counter)
    failed: dict[str, list[str]] = field(default_factory=dict)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    unknown: list[int] = field(default_factory=list)

    def note(self, report: AccountReport) -> None:
        """Take in what a scan has found."""
        if report.ok:
            self.worth[report.account] = report.net
        else:
            self.failed[report.account] = [advice(error) for error in report.errors.values()]
        self.owed.update(row.asset for row in report.liabilities)

    @property
    def total(self) -> Decimal:
        """What all accounts together would bring."""
        return sum(self.worth.values(), Decimal(0))


def advice(error: DustError) -> str:
    """Say in a few words what to do about an error."""
    match error:
        case RateLimitedError(retry_after=float(seconds)):
            text = f"wait {seconds:.0f} s"
        case BannedError(until=datetime() as until):
            text = f"wait until {until:%T}"
        case BudgetExceededError():
            text = f"{error.pool} has room in {error.retry_after:.0f} s"
        case CooldownError():
            text = "cooling down" if error.retry_at is None else f"again at {error.retry_at:%T}"
        case NotConvertibleError():
            text = f"leave out {', '.join(error.assets)}"
        case OutcomeUnknownError():
            text = f"recover entries {', '.join(map(str, error.entry_ids))}"
        case GuardError(busy=True):
            text = "another process is at it"
        case ConfigurationError():
            text = "correct the settings"
        case _:
            text = str(error)
    return text


def watch(event: events.Event) -> None:
    """Log what takes long or goes wrong."""
    match event:
        case events.Waited(pool=pool, seconds=seconds) if seconds > 1:
            log.info("waited %.1f s for %s", seconds, pool)
        case events.Banned():
            log.error("banned")
        case _:
            pass


def cheap_enough(quote: Quote, most: Decimal) -> Quote:
    """Leave out what costs more than a part of its gross."""
    dear: Iterable[QuoteLine] = (line for line in quote.lines if line.fee_rate > most)
    return quote.without(*(line.asset for line in dear))


def stuck(quote: Quote | LiabilityQuote | RepaymentQuote) -> Mapping[Reason, list[Skipped]]:
    """Sort what stays by its reason."""
    found: dict[Reason, list[Skipped]] = {}
    for skipped in quote.skipped:
        found.setdefault(skipped.reason, []).append(skipped)
    return found


async def look(clients: list[DustClient], night: Night) -> ScanProgress:
    """Scan, and say meanwhile how far it is."""
    estimate = estimate_scan(clients, liabilities="auto")
    log.info("about %.0f s", estimate.seconds)
    reports = scan(clients, target="BNB", liabilities="auto", elsewhere=True)
    async for report in reports:
        night.note(report)
        left: float | None = reports.progress.seconds_left
        log.info("%s: %s, %s s left", report.account, report.net, left)
        held: list[models.UserAsset] = report.assets
        log.debug("%s holds %d assets", report.account, len(held))
    return reports.progress


async def one(client: DustClient, ledger: Ledger) -> Receipt | None:
    """Convert the dust of one account, carefully."""
    converter = Converter(client, ledger=ledger, keep=["USDT"], cooldown=timedelta(hours=6))
    settled: list[LedgerEntry] = await converter.recover()
    if any(entry.open for entry in settled):
        return None
    quote = cheap_enough(await converter.quote(), Decimal("0.03"))
    if not quote:
        log.info("%s: again at %s", client.name, quote.eligible_at)
        return None
    try:
        receipt = await converter.convert(quote)
    except OutcomeUnknownError as error:
        log.warning("%s until %s", error.reason, error.expires_at)
        return None
    log.info("%s brought %s, %s expected", receipt.transaction_ids, receipt.net, quote.net)
    return receipt if receipt.complete else None


async def debts(client: DustClient, ledger: Ledger) -> Decimal:
    """Gather the small debts of one account into one."""
    exchanger = LiabilityExchanger(client, ledger=ledger)
    plan = await exchanger.quote()
    if plan:
        await exchanger.exchange(plan.only(*plan.assets[:10]))
    return plan.worth


async def sweep_all(clients: AsyncIterator[DustClient], ledger: Ledger, night: Night) -> None:
    """Convert everywhere, and remember what is not known."""
    async with sweep(clients, ledger=ledger, dry_run=False, min_value="0.0001") as reports:
        async for report in reports:
            night.outcomes[report.outcome] += 1
            night.unknown += [entry.id for entry in report.unsettled]
            log.info("%s", said(report))


def said(report: SweepReport) -> str:
    """Say how a turn ended."""
    if report.quote is not None and report.outcome is Outcome.NOTHING:
        return f"{report.account}: {', '.join(stuck(report.quote))}"
    return str(report)


async def books(clients: list[DustClient], ledger: Ledger, where: Path) -> list[Total]:
    """Bring the books up to date, and write them."""
    for client in clients:
        report: SyncReport = await ledger.sync(client, since=datetime.now(UTC) - timedelta(days=7))
        for gap in report.missing:
            log.warning("%s", gap)
    exported = await ledger.export_csv(where, style="koinly")
    log.info("%d rows", exported.rows)
    return await ledger.totals("month")


async def main(accounts: Accounts, ledger_path: Path, *, proxy: str | None = None) -> Night:
    """Spend one night."""
    night = Night()
    retry = RetryPolicy(attempts=4, deadline=120)
    limits = RateLimits(headroom=0.1)
    async with (
        Session(limits=limits, retry=retry, proxy=proxy, observer=watch) as session,
        Ledger(ledger_path) as ledger,
    ):
        clients = [session.client(each) for each in accounts]
        await look(clients, night)

        async def wealthy() -> AsyncIterator[DustClient]:
            for client in clients:
                if night.worth.get(client.name, Decimal(0)) > Decimal("0.001"):
                    yield client

        await sweep_all(wealthy(), ledger, night)
        for total in await books(clients, ledger, ledger_path.with_suffix(".csv")):
            log.info("%s: %s %s, fee %s", total.key, total.net, total.target, total.fee)
        pools = session.budget.snapshot().pools
        log.info("%s", {pool.name: pool.used for pool in pools})
    return night


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("accounts", type=Path)
    options = parser.parse_args()
    asyncio.run(main(Credentials.load(options.accounts), Path("dust.db")))
