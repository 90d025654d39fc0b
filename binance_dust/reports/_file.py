"""Reports of a scan in a file, each of them safe on disk before the next one is asked for.

    with ReportFile("scan.jsonl", resume=True) as file:
        todo = [client for client in clients if client.name not in file.done]
        async for report in scan(todo):
            file.write(report)

`.jsonl` holds a line of JSON for each account, and `read_reports` gives them back; `.csv` holds
rows for a spreadsheet. A scan that was stopped, killed or unplugged can be resumed from either:
what was written stays, a line that was cut off is dropped, and accounts with a part that failed are
asked again.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Self

import msgspec

from binance_dust._util.files import (
    draft_beside,
    flush_folder,
    mode_of,
    open_new,
    open_regular,
    put_in_place,
    writing,
)
from binance_dust.errors import ConfigurationError, DustError
from binance_dust.reports._account import AccountReport
from binance_dust.reports._lines import (
    FORMATS,
    ForeignLineError,
    Format,
    JsonLines,
    StoredReport,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

__all__ = ["ReportFile", "read_reports"]

_NEW: Final = os.O_WRONLY | os.O_APPEND
_OLD: Final = os.O_RDWR | os.O_APPEND


class ReportFile:
    """Writes reports as they come; `resume=True` goes on with an existing file.

    The format follows from the name, `.jsonl` or `.csv`. A file with other content is refused and
    left as it is, and so is a file that another process is writing.
    """

    def __init__(self, path: str | os.PathLike[str], *, resume: bool = False) -> None:
        """Open a new file, or read an existing one and repair its end."""
        self._path: Final = Path(path)
        self._format: Final = _format_of(self._path)
        self._done: set[str] = set()
        self._targets: set[str] = set()
        with writing(self._path):
            self._file = self._open(resume=resume)
            self._end = os.fstat(self._file).st_size

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    @property
    def done(self) -> AbstractSet[str]:
        """Names of the accounts that are in it without a failed part."""
        return self._done

    @property
    def targets(self) -> AbstractSet[str]:
        """The targets of its reports: one, unless scans were mixed."""
        return self._targets

    def write(self, report: AccountReport) -> None:
        """Write a report; it is on disk when this returns."""
        if self._file < 0:
            raise ConfigurationError(f"{self._path} is closed: open it again to write more")
        with writing(self._path, DustError):
            self._append(self._format.encode(report))
        self._targets.add(report.target)
        if report.ok:
            self._done.add(report.account)

    def close(self) -> None:
        """Close the file. Closing twice is no harm."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ReportFile {self._path}, {len(self._done)} accounts done>"

    def _open(self, *, resume: bool) -> int:
        if resume and self._path.exists():
            return self._resume()
        if self._path.exists():
            self._refuse("is there already: resume it, or give another name")
        file = open_new(self._path, flags=_NEW)
        with _closed_on_error(file):
            self._lock(file)
            _write_all(file, self._format.head)
            os.fsync(file)
            with contextlib.suppress(OSError):
                flush_folder(self._path.parent)
        return file

    def _resume(self) -> int:
        """Find which accounts are done; write the file anew if it holds anything else."""
        file = open_regular(self._path, _OLD)
        with _closed_on_error(file):
            self._lock(file)
            if not os.path.samestat(os.fstat(file), self._path.stat()):
                self._refuse("was written anew by another process just now: try again")
            clean, whole = True, len(self._format.head)
            for report in self._reports():
                whole += len(report.text)
                if report.ok and report.account not in self._done:
                    self._done.add(report.account)
                    self._targets.add(report.target)
                else:
                    clean = False
            # Text after the last whole report is the beginning of one that was cut off.
            if clean and whole == self._path.stat().st_size:
                return file
            fresh = self._write_anew()
        os.close(file)
        return fresh

    def _write_anew(self) -> int:
        """Copy the whole reports without errors, and replace the file by the copy."""
        copy = draft_beside(self._path)
        file = open_new(copy, mode=mode_of(self._path), flags=_NEW)
        try:
            self._lock(file)
            _write_all(file, self._format.head)
            seen: set[str] = set()
            for report in self._reports():
                if report.ok and report.account not in seen:
                    seen.add(report.account)
                    _write_all(file, report.text)
            os.fsync(file)
            put_in_place(copy, self._path)
        except BaseException:
            os.close(file)
            copy.unlink(missing_ok=True)
            raise
        return file

    def _reports(self) -> Iterator[StoredReport]:
        try:
            yield from self._format.reports(_whole_lines(self._path, self._format))
        except ForeignLineError as found:
            reason = f"is no file of reports, or was changed since ({found}); nothing was written"
        except ConfigurationError as error:
            reason = f"can't be resumed: {error}"
        else:
            return
        self._refuse(reason)

    def _append(self, text: bytes) -> None:
        try:
            _write_all(self._file, text)
            os.fsync(self._file)
        except OSError:
            # A full disk may have taken half a report: the next one must not follow it.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._end)
            raise
        self._end += len(text)

    def _lock(self, file: int) -> None:
        if not _lock(file):
            self._refuse("is being written by another process")

    def _refuse(self, reason: str) -> NoReturn:
        raise ConfigurationError(f"{self._path} {reason}")


def read_reports(path: str | os.PathLike[str]) -> Iterator[AccountReport]:
    """Read the reports of a `.jsonl` file one by one; a line that was cut off is left out."""
    path = Path(path)
    kind = _format_of(path)
    if not isinstance(kind, JsonLines):
        raise ConfigurationError(f"{path}: reports are read from .jsonl files only")
    number, reason = 0, ""
    try:
        for number, line in enumerate(_whole_lines(path, kind), start=1):  # noqa: B007 - named in the error below
            yield AccountReport.from_plain(msgspec.json.decode(line))
    except OSError as error:
        reason = f"can't read {path}: {error.strerror or type(error).__name__}"
    except ConfigurationError as error:
        reason = f"{path}: line {number}: {error}"
    except (ForeignLineError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        reason = f"{path}: line {number} is no report of a scan"
    if reason:
        raise ConfigurationError(reason)


def _format_of(path: Path) -> Format:
    try:
        return FORMATS[path.suffix.lower()]()
    except KeyError:
        kinds = ", ".join(FORMATS)
        raise ConfigurationError(f"{path}: its name must end with one of {kinds}") from None


def _whole_lines(path: Path, kind: Format) -> Iterator[bytes]:
    """Give the lines that have their end; a last line without one must look like ours."""
    first = True
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line
            elif (first or not kind.head) and not kind.may_begin(line):
                raise ForeignLineError("line 1" if first else "the last line")
            first = False


@contextlib.contextmanager
def _closed_on_error(file: int) -> Iterator[None]:
    try:
        yield
    except BaseException:
        os.close(file)
        raise


def _write_all(file: int, text: bytes) -> None:
    while text:
        text = text[os.write(file, text) :]


def _lock(file: int) -> bool:
    """Keep other processes from writing; `False` if another one is writing."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
