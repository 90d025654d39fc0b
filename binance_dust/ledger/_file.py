"""The file of a ledger: opened so that what is committed stays, and refused where it can't be one.

A commit is on the disk when it returns (WAL with `synchronous=FULL`), so an intent outlives the
process and the machine. Several processes share the file; writers take turns.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from binance_dust.errors import LedgerError
from binance_dust.ledger import _schema

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FileIdentity", "connect", "said_plainly", "transaction"]

MEMORY: Final = ":memory:"
_PAUSE: Final = 0.02
"""Seconds between two attempts at what SQLite does not wait for."""
_SQLITE_MAGIC: Final = b"SQLite format 3\x00"

_WORDS: Final = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "it can't be written to",
    "SQLITE_CORRUPT": "it is damaged: restore it from a copy, or salvage it with `.recover`",
    "SQLITE_NOTADB": "it is no ledger (not an SQLite database)",
    "SQLITE_CANTOPEN": "it can't be opened",
    "SQLITE_BUSY": "another process has been writing to it for too long",
    "SQLITE_IOERR": "the disk failed",
    "SQLITE_PERM": "it may not be opened",
}


def connect(path: str, *, busy_timeout: float) -> sqlite3.Connection:
    """Open a ledger, make it where there is none, and bring an older one up to date."""
    with said_plainly(path):
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
    """Which file has the name: one that was moved away or deleted is written to all the same.

    What is written there is lost for whoever opens the name next, and funds would move twice.
    """

    def __init__(self, path: str) -> None:
        """Look at the file that has just been opened."""
        self._path = path
        # The name as it is meant now, wherever the process goes.
        self._file = None if path == MEMORY else Path(path).absolute()
        self._found = self._look()

    def check(self) -> None:
        """Raise if the name is no longer this file's."""
        with said_plainly(self._path):
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
def said_plainly(path: str) -> Iterator[None]:
    """Raise what goes wrong with the file as one error of ours, in plain words."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None) or ""
        # Extended names go on from the plain one: SQLITE_IOERR_WRITE, SQLITE_READONLY_DIRECTORY.
        words = next((text for key, text in _WORDS.items() if name.startswith(key)), None)
        raise LedgerError(f"{words} ({error})" if words else str(error), path=path) from error
    except OSError as error:
        raise LedgerError(str(error.strerror or error), path=path) from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Change the ledger as a whole or not at all, and see nobody else's change in between."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # A full disk has rolled it back already.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _prepare(path: Path) -> None:
    """Make the file, readable by its owner alone; look at one that is there before SQLite does."""
    if path.is_dir():
        raise LedgerError("it is a directory: name a file in it", path=str(path))
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        pass
    else:
        _keep_name(path.parent)
        return
    if not stat.S_ISREG(path.stat().st_mode):
        raise LedgerError("it is no plain file", path=str(path))
    if not path.stat().st_mode & 0o222:
        # Said before SQLite does, which lets the superuser write to it all the same.
        raise LedgerError("it can't be written to (its mode is read-only)", path=str(path))
    with path.open("rb") as file:
        head = file.read(len(_SQLITE_MAGIC))
    if head and head != _SQLITE_MAGIC:
        raise LedgerError("it is no ledger (not an SQLite database)", path=str(path))


def _keep_name(folder: Path) -> None:
    """See that a new file's name is on the disk too."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _set_up(connection: sqlite3.Connection, path: str, busy_timeout: float) -> None:
    connection.row_factory = sqlite3.Row
    # Looked at before anything is written, least of all to somebody else's database.
    _check_owner(connection, path)
    _write_ahead(connection, busy_timeout)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # where plain fsync does not reach the disk
    connection.execute("PRAGMA foreign_keys = ON")
    with transaction(connection):
        _migrate(connection, path)
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise LedgerError(f"{_WORDS['SQLITE_CORRUPT']} ({found})", path=path)


def _write_ahead(connection: sqlite3.Connection, busy_timeout: float) -> None:
    """Switch to a write-ahead log: while others do the same, SQLite fails without waiting."""
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
    # In one transaction: between the two another process may make a ledger of an empty file.
    connection.execute("BEGIN")
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    connection.execute("ROLLBACK")
    if application != _schema.APPLICATION_ID and (application or tables):
        raise LedgerError("it is no ledger (another program's database)", path=path)


def _migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring the tables up to date; another process may have done it a moment ago."""
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
        # Takes the write lock and writes: a file on a read-only disk says so now.
        connection.execute(f"PRAGMA user_version = {version}")
