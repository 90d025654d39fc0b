"""CPU and instructions of a call: size of the answer by calls at once, each client by itself.

Each client has a process of its own, as it has in real life. In a process that all share, what one
has left behind in the memory of the process helps or harms the next. A round asks every client in
turn, and the least of all rounds counts: what else a machine does only ever adds.

Instructions do not depend on what else a machine does. valgrind counts those of a whole process, so
two runs that differ in nothing but the number of calls give those of a call.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import NamedTuple

from tests.bench import clients, stub
from tests.bench.alone import ROOT, in_a_process
from tests.bench.clients import BARE, OFFICIAL, OURS, PACED
from tests.bench.results import Column, Row, Table

FLIGHTS = (1, 8, 32, 100)
COUNTED = (1, 32)
BLOCKS = "It blocks: it would need a thread for each call at once."
REASONS = {
    BARE: "It only signs and sends: it has no budget, no clock of the exchange and no retries, and "
    "leaves amounts as text.",
    "ccxt": "It leaves amounts as text. Ours reads each as an exact number, which takes two fifths "
    "of all its instructions at 1,000 assets; without that, it would take fewer than ccxt.",
}
_READ = re.compile(r"I\s+refs:\s+([\d,]+)")


class Effort(NamedTuple):
    """How often, how many calls, and with whom."""

    rounds: int = 7
    calls: tuple[tuple[int, int], ...] = ((7, 200), (200, 100), (1_000, 40))
    """Assets in an answer, and calls that are measured at once."""
    who: tuple[str, ...] = (*clients.ALL, *clients.EXTRA)
    counted: tuple[int, int] = (64, 1_088)
    """Calls in the two runs under valgrind."""


FULL = Effort()
TINY = Effort(1, ((7, 4),), clients.QUICK, (0, 0))
Cell = tuple[int, int]


def measure(effort: Effort = FULL) -> list[Table]:
    """Measure the grid, and count."""
    best: dict[str, dict[Cell, float]] = {name: {} for name in effort.who}
    with stub.serving() as url:
        for _ in range(effort.rounds):
            for size, count in effort.calls:
                for name, found in best.items():
                    stub.ask_for(url, size)
                    for flight, took in _ask(name, url, count).items():
                        at = size, flight
                        found[at] = min(found.get(at, took), took)
        counted = _count(url, effort) if effort.counted[1] and shutil.which("valgrind") else []
    return [*_tables(best), *counted]


def _flights(name: str) -> tuple[int, ...]:
    return FLIGHTS[:1] if name == OFFICIAL else FLIGHTS


def _ask(name: str, url: str, count: int) -> dict[int, float]:
    """Give the µs of a call, by how many are under way at once."""
    # Its limiter lets twenty calls a second through, at most.
    most = min(count, 20) if name == PACED else count
    marks = map(str, (most, *_flights(name)))
    found = in_a_process(clients.IMPORTS[name], "ask", name, url, *marks)
    return {flight: found[str(flight)] * 1e6 for flight in _flights(name)}


def _count(url: str, effort: Effort) -> list[Table]:
    """Count the instructions of a call, for those that do not block or pace themselves."""
    rows = []
    for name in (OURS, BARE, "python-binance", "ccxt"):
        few, many = effort.counted
        each = tuple(
            (_instructions(name, url, many, flight) - _instructions(name, url, few, flight))
            / (2 * (many - few))
            for flight in COUNTED
        )
        rows.append(Row(name, each))
    return [
        Table(
            name="instructions",
            title="Instructions of a call, 7 assets",
            about="Counted by valgrind (cachegrind), outside of the system.",
            columns=tuple(Column(f"{flight} at once") for flight in COUNTED),
            rows=tuple(rows),
            reasons=REASONS,
            plot=None,
        )
    ]


def _instructions(name: str, url: str, count: int, flight: int) -> int:
    """Count those of a process that asks so often."""
    counter = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    task = ["ask", name, url, str(count), str(flight)]
    stub.ask_for(url, stub.SIZES[0])
    done = subprocess.run(  # noqa: S603
        [*counter, sys.executable, "-m", "tests.bench.alone", clients.IMPORTS[name], *task],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )
    found = _READ.search(done.stderr)
    assert found is not None, done.stderr
    return int(found[1].replace(",", ""))


def _tables(best: dict[str, dict[Cell, float]]) -> list[Table]:
    cells = list(best[OURS])
    sizes = list(dict.fromkeys(size for size, _ in cells))
    shown = [*((size, 1) for size in sizes), (sizes[0], FLIGHTS[-1])]
    about = (
        "CPU of a process that reads an account's assets with the free amount of each, from a "
        "minimal server. Each client has processes of its own, in turn; the least of seven rounds. "
    )
    return [
        Table(
            name="calls",
            title="CPU of a call, µs",
            about=f"{about}{BLOCKS.replace('It', 'The official SDK', 1)}",
            columns=tuple(Column(_title(*cell)) for cell in shown),
            rows=tuple(
                Row(name, tuple(found.get(cell) for cell in shown))
                for name, found in best.items()
                if name in clients.ALL
            ),
            reasons=REASONS,
        ),
        Table(
            name="grid",
            title="CPU of a call by assets and calls at once, µs",
            about=f"Assets in an answer, and calls that are under way at once. {about}",
            columns=tuple(Column(f"{size:,} / {flight}") for size, flight in cells),
            rows=tuple(
                Row(name, tuple(found.get(cell) for cell in cells)) for name, found in best.items()
            ),
            reasons=REASONS,
            plot=None,
        ),
    ]


def _title(size: int, flight: int) -> str:
    return f"{size:,} assets" + ("" if flight == 1 else f", {flight} accounts at once")
