"""Why an answer can't be read: what was expected, where, and how the body begins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from binance_dust._util import misfit

if TYPE_CHECKING:
    from collections.abc import Callable

EXCERPT: Final = 200
"""Characters of a foreign text that are shown at most."""


def why_unreadable(kind: Any, body: bytes) -> tuple[str, str | None]:
    """Read a body once more, for the reason: what was expected, and the JSON path where it was not.

    `kind` is the declared result, which the body was found not to be.
    """
    if not body.strip():
        return "the body is empty", None
    try:
        value = misfit.load(body)
    except UnicodeDecodeError:
        return "the body is not UTF-8", None
    except json.JSONDecodeError as error:
        return f"the body is not JSON, or was cut (at character {error.pos})", None
    except ValueError:
        return "the body is not JSON", None
    except RecursionError:
        return "the body is nested too deep", None
    return why_unfit(kind, value)


def why_unfit(kind: Any, value: object, path: str = "$") -> tuple[str, str]:
    """Say what does not fit in a value that was found not to be the declared result, and where."""
    found = misfit.find(value, kind, path)
    if found is None:
        return f"something in it can't be read at {path}", path
    return str(found), found.path


def excerpt(body: bytes, clean: Callable[[str], str]) -> str:
    """Show the beginning of a body on one line, without what must not be shown."""
    # Cleaned before it is cut: half a signature would not be recognised.
    text = clean(body[: 16 * EXCERPT].decode("utf-8", "replace"))
    return " ".join(text.split())[:EXCERPT]
