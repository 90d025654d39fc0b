"""Files that readers see whole: a draft is written and flushed, and then takes the file's name.

Readers, also after a crash, find the old file or the new one, never a part.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


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
