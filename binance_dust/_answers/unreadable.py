"""Why an answer can't be read: what was expected, where, and how the body begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from binance_dust.endpoints import Endpoint

EXCERPT: Final = 200
"""Characters of a foreign text that are shown at most."""


def why_unreadable(endpoint: Endpoint[..., Any], body: bytes) -> tuple[str, str | None]:
    """Decode once more, for the reason: what was expected, and the JSON path where it was not."""
    if not body.strip():
        return "the body is empty", None
    try:
        endpoint.decoder.decode(body)
    except msgspec.ValidationError as error:
        return split(str(error), "$")
    except msgspec.DecodeError as error:
        return f"the body is not JSON, or was cut ({error})", None
    except UnicodeDecodeError:
        return "the body is not UTF-8", None
    except RecursionError:
        return "the body is nested too deep", None
    return "the body can't be read", None  # pragma: no cover - it failed a moment ago


def split(text: str, root: str) -> tuple[str, str]:
    """Part msgspec's sentence into what is wrong and where: '... - at `$[3].free`'."""
    what, _, where = text.partition(" - at `")
    path = (where.rstrip("`") or "$").replace("$", root)
    return f"{what} at {path}", path


def excerpt(body: bytes, clean: Callable[[str], str]) -> str:
    """Show the beginning of a body on one line, without what must not be shown."""
    # Cleaned before it is cut: half a signature would not be recognised.
    text = clean(body[: 16 * EXCERPT].decode("utf-8", "replace"))
    return " ".join(text.split())[:EXCERPT]
