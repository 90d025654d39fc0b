"""The ledger of commands, across modules: real books and rehearsals, `sync`, `books`, `export`."""

from __future__ import annotations

import asyncio
import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from binance_dust.ledger import Books, Ledger
from binance_dust.sandbox import Sandbox
from tests.cli.conftest import Run

DUST = "POST /sapi/v1/asset/dust"
LOG = "GET /sapi/v1/asset/dribblet"


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
def test_rehearsals_are_kept_out_of_real_books(
    command: tuple[str, ...],
    run: Run,
    two_accounts: tuple[str, ...],
    exchange: Sandbox,
    ledger: Path,
) -> None:
    async def keep_real_books() -> None:
        async with Ledger(ledger) as real:
            await real.record([], now=datetime.now(UTC), books=Books.REAL)

    asyncio.run(keep_real_books())

    for done in (run(*command, *two_accounts), run(*command, "--sandbox", "--ledger", str(ledger))):
        assert done.code == 2
        assert done.err == (
            f"binance-dust: ledger {ledger}: it keeps the books of a real exchange, but this "
            "session's exchange is on this machine: name another file for rehearsals, or "
            '":memory:"\n'
        )
    assert exchange.requests == ()


def test_a_real_account_is_kept_out_of_the_books_of_rehearsals(
    run: Run, two_accounts: tuple[str, ...], ledger: Path
) -> None:
    assert run("convert", "--yes", *two_accounts).code == 0

    real = run("convert", "--yes", *two_accounts, "--base-url", "https://api.binance.invalid")

    assert real.code == 2
    assert "it keeps the books of rehearsals on this machine" in real.err


@pytest.mark.parametrize(
    "content", [b"not a database", b"SQLite format 3\x00" + b"\xff" * 200], ids=["text", "torn"]
)
def test_a_broken_ledger_is_an_error_before_anything_is_sent(
    content: bytes, run: Run, two_accounts: tuple[str, ...], ledger: Path, exchange: Sandbox
) -> None:
    ledger.write_bytes(content)

    done = run("convert", *two_accounts, "--yes")

    assert done.code == 1
    assert str(ledger) in done.err
    assert exchange.requests_of(DUST) == ()


def test_the_books_are_synced_summed_up_and_exported(
    run: Run, two_accounts: tuple[str, ...], exchange: Sandbox, ledger: Path, tmp_path: Path
) -> None:
    run("convert", *two_accounts, "--yes", "--account", "alice")
    other = tmp_path / "other.db"
    elsewhere = (*two_accounts[:-1], str(other))

    synced = run("sync", *elsewhere, "--json")
    again = run("sync", *elsewhere, "--json")
    out = tmp_path / "plain.csv"
    exported = run("export", str(out), "--ledger", str(other))
    lines = run("export", "-", "--ledger", str(other), "--style", "jsonl")
    journal = run("export", "-", "--ledger", str(other), "--style", "hledger", "--fees", "fees")
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
    assert journal.out.count("    fees  0.") == 2
    assert "BNB, credited by month" in books.out
    assert "<html" in page.read_text(encoding="utf-8")
    assert [exported.code, lines.code, books.code] == [0, 0, 0]


def test_an_account_that_can_not_be_synced_has_the_keys_of_one_that_can(
    run: Run, two_accounts: tuple[str, ...], exchange: Sandbox
) -> None:
    exchange.faults.fail(400, code=-1102, endpoint=LOG, account="alice", times=None)

    done = run("sync", *two_accounts, "--json")

    alice, bob = done.rows
    assert (done.code, alice["error"]["code"], bob["error"]) == (1, -1102, None)
    assert list(alice) == list(bob)


@pytest.mark.parametrize("command", [("books",), ("export", "out.csv")])
def test_a_missing_ledger_is_an_error(command: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    path = tmp_path / "nowhere.db"

    done = run(*command, "--ledger", str(path))

    assert done.code == 2
    assert "there is no ledger" in done.err
    assert not path.exists()


def test_a_record_that_can_not_be_read_is_named_by_sync_and_by_the_books(
    run: Run, exchange: Sandbox, ledger: Path, two_accounts: tuple[str, ...]
) -> None:
    exchange.make_history("alice", [datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)] * 2)
    exchange.faults.put({"amount": None}, nth=0, times=None, endpoint=LOG, account="alice")

    at = two_accounts.index("--ledger")
    where = two_accounts[:at] + two_accounts[at + 2 :]

    done = run("sync", *two_accounts)
    lines = run("sync", *two_accounts, "--ledger", ":memory:", "--json").out.splitlines()
    books = run("books", "--ledger", str(ledger))
    history = run("history", *where)

    assert done.code == 1
    assert "alice: SPOT: record " in done.err
    (row,) = [json.loads(line) for line in lines if '"alice"' in line]
    assert len(row["unread"]) == 1
    assert "Not in these books" in books.out
    assert "a record that is not shown or can't be read, 2026-03-04T05:06:07" in books.out
    assert "can't be read" in history.err
    assert "2026-03-04" in history.out, "the others are shown"
