"""`binance-dust fleet status`: which workers of a fleet are there, and how they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from binance_dust._util.words import count, duration
from binance_dust.cli import _fleet
from binance_dust.cli._output import as_json, escape, make_console, print_json
from binance_dust.cli._streams import print_stderr
from binance_dust.cli._tables import TerminalTable, figures, text

if TYPE_CHECKING:
    import argparse

    from binance_dust.fleet import WorkerInfo


EXAMPLES: Final = (("status --fleet redis://queue.internal", "which workers are there"),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("what", choices=("status",), help="status: which workers are there")
    _fleet.add_url(parser, "the Redis that connects the fleet and its workers")
    parser.add_argument("--json", action="store_true", help="lines of JSON, for programs")


async def run(options: argparse.Namespace) -> int:
    """Ask all workers, and show who answers within two seconds."""
    async with _fleet.open_fleet(options) as fleet:
        workers = await fleet.status()
    if options.json:
        for worker in workers:
            print_json(as_json(worker))
    elif workers:
        show_workers(workers)
    if not workers:
        print_stderr("no worker is there: is one running, with this Redis, name and key?")
    return 0 if workers else 1


def show_workers(workers: tuple[WorkerInfo, ...]) -> None:
    """Print a table of workers, and how many accounts they have."""
    table = TerminalTable(
        text("worker", 0),
        *figures("accounts", "in hand"),
        text("does"),
        text("version", 2),
        text(""),
    )
    for worker in workers:
        state = "leaving" if worker.leaving else ""
        if worker.shut_for:
            state = f"[bold red]banned for {duration(worker.shut_for)}[/]"
        table.add_row(
            escape(worker.name),
            f"{len(worker.accounts):,}",
            f"{worker.in_hand:,}",
            "reads and converts" if worker.converts else "reads",
            escape(worker.version),
            state,
        )
    out = make_console()
    out.print(table)
    accounts = {name for worker in workers for name in worker.accounts}
    alone = sum(sum(name in worker.accounts for worker in workers) == 1 for name in accounts)
    here = f"{count(len(workers), 'worker')}, {count(len(accounts), 'account')}"
    out.print(f"{here}, {alone:,} of them at one worker only.")
