"""The file of a ledger: opened so that every commit stays; other files are refused.

A commit is on the disk when it returns (WAL with `synchronous=FULL`), so an intent survives a crash
of the process or of the machine. Several processes share the file; writers take turns.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from binance_dust._util.files import flush_folder
from binance_dust.errors import LedgerError
from binance_dust.ledger import _schema

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "MEMORY",
    "FileIdentity",
    "bring_home",
    "check_whole",
    "connect",
    "forget_pages",
    "ledger_errors",
    "transaction",
    "unflushed",
]

MEMORY: Final = ":memory:"
_NEWEST: Final = """
SELECT id, kind, account_type, intended_at FROM entries
  WHERE id = (SELECT seq FROM sqlite_sequence WHERE name = 'entries')
"""
_ENTRY: Final = "SELECT id, kind, account_type, intended_at FROM entries WHERE id = ?"
_ABANDONED: Final[set[tuple[int, int] | None]] = set()
"""Files that this process can't close, because their side files were lost."""
_START_AGAIN: Final = "stop all programs that use it, then start them again"
_TRIES: Final = 3
_MOMENT: Final = 0.002
"""Seconds: about as long as another process takes to copy its log."""
_PAUSE: Final = 0.02
"""Seconds between two attempts, where SQLite itself does not wait."""
_SMALL: Final = 1_000
"""Pages that are all read when the file is opened: some milliseconds. Of a larger file, what calls
rely on is read. SQLite itself refuses a file that was cut short, and any page that is damaged, when
it comes to it."""
_USED: Final = (
    f"SELECT * FROM entries WHERE {_schema.OPEN_ONLY}",  # noqa: S608 - our own text
    _NEWEST,
    "SELECT * FROM entries ORDER BY at DESC LIMIT 1",
    "SELECT * FROM lines ORDER BY entry_id DESC LIMIT 1",
    "SELECT * FROM claims",
    "SELECT * FROM books",
)
_SHORTEST: Final = 512
"""Bytes of the smallest page of SQLite."""

_MESSAGES: Final = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "it can't be written to",
    "SQLITE_CORRUPT": "it is damaged: restore a copy, or save what you can with `.recover`",
    "SQLITE_NOTADB": "it is not a ledger (not an SQLite database)",
    "SQLITE_CANTOPEN": "it can't be opened",
    "SQLITE_BUSY": "another process has been writing to it for too long",
    "SQLITE_IOERR": "the disk failed",
    "SQLITE_PERM": "it may not be opened",
}


def connect(path: str, *, busy_timeout: float) -> sqlite3.Connection:
    """Open a ledger. Create it if it does not exist, and migrate an older one."""
    with ledger_errors(path):
        if path != MEMORY:
            _prepare(Path(path))
            if _identity(Path(path)) in _ABANDONED:
                # SQLite would use the lost side files again, and other processes new ones.
                raise LedgerError(
                    "it, or a side file (-wal, -shm), was moved, removed or replaced while this "
                    f"process had it open: {_START_AGAIN}",
                    path=path,
                )
        connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None)
        try:
            _set_up(connection, path, busy_timeout)
        except BaseException:
            connection.close()
            raise
        return connection


class FileIdentity:
    """Remembers which files were opened, and what was in them.

    SQLite goes on writing to files that were moved, deleted or copied over. The next process that
    opens the path would not see those entries, and could move the same funds again.
    """

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        """Remember what has just been opened."""
        self._path = path
        # Absolute, because the process may change its working directory.
        self._file = None if path == MEMORY else Path(path).absolute()
        # SQLite puts its own files beside the real one.
        beside = None if self._file is None else self._file.resolve()
        self._log = beside and beside.with_name(f"{beside.name}-wal")
        self._index = beside and beside.with_name(f"{beside.name}-shm")
        self._found = self._look()
        self._newest: tuple[Any, ...] | None = None
        self.remember(connection)

    def remember(self, connection: sqlite3.Connection) -> None:
        """Remember the newest entry. Entries are never deleted, so it has to stay."""
        row = connection.execute(_NEWEST).fetchone()
        self._newest = None if row is None else tuple(row)

    def check(self) -> None:
        """Raise if the path names other files now, or none."""
        with ledger_errors(self._path):
            found = self._look()
        if found[0] != self._found[0]:
            self._raise("the file was moved, replaced or deleted while it was open: open it again")
        if found != self._found:
            self._raise(
                "its side files (-wal, -shm) were removed or replaced while it was open: "
                + _START_AGAIN
            )

    def check_content(self, connection: sqlite3.Connection) -> None:
        """Raise if the newest entry is gone, or if what is in the log only can't be read."""
        connection.execute("SELECT count(*) FROM claims").fetchone()
        if self._newest is not None:
            row = connection.execute(_ENTRY, self._newest[:1]).fetchone()
            if row is None or tuple(row) != self._newest:
                self._raise(
                    f"another content was copied over the file while it was open: {_START_AGAIN}"
                )

    def check_written(self, connection: sqlite3.Connection, entry_id: int) -> None:
        """Raise if a newcomer would not find an entry that was committed just now.

        It is looked for in the file itself, where it stays even if the side files are lost later.
        While another program reads for long, it is in the log only.
        """
        if self._file is not None and not _stands_in(self._file, entry_id):
            forget_pages(connection)
            if connection.execute(_ENTRY, (entry_id,)).fetchone() is None:
                self._raise("what was written can't be read back: see whether its disk fails")

    def close(self, connection: sqlite3.Connection) -> None:
        """Close the file, if everything is as it was.

        Else SQLite would copy a log into a file that is not the log's, or delete side files of
        others. So the connection is never closed, not even when the interpreter ends.
        """
        try:
            self.check()
            forget_pages(connection)
            self.check_content(connection)
        except (LedgerError, sqlite3.Error):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
            _ABANDONED.add(self._found[0])
        else:
            connection.close()

    def _look(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_identity(each) for each in (self._file, self._log, self._index))

    def _raise(self, what: str) -> NoReturn:
        raise LedgerError(what, path=self._path)


def bring_home(connection: sqlite3.Connection) -> None:
    """Copy what was committed from the log into the file itself, as far as readers allow it.

    So the side files may get lost, and a copy of the file alone has everything. What can't be
    copied now stays in the log, where it is as safe as any commit.
    """
    for tries_left in reversed(range(_TRIES)):
        with suppress(sqlite3.OperationalError):
            busy, logged, done = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if not busy and logged == done:
                return
        if tries_left:
            time.sleep(_MOMENT)


@contextmanager
def unflushed(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit without waiting for the disk: if the machine fails, the transaction may be lost.

    What is in the log without being flushed is taken as a whole or not at all: it has checksums.
    """
    connection.execute("PRAGMA synchronous = OFF")
    try:
        yield
    finally:
        connection.execute("PRAGMA synchronous = FULL")


def forget_pages(connection: sqlite3.Connection) -> None:
    """Forget what was read, so that nothing is written from pages of a file copied over since."""
    connection.execute("PRAGMA shrink_memory")


@contextmanager
def ledger_errors(path: str) -> Iterator[None]:
    """Raise any error of the file as `LedgerError`, with a plain message."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None) or ""
        # Extended names begin with the plain one: SQLITE_IOERR_WRITE, SQLITE_READONLY_DIRECTORY.
        message = next((text for key, text in _MESSAGES.items() if name.startswith(key)), None)
        raise LedgerError(f"{message} ({error})" if message else str(error), path=path) from error
    except OverflowError as error:
        raise LedgerError("a number does not fit into 64 bits", path=path) from error
    except OSError as error:
        raise LedgerError(str(error.strerror or error), path=path) from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Run changes in one transaction: all or none, with no other writer in between."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # On a full disk, SQLite has already rolled it back.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _identity(path: Path | None) -> tuple[int, int] | None:
    try:
        found = None if path is None else path.stat()
    except FileNotFoundError:
        found = None
    return None if found is None else (found.st_dev, found.st_ino)


def _stands_in(path: Path, entry_id: int) -> bool:
    """Whether an entry is in the file itself, without its log."""
    try:
        alone = sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)
        try:
            return alone.execute(_ENTRY, (entry_id,)).fetchone() is not None
        finally:
            alone.close()
    except sqlite3.Error:  # for example while another process copies its log
        return False


def _prepare(path: Path) -> None:
    """Create the file, readable only by its owner; check an existing one before SQLite does."""
    if path.is_dir():
        raise LedgerError("it is a directory: name a file in it", path=str(path))
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        pass
    else:
        flush_folder(path.parent)
        return
    if not stat.S_ISREG(path.stat().st_mode):
        raise LedgerError("it is not a regular file", path=str(path))
    if not path.stat().st_mode & 0o222:
        # Checked here, because SQLite would let the superuser write to it.
        raise LedgerError("it can't be written to (its mode is read-only)", path=str(path))
    # Never opened here: closing it would drop the locks that another connection of this process
    # holds on it (POSIX). Then the next process that closes it deletes the log that this one uses.
    # SQLite refuses other files, except those that are shorter than any database: it empties them.
    if 0 < path.stat().st_size < _SHORTEST:
        raise LedgerError("it is not a ledger (not an SQLite database)", path=str(path))


def _set_up(connection: sqlite3.Connection, path: str, busy_timeout: float) -> None:
    connection.row_factory = sqlite3.Row
    # Checked before anything is written, because it may be another program's database.
    _check_owner(connection, path)
    _use_write_ahead_log(connection, busy_timeout)
    connection.execute("PRAGMA synchronous = FULL")
    # For systems where a plain fsync does not reach the disk.
    connection.execute("PRAGMA fullfsync = ON")
    # `bring_home` does it after each commit.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA foreign_keys = ON")
    with transaction(connection):
        _migrate(connection, path)
    if connection.execute("PRAGMA page_count").fetchone()[0] <= _SMALL:
        check_whole(connection, path)
    else:
        for sql in _USED:
            connection.execute(sql).fetchall()


def check_whole(connection: sqlite3.Connection, path: str) -> None:
    """Read the whole file, and raise if it is damaged."""
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise LedgerError(f"{_MESSAGES['SQLITE_CORRUPT']} ({found})", path=path)


def _use_write_ahead_log(connection: sqlite3.Connection, busy_timeout: float) -> None:
    """Switch to WAL; SQLite does not wait while another process does the same."""
    attempts = max(1, round(busy_timeout / _PAUSE))
    for attempt in range(1, attempts + 1):
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or attempt == attempts:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _check_owner(connection: sqlite3.Connection, path: str) -> None:
    # In one transaction: otherwise another process may create a ledger between the two reads.
    connection.execute("BEGIN")
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    connection.execute("ROLLBACK")
    if application != _schema.APPLICATION_ID and (application or tables):
        raise LedgerError("it is not a ledger (another program's database)", path=path)


def _migrate(connection: sqlite3.Connection, path: str) -> None:
    """Migrate the tables, if no other process has done it a moment ago."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > _schema.VERSION:
        raise LedgerError(
            f"it was written by a newer version of this package (schema {version}, this one "
            f"knows {_schema.VERSION}): upgrade binance-dust",
            path=path,
        )
    for script in _schema.MIGRATIONS[version:]:
        for statement in _schema.statements(script):
            connection.execute(statement)
    if version < _schema.VERSION:
        connection.execute(f"PRAGMA application_id = {_schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_schema.VERSION}")
    else:
        # A write, so that a read-only disk is noticed now.
        connection.execute(f"PRAGMA user_version = {version}")
