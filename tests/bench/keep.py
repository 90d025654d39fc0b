"""Results on disk, a line of JSON for each table, and the plots that are drawn from them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from tests.bench import plot
from tests.bench.results import Measured

NAMES = (
    *("scan-fixed", "scan-sliding", "desk", "redis-call", "redis-fixed", "redis-sliding", "fleet"),
    *(
        "calls",
        "grid",
        "instructions",
        "keys",
        "decoding",
        "visits",
        "clients",
        "scan-memory",
        "startup",
        "startup-parts",
    ),
    *("ledger-calls", "ledger-reads"),
    *("limiters-fixed", "limiters-sliding"),
    *("compare-lost", "compare-exact", "compare-shown", "compare-calls", "compare-installed"),
)
"""The tables, in the order in which they are kept."""


def load(file: Path) -> dict[str, Measured]:
    """Read what was saved, by the tables' names."""
    lines = file.read_bytes().splitlines()
    found = [msgspec.json.decode(line, type=Measured) for line in lines]
    return {each.table.name: each for each in found}


def save(folder: Path, measured: Iterable[Measured]) -> None:
    """Put tables in the place of those that have their names, and draw them."""
    file = folder / "measurements.jsonl"
    kept = load(file) if file.exists() else {}
    kept |= {each.table.name: each for each in measured}
    lines = (msgspec.json.encode(kept[name]) for name in NAMES if name in kept)
    folder.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    (folder / "pictures").mkdir(exist_ok=True)
    for name, text in pictures(kept).items():
        (folder / "pictures" / name).write_text(text, encoding="utf-8")


def pictures(kept: dict[str, Measured]) -> dict[str, str]:
    """Draw every table that has a plot, by the names of the files."""
    return {
        f"bench-{name}.svg": plot.draw(each.table)
        for name, each in kept.items()
        if each.table.plot is not None
    }
