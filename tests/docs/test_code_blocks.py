"""Every code block of README and docs is run: Python here, commands too, test modules by pytest."""

from __future__ import annotations

import functools
import itertools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.redis_server import a_server
from tests.systems import needs_address

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PAGES = [page for page in PAGES if "_build" not in page.parts]

# Commands that other checks run: the wheel's session the first and third, CI the second one.
RUN_ELSEWHERE = (
    "python3 -m venv .venv && .venv/bin/pip install '.[cli]' && .venv/bin/binance-dust demo",
    "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt 'nox[uv]' && .venv/bin/nox",
    "python3 -m pip install 'binance-dust[cli]'",
)
# Programs that are shown whole have tests of their own: test_example*.py.
SHOWN = {
    "text",
    "toml",
    "yaml",
    "console",
    "sh",
    "{toctree}",
    "{eval-rst}",
    "{glossary}",
    "{include}",
    "{literalinclude}",
}


@functools.cache
def parsed(page: Path) -> list[Token]:
    """Parse a page once: it is asked for several languages, by every worker of a run."""
    return MarkdownIt().parse(page.read_text(encoding="utf-8"))


def blocks(page: Path, language: str, *, before: bool = False) -> list[tuple[int, str]]:
    """Give the fenced blocks of a page in one language, with the lines they begin at.

    Those with the mark `before` are programs of other libraries: test_compare.py runs them.
    """
    return [
        (token.map[0] + 2 if token.map else 0, token.content)
        for token in parsed(page)
        if token.type == "fence"
        and (token.info.split() or [""])[0] == language
        and ("before" in token.info.split()) is before
    ]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """A Redis for the pages that name one by `REDIS_URL`."""
    with a_server() as server:
        yield server.url


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=name_of)
def test_the_python_of_a_page_runs_from_top_to_bottom(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {"__name__": "__docs__"}
    found = blocks(page, "python")
    if any("127.0.0.{number}" in code for _, code in found):
        needs_address("127.0.0.2")
    if any("REDIS_URL" in code for _, code in found):
        monkeypatch.setenv("REDIS_URL", request.getfixturevalue("redis_url"))
    for line, code in found:
        if "def test_" in code:
            run_as_tests(code, tmp_path)
        else:
            # Blank lines in front, so that a traceback names the line of the page.
            exec(compile("\n" * (line - 1) + code, str(page), "exec"), scope)  # noqa: S102
    # Pages are run in one folder, one after another, and again: books would be in the way.
    assert not [*tmp_path.glob("*.db"), *tmp_path.glob("*.jsonl")]


def run_as_tests(code: str, folder: Path) -> None:
    (folder / "test_of_a_user.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-o", "asyncio_mode=auto", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "console")], ids=name_of)
def test_the_commands_of_a_page_succeed(page: Path, tmp_path: Path) -> None:
    for _, text in blocks(page, "console"):
        for line in text.splitlines():
            if not line.startswith("$ "):
                continue
            program, *arguments = shlex.split(line[2:])
            assert program == "binance-dust"
            for argument in arguments:
                if argument.startswith("127."):
                    needs_address(argument)
            done = subprocess.run(  # noqa: S603 - our own interpreter
                [sys.executable, "-m", "binance_dust", *arguments],
                cwd=tmp_path,
                env=os.environ | {"PYTHONPATH": str(ROOT), "XDG_DATA_HOME": str(tmp_path)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_other_commands_are_run_elsewhere() -> None:
    for page in PAGES:
        for _, text in blocks(page, "sh"):
            assert text.strip() in RUN_ELSEWHERE, name_of(page)


def test_no_block_hides_in_a_language_that_nobody_runs() -> None:
    for page in PAGES:
        for token in parsed(page):
            if token.type == "fence":
                assert (token.info.split() or [""])[0] in SHOWN | {"python"}, name_of(page)


def test_links_and_pictures_lead_somewhere() -> None:
    for page in PAGES:
        for target in targets(page):
            path, _, anchor = target.partition("#")
            found = page.parent / path if path else page
            assert found.exists(), f"{name_of(page)}: {target}"
            if anchor:
                assert anchor in anchors(found), f"{name_of(page)}: {target}"


def targets(page: Path) -> list[str]:
    """Give what a page links to and shows, but for other people's sites."""
    found = [
        str(child.attrs.get("href") or child.attrs.get("src"))
        for token in parsed(page)
        for child in token.children or []
        if child.type in ("link_open", "image")
    ]
    return [target for target in found if "://" not in target]


def anchors(page: Path) -> set[str]:
    """Give the headings of a page as links name them."""
    tokens = parsed(page)
    titles = [
        following.content
        for token, following in itertools.pairwise(tokens)
        if token.type == "heading_open"
    ]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
