"""The file of a ledger: opened so that every commit stays; other files are refused.

A commit is on the disk when it returns (WAL with `synchronous=FULL`), so an intent survives a crash
of the process or of the machine. Several processes share the file; writers take turns.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from binance_dust._util.files import flush_folder
from binance_dust.errors import LedgerError
from binance_dust.ledger import _schema

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FileIdentity", "connect", "ledger_errors", "transaction"]

MEMORY: Final = ":memory:"
_PAUSE: Final = 0.02
"""Seconds between two attempts, where SQLite itself does not wait."""
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
        connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None)
        try:
            _set_up(connection, path, busy_timeout)
        except BaseException:
            connection.close()
            raise
        return connection


class FileIdentity:
    """Remembers which file the path named when it was opened.

    SQLite goes on writing to a file that was moved or deleted. The next process that opens the path
    would not see those entries, and could move the same funds again.
    """

    def __init__(self, path: str) -> None:
        """Remember the file that has just been opened."""
        self._path = path
        # Absolute, because the process may change its working directory.
        self._file = None if path == MEMORY else Path(path).absolute()
        self._found = self._look()

    def check(self) -> None:
        """Raise if the path names another file now, or none."""
        with ledger_errors(self._path):
            found = self._look()
        if found != self._found:
            raise LedgerError(
                "the file was moved, replaced or deleted while it was open: open it again",
                path=self._path,
            )

    def _look(self) -> tuple[int, int] | None:
        try:
            found = None if self._file is None else self._file.stat()
        except FileNotFoundError:
            found = None
        return None if found is None else (found.st_dev, found.st_ino)


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
    connection.execute("PRAGMA foreign_keys = ON")
    with transaction(connection):
        _migrate(connection, path)
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
