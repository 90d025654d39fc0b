"""Start-up: importing, and the way to a first answer; fresh interpreters, everybody in turn."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from tests.bench import clients, stub
from tests.bench.alone import in_a_process
from tests.bench.clients import BARE, OURS
from tests.bench.results import Column, Row, Table

PARTS = {
    "`from binance_dust import Session`": "from binance_dust import Session",
    "and its sandbox": (
        "from binance_dust import Session; from binance_dust.sandbox import Sandbox"
    ),
    "the command line, for --help": "from binance_dust.cli import make_parser; make_parser({})",
    "the command line, for a scan": "from binance_dust.cli import load; load('scan')",
}


class Effort(NamedTuple):
    """How often, and with whom."""

    rounds: int = 5
    who: tuple[str, ...] = tuple(clients.ALL)
    parts: tuple[str, ...] = tuple(PARTS)


FULL = Effort()
TINY = Effort(1, (OURS,), ())


def measure(effort: Effort = FULL) -> list[Table]:
    """Measure clients, and parts of ours."""
    tasks = {name: (clients.IMPORTS[name], "first", name) for name in effort.who}
    parts = {name: (PARTS[name],) for name in effort.parts}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in [*tasks, *parts]}
    with stub.serving() as url:
        # The first round is nobody's: it compiles what was never imported, and warms the disk.
        for number in range(effort.rounds + 1):
            for name, task in tasks.items():
                took = in_a_process(*task, url)
                took["answered"] = took["wall"] + took["first"]
                took["answered_cpu"] = took["cpu"] + took["first_cpu"]
                if number:
                    found[name].append(took)
            for name, code in parts.items():
                took = in_a_process(*code)
                if number:
                    found[name].append(took)
    return [_clients(found, effort.who), *([_parts(found, effort.parts)] if parts else [])]


def _middle(rounds: list[dict[str, float]], figure: str, scale: float = 1e3) -> float:
    return statistics.median(each[figure] for each in rounds) * scale


def _clients(found: dict[str, list[dict[str, float]]], who: tuple[str, ...]) -> Table:
    columns = {
        "import, ms": ("wall", 1e3),
        "its CPU, ms": ("cpu", 1e3),
        "import and first answer, ms": ("answered", 1e3),
        "their CPU, ms": ("answered_cpu", 1e3),
        "MiB of the import": ("memory", 1.0),
    }
    return Table(
        name="startup",
        title="Start-up: importing a client, and the way to its first answer",
        about=(
            "In fresh interpreters with compiled modules, less what an empty interpreter takes; "
            "medians of five, all clients in turn. Ours imports aiohttp with its first session."
        ),
        columns=tuple(Column(title, 1 if "MiB" in title else 0) for title in columns),
        rows=tuple(
            Row(name, tuple(_middle(found[name], *each) for each in columns.values()))
            for name in who
        ),
        reasons={
            BARE: "Ours needs aiohttp, and adds to it. Before its first signed call it learns "
            "the exchange's clock."
        },
    )


def _parts(found: dict[str, list[dict[str, float]]], parts: tuple[str, ...]) -> Table:
    columns = (Column("import, ms", 0, None), Column("MiB", 1, None))
    return Table(
        name="startup-parts",
        title="Importing parts of ours",
        about="As above.",
        first="what",
        columns=columns,
        rows=tuple(
            Row(name, (_middle(found[name], "wall"), _middle(found[name], "memory", 1.0)))
            for name in parts
        ),
        plot=None,
    )
