"""Lists the parameters of what the reference shows: one by one, with type, default and meaning.

A sentence of a docstring that begins with a parameter's name in backticks describes it, and so does
what follows until another parameter is named. Names that mean the same everywhere are described
once, in `parameters.toml`, and so are those that a docstring has no room for (`Class.method.name`
there). Types and defaults are those of the signature.
"""

from __future__ import annotations

import ast
import enum
import inspect
import itertools
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

TEXTS: Final = Path(__file__).with_suffix(".toml")
_FIRST: Final = re.compile(r"`(\w+)(?:`|=[^`]*`)(?:,? (?:and|or) `(\w+)`)?")
_NAMES: Final = re.compile(r"`(\w+)(?=[`=])")
_MANY: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_CONSTANT: Final = re.compile(r"[_A-Z][_A-Z.]*|_[a-z]+(\.[_A-Z]+)+")
_SENTENCES: Final = re.compile(r"(?<=[.!?])\s+(?=[`A-Z])")


def parameters(value: Any) -> list[inspect.Parameter]:
    """Give the parameters of a function or a constructor, if callers have to know them.

    Those that a class keeps as attributes, with a docstring of their own, are described there.
    """
    kept: set[str] = set()
    if isinstance(value, type):
        if issubclass(value, (enum.Enum, BaseException)) or is_protocol(value):
            return []
        if hasattr(value, "__struct_fields__") or is_dataclass(value):
            if not docstring_of(vars(value).get("__init__")):
                return []  # a constructor that nobody wrote: its parameters are the attributes
            kept = described_attributes(value)
    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return []
    return [each for each in found if each.name not in kept | {"self", "cls"}]


def described_attributes(value: type) -> set[str]:
    """Give the attributes of a class that have a docstring of their own."""
    (found,) = ast.parse(textwrap.dedent(inspect.getsource(value))).body
    return {
        one.target.id
        for one, following in itertools.pairwise(getattr(found, "body", ()))
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
    }


def is_protocol(value: type) -> bool:
    """Say whether a class only says what others have to have."""
    return bool(getattr(value, "_is_protocol", False))


def docstring_of(value: Any) -> str:
    """Give a docstring of its own, without the indentation."""
    own = None if value is None else value.__doc__  # `None` has a docstring since Python 3.13
    return inspect.cleandoc(own) if own and own != object.__init__.__doc__ else ""


def docstrings(value: Any) -> str:
    """Give what a function says of itself, or a class and its constructor."""
    constructor = docstring_of(value.__init__) if isinstance(value, type) else ""  # type: ignore[misc]
    return f"{docstring_of(value)}\n\n{constructor}"


def take_apart(
    lines: list[str], names: set[str], others: Iterable[str] = ()
) -> tuple[list[str], dict[str, str]]:
    """Part a docstring into what it says in general, and what it says of each parameter.

    A sentence that only mentions parameters stays where it is. So does what is said of `others`:
    the file describes them.
    """
    rest: list[str] = []
    said: dict[str, str] = {}
    for paragraph in re.split(r"\n{2,}", "\n".join(lines)):
        if paragraph.startswith((" ", "-", "..", ">>>")) or "\n    " in paragraph:
            rest.append(paragraph)
            continue
        general: list[str] = []
        about: list[str] = []
        for sentence in _SENTENCES.split(" ".join(paragraph.split("\n"))):
            first = _FIRST.match(sentence)
            begins = [name for name in first.groups() if name in names] if first else []
            mentioned = names.union(others).intersection(_NAMES.findall(sentence))
            about = begins or (about if mentioned <= set(about) else [])
            for name in about:
                said[name] = f"{said[name]} {sentence}" if name in said else sentence
            general += [] if about else [sentence]
        rest += [" ".join(general)] if general else []
    return "\n\n".join(rest).split("\n"), {name: spoken(name, text) for name, text in said.items()}


def spoken(name: str, text: str) -> str:
    """Leave out the name in front, which the list has already."""
    bare = re.sub(rf"^`{name}` (is |are |(?=[a-z])(?!and |or ))", "", text)
    return bare[:1].upper() + bare[1:]


@cache
def texts() -> dict[str, str]:
    """Read what the file has."""
    return tomllib.loads(TEXTS.read_text("utf-8"))


def told(qualified: str, name: str) -> str | None:
    """Find what the file has about a parameter of this function."""
    parts = qualified.split(".")
    keys = (f"{'.'.join(parts[at:])}.{name}" for at in range(len(parts)))
    return next((texts()[key] for key in keys if key in texts()), None)


def told_of_all(qualified: str, name: str) -> str | None:
    """Find what the file has about a name, in this class or anywhere."""
    return texts().get(".".join([*qualified.split(".")[-2:-1], name]), texts().get(name))


def default_of(value: Any, parameter: inspect.Parameter) -> str:
    """Say what holds if a parameter is left out."""
    shown = parameter.default
    if shown is inspect.Parameter.empty:
        return ""
    if type(shown).__module__.startswith("sphinx"):  # it has put the default's text into its place
        text = real(repr(shown), vars(sys.modules[value.__module__]))
    else:
        text = written(shown)
    return " Optional." if text == "None" else f" Default: ``{text}``."


def written(value: Any) -> str:
    """Write a default as one would type it."""
    if is_dataclass(value):
        return f"{type(value).__name__}()"
    return repr(value).removeprefix("datetime.")


def real(name: str, known: Mapping[str, Any]) -> str:
    """Write the value of a constant in place of its name."""
    value: Any = known
    for part in name.split(".") if _CONSTANT.fullmatch(name) else ():
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
        if value is None:
            return name
    return name if value is known else written(value)


def fields(value: Any, qualified: str, lines: list[str]) -> tuple[list[str], list[str]]:
    """Give a docstring with its list of parameters, and the names that nothing describes."""
    wanted = parameters(value)
    ours = {each.name: told(qualified, each.name) for each in wanted}
    names = {name for name, text in ours.items() if text is None}
    rest, said = take_apart(lines, names, ours)
    _, everywhere = take_apart(docstrings(value).split("\n"), names, ours)
    listed, silent = [], []
    for each in wanted:
        text = ours[each.name]
        if text is None:
            found = said.get(each.name) or everywhere.get(each.name)
            text = found or told_of_all(qualified, each.name)
        if not text:
            silent += [each.name] if text is None else []
            continue
        stars = r"\*" * (each.kind in _MANY) + r"\*" * (each.kind is each.VAR_KEYWORD)
        listed.append(f":param {stars}{each.name}: {text}{default_of(value, each)}")
    return [*rest, "", *listed, ""], silent
