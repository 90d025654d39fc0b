"""Files: which are opened, and how a reader sees them whole.

A draft is written and flushed, and then takes the file's name. Readers, also after a crash, find
the old file or the new one, never a part. Nothing here follows a link that somebody has laid in a
shared folder, or waits for the other end of a pipe.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import sys
from typing import TYPE_CHECKING, Final

from binance_dust.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from binance_dust.errors import DustError

_BINARY: Final = getattr(os, "O_BINARY", 0)
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT: Final = getattr(os, "O_NONBLOCK", 0)


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a file that is there; refuse a pipe, which would wait, and a device, which would act."""
    handle = os.open(path, flags | _BINARY | _NO_WAIT)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise OSError(errno.EINVAL, "it is not a regular file")


def read_private(path: Path, subject: str) -> str:
    """Read a file that is the user's own: nobody else can read it, nor write it."""
    problem = None
    try:
        # Some editors put a byte order mark at the beginning.
        with os.fdopen(open_regular(path), encoding="utf-8-sig") as file:
            problem = _why_not_private(os.fstat(file.fileno()), path)
            if problem is None:
                return file.read()
    except UnicodeDecodeError:
        problem = f"{path.name} is not a text file in UTF-8"
    except OSError as error:
        problem = f"can't read {path}: {error.strerror}"
    except ValueError:  # a null character in the path
        problem = f"can't read {str(path)!r}: that is not a path"
    raise ConfigurationError(f"{subject}: {problem}")


@contextlib.contextmanager
def writing(path: object, kind: type[DustError] = ConfigurationError) -> Iterator[None]:
    """Raise errors of the system as ours: this file can't be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
    else:
        return
    raise kind(f"{path} can't be written: {reason}")


def _why_not_private(found: os.stat_result, path: Path) -> str | None:
    """Say why a file of keys is refused, where users share a machine."""
    if sys.platform == "win32":
        return None
    if found.st_mode & stat.S_IRWXO:
        return f"everybody can read {path.name}; run: chmod 600 {path}"
    if found.st_mode & stat.S_IWGRP:
        return f"its group can write {path.name}; run: chmod 600 {path}"
    if found.st_uid not in (os.geteuid(), 0):
        return f"{path.name} belongs to another user, who can change it: make a copy of your own"
    return None


def mode_of(path: Path) -> int | None:
    """Return the mode of a file that is there; `None` if there is none."""
    try:
        found = path.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found):
        raise OSError(errno.EINVAL, "it is not a regular file")
    return stat.S_IMODE(found)


def open_new(path: Path, *, mode: int | None = None, flags: int = os.O_WRONLY) -> int:
    """Create a file: never one that is there, and never through a link.

    It gets exactly this mode, or what the umask leaves of the usual one.
    """
    handle = os.open(path, flags | os.O_CREAT | os.O_EXCL | _NO_LINK | _BINARY, mode or 0o666)
    if mode is not None and os.name == "posix":
        os.fchmod(handle, mode)
    return handle


def draft_beside(path: Path) -> Path:
    """Name a new draft of a file: hidden, and in the same folder, so that it can be renamed."""
    return path.parent / f".{path.name}.{secrets.token_hex(4)}.tmp"


def put_in_place(draft: Path, path: Path) -> None:
    """Give a draft that is complete and flushed the name of the file, and flush the folder.

    Some systems can't flush a folder. There the old file may be back after a crash.
    """
    draft.replace(path)
    with contextlib.suppress(OSError):
        flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Flush a folder, so that the name of a new file is on the disk too."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
