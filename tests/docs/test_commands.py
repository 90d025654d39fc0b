"""The commands of README are those that are run elsewhere, word for word."""

from __future__ import annotations

import re
from pathlib import Path

from binance_dust.cli import load_all

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
