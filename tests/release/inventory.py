"""What goes beside the archives: an inventory of what is inside, and sums of all of it.

    python -m tests.release.inventory dist path/of/an/environment

The environment holds the package with its extras and nothing else. CycloneDX' own tool reads it,
and checks what it writes against the schema.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from binance_dust import __version__

ROOT: Final = Path(__file__).parents[2]
SUMS: Final = "SHA256SUMS"


def needs(project: Mapping[str, Any]) -> list[str]:
    """Give all that the package and its extras declare."""
    extras = project["optional-dependencies"].values()
    return [*project["dependencies"], *(line for extra in extras for line in extra)]


def describe(project: Mapping[str, Any]) -> str:
    """Write what the tool shall say of the package itself: with its version, which is dynamic."""
    told = {key: project[key] for key in ("name", "description", "license")}
    told |= {"version": __version__, "dependencies": needs(project)}
    return "\n".join(["[project]", *(f"{key} = {json.dumps(told[key])}" for key in told), ""])


def problems(inventory: Mapping[str, Any], project: Mapping[str, Any]) -> list[str]:
    """Say what an inventory lacks, or tells of the machine that it was made on."""
    root = inventory["metadata"]["component"]
    if (root["name"], root.get("version")) != (project["name"], __version__):
        return [f"it is about {root['name']} {root.get('version')}"]
    listed = {canonicalize_name(part["name"]) for part in inventory["components"]}
    declared = {canonicalize_name(Requirement(line).name) for line in needs(project)}
    told = [
        f"it tells where {part['name']} was: {reference['url']}"
        for part in inventory["components"]
        for reference in part.get("externalReferences", ())
        if not reference["url"].startswith(("https://", "http://"))
    ]
    return [f"it lacks {name}" for name in sorted(declared - listed)] + told


def sums(folder: Path) -> str:
    """Give the SHA-256 of every file, in the form of `sha256sum`."""
    files = sorted(path for path in folder.iterdir() if path.name != SUMS)
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files
    )


def main() -> int:
    """Write both into a folder."""
    folder, environment = Path(sys.argv[1]), sys.argv[2]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    inventory = folder / f"binance_dust-{__version__}.cdx.json"
    with tempfile.TemporaryDirectory() as away:
        about = Path(away, "pyproject.toml")
        about.write_text(describe(project), encoding="utf-8")
        command = (sys.executable, "-m", "cyclonedx_py", "environment", environment)
        options = ("--pyproject", about, "--mc-type", "library", "--output-reproducible")
        subprocess.run(  # noqa: S603 - our own interpreter
            (*command, *options, "--validate", "--output-file", inventory), check=True
        )
    found = problems(json.loads(inventory.read_text(encoding="utf-8")), project)
    (folder / SUMS).write_text(sums(folder), encoding="utf-8")
    print("\n".join(found) or f"{inventory.name} and {SUMS} are written")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
