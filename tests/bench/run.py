"""Every measurement, or those that are named: `nox -s bench -- calls scan --save docs`."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import traceback
from pathlib import Path

import pytest

from tests.bench import keep, show
from tests.bench.results import Measured, Table, this_machine

MEASUREMENTS = (
    *("scan", "desk", "redis", "shared", "fleet"),  # what the limit allows
    *("calls", "keys", "decoding", "memory", "startup", "ledger"),  # what it takes of this machine
    *("limiters", "compare"),  # what others do with the same task
)


def main() -> None:
    """Measure one after the other."""
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all, {', '.join(MEASUREMENTS)}")
    parser.add_argument("--markdown", action="store_true", help="print tables for a page")
    parser.add_argument(
        "--save",
        type=Path,
        metavar="DIR",
        help="write DIR/measurements.jsonl, and plots to DIR/pictures; then run docs/generate.py",
    )
    options = parser.parse_args()
    names = MEASUREMENTS if options.names in ([], ["all"]) else options.names
    for name in names:
        if name not in MEASUREMENTS:
            parser.error(f"{name}: no such measurement")
    machine = this_machine()
    print(f"Python {machine.python}, {machine.system}, {machine.processors} processors")
    failed = []
    for name in names:
        began = time.perf_counter()
        try:
            tables: list[Table] = importlib.import_module(f"tests.bench.{name}").measure()
        except pytest.skip.Exception as skipped:
            print(f"\n{name} is not measured: {skipped}")
            continue
        except Exception:  # noqa: BLE001 - whatever a peer raises, the others are still measured
            traceback.print_exc()
            failed.append(name)
            continue
        for table in tables:
            print(f"\n{show.as_markdown(table) if options.markdown else show.as_text(table)}")
        if options.save is not None:
            keep.save(options.save, [Measured(table, machine) for table in tables])
        print(f"\n({name} took {time.perf_counter() - began:.0f} s)", flush=True)
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
