"""How to test a bot, on an exchange that fails when you say so: `pytest test_bot.py`."""

# `sandbox` comes with the package: a new exchange on loopback for each test. There is nothing to
# mock. The tests assert on what matters: what the exchange was asked, did, and holds.

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import bot
import pytest

from binance_dust import Credentials, CredentialsError, Ledger, RateLimits, RetryPolicy, Session
from binance_dust.sandbox import Permissions, Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.asyncio

CONVERT = "POST /sapi/v1/asset/dust"
TOO_SOON = -5006  # the exchange's code


@asynccontextmanager
async def leftovers(
    sandbox: Sandbox,
    credentials: Credentials,
    *,
    limits: RateLimits | None = None,
    ledger: str | Path = ":memory:",
) -> AsyncIterator[bot.Leftovers]:
    """Return the part of the bot that is under test, on a session that retries quickly."""
    retry = RetryPolicy(attempts=2, max_wait=0.01, deadline=5.0)
    async with (
        Session(base_url=sandbox.url, retry=retry, limits=limits) as session,
        Ledger(ledger) as books,
    ):
        yield bot.Leftovers(session.client(credentials), books)


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings of the bot."""
    return [record.getMessage() for record in caplog.records if record.name == "bot"]


async def test_leftovers_become_bnb_and_positions_stay(sandbox: Sandbox) -> None:
    alice = sandbox.open_account("alice", ADA="6.21", SOL="0.02", XRP="1.5")
    sandbox.market.list_asset("XRP", fee="0.04")  # more than the bot wants to pay

    async with leftovers(sandbox, alice) as under_test:
        await under_test.tidy()

    (conversion,) = sandbox.conversions
    assert [row.asset for row in conversion.rows] == ["ADA"]
    assert str(sandbox.account("alice").free("SOL")) == "0.02"


async def test_a_lost_answer_is_found_out_and_nothing_is_sent_again(
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="bot")
    alice = sandbox.open_account("alice", ADA="6.21")
    sandbox.faults.lose_answer(endpoint=CONVERT)

    with monkeypatch.context() as hurried:
        hurried.setattr(bot, "PATIENCE", 0.05)
        async with leftovers(sandbox, alice, ledger=tmp_path / "dust.db") as under_test:
            await under_test.tidy()
    sandbox.faults.jump_clock(60)  # nothing more can come of the call: no need to wait for that
    async with leftovers(sandbox, alice, ledger=tmp_path / "dust.db") as under_test:
        await under_test.tidy()

    assert "entry 1 (ADA) is confirmed" in caplog.messages
    assert len(sandbox.conversions) == len(sandbox.requests_of(CONVERT)) == 1


async def test_nothing_is_sent_while_it_is_not_known_how_the_last_call_ended(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that left no trace is watched for a minute. Trading goes on meanwhile."""
    monkeypatch.setattr(bot, "PATIENCE", 0.05)
    alice = sandbox.open_account("alice", ADA="6.21")
    sandbox.faults.lose_answer(after_executing=False, endpoint=CONVERT)

    async with leftovers(sandbox, alice) as under_test:
        for _ in range(3):
            await under_test.tidy()

    assert len(sandbox.requests_of(CONVERT)) == 1


async def test_an_account_that_cools_down_is_asked_nothing(sandbox: Sandbox) -> None:
    alice = sandbox.open_account("alice", ADA="6.21")

    async with leftovers(sandbox, alice) as under_test:
        await under_test.tidy()
        sandbox.account("alice").deposit("XRP", "1.5")
        await under_test.tidy()  # its quote says until when
        sandbox.forget_requests()
        await under_test.tidy()

    assert sandbox.requests == ()


@pytest.mark.sandbox(log_lag=60)
async def test_a_refusal_because_of_the_cooldown_is_learnt_from(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Another program has just converted, and the log doesn't show it yet. No warning is logged."""
    alice = sandbox.open_account("alice", ADA="6.21")
    async with Session(base_url=sandbox.url) as session:
        await session.client(alice).dust_transfer(["ADA"])
    sandbox.account("alice").deposit("XRP", "1.5")

    async with leftovers(sandbox, alice) as under_test:
        await under_test.tidy()
        assert sandbox.requests_of(CONVERT)[-1].code == TOO_SOON
        sandbox.forget_requests()
        await under_test.tidy()

    assert sandbox.requests == ()
    assert warnings_in(caplog) == []


async def test_after_an_outage_the_next_round_converts(sandbox: Sandbox) -> None:
    alice = sandbox.open_account("alice", ADA="6.21")
    sandbox.faults.maintenance()

    async with leftovers(sandbox, alice) as under_test:
        await under_test.tidy()
        sandbox.faults.maintenance(on=False)
        await under_test.tidy()

    assert len(sandbox.conversions) == 1


async def test_of_two_bots_with_one_account_one_converts(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot, "PATIENCE", 0.05)
    alice = sandbox.open_account("alice", ADA="6.21")

    async with (
        leftovers(sandbox, alice, ledger=tmp_path / "dust.db") as one,
        leftovers(sandbox, alice, ledger=tmp_path / "dust.db") as other,
    ):
        await asyncio.gather(one.tidy(), other.tidy())

    assert len(sandbox.requests_of(CONVERT)) == 1


async def test_a_round_for_which_there_is_no_weight_is_skipped(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    alice = sandbox.open_account("alice", ADA="6.21")
    once = RateLimits(window=3600, ip_weight=5)  # enough to read balances once, in an hour

    async with leftovers(sandbox, alice, limits=once) as under_test:
        await under_test.tidy()

    assert len(sandbox.requests_of("POST /sapi/v3/asset/getUserAsset")) == 1
    assert sandbox.conversions == ()
    assert warnings_in(caplog) == []


async def test_a_key_that_may_not_trade_ends_the_bot(sandbox: Sandbox) -> None:
    read_only = Permissions(spot_and_margin_trading=False)
    alice = sandbox.open_account("alice", permissions=read_only, ADA="6.21")

    async with leftovers(sandbox, alice) as under_test:
        with pytest.raises(CredentialsError):
            await under_test.tidy()
