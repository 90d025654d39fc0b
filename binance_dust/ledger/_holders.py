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

    __slots__ = ("_file", "_folder", "_ledger", "_path")

    def __init__(self, ledger: Path | None) -> None:
        """Take the ledger's file, or `None` for one in memory; nothing is created yet."""
        self._ledger = None if fcntl is None else ledger
        """`None` where there are no locks."""
        self._folder = Path() if ledger is None else ledger.with_name(f"{ledger.name}-holders")
        self._file: FileIO | None = None
        self._path = Path()

    def hold(self) -> str | None:
        """Return the name by which others see that we are alive; `None` if they can't."""
        if self._ledger is None:
            return None
        try:
            # A person or a cleaning program may have removed it.
            if self._file is None or not os.fstat(self._file.fileno()).st_nlink:
                self.release()
                self._begin(self._ledger)
        except OSError:
            self.release()
        return None if self._file is None else self._path.name

    def is_dead(self, name: str | None) -> bool:
        """Whether a holder is certainly dead. Its file is removed then."""
        name = name or ""  # it took its claim where there are no locks
        if self._ledger is None or not _NAME.fullmatch(name):
            return False
        path = self._folder / name
        try:
            with path.open("rb", buffering=0) as file:
                # Shared: of two that try at the same time, neither is taken for the holder.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                path.unlink()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def release(self) -> None:
        """End the holder's life: what it still claims is free."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                self._path.unlink()
            _LOCKED.discard(file)
            file.close()
            with suppress(OSError):  # others are in it
                self._folder.rmdir()

    def _begin(self, ledger: Path) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for left in os.listdir(self._folder):  # noqa: PTH208 - the names only
            self.is_dead(left)
        path = self._path = self._folder / secrets.token_hex(8)
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
