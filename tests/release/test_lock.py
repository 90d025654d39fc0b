"""What the lock has to hold."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from tests.release.lock import LOCK, ROOT, problems, read, strays

PYPROJECT: dict[str, Any] = {
    "build-system": {"requires": ["hatchling>=1.26"]},
    "project": {
        "dependencies": ["aiohttp>=3.12,<4"],
        "optional-dependencies": {"fleet": ["taskiq_redis>=1"]},
    },
    "dependency-groups": {"docs": ["sphinx>=9"], "all": [{"include-group": "docs"}]},
}
LINES = [
    "aiohttp==3.14.5",
    "hatchling==1.28.0",
    "sphinx==9.0.4 ; python_full_version < '3.12'",
    "sphinx==9.2.0 ; python_full_version >= '3.12'",
    "taskiq-redis==1.2.4",
]


def test_the_lock_has_all_that_is_asked_for() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    found = problems(pyproject, read(LOCK.read_text(encoding="utf-8")))

    assert not found, "\n".join([*found, "run: nox -s lock"])


def test_the_lock_tells_nothing_of_the_machine_that_it_was_made_on() -> None:
    text = LOCK.read_text(encoding="utf-8")

    assert "://" not in text
    assert "\n-" not in text
    assert " @ " not in text


def test_a_lock_that_has_everything_is_right() -> None:
    assert problems(PYPROJECT, read("# made by uv\n" + "\n".join(LINES))) == []


@pytest.mark.parametrize(
    ("line", "other", "told"),
    [
        (0, "", "the lock lacks aiohttp<4,>=3.12, which the package needs"),
        (1, "", "the lock lacks hatchling>=1.26, which the build needs"),
        (4, "", "the lock lacks taskiq_redis>=1, which the extra fleet needs"),
        (0, "aiohttp==4.0", "the lock has aiohttp==4.0, and the package needs aiohttp<4,>=3.12"),
        (0, "aiohttp>=3.13", "the lock leaves open which version it is: aiohttp>=3.13"),
        (
            2,
            "sphinx==8.1 ; os_name == 'nt'",
            'the lock has sphinx==8.1; os_name == "nt", and the group docs needs sphinx>=9',
        ),
    ],
)
def test_what_is_missing_or_not_allowed_is_named(line: int, other: str, told: str) -> None:
    lines = [*LINES[:line], other, *LINES[line + 1 :]]

    assert told in problems(PYPROJECT, read("\n".join(lines)))


def test_what_is_installed_is_what_the_lock_has_for_this_python() -> None:
    pins = read(
        "Some_Thing==1.0\nother==2.0 ; python_version >= '3'\nother==1.0 ; python_version < '3'"
    )

    assert strays([("some-thing", "1.0.0"), ("other", "2.0")], pins) == []
    assert strays([("other", "1.0"), ("third", "3")], pins) == [
        "other 1.0 is installed, and the lock has ==2.0",
        "third 3 is installed, and the lock has nothing",
    ]
