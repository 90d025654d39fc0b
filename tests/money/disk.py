"""A disk below SQLite: it notes what was written and what was synced, and fails as disks do.

SQLite's own way: a VFS (by apsw, which brings a SQLite of its own). What was not synced may be
lost, sector by sector, in any order, when the power fails. A process may be killed between any two
writes. The disk may be full for a while, or fail once. `Connection` makes apsw look like `sqlite3`,
as far as the ledger uses it.
"""

from __future__ import annotations

import itertools
import os
import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import apsw

_SECTOR: Final = 512
_NAMES = itertools.count()
Write = tuple[int, bytes | None]
"""Where, and what; `None` cuts the file there."""


@dataclass(slots=True)
class Stored:
    """A file: what would be left of it for certain, and what was done to it since."""

    durable: bytes | None
    """`None` for a file that would not be there."""
    since: list[Write] = field(default_factory=list)

    def sync(self) -> None:
        """Let nothing of it be lost any more."""
        self.durable = _applied(self.durable or b"", self.since)
        self.since.clear()

    def lose(self, dice: random.Random) -> bytes | None:
        """Give what a power failure leaves: of what was not synced any sectors."""
        kept: list[Write] = []
        for at, data in self.since:
            if data is None:
                kept += [(at, None)] if dice.random() < 0.5 else []
                continue
            for begin in range(0, len(data), _SECTOR):
                if dice.random() < 0.5:
                    kept.append((at + begin, data[begin : begin + _SECTOR]))
        if self.durable is None and not kept:
            return None
        return _applied(self.durable or b"", kept)


class Disk:
    """All files of a machine, and what happens to them."""

    def __init__(self, seed: int) -> None:
        self.name = f"disk-{next(_NAMES)}"
        self.files: dict[str, Stored] = {}
        self.writes = 0
        self.before_write: Callable[[int], None] = lambda _: None
        """May raise what the disk answers."""
        self.owner: Any = None
        """The process that works now."""
        self._dice = random.Random(f"{seed}/disk")  # noqa: S311 - to be repeated
        self._vfs = _Vfs(self)

    def connect(self, path: str, **_: Any) -> Any:
        """Open a database on this disk, as `sqlite3.connect` would."""
        return Connection(path, self.name)

    def stored(self, path: str) -> Stored:
        """Give a file's state; what was there before is durable."""
        if path not in self.files:
            here = Path(path)
            self.files[path] = Stored(here.read_bytes() if here.exists() else None)
        return self.files[path]

    def fail(self) -> None:
        """Lose the power: each file becomes what is left of it."""
        for path, stored in self.files.items():
            self._put(path, stored.lose(self._dice))
        for path in list(self.files):
            if path.endswith("-shm") or not Path(path).exists():
                Path(path).unlink(missing_ok=True)
        for path in {path.removesuffix("-wal") for path in self.files}:
            Path(f"{path}-shm").unlink(missing_ok=True)
        self.files.clear()

    def certain(self, path: Path, into: Path) -> None:
        """Write down what would be left of a database for certain."""
        for suffix in ("", "-wal"):
            stored = self.stored(f"{path}{suffix}")
            if stored.durable is not None:
                Path(f"{into}{suffix}").write_bytes(stored.durable)

    def close(self) -> None:
        """Forget the VFS."""
        self._vfs.unregister()

    def _put(self, path: str, content: bytes | None) -> None:
        if content is None:
            Path(path).unlink(missing_ok=True)
            return
        draft = Path(f"{path}.after")
        draft.write_bytes(content)
        draft.replace(path)  # another inode: those who died had the old one


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(disk.name, "unix")

    def xOpen(self, name: Any, flags: list[int]) -> _File:  # noqa: N802 - SQLite's name
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's
        if not _alive(self._disk.owner):
            raise apsw.IOError
        self._disk.files.pop(filename, None)
        super().xDelete(filename, syncdir)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        self._owner = disk.owner
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._stored = disk.stored(self._path)
        super().__init__("unix", name, flags)

    def _refuse_dead(self) -> None:
        if not _alive(self._owner):
            raise apsw.IOError

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._refuse_dead()
        self._disk.writes += 1
        self._disk.before_write(self._disk.writes)
        self._stored.since.append((offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        self._refuse_dead()
        self._stored.since.append((newsize, None))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self._refuse_dead()
        self._disk.writes += 1
        self._disk.before_write(self._disk.writes)
        self._stored.sync()


def _alive(owner: Any) -> bool:
    return owner is None or owner.loop.alive


def _applied(content: bytes, writes: Sequence[Write]) -> bytes:
    image = bytearray(content)
    for at, data in writes:
        if data is None:
            del image[at:]
            continue
        if len(image) < at:
            image.extend(bytes(at - len(image)))
        image[at : at + len(data)] = data
    return bytes(image)


# --- apsw as sqlite3 -----------------------------------------------------------------------------


class DiskRow(tuple[Any, ...]):
    """A row that can be asked by name."""

    __slots__ = ()
    names: Mapping[str, int]

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self.names[key] if isinstance(key, str) else key)


class Cursor:
    """What the ledger needs of a cursor."""

    def __init__(self, connection: apsw.Connection, cursor: Any) -> None:
        self._cursor = cursor
        self.rowcount = connection.changes()
        self.lastrowid = connection.last_insert_rowid()

    def __iter__(self) -> Iterator[Any]:
        while (row := self.fetchone()) is not None:
            yield row

    def fetchone(self) -> Any:
        """Give the next row."""
        with _Errors():
            return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        """Give all rows that are left."""
        return list(self)


class Connection:
    """What the ledger needs of a connection."""

    row_factory: Any = None
    """Rows always have names."""

    def __init__(self, path: str | os.PathLike[str], vfs: str | None = None) -> None:
        with _Errors():
            self._connection = apsw.Connection(os.fspath(path), flags=_FLAGS, vfs=vfs)
        self._connection.row_trace = _named

    def execute(self, sql: str, values: Any = ()) -> Cursor:
        """Run a statement."""
        with _Errors():
            return Cursor(self._connection, self._connection.execute(sql, values))

    def executemany(self, sql: str, rows: Any) -> Cursor:
        """Run a statement for each row."""
        with _Errors():
            return Cursor(self._connection, self._connection.executemany(sql, rows))

    def close(self) -> None:
        """Close it."""
        with _Errors():
            self._connection.close()


_FLAGS: Final = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
_KINDS: dict[Any, type[DiskRow]] = {}


def _named(cursor: Any, row: tuple[Any, ...]) -> DiskRow:
    names = tuple(column[0] for column in cursor.get_description())
    if names not in _KINDS:
        known = {name: number for number, name in enumerate(names)}
        _KINDS[names] = type("NamedRow", (DiskRow,), {"names": known, "__slots__": ()})
    return _KINDS[names](row)


class _Errors:
    """Raises errors as `sqlite3` names them."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, apsw.Error):
            return
        # An error of the disk's own comes back as it was raised, without a code.
        plain = {apsw.FullError: apsw.SQLITE_FULL, apsw.IOError: apsw.SQLITE_IOERR}
        code = getattr(error, "extendedresult", 0) or plain.get(type(error), 0)
        names = apsw.mapping_extended_result_codes | apsw.mapping_result_codes
        ours = sqlite3.OperationalError(str(error))
        if isinstance(error, apsw.ConstraintError):
            ours = sqlite3.IntegrityError(str(error))  # type: ignore[assignment]
        ours.sqlite_errorcode = code
        ours.sqlite_errorname = str(names.get(code, names.get(code & 0xFF, "")))
        raise ours from error
