"""The reference of `--json` says what commands really write."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from binance_dust.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "lines-of-json.md"
CELL = re.compile(r"`([a-z_-]+)`")
FINDING = {"about", "account", "level", "text"}


def rows_below(heading: str) -> list[list[str]]:
    """Give the cells of the table whose head begins with these words."""
    lines = iter(PAGE.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith(f"| {heading}"):
            break
    next(lines)
    table = []
    for line in lines:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def written(
    capsys: pytest.CaptureFixture[str], command: str, *more: str
) -> list[dict[str, object]]:
    sandbox = () if command.startswith(("endpoints", "doctor --probe list")) else ("--sandbox",)
    assert main([*command.split(), "--json", *sandbox, *more]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("row", rows_below("Command"), ids=lambda row: row[0])
def test_a_command_writes_the_keys_that_are_told(
    row: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command, _, keys = row

    lines = written(capsys, command.strip("`"))

    assert lines
    for line in lines:
        assert list(line) == CELL.findall(keys)


def test_the_doctor_writes_the_keys_that_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    told = {
        CELL.findall(about)[0]: {"about", *CELL.findall(keys)}
        for about, keys in rows_below("`about`")
    }

    lines = written(capsys, "doctor", "--probe", "fees")

    assert {str(line["about"]) for line in lines} >= set(told)
    for line in lines:
        assert set(line) == told.get(str(line["about"]), FINDING)
