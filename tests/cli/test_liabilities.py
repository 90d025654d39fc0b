"""`liabilities`: small debts, and the cheaper questions before the list."""

from __future__ import annotations

from binance_dust.sandbox import Sandbox
from tests.cli.conftest import Run


def test_small_debts_are_listed_with_the_question_that_settled_them(
    run: Run, three_accounts: str, at: tuple[str, ...]
) -> None:
    rows = run("liabilities", "--json", "--accounts", three_accounts, *at).rows

    assert [(row["account"], row["settled_by"]) for row in rows] == [
        ("alice", "list"),
        ("bob", "no debt"),
        ("carol", "no margin"),
    ]
    assert [debt["asset"] for debt in rows[0]["liabilities"]] == ["ETH", "SOL"]
    assert rows[0]["liabilities"][0]["principal"] == "0.0011"
    assert {row["error"] for row in rows} == {None}


def test_the_list_is_asked_for_only_where_there_is_a_debt_unless_always(
    run: Run, exchange: Sandbox, three_accounts: str, at: tuple[str, ...]
) -> None:
    the_list = "GET /sapi/v1/margin/exchange-small-liability"

    run("liabilities", "--accounts", three_accounts, *at)
    auto = [seen.account for seen in exchange.requests_of(the_list)]
    exchange.forget_requests()
    always = run("liabilities", "--always", "--accounts", three_accounts, *at)

    assert auto == ["alice"]
    assert {seen.account for seen in exchange.requests} - {None} == {"alice", "bob", "carol"}
    assert len(exchange.requests_of(the_list)) == 3
    # That there is no margin is an answer, as it is for a scan.
    assert always.code == 0
    assert "1 without margin, 2 asked for their list" in always.out


def test_debts_are_printed_as_a_table(run: Run, three_accounts: str, at: tuple[str, ...]) -> None:
    done = run("liabilities", "--accounts", three_accounts, *at)

    assert done.code == 0
    assert "alice    ETH" in done.out
    assert "2 small debts, worth" in done.out
    assert "1 without margin, 1 with margin and no debt, 1 asked for their list" in done.out


def test_an_account_that_fails_is_named_and_the_others_are_shown(
    run: Run, exchange: Sandbox, three_accounts: str, at: tuple[str, ...]
) -> None:
    exchange.faults.refuse(401, code=-2015, account="bob", times=None, retry_after=None)

    done = run("liabilities", "--accounts", three_accounts, *at)
    rows = run("liabilities", "--json", "--accounts", three_accounts, *at).rows

    assert done.code == 1
    assert "failed:" in done.out
    assert "2 small debts" in done.out
    assert [row["error"] and row["error"]["type"] for row in rows] == [
        None,
        "CredentialsError",
        None,
    ]
