"""The commands of README are those that are run elsewhere, word for word."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from binance_dust.cli import load_all, make_parser
from tests.docs.test_code_blocks import PAGES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
WORKFLOW = (ROOT / ".github" / "workflows" / "checks.yml").read_text(encoding="utf-8")


def test_a_workflow_types_both_commands_on_stock_machines() -> None:
    commands = re.findall(r"```sh\n(.+)\n```", README)

    assert len(commands) == 2
    assert "binance-dust demo" in commands[0]
    for command in commands:
        assert f"          {command}\n" in WORKFLOW


def test_a_workflow_types_what_is_told_for_pipx_and_uv() -> None:
    commands = re.findall(r"`((?:PIP_CONSTRAINT=\S+ \S+ )?(?:pipx|uvx) [^`]+)`", README)

    assert len(commands) == 4
    for command in commands:
        assert command in WORKFLOW


def test_ci_installs_nox_as_the_second_command_does() -> None:
    (told,) = re.findall(r"pip install (-c .+) &&", README)

    assert told == "-c constraints.txt 'nox[uv]'"
    assert told in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_page_has_the_second_command_as_readme_has_it() -> None:
    second = re.findall(r"```sh\n(.+)\n```", README)[1]

    assert f"```sh\n{second}\n```" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"    {second}\n" in (ROOT / "noxfile.py").read_text(encoding="utf-8")


def test_the_environment_that_both_commands_make_is_no_part_of_the_checkout() -> None:
    (folder,) = set(re.findall(r"python3 -m venv (\S+) &&", README))

    # Else what is built is compared with it, and the second command fails in `wheel`.
    assert f"{folder}/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_readme_names_every_command() -> None:
    told = README.partition("[All commands]")[2].partition("\n\n")[0]

    assert set(re.findall(r"`([a-z-]+)`", told)) == set(load_all())


SHOWN = [
    line
    for page in PAGES
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8"))
    if token.type == "fence" and token.info == "text"
    for line in token.content.splitlines()
    if line.startswith("binance-dust ")
]


@pytest.mark.parametrize("line", SHOWN)
def test_a_command_that_is_only_shown_is_understood(line: str) -> None:
    words = shlex.split(line.removesuffix("&"), comments=True)

    make_parser(load_all()).parse_args(words[1:])
