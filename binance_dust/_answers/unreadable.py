"""Why an answer can't be read: what was expected, where, and how the body begins."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from binance_dust._util import misfit
from binance_dust._util.words import visible

if TYPE_CHECKING:
    from collections.abc import Callable

EXCERPT: Final = 200
"""Characters of a foreign text that are shown at most."""


_LOOKED_INTO: Final = 64 * 1024
"""Bytes of a body that is read once more for the reason: that takes a hundred times as long."""
_PLACE: Final = re.compile(r" - at `(\$[^`]*)`$")


def why_unreadable(kind: Any, body: bytes, path: str = "$") -> tuple[str, str | None]:
    """Read a body once more, for the reason: what was expected, and the JSON path where it was not.

    `kind` is the declared result, which the body was found not to be.
    """
    if not body.strip():
        return "the body is empty", None
    if len(body) > _LOOKED_INTO:
        return _why_in_short(kind, body, path)
    try:
        value = misfit.load(body)
    except (ValueError, RecursionError) as error:
        return _why_no_json(error), None
    found = misfit.find(value, kind, path)
    if found is None:
        return f"something in it can't be read at {path}", path
    return str(found), found.path


def _why_no_json(error: Exception) -> str:
    match error:
        case UnicodeDecodeError():
            return "the body is not UTF-8"
        case json.JSONDecodeError():
            return f"the body is not JSON, or was cut (at character {error.pos})"
        case RecursionError():
            return "the body is nested too deep"
        case _:
            return "the body is not JSON"


def _why_in_short(kind: Any, body: bytes, path: str) -> tuple[str, str | None]:
    """Find the place in a long body by the decoder's own words, which other releases may change."""
    try:
        msgspec.json.decode(body, type=kind, strict=False)
    except msgspec.ValidationError as error:
        found = _PLACE.search(str(error))
        place = path if found is None else path + found[1].removeprefix("$")
        return f"something in it can't be read at {place}", place
    except RecursionError as error:
        return _why_no_json(error), None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "the body is not JSON, or was cut", None
    return f"something in it can't be read at {path}", path


def excerpt(body: bytes, clean: Callable[[str], str]) -> str:
    """Show the beginning of a body on one line, without what must not be shown."""
    # Cleaned before it is cut: half a signature would not be recognised.
    text = clean(body[: 16 * EXCERPT].decode("utf-8", "replace"))
    return visible(" ".join(text.split()), EXCERPT)
