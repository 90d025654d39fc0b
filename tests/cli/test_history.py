"""`history`: rows in order, long times in spans, and parts that fail."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from binance_dust import DustClient
from binance_dust.cli.history import LONGEST_SPAN, OLDEST, spans
from binance_dust.sandbox import Permissions, Sandbox
from tests.cli.conftest import Keep, Run


def test_conversions_and_exchanged_debts_are_listed_in_order(run: Run) -> None:
    rows = run("history", "--sandbox", "--json").rows

    assert {row["kind"] for row in rows} == {"dust", "liability"}
    for account in {row["account"] for row in rows}:
        times = [row["at"] for row in rows if row["account"] == account]
        assert times == sorted(times)
    dust = next(row for row in rows if row["kind"] == "dust")
    debt = next(row for row in rows if row["kind"] == "liability")
    assert dust["target"] == "BNB"
    assert dust["transaction_id"] > 0
    assert (debt["fee"], debt["transaction_id"], debt["target"]) == (None, None, "USDT")


def test_history_is_printed_as_a_table_with_the_amount_received(run: Run) -> None:
    done = run("history", "--sandbox", "--only", "dust")

    assert done.code == 0
    assert "liability" not in done.out
    assert "Received for dust, after fees: 0.0" in done.out


def test_transfers_and_repayments_are_listed_if_they_are_asked_for(
    run: Run, exchange: Sandbox, keep: Keep, at: tuple[str, ...]
) -> None:
    alice = exchange.open_account(
        "alice",
        permissions=Permissions(universal_transfer=True),
        funding={"TRX": "5"},
        margin={"ETH": "1"},
        debts={"ETH": "0.01"},
    )
    asked = ("history", "--accounts", str(keep(alice)), *at)

    async def move() -> None:
        async with DustClient(alice, base_url=exchange.url) as client:
            await client.transfer("TRX", Decimal(2))
            await client.repay("ETH", Decimal("0.004"))

    asyncio.run(move())
    (moved,) = run(*asked, "--only", "transfers", "--json").rows
    (paid,) = run(*asked, "--only", "repayments", "--json").rows

    assert (moved["kind"], moved["asset"], moved["amount"]) == ("transfer", "TRX", "2")
    assert (paid["kind"], paid["asset"], paid["amount"]) == ("repayment", "ETH", "0.004")
    assert moved["transaction_id"] != paid["transaction_id"]
    assert run(*asked, "--json").rows == []


def test_a_long_time_is_asked_for_in_spans_and_a_wrong_one_is_wrong_use(
    run: Run, exchange: Sandbox, three_accounts: str, at: tuple[str, ...]
) -> None:
    now = datetime.now(UTC)
    earlier = (now - timedelta(days=200)).isoformat()
    before = (now - timedelta(days=100)).isoformat()

    asked = ("history", "--accounts", three_accounts, "--account", "carol", *at)
    nothing = run(*asked, "--since", earlier, "--until", before)
    wrong = run(*asked, "--since", before, "--until", earlier)
    no_time = run(*asked, "--since", "yesterday")

    assert nothing.out.startswith("Nothing was converted")
    spoken = exchange.requests_of("GET /sapi/v1/asset/dribblet")
    assert len(spoken) == 2, "two spans, of 90 days at most"
    assert (wrong.code, no_time.code) == (2, 2)
    assert "--since is after --until" in wrong.err
    assert "is not a time" in no_time.err


def test_more_than_a_hundred_conversions_are_all_shown(
    run: Run, keep: Keep, secrets: list[str]
) -> None:
    # A clock of its own, an hour further at each conversion.
    now = [datetime(2026, 11, 1, tzinfo=UTC).timestamp()]
    with Sandbox(seed=7, clock=lambda: now[0], cooldown=0) as exchange:
        file = str(keep(exchange.open_account("alice", ADA="6")))
        account = exchange.account("alice")
        for _ in range(230):
            now[0] += 3600
            convert(exchange, account.api_key)
            account.deposit("ADA", "1")
        at = ("--base-url", exchange.url, "--accounts", file)

        newest = run("history", "--json", *at).rows
        everything = run("history", "--json", "--since", "2026-10-01", "--until", "2026-11-20", *at)

    assert len(newest) == 100
    ids = [row["transaction_id"] for row in everything.rows]
    assert len(ids) == len(set(ids)) == 230
    assert ids == sorted(ids)


def convert(exchange: Sandbox, api_key: str) -> None:
    """Convert without a request: 230 of them would take their time."""
    from binance_dust.sandbox import _dust
    from binance_dust.sandbox._market import Conditions

    core = exchange._core
    conditions = Conditions(market=core.market, rules=core.rules, now=core.clock.now())
    account = core.accounts.by_key(api_key)
    assert account is not None
    done = _dust.convert(account, "SPOT", ["ADA"], "BNB", conditions, endpoint="dust_transfer")
    assert done is not None


def test_a_part_that_fails_is_named_and_the_others_are_shown(
    run: Run, exchange: Sandbox, three_accounts: str, at: tuple[str, ...]
) -> None:
    exchange.faults.refuse(
        400, code=-1000, endpoint="/sapi/v1/margin/exchange-small-liability-history", times=None
    )

    done = run("history", "--accounts", three_accounts, *at)
    rows = run("history", "--json", "--accounts", three_accounts, *at).rows

    assert done.code == 1
    assert "alice: liability:" in done.err
    assert {(row["account"], row["kind"]) for row in rows if "error" in row} == {
        ("alice", "liability"),
        ("bob", "liability"),
    }


@pytest.mark.parametrize(
    ("since", "until", "lengths"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), [1]),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), []),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC), [90, 90, 1]),
        (datetime(2019, 1, 1, tzinfo=UTC), OLDEST + timedelta(days=3), [3]),
        (datetime(2019, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC), []),
    ],
)
def test_a_time_is_cut_into_spans_without_gap_or_overlap(
    since: datetime, until: datetime, lengths: list[int]
) -> None:
    found = list(spans(since, until))

    assert [round((end - start) / timedelta(days=1)) for start, end in found] == lengths
    assert all(end - start <= LONGEST_SPAN for start, end in found)
    for (start, _), (_, earlier) in pairwise(found):
        assert start - earlier == timedelta(milliseconds=1)
