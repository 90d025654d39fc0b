"""Whether the process that took a claim is alive: each holds a lock of the operating system.

A ledger that takes its first claim creates a small file in the folder `<ledger>-holders`, and locks
it until it is closed. The system releases the lock when the process dies, however it dies. So
a process that finds the claim tries the lock: if it is free, or the file is gone, the holder is
dead.

The lock is `flock`'s: it belongs to the open file and not to the process, so two ledgers in one
process are told apart. A forked child closes its copy, or it would keep the lock of a dead parent.
Where there are no such locks (Windows, some file systems, `:memory:`), a claim ends by time alone.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from io import FileIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["Holder"]

_NAME: Final = re.compile(r"[0-9a-f]{16}")
_LOCKED: Final[set[FileIO]] = set()
"""The files that this process has locked."""


class Holder:
    """One open ledger, as a holder of claims."""

    __slots__ = ("_file", "_folder", "_ledger", "_name")

    def __init__(self, ledger: Path | None) -> None:
        """Take the ledger's file, or `None` for one in memory; nothing is created yet."""
        self._ledger = ledger
        self._folder = Path() if ledger is None else ledger.with_name(f"{ledger.name}-holders")
        self._file: FileIO | None = None
        self._name: str | None = None

    def hold(self) -> str | None:
        """Return the name by which others see that we are alive; `None` if they can't."""
        if fcntl is None or self._ledger is None:
            return None
        try:
            # A person or a cleaning program may have removed it.
            if self._file is None or not os.fstat(self._file.fileno()).st_nlink:
                self.release()
                self._begin(self._ledger)
        except OSError:
            self.release()
        return self._name

    def is_dead(self, name: str | None) -> bool:
        """Whether a holder is certainly dead. Its file is removed then."""
        if fcntl is None or self._ledger is None or name is None or not _NAME.fullmatch(name):
            return False
        path = self._folder / name
        try:
            with path.open("rb", buffering=0) as file:
                # Shared: of two that try at the same time, neither is taken for the holder.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def release(self) -> None:
        """End the holder's life: what it still claims is free."""
        file, name = self._file, self._name
        self._file = self._name = None
        if file is not None:
            if name is not None:
                with suppress(OSError):
                    (self._folder / name).unlink()
            _LOCKED.discard(file)
            file.close()
            with suppress(OSError):  # others are in it
                self._folder.rmdir()

    def _begin(self, ledger: Path) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for left in os.listdir(self._folder):  # noqa: PTH208 - the names only
            self.is_dead(left)
        self._name = secrets.token_hex(8)
        path = self._folder / self._name
        self._file = path.open("xb", buffering=0)
        _LOCKED.add(self._file)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.chmod(0o600)  # fails if another process has cleared the file away before its lock
        if os.geteuid() == 0:
            # Like SQLite's own files: the ledger's owner has to get on without the superuser.
            found = ledger.stat()
            os.chown(self._folder, found.st_uid, found.st_gid)
            os.chown(path, found.st_uid, found.st_gid)


def _forget() -> None:
    """Close what a forked child has inherited; the parent's locks stay."""
    while _LOCKED:
        _LOCKED.pop().close()


if fcntl is not None:
    os.register_at_fork(after_in_child=_forget)
