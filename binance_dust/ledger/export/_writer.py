"""Entries as rows and lines, into a file or whatever else takes text."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import secrets
import stat
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from binance_dust._util.plain import plain
from binance_dust.errors import ConfigurationError
from binance_dust.ledger._entry import Kind
from binance_dust.ledger.export._layouts import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import TextIO

    from binance_dust.ledger._entry import LedgerEntry
    from binance_dust.ledger.export._layouts import CsvLayout, Style

__all__ = ["Exported", "Sink", "refuse_ledger_files", "write_csv", "write_json_lines"]


class Sink(Protocol):
    """Anything that takes text, such as an open file or `sys.stdout`."""

    def write(self, text: str, /) -> object:
        """Take text."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What went into a file, and what did not."""

    rows: int
    """Rows below the header."""
    liabilities_left_out: int = 0
    """Exchanges of small debts that the form has no place for, because they are no trades."""
    unsettled: int = 0
    """Entries of which nobody knows yet how they ended: `recover()` first, then export again."""


async def write_csv(
    entries: AsyncIterator[LedgerEntry], where: str | os.PathLike[str] | Sink, style: Style
) -> Exported:
    """Write entries in one of the forms."""
    if style not in LAYOUTS:
        raise ConfigurationError(f"style must be one of {', '.join(LAYOUTS)}, not {style!r}")
    form = LAYOUTS[style]
    count = _RowCounter()

    async def chunks() -> AsyncIterator[str]:
        yield _csv_text([form.header])
        async for entry in entries:
            yield _csv_text(list(count.through(entry, form)))

    await _write(chunks(), where)
    return Exported(count.rows, count.left_out, count.unsettled)


async def write_json_lines(
    entries: AsyncIterator[LedgerEntry], where: str | os.PathLike[str] | Sink
) -> Exported:
    """Write each entry as a line of JSON: all of it, amounts as texts."""
    rows, unsettled = 0, 0

    async def chunks() -> AsyncIterator[str]:
        nonlocal rows, unsettled
        async for entry in entries:
            rows, unsettled = rows + 1, unsettled + entry.open
            yield json.dumps(_as_plain(entry), ensure_ascii=False) + "\n"

    await _write(chunks(), where)
    return Exported(rows, unsettled=unsettled)


def refuse_ledger_files(where: object, ledger: str) -> None:
    """Refuse to export over a ledger's own files."""
    if isinstance(where, str | os.PathLike):
        own, other = os.path.realpath(ledger), os.path.realpath(os.fspath(where))
        if other in (own, f"{own}-wal", f"{own}-shm"):
            raise ConfigurationError(f"{where} is the ledger itself: name another file")


class _RowCounter:
    """Counts what goes into a form, and what it has no place for."""

    def __init__(self) -> None:
        self.rows = 0
        self.left_out = 0
        self.unsettled = 0

    def through(self, entry: LedgerEntry, form: CsvLayout) -> Iterator[tuple[str, ...]]:
        """Give the rows of an entry."""
        self.unsettled += entry.open
        if form.trades_only and entry.kind is Kind.LIABILITIES:
            self.left_out += entry.status == "confirmed"
            return
        for row in _rows(entry, form):
            self.rows += 1
            yield row


def _rows(entry: LedgerEntry, form: CsvLayout) -> Iterator[tuple[str, ...]]:
    if entry.status == "confirmed":
        for line in entry.lines:
            yield form.row(entry, line)
    elif entry.open and form.bare_row is not None:
        for asset in entry.assets:
            yield form.bare_row(entry, asset)


def _csv_text(rows: list[tuple[str, ...]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _as_plain(entry: LedgerEntry) -> dict[str, Any]:
    fields = {name: plain(getattr(entry, name)) for name in entry.__dataclass_fields__}
    fields["lines"] = [
        {
            **{name: plain(getattr(line, name)) for name in line.__dataclass_fields__},
            "net": plain(line.net),
        }
        for line in entry.lines
    ]
    return fields


async def _write(chunks: AsyncIterator[str], where: str | os.PathLike[str] | Sink) -> None:
    if isinstance(where, str | os.PathLike):
        await _write_file(chunks, os.fspath(where))
        return
    if not callable(getattr(where, "write", None)):
        raise TypeError(f"a path or a file that takes text, not {type(where).__name__}")
    async for chunk in chunks:
        where.write(chunk)


async def _write_file(chunks: AsyncIterator[str], path: str) -> None:
    """Write to a file in a thread, so that the event loop never waits for a disk."""
    file = AtomicFile(path)
    try:
        await _work(path, file.open)
        async for batch in _batches(chunks):
            await _work(path, lambda batch=batch: file.write(batch))  # type: ignore[misc]
        await _work(path, file.take_its_place)
    finally:
        # Also of whoever is cancelled: a thread may be waiting for the disk, and the loop must not.
        await asyncio.shield(asyncio.to_thread(file.give_up))


async def _batches(chunks: AsyncIterator[str], size: int = 1 << 16) -> AsyncIterator[str]:
    """Join what would be a thread's errand each."""
    waiting: list[str] = []
    length = 0
    async for chunk in chunks:
        waiting.append(chunk)
        length += len(chunk)
        if length >= size:
            yield "".join(waiting)
            waiting, length = [], 0
    if waiting:
        yield "".join(waiting)


async def _work(path: str, work: Callable[[], Any]) -> Any:
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        words = error.strerror or str(error)
    raise ConfigurationError(f"{path} can't be written: {words}")


class AtomicFile:
    """Text for a path. Threads may work on it; `give_up` is safe at any time, and in any case."""

    def __init__(self, path: str) -> None:
        """Name the file; where the name is a link, what it leads to is replaced."""
        self._path = Path(os.path.realpath(path))
        self._beside = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}.tmp")
        self._file: TextIO | None = None
        self._given_up = False
        self._lock = threading.Lock()

    def open(self) -> None:
        """Begin, readable by its owner alone unless the file before was readable by more."""
        mode = 0o600
        if self._path.exists():
            found = self._path.stat().st_mode
            if not stat.S_ISREG(found):
                raise OSError(0, "it is no plain file")
            mode = stat.S_IMODE(found)
        with self._lock:
            if self._given_up:
                return
            descriptor = os.open(self._beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            self._file = os.fdopen(descriptor, "w", encoding="utf-8", newline="")

    def write(self, text: str) -> None:
        """Add text."""
        with self._lock:
            if self._file is not None:
                self._file.write(text)

    def take_its_place(self) -> None:
        """Put what was written in the place of the file that is meant."""
        with self._lock:
            if self._file is None:
                return
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._beside.replace(self._path)

    def give_up(self) -> None:
        """Leave nothing behind of what isn't whole; once it is, there is nothing left to do."""
        with self._lock:
            self._given_up = True
            if self._file is not None:
                with suppress(OSError):
                    self._file.close()
                self._file = None
                self._beside.unlink(missing_ok=True)
