"""Memory against accounts: each client in a process of its own, with the same work done.

Visited: an account is opened, asked once and closed, 50 at a time, as a scan does it. Held: all of
them stay open, as bots hold them. And a scan of ours, of very many.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.bench import clients, stub
from tests.bench.alone import in_a_process, resident
from tests.bench.clients import BARE, OURS
from tests.bench.results import Column, Row, Table

CCXT = "ccxt"


class Effort(NamedTuple):
    """How many accounts, and with whom."""

    marks: tuple[int, ...] = (100, 1_000, 10_000)
    most_of_ccxt: int = 1_000
    """With more of it, minutes and gigabytes."""
    scan: tuple[int, ...] = (1_000, 10_000, 30_000, 100_000)
    who: tuple[str, ...] = tuple(clients.ALL)


FULL = Effort()
TINY = Effort((5, 10), 0, (10, 20), (OURS,))


def measure(effort: Effort = FULL) -> list[Table]:
    """Measure visits, holds, and a scan."""
    if not resident():
        return []  # this machine has no /proc to read
    return [_visited(effort), _held(effort), _scanned(effort)]


def _visited(effort: Effort) -> Table:
    return Table(
        name="visits",
        title="Memory of a process after it has visited so many accounts, MiB",
        about=(
            "Each account is opened, asked once for its seven assets and closed, 50 at a time. The "
            "memory of the process is read when it has settled. ccxt was stopped at 1,000."
        ),
        columns=_columns(effort, "CPU an account, µs"),
        rows=_rows("visit", effort, last=lambda found: found["cpu_each"] * 1e6),
        reasons={
            BARE: "It imports no budgets, models or errors, and creates nothing for an account."
        },
        plot=None,
    )


def _held(effort: Effort) -> Table:
    return Table(
        name="clients",
        title="Memory of a process that holds so many accounts open, MiB",
        about=(
            "One client for each account. Each is asked once and stays open, as bots hold them. "
            "Ours and the bare ones share a session. ccxt was stopped at 1,000: 10,000 clients "
            "would take three minutes and nine GiB."
        ),
        columns=_columns(effort, "KiB an account"),
        rows=_rows("hold", effort, last=_each),
        reasons={
            BARE: "It imports less. For an account it holds only a key; ours holds a client with "
            "a signer, a name and a lane."
        },
        plot="lines",
        axis="accounts",
    )


def _scanned(effort: Effort) -> Table:
    with stub.serving() as url:
        found = in_a_process(clients.IMPORTS[OURS], "scan", OURS, url, *map(str, effort.scan))
    return Table(
        name="scan-memory",
        title="Memory of one scan, MiB",
        about=(
            "`scan()` over accounts from a generator, with three calls for each. Growth after the "
            "first thousand would be a leak."
        ),
        columns=tuple(Column(f"{mark:,}", 1, None) for mark in effort.scan),
        rows=(Row(OURS, tuple(memory for _, memory in found["readings"])),),
        plot=None,
    )


def _columns(effort: Effort, last: str) -> tuple[Column, ...]:
    return (*(Column(f"{mark:,}", 1) for mark in effort.marks), Column(last, 1))


def _rows(
    task: str, effort: Effort, last: Callable[[dict[str, Any]], float | None]
) -> tuple[Row, ...]:
    rows = []
    for name in effort.who:
        marks = [m for m in effort.marks if name != CCXT or m <= effort.most_of_ccxt]
        # A stub for each: what is measured must not run out of ports that another has used.
        with stub.serving() as url:
            found = in_a_process(clients.IMPORTS[name], task, name, url, *map(str, marks))
        memory = [memory for _, memory in found["readings"]]
        missing = [None] * (len(effort.marks) - len(marks))
        rows.append(Row(name, (*memory, *missing, last(found))))
    return tuple(rows)


def _each(found: dict[str, Any]) -> float | None:
    """Give the KiB that an account adds."""
    (few, before), (many, after) = found["readings"][0], found["readings"][-1]
    if many == few:
        return None
    each: float = (after - before) / (many - few) * 1024
    return each
