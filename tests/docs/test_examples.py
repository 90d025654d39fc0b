"""The examples do what they say: run as their readers run them, judged by the exchange's books."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path

import pytest

from binance_dust import Credentials, Ledger
from binance_dust.ledger import LedgerEntry
from binance_dust.sandbox import Permissions, Sandbox
from tests.docs.processes import EXAMPLES, end, environment, read_until, running, unix, until

CONVERT = "POST /sapi/v1/asset/dust"

# What the first comment of each says, and where the exchange is.
WITH_OWN_ACCOUNT = {
    "one_account": """
import asyncio, sys
from binance_dust import Credentials
from one_account import main
asyncio.run(main(Credentials.from_env(), base_url=sys.argv.pop(1)))
""",
    "bot": """
import asyncio, logging, sys
from binance_dust import Credentials
from bot import run
logging.basicConfig(level=logging.INFO)
async def trade():
    print("a round of trading")
    await asyncio.sleep(0)
asyncio.run(run(Credentials.from_env(), trade, base_url=sys.argv[1]))
""",
}


def run_example(name: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run an example as it stands."""
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, EXAMPLES / f"{name}.py", *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def bot_of(
    alice: Credentials, sandbox: Sandbox, cwd: Path
) -> AbstractContextManager[subprocess.Popen[str]]:
    return running("-c", WITH_OWN_ACCOUNT["bot"], sandbox.url, cwd=cwd, alice=alice)


def entries_in(file: Path) -> list[LedgerEntry]:
    async def read() -> list[LedgerEntry]:
        async with Ledger(file) as ledger:
            return [entry async for entry in ledger.entries()]

    return asyncio.run(read())


def check_books(file: Path, sandbox: Sandbox) -> None:
    """The ledger has what the exchange did: every conversion once, to the digit."""
    done = [entry for entry in entries_in(file) if entry.status == "confirmed"]
    assert {entry.transaction_id: entry.net for entry in done} == {
        conversion.transaction_id: conversion.net for conversion in sandbox.conversions
    }
    assert len(done) == len(sandbox.conversions)


# --- one account -------------------------------------------------------------------------------


def test_one_account_shows_a_plan_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = run_example("one_account", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "alice (SPOT) into BNB" in done.stdout
    assert "XRP 20: in an order" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("arguments", "free"), [((), "6.21"), (("--yes",), "0.00")])
def test_one_account_converts_only_if_told_to(
    arguments: tuple[str, ...], free: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    alice = sandbox.open_account("alice", ADA="6.21", BTC="0.2")
    program = WITH_OWN_ACCOUNT["one_account"]

    with running("-c", program, sandbox.url, *arguments, cwd=tmp_path, alice=alice) as process:
        written, _ = process.communicate(timeout=60)

    assert process.returncode == 0, written
    assert sandbox.account("alice").free("ADA") == Decimal(free)
    assert alice.secret.reveal() not in written
    check_books(tmp_path / "dust.db", sandbox)


# --- the bot -----------------------------------------------------------------------------------


@unix
def test_the_bot_rehearses_until_it_is_interrupted(tmp_path: Path) -> None:
    with running(EXAMPLES / "bot.py", cwd=tmp_path) as process:
        read_until(process, "ADA became ")
        written = end(process, signal.SIGINT)

    assert process.returncode == 0
    assert written.endswith("bot: stopped\n")
    assert list(tmp_path.iterdir()) == []


@unix
def test_a_bot_that_is_told_to_end_waits_for_the_conversion_under_way(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    alice = sandbox.open_account("alice", ADA="6.21")
    held_back = sandbox.faults.delay(0.4, endpoint=CONVERT)

    with bot_of(alice, sandbox, tmp_path) as process:
        until(lambda: held_back.hits > 0)
        written = end(process, signal.SIGTERM)

    assert process.returncode == 0, written
    assert "ADA became" in written
    assert len(sandbox.conversions) == 1
    check_books(tmp_path / "dust.db", sandbox)


@unix
def test_a_bot_that_was_killed_in_the_middle_finds_out_at_its_next_start(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    alice = sandbox.open_account("alice", ADA="6.21")
    held_back = sandbox.faults.delay(0.4, endpoint=CONVERT)
    with bot_of(alice, sandbox, tmp_path) as process:
        until(lambda: held_back.hits > 0)
        process.kill()
    until(lambda: len(sandbox.requests_of(CONVERT)) == 1)
    assert [entry.status for entry in entries_in(tmp_path / "dust.db")] == ["intended"]
    # Until then the bot trades on, and reads again in each round.
    sandbox.faults.jump_clock(60)

    with bot_of(alice, sandbox, tmp_path) as process:
        assert "entry 1 (ADA) is confirmed" in read_until(process, "a round of trading")
        end(process, signal.SIGTERM)

    assert process.returncode == 0
    assert len(sandbox.conversions) == len(sandbox.requests_of(CONVERT)) == 1
    check_books(tmp_path / "dust.db", sandbox)


def test_a_bot_whose_key_may_not_trade_ends_and_says_why(sandbox: Sandbox, tmp_path: Path) -> None:
    read_only = Permissions(spot_and_margin_trading=False)
    alice = sandbox.open_account("alice", permissions=read_only, ADA="6.21")

    with bot_of(alice, sandbox, tmp_path) as process:
        written, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert written.splitlines()[-1].startswith("binance_dust.errors.CredentialsError: ")
    assert alice.secret.reveal() not in written
    assert [entry.status for entry in entries_in(tmp_path / "dust.db")] == ["rejected"]


# --- the page ----------------------------------------------------------------------------------


def test_every_example_is_shown() -> None:
    page = (EXAMPLES / "index.md").read_text(encoding="utf-8")
    files = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb")}

    shown = set(re.findall(r"^```\{literalinclude\} (\S+)$", page, re.MULTILINE))
    assert shown | set(re.findall(r"\]\((\S+\.ipynb)\)", page)) == files
