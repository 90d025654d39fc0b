"""stdout and stderr that accept any text, also when they are closed or know ASCII only."""

from __future__ import annotations

import contextlib
import enum
import functools
import io
import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any, TextIO, cast

from binance_dust._util.words import visible

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

__all__ = [
    "MessageLevel",
    "make_streams_safe",
    "outlive_readers",
    "print_stderr",
    "set_messages",
    "shown",
    "shows_only_progress",
]


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


def outlive_readers() -> None:
    """Go on when the reader of stdout has gone: what moves funds has an exit code to give.

    Without this, `head` at the end of a pipe would stop a conversion halfway.
    """
    if sys.stdout is not None:
        sys.stdout = cast("TextIO", _UnbrokenStream(sys.stdout))


class _UnbrokenStream:
    """A stream that drops what nobody reads any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with self._unbroken():
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._unbroken():
            self._stream.flush()

    @contextlib.contextmanager
    def _unbroken(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            # What is left in the stream's own buffer goes there as well.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class MessageLevel(enum.IntEnum):
    """How much a message matters."""

    DEBUG = 0
    """Only with `-v`."""
    INFO = 1
    """What goes on; not with `-q`."""
    WARNING = 2
    ERROR = 3


_messages: dict[str, Any] = {"least": MessageLevel.INFO, "as_json": False}


def set_messages(*, least: MessageLevel, as_json: bool) -> None:
    """Choose which messages are printed, and how; the package's log is among them."""
    import logging

    _messages.update(least=least, as_json=as_json)
    log = logging.getLogger("binance_dust")
    log.setLevel(logging.DEBUG if least is MessageLevel.DEBUG else logging.NOTSET)
    log.addHandler(_log_printer())  # once, however often it is said


def shown(level: MessageLevel) -> bool:
    """Whether messages of a level are printed."""
    return bool(level >= _messages["least"])


def shows_only_progress() -> bool:
    """Whether progress may be drawn: it is wanted, and no lines come between all the time."""
    return shown(MessageLevel.INFO) and not shown(MessageLevel.DEBUG) and not _messages["as_json"]


@functools.cache
def _log_printer() -> logging.Handler:
    """Make what prints the package's log like every other message."""
    import logging

    levels = {logging.WARNING: MessageLevel.WARNING, logging.ERROR: MessageLevel.ERROR}

    class LogPrinter(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            """Print a line of the log."""
            level = levels.get(record.levelno, MessageLevel.DEBUG)
            if str(record.msg).startswith("the exchange's clock was not learnt"):
                # The calls that wait for it meet the same cause, and say it with their accounts.
                level = MessageLevel.DEBUG
            print_stderr(record.getMessage(), level)

    return LogPrinter()


def print_stderr(text: str, level: MessageLevel = MessageLevel.WARNING) -> None:
    """Print a message to stderr. A terminal gets whole words, a log reader a line of JSON."""
    if not shown(level):
        return
    if _messages["as_json"]:
        import json
        from datetime import UTC, datetime

        row = {"at": f"{datetime.now(UTC):%FT%T.%fZ}", "level": level.name.lower(), "text": text}
        sys.stderr.write(f"{json.dumps(row)}\n")
        return
    line = f"binance-dust: {visible(text)}"
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        line = textwrap.fill(
            line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
    sys.stderr.write(f"{line}\n")
