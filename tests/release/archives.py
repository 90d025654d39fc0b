"""What the sdist and the wheel hold: all that they should, and nothing else.

    python -m tests.release.archives dist

The sdist holds what git has, so the tests can be run from it; the wheel holds the package and what
describes it. Where there is no git to ask (in an unpacked sdist), that part is left out.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = "binance_dust/"
NEEDED: Final = frozenset(
    {
        "LICENSE",
        "README.md",
        "constraints.txt",
        "hatch_build.py",
        "pyproject.toml",
        "noxfile.py",
        "tests/conftest.py",
        "binance_dust/py.typed",
        "binance_dust/budget/_redis/log.lua",
        "binance_dust/reports/_page/page.css",
        "binance_dust/reports/_page/page.js",
    }
)
"""What would be missed first. The rest follows from git, where there is one."""
MADE_FOR_SDIST: Final = frozenset({"PKG-INFO"})
MADE_FOR_WHEEL: Final = frozenset(
    {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
)


def problems(
    sdist: AbstractSet[str], wheel: AbstractSet[str], tracked: AbstractSet[str] | None
) -> list[str]:
    """Say what is missing and what is too much; names of the wheel's own folder begin with `*/`."""
    source = set(tracked) if tracked is not None else set(sdist - MADE_FOR_SDIST)
    described = {f"*/{name}" for name in MADE_FOR_WHEEL}
    packaged = {name for name in source if name.startswith(PACKAGE)}
    return [
        *_compared("the sdist", sdist, source | NEEDED | MADE_FOR_SDIST),
        *_compared("the wheel", wheel, packaged | described),
    ]


def _compared(what: str, found: AbstractSet[str], wanted: AbstractSet[str]) -> list[str]:
    missing = [f"{what} lacks {name}" for name in sorted(wanted - found)]
    return missing + [f"{what} holds {name}" for name in sorted(found - wanted)]


def lost_links(described: str) -> list[str]:
    """Say which links and pictures of a description lead nowhere on the package index."""
    targets = re.findall(r"\]\(([^)]*)\)", described)
    lost = [each for each in targets if not each.startswith(("https://", "#"))]
    return [f"the package index can't show {target}" for target in lost]


def description(wheel: Path) -> str:
    """Give what a wheel says of the package, as the package index shows it."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name).decode()


def names_in_sdist(path: Path) -> set[str]:
    """Give the files of an sdist, without the folder that they all lie in."""
    with tarfile.open(path) as archive:
        return {each.name.partition("/")[2] for each in archive.getmembers() if each.isfile()}


def names_in_wheel(path: Path) -> set[str]:
    """Give the files of a wheel; `*/` stands for the folder of what describes it."""
    with zipfile.ZipFile(path) as archive:
        names = [name.partition("/") for name in archive.namelist()]
    return {
        f"*/{rest}" if top.endswith(".dist-info") else f"{top}/{rest}" for top, _, rest in names
    }


def tracked() -> set[str] | None:
    """Give the files that git has or would take; `None` where this is no checkout, or no git."""
    if not (ROOT / ".git").exists():
        return None
    git = shutil.which("git")
    if git is None:
        print("git is missing: what is inside is not compared with the checkout")
        return None
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(  # noqa: S603 - a fixed command
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}


def main() -> int:
    """Look at the two archives in a folder."""
    (sdist,), (wheel,) = (Path(sys.argv[1]).glob(name) for name in ("*.tar.gz", "*.whl"))
    found = problems(names_in_sdist(sdist), names_in_wheel(wheel), tracked())
    found += lost_links(description(wheel))
    print("\n".join(found) or "sdist and wheel hold what they should, and nothing else")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
