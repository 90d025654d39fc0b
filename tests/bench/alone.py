"""A process that imports one thing, does one thing with it, and tells in JSON what that took.

    python -m tests.bench.alone CODE                          import, and no more
    python -m tests.bench.alone CODE first NAME URL           a first answer as well
    python -m tests.bench.alone CODE visit NAME URL 100 1000  open an account, ask, close, so often
    python -m tests.bench.alone CODE hold NAME URL 100 1000   open accounts, ask, hold all of them

    python -m tests.bench.alone CODE ask NAME URL 300 1 8     so many calls, 1 at once and 8 at once
    python -m tests.bench.alone CODE scan NAME URL 1000       one scan of ours, of so many

Until CODE has run nothing else is imported: what it needs is counted as its own.
"""

from __future__ import annotations

import os
import sys
import time

ROOT = os.path.abspath(f"{__file__}/../../..")  # noqa: PTH100 - pathlib is not imported yet
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def resident() -> float:
    """Give the MiB of this process that are in memory; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - not imported yet
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0


def imported(code: str) -> dict[str, float]:
    """Run an import, and tell what it took: seconds, and MiB that came on top."""
    before, wall, cpu = resident(), time.perf_counter(), time.process_time()
    exec(code, {})  # noqa: S102 - our own text
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return took | {"memory": resident() - before}


def in_a_process(*task: str) -> dict[str, Any]:
    """Have a process of its own do this, and give what it tells."""
    import json
    import subprocess

    # Compiled modules may be kept, as they are where a package was installed.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "tests.bench.alone", *task]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT, env=kept)  # noqa: S603
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main(code: str, *task: str) -> None:
    """Import, do the task if there is one, and tell."""
    found = imported(code)
    import json

    if task:
        from tests.bench import accounts

        found |= accounts.run(*task)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
