"""The reference lists parameters one by one; building it fails for one that nothing describes."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from binance_dust import Converter, RateLimits, RetryPolicy, Session
from docs.parameters import default_of, fields, parameters, real, take_apart, texts, told
from tests.docs.test_reference import PUBLIC

_WAIT = timedelta(seconds=3)


def example(first: int, second: str = "b", *rest: int, third: object = None, **others: int) -> None:
    """Say what it is for.

    `first` is a number. It is whole. `second` tells which one,
    of two. With `third` all is different.

        code(`first`)
    """


def lists(value: Any, name: str = "here.example") -> list[str]:
    lines, _ = fields(value, name, inspect.cleandoc(value.__doc__).splitlines())
    return lines


def test_a_sentence_that_begins_with_a_name_describes_it_until_another_is_named() -> None:
    lines, said = take_apart(
        inspect.cleandoc(example.__doc__ or "").splitlines(), {"first", "second", "third"}
    )

    assert said == {"first": "A number. It is whole.", "second": "Tells which one, of two."}
    assert lines == [
        *("Say what it is for.", ""),
        *("With `third` all is different.", ""),
        "    code(`first`)",
    ]


def test_what_is_said_of_a_parameter_that_the_file_describes_stays() -> None:
    lines, said = take_apart(["`first` is one. `second` is two. Both are."], {"first"}, ["second"])

    assert said == {"first": "One."}
    assert lines == ["`second` is two. Both are."]


def test_two_names_in_front_are_both_described() -> None:
    _, said = take_apart(["`start` and `end` bound it."], {"start", "end"})

    assert said == dict.fromkeys(("start", "end"), "`start` and `end` bound it.")


def test_each_parameter_stands_there_with_its_default_and_stars(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(texts(), "third", "For all.")
    monkeypatch.setitem(texts(), "rest", "The rest.")
    monkeypatch.setitem(texts(), "example.others", "Of this one.")
    monkeypatch.setitem(texts(), "others", "Of any.")

    assert lists(example)[-6:] == [
        ":param first: A number. It is whole.",
        ":param second: Tells which one, of two. Default: ``'b'``.",
        r":param \*rest: The rest.",
        ":param third: For all. Optional.",
        r":param \*\*others: Of this one.",
        "",
    ]


def test_what_nothing_describes_is_told() -> None:
    def silent(a_name_that_nobody_gave: int) -> None:
        """Say nothing of it."""

    assert fields(silent, "silent", ["Say nothing of it."])[1] == ["a_name_that_nobody_gave"]


def test_a_field_with_a_docstring_is_described_there_and_nowhere_else() -> None:
    @dataclass
    class Kept:
        one: int
        """Which one."""

    assert parameters(Kept) == []
    assert [each.name for each in parameters(RetryPolicy)] == ["attempts", "max_wait", "deadline"]


def test_a_constant_is_shown_by_its_value() -> None:
    known = {"_WAIT": _WAIT, "_LIMITS": RateLimits(), "NUMBER": 7}

    assert real("_WAIT", known) == "timedelta(seconds=3)"
    assert real("_LIMITS", known) == "RateLimits()"
    assert real("NUMBER", known) == "7"
    assert real("None", known) == "None"
    limits = inspect.signature(Session).parameters["limits"]
    assert default_of(Session, limits) == " Default: ``RateLimits()``."


def everything() -> Iterator[tuple[str, Any]]:
    """Give what is public, with its methods."""
    for module in map(importlib.import_module, PUBLIC):
        for name in module.__all__:
            value = getattr(module, name)
            if callable(value):
                yield f"{module.__name__}.{name}", value
            if isinstance(value, type):
                for method, found in inspect.getmembers(value, inspect.isroutine):
                    if not method.startswith("_"):
                        yield f"{module.__name__}.{name}.{method}", found


def test_no_text_is_left_of_a_parameter_that_is_gone() -> None:
    used = set()
    for name, value in everything():
        for each in parameters(value):
            parts = [*name.split("."), each.name]
            used |= {".".join(parts[at:]) for at in range(len(parts))}
            used.add(".".join([*parts[-3:-2], each.name]))

    assert set(texts()) <= used


def test_what_users_call_most_is_described() -> None:
    for name, value in everything():
        if value in (Session, Converter):
            assert fields(value, name, [])[1] == []
    assert told("binance_dust.Session", "base_url")
