"""Every measurement, or those that are named: `nox -s bench -- decoding calls`."""

from __future__ import annotations

import importlib
import platform
import sys

MEASUREMENTS = ("decoding", "calls", "scan", "desk", "memory", "startup", "redis", "fleet")


def main() -> None:
    """Run them one after the other."""
    print(f"Python {platform.python_version()}, {platform.machine()}")
    for name in sys.argv[1:] or MEASUREMENTS:
        importlib.import_module(f"tests.bench.{name}").run()


if __name__ == "__main__":
    main()
