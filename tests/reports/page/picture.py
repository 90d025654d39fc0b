"""Takes the picture of a report for README and docs: `python -m tests.reports.page.picture`.

The accounts are those of a sandbox, really scanned. The past that the ledger would remember is made
up, by seed. Needs Chromium, and writes the pictures to docs/pictures.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from binance_dust import Credentials, Session
from binance_dust.reports import write_page
from binance_dust.sandbox import Sandbox
from binance_dust.scanner import scan
from tests.reports.page.browser import Browser
from tests.reports.page.samples import entry

if TYPE_CHECKING:
    from binance_dust.ledger import LedgerEntry
    from binance_dust.reports import AccountReport

PICTURES: Final = Path(__file__).parents[3] / "docs" / "pictures"
ACCOUNTS: Final = 60
MONTHS: Final = 22
NOW: Final = datetime(2026, 11, 21, 9, tzinfo=UTC)
SIZE: Final = (1280, 815)


async def read_accounts() -> list[AccountReport]:
    """Scan a sandbox's accounts, one of them with a key that is not its own."""
    async with Sandbox(seed=7) as exchange, Session(base_url=exchange.url) as session:
        known = exchange.open_accounts(ACCOUNTS)
        known[7] = Credentials(known[7].api_key, "mistyped", name=known[7].name)
        clients = [session.client(credentials) for credentials in known]
        return [report async for report in scan(clients, liabilities=True)]


def remember(reports: list[AccountReport]) -> list[LedgerEntry]:
    """Make up a past: every month some accounts converted something."""
    chance = random.Random(7)  # noqa: S311 - made-up data
    names = [report.account for report in reports]
    entries: list[LedgerEntry] = []
    for month in range(MONTHS):
        for _ in range(chance.randint(8, 30)):
            gross = Decimal(chance.randint(200_000, 900_000)).scaleb(-8)
            at = NOW - timedelta(days=30.4 * month + chance.random() * 20)
            fee = (gross / 50).quantize(Decimal("1E-8"))
            one = (chance.choice(names), at, f"{gross:f}", f"{fee:f}")
            entries.append(entry(len(entries) + 1, *one))
    return entries


async def draw() -> list[Path]:
    """Draw the report in light and in dark."""
    reports = await read_accounts()
    drawn = []
    with tempfile.TemporaryDirectory() as home:
        page = write_page(f"{home}/report.html", reports, entries=remember(reports), made_at=NOW)
        async with Browser(Path(home, "chromium")) as browser, browser.tab() as tab:
            await tab.open(page, width=SIZE[0], height=SIZE[1])
            for scheme, name in (("light", "report.png"), ("dark", "report-dark.png")):
                await tab.media(prefers_color_scheme=scheme)
                drawn.append(PICTURES / name)
                drawn[-1].write_bytes(await tab.picture())
    return drawn


if __name__ == "__main__":
    for file in asyncio.run(draw()):
        print(f"{file}: {file.stat().st_size:,} bytes")  # noqa: T201 - what a command does
