"""Exported files are exact, in order, safe to open, and never incomplete."""

from __future__ import annotations

import asyncio
import csv
import errno
import io
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_dust import ConfigurationError, Ledger
from binance_dust._util.plain import plain
from binance_dust.ledger import Kind, LedgerEntry, _reader
from binance_dust.ledger._rows import BookRow
from binance_dust.ledger.export import LAYOUTS, Exported, Style, write_csv
from binance_dust.ledger.export._writer import AtomicFile
from tests.ledger.makers import (
    HOUR,
    MINUTE,
    NOW,
    converted,
    entry_maker,
    intent,
    line,
    numbered,
    refused,
    rows_of_entry,
    seen,
)
from tests.systems import posix

ADA = ("ADA", "6.21", "0.01777302", "0.00035546")
XRP = ("XRP", "0.000000001", "0.00000002", "0")
DEBT = ("ETH", "0.00083434", "1.8576", "0")


async def stream(entries: Iterable[LedgerEntry]) -> AsyncIterator[list[BookRow]]:
    """Give the rows of entries, in pages of two entries."""
    for page in zip_longest(*[iter(entries)] * 2):
        yield [row for entry in page if entry is not None for row in rows_of_entry(entry)]


async def rows_of(entries: Iterable[LedgerEntry], style: Style = "plain") -> list[dict[str, str]]:
    text = io.StringIO(newline="")
    await write_csv(stream(entries), text, style)
    return list(csv.DictReader(io.StringIO(text.getvalue())))


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def size_of_draft(folder: Path) -> int:
    (draft,) = folder.iterdir()
    return draft.stat().st_size


def books() -> list[LedgerEntry]:
    make = entry_maker()
    return [
        make(NOW, ADA, XRP, transaction_id=45178372831),
        make(
            NOW + timedelta(hours=1),
            DEBT,
            kind=Kind.LIABILITIES,
            account_type="MARGIN",
            target="USDT",
            transaction_id=None,
        ),
        make(NOW + timedelta(hours=2), status="unknown", assets=("LTC",)),
        make(NOW + timedelta(hours=3), code=-5006, assets=("LTC",)),
    ]


async def test_the_plain_style() -> None:
    first, second, debt, unknown = await rows_of(books())

    assert first == {
        "date": "2026-11-21T12:00:00.000Z",
        "account": "alice",
        "account_type": "SPOT",
        "kind": "dust",
        "sold_asset": "ADA",
        "sold_amount": "6.21",
        "received_asset": "BNB",
        "received_amount": "0.01741756",
        "fee": "0.00035546",
        "transaction_id": "45178372831",
        "status": "confirmed",
        "debt_ended_asset": "",
        "debt_ended_amount": "",
        "debt_begun_asset": "",
        "debt_begun_amount": "",
        "entry": "1",
        "moved_asset": "",
        "moved_amount": "",
    }
    assert (second["date"], second["sold_amount"]) == ("2026-11-21T12:00:00.037Z", "0.000000001")
    # One debt replaced another: nothing was sold or received.
    assert (debt["sold_asset"], debt["received_amount"], debt["kind"]) == ("", "", "liabilities")
    assert (debt["debt_ended_asset"], debt["debt_ended_amount"]) == ("ETH", "0.00083434")
    assert (debt["debt_begun_asset"], debt["debt_begun_amount"]) == ("USDT", "1.8576")
    # An unknown outcome is shown without amounts; a rejected call is left out.
    assert (unknown["status"], unknown["sold_asset"], unknown["sold_amount"]) == (
        "unknown",
        "LTC",
        "",
    )


async def test_what_is_moved_or_paid_is_no_trade_in_the_plain_style() -> None:
    make = entry_maker()
    same = ("ADA", "2", "2", "0")
    wallets = {Kind.TRANSFER: "SPOT", Kind.REPAYMENT: "MARGIN"}

    rows = await rows_of(
        make(NOW, same, kind=kind, account_type=wallet, target="ADA")
        for kind, wallet in wallets.items()
    )

    assert all(None not in row for row in rows), "no more cells than columns"
    shown = [{name: row[name] for name in row if row[name] in ("ADA", "2")} for row in rows]
    assert shown == [
        {"moved_asset": "ADA", "moved_amount": "2"},
        {"debt_ended_asset": "ADA", "debt_ended_amount": "2", "entry": "2"},
    ]


async def test_a_line_without_any_number_has_no_id_of_its_own() -> None:
    (entry, *_) = books()
    (row, *_) = rows_of_entry(entry)
    text = io.StringIO(newline="")

    async def pages() -> AsyncIterator[list[BookRow]]:
        yield [row._replace(transaction_id=None, line_id=None)]

    await write_csv(pages(), text, "koinly")

    (shown,) = csv.DictReader(io.StringIO(text.getvalue()))
    assert shown["TxHash"] == ""


async def test_koinly_takes_the_fee_off_itself() -> None:
    first, second = await rows_of(books(), "koinly")

    assert first == {
        "Date": "2026-11-21 12:00:00 UTC",
        "Sent Amount": "6.21",
        "Sent Currency": "ADA",
        "Received Amount": "0.01777302",
        "Received Currency": "BNB",
        "Fee Amount": "0.00035546",
        "Fee Currency": "BNB",
        "Net Worth Amount": "",
        "Net Worth Currency": "",
        "Label": "",
        "Description": "alice: small balance converted",
        "TxHash": "45178372831-ADA",
    }
    assert (second["Fee Amount"], second["Fee Currency"]) == ("", "")


async def test_cointracking_has_the_fee_in_the_amount_already() -> None:
    first, _ = await rows_of(books(), "cointracking")

    assert (first["Type"], first["Date"]) == ("Trade", "2026-11-21 12:00:00")
    assert (first["Buy Amount"], first["Buy Currency"]) == ("0.01741756", "BNB")
    assert (first["Sell Amount"], first["Sell Currency"]) == ("6.21", "ADA")
    assert (first["Fee"], first["Fee Currency"]) == ("0.00035546", "BNB")
    assert (first["Exchange"], first["Trade-Group"]) == ("Binance", "alice")
    assert first["Tx-ID (optional)"] == "45178372831-ADA"


async def test_blockpit_takes_the_fee_off_itself() -> None:
    first, _ = await rows_of(books(), "blockpit")

    assert (first["Label"], first["Date (UTC)"]) == ("Trade", "21.11.2026 12:00:00")
    assert (first["Incoming Amount"], first["Incoming Asset"]) == ("0.01777302", "BNB")
    assert (first["Fee Amount (optional)"], first["Fee Asset (optional)"]) == ("0.00035546", "BNB")


async def test_bittytax_takes_the_fee_off_itself() -> None:
    first, second = await rows_of(books(), "bittytax")

    assert first == {
        "Type": "Trade",
        "Buy Quantity": "0.01777302",
        "Buy Asset": "BNB",
        "Buy Value in GBP": "",
        "Sell Quantity": "6.21",
        "Sell Asset": "ADA",
        "Sell Value in GBP": "",
        "Fee Quantity": "0.00035546",
        "Fee Asset": "BNB",
        "Fee Value in GBP": "",
        "Wallet": "Binance alice",
        "Timestamp": "2026-11-21T12:00:00.000Z",
        "Note": "alice: small balance converted",
    }
    assert (second["Fee Quantity"], second["Fee Asset"]) == ("", "")


async def test_rotki_takes_the_fee_off_itself() -> None:
    _, second = await rows_of(books(), "rotki")

    assert second == {
        "Location": "binance",
        "Spend Currency": "XRP",
        "Receive Currency": "BNB",
        "Receive Amount": "0.00000002",
        "Spend Amount": "0.000000001",
        "Fee": "",
        "Fee Currency": "",
        "Description": "alice: small balance converted",
        "Timestamp": "1795262400037",
    }


@pytest.mark.parametrize("style", sorted(LAYOUTS))
async def test_every_style_fills_all_columns_and_reports_what_it_left_out(
    style: Style,
) -> None:
    text = io.StringIO(newline="")

    done = await write_csv(stream(books()), text, style)

    table = list(csv.reader(io.StringIO(text.getvalue())))
    assert {len(row) for row in table} == {len(LAYOUTS[style].header.split(","))}
    assert done == (
        Exported(rows=4, unsettled=1)
        if style == "plain"
        else Exported(rows=2, liabilities_left_out=1, unsettled=1)
    )


@given(
    rows=st.lists(
        st.tuples(st.decimals(0, "1e9", places=18), st.decimals(0, "1e6", places=8), st.booleans()),
        min_size=1,
        max_size=5,
    )
)
async def test_the_amounts_of_every_style_balance(
    rows: list[tuple[Decimal, Decimal, bool]],
) -> None:
    make = entry_maker()
    entry = make(
        NOW,
        *((f"A{n}", f"{sold:f}", f"{gross:f}", f"{gross / 50 if fee else 0:f}")
          for n, (sold, gross, fee) in enumerate(rows)),
    )  # fmt: skip

    def total(table: list[dict[str, str]], column: str) -> Decimal:
        return sum((Decimal(row[column] or 0) for row in table), Decimal(0))

    plain = await rows_of([entry], "plain")
    koinly = await rows_of([entry], "koinly")
    cointracking = await rows_of([entry], "cointracking")
    blockpit = await rows_of([entry], "blockpit")

    assert total(plain, "received_amount") == entry.net
    assert total(koinly, "Received Amount") - total(koinly, "Fee Amount") == entry.net
    assert total(cointracking, "Buy Amount") == entry.net
    bittytax = await rows_of([entry], "bittytax")
    rotki = await rows_of([entry], "rotki")
    assert total(bittytax, "Buy Quantity") - total(bittytax, "Fee Quantity") == entry.net
    assert total(rotki, "Receive Amount") - total(rotki, "Fee") == entry.net
    assert (
        total(blockpit, "Incoming Amount") - total(blockpit, "Fee Amount (optional)") == entry.net
    )


@given(name=st.text(min_size=1, max_size=8))
async def test_no_cell_is_a_formula(name: str) -> None:
    make = entry_maker()
    entry = make(NOW, (name, "1", "0.1", "0.002"), account=name, target=name)

    for style in LAYOUTS:
        (row,) = await rows_of([entry], style)
        for cell in row.values():
            assert not cell.startswith(tuple("=+-@\t\r\n＝＋－＠"))  # noqa: RUF001
        assert any(name in cell for cell in row.values())


async def test_a_name_with_commas_quotes_and_lines_comes_back_whole() -> None:
    make = entry_maker()

    (row,) = await rows_of([make(NOW, ADA, account='a, "b"\nc 币安人生')])

    assert row["account"] == 'a, "b"\nc 币安人生'


async def test_json_lines_have_all_fields_of_an_entry(ledger: Ledger) -> None:
    await ledger.record([seen(line("ADA", amount=Decimal("1e-9")), line("1INCH"))], now=NOW)
    await refused(ledger, HOUR, code=-5006)
    begun = await ledger.intend(intent(amounts={"ADA": Decimal(6)}, client_id='"'), length=HOUR)
    await ledger.leave_unknown(begun.id, "no answer: 币安", now=NOW, code="x", needs_resolve=True)
    text = io.StringIO()

    done = await ledger.export_json_lines(text)

    lines = [json.loads(line) for line in text.getvalue().splitlines()]
    entries = [entry async for entry in ledger.entries()]
    assert done == Exported(rows=3, unsettled=1)
    assert [line["status"] for line in lines] == ["confirmed", "unknown", "rejected"]
    for written, entry in zip(lines, entries, strict=True):
        expected = {name: plain(getattr(entry, name)) for name in entry.__dataclass_fields__}
        expected["lines"] = [
            {name: plain(getattr(each, name)) for name in (*each.__dataclass_fields__, "net")}
            for each in entry.lines
        ]
        assert written == expected
        assert list(written) == list(expected)


async def test_a_ledger_s_rows_are_those_of_its_entries(ledger: Ledger) -> None:
    await ledger.record([numbered(n) for n in range(3)], now=NOW)
    await ledger.record([seen(line("ADA"), line("XRP", at=NOW + MINUTE))], now=NOW)
    await refused(ledger, HOUR)
    await ledger.intend(intent(account="bob"), length=HOUR)
    entries = [entry async for entry in ledger.entries()]
    text, expected = io.StringIO(newline=""), io.StringIO(newline="")

    done = await ledger.export_csv(text)

    assert done == Exported(rows=7, unsettled=1)
    await write_csv(stream(entries), expected, "plain")
    assert text.getvalue() == expected.getvalue()


@pytest.mark.parametrize(
    ("of_entry", "of_line", "number"), [(7, 8, "7"), (None, 8, "8"), (None, None, "")]
)
def test_a_row_has_the_number_of_its_entry_or_else_of_its_line(
    of_entry: int | None, of_line: int | None, number: str
) -> None:
    row = rows_of_entry(books()[0])[0]._replace(transaction_id=of_entry, line_id=of_line)

    assert row.number == number


async def test_pages_of_an_export_go_on_in_order_of_time(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.record([numbered(n) for n in (1, 2, 0)], now=NOW)
    at_once, in_pages = io.StringIO(newline=""), io.StringIO(newline="")

    await ledger.export_csv(at_once)
    monkeypatch.setattr(_reader, "_ROWS", 1)
    await ledger.export_csv(in_pages)

    assert in_pages.getvalue() == at_once.getvalue()


async def test_an_entry_without_any_line_is_counted_and_has_no_row(ledger: Ledger) -> None:
    debt = seen(line("ETH"), kind=Kind.LIABILITIES, account_type="MARGIN", target="USDT")
    await ledger.record([replace(debt, lines=())], now=NOW)
    await ledger.intend(intent(account="bob", held={}), length=HOUR)

    done = await ledger.export_csv(io.StringIO(newline=""), style="koinly")

    assert done == Exported(rows=0, liabilities_left_out=1, unsettled=1)


@pytest.mark.parametrize("style", ["plain", "koinly"])
async def test_calls_are_counted_whatever_becomes_of_their_rows(style: Style) -> None:
    make = entry_maker()
    debts: dict[str, Any] = {
        "kind": Kind.LIABILITIES,
        "account_type": "MARGIN",
        "target": "USDT",
    }
    entries = [
        make(NOW, DEBT, ("SOL", "0.01", "1.4", "0"), **debts),
        make(NOW, status="unknown", assets=("ETH", "SOL"), **debts),
        make(NOW, status="unknown", assets=("ADA", "XRP")),
        make(NOW, ADA, kind=Kind.TRANSFER),
        make(NOW, ADA, kind=Kind.REPAYMENT),
    ]
    empty = rows_of_entry(entries[2])[0]._replace(entry=9, asset="")
    text = io.StringIO(newline="")

    async def pages() -> AsyncIterator[list[BookRow]]:
        yield [*chain.from_iterable(map(rows_of_entry, entries)), empty]

    done = await write_csv(pages(), text, style)

    assert done == (
        Exported(rows=8, unsettled=3)
        if style == "plain"
        else Exported(rows=0, liabilities_left_out=1, moves_left_out=2, unsettled=3)
    )
    assert len(text.getvalue().splitlines()) == done.rows + 1


@posix
async def test_a_file_is_replaced_when_the_new_one_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "books.csv"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o640)
    looks, flushed = [], list[int]()
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(os.fstat(handle).st_size))

    async def slowly() -> AsyncIterator[list[BookRow]]:
        async for page in stream(books()):
            looks.append(path.read_text(encoding="utf-8"))
            yield page

    await write_csv(slowly(), path, "plain")

    assert set(looks) == {"old"}
    assert path.read_bytes().count(b"\r\n") == 5
    assert flushed[0] == path.stat().st_size, "all of it, before it got its name"
    assert names_in(tmp_path) == ["books.csv"]
    assert path.stat().st_mode & 0o777 == 0o640


@posix
async def test_a_new_file_is_private_and_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    link.symlink_to(real)

    await write_csv(stream(books()), link, "plain")

    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600


async def test_an_export_is_written_while_it_is_read(tmp_path: Path) -> None:
    (row, *_) = rows_of_entry(books()[0])
    path, sizes = tmp_path / "books.csv", list[int]()

    async def growing() -> AsyncIterator[list[BookRow]]:
        for _ in range(60):
            yield [row] * 100
            sizes.append(size_of_draft(tmp_path))

    done = await write_csv(growing(), path, "plain")

    # In a few large parts: not row by row, and not all at the end. Python 3.14 makes larger ones.
    assert 2 < len(set(sizes)) < 20
    assert done.rows == 6_000
    assert path.read_text(encoding="utf-8").count("ADA") == 6_000


def test_what_was_exported_has_no_more_parts_than_are_named() -> None:
    done = Exported(rows=1)

    assert done == Exported(
        rows=1, liabilities_left_out=0, moves_left_out=0, unsettled=0, renamed={}
    )
    assert len({done, Exported(rows=1)}) == 1


@pytest.mark.parametrize("begun", [True, False])
def test_what_was_discarded_comes_to_nothing_whatever_a_thread_still_does(
    begun: bool, tmp_path: Path
) -> None:
    file = AtomicFile(str(tmp_path / "books.csv"))
    if begun:
        file.open()

    file.discard()

    file.open()
    file.write("late")
    file.replace_target()
    file.discard()
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError("lost"), asyncio.CancelledError()])
async def test_an_export_that_stops_halfway_leaves_only_the_old_file(
    error: BaseException, tmp_path: Path
) -> None:
    path = tmp_path / "books.csv"
    path.write_text("old", encoding="utf-8")

    async def broken() -> AsyncIterator[list[BookRow]]:
        make = entry_maker()
        async for page in stream(make(NOW, ADA) for _ in range(2_000)):
            yield page
        raise error

    with pytest.raises(type(error)):
        await write_csv(broken(), path, "plain")

    assert path.read_text(encoding="utf-8") == "old"
    assert names_in(tmp_path) == ["books.csv"]


async def test_a_full_disk_is_reported_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "the words of the system")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(ConfigurationError, match="the words of the system"):
        await write_csv(stream(books()), tmp_path / "books.csv", "plain")

    assert names_in(tmp_path) == []


async def test_a_cancelled_export_does_not_block_while_the_disk_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, others_went_on = threading.Event(), threading.Event()
    waited: list[bool] = []

    def slow(descriptor: int) -> None:
        busy.set()
        waited.append(others_went_on.wait(timeout=5))

    monkeypatch.setattr(os, "fsync", slow)
    writing = asyncio.ensure_future(write_csv(stream(books()), tmp_path / "books.csv", "plain"))
    await asyncio.to_thread(busy.wait)
    writing.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others_went_on.set()

    with pytest.raises(asyncio.CancelledError):
        await writing
    assert waited == [True, True], "for the file, and for its folder"
    assert names_in(tmp_path) == ["books.csv"], "it was whole by then"


@pytest.mark.parametrize("name", ["missing/books.csv", "."])
async def test_a_place_that_cannot_be_written_is_reported(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be written"):
        await write_csv(stream([]), tmp_path / name, "plain")


async def test_a_wrong_place_or_style_is_refused() -> None:
    with pytest.raises(TypeError, match="int"):
        await write_csv(stream([]), 3, "plain")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="plain, koinly"):
        await write_csv(stream([]), sys.stdout, "excel")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["dust.db", "link.db", "dust.db-wal"])
async def test_a_ledger_never_exports_over_its_own_files(
    name: str, ledger: Ledger, path: Path
) -> None:
    await converted(ledger, timedelta(0), 1)
    (path.parent / "link.db").symlink_to(path)

    with pytest.raises(ConfigurationError, match="the ledger itself"):
        await ledger.export_csv(path.parent / name)
    with pytest.raises(ConfigurationError, match="the ledger itself"):
        await ledger.export_json_lines(str(path.parent / name))

    async with Ledger(path) as again:
        assert (await again.totals("target"))[0].count == 1


async def test_a_ledger_exports_in_order_of_time(ledger: Ledger, tmp_path: Path) -> None:
    # The second was written later but happened earlier: files are in order of time.
    await converted(ledger, HOUR, 1)
    await converted(ledger, timedelta(0), 2, "bob")
    await refused(ledger, 2 * HOUR)

    path = tmp_path / "books.csv"
    done = await ledger.export_csv(path)
    lines = io.StringIO()
    await ledger.export_json_lines(lines, account="alice", since=NOW + HOUR)

    rows = path.read_text(encoding="utf-8").splitlines()
    assert done.rows == 2
    assert [row.split(",")[1] for row in rows] == ["account", "bob", "alice"]
    assert [json.loads(text)["status"] for text in lines.getvalue().splitlines()] == [
        "confirmed",
        "rejected",
    ]
