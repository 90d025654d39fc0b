"""`scan`: what it prints and writes, how it is resumed, and how it ends as a program."""

from __future__ import annotations

import csv
import errno
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from binance_dust.reports import AccountReport, read_reports
from binance_dust.sandbox import Sandbox
from tests.cli.conftest import Keep, Run
from tests.cli.program import ENVIRONMENT, start
from tests.systems import posix

LIST = "GET /sapi/v1/margin/exchange-small-liability"


@pytest.fixture
def file(exchange: Sandbox, keep: Keep) -> str:
    return str(keep(*exchange.open_accounts(10)))


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_account_is_read_and_added_to_the_totals(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...]
) -> None:
    done = run("scan", "--accounts", file, *at)
    rows = run("scan", "--json", "--accounts", file, *at).rows

    reports = [AccountReport.from_plain(row) for row in rows]
    assert done.code == 0
    assert {each.account for each in reports} == {each.name for each in exchange.accounts}
    net = sum((each.net for each in reports), Decimal(0))
    debts = sum(len(each.liabilities) for each in reports)
    assert f"10 accounts. All dust would bring {net:f} BNB" in done.out
    assert f"{debts} small debts" in done.out
    best = max(reports, key=lambda each: each.net)
    assert done.out.splitlines()[1].startswith(best.account)
    assert "10 accounts to scan; " in done.err


def test_another_target_and_no_debts_may_be_asked_for(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...]
) -> None:
    asked = ("scan", "--json", "--target", "USDT", "--accounts", file, *at)

    rows = run(*asked, "--liabilities", "never").rows
    never = len(exchange.requests_of(LIST))
    run(*asked, "--liabilities", "always")

    assert {row["target"] for row in rows} == {"USDT"}
    assert {row["settled_by"] for row in rows} == {"not asked"}
    assert (never, len(exchange.requests_of(LIST))) == (0, 10)


def test_what_lies_elsewhere_is_shown_written_and_on_the_page(
    run: Run, exchange: Sandbox, keep: Keep, at: tuple[str, ...], tmp_path: Path
) -> None:
    accounts = keep(exchange.open_account("zoe", ADA="1", funding={"TRX": "5"}))
    asked = ("scan", "--elsewhere", "--accounts", str(accounts), *at)
    table, page = tmp_path / "reports.csv", tmp_path / "page.html"

    done = run(*asked, "--out", str(table), "--html", str(page))
    (row,) = run(*asked, "--json").rows

    assert "In other wallets: 1 balance in Funding, worth 0.00001448 BTC." in done.out
    assert [wallet["wallet_name"] for wallet in row["elsewhere"]] == ["Funding"]
    rows = list(csv.DictReader(table.read_text("utf-8-sig").splitlines()))
    (trx,) = [each for each in rows if each["part"] == "elsewhere: Funding"]
    assert (trx["asset"], trx["amount"], trx["unavailable"], trx["unit"]) == (
        "TRX",
        "5",
        "0",
        "BTC",
    )
    assert "What lies in other wallets" in page.read_text("utf-8")
    estimate = run(*asked, "--estimate", "--json").rows[0]
    lanes = {lane["question"]: lane["weight_at_most"] for lane in estimate["lanes"]}
    assert lanes["wallet_balances"] == 60


def test_what_will_be_delisted_is_asked_once_and_told_everywhere(
    run: Run, exchange: Sandbox, keep: Keep, at: tuple[str, ...], tmp_path: Path
) -> None:
    exchange.delist("KOGE", datetime(2031, 12, 5, 3, tzinfo=UTC))
    desk = [exchange.open_account(name, ADA="6", KOGE="0.01") for name in ("yan", "zoe")]
    rest = [exchange.open_account("first", ADA="6")]
    accounts = ("--accounts", str(keep(*rest, *desk)), *at, "--delistings")
    books = ("--ledger", str(tmp_path / "dust.db"))

    scanned = run("scan", *accounts, "--html", str(tmp_path / "page.html"))
    rows = run("scan", *accounts, "--json").rows
    quoted = run("quote", *accounts, *books)
    swept = run("sweep", *accounts, *books, "--json", "--concurrency", "1").rows
    told = run("sweep", *accounts, *books)

    assert "Soon delisted: KOGE before 2031-12-05 03:00 UTC (2 accounts)." in scanned.out
    assert "until when to convert" in (tmp_path / "page.html").read_text("utf-8")
    chances = {row["account"]: [each["asset"] for each in row["last_chances"]] for row in rows}
    assert chances == {"first": [], "yan": ["KOGE"], "zoe": ["KOGE"]}
    assert "soon delisted KOGE: convert it before 2031-12-05 03:00 UTC" in quoted.out
    assert [row["account"] for row in swept] == ["yan", "zoe", "first"]
    (told_row,) = swept[0]["quote"]["last_chances"]
    assert told_row["until"] == "2031-12-05T03:00:00Z"
    assert told.out.count("soon delisted: KOGE") == 2
    assert len(exchange.requests_of("GET /sapi/v1/spot/delist-schedule")) == 5


def test_an_estimate_sends_nothing(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "scan.jsonl"

    shown = run("scan", "--estimate", "--out", str(out), "--accounts", file, *at)
    (row,) = run("scan", "--estimate", "--json", "--accounts", file, *at).rows

    assert (shown.code, exchange.requests, out.exists()) == (0, (), False)
    assert shown.out.startswith("10 accounts: ")
    assert row["accounts"] == 10
    assert row["seconds_at_least"] <= row["seconds_at_most"]
    assert {lane["question"]: lane["weight_at_most"] for lane in row["lanes"]} == {
        "user_assets": 50,
        "convertible_assets": 10,
        "account_info": 10,
        "margin_account": 100,
        "small_liabilities": 1000,
    }


def test_an_estimate_has_rows_for_each_session(run: Run, file: str, at: tuple[str, ...]) -> None:
    addresses = ("--local-addr", "127.0.0.2", "--local-addr", "127.0.0.3")

    one = run("scan", "--estimate", "--accounts", file, *at)
    two = run("scan", "--estimate", "--accounts", file, *addresses, *at)

    assert "session" not in one.out
    rows = [line.split() for line in two.out.splitlines()]
    assert sorted(row[:2] for row in rows if "small_liabilities" in row) == [
        ["0", "small_liabilities"],
        ["1", "small_liabilities"],
    ]


def test_an_account_that_fails_is_shown_with_its_reason_and_the_others_are_read(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...]
) -> None:
    exchange.faults.refuse(401, code=-2015, account="bob", times=None, retry_after=None)
    exchange.faults.wrong_shape(endpoint="/sapi/v3/asset/getUserAsset", account="carol")

    done = run("scan", "--accounts", file, *at)

    assert done.code == 1
    assert "10 accounts. All dust" in done.out
    assert "2 accounts with parts that failed" in done.out
    assert "1 x assets: POST /sapi/v3/asset/getUserAsset: -2015" in done.out
    assert "(bob)" not in done.out, "equal reasons are counted together"


def test_reports_are_written_and_failed_accounts_are_asked_again(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "scan.jsonl"
    fault = exchange.faults.refuse(401, code=-2015, account="bob", times=None, retry_after=None)
    asked = ("scan", "--out", str(out), "--accounts", file, *at)

    first = run(*asked)
    again = run(*asked)
    fault.cancel()
    exchange.forget_requests()
    second = run(*asked, "--resume")

    assert (first.code, again.code, second.code) == (1, 2, 0)
    assert "is there already: resume it" in again.err
    assert {seen.account for seen in exchange.requests} - {None} == {"bob"}
    assert "1 account to scan, 9 were done before" in second.err
    assert "10 accounts. All dust" in second.out, "with those from before"
    assert sorted(row["account"] for row in lines_of(out)) == sorted(
        each.name for each in exchange.accounts
    )
    assert all(report.ok for report in read_reports(out))


def test_a_spreadsheet_is_written_and_resumed(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "scan.csv"
    asked = ("scan", "--out", str(out), "--accounts", file, *at)

    run(*asked, "--account", "alice", "--account", "bob")
    with out.open("ab") as cut:
        cut.write(b"carol,2026-11")
    done = run(*asked, "--resume")

    with out.open(encoding="utf-8-sig", newline="") as rows:
        totals = [row["account"] for row in csv.DictReader(rows) if row["part"] == "total"]
    assert done.code == 0
    assert totals[:2] in (["alice", "bob"], ["bob", "alice"])
    assert sorted(totals) == sorted(each.name for each in exchange.accounts)
    assert "with those of 2 accounts from before" in done.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--resume",), "name it with --out"),
        (("--out", "scan.xlsx"), ".jsonl, .ndjson, .csv"),
        (("--out", "nowhere/scan.csv"), os.strerror(errno.ENOENT)),
        (("--out", "foreign.csv", "--resume"), "no file of reports"),
        (("--concurrency", "0"), "1 or more"),
        (("--liabilities", "maybe"), "maybe"),
        (("--target", " "), "is empty: name an asset"),
    ],
)
def test_wrong_use_is_an_error_before_anything_is_sent(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("foreign.csv").write_text("precious", encoding="utf-8")

    done = run("scan", "--sandbox", *arguments)

    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert Path("foreign.csv").read_text(encoding="utf-8") == "precious"


def test_a_file_with_another_target_is_not_resumed(run: Run, tmp_path: Path) -> None:
    out = str(tmp_path / "scan.csv")
    run("scan", "--sandbox", "--out", out)

    done = run("scan", "--sandbox", "--out", out, "--resume", "--target", "USDT")

    assert done.code == 2
    assert "holds reports in BNB, not in USDT" in done.err


def test_accounts_are_spread_over_addresses_and_each_is_asked_from_one(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...]
) -> None:
    addresses = ("--local-addr", "127.0.0.2", "--local-addr", "127.0.0.3")

    run("scan", "--accounts", file, *addresses, *at)

    asked = {(seen.account, seen.address) for seen in exchange.requests if seen.account}
    assert len(asked) == 10
    assert {address for _, address in asked} == {"127.0.0.2", "127.0.0.3"}


def test_a_page_shows_all_reports_also_earlier_ones(
    run: Run, file: str, at: tuple[str, ...], tmp_path: Path
) -> None:
    out, page = tmp_path / "scan.jsonl", tmp_path / "page.html"
    asked = ("scan", "--accounts", file, *at)

    alone = run(*asked, "--html", str(page), "--account", "alice")
    first = page.read_text(encoding="utf-8")
    run(*asked, "--out", str(out), "--account", "alice")
    both = run(*asked, "--out", str(out), "--resume", "--html", str(page))
    second = page.read_text(encoding="utf-8")
    table = run(*asked, "--out", str(tmp_path / "scan.csv"), "--html", str(page))

    assert (alone.code, both.code, table.code) == (0, 0, 0)
    assert f"The page is {page}." in both.out
    assert ("alice" in first, "bob" in first) == (True, False)
    assert ("alice" in second, "bob" in second) == (True, True)
    assert "judy" in page.read_text(encoding="utf-8")


def test_a_page_that_could_not_be_written_is_an_error_before_the_scan(
    run: Run, exchange: Sandbox, file: str, at: tuple[str, ...], tmp_path: Path
) -> None:
    asked = ("scan", "--accounts", file, *at)

    nowhere = run(*asked, "--html", str(tmp_path / "nowhere" / "page.html"))
    folder = run(*asked, "--html", str(tmp_path))
    demo = run("demo", "--html", str(tmp_path))
    partly = run(*asked, "--html", "page.html", "--out", "scan.csv", "--resume")

    assert (nowhere.code, folder.code, demo.code, partly.code) == (2, 2, 2, 2)
    assert "there is no such folder" in nowhere.err
    assert "it is a folder" in folder.err
    assert ("it is a folder" in demo.err, demo.out) == (True, "")
    assert "a .csv does not give the earlier ones back" in partly.err
    assert exchange.requests == ()


# --- as a program --------------------------------------------------------------------------------


@pytest.fixture
def busy(keep: Keep) -> Iterator[tuple[str, ...]]:
    """Options for a scan of a minute: 120 lists go at once, ten must wait."""
    with Sandbox(seed=7) as exchange:
        file = keep(*(exchange.open_account(margin=True) for _ in range(130)))
        yield (
            *("--accounts", str(file), "--base-url", exchange.url, "--target", "BNB"),
            *("--concurrency", "200"),
        )


def until(some: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not some():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@posix
@pytest.mark.parametrize(
    ("end", "kind"), [(signal.SIGINT, "jsonl"), (getattr(signal, "SIGKILL", signal.SIGTERM), "csv")]
)
def test_a_scan_that_is_ended_in_the_middle_can_be_resumed(
    run: Run, busy: tuple[str, ...], tmp_path: Path, end: signal.Signals, kind: str
) -> None:
    out = tmp_path / f"scan.{kind}"
    process = start("scan", "--liabilities", "always", "--out", str(out), *busy)
    until(lambda: out.exists() and out.stat().st_size > 5_000, process)

    process.send_signal(end)
    told, errors = process.communicate(timeout=30)

    assert process.returncode == (130 if end is signal.SIGINT else -end)
    assert told == ""
    if end is signal.SIGINT:
        assert re.search(r"stopped after [0-9]+ of 130 accounts; --resume continues", errors)
        assert "Traceback" not in errors
    done = run("scan", "--liabilities", "never", "--out", str(out), "--resume", *busy)
    assert done.code == 0
    assert "were done before" in done.err
    if kind == "jsonl":
        assert len({row["account"] for row in lines_of(out)}) == len(lines_of(out)) == 130


def test_a_closed_pipe_ends_a_scan_without_an_error(busy: tuple[str, ...]) -> None:
    process = start("scan", "--json", "--liabilities", "always", *busy)
    assert process.stdout is not None

    first = json.loads(process.stdout.readline())
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        errors = process.stderr.read()
    process.wait(30)

    assert first["settled_by"] == "list"
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors


def test_a_terminal_shows_progress_and_keeps_the_totals_only() -> None:
    main, other = pty.openpty()
    arguments = ("--sandbox", "--sandbox-accounts", "130", "--window", "1")
    environ = ENVIRONMENT | {"TERM": "xterm", "COLUMNS": "110"}
    asked = ("scan", "--liabilities", "always", *arguments)
    process = start(*asked, stdout=other, stderr=other, env=environ)
    os.close(other)
    seen = b""
    while select.select([main], [], [], 30)[0]:
        try:
            piece = os.read(main, 65_536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        seen += piece
    os.close(main)

    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert process.wait(30) == 0
    assert b"\x1b[" in seen
    assert "\x1b[?25h" in seen.decode(), "the cursor is there again"
    assert re.search(r"[0-9]+ of 130 accounts, 0 failed, [0-9]+ s gone, [0-9]+ s left", text)
    assert "list of debts" in text
    assert re.search(r"list of debts +[0-9]+ +[0-9]+ +[0-9,]+ of 12,000", text)
    assert "130 accounts. All dust would bring" in text
