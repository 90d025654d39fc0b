"""Whether a checkout may be released: clean, and version, changelog and tag tell the same.

python -m tests.release.state
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from binance_dust import __version__

ROOT: Final = Path(__file__).parents[2]
_HEADING: Final = re.compile(r"^## (?P<version>\S+), (?P<date>.+)$", re.MULTILINE)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")


@dataclass(frozen=True, kw_only=True)
class State:
    """What a checkout says of itself."""

    version: str
    changelog: str
    fragments: Collection[str] = ()
    """Names of changes that are not in the changelog yet."""
    changed: Collection[str] = ()
    """Files that differ from the commit."""
    tags: Collection[str] = ()
    tags_here: Collection[str] = ()
    """Those of this commit."""


def problems(state: State) -> list[str]:
    """Say what stands against a release; nothing if it may go."""
    found = []
    tag = f"v{state.version}"
    if not _VERSION.fullmatch(state.version):
        found.append(f"{state.version} is no version to release")
    if state.changed:
        found.append(f"not committed: {', '.join(sorted(state.changed))}")
    if state.fragments:
        names = ", ".join(sorted(state.fragments))
        found.append(f"not in the changelog yet: {names} (run: nox -s changelog)")
    newest = _HEADING.search(state.changelog)
    if newest is None or newest["version"] != state.version:
        told = newest["version"] if newest else "nothing"
        found.append(f"this is {state.version}, and the changelog begins with {told}")
    elif not _DATE.fullmatch(newest["date"]):
        found.append(f"the changelog calls {state.version} {newest['date']}: give it its date")
    if tag in state.tags and tag not in state.tags_here:
        found.append(f"{tag} is another commit: what was released stays what it is")
    return found


def fragments(folder: Path) -> set[str]:
    """Give the names of changes that wait for the next release."""
    return {path.name for path in folder.glob("*.md")} - {"README.md"}


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(  # noqa: S603 - fixed commands
        ["git", *arguments],  # noqa: S607 - whichever git there is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def main() -> int:
    """Look at this checkout."""
    found = problems(
        State(
            version=__version__,
            changelog=(ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
            fragments=fragments(ROOT / "changes"),
            changed=[line[3:] for line in _git("status", "--porcelain")],
            tags=_git("tag"),
            tags_here=_git("tag", "--points-at", "HEAD"),
        )
    )
    print("\n".join(found) or f"{__version__} may be released")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
