"""What `changes/` becomes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.release.state import fragments

ROOT = Path(__file__).parents[2]

SECTION = """\
## 0.2.0, 2026-12-01

### Added

- It speaks over an encrypted line.
- `scan` takes `order=`, which
  says who comes first.

### Fixed

- A ledger on a full disk said the wrong thing.

"""
OLDER = "## 0.1.0, 2026-11-21\n\n### Added\n\n- Something.\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Copy what towncrier reads, without the changes that wait now and the older sections."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    preamble, _, _ = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition("## ")
    (tmp_path / "CHANGELOG.md").write_text(preamble + OLDER, encoding="utf-8")
    (tmp_path / "changes").mkdir()
    for name in ("README.md", "template.md.jinja"):
        shutil.copy(ROOT / "changes" / name, tmp_path / "changes")
    return tmp_path


def towncrier(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    told = (*arguments, "--version", "0.2.0", "--date", "2026-12-01")
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "towncrier", "build", *told],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_changes_become_a_section_above_the_last_one_in_its_form(project: Path) -> None:
    changes = project / "changes"
    preamble, _, _ = (project / "CHANGELOG.md").read_text(encoding="utf-8").partition(OLDER)
    (changes / "full-disk.fixed.md").write_text("A ledger on a full disk said the wrong thing.\n")
    (changes / "order.added.md").write_text("`scan` takes `order=`, which\nsays who comes first.\n")
    (changes / "encrypted.added.md").write_text("It speaks over an encrypted line.\n")

    done = towncrier("--keep", cwd=project)

    assert done.returncode == 0, done.stderr
    after = (project / "CHANGELOG.md").read_text(encoding="utf-8")
    assert after == preamble + SECTION + OLDER


@pytest.mark.parametrize("name", ["something.md", "something.feature.md", "a.b.c.md"])
def test_a_misnamed_change_is_an_error(project: Path, name: str) -> None:
    (project / "changes" / name).write_text("Something.\n")

    done = towncrier("--draft", cwd=project)

    assert done.returncode == 1
    assert name in done.stderr


def test_no_change_waits_before_the_first_release() -> None:
    """Nobody had an earlier state: a change is told in the section of 0.1.0 itself."""
    if "\n## 0.1.0, unreleased\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"):
        assert fragments(ROOT / "changes") == set(), "write it into the section of 0.1.0"


def test_the_changes_that_wait_now_are_well_formed() -> None:
    done = towncrier("--draft", cwd=ROOT)

    assert done.returncode == 0, done.stderr
    for path in (ROOT / "changes").glob("*.*.md"):
        text = path.read_text(encoding="utf-8").strip()
        assert text.endswith("."), path.name
        assert not text.startswith(("-", "*", "#")), path.name
