"""The commands that read one thing of every account: what they show, and how they fail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from binance_dust.cli._history import FIRST, SPAN, spans
from binance_dust.sandbox import Sandbox
from tests.cli.conftest import Keep, Run


@pytest.fixture
def file(exchange: Sandbox, keep: Keep) -> str:
    """Alice owes something, bob has margin and owes nothing, carol has no margin."""
    return str(
        keep(
            exchange.open_account("alice", ADA="6.21", debts={"ETH": "0.0011", "SOL": "0.02"}),
            exchange.open_account("bob", ADA="5", margin={"USDT": "10"}),
            exchange.open_account("carol", ADA="4", XLM="7"),
        )
    )


# --- liabilities ---------------------------------------------------------------------------------


def test_small_debts_are_listed_with_what_settled_them(
    run: Run, file: str, at: tuple[str, ...]
) -> None:
    rows = run("liabilities", "--json", "--accounts", file, *at).rows

    assert [(row["account"], row["settled_by"]) for row in rows] == [
        ("alice", "list"),
        ("bob", "no debt"),
        ("carol", "no margin"),
    ]
    assert [debt["asset"] for debt in rows[0]["liabilities"]] == ["ETH", "SOL"]
    assert rows[0]["liabilities"][0]["principal"] == "0.0011"
    assert {row["error"] for row in rows} == {None}


def test_the_list_is_asked_for_only_where_there_is_a_debt_unless_always(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...]
) -> None:
    the_list = "GET /sapi/v1/margin/exchange-small-liability"

    run("liabilities", "--accounts", file, *at)
    auto = [seen.account for seen in exchange.requests_of(the_list)]
    exchange.forget_requests()
    always = run("liabilities", "--always", "--accounts", file, *at)

    assert auto == ["alice"]
    assert {seen.account for seen in exchange.requests} - {None} == {"alice", "bob", "carol"}
    assert len(exchange.requests_of(the_list)) == 3
    # That there is no margin is an answer, as it is for a scan.
    assert always.code == 0
    assert "1 without margin, 2 asked for their list" in always.out


def test_debts_are_a_table_for_eyes(run: Run, file: str, at: tuple[str, ...]) -> None:
    done = run("liabilities", "--accounts", file, *at)

    assert done.code == 0
    assert "alice    ETH" in done.out
    assert "2 small debts, worth" in done.out
    assert "1 without margin, 1 with margin and no debt, 1 asked for their list" in done.out


def test_one_bad_account_is_told_and_the_others_are_shown(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...]
) -> None:
    exchange.faults.refuse(401, code=-2015, account="bob", times=None, retry_after=None)

    done = run("liabilities", "--accounts", file, *at)
    rows = run("liabilities", "--json", "--accounts", file, *at).rows

    assert done.code == 1
    assert "failed:" in done.out
    assert "2 small debts" in done.out
    assert [row["error"] and row["error"]["type"] for row in rows] == [
        None,
        "CredentialsError",
        None,
    ]


# --- the BNB switch ------------------------------------------------------------------------------


def test_the_switch_is_shown_and_set_only_with_yes(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...]
) -> None:
    exchange.account("bob").spot_bnb_burn = False

    shown = run("bnb-burn", "--json", "--accounts", file, *at)
    dry = run("bnb-burn", "--spot", "on", "--interest", "off", "--accounts", file, *at)

    assert [(row["spot"], row["interest"]) for row in shown.rows] == [
        (True, False),
        (False, False),
        (True, False),
    ]
    assert (dry.code, dry.out.count("would set")) == (0, 1)
    assert "Add --yes to set it for 1 account" in dry.out
    assert not [seen for seen in exchange.requests if seen.method == "POST"]

    done = run("bnb-burn", "--json", "--spot", "on", "--yes", "--accounts", file, *at)

    assert exchange.account("bob").spot_bnb_burn
    assert [(row["set"], row["changes"]) for row in done.rows] == [
        (False, {}),
        (True, {"spot": True}),
        (False, {}),
    ]
    assert len([seen for seen in exchange.requests if seen.method == "POST"]) == 1


def test_a_switch_that_can_t_be_read_is_not_set(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...]
) -> None:
    exchange.faults.refuse(401, code=-2015, account="bob", times=None, retry_after=None)

    done = run("bnb-burn", "--json", "--spot", "off", "--yes", "--accounts", file, *at)
    shown = run("bnb-burn", "--accounts", file, *at)

    assert (done.code, shown.code) == (1, 1)
    assert [(row["account"], row["spot"], row["set"]) for row in done.rows] == [
        ("alice", False, True),
        ("bob", None, False),
        ("carol", False, True),
    ]
    assert done.rows[1]["error"]["code"] == -2015
    assert "failed: GET /sapi/v1/bnbBurn: -2015" in shown.out


def test_a_switch_is_on_or_off(run: Run) -> None:
    done = run("bnb-burn", "--sandbox", "--spot", "maybe")

    assert done.code == 2
    assert "must be on or off" in done.err


# --- history -------------------------------------------------------------------------------------


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


def test_history_is_a_table_for_eyes_with_what_came_in(run: Run) -> None:
    done = run("history", "--sandbox", "--only", "dust")

    assert done.code == 0
    assert "liability" not in done.out
    assert "Came in from dust, after fees: 0.0" in done.out


def test_a_time_may_be_asked_for(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...]
) -> None:
    now = datetime.now(UTC)
    earlier = (now - timedelta(days=200)).isoformat()
    before = (now - timedelta(days=100)).isoformat()

    asked = ("history", "--accounts", file, "--account", "carol", *at)
    nothing = run(*asked, "--since", earlier, "--until", before)
    wrong = run(*asked, "--since", before, "--until", earlier)
    no_time = run(*asked, "--since", "yesterday")

    assert nothing.out.startswith("Nothing was converted")
    spoken = exchange.requests_of("GET /sapi/v1/asset/dribblet")
    assert len(spoken) == 2, "two spans, of 90 days at most"
    assert (wrong.code, no_time.code) == (2, 2)
    assert "--since is after --until" in wrong.err
    assert "is no time" in no_time.err


def test_more_than_a_hundred_conversions_of_a_time_are_all_shown(
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


def test_a_part_that_fails_is_told_and_the_others_are_shown(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...]
) -> None:
    exchange.faults.refuse(
        400, code=-1000, endpoint="/sapi/v1/margin/exchange-small-liability-history", times=None
    )

    done = run("history", "--accounts", file, *at)
    rows = run("history", "--json", "--accounts", file, *at).rows

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
        (datetime(2019, 1, 1, tzinfo=UTC), FIRST + timedelta(days=3), [3]),
        (datetime(2019, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC), []),
    ],
)
def test_a_time_is_cut_into_spans_without_gap_or_overlap(
    since: datetime, until: datetime, lengths: list[int]
) -> None:
    found = list(spans(since, until))

    assert [round((end - start) / timedelta(days=1)) for start, end in found] == lengths
    assert all(end - start <= SPAN for start, end in found)
    for (start, _), (_, earlier) in pairwise(found):
        assert start - earlier == timedelta(milliseconds=1)
