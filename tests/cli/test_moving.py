"""Commands that move funds and keep the books: dry unless told otherwise, once, and on record."""

from __future__ import annotations

import asyncio
import csv
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from binance_dust.ledger import Books, Ledger
from binance_dust.sandbox import Sandbox
from tests.cli.conftest import Keep, Run

DUST = "POST /sapi/v1/asset/dust"
LOG = "GET /sapi/v1/asset/dribblet"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "dust.db"


@pytest.fixture
def desk(exchange: Sandbox, keep: Keep, at: tuple[str, ...], ledger: Path) -> tuple[str, ...]:
    """The arguments that lead to two accounts with dust, and their books."""
    accounts = [
        exchange.open_account("alice", ADA="6.21", XRP="1.5", BNB="0.5"),
        exchange.open_account("bob", ADA="3.5", DOGE="7"),
    ]
    return ("--accounts", str(keep(*accounts)), *at, "--ledger", str(ledger))


def test_a_quote_says_what_it_would_bring_and_why_the_rest_stays(
    run: Run, desk: tuple[str, ...], exchange: Sandbox
) -> None:
    done = run("quote", *desk)

    assert done.code == 0
    assert "alice spot dust planned" in done.out
    assert "is the target itself" in done.out
    assert exchange.requests_of(DUST) == ()


@pytest.mark.parametrize("command", ["convert", "sweep"])
def test_it_is_a_dry_run_unless_told_otherwise(
    command: str, run: Run, desk: tuple[str, ...], exchange: Sandbox
) -> None:
    done = run(command, *desk)

    assert done.code == 0
    assert "Add --yes to do it" in done.out
    assert exchange.requests_of(DUST) == ()


@pytest.mark.parametrize(
    "command",
    [
        ("quote",),
        ("convert", "--yes"),
        ("sweep", "--yes"),
        ("liabilities", "--exchange", "--yes"),
        ("recover",),
        ("sync",),
    ],
    ids=" ".join,
)
def test_a_rehearsal_is_kept_out_of_real_books(
    command: tuple[str, ...], run: Run, desk: tuple[str, ...], exchange: Sandbox, ledger: Path
) -> None:
    async def keep_real_books() -> None:
        async with Ledger(ledger) as real:
            await real.record([], now=datetime.now(UTC), books=Books.REAL)

    asyncio.run(keep_real_books())

    for done in (run(*command, *desk), run(*command, "--sandbox", "--ledger", str(ledger))):
        assert done.code == 2
        assert done.err == (
            f"binance-dust: ledger {ledger}: it keeps the books of a real exchange, and this "
            'session\'s is on this machine: name another file for rehearsals, or ":memory:"\n'
        )
    assert exchange.requests == ()


def test_a_real_account_is_kept_out_of_the_books_of_rehearsals(
    run: Run, desk: tuple[str, ...], ledger: Path
) -> None:
    assert run("convert", "--yes", *desk).code == 0

    real = run("convert", "--yes", *desk, "--base-url", "https://api.binance.invalid")

    assert real.code == 2
    assert "it keeps the books of rehearsals on this machine" in real.err


@pytest.mark.parametrize("command", ["convert", "sweep"])
def test_with_yes_every_account_is_converted_once_and_booked(
    command: str, run: Run, desk: tuple[str, ...], exchange: Sandbox, ledger: Path
) -> None:
    done = run(command, *desk, "--yes", "--json")
    again = run(command, *desk, "--yes")

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
def test_a_conversion_can_be_narrowed_and_unknown_names_are_told(
    run: Run, desk: tuple[str, ...], exchange: Sandbox, lines: tuple[str, ...]
) -> None:
    done = run("convert", *desk, "--yes", *lines, "--only", "doge", "--only", "TYPO")

    assert done.code == 1
    assert "no account has TYPO in its quote" in done.err
    (conversion,) = exchange.conversions
    assert [row.asset for row in conversion.rows] == ["DOGE"]


def test_rules_come_from_the_command_line(
    run: Run, desk: tuple[str, ...], exchange: Sandbox
) -> None:
    done = run("convert", *desk, "--yes", "--keep", "ADA", "--min-value", "0.0001", "--json")

    converted = {row.asset for each in exchange.conversions for row in each.rows}
    assert converted == {"XRP", "DOGE"}
    skipped = [each["reason"] for row in done.rows for each in row["quote"]["skipped"]]
    assert "kept" in skipped


@pytest.mark.parametrize("leave", ["--keep", "--without"])
def test_assets_may_be_named_in_small_letters(
    run: Run, desk: tuple[str, ...], exchange: Sandbox, leave: str
) -> None:
    done = run("convert", *desk, "--yes", leave, "ada", "--target", "bnb")

    assert done.code == 0
    assert {row.asset for each in exchange.conversions for row in each.rows} == {"XRP", "DOGE"}


def test_another_target_goes_by_the_other_call(
    run: Run, desk: tuple[str, ...], exchange: Sandbox
) -> None:
    done = run("convert", *desk, "--yes", "--account", "bob", "--target", "USDT", "--json")

    assert done.code == 0
    assert {each.target for each in exchange.conversions} == {"USDT"}
    assert exchange.requests_of(DUST) == ()


def test_a_lost_answer_is_found_out_by_reading(
    run: Run, desk: tuple[str, ...], exchange: Sandbox
) -> None:
    exchange.faults.lose_answer(endpoint=DUST, account="alice")

    done = run("convert", *desk, "--yes", "--account", "alice")

    assert done.code == 0
    assert "settled by reading" in done.out
    assert len(exchange.requests_of(DUST)) == len(exchange.conversions) == 1


def test_what_can_not_be_known_exits_with_3_and_recover_settles_it_later(
    run: Run, desk: tuple[str, ...], exchange: Sandbox, ledger: Path
) -> None:
    exchange.faults.lose_answer(endpoint=DUST, account="alice")
    # The quote reads the log once; whoever reads it to find out is refused.
    blind = exchange.faults.fail(
        400, code=-1102, after_executing=False, endpoint=LOG, skip=1, times=None
    )

    done = run("convert", *desk, "--yes", "--account", "alice")
    blind.cancel()
    settled = run("recover", *desk, "--json")
    nothing = run("recover", *desk)

    assert done.code == 3
    assert "binance-dust recover finds out" in done.err
    (entry,) = settled.rows
    assert (entry["account"], entry["status"]) == ("alice", "confirmed")
    assert settled.code == nothing.code == 0
    assert "Nothing is open" in nothing.out
    assert len(exchange.conversions) == 1


def test_what_can_not_be_recovered_now_is_not_said_to_be_settled(
    run: Run, desk: tuple[str, ...], exchange: Sandbox
) -> None:
    exchange.faults.lose_answer(endpoint=DUST, account="alice")
    blind = exchange.faults.fail(
        400, code=-1102, after_executing=False, endpoint=LOG, skip=1, times=None
    )
    run("convert", *desk, "--yes", "--account", "alice")

    unread = run("recover", *desk)
    assert "alice: " in unread.err
    somebody_else = run("recover", *desk, "--account", "bob")
    blind.cancel()

    assert (unread.code, somebody_else.code) == (3, 0)
    assert "1 still unknown" in unread.out
    assert "1 call of other accounts" in somebody_else.err
    assert "Nothing is open" not in unread.out + somebody_else.out
    assert run("recover", *desk).code == 0


def test_an_account_that_fails_is_told_and_the_others_go_on(
    run: Run, desk: tuple[str, ...], exchange: Sandbox
) -> None:
    exchange.faults.html_403(endpoint=DUST, account="alice", times=None)

    done = run("sweep", *desk, "--yes", "--json")

    assert done.code == 1
    outcomes = {row["account"]: row["outcome"] for row in done.rows}
    assert outcomes == {"alice": "failed", "bob": "converted"}
    (error,) = [row["error"] for row in done.rows if row["error"]]
    assert error["type"] == "RejectedError"


def test_small_debts_are_gathered_from_the_command_line(
    run: Run, exchange: Sandbox, keep: Keep, at: tuple[str, ...], ledger: Path
) -> None:
    account = exchange.open_account("alice", debts={"ETH": "0.001", "XRP": "1"})
    desk = ("--accounts", str(keep(account)), *at, "--ledger", str(ledger))

    dry = run("liabilities", *desk, "--exchange")
    done = run("liabilities", *desk, "--exchange", "--yes", "--json")

    assert "Nothing was exchanged" in dry.out
    assert (dry.code, done.code) == (0, 0)
    (row,) = done.rows
    assert (row["what"], row["outcome"]) == ("liabilities", "converted")
    assert {line["asset"] for line in row["receipt"]["lines"]} == {"ETH", "XRP"}


def test_the_books_are_synced_summed_up_and_exported(
    run: Run, desk: tuple[str, ...], exchange: Sandbox, ledger: Path, tmp_path: Path
) -> None:
    run("convert", *desk, "--yes", "--account", "alice")
    other = tmp_path / "other.db"
    elsewhere = (*desk[:-1], str(other))

    synced = run("sync", *elsewhere, "--json")
    again = run("sync", *elsewhere, "--json")
    out = tmp_path / "plain.csv"
    exported = run("export", str(out), "--ledger", str(other))
    lines = run("export", "-", "--ledger", str(other), "--style", "jsonl")
    page = tmp_path / "books.html"
    books = run("books", "--ledger", str(other), "--html", str(page))

    assert {row["account"]: row["added"] for row in synced.rows} == {"alice": 1, "bob": 0}
    assert {row["added"] for row in again.rows} == {0}
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    assert "2 rows written" in exported.err
    (entry,) = [json.loads(line) for line in lines.out.splitlines()]
    assert entry["account"] == "alice"
    assert "BNB, credited by month" in books.out
    assert "<html" in page.read_text(encoding="utf-8")
    assert [exported.code, lines.code, books.code] == [0, 0, 0]


def test_an_account_that_can_not_be_synced_has_the_keys_of_one_that_can(
    run: Run, desk: tuple[str, ...], exchange: Sandbox
) -> None:
    exchange.faults.fail(400, code=-1102, endpoint=LOG, account="alice", times=None)

    done = run("sync", *desk, "--json")

    alice, bob = done.rows
    assert (done.code, alice["error"]["code"], bob["error"]) == (1, -1102, None)
    assert list(alice) == list(bob)


@pytest.mark.parametrize("command", [("books",), ("export", "out.csv")])
def test_books_that_are_not_there_are_no_empty_books(
    command: tuple[str, ...], run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "nowhere.db"

    done = run(*command, "--ledger", str(path))

    assert done.code == 2
    assert "there is no ledger" in done.err
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("convert", "--max-fee-rate", "much"), "no amount"),
        (("convert", "--min-value", "-1"), "not negative"),
        (("convert", "--target", " "), "name an asset"),
        (("convert", "--keep", ""), "name an asset"),
        (("sweep", "--every", "often"), "no length of time"),
        (("sweep", "--every", "0", "--sandbox"), "longer than nothing"),
        (("sync", "--since", "then"), "is no time"),
        (("sync", "--since", "9999-12-31", "--sandbox"), "in the future"),
        (("export",), "FILE"),
    ],
)
def test_wrong_use_is_told(arguments: tuple[str, ...], text: str, run: Run) -> None:
    done = run(*arguments)

    assert done.code == 2
    assert text in done.err


@pytest.mark.parametrize(
    "content", [b"not a database", b"SQLite format 3\x00" + b"\xff" * 200], ids=["text", "torn"]
)
def test_a_broken_ledger_is_told_before_anything_is_sent(
    content: bytes, run: Run, desk: tuple[str, ...], ledger: Path, exchange: Sandbox
) -> None:
    ledger.write_bytes(content)

    done = run("convert", *desk, "--yes")

    assert done.code == 1
    assert str(ledger) in done.err
    assert exchange.requests_of(DUST) == ()
