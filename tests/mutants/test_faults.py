"""The faults that judge the tests, and the reasons for those that nobody notices."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.mutate import mutants
from tests.mutants.table import EXPLAINED, JUDGES

ROOT = Path(__file__).parents[2]


def faults(source: str) -> set[str]:
    return {str(fault) for fault in mutants(ast.parse(source))}


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("def f(a):\n    return a < 3", {"f: a < 3 -> a <= 3", "f: 3 -> 4"}),
        ("def f(a):\n    return a is None", {"f: a is None -> a is not None"}),
        ("def f(a, b):\n    return a and b", {"f: a and b -> a", "f: a and b -> b"}),
        ("def f(a):\n    a.go()", {"f: a.go() -> left out"}),
        ("def f(a, b):\n    return min(a, b)", {"f: min(a, b) -> max(a, b)"}),
        ("class C:\n    def f(self, a):\n        return a + 1", {"C.f: a + 1 -> a - 1"}),
    ],
)
def test_a_slip_that_somebody_could_make_is_made(source: str, made: set[str]) -> None:
    assert made <= faults(source)


@pytest.mark.parametrize(
    "source",
    ['def f():\n    """Say."""', "def __repr__(self):\n    return 3", "raise ValueError('three')"],
)
def test_what_only_shows_is_left_alone(source: str) -> None:
    assert not {fault for fault in faults(source) if "left out" not in fault}


def test_a_fault_is_gone_when_it_was_tried() -> None:
    tree = ast.parse("def f(a):\n    return a < 3 or a > 5")
    before = ast.dump(tree)

    for fault in list(mutants(tree)):
        with fault.made():
            assert ast.dump(tree) != before

    assert ast.dump(tree) == before


@pytest.mark.parametrize("path", EXPLAINED)
def test_every_reason_is_for_a_fault_that_can_still_be_made(path: str) -> None:
    gone = EXPLAINED[path].keys() - faults((ROOT / path).read_text(encoding="utf-8"))

    assert not gone


@pytest.mark.parametrize("tests", JUDGES.values(), ids=JUDGES)
def test_the_tests_that_judge_are_there(tests: tuple[str, ...]) -> None:
    missing = [name for name in tests if not (ROOT / name.partition("::")[0]).exists()]

    assert not missing
