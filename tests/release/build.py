"""Build the sdist, and the wheel from the sdist; then both once more elsewhere: the same bytes.

    python -m tests.release.build dist

The second time they are built from the unpacked sdist, in another folder, by files of other modes
and times: who has the sdist can make the wheel that was published. Both times hatchling's own
moment stands for the time of every file, wherever the sources came from.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_ELSEWHERE: Final = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
_LONG_AGO: Final = 1_000_000_007
"""In 2001."""


def build(source: Path, into: Path, *, umask: int = 0o022, **environment: str) -> list[Path]:
    """Build both from a folder; give them, the sdist first."""
    inherited = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", str(into), str(source))
    subprocess.run(  # noqa: S603 - our own interpreter
        command, env=inherited | environment, umask=umask, check=True, stdout=subprocess.DEVNULL
    )
    (sdist,), (wheel,) = into.glob("*.tar.gz"), into.glob("*.whl")
    return [sdist, wheel]


def unpack(sdist: Path, into: Path) -> Path:
    """Unpack an sdist as if long ago, for oneself alone."""
    with tarfile.open(sdist) as archive:
        # Debian 12's Python 3.11.2 has no filters yet, and ignores this.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(into)  # noqa: S202 - our own archive, and filtered where that can be
    (folder,) = into.iterdir()
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode & 0o700)
        os.utime(path, (_LONG_AGO, _LONG_AGO))
    return folder


def members(archive: Path) -> dict[str, tuple[object, ...]]:
    """Give what an archive tells of each of its members, and what is in it."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {
                each.filename: (each.date_time, oct(each.external_attr >> 16), wheel.read(each))
                for each in wheel.infolist()
            }
    with tarfile.open(archive) as sdist:
        return {
            each.name: (each.mtime, oct(each.mode), each.uid, each.gid, _content(sdist, each))
            for each in sdist.getmembers()
        }


def _content(sdist: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = sdist.extractfile(member)
    return b"" if file is None else file.read()


def differences(one: Path, other: Path) -> list[str]:
    """Say in what two archives differ that should not; nothing if they are the same bytes."""
    if one.read_bytes() == other.read_bytes():
        return []
    first, second = members(one), members(other)
    named = sorted(
        name for name in first.keys() | second.keys() if first.get(name) != second.get(name)
    )
    return [f"{one.name} differs in {name}" for name in named] or [
        f"{one.name} has the same members, and differs"
    ]


def main() -> int:
    """Build twice; say what differs."""
    into = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as away:
        first = build(ROOT, into)
        source = unpack(first[0], Path(away, "source"))
        second = build(source, Path(away, "again"), umask=0o077, **_ELSEWHERE)
        found = [text for pair in zip(first, second, strict=True) for text in differences(*pair)]
    print("\n".join(found) or f"built twice, the same bytes: {', '.join(p.name for p in first)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
