"""The file is there whole, or as it was before."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from binance_dust.errors import ConfigurationError
from binance_dust.reports import page, write_page
from tests.reports.page.samples import AT, dust, report

if TYPE_CHECKING:
    from pathlib import Path

REPORTS = [report("币安人生\ud800", dust("ADA", "1", "2", "0"))]


def test_what_is_written_is_the_page(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text("the old one", encoding="utf-8")

    assert write_page(str(file), REPORTS, made_at=AT) == file

    assert file.read_bytes().decode() == page(REPORTS, made_at=AT)
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_a_file_that_cannot_be_replaced_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "report.html"
    file.write_text("the old one", encoding="utf-8")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "the words of the system")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigurationError, match="the words of the system"):
        write_page(file, REPORTS)

    assert file.read_text(encoding="utf-8") == "the old one"
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("name", ["missing/report.html", "file/report.html", "long" * 99, ".", "/"])
def test_a_path_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="can't be written"):
        write_page(tmp_path / name, REPORTS)
