"""stdout and stderr that accept any text, also when they are closed or know ASCII only."""

from __future__ import annotations

import io
import os
import sys

from binance_dust._util.words import visible

__all__ = ["make_streams_safe", "print_stderr"]


def make_streams_safe() -> None:
    """Make sure that printing cannot fail: the text after a strange name may be about funds.

    A stream that the shell closed (`>&-`) is `None`. A stream whose encoding lacks a character
    would raise.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - never closed
        elif isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def print_stderr(text: str) -> None:
    """Print a message to stderr: an error, a warning or progress."""
    sys.stderr.write(f"binance-dust: {visible(text)}\n")
