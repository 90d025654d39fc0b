"""What `noxfile.py` names."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
NODES = [*ast.walk(ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8")))]


def test_sessions_install_nothing_but_groups_and_the_package() -> None:
    """A requirement in `noxfile.py` itself would not be in the lock."""
    calls = [
        node
        for node in NODES
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "install"
    ]
    named = [
        word.value
        for call in calls
        for word in call.args
        if isinstance(word, ast.Constant) and not str(word.value).startswith("-")
    ]

    assert calls
    assert not named


def test_the_tests_that_sessions_name_are_there() -> None:
    """pytest would say so itself, but only in sessions that are not run by default."""
    named = [
        node.value.partition("::")[0]
        for node in NODES
        if isinstance(node, ast.Constant) and str(node.value).startswith("tests/")
    ]

    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []
