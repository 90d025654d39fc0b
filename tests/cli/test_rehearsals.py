"""What a sandbox shows is marked as a rehearsal, on every page and statement."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from binance_dust.reports import page
from tests.cli.conftest import Run
from tests.ledger.makers import NOW, entry_maker

MARK = "A rehearsal: the exchange is on this machine"
ON_PAGE = "A rehearsal on a sandbox: nothing on this page is real."


def test_every_page_and_statement_of_a_sandbox_is_marked(
    run: Run, two_accounts: tuple[str, ...], ledger: Path, tmp_path: Path
) -> None:
    scanned, booked = tmp_path / "scan.html", tmp_path / "books.html"
    asked, books = two_accounts[:-2], ("--ledger", str(ledger))

    told = [
        run(*command).out
        for command in (
            ("quote", *two_accounts),
            ("convert", "--yes", *two_accounts),
            ("sweep", *two_accounts),
            ("scan", *asked, "--html", str(scanned)),
            ("history", *asked),
            ("liabilities", *asked),
            ("bnb-burn", *asked),
            ("sync", *two_accounts),
            ("recover", *two_accounts),
            ("books", *books, "--html", str(booked)),
        )
    ]

    assert [text.count(MARK) for text in told] == [1] * len(told)
    for file in (scanned, booked):
        assert ON_PAGE in file.read_text(encoding="utf-8")
    for style in ("plain", "koinly", "cointracking", "blockpit"):
        rows = list(csv.reader(io.StringIO(run("export", "-", "--style", style, *books).out)))
        assert rows[1:]
        assert all("(rehearsal)" in " ".join(row) for row in rows[1:]), style
    lines = [
        json.loads(line)
        for command in (("sweep", *two_accounts), ("history", *asked), ("books", *books))
        for line in run(*command, "--json").out.splitlines()
    ]
    assert lines
    assert all(line["rehearsal"] is True for line in lines)


def test_a_page_of_a_real_desk_bears_no_mark() -> None:
    entry = entry_maker()(NOW, ("ADA", "6", "0.01", "0.0002"))

    assert ON_PAGE in page((), entries=[entry], rehearsal=True)
    assert "rehearsal" not in page((), entries=[entry]).replace("p.rehearsal", "")


def test_real_books_bear_no_mark(run: Run, two_accounts: tuple[str, ...], ledger: Path) -> None:
    assert run("convert", "--yes", *two_accounts).code == 0
    with closing(sqlite3.connect(ledger)) as db, db:
        db.execute("UPDATE books SET whose = 'real'")

    exported = run("export", "-", "--ledger", str(ledger))
    shown = run("books", "--ledger", str(ledger))

    assert exported.out.count("alice,") == 2
    assert "rehearsal" not in exported.out + shown.out
