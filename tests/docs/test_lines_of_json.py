"""The reference of `--json` says what commands really write."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

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
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    if sandbox and "--estimate" not in command:
        assert all(line.pop("rehearsal") is True for line in lines)
    return lines


@pytest.mark.parametrize("row", rows_below("Command"), ids=lambda row: row[0])
def test_a_command_writes_the_keys_that_are_told(
    row: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command, _, keys = row

    lines = written(capsys, command.strip("`"))

    assert lines
    for line in lines:
        assert list(line) == CELL.findall(keys)


def test_what_lines_about_funds_hold_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The table has the objects in the order in which they are met here."""
    books = ("--ledger", str(tmp_path / "dust.db"))
    told = iter([CELL.findall(keys) for _, keys in rows_below("Object")])

    quotes: list[Any] = []
    receipts: list[Any] = []
    for command in ("convert --yes", "liabilities --exchange --yes"):
        turns: list[Any] = written(capsys, command, *books)
        plans = [turn["quote"] for turn in turns if turn["quote"]]
        assert_keys(plans, next(told))
        assert_keys(inner(plans, "lines"), next(told))
        quotes += plans
        receipts += [turn["receipt"] for turn in turns if turn["receipt"]]
    assert_keys(receipts, next(told))
    assert_keys(inner(receipts, "lines"), next(told))
    assert_keys(inner(quotes, "skipped"), next(told))

    main(["export", "-", "--style", "jsonl", *books])
    assert main(["books", "--json", *books]) == 0
    *entries, total = map(json.loads, capsys.readouterr().out.splitlines())
    assert total.pop("rehearsal") is True
    # The exported ones have the sums of each line only, and a mark of the key besides.
    assert {*entries[0]} - {"key_id"} | {"gross", "fee", "net"} == {*next(told)}
    assert list(total) == ["by", "key", "target", "conversions", "gross", "fee", "net"]


def inner(rows: list[Any], name: str) -> list[Any]:
    return [each for row in rows for each in row[name]]


def assert_keys(rows: list[Any], keys: list[str]) -> None:
    assert rows
    for row in rows:
        assert list(row) == keys


def test_the_doctor_writes_the_keys_that_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    told = {
        CELL.findall(about)[0]: {"about", *CELL.findall(keys)}
        for about, keys in rows_below("`about`")
    }

    lines = written(capsys, "doctor", "--probe", "fees")

    assert {str(line["about"]) for line in lines} >= set(told)
    for line in lines:
        assert set(line) == told.get(str(line["about"]), FINDING)
