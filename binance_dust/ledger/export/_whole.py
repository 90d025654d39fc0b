"""A file that is there when it is whole.

It is written beside the one that is meant, and takes its place when it is complete and on the disk.
Whoever looks meanwhile, or after a crash, finds the old one or the new one, and never half of one.
"""

from __future__ import annotations

import os
import secrets
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["WholeFile"]


class WholeFile:
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
