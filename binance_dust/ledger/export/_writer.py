"""Entries as CSV or JSON lines, into a file or any object that takes text."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from binance_dust._util.files import draft_beside, mode_of, open_new, put_in_place, writing
from binance_dust._util.html import Record
from binance_dust.errors import ConfigurationError
from binance_dust.ledger._entry import OPEN, Kind
from binance_dust.ledger.export._journal import Journal
from binance_dust.ledger.export._layouts import CONVERTS, LAYOUTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TextIO

    from binance_dust.ledger._rows import BookRow
    from binance_dust.ledger.export._journal import JournalAccounts, JournalStyle
    from binance_dust.ledger.export._layouts import CsvLayout, Style

__all__ = [
    "Exported",
    "Sink",
    "refuse_ledger_files",
    "write_csv",
    "write_journal",
    "write_json_lines",
]


class Sink(Protocol):
    """An object that takes text, such as an open file or `sys.stdout`."""

    def write(self, text: str, /) -> object:
        """Write text."""


@dataclass(frozen=True, slots=True)
class Exported(Record):
    """What was exported, and what was not."""

    rows: int
    """Rows below the header."""
    liabilities_left_out: int = 0
    """Exchanges of debts that the style leaves out, because they are not trades."""
    moves_left_out: int = 0
    """Transfers and repayments that the style leaves out: neither is a trade."""
    unsettled: int = 0
    """Entries whose outcome is not known yet: `recover()` first, then export again."""
    renamed: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Assets and accounts that have another name in a journal, because its grammar takes few."""


async def write_csv(
    pages: AsyncIterator[Sequence[BookRow]], where: str | os.PathLike[str] | Sink, style: Style
) -> Exported:
    """Write entries as CSV in one of the styles."""
    if style not in LAYOUTS:
        raise ConfigurationError(f"style must be one of {', '.join(LAYOUTS)}, not {style!r}")
    layout = LAYOUTS[style]
    counter = _RowCounter()

    async def chunks() -> AsyncIterator[str]:
        yield f"{layout.header}\r\n"
        async for page in pages:
            yield _csv_text(counter.rows_of(page, layout))

    await _write(chunks(), where)
    return Exported(
        counter.rows,
        liabilities_left_out=counter.left_out[Kind.LIABILITIES],
        moves_left_out=counter.left_out[Kind.TRANSFER] + counter.left_out[Kind.REPAYMENT],
        unsettled=counter.unsettled,
    )


async def write_json_lines(
    pages: AsyncIterator[Sequence[tuple[str, bool]]], where: str | os.PathLike[str] | Sink
) -> Exported:
    """Write each entry as a line of JSON with all its fields; amounts are texts."""
    rows, unsettled = 0, 0

    async def chunks() -> AsyncIterator[str]:
        nonlocal rows, unsettled
        async for page in pages:
            rows += len(page)
            unsettled += sum(is_open for _, is_open in page)
            yield "".join(f"{line}\n" for line, _ in page)

    await _write(chunks(), where)
    return Exported(rows, unsettled=unsettled)


async def write_journal(
    pages: AsyncIterator[Sequence[BookRow]],
    where: str | os.PathLike[str] | Sink,
    style: JournalStyle,
    accounts: JournalAccounts,
) -> Exported:
    """Write entries as a journal of hledger or Beancount, a transaction for each row."""
    journal = Journal(style, accounts)

    async def chunks() -> AsyncIterator[str]:
        yield journal.header()
        async for page in pages:
            yield journal.text_of(page)
        yield journal.footer()

    await _write(chunks(), where)
    return Exported(journal.rows, unsettled=journal.unsettled, renamed=journal.renamed)


def refuse_ledger_files(where: object, ledger: str) -> None:
    """Refuse to export over a ledger's own files."""
    if isinstance(where, str | os.PathLike):
        own, other = os.path.realpath(ledger), os.path.realpath(os.fspath(where))
        if other in (own, f"{own}-wal", f"{own}-shm"):
            raise ConfigurationError(f"{where} is the ledger itself: name another file")


class _RowCounter:
    """Makes rows, and counts them and what they leave out."""

    def __init__(self) -> None:
        self.rows = 0
        self.left_out: Counter[str] = Counter()
        self.unsettled = 0

    def rows_of(self, page: Sequence[BookRow], layout: CsvLayout) -> Iterator[tuple[str, ...]]:
        """Yield the rows of some entries; all rows of an entry are in one page."""
        before = None
        for row in page:
            is_open, first = row.status in OPEN, row.entry != before
            before = row.entry
            self.unsettled += first and is_open
            if layout.trades_only and row.kind not in CONVERTS:
                self.left_out[row.kind] += first and not is_open
            elif row.asset and not (is_open and layout.trades_only):
                self.rows += 1
                yield layout.row(row)


def _csv_text(rows: Iterable[tuple[str, ...]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


async def _write(chunks: AsyncIterator[str], where: str | os.PathLike[str] | Sink) -> None:
    if isinstance(where, str | os.PathLike):
        await _write_file(chunks, os.fspath(where))
        return
    if not callable(getattr(where, "write", None)):
        raise TypeError(f"where must be a path or an open text file, not {type(where).__name__}")
    async for chunk in chunks:
        where.write(chunk)


async def _write_file(chunks: AsyncIterator[str], path: str) -> None:
    """Write to a file in a thread, so that the event loop never waits for a disk."""
    file = AtomicFile(path)
    try:
        await _in_thread(path, file.open)
        async for batch in _batches(chunks):
            await _in_thread(path, lambda batch=batch: file.write(batch))  # type: ignore[misc]
        await _in_thread(path, file.replace_target)
    finally:
        # In a thread also when cancelled: this may wait for the disk, and the event loop must not.
        await asyncio.shield(asyncio.to_thread(file.discard))


async def _batches(chunks: AsyncIterator[str], size: int = 1 << 16) -> AsyncIterator[str]:
    """Join chunks, so that each call of the thread writes many of them."""
    waiting = io.StringIO(newline="")
    async for chunk in chunks:
        waiting.write(chunk)
        if waiting.tell() >= size:
            yield waiting.getvalue()
            waiting = io.StringIO(newline="")
    yield waiting.getvalue()


async def _in_thread(path: str, work: Callable[[], Any]) -> Any:
    with writing(path):
        return await asyncio.to_thread(work)


class AtomicFile:
    """A text file that readers see only when it is complete.

    It is written under another name, flushed to the disk, and then renamed. Readers, also after a
    crash, find the old file or the new one, never a part. `discard` is safe at any time, from any
    thread.
    """

    def __init__(self, path: str) -> None:
        """Name the file; if the name is a link, the file that it points to is replaced."""
        self._path = Path(os.path.realpath(path))
        self._unfinished = draft_beside(self._path)
        self._file: TextIO | None = None
        self._discarded = False
        self._lock = threading.Lock()

    def open(self) -> None:
        """Create it with the old file's mode; a new file is readable only by its owner."""
        mode = mode_of(self._path)
        with self._lock:
            if self._discarded:
                return
            descriptor = open_new(self._unfinished, mode=0o600 if mode is None else mode)
            self._file = os.fdopen(descriptor, "w", encoding="utf-8", newline="")

    def write(self, text: str) -> None:
        """Add text."""
        with self._lock:
            if self._file is not None:
                self._file.write(text)

    def replace_target(self) -> None:
        """Finish writing, and replace the target."""
        with self._lock:
            if self._file is None:
                return
            with self._file:
                self._file.flush()
                os.fsync(self._file.fileno())
            put_in_place(self._unfinished, self._path)

    def discard(self) -> None:
        """Remove an incomplete file; does nothing after `replace_target`."""
        with self._lock:
            self._discarded = True
            if self._file is not None:
                with suppress(OSError):
                    self._file.close()
                self._file = None
                self._unfinished.unlink(missing_ok=True)
