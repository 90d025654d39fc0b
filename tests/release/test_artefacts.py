"""What is in the archives and beside them: judged by made-up ones here, by real ones in nox."""

from __future__ import annotations

import io
import os
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from binance_dust import __version__
from tests.release.archives import (
    MADE_FOR_SDIST,
    MADE_FOR_WHEEL,
    NEEDED,
    PACKAGE,
    names_in_sdist,
    names_in_wheel,
)
from tests.release.archives import problems as wrong_inside
from tests.release.build import differences, unpack
from tests.release.inventory import describe, needs, sums
from tests.release.inventory import problems as wrong_in_inventory

TRACKED = NEEDED | {"docs/index.md", "binance_dust/client/_client.py"}
SDIST = TRACKED | MADE_FOR_SDIST
WHEEL = {name for name in TRACKED if name.startswith(PACKAGE)} | {f"*/{n}" for n in MADE_FOR_WHEEL}

PROJECT = {
    "name": "binance-dust",
    "description": 'Says "dust".',
    "license": "MIT",
    "dependencies": ["aiohttp>=3.12,<4"],
    "optional-dependencies": {"fleet": ["taskiq_redis>=1"]},
}


def sdist(path: Path, files: dict[str, bytes], *, mtime: int = 0) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"binance_dust-1/{name}")
            member.size, member.mtime = len(content), mtime
            archive.addfile(member, io.BytesIO(content))
    return path


def wheel(path: Path, files: dict[str, bytes], *, year: int = 2020) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (year, 2, 2, 0, 0, 0)), content)
    return path


@pytest.mark.parametrize("tracked", [TRACKED, None], ids=["git", "no git"])
def test_what_git_has_and_no_more_is_right(tracked: frozenset[str] | None) -> None:
    assert wrong_inside(SDIST, WHEEL, tracked) == []


@pytest.mark.parametrize(
    ("sdist", "wheel", "told"),
    [
        (SDIST | {"notes.txt"}, WHEEL, ["the sdist holds notes.txt"]),
        (SDIST - {"docs/index.md"}, WHEEL, ["the sdist lacks docs/index.md"]),
        (SDIST, WHEEL - {"binance_dust/py.typed"}, ["the wheel lacks binance_dust/py.typed"]),
        (SDIST, WHEEL | {"tests/conftest.py"}, ["the wheel holds tests/conftest.py"]),
        (SDIST, WHEEL - {"*/licenses/LICENSE"}, ["the wheel lacks */licenses/LICENSE"]),
    ],
)
def test_what_is_missing_or_too_much_is_named(
    sdist: set[str], wheel: set[str], told: list[str]
) -> None:
    assert wrong_inside(sdist, wheel, TRACKED) == told


def test_names_are_read_without_the_version_in_them(tmp_path: Path) -> None:
    one = sdist(tmp_path / "a.tar.gz", {"LICENSE": b"", "binance_dust/py.typed": b""})
    other = wheel(
        tmp_path / "a.whl", {"binance_dust/py.typed": b"", "binance_dust-1.dist-info/RECORD": b""}
    )

    assert names_in_sdist(one) == {"LICENSE", "binance_dust/py.typed"}
    assert names_in_wheel(other) == {"binance_dust/py.typed", "*/RECORD"}


def test_what_differs_between_two_builds_is_named(tmp_path: Path) -> None:
    files = {"same.py": b"1", "other.py": b"2"}
    first, second = wheel(tmp_path / "a.whl", files), wheel(tmp_path / "b.whl", files)
    later = wheel(tmp_path / "c.whl", files, year=2021)
    changed = wheel(tmp_path / "d.whl", files | {"other.py": b"3"})
    turned = wheel(tmp_path / "e.whl", dict(reversed(files.items())))

    assert differences(first, second) == []
    assert differences(first, later) == [
        "a.whl differs in other.py",
        "a.whl differs in same.py",
    ]
    assert differences(first, changed) == ["a.whl differs in other.py"]
    assert differences(first, turned) == ["a.whl has the same members, and differs"]


def test_the_times_of_an_sdist_count_too(tmp_path: Path) -> None:
    one = sdist(tmp_path / "a.tar.gz", {"a.py": b"1"})
    other = sdist(tmp_path / "b.tar.gz", {"a.py": b"1"}, mtime=7)

    assert differences(one, other) == ["a.tar.gz differs in binance_dust-1/a.py"]


def test_sources_are_unpacked_with_another_time(tmp_path: Path) -> None:
    folder = unpack(sdist(tmp_path / "a.tar.gz", {"a.py": b"1"}, mtime=7), tmp_path / "away")

    assert folder.name == "binance_dust-1"
    assert os.stat(folder / "a.py").st_mtime not in (7, 0)  # noqa: PTH116 - as it is


def inventory(**changes: object) -> dict[str, object]:
    parts = [{"name": "aiohttp"}, {"name": "taskiq-redis"}]
    root = {"component": {"name": "binance-dust", "version": __version__}}
    return {"metadata": root, "components": parts} | changes


def test_an_inventory_names_all_that_is_declared() -> None:
    assert wrong_in_inventory(inventory(), PROJECT) == []
    assert wrong_in_inventory(inventory(components=[{"name": "aiohttp"}]), PROJECT) == [
        "it lacks taskiq-redis"
    ]


def test_an_inventory_is_about_this_version() -> None:
    root = {"component": {"name": "binance-dust"}}

    assert wrong_in_inventory(inventory(metadata=root), PROJECT) == [
        "it is about binance-dust None"
    ]


def test_an_inventory_tells_nothing_of_the_machine() -> None:
    seen = {"name": "aiohttp", "externalReferences": [{"type": "other", "url": "file:///home/me"}]}
    parts = [seen, {"name": "taskiq-redis"}]

    (told,) = wrong_in_inventory(inventory(components=parts), PROJECT)

    assert told == "it tells where aiohttp was: file:///home/me"


def test_the_package_is_described_with_its_version_and_all_that_it_needs() -> None:
    told = tomllib.loads(describe(PROJECT))["project"]

    assert told["version"] == __version__
    assert told["description"] == 'Says "dust".'
    assert told["dependencies"] == needs(PROJECT) == ["aiohttp>=3.12,<4", "taskiq_redis>=1"]


def test_sums_are_those_that_sha256sum_checks(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "SHA256SUMS").write_text("older ones", encoding="utf-8")

    assert sums(tmp_path) == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n"
    )
