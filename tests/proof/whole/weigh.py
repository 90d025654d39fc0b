"""What processes weigh: memory and descriptors from /proc, and whether they grow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_MIB: Final = 1 << 20
LEAST: Final = 600.0
"""Seconds of a life below which nothing is judged: a process that began just now learns."""
SLACK_MIB: Final = 3.0
SLACK_PART: Final = 0.05
SLACK_FILES: Final = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process."""

    at: float
    """Seconds since the hour began."""
    mib: float
    """Resident memory that is its own."""
    files: int
    """Open descriptors."""


@dataclass(slots=True)
class Life:
    """A part from a start to its end."""

    part: str
    pid: int
    began: float
    samples: list[Sample] = field(default_factory=list)
    ended: str = ""
    """How: `killed`, `told to end`, or the exit code of one that ended by itself."""


def look(pid: int, at: float) -> Sample | None:
    """Weigh a process; `None` if it is gone."""
    home = Path(f"/proc/{pid}")
    try:
        _, resident, shared, *_ = (home / "statm").read_text("ascii").split()
        files = sum(1 for _ in (home / "fd").iterdir())
    except (OSError, ValueError):
        return None
    return Sample(at, (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE") / _MIB, files)


def low(values: Sequence[float]) -> float:
    """Give the lower quartile: what a process falls back to when it has little in hand."""
    return sorted(values)[len(values) // 4]


def thirds(life: Life) -> tuple[list[Sample], list[Sample]]:
    """Give the second third of a life, and the last. The first third is for learning."""
    size = len(life.samples) // 3
    return life.samples[size : 2 * size], life.samples[2 * size :]


def growth(life: Life, *, memory: bool = True) -> list[str]:
    """Judge a life: name what it holds more of in its last third than in its second."""
    if not life.samples or life.samples[-1].at - life.began < LEAST:
        return []
    middle, last = thirds(life)
    found = []
    before, after = (low([each.mib for each in part]) for part in (middle, last))
    if memory and after > before * (1 + SLACK_PART) + SLACK_MIB:
        found.append(f"{life.part}: memory grew from {before:.1f} to {after:.1f} MiB")
    # Connections that are kept alive come and go with the work; what leaks never goes.
    before, after = (min(each.files for each in part) for part in (middle, last))
    if after > before + SLACK_FILES:
        found.append(f"{life.part}: descriptors grew from {before:.0f} to {after:.0f} at the least")
    return found


def row(life: Life) -> str:
    """Tell a life in one line: at the end of its first twelfth, in the middle, at the end."""
    samples = life.samples
    if not samples:
        return f"{life.part:<11} pid {life.pid}: gone before it was weighed ({life.ended})"
    twelfth = max(1, len(samples) // 12)
    parts = samples[:twelfth], samples[len(samples) // 2 :][:twelfth], samples[-twelfth:]
    mib = " -> ".join(f"{low([each.mib for each in part]):.1f}" for part in parts)
    files = " -> ".join(f"{low([each.files for each in part]):.0f}" for part in parts)
    minutes = (samples[-1].at - life.began) / 60
    return (
        f"{life.part:<11} {minutes:5.1f} min  {mib} MiB  {files} descriptors"
        f" (most {max(each.mib for each in samples):.1f} MiB,"
        f" {max(each.files for each in samples)})  {life.ended}"
    )
