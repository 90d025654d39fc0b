"""Where commands print: as wide as the terminal, and wide enough for a line each in a pipe."""

from __future__ import annotations

import sys
from typing import Final

import msgspec
from rich.console import Console

_PIPE_WIDTH: Final = 160


def console() -> Console:
    """Make a console for tables and text."""
    made = Console(highlight=False)
    if not made.is_terminal:
        made.width = _PIPE_WIDTH
    return made


def print_json(row: object) -> None:
    """Print one line of JSON."""
    sys.stdout.write(msgspec.json.encode(row).decode() + "\n")
    sys.stdout.flush()
