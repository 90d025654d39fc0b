"""Commands that move funds, across modules: dry runs, conversions, lost answers, recovery."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from binance_dust.cli.sweep import _SweepTotals
from binance_dust.ledger import Kind
from binance_dust.sandbox import Sandbox
from binance_dust.sweeper import Outcome, SweepReport
from tests.cli.conftest import Keep, Run
from tests.ledger.makers import NOW, entry_maker

DUST = "POST /sapi/v1/asset/dust"
LOG = "GET /sapi/v1/asset/dribblet"


def test_a_quote_shows_the_plan_and_why_the_rest_stays(
    run: Run, two_accounts: tuple[str, ...], exchange: Sandbox
) -> None:
    done = run("quote", *two_accounts)

    assert done.code == 0
    assert "alice spot dust planned" in done.out
    assert "is the target itself" in done.out
    assert exchange.requests_of(DUST) == ()


@pytest.mark.parametrize("command", ["convert", "sweep"])
def test_without_yes_it_is_a_dry_run(
    command: str, run: Run, two_accounts: tuple[str, ...], exchange: Sandbox
) -> None:
    done = run(command, *two_accounts)

    assert done.code == 0
    assert "Add --yes to do it" in done.out
    assert exchange.requests_of(DUST) == ()


def test_only_accounts_with_little_of_an_asset_are_swept(
    run: Run, two_accounts: tuple[str, ...], exchange: Sandbox
) -> None:
    """alice has 0.5 BNB, and bob none."""
    done = run("sweep", *two_accounts, "--when-below", "bnb=0.05", "--yes", "--json")
    told = run("sweep", *two_accounts, "--when-below", "BNB=0.05")

    assert done.code == told.code == 0
    outcomes = {row["account"]: row["outcome"] for row in done.rows}
    assert outcomes == {"alice": "not needed", "bob": "converted"}
    assert "alice spot dust not needed: 0.5 BNB is not below 0.05" in told.out
    assert {each.account for each in exchange.conversions} == {"bob"}
    for wrong in ("BNB", "=1", "BNB=", "BNB=-1", "BNB=NaN"):
        assert run("sweep", "--when-below", wrong).code == 2


@pytest.mark.parametrize("command", ["convert", "sweep"])
def test_with_yes_every_account_is_converted_once_and_booked(
    command: str, run: Run, two_accounts: tuple[str, ...], exchange: Sandbox, ledger: Path
) -> None:
    done = run(command, *two_accounts, "--yes", "--json")
    again = run(command, *two_accounts, "--yes")

    assert done.code == again.code == 0
    assert {row["account"]: row["outcome"] for row in done.rows} == {
        "alice": "converted",
        "bob": "converted",
    }
    booked = sum(Decimal(row["receipt"]["net"]) for row in done.rows)
    assert booked == sum(each.gross - each.fee for each in exchange.conversions)
    assert len(exchange.requests_of(DUST)) == 2
    (total,) = run("books", "--ledger", str(ledger), "--json").rows
    assert (total["conversions"], total["target"]) == (2, "BNB")
    assert Decimal(total["net"]) == booked


@pytest.mark.parametrize("lines", [(), ("--json",)])
def test_a_conversion_can_be_narrowed_and_unknown_names_are_reported(
    run: Run, two_accounts: tuple[str, ...], exchange: Sandbox, lines: tuple[str, ...]
) -> None:
    done = run("convert", *two_accounts, "--yes", *lines, "--only", "doge", "--only", "TYPO")

    assert done.code == 1
    assert "no account has TYPO in its quote" in done.err
    (conversion,) = exchange.conversions
    assert [row.asset for row in conversion.rows] == ["DOGE"]


def test_a_name_that_nobody_has_is_no_reason_to_fail_if_it_was_to_stay(
    run: Run, two_accounts: tuple[str, ...]
) -> None:
    done = run("convert", *two_accounts, "--yes", "--without", "ZZZ")

    assert done.code == 0
    assert "no account has ZZZ" in done.err


def test_what_stays_for_now_is_there_all_the_same(
    run: Run, two_accounts: tuple[str, ...], exchange: Sandbox
) -> None:
    run("convert", *two_accounts, "--yes")
    exchange.account("alice").deposit("XRP", "1.5")

    done = run("convert", *two_accounts, "--yes", "--only", "XRP")

    assert "no account has" not in done.err


def test_rules_come_from_the_command_line(
    run: Run, two_accounts: tuple[str, ...], exchange: Sandbox
) -> None:
    done = run(
        "convert", *two_accounts, "--yes", "--keep", "ADA", "--min-value", "0.0001", "--json"
    )

    converted = {row.asset for each in exchange.conversions for row in each.rows}
    assert converted == {"XRP", "DOGE"}
    skipped = [each["reason"] for row in done.rows for each in row["quote"]["skipped"]]
    assert "kept" in skipped


@pytest.mark.parametrize("leave", ["--keep", "--without"])
def test_assets_may_be_named_in_small_letters(
    run: Run, two_accounts: tuple[str, ...], exchange: Sandbox, leave: str
) -> None:
    done = run("convert", *two_accounts, "--yes", leave, "ada", "--target", "bnb")

    assert done.code == 0
    assert {row.asset for each in exchange.conversions for row in each.rows} == {"XRP", "DOGE"}


def test_another_target_uses_the_other_endpoint(
    run: Run, two_accounts: tuple[str, ...], exchange: Sandbox
) -> None:
    done = run("convert", *two_accounts, "--yes", "--account", "bob", "--target", "USDT", "--json")

    assert done.code == 0
    assert {each.target for each in exchange.conversions} == {"USDT"}
    assert exchange.requests_of(DUST) == ()


@pytest.mark.usefixtures("time_passes")
def test_a_lost_answer_is_settled_by_reading(
    run: Run, two_accounts: tuple[str, ...], exchange: Sandbox
) -> None:
    exchange.faults.lose_answer(endpoint=DUST, account="alice")

    done = run("convert", *two_accounts, "--yes", "--account", "alice")

    assert done.code == 0
    assert "settled by reading" in done.out
    assert len(exchange.requests_of(DUST)) == len(exchange.conversions) == 1


@pytest.mark.usefixtures("time_passes")
def test_an_unknown_outcome_exits_with_3_and_recover_settles_it_later(
    run: Run, two_accounts: tuple[str, ...], exchange: Sandbox, ledger: Path
) -> None:
    exchange.faults.lose_answer(endpoint=DUST, account="alice")
    # The quote reads the log once; later reads are refused.
    blind = exchange.faults.fail(
        400, code=-1102, after_executing=False, endpoint=LOG, skip=1, times=None
    )

    done = run("convert", *two_accounts, "--yes", "--account", "alice")
    blind.cancel()
    settled = run("recover", *two_accounts, "--json")
    nothing = run("recover", *two_accounts)

    assert done.code == 3
    assert "binance-dust recover finds out" in done.err
    (entry,) = settled.rows
    assert (entry["account"], entry["status"]) == ("alice", "confirmed")
    assert settled.code == nothing.code == 0
    assert "Nothing is open" in nothing.out
    assert len(exchange.conversions) == 1


@pytest.mark.usefixtures("time_passes")
def test_recover_says_what_it_could_not_settle(
    run: Run, two_accounts: tuple[str, ...], exchange: Sandbox
) -> None:
    exchange.faults.lose_answer(endpoint=DUST, account="alice")
    blind = exchange.faults.fail(
        400, code=-1102, after_executing=False, endpoint=LOG, skip=1, times=None
    )
    run("convert", *two_accounts, "--yes", "--account", "alice")

    unread = run("recover", *two_accounts)
    assert "alice: " in unread.err
    somebody_else = run("recover", *two_accounts, "--account", "bob")
    blind.cancel()

    assert (unread.code, somebody_else.code) == (3, 0)
    assert "1 not known yet" in unread.out
    assert "1 call of other accounts" in somebody_else.err
    assert "Nothing is open" not in unread.out + somebody_else.out
    assert run("recover", *two_accounts).code == 0


def test_an_account_that_fails_does_not_stop_the_others(
    run: Run, two_accounts: tuple[str, ...], exchange: Sandbox
) -> None:
    exchange.faults.html_403(endpoint=DUST, account="alice", times=None)

    done = run("sweep", *two_accounts, "--yes", "--json")

    assert done.code == 1
    outcomes = {row["account"]: row["outcome"] for row in done.rows}
    assert outcomes == {"alice": "failed", "bob": "converted"}
    (error,) = [row["error"] for row in done.rows if row["error"]]
    assert error["type"] == "RejectedError"


def test_small_debts_are_exchanged_only_with_yes(
    run: Run, exchange: Sandbox, keep: Keep, at: tuple[str, ...], ledger: Path
) -> None:
    account = exchange.open_account("alice", debts={"ETH": "0.001", "XRP": "1"})
    asked = ("--accounts", str(keep(account)), *at, "--ledger", str(ledger))

    dry = run("liabilities", *asked, "--exchange")
    done = run("liabilities", *asked, "--exchange", "--yes", "--json")

    assert "Nothing was exchanged" in dry.out
    assert (dry.code, done.code) == (0, 0)
    (row,) = done.rows
    assert (row["what"], row["outcome"]) == ("liabilities", "converted")
    assert {line["asset"] for line in row["receipt"]["lines"]} == {"ETH", "XRP"}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("convert", "--max-fee-rate", "much"), "not an amount"),
        (("convert", "--min-value", "-1"), "not negative"),
        (("convert", "--target", " "), "name an asset"),
        (("convert", "--keep", ""), "name an asset"),
        (("sweep", "--every", "often"), "not a length of time"),
        (("sweep", "--every", "0", "--sandbox"), "longer than 0"),
        (("sync", "--since", "then"), "is not a time"),
        (("sync", "--since", "9999-12-31", "--sandbox"), "in the future"),
        (("export",), "FILE"),
    ],
)
def test_wrong_use_exits_with_2(arguments: tuple[str, ...], text: str, run: Run) -> None:
    done = run(*arguments)

    assert done.code == 2
    assert text in done.err


def test_what_a_sweep_brought_counts_no_exchange_of_debts(make_entry: Any) -> None:
    """Both may be settled by reading in one turn."""
    lines = ("ADA", "6", "0.01", "0.0002")
    settled = (
        make_entry(NOW, lines),
        make_entry(NOW, ("ETH", "1", "3", "0"), kind=Kind.LIABILITIES, target="USDT"),
    )
    totals = _SweepTotals()
    totals.add(
        SweepReport(
            account="alice",
            what="dust",
            account_type="SPOT",
            target="BNB",
            outcome=Outcome.CONVERTED,
            at=NOW,
            settled=settled,
        )
    )
    console = Console(file=io.StringIO(), width=200)

    totals.show(console, really=True)

    assert isinstance(console.file, io.StringIO)
    assert "It brought 0.0098 BNB" in console.file.getvalue()
    assert "USDT" not in console.file.getvalue()


@pytest.fixture
def make_entry() -> Any:
    return entry_maker()
