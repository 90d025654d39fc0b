"""Public means named in the reference."""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import itertools
import re
import textwrap
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PUBLIC = [
    "binance_dust",
    "binance_dust.budget",
    "binance_dust.client",
    "binance_dust.conversion",
    "binance_dust.credentials",
    "binance_dust.errors",
    "binance_dust.events",
    "binance_dust.fleet",
    "binance_dust.frames",
    "binance_dust.ledger",
    "binance_dust.models",
    "binance_dust.reports",
    "binance_dust.sandbox",
    "binance_dust.scanner",
    "binance_dust.session",
    "binance_dust.signers",
    "binance_dust.sweeper",
    "binance_dust.telemetry",
]


def documented() -> set[str]:
    """Give the names that the pages of the reference are made of, without their modules."""
    found: set[str] = set()
    for page in REFERENCE.glob("*.md"):
        for kind, name in re.findall(r"\.\. auto(\w+):: ([\w.]+)", page.read_text("utf-8")):
            if kind == "module":
                found |= set(importlib.import_module(name).__all__)
            else:
                found.add(name.rpartition(".")[2])
    return found


@pytest.mark.parametrize("module", PUBLIC)
def test_what_is_public_is_in_the_reference(module: str) -> None:
    missing = set(importlib.import_module(module).__all__) - documented() - {"__version__"}

    assert not missing


def enums() -> set[type[enum.Enum]]:
    """Give the public enumerations."""
    modules = map(importlib.import_module, PUBLIC)
    values = [getattr(module, name) for module in modules for name in module.__all__]
    return {each for each in values if isinstance(each, type) and issubclass(each, enum.Enum)}


@pytest.mark.parametrize("kind", sorted(enums(), key=str), ids=lambda kind: kind.__name__)
def test_the_reference_shows_each_member_since_each_says_what_it_means(kind: type) -> None:
    (found,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(found, ast.ClassDef)

    silent = [
        ast.unparse(member)
        for member, following in itertools.pairwise([*found.body, ast.Pass()])
        if isinstance(member, ast.Assign)
        if not (isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant))
    ]

    assert not silent
