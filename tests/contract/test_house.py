"""The house: one name for each class, readable files, and rooms that say what is in them."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

from binance_dust import cli

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "binance_dust"
FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = [path.parent for path in FILES if path.name == "__init__.py" and path.parent != PACKAGE]
MOST_LINES = 400


def test_a_class_name_stands_for_one_thing() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                homes[node.name.lstrip("_")].append(str(path.relative_to(ROOT)))

    assert len(homes) > 200
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


@pytest.mark.parametrize("folder", ["binance_dust", "tests"])
def test_no_file_is_longer_than_a_reader_can_hold(folder: str) -> None:
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / folder).rglob("*.py")
    }
    most = {"binance_dust": MOST_LINES, "tests": 1_000}[folder]

    assert {name: count for name, count in lines.items() if count > most} == {}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(PACKAGE)))
def test_a_room_begins_with_a_line_for_each_file(room: Path) -> None:
    index = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
    columns = re.findall(r"^[ -]*((?:`?[\w.]++/?`?(?:, )?)+)(?=:|  )", index, re.MULTILINE)
    named = {
        name.strip("`/").removesuffix(".py") for column in columns for name in column.split(", ")
    }
    inside = {
        path.stem if path.suffix == ".py" else path.name
        for path in room.iterdir()
        if not path.name.startswith("__")
    }
    commands = {name.replace("-", "_") for name in cli.COMMANDS}  # the table says what each is

    assert inside - named - (commands if room.name == "cli" else set()) == set()
    assert {name for name in named if name.startswith("_")} <= inside
