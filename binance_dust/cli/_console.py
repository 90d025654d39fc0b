"""Where commands print: as wide as the terminal, and wide enough for a line each in a pipe."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

_PIPE_WIDTH: Final = 160


def console() -> Console:
    """Make a console for tables and text."""
    from binance_dust.cli._rich import PlainConsole

    made = PlainConsole(highlight=False)
    if not made.is_terminal:
        made.width = _PIPE_WIDTH
    return made


def make_table(*titles: str, right: Sequence[str] = ()) -> Table:
    """Make a table; the columns named in `right` hold numbers."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, justify="right" if title in right else "left", overflow="fold")
    return table


def make_streams_safe() -> None:
    """See that printing never fails for a name: what comes after it may be about funds.

    A stream that was closed for us (`>&-`) is `None`, and one that can't spell a name would raise.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - for good
        elif isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def complain(text: str) -> None:
    """Say on stderr what went wrong."""
    sys.stderr.write(f"binance-dust: {_harmless(text)}\n")


def shown(text: str) -> str:
    """Make a foreign text fit to print: no markup of ours, and nothing that steers a terminal."""
    from rich.markup import escape

    return escape(_harmless(text))


def reason_of(error: object, account: str) -> str:
    """Give an error's words without whose it is: that is told beside them, and equal ones count."""
    return str(error).replace(f" ({account})", "", 1)


def _harmless(text: str) -> str:
    """Take out what would steer a terminal: names and messages come from elsewhere."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
