"""Rows in order, though no more than a few of them are held: the others wait in a scratch file.

Rows come in any order. What comes together is sorted together, and written as a run. When the rows
are read, the runs are merged: each of them gives its next row when the one before was taken.
"""

from __future__ import annotations

import heapq
import io
import tempfile
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["Scratch", "SortedRows"]

_RUN: Final = 2**17
"""Bytes of a run: what a table holds in memory before it writes."""
_BLOCK: Final = 2**12
"""Bytes that are read of a run at once."""

_DECODER: Final = msgspec.json.Decoder(tuple[Any, list[str]])
_key: Final = itemgetter(0)


class Scratch:
    """Bytes that are put aside: in a file without a name, which is gone when it is closed.

    Only this user can read it, and it lies in the folder of the page, where there has to be room
    anyway. Without a folder it is memory. It is made when it is first needed.
    """

    __slots__ = ("_end", "_file", "_folder")

    def __init__(self, folder: Path | None = None) -> None:
        """Remember where."""
        self._folder = folder
        self._file: BinaryIO | None = None
        self._end = 0

    def append(self, data: bytes) -> tuple[int, int]:
        """Put bytes aside, and give their place: the first and the end."""
        file = self._opened()
        file.seek(self._end)
        start, self._end = self._end, self._end + len(data)
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]
        return start, self._end

    def read(self, start: int, end: int) -> bytes:
        """Give bytes back."""
        file = self._opened()
        file.seek(start)
        return file.read(end - start)

    def close(self) -> None:
        """Remove it. Closing twice is no harm."""
        if self._file is not None:
            self._file.close()

    def _opened(self) -> BinaryIO:
        if self._file is None:
            # Without a buffer: what can't be written is an error at once, and not at the end.
            self._file = (
                io.BytesIO()
                if self._folder is None
                else tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 - `close`
            )
        return self._file


class SortedRows:
    """Rows of a table, in order. Equal ones stay as they came.

    `key` makes what decides from the plain value that is stored with a row.
    """

    __slots__ = ("_held", "_key", "_reverse", "_runs", "_scratch", "_size", "count")

    def __init__(
        self, scratch: Scratch, key: Callable[[Any], Any], *, reverse: bool = False
    ) -> None:
        """Begin without rows."""
        self._scratch: Final = scratch
        self._key: Final = key
        self._reverse: Final = reverse
        self._held: list[tuple[Any, bytes]] = []
        self._runs: list[tuple[int, int]] = []
        self._size = 0
        self.count = 0

    def add(self, order: object, cells: list[str]) -> None:
        """Add a row: a plain value for JSON that decides where it stands, and its cells."""
        text = msgspec.json.encode((order, cells))
        self._held.append((self._key(order), text))
        self._size += len(text)
        self.count += 1
        if self._size >= _RUN:
            self._put_aside()

    def __iter__(self) -> Iterator[list[str]]:
        """Give the cells of each row, in order."""
        self._sort()
        runs: list[Iterator[tuple[Any, list[str]]]] = [self._read(*run) for run in self._runs]
        held = ((key, _DECODER.decode(text)[1]) for key, text in self._held)
        merged = heapq.merge(*runs, held, key=_key, reverse=self._reverse)
        return (cells for _, cells in merged)

    def _sort(self) -> None:
        self._held.sort(key=_key, reverse=self._reverse)

    def _put_aside(self) -> None:
        self._sort()
        lines = b"".join(b"%b\n" % text for _, text in self._held)
        self._runs.append(self._scratch.append(lines))
        self._held.clear()
        self._size = 0

    def _read(self, start: int, end: int) -> Iterator[tuple[Any, list[str]]]:
        size = _BLOCK
        while start < end:
            block = self._scratch.read(start, min(start + size, end))
            whole = block.rfind(b"\n") + 1
            if not whole:  # one row is longer than a block
                size *= 2
                continue
            for line in block[:whole].split(b"\n")[:-1]:
                order, cells = _DECODER.decode(line)
                yield self._key(order), cells
            start += whole
