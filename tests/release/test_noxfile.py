"""What `noxfile.py` names."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
NODES = [*ast.walk(ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8")))]


def words(nodes: Iterable[ast.AST]) -> list[str]:
    """Give the texts that stand there as such."""
    constants = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return [value for value in constants if isinstance(value, str)]


def test_sessions_install_nothing_but_groups_and_the_package() -> None:
    """A requirement in `noxfile.py` itself would not be in the lock."""
    calls = [
        node
        for node in NODES
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "install"
    ]
    named = [word for call in calls for word in words(call.args) if not word.startswith("-")]

    assert calls
    assert not named


def test_the_tests_that_sessions_name_are_there() -> None:
    """pytest would say so itself, but only in sessions that are not run by default."""
    named = [word.partition("::")[0] for word in words(NODES) if word.startswith("tests/")]

    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []
