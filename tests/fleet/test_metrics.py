"""`--metrics` of a worker, and of the scan that asks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from binance_dust.sandbox import Sandbox
from tests.cli.scraper import options_for, running
from tests.redis_server import a_server


async def test_a_worker_and_the_scan_that_asks_it_tell_what_they_see(
    exchange: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    accounts = exchange.open_accounts(8)
    exchange.faults.delay(
        600, endpoint="POST /sapi/v3/asset/getUserAsset", account=accounts[-1].name
    )
    given = options_for(exchange, tmp_path, accounts)
    with a_server() as server:
        fleet = ("--fleet", server.url)
        async with running(capfd, "worker", *fleet, *given, "--grace", "0.1") as worker:
            never = ("--liabilities", "never")
            async with running(capfd, "scan", *fleet, *never) as scan:
                await scan.until('binance_dust_accounts_total{outcome="read",task="scan"} 7.0')
                await scan.until('binance_dust_workers{state="here"} 1.0')
                await worker.until("binance_dust_worker_accounts 1.0")
                await worker.until('binance_dust_accounts_total{outcome="read",task="scan"} 7.0')
