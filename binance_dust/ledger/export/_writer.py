"""Entries as rows and lines, into a file or whatever else takes text."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from binance_dust._util.plain import plain
from binance_dust.errors import ConfigurationError
from binance_dust.ledger._entry import Kind
from binance_dust.ledger.export._forms import FORMS
from binance_dust.ledger.export._whole import WholeFile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from binance_dust.ledger._entry import LedgerEntry
    from binance_dust.ledger.export._forms import Form, Style

__all__ = ["Exported", "Sink", "write_csv", "write_json_lines"]


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
    if style not in FORMS:
        raise ConfigurationError(f"style must be one of {', '.join(FORMS)}, not {style!r}")
    form = FORMS[style]
    count = _Count()

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


class _Count:
    """Counts what goes into a form, and what it has no place for."""

    def __init__(self) -> None:
        self.rows = 0
        self.left_out = 0
        self.unsettled = 0

    def through(self, entry: LedgerEntry, form: Form) -> Iterator[tuple[str, ...]]:
        """Give the rows of an entry."""
        self.unsettled += entry.open
        if form.trades_only and entry.kind is Kind.LIABILITIES:
            self.left_out += entry.status == "confirmed"
            return
        for row in _rows(entry, form):
            self.rows += 1
            yield row


def _rows(entry: LedgerEntry, form: Form) -> Iterator[tuple[str, ...]]:
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
    file = WholeFile(path)
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
