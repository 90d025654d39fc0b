"""Whether `constraints.txt` has all that `pyproject.toml` asks for, and whether it was obeyed.

    python -m tests.release.lock

The first is a test. The second is asked in the environment of the session `tests`, right after it
was installed.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT: Final = Path(__file__).parents[2]
LOCK: Final = ROOT / "constraints.txt"
SEEDS: Final = frozenset({"pip", "setuptools", "wheel"})
"""What an environment may be made with, before anything is installed."""

Pins = Mapping[str, list[Requirement]]


def read(text: str) -> Pins:
    """Read a lock: a package may have one line for each range of Pythons."""
    pins: dict[str, list[Requirement]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    return pins


def needs(pyproject: Mapping[str, Any]) -> Iterator[tuple[str, Requirement]]:
    """Give all that is asked for, and by which part."""
    project = pyproject["project"]
    parts = {
        "the build": pyproject["build-system"]["requires"],
        "the package": project["dependencies"],
        **{f"the extra {name}": lines for name, lines in project["optional-dependencies"].items()},
        **{f"the group {name}": lines for name, lines in pyproject["dependency-groups"].items()},
    }
    for part, lines in parts.items():
        yield from ((part, Requirement(line)) for line in lines if isinstance(line, str))


def problems(pyproject: Mapping[str, Any], pins: Pins) -> list[str]:
    """Say what a lock lacks, and where it has a version that is not allowed."""
    found = [
        f"the lock leaves open which version it is: {pin}"
        for lines in pins.values()
        for pin in lines
        if [part.operator for part in pin.specifier] != ["=="]
    ]
    for part, wanted in needs(pyproject):
        lines = pins.get(canonicalize_name(wanted.name), [])
        if not lines:
            found.append(f"the lock lacks {wanted}, which {part} needs")
        for pin in lines:
            (version,) = (each.version for each in pin.specifier)
            if not wanted.specifier.contains(version, prereleases=True):
                found.append(f"the lock has {pin}, and {part} needs {wanted}")
    return found


def strays(installed: Iterable[tuple[str, str]], pins: Pins) -> list[str]:
    """Say which packages of an environment are not those of a lock."""
    found = []
    for name, version in sorted((canonicalize_name(name), version) for name, version in installed):
        lines = [pin for pin in pins.get(name, []) if pin.marker is None or pin.marker.evaluate()]
        if not any(pin.specifier.contains(Version(version), prereleases=True) for pin in lines):
            locked = ", ".join(str(pin.specifier) for pin in lines) or "nothing"
            found.append(f"{name} {version} is installed, and the lock has {locked}")
    return found


def main() -> int:
    """Look at this environment."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    apart = SEEDS | {canonicalize_name(ours)}
    installed = [(each.name, each.version) for each in distributions()]
    installed = [each for each in installed if canonicalize_name(each[0]) not in apart]
    found = strays(installed, read(LOCK.read_text(encoding="utf-8")))
    print("\n".join(found) or f"{len(installed)} packages are installed, as {LOCK.name} has them")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
