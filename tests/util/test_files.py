"""Files that readers see whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from binance_dust._util.files import (
    draft_beside,
    flush_folder,
    mode_of,
    open_new,
    open_regular,
    put_in_place,
)
from tests.systems import posix


def test_a_draft_lies_beside_its_file_hidden_and_under_a_name_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "books.csv"

    one, two = draft_beside(path), draft_beside(path)

    assert one != two
    assert one.parent == path.parent
    assert one.name.startswith(".books.csv.")


@pytest.mark.parametrize("there", [True, False])
def test_a_draft_takes_the_place_of_the_file_and_the_folder_is_flushed_after_that(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "books.csv"
    if there:
        path.write_text("old")
    draft = draft_beside(path)
    draft.write_text("new")
    seen: list[str] = []
    monkeypatch.setattr(
        "binance_dust._util.files.flush_folder", lambda _: seen.append(path.read_text())
    )

    put_in_place(draft, path)

    assert seen == ["new"]
    assert [each.name for each in tmp_path.iterdir()] == ["books.csv"]


def test_a_folder_that_can_not_be_flushed_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(22, "not for folders")

    draft = draft_beside(tmp_path / "books.csv")
    draft.write_text("new")
    monkeypatch.setattr(os, "fsync", refuse)

    put_in_place(draft, tmp_path / "books.csv")

    assert (tmp_path / "books.csv").read_text() == "new"
    with pytest.raises(OSError, match="not for folders"):
        flush_folder(tmp_path)


@posix
def test_a_new_file_has_exactly_its_mode_and_is_made_through_no_link(tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "link"
    victim.write_text("precious")
    link.symlink_to(victim)
    umask = os.umask(0o077)
    try:
        os.close(open_new(tmp_path / "shared", mode=0o664))
        os.close(open_new(tmp_path / "usual"))
    finally:
        os.umask(umask)

    assert (mode_of(tmp_path / "shared"), mode_of(tmp_path / "usual")) == (0o664, 0o600)
    for path in (victim, link):
        with pytest.raises(FileExistsError):
            open_new(path)
    assert victim.read_text() == "precious"


@posix
def test_only_a_regular_file_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path / "pipe", tmp_path, Path("/dev/null")):
        with pytest.raises(OSError, match="not a regular file"):
            open_regular(path)
        with pytest.raises(OSError, match="not a regular file"):
            mode_of(path)
    assert mode_of(tmp_path / "none") is None
