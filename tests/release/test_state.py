"""What stands against a release."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.release.state import State, fragments, problems

CHANGELOG = "# Changelog\n\n## 0.2.0, 2026-12-01\n\n### Added\n\n## 0.1.0, 2026-11-21\n"
READY = State(version="0.2.0", changelog=CHANGELOG, tags=("v0.1.0",))


@pytest.mark.parametrize("state", [READY, replace(READY, tags=("v0.2.0",), tags_here=("v0.2.0",))])
def test_a_clean_commit_whose_changelog_has_its_version_may_go(state: State) -> None:
    assert problems(state) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"changed": ("README.md",)}, "not committed: README.md"),
        ({"fragments": ("tls.added.md",)}, "not in the changelog yet: tls.added.md"),
        ({"version": "0.3.0"}, "this is 0.3.0, and the changelog begins with 0.2.0"),
        ({"version": "0.1.0"}, "this is 0.1.0, and the changelog begins with 0.2.0"),
        ({"version": "0.2.0.dev1"}, "0.2.0.dev1 is no version to release"),
        ({"changelog": "# Changelog\n"}, "the changelog begins with nothing"),
        ({"changelog": "## 0.2.0, unreleased\n"}, "calls 0.2.0 unreleased: give it its date"),
        ({"tags": ("v0.2.0",)}, "v0.2.0 is another commit"),
    ],
)
def test_what_does_not_agree_is_told(change: dict[str, object], told: str) -> None:
    found = problems(replace(READY, **change))  # type: ignore[arg-type]

    assert any(told in text for text in found)


def test_all_that_stands_against_it_is_told_at_once() -> None:
    state = replace(READY, changed=("a",), fragments=("b",), version="x", tags=("vx",))

    assert len(problems(state)) == 5


def test_changes_that_wait_are_all_but_the_page_that_explains_them(tmp_path: Path) -> None:
    for name in ("README.md", "template.md.jinja", "tls.added.md"):
        (tmp_path / name).touch()

    assert fragments(tmp_path) == {"tls.added.md"}
