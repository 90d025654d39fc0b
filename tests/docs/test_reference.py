"""Public means named in the reference."""

from __future__ import annotations

import importlib
import re
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
    "binance_dust.ledger",
    "binance_dust.models",
    "binance_dust.page",
    "binance_dust.report_file",
    "binance_dust.reports",
    "binance_dust.sandbox",
    "binance_dust.scanner",
    "binance_dust.session",
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
