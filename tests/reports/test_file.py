"""Reports in a file: written as they come, and resumed from wherever the file ends."""

from __future__ import annotations

import csv
import errno
import itertools
import os
import stat
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from binance_dust import ConfigurationError, DustError, NoAnswerError, errors
from binance_dust.models import ConvertibleAsset, ConvertibleAssets, SmallLiability, UserAsset
from binance_dust.reports import AccountReport, ReportFile, Settled, _file, read_reports
from binance_dust.reports._lines import COLUMNS, CsvRows, JsonLines, _cell, _text
from tests.systems import posix

KINDS = ["jsonl", "csv"]
AT = datetime(2026, 11, 21, 8, 0, 0, 250_000, tzinfo=UTC)


def report(name: str = "alice", *, broken: bool = False, target: str = "BNB") -> AccountReport:
    quote = ConvertibleAssets(
        dribblet_percentage=Decimal("0.02"),
        total_transfer_quota_asset_amount=Decimal("2.80"),
        total_transfer_target_asset_amount=Decimal("0.00307693"),
        dribblet_base=Decimal(10),
        details=[
            ConvertibleAsset(
                asset="ADA",
                asset_full_name="Cardano",
                amount_free=Decimal("6.21"),
                exchange=Decimal("0.00006154"),
                to_quota_asset_amount=Decimal("2.80"),
                to_target_asset_amount=Decimal("0.00307693"),
                to_target_asset_off_exchange=Decimal("0.00301539"),
            )
        ],
    )
    zero = Decimal(0)
    failed = NoAnswerError("no answer within the timeout", endpoint="POST /x", account=name)
    return AccountReport(
        account=name,
        target=target,
        at=AT,
        assets=[UserAsset("ADA", Decimal("6.21"), Decimal("1.5"), zero, zero, zero, zero)],
        quote=None if broken else quote,
        liabilities=[
            SmallLiability(
                "ETH", Decimal("0.00083334"), Decimal("0.001"), "USDT", Decimal("0.3552")
            )
        ],
        settled_by=Settled.LIST,
        errors={"quote": failed} if broken else {},
    )


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_reports_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "scan.jsonl"
    written = [report("alice"), report("bob", broken=True), report("币安人生\n'=")]

    with ReportFile(path) as file:
        for each in written:
            file.write(each)
        assert file.done == {"alice", "币安人生\n'="}
    read = list(read_reports(path))

    assert [each.to_plain() for each in read] == [each.to_plain() for each in written]
    assert isinstance(read[1].errors["quote"], errors.NoAnswerError)


def test_a_spreadsheet_has_a_row_for_each_thing_found_and_one_for_the_account(
    tmp_path: Path,
) -> None:
    path = tmp_path / "scan.csv"

    with ReportFile(path) as file:
        file.write(report())
        file.write(report("bob", broken=True))
    rows = rows_of(path)

    assert [(row["account"], row["part"], row["asset"]) for row in rows] == [
        ("alice", "assets", "ADA"),
        ("alice", "quote", "ADA"),
        ("alice", "liabilities", "ETH"),
        ("alice", "total", ""),
        ("bob", "assets", "ADA"),
        ("bob", "liabilities", "ETH"),
        ("bob", "quote", ""),
        ("bob", "total", ""),
    ]
    assert {row["at"] for row in rows} == {"2026-11-21T08:00:00.250000Z"}
    held, quote, debt, total = rows[:4]
    assert (held["amount"], held["unavailable"]) == ("6.21", "1.5")
    assert (quote["gross"], quote["fee"], quote["net"]) == (
        "0.00307693",
        "0.00006154",
        "0.00301539",
    )
    assert (debt["amount"], debt["gross"], debt["unit"]) == ("0.00183334", "0.3552", "USDT")
    assert (total["net"], total["unit"], total["error"]) == ("0.00301539", "BNB", "")
    assert "no answer within the timeout" in rows[6]["error"]
    assert (rows[7]["net"], rows[7]["error"]) == ("", "quote")


@pytest.mark.parametrize("kind", KINDS)
def test_a_scan_is_resumed_where_it_stopped_and_failed_accounts_are_asked_again(
    tmp_path: Path, kind: str
) -> None:
    path, whole = tmp_path / f"scan.{kind}", tmp_path / f"whole.{kind}"
    with ReportFile(path) as file:
        file.write(report("alice"))
        file.write(report("bob", broken=True))
        file.write(report("carol"))

    with ReportFile(path, resume=True) as file:
        assert file.done == {"alice", "carol"}
        assert file.targets == {"BNB"}
        file.write(report("bob"))
        assert file.done == {"alice", "bob", "carol"}
    with ReportFile(whole) as file:
        for name in ("alice", "carol", "bob"):
            file.write(report(name))

    assert path.read_bytes() == whole.read_bytes()
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".tmp"] == []


@pytest.mark.parametrize("kind", KINDS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_cut_off_anywhere_is_repaired_and_ends_as_if_never_cut(
    tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    names = ["alice", "=bob\r\n", "币安人生", "dave"]
    form = JsonLines() if kind == "jsonl" else CsvRows()
    blocks = [form.encode(report(name)) for name in names]
    whole = form.head + b"".join(blocks)
    cut = data.draw(st.integers(0, len(whole)))
    path = tmp_path / f"scan.{kind}"
    path.write_bytes(whole[:cut])

    with ReportFile(path, resume=True) as file:
        ends = itertools.accumulate((len(block) for block in blocks), initial=len(form.head))
        kept = [name for name, end in zip(names, list(ends)[1:], strict=True) if end <= cut]
        assert file.done == set(kept)
        for name in names[len(kept) :]:
            file.write(report(name))

    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("scan.jsonl", b"precious"),
        ("scan.jsonl", b"precious\n"),
        ("scan.jsonl", b'{"account":"alice"}\n'),
        ("scan.jsonl", b'{"account":1,"target":"BNB"}\n'),
        ("scan.jsonl", b"\xff\xfe\n"),
        ("scan.jsonl", JsonLines().encode(report()) + b"and then this\n"),
        ("scan.jsonl", JsonLines().encode(report()) + b"and then this"),
        ("scan.csv", b"account;part\r\n"),
        ("scan.csv", b"precious"),
        ("scan.csv", CsvRows.head + b"alice,1,2\r\n"),
        ("scan.csv", CsvRows().encode(report())),
    ],
)
def test_a_file_of_another_kind_is_refused_and_left_as_it_is(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(ConfigurationError, match="no file of reports"):
        ReportFile(path, resume=True)

    assert path.read_bytes() == content
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "scan.jsonl"
    line = JsonLines().encode(report())
    path.write_bytes(line + line.replace(b'"format":1', b'"format":2'))
    before = path.read_bytes()

    with pytest.raises(ConfigurationError, match=r"scan.jsonl .*line 2 .*newer version.*upgrade"):
        ReportFile(path, resume=True)
    with pytest.raises(ConfigurationError, match=r"scan.jsonl: line 2: .*newer version"):
        list(read_reports(path))

    assert path.read_bytes() == before


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "scan.csv"
    path.write_bytes(b"precious")

    with pytest.raises(ConfigurationError, match="is there already"):
        ReportFile(path)
    with pytest.raises(ConfigurationError, match=r"\.jsonl, \.ndjson, \.csv"):
        ReportFile(tmp_path / "scan.xlsx")
    with pytest.raises(ConfigurationError, match=os.strerror(errno.ENOENT)):
        ReportFile(tmp_path / "nowhere" / "scan.csv")

    assert path.read_bytes() == b"precious"


def test_two_writers_do_not_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "scan.jsonl"

    with (
        ReportFile(path),
        pytest.raises(ConfigurationError, match="being written by another"),
    ):
        ReportFile(path, resume=True)
    with ReportFile(path, resume=True) as file:
        file.write(report())

    file.close()
    with pytest.raises(ConfigurationError, match="is closed"):
        file.write(report())


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_is_full_leaves_no_half_of_a_report(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"scan.{kind}"
    real = os.write
    full = False

    def write(file: int, text: bytes) -> int:
        if full and len(text) <= 100:
            raise OSError(errno.ENOSPC, "the words of the system")
        return real(file, text[:100] if full else text)

    monkeypatch.setattr(os, "write", write)
    with ReportFile(path) as file:
        file.write(report("alice"))
        full = True
        with pytest.raises(DustError, match="the words of the system"):
            file.write(report("bob"))
        full = False
        file.write(report("carol"))
        assert file.done == {"alice", "carol"}

    with ReportFile(path, resume=True) as file:
        assert file.done == {"alice", "carol"}


def test_a_file_that_can_t_be_mended_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scan.jsonl"
    with ReportFile(path) as file:
        file.write(report("alice"))
        file.write(report("bob", broken=True))
    before = path.read_bytes()

    def write(file: int, text: bytes) -> int:
        raise OSError(errno.ENOSPC, "the words of the system")

    with monkeypatch.context() as full:
        full.setattr(os, "write", write)
        with pytest.raises(ConfigurationError, match="the words of the system"):
            ReportFile(path, resume=True)

    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["scan.jsonl"]
    with ReportFile(path, resume=True) as file:
        assert file.done == {"alice"}, "and the file is not locked"


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_can_t_be_begun_is_not_kept_locked(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"scan.{kind}"

    def fsync(file: int) -> None:
        raise OSError(errno.ENOSPC, "the words of the system")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fsync)
        with pytest.raises(ConfigurationError, match="the words of the system"):
            ReportFile(path)

    with ReportFile(path, resume=True) as file:
        file.write(report("alice"))


def test_each_report_is_on_disk_when_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync

    def fsync(file: int) -> None:
        real(file)
        synced.append(os.fstat(file).st_size)

    with ReportFile(tmp_path / "scan.jsonl") as file:
        monkeypatch.setattr(os, "fsync", fsync)
        file.write(report("alice"))
        file.write(report("bob"))

    line = len(JsonLines().encode(report("alice")))
    assert synced == [line, 2 * line - 2]


def test_reading_back_stops_before_a_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "scan.jsonl"
    line = JsonLines().encode(report())
    path.write_bytes(line + line[:50])

    assert len(list(read_reports(path))) == 1

    path.write_bytes(line + b'{"account":"bob"}\n')
    with pytest.raises(ConfigurationError, match="line 2"):
        list(read_reports(path))
    with pytest.raises(ConfigurationError, match=os.strerror(errno.ENOENT)):
        list(read_reports(tmp_path / "nothing.jsonl"))
    with pytest.raises(ConfigurationError, match=r"\.jsonl files only"):
        list(read_reports(tmp_path / "scan.csv"))


@given(st.text(st.characters(codec="utf-8")))
def test_a_cell_is_one_line_that_computes_nothing_and_can_be_read_again(text: str) -> None:
    cell = _cell(text)

    assert _text(cell) == text
    assert cell.splitlines() in ([], [cell])
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=HYPERLINK(0)", "'=HYPERLINK(0)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@sum", "'@sum"),
        ("\t=1", "\\u0009=1"),
        ("a\nb", "a\\u000ab"),
        ("a\\u000ab", "a\\\\u000ab"),
        ('"a",b', '"a",b'),
    ],
)
def test_names_that_spreadsheets_misread_are_made_harmless(
    tmp_path: Path, name: str, cell: str
) -> None:
    path = tmp_path / "scan.csv"

    with ReportFile(path) as file:
        file.write(report(name))
    with ReportFile(path, resume=True) as file:
        assert file.done == {name}

    assert {row["account"] for row in rows_of(path)} == {cell}
    assert all(set(row) == set(COLUMNS) for row in rows_of(path))


def test_reports_of_two_targets_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "scan.csv"
    with ReportFile(path) as file:
        file.write(report("alice", target="BNB"))
        file.write(report("bob", target="USDT"))

    with ReportFile(path, resume=True) as file:
        assert file.targets == {"BNB", "USDT"}


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    values: Any = ReportFile(tmp_path / "scan.csv")

    assert repr(values) == f"<ReportFile {tmp_path / 'scan.csv'}, 0 accounts done>"
    values.close()


@posix
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_written_anew_with_its_mode_and_through_no_link(
    tmp_path: Path, kind: str
) -> None:
    path, victim = tmp_path / f"scan.{kind}", tmp_path / "victim"
    victim.write_text("precious")
    for name in ("mending", "tmp"):
        (tmp_path / f"{path.name}.{name}").symlink_to(victim)
    with ReportFile(path) as file:
        file.write(report("bob", broken=True))
    path.chmod(0o640)

    with ReportFile(path, resume=True) as file:
        file.write(report("bob"))

    assert victim.read_text() == "precious"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@posix
def test_a_file_that_was_written_anew_meanwhile_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two resume at once: the second opens it just before the first puts a copy in its place."""
    path = tmp_path / "scan.jsonl"
    with ReportFile(path) as file:
        file.write(report("bob", broken=True))
    lock = _file._lock

    def replaced_first(handle: int) -> bool:
        copy = tmp_path / "copy"
        copy.write_bytes(path.read_bytes())
        copy.replace(path)
        return lock(handle)

    monkeypatch.setattr(_file, "_lock", replaced_first)

    with pytest.raises(ConfigurationError, match="another process just now"):
        ReportFile(path, resume=True)


@posix
def test_a_pipe_is_no_file_of_reports(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "scan.jsonl")

    with pytest.raises(ConfigurationError, match="not a regular file"):
        ReportFile(tmp_path / "scan.jsonl", resume=True)
