"""`--metrics`: what Prometheus gets while a command runs, and who may ask."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from binance_dust.cli import load, main, make_parser
from binance_dust.sandbox import Sandbox
from tests.cli.conftest import WINDOW
from tests.cli.scraper import options_for, running

DUST = "POST /sapi/v1/asset/dust"


@pytest.fixture
async def here() -> AsyncIterator[Sandbox]:
    """An exchange in this loop, which the command shares."""
    async with Sandbox(seed=7, window=WINDOW) as exchange:
        yield exchange


async def test_a_sweep_that_goes_on_tells_what_it_did_and_when_it_goes_on(
    here: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    accounts = [here.open_account(name, ADA="6.21") for name in ("alice", "bob")]
    here.faults.fail(503, endpoint=DUST, account="bob", after_executing=False, times=None)
    given = options_for(here, tmp_path, accounts)
    books = ("--ledger", str(tmp_path / "books.db"))

    async with running(capfd, "sweep", *given, *books, "--yes", "--every", "1d") as prometheus:
        # How it ended is read for a minute: that it is not known is told at once.
        await prometheus.until('binance_dust_conversions_total{kind="dust",outcome="unknown"} 1.0')
        page = await prometheus.until(
            'binance_dust_accounts_total{outcome="converted",task="sweep"} 1.0'
        )
        health = await prometheus.get("/health")
        nothing = await prometheus.get("/")

    for line in (
        'binance_dust_accounts_total{outcome="converted",task="sweep"} 1.0',
        'binance_dust_conversions_total{kind="dust",outcome="confirmed"} 1.0',
        'binance_dust_conversions_total{kind="dust",outcome="unknown"} 1.0',
        "binance_dust_entries_open 1.0",
        "binance_dust_bans_total 0.0",
        f'binance_dust_pool_limit{{address="default",endpoint="{DUST}",payer="uid"}} 180000.0',
    ):
        assert line in page
    assert re.search(r"^binance_dust_sweep_next_timestamp_seconds 1\.\d+e\+09$", page, re.MULTILINE)
    assert health[0] == 200
    assert '"status": "ok", "command": "sweep"' in health[1]
    assert nothing[0] == 404
    for account in accounts:
        assert account.api_key[:8] not in page
        assert account.secret.reveal()[:8] not in page
        assert f'"{account.name}"' not in page


async def test_a_scan_counts_accounts_and_shows_its_pools(
    here: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    accounts = here.open_accounts(8)
    here.faults.delay(600, endpoint="POST /sapi/v3/asset/getUserAsset", account=accounts[-1].name)
    given = options_for(here, tmp_path, accounts)

    async with running(capfd, "scan", *given, "--liabilities", "never") as prometheus:
        page = await prometheus.until('binance_dust_accounts_total{outcome="read",task="scan"} 7.0')

    assert 'binance_dust_request_duration_seconds_count{endpoint="GET /api/v3/time"' in page
    assert 'binance_dust_pool_used{address="default",endpoint="POST /sapi/v3/asset' in page


def test_a_port_that_is_taken_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(("scan", "--sandbox", "--metrics", port)) == 2

    assert f"--metrics 127.0.0.1:{port}: " in capsys.readouterr().err


def test_without_the_extra_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    assert main(("scan", "--sandbox", "--metrics", "0")) == 2
    assert "binance-dust[metrics]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("9464", ("127.0.0.1", 9464)),
        ("0.0.0.0:9464", ("0.0.0.0", 9464)),  # noqa: S104 - by choice of who types it
        ("[::1]:0", ("::1", 0)),
        ("desk.internal:80", ("desk.internal", 80)),
    ],
)
def test_only_a_port_is_on_this_machine_alone(text: str, where: tuple[str, int]) -> None:
    parsed: Any = make_parser({"scan": load("scan")}).parse_args(["scan", "--metrics", text])

    assert parsed.metrics == where
